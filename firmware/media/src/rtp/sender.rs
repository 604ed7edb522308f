//! Turning line audio into packets.

use crate::codec::Encoder;
use crate::{BLOCK_SAMPLES, Codec};

/// Samples in the largest packet we send, 60 ms.
const MAX_PACKET: usize = 480;

/// Sequence numbers, timestamps and the packet being filled.
#[derive(Debug)]
pub(crate) struct AudioSender {
    pub(crate) ssrc: u32,
    sequence: u16,
    /// Timestamp of the next sample that comes in.
    timestamp: u32,
    encoder: Encoder,
    filling: [u8; MAX_PACKET],
    filled: usize,
    /// The next packet starts a stretch of sound after a pause (RFC 3551, 4.1).
    pub(crate) marker: bool,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// A full packet of audio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AudioPacket<'a> {
    pub(crate) timestamp: u32,
    pub(crate) payload: &'a [u8],
}

impl AudioSender {
    pub(crate) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> AudioSender {
        AudioSender {
            ssrc,
            sequence,
            timestamp,
            encoder: Encoder::new(),
            filling: [0; MAX_PACKET],
            filled: 0,
            marker: true,
            packets: 0,
            octets: 0,
        }
    }

    /// The timestamp of the next sample.
    pub(crate) fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The number of the next packet.
    pub(crate) fn next_sequence(&self) -> u16 {
        self.sequence
    }

    /// Counts a packet that went out.
    pub(crate) fn sent(&mut self, octets: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets as u32);
    }

    /// Time passes without audio going out: hold, or a key being sent.
    pub(crate) fn skip(&mut self, samples: usize) {
        self.timestamp = self.timestamp.wrapping_add(samples as u32);
        self.filled = 0;
        self.marker = true;
    }

    /// Adds 10 ms; gives the packet when `ptime_ms` is full.
    pub(crate) fn push(
        &mut self,
        codec: Codec,
        ptime_ms: u32,
        samples: &[i16; BLOCK_SAMPLES],
    ) -> Option<AudioPacket<'_>> {
        let wanted = (ptime_ms as usize * 8).clamp(BLOCK_SAMPLES, MAX_PACKET);
        let room = self
            .filling
            .get_mut(self.filled..self.filled + BLOCK_SAMPLES)?;
        self.encoder.encode(codec, samples, room);
        self.filled += BLOCK_SAMPLES;
        self.timestamp = self.timestamp.wrapping_add(BLOCK_SAMPLES as u32);
        if self.filled < wanted {
            return None;
        }
        let payload = self.filling.get(..self.filled)?;
        let timestamp = self.timestamp.wrapping_sub(self.filled as u32);
        self.filled = 0;
        Some(AudioPacket { timestamp, payload })
    }
}
