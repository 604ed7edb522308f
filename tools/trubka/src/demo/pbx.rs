//! Who plays the PBX and the phone.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use phone::{
    Algorithm, Behaviour, Encryption, KeyBy, KeyPress, Phone, PhoneConfig, PhoneEvent,
    PhoneTransmit, Script,
};

use super::stage::{PHONE, PbxAddress, Stage, Together, free_address, write_wav};
use super::story::{Source, Told};
use crate::exit::{FAILURE, Failed};

/// How long the phone rings before somebody answers.
pub(crate) const RINGS_FOR: Duration = Duration::from_millis(1_500);
/// From the answer to the first word and to the key.
const SPEAKS_AFTER_MS: usize = 3_600;
const PRESSES_AFTER: Duration = Duration::from_millis(10_600);
/// Each of the three parts: the visitor's words, the phone's, both at once.
const PART_MS: u32 = 3_000;
/// Between the phone's words and those that it says while the visitor speaks.
const PAUSE_MS: u32 = 500;

/// The PBX of the play.
pub(crate) trait Pbx {
    /// Where it is and how it knows the gateway.
    fn address(&self) -> PbxAddress;

    /// Sets it going.
    fn start(&mut self, stage: &Stage, tell: Sender<Told>) -> Result<(), Failed>;

    /// Ends it and returns what the phone heard, which is also written to `phone-heard.wav`.
    fn stop(self: Box<Self>, stage: &Stage) -> Result<Vec<i16>, Failed>;
}

pub(crate) fn describe(name: &str) -> &'static str {
    if name == "asterisk" {
        "a real Asterisk with a phone that answers and presses 9"
    } else {
        "a built-in PBX whose phone answers and presses 9"
    }
}

/// Finds a place for the PBX, and starts it where that takes time.
pub(crate) fn prepare(name: &str) -> Result<Box<dyn Pbx>, Failed> {
    if name == "asterisk" {
        return Ok(Box::new(super::asterisk::RealAsterisk::prepare()?));
    }
    let address = PbxAddress {
        ip: free_address(2)?,
        extension: "600",
        password: "demo-only",
        speech: phone::speak(phone::Speaker::Resident, PART_MS),
        visitor_speaks_after_s: 0.3,
        together: Some(Together {
            visitor_after_s: (SPEAKS_AFTER_MS as u32 + PART_MS + PAUSE_MS) as f32 / 1000.0,
            visitor: second_part(phone::Speaker::Visitor),
            resident: second_part(phone::Speaker::Resident),
        }),
    };
    Ok(Box::new(Builtin {
        address,
        stop: Arc::new(AtomicBool::new(false)),
        thread: None,
    }))
}

/// What a speaker goes on to say after the first part.
fn second_part(speaker: phone::Speaker) -> Vec<i16> {
    let mut words = phone::speak(speaker, 2 * PART_MS);
    words.split_off(PART_MS as usize * 8)
}

struct Builtin {
    address: PbxAddress,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<i16>>>,
}

impl Pbx for Builtin {
    fn address(&self) -> PbxAddress {
        self.address.clone()
    }

    fn start(&mut self, _stage: &Stage, tell: Sender<Told>) -> Result<(), Failed> {
        let ip = self.address.ip;
        let bind = |port: u16| {
            let address = SocketAddr::from((ip, port));
            let socket = UdpSocket::bind(address).map_err(|error| {
                Failed::new(FAILURE, format!("cannot open UDP {address}: {error}"))
            })?;
            socket.set_nonblocking(true)?;
            Ok::<_, Failed>(socket)
        };
        let sockets = Sockets {
            sip: bind(5060)?,
            rtp: bind(4000)?,
            rtcp: bind(4001)?,
        };
        let mut says = vec![0; SPEAKS_AFTER_MS * 8];
        says.extend(&self.address.speech);
        if let Some(together) = &self.address.together {
            says.resize(says.len() + PAUSE_MS as usize * 8, 0);
            says.extend(&together.resident);
        }
        let mut seed = [0; 32];
        let time = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        seed[..16].copy_from_slice(&time.as_nanos().to_le_bytes());
        let phone = Phone::new(PhoneConfig {
            sip_local: SocketAddr::from((ip, 5060)),
            rtp_local: SocketAddr::from((ip, 4000)),
            extension: PHONE.into(),
            gateway: self.address.extension.into(),
            password: self.address.password.into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            script: Script {
                behaviour: Behaviour::Answer { after: RINGS_FOR },
                says,
                keys: vec![KeyPress {
                    after: PRESSES_AFTER,
                    digit: '9',
                    by: KeyBy::Rfc4733,
                }],
                hang_up_after: None,
            },
            seed,
            encryption: Encryption::Off,
            codecs: Vec::new(),
        });
        let stopped = self.stop.clone();
        self.thread = Some(std::thread::spawn(move || {
            serve(phone, &sockets, &tell, &stopped)
        }));
        Ok(())
    }

    fn stop(mut self: Box<Self>, stage: &Stage) -> Result<Vec<i16>, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let heard = self
            .thread
            .take()
            .and_then(|thread| thread.join().ok())
            .unwrap_or_default();
        write_wav(&stage.path("phone-heard.wav"), &heard)?;
        Ok(heard)
    }
}

impl Drop for Builtin {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Sockets {
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

/// Runs the phone until told to stop; looks at its sockets every half millisecond.
fn serve(mut phone: Phone, sockets: &Sockets, tell: &Sender<Told>, stop: &AtomicBool) -> Vec<i16> {
    let start = Instant::now();
    let mut buffer = vec![0; 65_535];
    while !stop.load(Ordering::Relaxed) {
        let now = start.elapsed();
        let mut quiet = true;
        quiet &= !receive(&sockets.sip, &mut buffer, |source, payload| {
            phone.handle_sip(now, source, payload)
        });
        quiet &= !receive(&sockets.rtp, &mut buffer, |source, payload| {
            phone.handle_rtp(now, false, source, payload)
        });
        quiet &= !receive(&sockets.rtcp, &mut buffer, |source, payload| {
            phone.handle_rtp(now, true, source, payload)
        });
        if phone.next_deadline().is_some_and(|at| at <= now) {
            phone.handle_timeout(now);
            quiet = false;
        }
        while let Some(transmit) = phone.poll_transmit() {
            // A datagram that the kernel cannot take is lost, as UDP may.
            let _ = match &transmit {
                PhoneTransmit::Sip {
                    destination,
                    payload,
                } => sockets.sip.send_to(payload, destination),
                PhoneTransmit::Rtp {
                    rtcp: false,
                    destination,
                    payload,
                } => sockets.rtp.send_to(payload, destination),
                PhoneTransmit::Rtp {
                    rtcp: true,
                    destination,
                    payload,
                } => sockets.rtcp.send_to(payload, destination),
            };
        }
        while let Some(event) = phone.poll_event() {
            if tell.send(Told::now(Source::Phone, words(&event))).is_err() {
                return phone.heard().to_vec();
            }
        }
        if quiet {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
    phone.heard().to_vec()
}

fn receive(socket: &UdpSocket, buffer: &mut [u8], mut take: impl FnMut(SocketAddr, &[u8])) -> bool {
    match socket.recv_from(buffer) {
        Ok((length, source)) => {
            take(source, &buffer[..length]);
            true
        }
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// An event of the phone in the form of the others.
fn words(event: &PhoneEvent) -> serde_json::Value {
    use serde_json::json;
    match event {
        PhoneEvent::Registered { algorithm } => {
            json!({ "event": "registered", "digest": algorithm.token() })
        }
        PhoneEvent::Unregistered => json!({ "event": "unregistered" }),
        PhoneEvent::RegistrationRefused => json!({ "event": "registration_refused" }),
        PhoneEvent::Ringing { from } => json!({ "event": "ringing", "from": from }),
        PhoneEvent::Answered => json!({ "event": "answered" }),
        PhoneEvent::Pressed { digit } => json!({ "event": "pressed", "key": digit.to_string() }),
        PhoneEvent::Ended { status, reason } => {
            json!({ "event": "ended", "status": status, "reason": reason })
        }
    }
}
