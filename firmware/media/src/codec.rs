//! The two laws of G.711.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

/// A speech codec of the session. Both run at 8 kHz with one octet per sample (RFC 3551, 4.5.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 A-law, static payload type 8.
    Pcma,
    /// G.711 mu-law, static payload type 0.
    Pcmu,
}

impl Codec {
    /// The encoding name of RFC 3551, as it stands in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
        }
    }

    /// The static payload type of RFC 3551.
    pub fn static_payload_type(self) -> u8 {
        match self {
            Codec::Pcma => 8,
            Codec::Pcmu => 0,
        }
    }

    /// The codec of a static payload type, when it is one of ours.
    pub fn from_static_payload_type(payload_type: u8) -> Option<Codec> {
        match payload_type {
            8 => Some(Codec::Pcma),
            0 => Some(Codec::Pcmu),
            _ => None,
        }
    }

    /// The codec with this encoding name; names are compared without regard to case (RFC 4855, 3).
    pub fn from_name(name: &str) -> Option<Codec> {
        [Codec::Pcma, Codec::Pcmu]
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// One octet of the wire as a linear sample.
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Codec::Pcma => decode_alaw(octet),
            Codec::Pcmu => decode_ulaw(octet),
        }
    }

    /// One linear sample as an octet of the wire.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Codec::Pcma => encode_alaw(sample),
            Codec::Pcmu => encode_ulaw(sample),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Codec;

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            for octet in 0..=255_u8 {
                let sample = codec.decode(octet);
                // mu-law has two zeros; both decode to 0 and encode to one of them.
                assert_eq!(
                    codec.decode(codec.encode(sample)),
                    sample,
                    "{codec:?} {octet:#x}"
                );
            }
        }
    }

    #[test]
    fn silence_is_the_octet_of_the_standard() {
        assert_eq!(Codec::Pcma.encode(0), 0xd5);
        assert_eq!(Codec::Pcmu.encode(0), 0xff);
    }

    #[test]
    fn names_and_payload_types_follow_rfc_3551() {
        assert_eq!(Codec::from_name("pcma"), Some(Codec::Pcma));
        assert_eq!(Codec::from_name("G722"), None);
        assert_eq!(Codec::from_static_payload_type(0), Some(Codec::Pcmu));
        assert_eq!(Codec::from_static_payload_type(9), None);
    }
}
