//! From RTP to SRTP.

use super::keys::{StreamKeys, Use};
use super::{MAX_TAG, MasterKey, Protect, rtcp_ssrc, rtp_header_length, rtp_numbers};

/// The sending side under one master key.
#[derive(Debug)]
pub(super) struct Outbound {
    rtp: StreamKeys,
    rtcp: StreamKeys,
    tag_length: usize,
    /// The source the rollover counter belongs to, and its last sequence number.
    last: Option<(u32, u16)>,
    /// How often the sequence number has wrapped.
    rollovers: u32,
    /// Number of the next RTCP packet, 31 bits.
    rtcp_index: u32,
}

impl Outbound {
    pub(super) fn new(master: &MasterKey) -> Option<Outbound> {
        Some(Outbound {
            rtp: StreamKeys::derive(master, Use::Rtp)?,
            rtcp: StreamKeys::derive(master, Use::Rtcp)?,
            tag_length: master.suite().tag_length(),
            last: None,
            rollovers: 0,
            rtcp_index: 0,
        })
    }
}

impl Protect for Outbound {
    fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some(((sequence, ssrc), header)) = rtp_numbers(packet).zip(rtp_header_length(packet))
        else {
            return false;
        };
        match self.last {
            Some((source, last)) if source == ssrc => {
                if sequence <= last {
                    // Our numbers only ever go up; a step back would use a key stream twice.
                    if last - sequence < 0x8000 {
                        return false;
                    }
                    let Some(next) = self.rollovers.checked_add(1) else {
                        return false;
                    };
                    self.rollovers = next;
                }
            }
            // Another source has another key stream.
            _ => self.rollovers = 0,
        }
        self.last = Some((ssrc, sequence));
        let index = u64::from(self.rollovers) << 16 | u64::from(sequence);
        self.rtp.crypt(ssrc, index, &mut packet[header..]);
        let tag = self.rtp.tag.of(&[packet, &self.rollovers.to_be_bytes()]);
        packet.extend_from_slice(&tag[..self.tag_length]);
        true
    }

    fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        let index = self.rtcp_index;
        let Some(ssrc) = rtcp_ssrc(packet).filter(|_| index < 1 << 31) else {
            return false;
        };
        self.rtcp_index += 1;
        self.rtcp.crypt(ssrc, index.into(), &mut packet[8..]);
        // The highest bit says that the packet is encrypted.
        packet.extend_from_slice(&(index | 1 << 31).to_be_bytes());
        let tag = self.rtcp.tag.of(&[packet]);
        packet.extend_from_slice(&tag[..MAX_TAG]);
        true
    }
}
