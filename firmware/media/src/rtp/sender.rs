//! Turning line audio into packets.

use crate::codec::{Encoder, MAX_FRAME, OpusWishes};
use crate::{BLOCK_SAMPLES, Codec};

/// Sequence numbers, timestamps and the packet being filled.
#[derive(Debug)]
pub(crate) struct AudioSender {
    pub(crate) ssrc: u32,
    sequence: u16,
    /// Timestamp of the next sample that comes in, by the clock of the codec.
    timestamp: u32,
    codec: Codec,
    encoder: Encoder,
    /// Samples of the packet to come.
    filling: [i16; MAX_FRAME],
    filled: usize,
    /// The peer was told that we pause.
    pausing: bool,
    /// The last packet.
    packed: [u8; MAX_FRAME],
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
            codec: Codec::Pcma,
            encoder: Encoder::new(),
            filling: [0; MAX_FRAME],
            filled: 0,
            pausing: false,
            packed: [0; MAX_FRAME],
            marker: true,
            packets: 0,
            octets: 0,
        }
    }

    /// What is sent from now on, and how the peer wants it.
    pub(crate) fn set_codec(&mut self, codec: Codec, wishes: OpusWishes) {
        if self.codec != codec {
            self.codec = codec;
            self.filled = 0;
            self.marker = true;
        }
        self.encoder.set_wishes(wishes);
    }

    /// The peer loses this share of our packets, 0..=1.
    pub(crate) fn set_loss(&mut self, share: f32) {
        self.encoder.set_loss(share);
    }

    /// Ticks of the timestamp in a line sample.
    pub(crate) fn ticks(&self) -> u32 {
        self.codec.ticks()
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
        self.pass(samples);
        self.filled = 0;
        self.marker = true;
    }

    fn pass(&mut self, samples: usize) {
        let ticks = (samples as u32).wrapping_mul(self.ticks());
        self.timestamp = self.timestamp.wrapping_add(ticks);
    }

    /// Adds 10 ms; gives the packet when `ptime_ms` is full and there is something in it.
    pub(crate) fn push(
        &mut self,
        ptime_ms: u32,
        samples: &[i16; BLOCK_SAMPLES],
    ) -> Option<AudioPacket<'_>> {
        let wanted = (ptime_ms as usize * 8).clamp(BLOCK_SAMPLES, MAX_FRAME);
        let room = self
            .filling
            .get_mut(self.filled..self.filled + BLOCK_SAMPLES)?;
        room.copy_from_slice(samples);
        self.filled += BLOCK_SAMPLES;
        self.pass(BLOCK_SAMPLES);
        if self.filled < wanted {
            return None;
        }
        let whole = self.filling.get(..self.filled)?;
        let length = self.encoder.encode(self.codec, whole, &mut self.packed);
        let ticks = (self.filled as u32).wrapping_mul(self.ticks());
        let timestamp = self.timestamp.wrapping_sub(ticks);
        self.filled = 0;
        let pause = self.encoder.is_pause(self.packed.get(..length)?);
        if length == 0 || pause && self.pausing {
            // RFC 7587, 3.1.3: what is too short to hold sound need not be sent, and what follows begins anew. The first of a pause
            // is sent all the same: it tells the peer that nothing is lost.
            self.marker = true;
            return None;
        }
        self.pausing = pause;
        let payload = self.packed.get(..length)?;
        Some(AudioPacket { timestamp, payload })
    }
}
