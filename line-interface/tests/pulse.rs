//! Address pulses with jitter and glitches, through the bits of the capture.

#![allow(clippy::unwrap_used)]

use line_interface::pulse::{
    CAPTURE_BYTES, Capture, PulseDoubt, PulseEvent, PulseProfile, PulseReader,
};

struct Dice(u64);

impl Dice {
    fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        low + (self.0 >> 33) % (high - low + 1)
    }
}

/// The wire as times of its edges in tenths of a microsecond, beginning low.
struct Wire {
    edges: Vec<u64>,
    now: u64,
}

impl Wire {
    fn hold(&mut self, tenths: u64) {
        self.now += tenths;
        self.edges.push(self.now);
    }
}

/// The end of a reset and an address of `count` pulses, with everything the facts allow.
fn address(count: u64, dice: &mut Dice) -> Wire {
    let mut wire = Wire {
        edges: Vec::new(),
        now: dice.between(0, 9),
    };
    // The transfer is armed within the reset; the rest of the low is 20 ms here.
    wire.hold(dice.between(190_000, 210_000));
    let mut high = dice.between(20_000, 24_000);
    let mut wide = 30;
    for _ in 0..count {
        // A glitch of up to 2 us somewhere in the high.
        if dice.between(0, 3) == 0 && high > 700 {
            let at = dice.between(100, high - 200);
            wire.hold(at);
            wire.hold(dice.between(1, 20));
            high -= at;
        }
        wire.hold(high);
        let low = dice.between(200, 240);
        if dice.between(0, 7) == 0 {
            // And one inside the pulse.
            wire.hold(100);
            wire.hold(dice.between(1, 15));
            wire.hold(low - 100);
        } else {
            wire.hold(low);
        }
        high = if wide > 0 && dice.between(0, 9) == 0 {
            wide -= 1;
            dice.between(1360, 9000)
        } else {
            dice.between(650, 900)
        };
    }
    wire
}

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
    let mut dice = Dice(1);
    for count in 1..=255 {
        for _ in 0..3 {
            let seen = read(&address(count, &mut dice));
            let [PulseEvent::Address { address, .. }] = seen.as_slice() else {
                panic!("{count}: {seen:?}");
            };
            assert_eq!(u64::from(*address), count);
        }
    }
}

#[test]
fn a_thousand_of_every_address_at_the_capture_s_resolution() {
    let rule = PulseProfile::builtin("laskomex-class").unwrap().address;
    let mut dice = Dice(2);
    let (mut right, mut all) = (0_u32, 0_u32);
    for count in 1..=255 {
        for _ in 0..1000 {
            all += 1;
            let mut reader = PulseReader::new(rule.clone());
            reader.edge(18_000, false);
            let wire = address(count, &mut dice);
            let (mut high, mut seen) = (false, None);
            let mut take = |event| match event {
                Some(PulseEvent::Address { address, .. }) => seen = Some(u64::from(address)),
                Some(PulseEvent::Rejected { .. }) => seen = None,
                _ => {}
            };
            let mut edges = wire
                .edges
                .iter()
                .map(|at| 200_000 + at.div_ceil(10))
                .peekable();
            while let Some(at) = edges.next() {
                high = !high;
                // Two edges within one bit vanish, as they do in the controller.
                if edges.peek() == Some(&at) {
                    edges.next();
                    high = !high;
                    continue;
                }
                take(reader.edge(at, high));
            }
            take(reader.advance(200_000 + wire.now / 10 + 10));
            take(reader.advance(200_000 + wire.now / 10 + 3000));
            right += u32::from(seen == Some(count));
        }
    }
    println!("pulse addresses right: {right} of {all}");
    assert_eq!(right, all);
}

#[test]
fn what_is_no_address_is_rejected() {
    let mut dice = Dice(3);
    for count in [256, 257, 300, 400] {
        let seen = read(&address(count, &mut dice));
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
    let seen = read(&address(0, &mut dice));
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
    let mut wire = address(5, &mut dice);
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
    let good = include_str!("../profiles/laskomex-class.toml");
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
