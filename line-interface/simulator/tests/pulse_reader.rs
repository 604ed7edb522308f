//! Address pulses with jitter and glitches, through the bits of the capture.

#![allow(clippy::unwrap_used)]

use line_interface::pulse::{
    CAPTURE_BYTES, Capture, PulseDoubt, PulseEvent, PulseProfile, PulseReader,
};
use line_simulation::figures::Dice;
use line_simulation::figures::pulse::{Wire, addresses};

/// What the SPI controller clocks in: one bit each microsecond.
fn bits(wire: &Wire) -> Vec<u8> {
    let mut bytes = vec![0_u8; CAPTURE_BYTES];
    let mut edges = wire.edges.iter().peekable();
    let mut high = false;
    for i in 0..CAPTURE_BYTES * 8 {
        while edges.next_if(|at| **at <= i as u64 * 10).is_some() {
            high = !high;
        }
        if high {
            bytes[i / 8] |= 0x80 >> (i % 8);
        }
    }
    bytes
}

fn read(wire: &Wire) -> Vec<PulseEvent> {
    let rule = PulseProfile::builtin("laskomex-class").unwrap().address;
    let reader = PulseReader::new(rule);
    // The wire fell 182 ms before the transfer began.
    let mut capture = Capture::new(reader, 200_000);
    capture.fell(18_000);
    capture
        .bytes(&bits(wire))
        .into_iter()
        .filter(|e| *e != PulseEvent::Reset)
        .collect()
}

#[test]
fn every_address_through_the_captured_bits() {
    let mut dice = Dice::new(1);
    for count in 1..=255 {
        for _ in 0..3 {
            let seen = read(&Wire::address(count, &mut dice));
            let [PulseEvent::Address { address, .. }] = seen.as_slice() else {
                panic!("{count}: {seen:?}");
            };
            assert_eq!(u64::from(*address), count);
        }
    }
}

#[test]
fn a_thousand_of_every_address_at_the_capture_s_resolution() {
    let read = addresses(1000).unwrap();
    assert_eq!(read.right, read.all, "{read:?}");
    assert_eq!(read.rejected, read.beyond, "{read:?}");
    assert_eq!(read.all, 255_000);
}

#[test]
fn what_is_no_address_is_rejected() {
    let mut dice = Dice::new(3);
    for count in [256, 257, 300, 400] {
        let seen = read(&Wire::address(count, &mut dice));
        assert!(
            matches!(
                seen.as_slice(),
                [PulseEvent::Rejected {
                    why: PulseDoubt::TooMany,
                    ..
                }]
            ),
            "{count}: {seen:?}"
        );
    }
    let seen = read(&Wire::address(0, &mut dice));
    assert!(
        matches!(
            seen.as_slice(),
            [PulseEvent::Rejected {
                why: PulseDoubt::NoPulse,
                ..
            }]
        ),
        "{seen:?}"
    );
    let mut wire = Wire::address(5, &mut dice);
    wire.hold(800);
    wire.hold(1500);
    assert!(matches!(
        read(&wire).as_slice(),
        [PulseEvent::Rejected {
            why: PulseDoubt::BadPulse,
            ..
        }]
    ));
    // Pulses without a reset before them, after one that was too short or too long.
    let rule = PulseProfile::builtin("laskomex-class").unwrap().address;
    for reset_us in [1000, 130_000, 270_000, 2_000_000] {
        let mut reader = PulseReader::new(rule.clone());
        reader.edge(1000, false);
        let mut at = 1000 + reset_us;
        let mut seen = vec![reader.edge(at, true)];
        at += 2200;
        for _ in 0..8 {
            seen.push(reader.edge(at, false));
            seen.push(reader.edge(at + 22, true));
            at += 100;
        }
        seen.push(reader.advance(at + 10));
        seen.push(reader.advance(at + 9000));
        assert!(seen.iter().all(Option::is_none), "{reset_us}: {seen:?}");
    }
}

#[test]
fn an_absurd_pulse_profile_is_refused() {
    let good = include_str!("../../profiles/laskomex-class.toml");
    assert!(PulseProfile::from_toml(good).is_ok());
    for (from, to) in [
        ("end_us = { value = 2000", "end_us = { value = 20"),
        (
            "reset_min_ms = { value = 140",
            "reset_min_ms = { value = 400",
        ),
        (
            "opened_hz = { value = 2360.0",
            "opened_hz = { value = 1950.0",
        ),
        ("release_ms = { value = 400", "release_ms = { value = 8"),
        ("[door]", "[doors]"),
        (
            "off_hook_min_volts = { value = 4.6",
            "off_hook_min_volts = { value = 2.6",
        ),
    ] {
        assert!(good.contains(from));
        let e = PulseProfile::from_toml(&good.replacen(from, to, 1)).unwrap_err();
        assert!(!e.cause.is_empty() && !e.hint.is_empty());
    }
}
