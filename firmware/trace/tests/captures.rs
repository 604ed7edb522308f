//! Captures of every form that is known give the messages in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use trubka_trace::*;

const V4: (&str, &str) = ("127.0.0.2:5060", "127.0.0.1:5062");
const V6: (&str, &str) = ("[2001:db8::2]:5060", "[2001:db8::1]:5062");

fn packet(ends: (&str, &str), payload: &[u8]) -> Vec<u8> {
    udp_packet(address(ends.0), address(ends.1), payload).unwrap()
}

fn with(front: &[u8], packet: &[u8]) -> Vec<u8> {
    [front, packet].concat()
}

fn must_be_seen(name: &str, file: &[u8], ends: (&str, &str), sent: &[u8]) {
    let seen = messages(file);
    assert_eq!(seen.len(), 1, "{name}");
    let first = &seen[0];
    assert_eq!(
        (first.from, first.to, first.bytes(), first.at),
        (address(ends.0), address(ends.1), sent, AT),
        "{name}"
    );
}

#[test]
fn every_link_type_and_both_families() {
    let sent = message("OPTIONS", "1");
    for (ends, kind) in [(V4, [0x08, 0x00]), (V6, [0x86, 0xdd])] {
        let packet = packet(ends, &sent);
        let mut ethernet = vec![1; 12];
        ethernet.extend(kind);
        let mut vlan = vec![1; 12];
        vlan.extend([0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 8]);
        vlan.extend(kind);
        let mut cooked = vec![0; 14];
        cooked.extend(kind);
        let mut cooked2 = kind.to_vec();
        cooked2.extend([0; 18]);
        for (link, front) in [
            (101, vec![]),
            (0, vec![2, 0, 0, 0]),
            (1, ethernet),
            (1, vlan),
            (113, cooked),
            (276, cooked2),
        ] {
            let file = pcap(link, &[with(&front, &packet)]);
            must_be_seen(&format!("link {link}"), &file, ends, &sent);
        }
    }
}

#[test]
fn other_byte_order_nanoseconds_and_a_record_in_the_writing() {
    let sent = message("OPTIONS", "1");
    let packet = packet(V4, &sent);
    let mut file = Vec::new();
    file.extend(0xa1b2_3c4d_u32.to_be_bytes());
    file.extend([0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    file.extend(101_u32.to_be_bytes());
    for word in [
        AT.as_secs() as u32,
        AT.subsec_nanos(),
        packet.len() as u32,
        packet.len() as u32,
    ] {
        file.extend(word.to_be_bytes());
    }
    file.extend(&packet);
    must_be_seen("big endian", &file, V4, &sent);
    file.extend([0, 0, 0, 1, 0, 0]);
    must_be_seen("cut short", &file, V4, &sent);
}

#[test]
fn pcapng_of_both_byte_orders() {
    let sent = message("OPTIONS", "1");
    let packet = packet(V4, &sent);
    for big in [false, true] {
        let word = |value: u32| {
            if big {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let half = |value: u16| {
            if big {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let block = |kind: u32, body: &[u8]| {
            let mut body = body.to_vec();
            body.resize(body.len().next_multiple_of(4), 0);
            let total = word(body.len() as u32 + 12);
            [&word(kind)[..], &total, &body, &total].concat()
        };
        let mut file = block(
            0x0a0d_0d0a,
            &[&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat(),
        );
        // Nanoseconds, by an option behind another one.
        let options = [
            &half(2)[..],
            &half(3),
            b"lo\0\0",
            &half(9),
            &half(1),
            &[9, 0, 0, 0],
        ];
        let interface = [&half(101)[..], &half(0), &word(0), &options.concat()].concat();
        file.extend(block(1, &interface));
        // Statistics of an interface, which do not matter.
        file.extend(block(5, &[0; 12]));
        let ticks = AT.as_nanos() as u64;
        let head = [0, (ticks >> 32) as u32, ticks as u32].map(word).concat();
        let length = word(packet.len() as u32);
        file.extend(block(6, &[&head[..], &length, &length, &packet].concat()));
        must_be_seen(&format!("big {big}"), &file, V4, &sent);
    }
}

#[test]
fn fragments_come_together_in_any_order_and_are_bounded() {
    let mut sent = message("INVITE", "1");
    let end = sent.len() - 2;
    sent.splice(
        end..end,
        b"Subject: "
            .iter()
            .copied()
            .chain([b'x'; 3000])
            .chain(*b"\r\n"),
    );
    let whole = packet(V4, &sent);
    let (head, data) = whole.split_at(20);
    let fragments: Vec<Vec<u8>> = data
        .chunks(1400)
        .enumerate()
        .map(|(index, piece)| {
            let mut fragment = head.to_vec();
            let last = index == data.len().div_ceil(1400) - 1;
            let field = (index * 1400 / 8) as u16 | if last { 0 } else { 0x2000 };
            fragment[6..8].copy_from_slice(&field.to_be_bytes());
            fragment[2..4].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
            fragment.extend(piece);
            fragment
        })
        .collect();
    assert_eq!(fragments.len(), 3);
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let frames: Vec<_> = order.iter().map(|at| fragments[*at].clone()).collect();
        must_be_seen(&format!("{order:?}"), &pcap(101, &frames), V4, &sent);
    }
    // Beginnings without ends fall out; the one that is completed after them is not found again.
    let mut flood = vec![fragments[0].clone()];
    for id in 1..200_u16 {
        let mut other = fragments[0].clone();
        other[4..6].copy_from_slice(&id.to_be_bytes());
        flood.push(other);
    }
    flood.extend([fragments[1].clone(), fragments[2].clone()]);
    assert!(messages(&pcap(101, &flood)).is_empty());
    // IPv6 with a fragment header.
    let whole = packet(V6, &sent);
    let (head, data) = whole.split_at(40);
    let frames: Vec<Vec<u8>> = [(0, 1400, 1_u16), (1400, data.len(), 0)]
        .map(|(from, to, more)| {
            let mut fragment = head.to_vec();
            fragment[6] = 44;
            fragment[4..6].copy_from_slice(&((8 + to - from) as u16).to_be_bytes());
            fragment.extend([17, 0]);
            fragment.extend((from as u16 | more).to_be_bytes());
            fragment.extend([0, 0, 0, 9]);
            fragment.extend(&data[from..to]);
            fragment
        })
        .to_vec();
    must_be_seen("IPv6", &pcap(101, &frames), V6, &sent);
}

#[test]
fn frames_that_are_no_sip_are_passed_over() {
    let mut frames = vec![
        packet(V4, b"\r\n\r\n"),
        packet(V4, &[0x80; 172]),
        packet(V4, b"GET / HTTP/1.1\r\n\r\n"),
        vec![],
        vec![0x45],
        vec![0x60; 20],
    ];
    frames.push(message("OPTIONS", "1"));
    assert!(messages(&pcap(101, &frames)).is_empty());
    let file = pcap(777, &frames);
    let mut capture = Capture::new(&file[..]).unwrap();
    assert_eq!(capture.next_message(), Ok(None));
    assert_eq!(capture.leftovers().unknown_links, 7);
}

#[test]
fn what_is_no_capture_is_told_with_a_hint() {
    for (file, cause) in [
        (&b""[..], "too short"),
        (b"abc", "too short"),
        (b"\xd4\xc3\xb2\xa1\0\0", "too short"),
        (b"INVITE sip:a SIP/2.0", "no capture"),
        (b"\x0a\x0d\x0d\x0a\0\0\0\x1cabcd", "byte order"),
    ] {
        let error = Capture::new(file).unwrap_err();
        assert_eq!(error.kind, CaptureErrorKind::Form);
        assert!(error.cause.contains(cause), "{error}");
        assert!(error.hint.contains("tcpdump"), "{error}");
    }
    let mut file = file_header();
    file.extend([0xff; 16]);
    let error = Capture::new(&file[..]).unwrap().next_message().unwrap_err();
    assert_eq!(error.kind, CaptureErrorKind::Damaged);
    assert!(error.hint.contains("binary"));
}
