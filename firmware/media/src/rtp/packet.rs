//! The RTP header, read and written by `rtp-rs`.

use rtp_rs::{RtpPacketBuilder, RtpReader};

/// The parts of a packet that matter here, in plain integers: the sequence type of `rtp-rs` has a circular order that must
/// not reach a sorted collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram; `None` when it is no RTP.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Packet<'a>> {
        let reader = RtpReader::new(datagram).ok()?;
        Some(Packet {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload(),
        })
    }
}

/// The datagram of a packet. The only possible error, a payload type above 127, cannot come out of the negotiation.
pub(crate) fn build(packet: &Packet<'_>) -> Option<Vec<u8>> {
    RtpPacketBuilder::new()
        .payload_type(packet.payload_type)
        .marked(packet.marker)
        .sequence(packet.sequence.into())
        .timestamp(packet.timestamp)
        .ssrc(packet.ssrc)
        .payload(packet.payload)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_survives_writing_and_reading() {
        let packet = Packet {
            payload_type: 101,
            marker: true,
            sequence: 65535,
            timestamp: u32::MAX,
            ssrc: 0xdead_beef,
            payload: &[9, 0x8a, 3, 0x20],
        };
        let bytes = build(&packet).unwrap();
        assert_eq!(bytes.len(), 16);
        assert_eq!(Packet::parse(&bytes), Some(packet));
    }

    #[test]
    fn padding_extension_and_csrc_are_taken_off() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 1, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([0, 0, 0, 9]); // one CSRC
        bytes.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]); // one word of extension
        bytes.extend([0xd5, 0xd5]); // payload
        bytes.extend([0, 0, 3]); // padding
        assert_eq!(Packet::parse(&bytes).unwrap().payload, [0xd5, 0xd5]);
        for cut in 0..bytes.len() {
            // Cut short it is refused or shorter, never a panic.
            let _ = Packet::parse(&bytes[..cut]);
        }
    }
}
