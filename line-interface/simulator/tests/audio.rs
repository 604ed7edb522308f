//! Speech passes both ways, and both hybrids keep their own side out.

#![allow(clippy::unwrap_used)]

mod common;

use common::{BRANDS, Bench};
use line_interface::SAMPLE_RATE_HZ;

fn tone(hz: f32, level: f32, i: usize) -> i16 {
    ((std::f32::consts::TAU * hz * i as f32 / SAMPLE_RATE_HZ as f32).sin() * level * 32767.0) as i16
}

/// Amplitude of one frequency, as a part of full scale.
fn amplitude(samples: impl IntoIterator<Item = f32>, hz: f32) -> f32 {
    let (mut re, mut im, mut n) = (0.0_f64, 0.0_f64, 0.0_f64);
    for v in samples {
        let phase = std::f64::consts::TAU * f64::from(hz) * n / f64::from(SAMPLE_RATE_HZ);
        re += f64::from(v) * phase.cos();
        im += f64::from(v) * phase.sin();
        n += 1.0;
    }
    (2.0 * re.hypot(im) / n) as f32
}

fn db(ratio: f32) -> f32 {
    20.0 * ratio.log10()
}

#[test]
fn both_sides_hear_each_other_and_little_of_themselves() {
    const OURS: f32 = 1000.0;
    const THEIRS: f32 = 700.0;
    for brand in BRANDS {
        for n in 0..25 {
            let mut b = Bench::new(brand, 70_000 + n);
            b.talk();
            let words: Vec<i16> = (0..32_000).map(|i| tone(THEIRS, 0.5, i)).collect();
            b.sim.visitor_say(&words);
            let (mut codec, mut line) = (Vec::new(), Vec::new());
            let mut skip = 50;
            b.sim.heard_by_visitor().for_each(drop);
            let mut heard = Vec::new();
            for block in 0..250 {
                for (i, v) in b.drive.audio.iter_mut().enumerate() {
                    *v = tone(OURS, 0.4, block * 80 + i);
                }
                b.block();
                let speaker: Vec<f32> = b
                    .sim
                    .heard_by_visitor()
                    .map(|v| f32::from(v) / 32768.0)
                    .collect();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                codec.extend(b.sense.audio.iter().map(|v| f32::from(*v) / 32768.0));
                line.extend_from_slice(&b.sense.line_volts);
                heard.extend(speaker);
            }
            let at = |v: &Vec<f32>, hz| amplitude(v.iter().copied(), hz);
            // The codec's full scale is 2.5 V of line.
            let unbalanced = at(&line, OURS) / 2.5;
            let loss = db(unbalanced / at(&codec, OURS));
            assert!(
                (14.0..40.0).contains(&loss),
                "{brand} {n}: transhybrid loss {loss:.1} dB"
            );
            let received = db(at(&codec, THEIRS));
            assert!(
                (-20.0..0.0).contains(&received),
                "{brand} {n}: visitor at {received:.1} dB"
            );
            let sent = db(at(&heard, OURS));
            assert!(
                (-25.0..0.0).contains(&sent),
                "{brand} {n}: we are heard at {sent:.1} dB"
            );
            let side = db(at(&heard, OURS) / at(&heard, THEIRS));
            assert!(
                side > 6.0,
                "{brand} {n}: the visitor hears himself, {side:.1} dB"
            );
        }
    }
}

#[test]
fn audio_without_an_off_hook_load_never_reaches_the_line() {
    for brand in BRANDS {
        let mut b = Bench::new(brand, 71_000);
        b.ring();
        b.sim.visitor_leave();
        let mut heard = Vec::new();
        b.sim.heard_by_visitor().for_each(drop);
        b.run_ms(4000);
        for block in 0..100 {
            for (i, v) in b.drive.audio.iter_mut().enumerate() {
                *v = tone(1000.0, 0.9, block * 80 + i);
            }
            b.block();
            heard.extend_from_slice(&b.sense.line_volts);
        }
        assert!(amplitude(heard.iter().copied(), 1000.0) < 0.005, "{brand}");
    }
}
