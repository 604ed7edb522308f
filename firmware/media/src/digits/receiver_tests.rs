//! The oddities of phones, one by one: each press is one, each two presses are two.

use super::*;

/// A phone that sends presses in a certain way.
#[derive(Clone, Copy)]
struct Phone {
    marker: bool,
    updates: bool,
    ends: usize,
    /// Timestamp units the timestamp moves with every packet.
    drift: u32,
    same_sequence: bool,
    update_ms: u64,
}

const PLAIN: Phone = Phone {
    marker: true,
    updates: true,
    ends: 3,
    drift: 0,
    same_sequence: false,
    update_ms: 20,
};

/// The packets of presses of `key`, each `press_ms` long with `gap_ms` between; with the time each is sent at.
fn presses(
    phone: Phone,
    count: u64,
    press_ms: u64,
    gap_ms: u64,
    first: (u16, u32),
) -> Vec<(u64, EventPacket)> {
    let (mut sequence, base) = first;
    let mut out = Vec::new();
    for press in 0..count {
        let start = press * (press_ms + gap_ms);
        let timestamp = base.wrapping_add((start * 8) as u32);
        let mut index = 0;
        let mut send = |t: u64, end: bool, duration_ms: u64, marker: bool| {
            let packet = EventPacket {
                sequence,
                timestamp: timestamp.wrapping_add(phone.drift * index),
                marker,
                code: 9,
                end,
                duration: (duration_ms * 8).min(65535) as u16,
            };
            out.push((t, packet));
            index += 1;
            if !phone.same_sequence {
                sequence = sequence.wrapping_add(1);
            }
        };
        if phone.updates {
            let mut t = 0;
            while t + phone.update_ms <= press_ms {
                t += phone.update_ms;
                let marker = phone.marker && t == phone.update_ms;
                send(start + t - phone.update_ms, false, t, marker);
            }
        }
        for _ in 0..phone.ends {
            send(
                start + press_ms,
                true,
                press_ms,
                phone.marker && !phone.updates,
            );
        }
    }
    out
}

fn count(packets: &[(u64, EventPacket)]) -> usize {
    let mut receiver = EventReceiver::default();
    packets
        .iter()
        .filter(|(t, packet)| receiver.receive(Duration::from_millis(*t), *packet))
        .count()
}

fn phones() -> Vec<(&'static str, Phone)> {
    vec![
        ("by the book", PLAIN),
        (
            "no marker",
            Phone {
                marker: false,
                ..PLAIN
            },
        ),
        (
            "only end packets",
            Phone {
                updates: false,
                ..PLAIN
            },
        ),
        (
            "only end packets, no marker",
            Phone {
                updates: false,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "a single end packet",
            Phone {
                updates: false,
                ends: 1,
                marker: false,
                ..PLAIN
            },
        ),
        ("all ends lost", Phone { ends: 0, ..PLAIN }),
        (
            "all ends lost, no marker",
            Phone {
                ends: 0,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "same sequence numbers",
            Phone {
                same_sequence: true,
                ..PLAIN
            },
        ),
        (
            "same sequence numbers, no marker",
            Phone {
                same_sequence: true,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "drifting timestamp",
            Phone {
                drift: 160,
                ..PLAIN
            },
        ),
        (
            "drifting timestamp, no marker",
            Phone {
                drift: 160,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "slightly drifting timestamp",
            Phone {
                drift: 1,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "update every 10 ms",
            Phone {
                update_ms: 10,
                marker: false,
                ..PLAIN
            },
        ),
        (
            "one packet only",
            Phone {
                update_ms: 40,
                ends: 0,
                marker: false,
                ..PLAIN
            },
        ),
    ]
}

#[test]
fn every_phone_and_length_counts_exactly() {
    for (name, phone) in phones() {
        for press_ms in [40, 80, 100, 160, 500, 2500] {
            for gap_ms in [25, 40, 100, 1000] {
                for first in [(100, 5000), (65533, u32::MAX - 700)] {
                    let got = count(&presses(phone, 3, press_ms, gap_ms, first));
                    assert_eq!(
                        got, 3,
                        "{name}: {press_ms} ms with {gap_ms} ms between, from {first:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn copies_count_once() {
    for (name, phone) in phones() {
        let packets = presses(phone, 2, 100, 25, (0, 0));
        let copied: Vec<_> = packets.iter().flat_map(|packet| [*packet; 3]).collect();
        assert_eq!(count(&copied), 2, "{name}");
        // A copy of everything, half a second later.
        let mut late = packets.clone();
        late.extend(packets.iter().map(|(t, packet)| (t + 500, *packet)));
        assert_eq!(count(&late), 2, "{name}, late copies");
    }
}

#[test]
fn reordered_packets_count_once() {
    for (name, phone) in phones()
        .into_iter()
        .filter(|(_, phone)| !phone.same_sequence)
    {
        let packets = presses(phone, 1, 160, 25, (65530, u32::MAX - 100));
        for distance in 1..4 {
            for at in 0..packets.len() {
                let mut shuffled = packets.clone();
                let packet = shuffled.remove(at);
                shuffled.insert((at + distance).min(shuffled.len()), packet);
                assert_eq!(
                    count(&shuffled),
                    1,
                    "{name}: packet {at} late by {distance}"
                );
            }
        }
    }
}

/// The longest run of lost packets between two that came.
fn longest_gap(mask: u32) -> u32 {
    let mut run = 0;
    let mut longest = 0;
    for bit in mask.trailing_zeros()..32 - mask.leading_zeros() {
        run = if mask & (1 << bit) == 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[test]
fn any_loss_that_leaves_one_packet_leaves_one_press() {
    for (name, phone) in phones() {
        let packets = presses(phone, 1, 120, 25, (9, 9));
        for mask in 1_u32..(1 << packets.len()) {
            // A drifting timestamp and a run of losses together leave nothing to tell one press from two by.
            if phone.drift >= 100 && longest_gap(mask) > 2 {
                continue;
            }
            let left: Vec<_> = packets
                .iter()
                .enumerate()
                .filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(_, packet)| *packet)
                .collect();
            assert_eq!(count(&left), 1, "{name}: loss pattern {mask:b}");
        }
    }
}

#[test]
fn losing_any_packets_but_one_of_each_press_keeps_two_presses_apart() {
    for (name, phone) in phones().into_iter().filter(|(_, phone)| phone.drift < 100) {
        let packets = presses(phone, 2, 60, 25, (9, 9));
        let half = packets.len() / 2;
        for mask in 1_u32..(1 << packets.len()) {
            if mask & ((1 << half) - 1) == 0 || mask >> half == 0 {
                continue;
            }
            let left: Vec<_> = packets
                .iter()
                .enumerate()
                .filter(|(i, _)| mask & (1 << i) != 0)
                .map(|(_, packet)| *packet)
                .collect();
            assert_eq!(count(&left), 2, "{name}: loss pattern {mask:b}");
        }
    }
}

#[test]
fn a_press_longer_than_its_counter_is_one_press() {
    let mut packets = presses(PLAIN, 1, 8160, 0, (0, 0));
    packets.truncate(packets.len() - 3);
    // RFC 4733, 2.5.1.3: full duration, then a new segment that starts where the first one ended.
    let mut second = presses(
        Phone {
            marker: false,
            ..PLAIN
        },
        1,
        3000,
        0,
        (5000, 65535),
    );
    for (t, packet) in &mut second {
        *t += 8190;
        packet.sequence = packet.sequence.wrapping_add(408_u16.wrapping_sub(5000));
    }
    packets.push((
        8180,
        EventPacket {
            duration: 65535,
            ..packets[400].1
        },
    ));
    packets.extend(second);
    assert_eq!(count(&packets), 1);
}

#[test]
fn a_clock_that_stands_still_between_presses_is_told_by_marker_and_duration() {
    let first = presses(PLAIN, 1, 100, 0, (0, 700));
    let second = presses(PLAIN, 1, 100, 0, (8, 700));
    let mut packets = first;
    packets.extend(second.iter().map(|(t, packet)| (t + 200, *packet)));
    assert_eq!(count(&packets), 2);
}

#[test]
fn different_keys_are_different_presses_even_interleaved() {
    let nine = presses(PLAIN, 1, 100, 0, (0, 0));
    let mut packets = Vec::new();
    for (i, (t, packet)) in nine.iter().enumerate() {
        packets.push((*t, *packet));
        packets.push((
            *t,
            EventPacket {
                code: 1,
                timestamp: 80,
                sequence: 100 + i as u16,
                ..*packet
            },
        ));
    }
    assert_eq!(count(&packets), 2);
}

#[test]
fn memory_is_bounded_under_a_flood() {
    let mut receiver = EventReceiver::default();
    for i in 0..100_000_u32 {
        let packet = EventPacket {
            sequence: i as u16,
            timestamp: i.wrapping_mul(7919),
            marker: i % 3 == 0,
            code: (i % 16) as u8,
            end: i % 5 == 0,
            duration: (i % 4000) as u16,
        };
        receiver.receive(Duration::from_millis(u64::from(i)), packet);
    }
    assert!(receiver.presses.len() <= REMEMBERED);
}
