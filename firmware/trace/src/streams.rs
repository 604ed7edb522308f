//! TCP segments put in order and cut into SIP messages.

use std::collections::VecDeque;
use std::net::SocketAddr;

use sip::{StreamItem, StreamReader};

use crate::sighting::begins_like_sip;

/// Streams that are followed at once; the one that was quiet longest is given up.
const MAX_STREAMS: usize = 1024;
/// Segments that wait for an earlier one, at most; then what is missing is taken as lost.
const MAX_EARLY: usize = 64;

/// One direction of a TCP connection.
struct Stream {
    from: SocketAddr,
    to: SocketAddr,
    /// Sequence number of the next byte, once the stream is in step.
    next: Option<u32>,
    reader: StreamReader,
    early: Vec<(u32, Vec<u8>)>,
    speaks: Speaks,
}

/// What goes over a stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Unknown,
    Sip,
    Tls,
    Other,
}

/// Everything that goes over TCP.
#[derive(Default)]
pub(crate) struct Streams {
    streams: VecDeque<Stream>,
    /// Directions that turned out to be TLS.
    pub(crate) encrypted: u64,
}

/// A segment of a stream.
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) syn: bool,
    pub(crate) ends: bool,
    pub(crate) payload: Vec<u8>,
}

impl Streams {
    /// Takes a segment and gives every message that became whole to `sink`.
    pub(crate) fn take(&mut self, segment: Segment, sink: &mut impl FnMut(Vec<u8>)) {
        let known = self
            .streams
            .iter()
            .position(|stream| stream.from == segment.from && stream.to == segment.to);
        // The streams stand in the order of their last segments.
        let mut stream = match known.and_then(|at| self.streams.remove(at)) {
            Some(stream) if !segment.syn => stream,
            _ => Stream::new(&segment),
        };
        if segment.syn {
            stream.next = Some(segment.sequence.wrapping_add(1));
        }
        let spoke = stream.speaks;
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        stream.segment(sequence, segment.payload, sink);
        self.encrypted += u64::from(stream.speaks == Speaks::Tls && spoke != Speaks::Tls);
        if segment.ends {
            return;
        }
        if self.streams.len() >= MAX_STREAMS {
            self.streams.pop_front();
        }
        self.streams.push_back(stream);
    }
}

impl Stream {
    fn new(segment: &Segment) -> Stream {
        Stream {
            from: segment.from,
            to: segment.to,
            next: None,
            reader: StreamReader::new(),
            early: Vec::new(),
            speaks: Speaks::Unknown,
        }
    }

    fn segment(&mut self, sequence: u32, payload: Vec<u8>, sink: &mut impl FnMut(Vec<u8>)) {
        if payload.is_empty() || matches!(self.speaks, Speaks::Tls | Speaks::Other) {
            return;
        }
        // A TLS record: handshake, change of cipher, alert or data, of version 3.x.
        if self.speaks == Speaks::Unknown
            && matches!(payload.as_slice(), [0x14..=0x17, 3, 0..=4, ..])
        {
            self.speaks = Speaks::Tls;
            self.early = Vec::new();
            return;
        }
        if self.next.is_none() && begins_like_sip(&payload) {
            self.next = Some(sequence);
        }
        self.early.push((sequence, payload));
        while self.step(sink) {}
        if self.early.len() > MAX_EARLY || self.next.is_none() {
            self.skip_what_is_lost();
            while self.step(sink) {}
        }
    }

    /// Takes one waiting segment whose time has come.
    fn step(&mut self, sink: &mut impl FnMut(Vec<u8>)) -> bool {
        let Some(next) = self.next else { return false };
        // Distances on the circle of sequence numbers: half of it lies behind us.
        let is_due = |(sequence, _): &(u32, Vec<u8>)| sequence.wrapping_sub(next) as i32 <= 0;
        let Some(at) = self.early.iter().position(is_due) else {
            return false;
        };
        let (sequence, payload) = self.early.swap_remove(at);
        let known = next.wrapping_sub(sequence) as usize;
        let fresh = payload.get(known..).unwrap_or(&[]);
        self.next = Some(next.wrapping_add(fresh.len() as u32));
        if self.speaks == Speaks::Unknown && !fresh.trim_ascii().is_empty() {
            if !begins_like_sip(fresh) {
                self.speaks = Speaks::Other;
                self.early = Vec::new();
                return false;
            }
            self.speaks = Speaks::Sip;
        }
        let lost = self
            .reader
            .push(fresh, |item| {
                if let StreamItem::Message(message) = item {
                    sink(message);
                }
            })
            .is_err();
        if lost {
            self.reader = StreamReader::new();
            self.next = None;
        }
        true
    }

    /// Goes on where a waiting segment begins like a message.
    fn skip_what_is_lost(&mut self) {
        let mut best: Option<u32> = None;
        for (sequence, payload) in &self.early {
            if begins_like_sip(payload)
                && best.is_none_or(|best| (sequence.wrapping_sub(best) as i32) < 0)
            {
                best = Some(*sequence);
            }
        }
        self.reader = StreamReader::new();
        self.next = best;
        match best {
            Some(best) => self
                .early
                .retain(|(sequence, _)| sequence.wrapping_sub(best) as i32 >= 0),
            None => self.early.clear(),
        }
    }
}
