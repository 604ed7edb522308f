//! A small PBX and its one phone, without I/O: it registers the gateway with a digest challenge,
//! rings, answers, speaks, presses keys, records what it hears, and can call back. For the demo,
//! the bench and tests in virtual time; it proves nothing about real PBXes, which have tests of
//! their own.

mod registrar;
mod script;
mod voice;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use media::{MediaEvent, Session, SessionConfig, TransmitKind};
use sip::message::read;
use sip::{CallId, OutgoingCall, SourcePolicy, UaConfig, UaEvent, UserAgent};

pub use media::{Codec, Encryption};
pub use registrar::Registrar;
pub use script::{Behaviour, KeyBy, KeyPress, Script};
pub use sip::digest::Algorithm;
pub use voice::{Speaker, speak};

const BLOCK: Duration = Duration::from_millis(10);
/// Ten minutes of sound; what comes later is not kept.
const HEARD_LIMIT: usize = 8000 * 600;

/// Who the phone is.
#[derive(Debug, Clone)]
pub struct PhoneConfig {
    /// SIP address of the PBX.
    pub sip_local: SocketAddr,
    /// RTP address of the phone; RTCP is one port above.
    pub rtp_local: SocketAddr,
    /// The phone's extension.
    pub extension: String,
    /// The gateway's extension.
    pub gateway: String,
    /// The gateway's password.
    pub password: String,
    /// Digest algorithms offered, best first.
    pub algorithms: Vec<Algorithm>,
    /// What the phone does with a call.
    pub script: Script,
    /// Seed of tags and nonces.
    pub seed: [u8; 32],
    /// Whether the phone encrypts its sound.
    pub encryption: Encryption,
    /// Codecs of the phone, best first; an empty list means G.711.
    pub codecs: Vec<Codec>,
}

/// A datagram to send.
#[derive(Debug)]
pub enum PhoneTransmit {
    /// From the SIP socket.
    Sip {
        /// Where to.
        destination: SocketAddr,
        /// The message.
        payload: Vec<u8>,
    },
    /// From the RTP socket, or the RTCP socket above it.
    Rtp {
        /// Whether it is RTCP.
        rtcp: bool,
        /// Where to.
        destination: SocketAddr,
        /// The packet.
        payload: Vec<u8>,
    },
}

/// What happened at the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhoneEvent {
    /// The gateway registered.
    Registered {
        /// Digest algorithm that it used.
        algorithm: Algorithm,
    },
    /// The gateway gave up its registration.
    Unregistered,
    /// Somebody with wrong credentials was turned away.
    RegistrationRefused,
    /// The phone rings.
    Ringing {
        /// Name and user of the caller.
        from: String,
    },
    /// The phone answered, or was answered.
    Answered,
    /// A key was pressed on the phone.
    Pressed {
        /// The key.
        digit: char,
    },
    /// The call is over.
    Ended {
        /// SIP status, where one decided it.
        status: Option<u16>,
        /// In words.
        reason: String,
    },
}

struct Line {
    call: CallId,
    session: Session,
    offer: Option<Vec<u8>>,
    answer_at: Option<Duration>,
    answered_at: Option<Duration>,
    next_block: Duration,
    said: usize,
    pressed: usize,
}

/// The PBX with its phone.
pub struct Phone {
    config: PhoneConfig,
    registrar: Registrar,
    ua: UserAgent,
    line: Option<Line>,
    heard: Vec<i16>,
    transmits: VecDeque<PhoneTransmit>,
    events: VecDeque<PhoneEvent>,
    calls: u64,
}

impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phone")
            .field("extension", &self.config.extension)
            .finish_non_exhaustive()
    }
}

impl Phone {
    /// A phone at rest.
    pub fn new(config: PhoneConfig) -> Phone {
        let account = sip::Account {
            register: false,
            keepalive_s: 0,
            ..sip::Account::new(config.extension.clone(), config.sip_local.to_string(), "")
        };
        let ua = UserAgent::new(
            UaConfig {
                local: config.sip_local,
                advertised: None,
                user_agent: "Trubka demo PBX".into(),
                accounts: vec![account],
                allowed_sources: SourcePolicy::Anyone,
            },
            config.seed,
        );
        Phone {
            registrar: Registrar::new(&config),
            ua,
            line: None,
            heard: Vec::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            calls: 0,
            config,
        }
    }

    /// A datagram came on the SIP socket.
    pub fn handle_sip(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        let register = read(payload).ok().filter(|message| {
            message
                .method()
                .is_some_and(|method| method.as_str() == "REGISTER")
        });
        if let Some(request) = register {
            let (response, event) = self.registrar.answer(&request, source);
            self.transmits.push_back(PhoneTransmit::Sip {
                destination: source,
                payload: response,
            });
            self.events.extend(event);
            if let Some(contact) = self.registrar.contact() {
                self.ua.set_registrar(now, 0, contact);
            }
        } else {
            self.ua.handle_datagram(now, source, payload);
        }
        self.pump(now);
    }

    /// A datagram came on the RTP (or RTCP) socket.
    pub fn handle_rtp(&mut self, now: Duration, rtcp: bool, source: SocketAddr, payload: &[u8]) {
        if let Some(line) = &mut self.line {
            if rtcp {
                line.session.handle_rtcp(now, source, payload);
            } else {
                line.session.handle_rtp(now, source, payload);
            }
        }
        self.pump(now);
    }

    /// Calls the gateway at its registered contact. `false` without a contact or with a call up.
    pub fn call(&mut self, now: Duration, user: &str) -> bool {
        let Some(contact) = self.registrar.contact().filter(|_| self.line.is_none()) else {
            return false;
        };
        let mut session = self.new_session();
        let sdp_offer = session.create_offer();
        let request = OutgoingCall {
            target: format!("sip:{user}@{contact}"),
            sdp_offer,
            display_name: None,
            headers: Vec::new(),
        };
        let Ok(call) = self.ua.invite(now, 0, request) else {
            return false;
        };
        self.line = Some(Line {
            call,
            session,
            offer: None,
            answer_at: None,
            answered_at: None,
            next_block: now,
            said: 0,
            pressed: 0,
        });
        self.pump(now);
        true
    }

    /// Hangs up, or refuses a ringing call as busy.
    pub fn hang_up(&mut self, now: Duration) {
        if let Some(line) = &self.line {
            self.ua.hang_up(now, line.call, None);
        }
        self.pump(now);
    }

    /// Puts the gateway on hold, or takes it back.
    pub fn hold(&mut self, now: Duration, on: bool) {
        if let Some(line) = &mut self.line {
            let offer = line.session.create_offer();
            let offer = if on {
                String::from_utf8_lossy(&offer)
                    .replace("a=sendrecv", "a=sendonly")
                    .into_bytes()
            } else {
                offer
            };
            // Glare and wrong states show as the absence of an answer.
            let _ = self.ua.reinvite(now, line.call, offer);
        }
        self.pump(now);
    }

    /// Presses a key now.
    pub fn press(&mut self, now: Duration, digit: char, by: KeyBy) {
        let Some(line) = &mut self.line else { return };
        let sent = match by {
            KeyBy::Rfc4733 => line.session.send_digit(now, digit, 120).is_ok(),
            KeyBy::InfoRelay => {
                let body = format!("Signal={digit}\r\nDuration=160\r\n");
                self.ua
                    .send_info(now, line.call, "application/dtmf-relay", body.as_bytes())
                    .is_ok()
            }
            KeyBy::InfoDtmf => self
                .ua
                .send_info(
                    now,
                    line.call,
                    "application/dtmf",
                    digit.to_string().as_bytes(),
                )
                .is_ok(),
        };
        if sent {
            self.events.push_back(PhoneEvent::Pressed { digit });
        }
        self.pump(now);
    }

    /// Whether a call is up or being set up.
    pub fn is_busy(&self) -> bool {
        self.line.is_some()
    }

    /// Whether nothing is left of any call, the copies of its last messages included.
    pub fn is_quiet(&self) -> bool {
        self.ua.call_count() == 0 && self.ua.transaction_count() == 0 && self.ua.timer_count() == 0
    }

    /// What the phone does with the calls from now on.
    pub fn set_script(&mut self, script: Script) {
        self.config.script = script;
    }

    /// Everything heard so far, 8 kHz.
    pub fn heard(&self) -> &[i16] {
        &self.heard
    }

    /// Next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<PhoneTransmit> {
        self.transmits.pop_front()
    }

    /// Next event.
    pub fn poll_event(&mut self) -> Option<PhoneEvent> {
        self.events.pop_front()
    }

    /// When [`Phone::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        let line = self.line.as_ref().and_then(|line| {
            let block = line.answered_at.map(|_| line.next_block);
            [line.answer_at, block, line.session.next_deadline()]
                .into_iter()
                .flatten()
                .min()
        });
        [self.ua.next_deadline(), line].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ua.handle_timeout(now);
        if let Some(line) = &mut self.line {
            line.session.handle_timeout(now);
            if line.answer_at.is_some_and(|at| at <= now) {
                self.pick_up(now);
            }
        }
        self.sound(now);
        self.pump(now);
    }

    fn new_session(&mut self) -> Session {
        self.calls += 1;
        let mut seed = self.config.seed;
        seed[0] ^= self.calls as u8;
        Session::new(
            SessionConfig {
                cname: "phone".into(),
                encryption: self.config.encryption,
                codecs: self.config.codecs.clone(),
                ..SessionConfig::new(self.config.rtp_local)
            },
            seed,
        )
    }

    fn pick_up(&mut self, now: Duration) {
        let Some(line) = &mut self.line else { return };
        line.answer_at = None;
        let answer = match line.offer.take() {
            Some(offer) => line.session.answer_offer(now, &offer),
            None => Ok(line.session.create_offer()),
        };
        match answer {
            Ok(sdp) => {
                self.ua.answer(now, line.call, sdp);
                self.begin(now);
            }
            Err(error) => self
                .ua
                .reject(now, line.call, error.kind.sip_status(), None),
        }
    }

    fn begin(&mut self, now: Duration) {
        if let Some(line) = &mut self.line {
            line.session.start(now);
            line.answered_at = Some(now);
            line.next_block = now;
            self.events.push_back(PhoneEvent::Answered);
        }
    }

    /// Speaks, listens, presses keys and hangs up as the script says.
    fn sound(&mut self, now: Duration) {
        let mut due = None;
        let Some(line) = &mut self.line else { return };
        let Some(answered) = line.answered_at else {
            return;
        };
        while line.next_block <= now {
            line.next_block += BLOCK;
            let speech = &self.config.script.says;
            let mut block = [0; 80];
            for (sample, said) in block.iter_mut().zip(speech.get(line.said..).unwrap_or(&[])) {
                *sample = *said;
            }
            line.said += 80;
            line.session.push_audio(now, &block);
            line.session.pull_audio(now, &mut block);
            if self.heard.len() < HEARD_LIMIT {
                self.heard.extend(block);
            }
        }
        let since = now.saturating_sub(answered);
        if let Some(key) = self
            .config
            .script
            .keys
            .get(line.pressed)
            .filter(|key| key.after <= since)
        {
            line.pressed += 1;
            due = Some((key.digit, key.by));
        }
        let over = self
            .config
            .script
            .hang_up_after
            .is_some_and(|after| after <= since);
        if let Some((digit, by)) = due {
            self.press(now, digit, by);
        }
        if over {
            self.hang_up(now);
        }
    }

    fn pump(&mut self, now: Duration) {
        while let Some(event) = self.ua.poll_event() {
            self.ua_event(now, event);
        }
        while let Some(transmit) = self.ua.poll_transmit() {
            self.transmits.push_back(PhoneTransmit::Sip {
                destination: transmit.destination,
                payload: transmit.payload,
            });
        }
        if let Some(line) = &mut self.line {
            while let Some(transmit) = line.session.poll_transmit() {
                let rtcp = transmit.kind == TransmitKind::Rtcp;
                self.transmits.push_back(PhoneTransmit::Rtp {
                    rtcp,
                    destination: transmit.destination,
                    payload: transmit.payload,
                });
            }
            // Keys from the gateway's side do not matter to a phone.
            while let Some(
                MediaEvent::Digit { .. }
                | MediaEvent::Timeout
                | MediaEvent::Resumed
                | MediaEvent::Hold { .. },
            ) = line.session.poll_event()
            {}
        }
    }

    fn ua_event(&mut self, now: Duration, event: UaEvent) {
        let current = self.line.as_ref().map(|line| line.call);
        match event {
            UaEvent::Incoming {
                call, from, sdp, ..
            } => self.incoming(now, call, &from, sdp),
            UaEvent::Answered { call, sdp, .. } if current == Some(call) => {
                let taken = self
                    .line
                    .as_mut()
                    .zip(sdp)
                    .map(|(line, sdp)| line.session.accept_answer(now, &sdp));
                match taken {
                    Some(Ok(())) => self.begin(now),
                    _ => self.ua.hang_up(now, call, None),
                }
            }
            UaEvent::AckSdp { call, sdp }
            | UaEvent::OfferAccepted {
                call,
                sdp: Some(sdp),
            } if current == Some(call) => {
                if let Some(line) = &mut self.line {
                    // A bad answer leaves the session as it was.
                    let _ = line.session.accept_answer(now, &sdp);
                }
            }
            UaEvent::Offer { call, offer, sdp } if current == Some(call) => {
                match self
                    .line
                    .as_mut()
                    .map(|line| line.session.answer_offer(now, &sdp))
                {
                    Some(Ok(answer)) => self.ua.answer_offer(now, call, offer, answer),
                    _ => self.ua.reject_offer(now, call, offer, 488),
                }
            }
            UaEvent::Ended { call, cause } if current == Some(call) => {
                self.line = None;
                self.events.push_back(PhoneEvent::Ended {
                    status: cause.status,
                    reason: cause.reason,
                });
            }
            _ => {}
        }
    }

    fn incoming(&mut self, now: Duration, call: CallId, from: &sip::Party, offer: Option<Vec<u8>>) {
        let behaviour = self.config.script.behaviour;
        if self.line.is_some() || behaviour == Behaviour::Busy {
            self.ua.reject(now, call, 486, None);
            return;
        }
        let name = from.display_name.as_deref().unwrap_or("");
        self.events.push_back(PhoneEvent::Ringing {
            from: format!("{name} <{}>", from.user).trim_start().to_owned(),
        });
        self.ua.ring(now, call);
        let session = self.new_session();
        let answer_at = match behaviour {
            Behaviour::Answer { after } => Some(now + after),
            Behaviour::Busy | Behaviour::NoAnswer => None,
        };
        self.line = Some(Line {
            call,
            session,
            offer,
            answer_at,
            answered_at: None,
            next_block: now,
            said: 0,
            pressed: 0,
        });
    }
}
