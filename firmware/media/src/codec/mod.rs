//! The codecs: both laws of G.711, G.722, and Opus where it is built.

mod g711;
mod g722;
#[cfg(not(feature = "opus"))]
#[path = "no_opus.rs"]
mod opus;
#[cfg(feature = "opus")]
mod opus;
mod opus_packet;

use audio_codec_algorithms::{decode_alaw, decode_ulaw};

use g711::{encode_alaw, encode_ulaw};
use g722::{G722Decoder, G722Encoder};
use opus::{OpusDecoder, OpusEncoder};
pub(crate) use opus_packet::STEP as OPUS_STEP;

/// Samples in the largest packet we send, 60 ms.
pub(crate) const MAX_FRAME: usize = 480;

/// A speech codec of the session. Those of RFC 3551 have a clock of 8 kHz and one octet for each of its ticks (4.5.2 and
/// 4.5.14); Opus has one of 48 kHz (RFC 7587, 4.1) and packets of any length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.711 mu-law, static payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, static payload type 9. Its clock is 8 kHz although it samples at 16 (RFC 3551, 4.5.2).
    G722,
    /// Opus in the line's narrow band (RFC 7587). Only in builds with the feature `opus`, see [`Codec::is_built`].
    Opus,
}

impl Codec {
    /// All of them, built or not.
    pub const ALL: [Codec; 4] = [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus];

    /// The encoding name of RFC 3551 or RFC 7587, as it stands in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
            Codec::G722 => "G722",
            Codec::Opus => "opus",
        }
    }

    /// The static payload type of RFC 3551; `None` for Opus, whose number each description gives.
    pub fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Pcma => Some(8),
            Codec::Pcmu => Some(0),
            Codec::G722 => Some(9),
            Codec::Opus => None,
        }
    }

    /// The codec of a static payload type, when it is one of ours.
    pub fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        Codec::ALL
            .into_iter()
            .find(|codec| codec.static_payload_type() == Some(payload_type))
    }

    /// The codec with this encoding name; names are compared without regard to case (RFC 4855, 3).
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Whether this build can use it: Opus needs the feature `opus`. What is not built is never offered nor taken.
    pub fn is_built(self) -> bool {
        self != Codec::Opus || opus::BUILT
    }

    /// The clock of its timestamps, Hz.
    pub fn clock_hz(self) -> u32 {
        crate::SAMPLE_RATE_HZ * self.ticks()
    }

    /// Ticks of its clock in one line sample.
    pub(crate) fn ticks(self) -> u32 {
        match self {
            Codec::Opus => OPUS_TICKS,
            _ => 1,
        }
    }

    /// Line samples in a payload; `None` when it cannot be one of this codec.
    pub(crate) fn samples_in(self, payload: &[u8]) -> Option<usize> {
        match self {
            Codec::Opus => opus_packet::samples(payload),
            _ => Some(payload.len()).filter(|length| *length > 0),
        }
    }

    /// The packet time to send, ms, given one of 10..=60 in whole tens: Opus has frames of 10, 20, 40 and 60 ms.
    pub(crate) fn packet_time(self, wanted_ms: u32) -> u32 {
        match (self, wanted_ms) {
            (Codec::Opus, 30) => 20,
            (Codec::Opus, 50) => 40,
            _ => wanted_ms,
        }
    }
}

/// Ticks of the clock of Opus in one line sample.
pub(crate) const OPUS_TICKS: u32 = 6;

/// What a peer asks of the Opus that it receives (RFC 7587, 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OpusWishes {
    /// `useinbandfec`: a redundant copy of each frame in the packet behind it.
    pub(crate) redundancy: bool,
    /// `usedtx`: nothing while there is nothing to be heard.
    pub(crate) pauses: bool,
    /// `cbr`: packets of one size.
    pub(crate) constant_rate: bool,
    /// `maxaveragebitrate`, bits per second.
    pub(crate) most_bits: Option<u32>,
}

impl OpusWishes {
    /// Reads the value of `a=fmtp` behind the payload type; what is unknown or broken changes nothing.
    pub(crate) fn read(parameters: &str) -> OpusWishes {
        let mut wishes = OpusWishes::default();
        for parameter in parameters.split(';') {
            let Some((name, value)) = parameter.split_once('=') else {
                continue;
            };
            let (name, value) = (name.trim(), value.trim());
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            if is("useinbandfec") {
                wishes.redundancy = value == "1";
            } else if is("usedtx") {
                wishes.pauses = value == "1";
            } else if is("cbr") {
                wishes.constant_rate = value == "1";
            } else if is("maxaveragebitrate") {
                wishes.most_bits = value.parse().ok();
            }
        }
        wishes
    }

    /// What we ask for: the line ends at 3.4 kHz, is mono, and what is lost shall be in the next packet.
    pub(crate) const OURS: &str = "maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=0";
}

/// Turns line samples into octets; remembers what its codec remembers.
#[derive(Debug)]
pub(crate) struct Encoder {
    codec: Codec,
    g722: Option<Box<G722Encoder>>,
    opus: Option<OpusEncoder>,
    wishes: OpusWishes,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder {
            codec: Codec::Pcma,
            g722: None,
            opus: None,
            wishes: OpusWishes::default(),
        }
    }

    /// What the peer asks of Opus; other wishes begin anew.
    pub(crate) fn set_wishes(&mut self, wishes: OpusWishes) {
        if self.wishes != wishes {
            self.wishes = wishes;
            self.opus = None;
        }
    }

    /// The peer loses this share of our packets, 0..=1.
    pub(crate) fn set_loss(&mut self, share: f32) {
        if let Some(opus) = &mut self.opus {
            opus.set_loss(share);
        }
    }

    /// Whether the packet last encoded need not be sent, because the peer asked for pauses and this is one.
    pub(crate) fn is_pause(&self, packet: &[u8]) -> bool {
        self.wishes.pauses && begins_pause(self.codec, packet)
    }

    /// Encodes a whole packet; gives the octets used, 0 when it cannot be. A change of the codec begins anew.
    pub(crate) fn encode(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) -> usize {
        if self.codec != codec {
            self.codec = codec;
            self.g722 = None;
            self.opus = None;
        }
        if codec == Codec::Opus {
            if self.opus.is_none() {
                self.opus = OpusEncoder::new(self.wishes);
            }
            let encoder = self.opus.as_mut();
            return encoder
                .and_then(|encoder| encoder.encode(samples, out))
                .unwrap_or(0);
        }
        let length = samples.len().min(out.len());
        match codec {
            Codec::Pcma => encode_alaw(samples, out),
            Codec::Pcmu => encode_ulaw(samples, out),
            Codec::G722 => {
                let encoder = self
                    .g722
                    .get_or_insert_with(|| Box::new(G722Encoder::new()));
                let pairs = out.iter_mut().zip(samples);
                pairs.for_each(|(octet, sample)| *octet = encoder.encode(*sample));
            }
            Codec::Opus => {}
        }
        length
    }
}

/// Turns octets into line samples; remembers what its codec remembers.
#[derive(Debug)]
pub(crate) struct Decoder {
    codec: Codec,
    g722: Option<Box<G722Decoder>>,
    opus: Option<OpusDecoder>,
    /// Decodes the packets of Opus that others overtook: its memory cannot be copied, and must not go back.
    overtaken: Option<OpusDecoder>,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder {
            codec: Codec::Pcma,
            g722: None,
            opus: None,
            overtaken: None,
        }
    }

    /// Another stream follows.
    pub(crate) fn restart(&mut self) {
        self.opus = None;
        self.overtaken = None;
    }

    /// Decodes as many octets as there is room for samples; false when it is no packet of the codec. `behind` says that the packet
    /// was overtaken by others: it is decoded from what is remembered now, but changes nothing for those that follow.
    pub(crate) fn decode(
        &mut self,
        codec: Codec,
        octets: &[u8],
        behind: bool,
        out: &mut [i16],
    ) -> bool {
        if self.codec != codec {
            self.codec = codec;
            self.g722 = None;
            self.restart();
        }
        let pairs = out.iter_mut().zip(octets);
        match codec {
            Codec::Pcma => pairs.for_each(|(sample, octet)| *sample = decode_alaw(*octet)),
            Codec::Pcmu => pairs.for_each(|(sample, octet)| *sample = decode_ulaw(*octet)),
            Codec::G722 => {
                let decoder = self
                    .g722
                    .get_or_insert_with(|| Box::new(G722Decoder::new()));
                if behind {
                    let mut decoder = decoder.clone();
                    pairs.for_each(|(sample, octet)| *sample = decoder.decode(*octet));
                } else {
                    pairs.for_each(|(sample, octet)| *sample = decoder.decode(*octet));
                }
            }
            Codec::Opus => {
                let decoder = if behind {
                    &mut self.overtaken
                } else {
                    &mut self.opus
                };
                if decoder.is_none() {
                    *decoder = OpusDecoder::new();
                }
                return decoder
                    .as_mut()
                    .is_some_and(|decoder| decoder.decode(octets, out));
            }
        }
        true
    }

    /// Fills what was lost right before the packet `next`, which is decoded afterwards, by the codec's own means; gives how many of
    /// the last samples are the redundant copy in `next`, and `None` when the codec has no such means.
    pub(crate) fn bridge(&mut self, codec: Codec, next: &[u8], out: &mut [i16]) -> Option<usize> {
        if codec != Codec::Opus || self.codec != codec {
            return None;
        }
        let copied = match codec.samples_in(next) {
            Some(length) if opus_packet::has_redundancy(next) && length <= out.len() => length,
            _ => 0,
        };
        let filled = self.opus.as_mut()?.bridge(next, out);
        filled.then_some(copied)
    }

    /// Goes on from the last packet by the codec's own means; false when it has none.
    pub(crate) fn conceal(&mut self, out: &mut [i16]) -> bool {
        self.codec == Codec::Opus && self.opus.as_mut().is_some_and(|opus| opus.conceal(out))
    }
}

/// Whether the payload says that the peer pauses because there is nothing to be heard (RFC 7587, 3.1.3).
pub(crate) fn begins_pause(codec: Codec, payload: &[u8]) -> bool {
    codec == Codec::Opus && payload.len() <= 2
}

/// Whether the payload holds a redundant copy of what was before it.
pub(crate) fn has_redundancy(codec: Codec, payload: &[u8]) -> bool {
    codec == Codec::Opus && opus_packet::has_redundancy(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_both_laws_survives_decoding_and_encoding() {
        let octets: Vec<u8> = (0..=255).collect();
        for codec in [Codec::Pcma, Codec::Pcmu] {
            let (mut first, mut again) = ([0; 256], [0; 256]);
            Decoder::new().decode(codec, &octets, false, &mut first);
            let mut coded = [0; 256];
            Encoder::new().encode(codec, &first, &mut coded);
            Decoder::new().decode(codec, &coded, false, &mut again);
            // mu-law has two zeros; both decode to 0 and encode to one of them.
            assert_eq!(first, again, "{codec:?}");
        }
    }

    #[test]
    fn silence_is_the_octet_of_the_standard() {
        let mut octet = [0];
        for (codec, silence) in [(Codec::Pcma, 0xd5), (Codec::Pcmu, 0xff)] {
            Encoder::new().encode(codec, &[0], &mut octet);
            assert_eq!(octet, [silence]);
        }
    }

    #[test]
    fn names_and_payload_types_follow_rfc_3551() {
        assert_eq!(Codec::from_name("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G722"), Some(Codec::G722));
        assert_eq!(Codec::from_name("G729"), None);
        assert_eq!(Codec::from_static_payload_type(0), Some(Codec::Pcmu));
        assert_eq!(Codec::from_static_payload_type(9), Some(Codec::G722));
        assert_eq!(Codec::from_static_payload_type(18), None);
        assert_eq!(Codec::from_name("OPUS"), Some(Codec::Opus));
        assert_eq!(
            (Codec::Opus.clock_hz(), Codec::Pcma.clock_hz()),
            (48_000, 8000)
        );
    }

    #[test]
    fn an_overtaken_packet_does_not_spoil_the_next() {
        let wave: Vec<i16> = (0..480)
            .map(|n| ((f64::from(n) * 0.3).sin() * 8000.0) as i16)
            .collect();
        let mut octets = [0; 480];
        Encoder::new().encode(Codec::G722, &wave, &mut octets);
        let (mut decoder, mut plain) = (Decoder::new(), Decoder::new());
        let (mut out, mut expected) = ([0; 160], [0; 160]);
        for at in [0, 160, 320] {
            plain.decode(Codec::G722, &octets[at..at + 160], false, &mut expected);
            if at == 320 {
                // A packet of before comes once more.
                decoder.decode(Codec::G722, &octets[..160], true, &mut [0; 160]);
            }
            decoder.decode(Codec::G722, &octets[at..at + 160], false, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn the_wishes_of_rfc_7587_are_read_and_nonsense_is_not() {
        let wishes =
            OpusWishes::read("maxaveragebitrate=20000; useinbandfec=1;UseDTX=1 ;x;=;cbr=0");
        assert_eq!(
            wishes,
            OpusWishes {
                redundancy: true,
                pauses: true,
                constant_rate: false,
                most_bits: Some(20_000),
            }
        );
        for nothing in [
            "",
            ";;;",
            "useinbandfec",
            "useinbandfec=yes;maxaveragebitrate=-5",
        ] {
            assert_eq!(OpusWishes::read(nothing), OpusWishes::default());
        }
        assert!(OpusWishes::read(OpusWishes::OURS).redundancy);
    }

    #[test]
    fn opus_sends_whole_frames() {
        let times = [10, 20, 30, 40, 50, 60].map(|ms| Codec::Opus.packet_time(ms));
        assert_eq!(times, [10, 20, 20, 40, 40, 60]);
        assert_eq!(Codec::Pcma.packet_time(50), 50);
    }
}
