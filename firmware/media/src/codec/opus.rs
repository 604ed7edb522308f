//! Opus (RFC 6716) by the system's libopus, at the line's own rate: libopus takes and gives 8 kHz whatever bandwidth the peer
//! sends, so nothing here changes rates.

use std::fmt;

use opusic_c::{Application, Bandwidth, Bitrate, Channels, InbandFec, SampleRate, Signal};

use super::OpusWishes;

/// Whether this build has the codec.
pub(crate) const BUILT: bool = true;

/// Bits per second we send at most. Narrow-band speech gains nothing above it.
const MOST_BITS: u32 = 24_000;
/// Bits per second below which Opus is no speech codec any more (RFC 6716, 2.1.1).
const LEAST_BITS: u32 = 6_000;
/// What the encoder may spend, 0..=10: the step above costs a third more on a small machine and is not heard in a narrow band.
const COMPLEXITY: u8 = 5;
/// Loss to reckon with before the peer has told of any, percent: without some the encoder adds no redundancy.
const USUAL_LOSS: u8 = 5;

/// Line samples to packets.
pub(crate) struct OpusEncoder {
    inner: opusic_c::Encoder,
    loss: u8,
}

impl fmt::Debug for OpusEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusEncoder").finish_non_exhaustive()
    }
}

impl OpusEncoder {
    /// An encoder that does what the peer asks for; `None` when libopus has no memory.
    pub(crate) fn new(wishes: OpusWishes) -> Option<OpusEncoder> {
        let rate = SampleRate::Hz8000;
        let mut inner = opusic_c::Encoder::new(Channels::Mono, rate, Application::Voip).ok()?;
        let bits = wishes.most_bits.unwrap_or(MOST_BITS);
        let bits = bits.clamp(LEAST_BITS, MOST_BITS);
        // Settings that an old library does not know leave its defaults, which are sound as well.
        let _ = inner.set_bitrate(Bitrate::Value(bits));
        let _ = inner.set_max_bandwidth(Bandwidth::Narrow);
        let _ = inner.set_signal(Signal::Voice);
        let _ = inner.set_complexity(COMPLEXITY);
        let _ = inner.set_vbr(!wishes.constant_rate);
        let _ = inner.set_dtx(wishes.pauses);
        if wishes.redundancy {
            let _ = inner.set_inband_fec(InbandFec::Mode1);
            let _ = inner.set_packet_loss(USUAL_LOSS);
        }
        Some(OpusEncoder {
            inner,
            loss: USUAL_LOSS,
        })
    }

    /// Encodes one frame of 10, 20, 40 or 60 ms; gives the octets used.
    pub(crate) fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> Option<usize> {
        let mut bits = [0_u16; super::MAX_FRAME];
        let bits = bits.get_mut(..samples.len())?;
        for (bits, sample) in bits.iter_mut().zip(samples) {
            *bits = sample.cast_unsigned();
        }
        self.inner.encode_to_slice(bits, out).ok()
    }

    /// The peer loses this share of our packets, 0..=1.
    pub(crate) fn set_loss(&mut self, share: f32) {
        let percent = ((share * 100.0).ceil() as u8).clamp(USUAL_LOSS, 50);
        if percent != self.loss && self.inner.set_packet_loss(percent).is_ok() {
            self.loss = percent;
        }
    }
}

/// Packets to line samples.
pub(crate) struct OpusDecoder {
    inner: opusic_c::Decoder,
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder").finish_non_exhaustive()
    }
}

impl OpusDecoder {
    /// A decoder that has heard nothing; `None` when libopus has no memory.
    pub(crate) fn new() -> Option<OpusDecoder> {
        let inner = opusic_c::Decoder::new(Channels::Mono, SampleRate::Hz8000).ok()?;
        Some(OpusDecoder { inner })
    }

    /// Decodes a packet whose duration is `out`'s; false when it is none.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> bool {
        !packet.is_empty() && self.run(packet, out, false)
    }

    /// Fills what was lost right before `next`: its redundant copy where there is one, else made up.
    pub(crate) fn bridge(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        !next.is_empty() && self.run(next, out, true)
    }

    /// Makes up sound that goes on from the last.
    pub(crate) fn conceal(&mut self, out: &mut [i16]) -> bool {
        self.run(&[], out, false)
    }

    /// Whole steps of 2.5 ms only, which is what libopus can do.
    fn run(&mut self, packet: &[u8], out: &mut [i16], redundant: bool) -> bool {
        let mut bits = [0_u16; super::MAX_FRAME * 2];
        let Some(bits) = bits.get_mut(..out.len()) else {
            return false;
        };
        if bits.is_empty() || bits.len() % super::OPUS_STEP != 0 {
            return false;
        }
        let decoded = self.inner.decode_to_slice(packet, bits, redundant);
        if decoded != Ok(bits.len()) {
            return false;
        }
        for (sample, bits) in out.iter_mut().zip(bits) {
            *sample = bits.cast_signed();
        }
        true
    }
}
