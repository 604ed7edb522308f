//! Many phones in one: they answer, or call, as text says it, and then sound flows both ways with every packet's time known.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use trubka_tests::rtp::{PCMA, encode};
use trubka_tests::{Failure, Outcome};

/// Sockets that share the calls: one alone would lose what comes while its 200 kB are full.
const SOCKETS: usize = 32;
const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: usize = 160;
/// The phones speak and look at their sockets so often within a frame.
const STEPS: usize = 20;
/// Frames of speech, then it begins anew.
const SPEECH_FRAMES: usize = 200;

/// The phones.
pub(crate) struct Crowd {
    ip: Ipv4Addr,
    sip: UdpSocket,
    media: Vec<UdpSocket>,
    /// Where each call's sound goes.
    peers: Vec<SocketAddr>,
    /// Sequence number of the next frame of all.
    frame: u32,
}

/// What came in a stretch of time.
pub(crate) struct Heard {
    pub(crate) sent: u64,
    pub(crate) came: u64,
    /// Packets that the sender numbered and that never came.
    pub(crate) lost: u64,
    /// How much later than the earliest of its stream each packet came, ms, sorted.
    pub(crate) late_ms: Vec<f64>,
}

impl Crowd {
    pub(crate) fn new(ip: Ipv4Addr, sip_port: u16) -> Result<Self, Failure> {
        let socket = |port| -> Result<UdpSocket, Failure> {
            let socket = UdpSocket::bind((ip, port))?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Ok(Self {
            ip,
            sip: socket(sip_port)?,
            media: (0..SOCKETS).map(|_| socket(0)).collect::<Result<_, _>>()?,
            peers: Vec::new(),
            frame: 0,
        })
    }

    /// Answers calls until `count` are up. They are answered together once all ring, as nobody's telephone network would:
    /// the worst case for who called.
    pub(crate) fn answer(&mut self, count: usize, limit: Duration) -> Outcome {
        let began = Instant::now();
        let mut ringing: BTreeMap<String, (String, SocketAddr)> = BTreeMap::new();
        let mut answered: HashSet<String> = HashSet::new();
        let mut up: HashSet<String> = HashSet::new();
        let mut answers: HashMap<String, String> = HashMap::new();
        while up.len() < count {
            if began.elapsed() > limit {
                return Err(Failure::new(format!(
                    "{} calls rang, {} are up of {count}",
                    ringing.len(),
                    up.len()
                )));
            }
            for (text, from) in self.messages() {
                let call = field(&text, "Call-ID:").unwrap_or_default().to_owned();
                let method = text.split(' ').next().unwrap_or_default();
                match method {
                    "INVITE" => {
                        self.send(&response(&text, "180 Ringing", "", ""), from);
                        if let Some(answer) = answers.get(&call) {
                            self.send(answer, from);
                        }
                        ringing.entry(call).or_insert((text, from));
                    }
                    "ACK" => drop(up.insert(call)),
                    _ if text.starts_with("SIP/2.0") => {}
                    "REGISTER" => {
                        let contact = field(&text, "Contact:").unwrap_or_default();
                        let contact = format!("Contact: {contact};expires=3600\r\n");
                        self.send(&response(&text, "200 OK", &contact, ""), from);
                    }
                    _ => self.send(&response(&text, "200 OK", "", ""), from),
                }
            }
            if ringing.len() >= count {
                let next = ringing.iter().find(|(call, _)| !answered.contains(*call));
                if let Some((call, (invite, from))) = next.map(|(c, i)| (c.clone(), i.clone())) {
                    let sdp = self.description(self.peers.len());
                    self.peers.push(sound_of(&invite)?);
                    let contact = format!("Contact: <sip:x@{}:5060>\r\n", self.ip);
                    let answer = response(&invite, "200 OK", &contact, &sdp);
                    self.send(&answer, from);
                    answers.insert(call.clone(), answer);
                    answered.insert(call);
                }
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        Ok(())
    }

    /// Calls `count` users `c0`, `c1`... of somebody who answers.
    pub(crate) fn call(&mut self, target: SocketAddr, count: usize, limit: Duration) -> Outcome {
        let began = Instant::now();
        let from = self.sip.local_addr()?;
        for index in 0..count {
            let sdp = self.description(index);
            let invite = format!(
                "INVITE sip:c{index}@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{index}\r\nMax-Forwards: 70\r\n\
                 From: <sip:crowd@{from}>;tag=f{index}\r\nTo: <sip:c{index}@{target}>\r\nCall-ID: {index}@{from}\r\n\
                 CSeq: 1 INVITE\r\nContact: <sip:crowd@{from}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
                sdp.len()
            );
            let mut sent: Option<Instant> = None;
            'one: loop {
                if began.elapsed() > limit {
                    return Err(Failure::new(format!(
                        "{index} calls of {count} were answered"
                    )));
                }
                if sent.is_none_or(|at| at.elapsed() > Duration::from_millis(500)) {
                    self.send(&invite, target);
                    sent = Some(Instant::now());
                }
                for (text, _) in self.messages() {
                    let ours = field(&text, "Call-ID:") == Some(&format!("{index}@{from}"));
                    if !ours || !text.starts_with("SIP/2.0 ") {
                        continue;
                    }
                    if !text.starts_with("SIP/2.0 1") && !text.starts_with("SIP/2.0 200") {
                        return Err(Failure::new(format!("call {index}: {text}")));
                    }
                    if text.starts_with("SIP/2.0 200") {
                        let to = field(&text, "To:").unwrap_or_default();
                        let ack = format!(
                            "ACK sip:c{index}@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKa{index}\r\nMax-Forwards: 70\r\n\
                             From: <sip:crowd@{from}>;tag=f{index}\r\nTo: {to}\r\nCall-ID: {index}@{from}\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n"
                        );
                        self.send(&ack, target);
                        self.peers.push(sound_of(&text)?);
                        break 'one;
                    }
                }
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        Ok(())
    }

    /// All speak and listen for a while.
    pub(crate) fn talk(&mut self, length: Duration) -> Heard {
        let speech = speech();
        let streams: HashMap<SocketAddr, usize> = self
            .peers
            .iter()
            .enumerate()
            .map(|(at, peer)| (*peer, at))
            .collect();
        let mut heard = Heard {
            sent: 0,
            came: 0,
            lost: 0,
            late_ms: Vec::new(),
        };
        let mut arrivals: Vec<Vec<(u16, Duration)>> = vec![Vec::new(); self.peers.len()];
        let mut buffer = [0; 2048];
        let began = Instant::now();
        let frames = (length.as_millis() / FRAME.as_millis()) as u32;
        for frame in 0..frames {
            let number = self.frame + frame;
            let payload = &speech[number as usize % SPEECH_FRAMES];
            for step in 0..STEPS {
                let due = FRAME * frame + FRAME * step as u32 / STEPS as u32;
                std::thread::sleep(due.saturating_sub(began.elapsed()));
                for index in (step..self.peers.len()).step_by(STEPS) {
                    let mut packet = vec![0x80, PCMA];
                    packet.extend((number as u16).to_be_bytes());
                    packet.extend((number * FRAME_SAMPLES as u32).to_be_bytes());
                    packet.extend((index as u32 + 1).to_be_bytes());
                    packet.extend(payload);
                    let socket = &self.media[index % SOCKETS];
                    heard.sent += u64::from(socket.send_to(&packet, self.peers[index]).is_ok());
                }
                for socket in &self.media {
                    while let Ok((size, source)) = socket.recv_from(&mut buffer) {
                        let at = began.elapsed();
                        // Sound only, and no RTCP: that comes from the next port.
                        if let (Some(stream), true) = (streams.get(&source), size > 12) {
                            let sequence = u16::from_be_bytes([buffer[2], buffer[3]]);
                            arrivals[*stream].push((sequence, at));
                        }
                    }
                }
            }
            // Nobody's REGISTER or OPTIONS waits for the end of the talk.
            for (text, from) in self.messages() {
                if !text.starts_with("SIP/2.0") && !text.starts_with("ACK") {
                    self.send(&response(&text, "200 OK", "", ""), from);
                }
            }
        }
        self.frame += frames;
        for stream in &arrivals {
            let Some((first, _)) = stream.first() else {
                continue;
            };
            let after: Vec<f64> = stream
                .iter()
                .map(|(sequence, at)| {
                    let number = f64::from(sequence.wrapping_sub(*first) as i16);
                    at.as_secs_f64() * 1e3 - number * 20.0
                })
                .collect();
            let earliest = after.iter().copied().fold(f64::MAX, f64::min);
            heard.late_ms.extend(after.iter().map(|at| at - earliest));
            let numbers = stream
                .iter()
                .map(|(sequence, _)| i64::from(sequence.wrapping_sub(*first) as i16));
            let (least, most) =
                numbers.fold((0, 0), |(least, most), n| (n.min(least), n.max(most)));
            heard.came += stream.len() as u64;
            heard.lost += (most - least + 1)
                .saturating_sub(stream.len() as i64)
                .max(0) as u64;
        }
        heard.late_ms.sort_by(f64::total_cmp);
        heard
    }

    fn description(&self, call: usize) -> String {
        let port = self.media[call % SOCKETS]
            .local_addr()
            .map_or(0, |address| address.port());
        format!(
            "v=0\r\no=- {call} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n",
            ip = self.ip
        )
    }

    fn messages(&self) -> Vec<(String, SocketAddr)> {
        let mut buffer = [0; 8192];
        let mut messages = Vec::new();
        while let Ok((size, from)) = self.sip.recv_from(&mut buffer) {
            messages.push((String::from_utf8_lossy(&buffer[..size]).into_owned(), from));
        }
        messages
    }

    fn send(&self, text: &str, to: SocketAddr) {
        // What is lost is sent again by who waits for it.
        let _ = self.sip.send_to(text.as_bytes(), to);
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

fn response(request: &str, status: &str, more: &str, sdp: &str) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines().take_while(|line| !line.is_empty()) {
        if line.starts_with("To:") && !line.contains("tag=") {
            text += &format!("{line};tag=t\r\n");
        } else if ["Via:", "From:", "To:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text += &format!("{line}\r\n");
        }
    }
    let kind = if sdp.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\r\n"
    };
    text + &format!("{more}{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// Where a description wants its sound.
fn sound_of(text: &str) -> Result<SocketAddr, Failure> {
    let ip = field(text, "c=IN IP4 ").and_then(|ip| ip.parse().ok());
    let port = field(text, "m=audio ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(ip, port)),
        _ => Err(Failure::new(format!("no sound in {text}"))),
    }
}

/// Frames of something like speech, A-law: low noise in syllables, in which an echo can be told from any other delay.
fn speech() -> Vec<Vec<u8>> {
    let (mut state, mut low) = (1_u32, 0.0);
    let mut sample = |n: usize| {
        let t = n as f64 / 8000.0;
        let swell = 0.5 + 0.5 * (std::f64::consts::TAU * 2.5 * t).sin();
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(state >> 8) / 8_388_608.0 - 1.0;
        low += 0.3 * (noise - low);
        (low * swell * 12_000.0) as i16
    };
    (0..SPEECH_FRAMES)
        .map(|frame| {
            (0..FRAME_SAMPLES)
                .map(|n| encode(sample(frame * FRAME_SAMPLES + n)))
                .collect()
        })
        .collect()
}
