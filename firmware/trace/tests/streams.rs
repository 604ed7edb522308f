//! SIP over TCP is put together from segments as they were captured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use trubka_trace::*;

const SYN: u8 = 2;
const FIN: u8 = 1;
const ACK: u8 = 16;

fn ends() -> (std::net::SocketAddr, std::net::SocketAddr) {
    (address("127.0.0.2:40000"), address("127.0.0.1:5060"))
}

/// Frames of a stream cut at every `cut` bytes, with a handshake, beginning at a sequence number that wraps.
fn segments(stream: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let (from, to) = ends();
    let start = u32::MAX - 300;
    let mut frames = vec![tcp(from, to, start.wrapping_sub(1), SYN, b"")];
    for (index, piece) in stream.chunks(cut).enumerate() {
        let sequence = start.wrapping_add((index * cut) as u32);
        frames.push(tcp(from, to, sequence, ACK, piece));
    }
    frames
}

fn ids(file: &[u8]) -> Vec<String> {
    let seen = messages(file);
    assert!(seen.iter().all(|one| one.carrier == Carrier::Tcp));
    seen.iter().map(|one| one.summary().call_id).collect()
}

fn stream() -> Vec<u8> {
    let keepalive = b"\r\n\r\n".to_vec();
    [
        keepalive.clone(),
        message("INVITE", "one"),
        message("ACK", "two"),
        keepalive,
        message("BYE", "three"),
    ]
    .concat()
}

#[test]
fn any_cut_any_order_and_copies() {
    for cut in [40, 100, 333, 5000] {
        let frames = segments(&stream(), cut);
        assert_eq!(ids(&pcap(101, &frames)), ["one", "two", "three"], "{cut}");
        // Neighbours swapped, and every segment twice.
        let mut mixed = frames.clone();
        for pair in mixed[1..].chunks_mut(2) {
            pair.reverse();
        }
        let mixed: Vec<_> = mixed.iter().flat_map(|f| [f.clone(), f.clone()]).collect();
        assert_eq!(ids(&pcap(101, &mixed)), ["one", "two", "three"], "{cut}");
    }
}

#[test]
fn a_capture_begun_in_the_middle_and_a_lost_segment() {
    let whole = stream();
    // Without the handshake and the first bytes the next message that begins a segment is the first.
    let (from, to) = ends();
    let second = whole.len() - message("BYE", "three").len();
    let frames = [
        tcp(from, to, 1000, ACK, &whole[50..second]),
        tcp(from, to, 1000 + (second - 50) as u32, ACK, &whole[second..]),
    ];
    assert_eq!(ids(&pcap(101, &frames)), ["three"]);
    // A segment that never came: after some time the rest is shown.
    let mut long = Vec::new();
    for n in 0..100 {
        long.push(message("OPTIONS", &format!("id{n}")));
    }
    let mut sequence = 5000_u32;
    let mut frames = vec![tcp(from, to, sequence - 1, SYN, b"")];
    for (n, one) in long.iter().enumerate() {
        if n != 10 {
            frames.push(tcp(from, to, sequence, ACK, one));
        }
        sequence += one.len() as u32;
    }
    assert_eq!(ids(&pcap(101, &frames)).len(), 99);
}

#[test]
fn a_second_connection_on_the_same_ports() {
    let (from, to) = ends();
    let one = message("OPTIONS", "one");
    let two = message("OPTIONS", "two");
    let frames = [
        tcp(from, to, 10, SYN, b""),
        tcp(from, to, 11, ACK, &one),
        tcp(from, to, 11 + one.len() as u32, FIN | ACK, b""),
        tcp(from, to, 99_999, SYN, b""),
        tcp(from, to, 100_000, ACK, &two),
    ];
    assert_eq!(ids(&pcap(101, &frames)), ["one", "two"]);
}

#[test]
fn tls_is_told_and_other_protocols_are_left_alone() {
    let (from, to) = ends();
    let frames = [
        tcp(from, to, 10, SYN, b""),
        tcp(from, to, 11, ACK, &[0x16, 3, 1, 0, 200, 1]),
        tcp(from, to, 17, ACK, &message("OPTIONS", "inside")),
        tcp(to, from, 10, SYN, b""),
        tcp(
            to,
            from,
            11,
            ACK,
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        tcp(to, from, 51, ACK, &message("OPTIONS", "inside")),
    ];
    let file = pcap(101, &frames);
    let mut capture = Capture::new(&file[..]).unwrap();
    assert_eq!(capture.next_message(), Ok(None));
    assert_eq!(capture.leftovers().encrypted_streams, 1);
}

#[test]
fn ipv6_segments() {
    let (from, to) = (
        address("[2001:db8::2]:40000"),
        address("[2001:db8::1]:5060"),
    );
    let file = pcap(101, &[tcp(from, to, 10, ACK, &message("OPTIONS", "six"))]);
    assert_eq!(ids(&file), ["six"]);
}
