//! The media side of a scripted phone: hears, speaks, and keeps every packet it got.

use crate::{Failure, wav::Recording};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Payload type of A-law (RFC 3551).
pub const PCMA: u8 = 8;
/// Payload type that the scenarios in `tests/sipp/` give to telephone events.
pub const EVENTS: u8 = 101;
const FRAME: usize = 160;
/// Timestamps and arrivals that are farther apart belong to different streams, samples of 8 kHz.
const SLACK: i64 = 16_000;

/// One RTP packet as it came (RFC 3550 section 5.1).
#[derive(Debug, Clone)]
pub struct Packet {
    /// Since the phone started.
    pub at: Duration,
    /// Who sent it.
    pub source: SocketAddr,
    /// Payload type.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp, samples.
    pub timestamp: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Packet {
    fn parse(at: Duration, source: SocketAddr, bytes: &[u8]) -> Option<Self> {
        let (header, payload) = bytes.split_first_chunk::<12>()?;
        let [first, second, s1, s0, t3, t2, t1, t0, ..] = *header;
        // Version 2, no padding, no extension, no contributing sources: what the peers here send.
        (first == 0x80).then(|| Self {
            at,
            source,
            payload_type: second & 0x7F,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([s1, s0]),
            timestamp: u32::from_be_bytes([t3, t2, t1, t0]),
            payload: payload.to_vec(),
        })
    }

    /// The telephone event in it: its code and whether the end bit is set (RFC 4733 section 2.3).
    pub fn event(&self) -> Option<(u8, bool)> {
        match (self.payload_type, self.payload.as_slice()) {
            (EVENTS, [code, flags, ..]) => Some((*code, flags & 0x80 != 0)),
            _ => None,
        }
    }
}

/// What a phone got.
#[derive(Debug, Default)]
pub struct Heard {
    /// Every packet, in the order of arrival.
    pub packets: Vec<Packet>,
}

impl Heard {
    /// The key presses: one per timestamp, with the number of packets of each.
    pub fn presses(&self) -> Vec<(u8, usize)> {
        let mut presses: Vec<(u32, u8, usize)> = Vec::new();
        for packet in &self.packets {
            let Some((code, _)) = packet.event() else {
                continue;
            };
            match presses
                .iter_mut()
                .find(|(timestamp, ..)| *timestamp == packet.timestamp)
            {
                Some((_, _, count)) => *count += 1,
                None => presses.push((packet.timestamp, code, 1)),
            }
        }
        presses
            .into_iter()
            .map(|(_, code, count)| (code, count))
            .collect()
    }

    /// The A-law audio, with silence where none came.
    pub fn recording(&self) -> Recording {
        self.recording_between(Duration::ZERO, Duration::MAX)
    }

    /// The A-law audio that came in a span of time. Packets are laid where their timestamps say, counted from the arrival of
    /// the first: a busy machine delivers late and in heaps. Timestamps that begin anew are counted from their arrival.
    pub fn recording_between(&self, from: Duration, to: Duration) -> Recording {
        let mut samples: Vec<i16> = Vec::new();
        let mut origin: Option<(u32, i64)> = None;
        for packet in &self.packets {
            if packet.payload_type != PCMA || packet.at < from || packet.at > to {
                continue;
            }
            let arrived = (packet.at - from).as_millis() as i64 * 8;
            let counted = origin.map(|(timestamp, place)| {
                place + i64::from(packet.timestamp.wrapping_sub(timestamp) as i32)
            });
            let place = match counted {
                Some(place) if (place - arrived).abs() < SLACK => place,
                _ => {
                    origin = Some((packet.timestamp, arrived));
                    arrived
                }
            };
            let place = place.max(0) as usize;
            let end = place + packet.payload.len();
            if samples.len() < end {
                samples.resize(end, 0);
            }
            for (sample, code) in samples.iter_mut().skip(place).zip(&packet.payload) {
                *sample = decode(*code);
            }
        }
        Recording {
            rate_hz: 8000,
            samples,
        }
    }

    /// The longest time without a packet between two, and when it began.
    pub fn longest_gap(&self) -> (Duration, Duration) {
        let pairs = self.packets.iter().zip(self.packets.iter().skip(1));
        let gaps = pairs.map(|(one, next)| (next.at.saturating_sub(one.at), one.at));
        gaps.max().unwrap_or_default()
    }

    /// Packets that came in a span of time.
    pub fn count_between(&self, from: Duration, to: Duration) -> usize {
        self.packets
            .iter()
            .filter(|packet| packet.at >= from && packet.at <= to)
            .count()
    }
}

/// A phone's ear and mouth on a socket. It speaks to whoever it hears, over and over the same words.
#[derive(Debug)]
pub struct Phone {
    stop: Arc<AtomicBool>,
    socket: UdpSocket,
    began: Instant,
    thread: Option<JoinHandle<Heard>>,
}

impl Phone {
    /// Starts it. Without speech it only listens.
    ///
    /// # Errors
    /// When the system does not share the socket with the thread.
    pub fn start(socket: UdpSocket, speech: Option<Recording>) -> Result<Self, Failure> {
        let shared = socket.try_clone()?;
        let stop = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let told = Arc::clone(&stop);
        let thread = std::thread::spawn(move || talk(&socket, speech.as_ref(), began, &told));
        Ok(Self {
            stop,
            socket: shared,
            began,
            thread: Some(thread),
        })
    }

    /// Speaks first, to an address: two phones that both wait to hear something stay silent.
    ///
    /// # Errors
    /// When nothing can be sent there.
    pub fn open_towards(&self, peer: SocketAddr) -> Result<(), Failure> {
        let silence = Recording {
            rate_hz: 8000,
            samples: vec![0],
        };
        self.socket.send_to(&frame(&silence, 0), peer)?;
        Ok(())
    }

    /// Time since it started, the scale of [`Packet::at`].
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Ends it and gives what it heard.
    ///
    /// # Errors
    /// When its thread had died.
    pub fn stop(mut self) -> Result<Heard, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(heard)) => Ok(heard),
            _ => Err(Failure::new("the scripted phone's media thread died")),
        }
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn talk(
    socket: &UdpSocket,
    speech: Option<&Recording>,
    began: Instant,
    stop: &AtomicBool,
) -> Heard {
    let mut heard = Heard::default();
    let mut buffer = [0_u8; 2048];
    let mut peer: Option<(SocketAddr, Instant)> = None;
    let mut sent = 0_u32;
    // Without a timeout the loop could not speak on time.
    if socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .is_err()
    {
        return heard;
    }
    while !stop.load(Ordering::Relaxed) {
        if let Ok((length, source)) = socket.recv_from(&mut buffer) {
            let bytes = buffer.get(..length).unwrap_or_default();
            if let Some(packet) = Packet::parse(began.elapsed(), source, bytes) {
                peer.get_or_insert((source, Instant::now())).0 = source;
                heard.packets.push(packet);
            }
        }
        if let (Some((address, since)), Some(speech)) = (peer, speech) {
            while Duration::from_millis(20 * u64::from(sent)) <= since.elapsed() {
                // An unreachable peer is the other side's matter.
                let _ = socket.send_to(&frame(speech, sent), address);
                sent += 1;
            }
        }
    }
    heard
}

/// The RTP packet number `count` of the speech, which starts over when it ends.
fn frame(speech: &Recording, count: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, PCMA];
    bytes.extend((count as u16).to_be_bytes());
    bytes.extend((count * FRAME as u32).to_be_bytes());
    bytes.extend(0x5A5A_0001_u32.to_be_bytes());
    let from = (count as usize * FRAME) % speech.samples.len().max(1);
    let samples = speech.samples.iter().cycle().skip(from).take(FRAME);
    bytes.extend(samples.map(|sample| encode(*sample)));
    bytes
}

/// A-law (ITU-T G.711).
pub fn encode(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let size = (if sample >= 0 {
        i32::from(sample)
    } else {
        -i32::from(sample) - 1
    }) >> 4;
    let (mut segment, mut rest) = (0_u8, size);
    while rest > 31 {
        rest >>= 1;
        segment += 1;
    }
    let code = match (segment, size) {
        (0, 0..=15) => size as u8,
        (_, _) => ((segment + 1) << 4) | (rest & 0x0F) as u8,
    };
    (code | sign) ^ 0x55
}

/// A-law (ITU-T G.711).
fn decode(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = ((code >> 4) & 7, i16::from(code & 0x0F));
    let size = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_is_its_own_inverse() {
        for code in 0..=255 {
            assert_eq!(encode(decode(code)), code, "code {code}");
        }
        // Known pairs of G.711: the smallest positive value and the largest.
        assert_eq!(encode(0), 0xD5);
        assert_eq!(encode(i16::MAX), 0xAA);
        assert_eq!(encode(i16::MIN), 0x2A);
    }

    #[test]
    fn a_heap_of_late_packets_is_laid_where_it_belongs() {
        let packet = |at_ms, timestamp, code| Packet {
            at: Duration::from_millis(at_ms),
            source: SocketAddr::from(([127, 0, 0, 1], 1)),
            payload_type: PCMA,
            marker: false,
            sequence: 0,
            timestamp,
            payload: vec![code; 160],
        };
        let wrap = u32::MAX - 159;
        let packets = vec![
            packet(100, wrap, 1),
            // Three that waited for the machine.
            packet(400, 0, 2),
            packet(400, 160, 3),
            packet(401, 320, 4),
            // Another stream.
            packet(600, 1_000_000, 5),
        ];
        let laid = Heard { packets }.recording().samples;
        let at = |ms: usize| laid.get(ms * 8).copied();
        assert_eq!(
            [at(99), at(100), at(120), at(140), at(160), at(180), at(600)],
            [
                Some(0),
                Some(decode(1)),
                Some(decode(2)),
                Some(decode(3)),
                Some(decode(4)),
                Some(0),
                Some(decode(5))
            ]
        );
    }

    #[test]
    fn a_press_is_one_however_many_packets() {
        let packet = |timestamp, code| Packet {
            at: Duration::ZERO,
            source: SocketAddr::from(([127, 0, 0, 1], 1)),
            payload_type: EVENTS,
            marker: false,
            sequence: 0,
            timestamp,
            payload: vec![code, 10, 0, 160],
        };
        let packets = vec![packet(5, 9), packet(5, 9), packet(7, 1), packet(5, 9)];
        assert_eq!(Heard { packets }.presses(), [(9, 3), (1, 1)]);
    }
}
