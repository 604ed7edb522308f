//! The codecs: both laws of G.711, and G.722.

mod g722;

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

use g722::{G722Decoder, G722Encoder};

/// A speech codec of the session. All of them have a clock of 8 kHz and one octet for each of its ticks (RFC 3551, 4.5.2 and
/// 4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.711 mu-law, static payload type 0.
    Pcmu,
    /// G.722 at 64 kbit/s, static payload type 9. Its clock is 8 kHz although it samples at 16 (RFC 3551, 4.5.2).
    G722,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 3] = [Codec::Pcma, Codec::Pcmu, Codec::G722];

    /// The encoding name of RFC 3551, as it stands in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
            Codec::G722 => "G722",
        }
    }

    /// The static payload type of RFC 3551.
    pub fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcma => 8,
            Codec::Pcmu => 0,
            Codec::G722 => 9,
        }
    }

    /// The codec of a static payload type, when it is one of ours.
    pub fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        Codec::ALL
            .into_iter()
            .find(|codec| codec.static_payload_type() == payload_type)
    }

    /// The codec with this encoding name; names are compared without regard to case (RFC 4855, 3).
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

/// Turns line samples into octets; remembers what its codec remembers.
#[derive(Debug)]
pub(crate) struct Encoder {
    codec: Codec,
    g722: Option<Box<G722Encoder>>,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder {
            codec: Codec::Pcma,
            g722: None,
        }
    }

    /// Encodes as many samples as there is room for octets. A change of the codec begins anew.
    pub(crate) fn encode(&mut self, codec: Codec, samples: &[i16], out: &mut [u8]) {
        if self.codec != codec {
            self.codec = codec;
            self.g722 = None;
        }
        let pairs = out.iter_mut().zip(samples);
        match codec {
            Codec::Pcma => pairs.for_each(|(octet, sample)| *octet = encode_alaw(*sample)),
            Codec::Pcmu => pairs.for_each(|(octet, sample)| *octet = encode_ulaw(*sample)),
            Codec::G722 => {
                let encoder = self
                    .g722
                    .get_or_insert_with(|| Box::new(G722Encoder::new()));
                pairs.for_each(|(octet, sample)| *octet = encoder.encode(*sample));
            }
        }
    }
}

/// Turns octets into line samples; remembers what its codec remembers.
#[derive(Debug)]
pub(crate) struct Decoder {
    codec: Codec,
    g722: Option<Box<G722Decoder>>,
}

impl Decoder {
    pub(crate) fn new() -> Decoder {
        Decoder {
            codec: Codec::Pcma,
            g722: None,
        }
    }

    /// Decodes as many octets as there is room for samples. `behind` says that the packet was overtaken by others: it is
    /// decoded from what is remembered now, but changes nothing for those that follow.
    pub(crate) fn decode(&mut self, codec: Codec, octets: &[u8], behind: bool, out: &mut [i16]) {
        if self.codec != codec {
            self.codec = codec;
            self.g722 = None;
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
        }
    }
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
}
