//! From SRTP to RTP.

use super::keys::{StreamKeys, Use};
use super::window::Window;
use super::{
    MAX_TAG, MasterKey, RTCP_INDEX, Refused, Unprotect, rtcp_ssrc, rtp_header_length, rtp_numbers,
};

/// Sources under one key at most. A source is remembered for good, because forgetting it would let its old packets in
/// again; a peer that shows more of them in one call is not heard further.
const MAX_SOURCES: usize = 32;

/// The receiving side under one master key. State of a source comes into being with its first authentic packet.
#[derive(Debug)]
pub(super) struct Inbound {
    rtp: StreamKeys,
    rtcp: StreamKeys,
    tag_length: usize,
    /// The key's name in every packet, when the description gave it one (RFC 3711, 3.1).
    identifier: Vec<u8>,
    sources: Vec<Source>,
}

#[derive(Debug)]
struct Source {
    ssrc: u32,
    rtp: Window,
    heard_rtp: bool,
    rtcp: Window,
}

impl Inbound {
    pub(super) fn new(master: &MasterKey, identifier: &[u8]) -> Option<Inbound> {
        Some(Inbound {
            rtp: StreamKeys::derive(master, Use::Rtp)?,
            rtcp: StreamKeys::derive(master, Use::Rtcp)?,
            tag_length: master.suite().tag_length(),
            identifier: identifier.to_vec(),
            sources: Vec::new(),
        })
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.ssrc == ssrc)
    }

    /// The state of a source that has just been authenticated.
    fn source_mut(&mut self, ssrc: u32) -> Result<&mut Source, Refused> {
        let at = match self.sources.iter().position(|source| source.ssrc == ssrc) {
            Some(at) => at,
            None if self.sources.len() < MAX_SOURCES => {
                self.sources.push(Source {
                    ssrc,
                    rtp: Window::default(),
                    heard_rtp: false,
                    rtcp: Window::default(),
                });
                self.sources.len() - 1
            }
            None => return Err(Refused::Replayed),
        };
        self.sources.get_mut(at).ok_or(Refused::Malformed)
    }

    /// Splits off tag and key identifier.
    fn split<'a>(
        &self,
        packet: &'a [u8],
        tag_length: usize,
    ) -> Result<(&'a [u8], &'a [u8]), Refused> {
        let rest = packet
            .len()
            .checked_sub(tag_length)
            .ok_or(Refused::Malformed)?;
        let (rest, tag) = packet.split_at(rest);
        let body = rest
            .strip_suffix(self.identifier.as_slice())
            .ok_or(Refused::Forged)?;
        Ok((body, tag))
    }
}

impl Unprotect for Inbound {
    fn unprotect_rtp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let (body, tag) = self.split(packet, self.tag_length)?;
        let header = rtp_header_length(body).ok_or(Refused::Malformed)?;
        let (sequence, ssrc) = rtp_numbers(body).ok_or(Refused::Malformed)?;
        let known = self.source(ssrc).filter(|source| source.heard_rtp);
        let rollovers = match known {
            Some(source) => [guess(source.rtp.newest(), sequence), None],
            // Nothing tells a late listener how often the counter has wrapped: the ringing of a call is long enough for
            // once at most (early media is not taken).
            None => [Some(0), Some(1)],
        };
        let is_authentic =
            |rollovers: &u32| self.rtp.tag.fits(&[body, &rollovers.to_be_bytes()], tag);
        let rollovers = rollovers
            .into_iter()
            .flatten()
            .find(is_authentic)
            .ok_or(Refused::Forged)?;
        let index = u64::from(rollovers) << 16 | u64::from(sequence);
        if known.is_some_and(|source| !source.rtp.is_new(index)) {
            return Err(Refused::Replayed);
        }
        let source = self.source_mut(ssrc)?;
        source.rtp.take(index);
        source.heard_rtp = true;
        out.clear();
        out.extend_from_slice(body);
        self.rtp.crypt(ssrc, index, &mut out[header..]);
        Ok(())
    }

    fn unprotect_rtcp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        let (body, tag) = self.split(packet, MAX_TAG)?;
        let end = body
            .len()
            .checked_sub(RTCP_INDEX)
            .filter(|end| *end >= 8)
            .ok_or(Refused::Malformed)?;
        let (report, trailer) = body.split_at(end);
        let trailer = trailer
            .try_into()
            .map(u32::from_be_bytes)
            .map_err(|_| Refused::Malformed)?;
        let ssrc = rtcp_ssrc(report).ok_or(Refused::Malformed)?;
        if !self.rtcp.tag.fits(&[body], tag) {
            return Err(Refused::Forged);
        }
        let index = u64::from(trailer & !(1 << 31));
        let source = self.source_mut(ssrc)?;
        if !source.rtcp.is_new(index) {
            return Err(Refused::Replayed);
        }
        source.rtcp.take(index);
        out.clear();
        out.extend_from_slice(report);
        if trailer >> 31 == 1 {
            self.rtcp.crypt(ssrc, index, &mut out[8..]);
        }
        Ok(())
    }
}

/// How often the counter had wrapped when the packet with `sequence` was sent (RFC 3711, appendix A); `None` for a packet
/// from before the first one or after the last possible one.
fn guess(newest: u64, sequence: u16) -> Option<u32> {
    let (rollovers, last) = ((newest >> 16) as u32, newest as u16);
    if last < 0x8000 {
        if i32::from(sequence) - i32::from(last) > 0x8000 {
            return rollovers.checked_sub(1);
        }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        return rollovers.checked_add(1);
    }
    Some(rollovers)
}
