//! Captures made by hand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;
use trubka_trace::*;

pub const AT: Duration = Duration::from_micros(1_700_000_000_123_456);

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn message(method: &str, id: &str) -> Vec<u8> {
    format!(
        "{method} sip:400@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK{id}\r\n\
         From: <sip:42@127.0.0.1>;tag=1\r\nTo: <sip:400@127.0.0.1>\r\nCall-ID: {id}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

pub fn answer(status: &str, method: &str, id: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK{id}\r\n\
         From: <sip:42@127.0.0.1>;tag=1\r\nTo: <sip:400@127.0.0.1>;tag=2\r\nCall-ID: {id}\r\n\
         CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// A little-endian pcap file of frames of one link type.
pub fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = file_header();
    file[20..24].copy_from_slice(&link.to_le_bytes());
    for frame in frames {
        file.extend(record(AT, frame, frame.len()));
    }
    file
}

/// Every message of a capture.
pub fn messages(file: &[u8]) -> Vec<Sighting> {
    let mut capture = Capture::new(file).unwrap();
    std::iter::from_fn(|| capture.next_message().unwrap()).collect()
}

/// An IPv4 or IPv6 packet with a TCP segment.
pub fn tcp(from: SocketAddr, to: SocketAddr, sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; 12];
    segment[0..4].copy_from_slice(&sequence.to_be_bytes());
    segment[8] = 5 << 4;
    segment[9] = flags;
    segment.extend_from_slice(&[0; 4]);
    segment.extend_from_slice(payload);
    // The ports stand where UDP has them; the rest of its header is overwritten.
    let mut packet = udp_packet(from, to, &segment).unwrap();
    let header = if from.is_ipv4() { 20 } else { 40 };
    packet.drain(header + 4..header + 8);
    let length = packet.len();
    if from.is_ipv4() {
        packet[9] = 6;
        packet[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    } else {
        packet[6] = 6;
        packet[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
    }
    packet
}
