//! Link and network layers of a captured frame.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::fragments::{Fragments, Piece};

/// What a frame carried.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    Udp {
        from: SocketAddr,
        to: SocketAddr,
        payload: Vec<u8>,
    },
    Tcp {
        from: SocketAddr,
        to: SocketAddr,
        sequence: u32,
        syn: bool,
        ends: bool,
        payload: Vec<u8>,
    },
}

const TCP: u8 = 6;
const UDP: u8 = 17;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The IP packet of a frame, by its link type; none where there is no IP in it.
pub(crate) fn ip_of(link: u32, frame: &[u8]) -> Option<&[u8]> {
    let by_type = |kind: u16, packet| matches!(kind, 0x0800 | 0x86dd).then_some(packet);
    match link {
        // BSD loopback: a family in the byte order of whoever wrote it, then IP.
        0 | 108 => frame.get(4..),
        1 => {
            let (mut kind, mut at) = (u16_at(frame, 12)?, 14);
            // VLAN tags, at most three on top of each other.
            for _ in 0..3 {
                if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
                    break;
                }
                kind = u16_at(frame, at + 2)?;
                at += 4;
            }
            by_type(kind, frame.get(at..)?)
        }
        12 | 14 | 101 | 228 | 229 => Some(frame),
        // Linux "any": cooked, version 1 and 2.
        113 => by_type(u16_at(frame, 14)?, frame.get(16..)?),
        276 => by_type(u16_at(frame, 0)?, frame.get(20..)?),
        _ => None,
    }
}

/// What an IP packet carries, once all of its fragments are here.
pub(crate) fn carried(packet: &[u8], fragments: &mut Fragments) -> Option<Carried> {
    let piece = match packet.first()? >> 4 {
        4 => ipv4(packet)?,
        6 => ipv6(packet)?,
        _ => return None,
    };
    let (from, to) = (piece.from, piece.to);
    let (protocol, data) = fragments.whole(piece)?;
    transport(from, to, protocol, &data)
}

fn ipv4(packet: &[u8]) -> Option<Piece<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16_at(packet, 2)?);
    if header < 20 {
        return None;
    }
    // Segmentation by the network card leaves no length; a frame may be padded behind its packet.
    let end = if total == 0 {
        packet.len()
    } else {
        total.min(packet.len())
    };
    let fragment = u16_at(packet, 6)?;
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets).into())
    };
    Some(Piece {
        from: address(12)?,
        to: address(16)?,
        id: u32::from(u16_at(packet, 4)?),
        protocol: *packet.get(9)?,
        offset: usize::from(fragment & 0x1fff) * 8,
        more: fragment & 0x2000 != 0,
        data: packet.get(header..end)?,
    })
}

fn ipv6(packet: &[u8]) -> Option<Piece<'_>> {
    let address = |at: usize| -> Option<IpAddr> {
        let octets: [u8; 16] = packet.get(at..at + 16)?.try_into().ok()?;
        Some(Ipv6Addr::from(octets).into())
    };
    let (from, to) = (address(8)?, address(24)?);
    let length = usize::from(u16_at(packet, 4)?);
    let end = if length == 0 {
        packet.len()
    } else {
        (40 + length).min(packet.len())
    };
    let (mut next, mut at) = (*packet.get(6)?, 40);
    let (mut id, mut offset, mut more) = (0, 0, false);
    for _ in 0..8 {
        let step = match next {
            0 | 43 | 60 => (usize::from(*packet.get(at + 1)?) + 1) * 8,
            51 => (usize::from(*packet.get(at + 1)?) + 2) * 4,
            44 => {
                let field = u16_at(packet, at + 2)?;
                offset = usize::from(field & 0xfff8);
                more = field & 1 != 0;
                id = u32::from_be_bytes(packet.get(at + 4..at + 8)?.try_into().ok()?);
                8
            }
            _ => break,
        };
        next = *packet.get(at)?;
        at += step;
        if offset > 0 {
            // What follows in a later fragment is data, whatever its first byte looks like.
            break;
        }
    }
    Some(Piece {
        from,
        to,
        id,
        protocol: next,
        offset,
        more,
        data: packet.get(at..end)?,
    })
}

fn transport(from: IpAddr, to: IpAddr, protocol: u8, data: &[u8]) -> Option<Carried> {
    let from = SocketAddr::new(from, u16_at(data, 0)?);
    let to = SocketAddr::new(to, u16_at(data, 2)?);
    match protocol {
        UDP => {
            let length = usize::from(u16_at(data, 4)?);
            let end = if length < 8 {
                data.len()
            } else {
                length.min(data.len())
            };
            let payload = data.get(8..end)?.to_vec();
            Some(Carried::Udp { from, to, payload })
        }
        TCP => {
            let header = usize::from(data.get(12)? >> 4) * 4;
            let flags = *data.get(13)?;
            Some(Carried::Tcp {
                from,
                to,
                sequence: u32::from_be_bytes(data.get(4..8)?.try_into().ok()?),
                syn: flags & 0x02 != 0,
                ends: flags & 0x05 != 0,
                payload: data.get(header.max(20)..)?.to_vec(),
            })
        }
        _ => None,
    }
}
