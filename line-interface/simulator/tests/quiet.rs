//! What is not a call must not ring: an hour of noise, hum, clicks and polling for every brand.

mod common;

use common::{BRANDS, Bench, Dice, seed};
use line_interface::{
    BLOCK_MS, HandsetFitting, Line, LineEvent, Profile, RingDetector, SenseBlock,
};
use line_simulation::{Action, Setup};
use std::time::Duration;

#[test]
fn an_hour_of_noise_hum_clicks_and_polling_rings_never() {
    for (n, brand) in (0_u64..).zip(BRANDS) {
        let mut setup = Setup::brand(brand).unwrap();
        setup.seed = seed(n);
        setup.noise_volts = 0.15;
        setup.hum_volts = 0.6;
        setup.hum_hz = if n % 2 == 0 { 50.0 } else { 100.0 };
        let mut b = Bench::with(setup, HandsetFitting::Relayed);
        let mut dice = Dice::new(n);
        for _ in 0..3600_u64 {
            match dice.below(12) {
                0 => b.sim.act(&Action::Click),
                1 => b
                    .sim
                    .act(&Action::Poll(Duration::from_millis(dice.between(5, 120)))),
                _ => {}
            }
            b.run_ms(1000);
        }
        assert!(b.seen.is_empty(), "{brand}: {:?}", b.seen);
    }
}

/// Speech-like sound: pulses of a voice through two moving formants, with pauses and fricatives.
fn speech(n: u64, seconds: u64) -> Vec<f32> {
    let mut dice = Dice::new(n);
    let mut out = Vec::new();
    let (mut state, mut phase) = ([[0.0_f32; 2]; 2], 0.0_f32);
    while (out.len() as u64) < seconds * 8000 {
        let (pitch, voiced) = (90.0 + dice.below(160) as f32, dice.below(4));
        let formants = [
            300.0 + dice.below(600) as f32,
            900.0 + dice.below(1600) as f32,
        ];
        for _ in 0..400 + dice.below(1600) {
            phase = (phase + pitch / 8000.0).fract();
            let noise = dice.below(2001) as f32 / 1000.0 - 1.0;
            let source = match voiced {
                0 => 0.0,
                1 => noise * 0.3,
                _ => {
                    if phase < pitch / 8000.0 {
                        6.0
                    } else {
                        noise * 0.02
                    }
                }
            };
            let mut sum = 0.0;
            for (s, hz) in state.iter_mut().zip(formants) {
                let r = 0.97_f32;
                let y = source + 2.0 * r * (std::f32::consts::TAU * hz / 8000.0).cos() * s[0]
                    - r * r * s[1];
                *s = [y, s[0]];
                sum += y;
            }
            out.push(sum * 0.06);
        }
    }
    out
}

#[test]
fn speech_on_a_fed_line_is_no_ring() {
    let rule = Profile::builtin("vizit").unwrap().ring;
    for n in 0..10 {
        let mut ring = RingDetector::default();
        let words = speech(n, 120);
        assert!(
            words.iter().any(|v| v.abs() > 0.6),
            "the test speech is too weak"
        );
        for chunk in words.as_chunks::<80>().0 {
            let mut sense = SenseBlock::default();
            for (to, v) in sense.line_volts.iter_mut().zip(chunk) {
                *to = 2.5 + 1.5 * v;
            }
            ring.update(&rule, &line_interface::BlockReading::of(&sense));
            assert!(!ring.ringing(), "speech {n} rang");
        }
    }
}

#[test]
fn a_gateway_that_starts_in_the_middle_of_a_ring_finds_it() {
    for brand in BRANDS {
        let mut b = Bench::new(brand, 77);
        b.ring();
        b.run_ms(700);
        b.line = Line::new(Profile::builtin(brand).unwrap(), HandsetFitting::Relayed);
        b.until(8000, |e| matches!(e, LineEvent::RingConfirmed));
        assert_eq!(b.sim.now().as_millis() as u64 % BLOCK_MS, 0);
    }
}
