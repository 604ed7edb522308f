//! The echo canceller and the suppressor behind it: convergence, double talk, a change of path, and what must not happen.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../benches/figures/battery.rs"]
mod battery;
#[allow(dead_code)]
#[path = "../benches/figures/speech.rs"]
mod speech;

use battery::{Burst, Noise};
use dsp::Rate;
use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade};
use dsp::echo::{BLOCK, EchoCanceller, EchoSettings};
use dsp::suppressor::{Suppressor, SuppressorConfig};
use speech::*;

fn db(signal: &[f32]) -> f64 {
    let sum: f64 = signal.iter().map(|s| f64::from(*s).powi(2)).sum();
    10.0 * (sum / signal.len() as f64 + 1e-12).log10()
}

fn seconds(from: f32, to: f32) -> std::ops::Range<usize> {
    (from * 8000.0) as usize..(to * 8000.0) as usize
}

/// The linear part's output for a microphone that hears `echo` and `near`.
fn cancel(canceller: &mut EchoCanceller, far: &[f32], echo: &[f32], near: &[f32]) -> Vec<f32> {
    let mut noise = Noise(99);
    let mut out = Vec::new();
    for n in (0..far.len() / BLOCK * BLOCK).step_by(BLOCK) {
        let block: [f32; BLOCK] = far[n..n + BLOCK].try_into().unwrap();
        let mut mic: [f32; BLOCK] = std::array::from_fn(|i| {
            echo[n + i] + near.get(n + i).unwrap_or(&0.0) + 0.000_56 * noise.normal()
        });
        canceller.process(&block, &mut mic);
        out.extend(mic);
    }
    out
}

#[test]
fn hybrids_and_rooms_are_learned_within_seconds() {
    let rooms = acoustic(20, 12.0, 512, 6.0, 3);
    for (name, path, at_2, steady) in [
        ("hybrid", hybrid(4, 6.0, 1), 20.0, 25.0),
        ("room", rooms.clone(), 15.0, 25.0),
        (
            "both",
            both(&hybrid(4, 9.0, 4), &acoustic(30, 10.0, 480, 12.0, 5)),
            15.0,
            22.0,
        ),
    ] {
        let far = speech_like(10.0, 7, 120.0);
        let echo = through(&path, &far);
        let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &[]);
        let erle = |from, to| db(&echo[seconds(from, to)]) - db(&out[seconds(from, to)]);
        assert!(
            erle(2.0, 3.0) > at_2,
            "{name}: {:.1} dB after 2 s",
            erle(2.0, 3.0)
        );
        assert!(
            erle(6.0, 10.0) > steady,
            "{name}: {:.1} dB steady",
            erle(6.0, 10.0)
        );
    }
}

#[test]
fn double_talk_neither_harms_the_near_end_nor_ruins_the_filter() {
    let far = speech_like(14.0, 7, 120.0);
    let path = hybrid(4, 6.0, 1);
    let echo = through(&path, &far);
    let mut near = speech_like(14.0, 1234, 190.0);
    near[seconds(0.0, 6.0)].fill(0.0);
    near[seconds(11.0, 14.0)].fill(0.0);
    let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &near);
    let range = seconds(6.0, 11.0);
    let rest: Vec<f32> = range.clone().map(|n| out[n] - near[n]).collect();
    let projection: f32 = range.clone().map(|n| out[n] * near[n]).sum();
    let own: f32 = range.clone().map(|n| near[n] * near[n]).sum();
    assert!(
        (projection / own - 1.0).abs() < 0.05,
        "near end kept: {}",
        projection / own
    );
    let left = db(&echo[range]) - db(&rest);
    assert!(left > 4.0, "{left:.1} dB of echo cut in double talk");
    let after = seconds(11.5, 13.5);
    let erle = db(&echo[after.clone()]) - db(&out[after]);
    assert!(erle > 12.0, "{erle:.1} dB after it");
}

#[test]
fn a_changed_path_is_learned_again() {
    let far = speech_like(14.0, 8, 120.0);
    let mut echo = through(&hybrid(4, 9.0, 4), &far);
    let changed = through(&hybrid(9, 9.0, 40), &far);
    echo[seconds(6.0, 14.0)].copy_from_slice(&changed[seconds(6.0, 14.0)]);
    let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &[]);
    let range = seconds(9.0, 10.0);
    let erle = db(&echo[range.clone()]) - db(&out[range]);
    assert!(erle > 15.0, "{erle:.1} dB three seconds after the change");
}

#[test]
fn without_a_far_end_the_microphone_passes_bit_for_bit_but_for_rounding() {
    let mut canceller = EchoCanceller::new(64);
    let near = speech_like(2.0, 5, 150.0);
    for chunk in near.chunks_exact(BLOCK) {
        let mut mic: [f32; BLOCK] = chunk.try_into().unwrap();
        canceller.process(&[0.0; BLOCK], &mut mic);
        // The same block, not a later one: no delay.
        assert!(mic.iter().zip(chunk).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}

#[test]
fn tones_in_the_far_end_do_not_make_it_diverge() {
    let mut far = vec![0.0; 8000 * 6];
    dsp::tone::ToneGenerator::sine(425.0, -10.0).fill(&mut far);
    far.extend(speech_like(4.0, 3, 120.0));
    let echo = through(&hybrid(4, 6.0, 1), &far);
    let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &[]);
    let on_tone = db(&echo[seconds(2.0, 6.0)]) - db(&out[seconds(2.0, 6.0)]);
    assert!(on_tone > 20.0, "{on_tone:.1} dB on the tone");
    let speech = seconds(7.0, 8.0);
    let erle = db(&echo[speech.clone()]) - db(&out[speech]);
    assert!(erle > 12.0, "{erle:.1} dB on speech a second after it");
}

#[test]
fn digits_of_the_near_end_survive_the_linear_part_under_the_far_end() {
    let far = speech_like(12.0, 21, 120.0);
    let echo = through(&hybrid(4, 6.0, 1), &far);
    let mut near = vec![0.0; far.len()];
    let digits: Vec<char> = "1594D0*#26".chars().collect();
    for (k, digit) in digits.iter().enumerate() {
        Burst::new(*digit, 100.0, -13.0).add(
            &mut near,
            (4 * 8000) + k * 5600,
            &mut Noise(k as u64),
        );
    }
    let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &near);
    let mut detector = DtmfDetector::new(DtmfGrade::Dialling);
    detector.process(&out, false);
    let found: Vec<char> = std::iter::from_fn(|| detector.poll())
        .filter_map(|event| match event {
            DtmfEvent::Pressed { digit, .. } => Some(digit),
            DtmfEvent::Released { .. } => None,
        })
        .collect();
    assert_eq!(found, digits);
}

#[test]
fn a_clipped_microphone_and_nonsense_do_not_last() {
    let mut canceller = EchoCanceller::new(64);
    let far = speech_like(8.0, 7, 120.0);
    let path = hybrid(4, 6.0, 1);
    let echo = through(&path, &far);
    for n in (0..16_000).step_by(BLOCK) {
        let block: [f32; BLOCK] = far[n..n + BLOCK].try_into().unwrap();
        let mut mic = [
            [f32::NAN; BLOCK],
            [f32::INFINITY; BLOCK],
            [1.0; BLOCK],
            [-1.0; BLOCK],
        ][n / BLOCK % 4];
        canceller.process(&block, &mut mic);
        assert!(mic.iter().all(|s| s.is_finite() && s.abs() < 100.0));
    }
    canceller.process(&[f32::NAN; BLOCK], &mut [0.0; BLOCK]);
    let out = cancel(&mut canceller, &far, &echo, &[]);
    let range = seconds(5.0, 8.0);
    let erle = db(&echo[range.clone()]) - db(&out[range]);
    assert!(erle > 20.0, "{erle:.1} dB afterwards");
}

#[test]
fn the_suppressor_takes_what_the_filter_leaves() {
    let far = speech_like(10.0, 7, 120.0);
    let echo = through(&acoustic(20, 12.0, 512, 6.0, 3), &far);
    let mut canceller = EchoCanceller::new(64);
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let mut noise = Noise(1);
    let (mut linear, mut clean) = (Vec::new(), Vec::new());
    for n in (0..far.len() / BLOCK * BLOCK).step_by(BLOCK) {
        let block: [f32; BLOCK] = far[n..n + BLOCK].try_into().unwrap();
        let mut mic: [f32; BLOCK] =
            std::array::from_fn(|i| echo[n + i] + 0.000_56 * noise.normal());
        let report = canceller.process(&block, &mut mic);
        linear.extend(mic);
        suppressor.process(&mut mic, Some(report));
        clean.extend(mic);
    }
    let range = seconds(6.0, 9.9);
    let gained = db(&linear[range.clone()]) - db(&clean[range.clone()]);
    assert!(gained > 6.0, "{gained:.1} dB more");
    let erle = db(&echo[range.clone()]) - db(&clean[range]);
    assert!(erle > 35.0, "{erle:.1} dB in all");
}

#[test]
fn steady_noise_is_turned_down_and_speech_kept() {
    let speech = speech_like(8.0, 17, 150.0);
    let mut noise = Noise(4);
    let hiss: Vec<f32> = (0..speech.len()).map(|_| 0.01 * noise.normal()).collect();
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let mut heard = Vec::new();
    for n in (0..speech.len() / BLOCK * BLOCK).step_by(BLOCK) {
        // Two seconds of noise alone, then speech over it.
        let talks = if n < 16_000 { 0.0 } else { 1.0 };
        let mut block: [f32; BLOCK] = std::array::from_fn(|i| hiss[n + i] + talks * speech[n + i]);
        suppressor.process(&mut block, None);
        heard.extend(block);
    }
    let quiet = db(&hiss[seconds(1.0, 2.0)]) - db(&heard[seconds(1.0, 2.0)]);
    assert!(quiet > 11.0, "noise alone is {quiet:.1} dB down");
    let range = seconds(3.0, 7.9);
    let delayed: Vec<f32> = range.clone().map(|n| heard[n + 56]).collect();
    let projection: f32 = range
        .clone()
        .zip(&delayed)
        .map(|(n, y)| speech[n] * y)
        .sum();
    let own: f32 = range.clone().map(|n| speech[n] * speech[n]).sum();
    let kept = 20.0 * (projection / own).log10();
    assert!(kept > -1.5, "speech lost {kept:.1} dB");
    let error: Vec<f32> = range
        .clone()
        .zip(&delayed)
        .map(|(n, y)| y - speech[n])
        .collect();
    let before = db(&speech[range.clone()]) - db(&hiss[range.clone()]);
    let after = db(&speech[range]) - db(&error);
    assert!(
        after > before + 1.0,
        "SNR {before:.1} dB before, {after:.1} after"
    );
}

#[test]
fn a_near_end_20_db_over_the_echo_does_little_harm() {
    for (path, seed) in [
        (hybrid(4, 26.0, 1), 1),
        (acoustic(20, 12.0, 512, 26.0, 3), 2),
        (
            both(&hybrid(4, 26.0, 4), &acoustic(30, 10.0, 480, 30.0, 5)),
            3,
        ),
    ] {
        let far = speech_like(36.0, seed, 120.0);
        let mut near = speech_like(36.0, seed + 500, 190.0);
        near[seconds(0.0, 6.0)].fill(0.0);
        let echo = through(&path, &far);
        let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &near);
        // What is left when the near end is taken away again.
        let range = seconds(8.0, 36.0);
        let rest: Vec<f32> = range.clone().map(|n| out[n] - near[n]).collect();
        let cut = db(&echo[range]) - db(&rest);
        println!("path {seed}: {cut:.1} dB");
        // Under such a talker no filter learns; what was learned before must not be lost.
        assert!(cut > -3.0, "path {seed}: {cut} dB");
    }
}

#[test]
fn a_filter_for_the_wrong_path_is_given_up_soon() {
    let mut sum = 0.0;
    for seed in 1..=5 {
        let far = speech_like(10.0, seed, 120.0);
        let mut echo = through(&acoustic(20, 12.0, 512, 6.0, 3), &far);
        let later = through(&acoustic(40, 12.0, 512, 6.0, 8), &far);
        let change = seconds(6.0, 10.0);
        echo[change.clone()].copy_from_slice(&later[change]);
        let out = cancel(&mut EchoCanceller::new(64), &far, &echo, &[]);
        let after = seconds(7.5, 8.5);
        let erle = db(&echo[after.clone()]) - db(&out[after]);
        sum += erle;
    }
    assert!(sum / 5.0 > 16.0, "{} dB on average", sum / 5.0);
}

#[test]
fn a_bulk_delay_is_found_removed_and_followed() {
    let late = |ms: usize| {
        let mut path = vec![0.0; ms * 8];
        path.extend(hybrid(0, 6.0, 1));
        path
    };
    let far = speech_like(24.0, 11, 120.0);
    let mut echo = through(&late(180), &far);
    // The device starts again with a shorter delay.
    let later = through(&late(60), &far);
    let moved = seconds(12.0, 24.0);
    echo[moved.clone()].copy_from_slice(&later[moved]);
    let mut canceller = EchoCanceller::with(EchoSettings::default());
    let out = cancel(&mut canceller, &far, &echo, &[]);
    for (range, mark) in [(seconds(8.0, 12.0), 20.0), (seconds(20.0, 24.0), 20.0)] {
        let erle = db(&echo[range.clone()]) - db(&out[range]);
        assert!(erle > mark, "{erle} dB");
    }
    let report = canceller.process(&[0.0; BLOCK], &mut [0.0; BLOCK]);
    let delay = report.delay_ms.unwrap();
    assert!((59.0..64.0).contains(&delay), "{delay} ms");
    // Without the search a filter of 64 ms cannot reach it.
    let without = cancel(&mut EchoCanceller::new(64), &far, &echo, &[]);
    let range = seconds(8.0, 12.0);
    assert!(db(&echo[range.clone()]) - db(&without[range]) < 3.0);
}

#[test]
fn a_path_that_was_kept_serves_from_the_first_block_on() {
    let path = both(&hybrid(4, 9.0, 4), &acoustic(30, 10.0, 480, 12.0, 5));
    let far = speech_like(12.0, 21, 120.0);
    let echo = through(&path, &far);
    let mut first = EchoCanceller::with(EchoSettings::default());
    assert!(first.path().is_none(), "nothing is known yet");
    cancel(&mut first, &far, &echo, &[]);
    let kept = first.path().unwrap();
    assert!((kept.loss_db() - 7.2).abs() < 1.5, "{}", kept.loss_db());
    let far = speech_like(3.0, 22, 140.0);
    let echo = through(&path, &far);
    let start = seconds(0.0, 0.5);
    let erle = |canceller: &mut EchoCanceller| {
        let out = cancel(canceller, &far, &echo, &[]);
        db(&echo[start.clone()]) - db(&out[start.clone()])
    };
    let mut second = EchoCanceller::with(EchoSettings::default());
    second.start_from(&kept);
    let with = erle(&mut second);
    let without = erle(&mut EchoCanceller::with(EchoSettings::default()));
    assert!(
        with > 18.0 && with > without + 3.0,
        "{with} and {without} dB"
    );
    // One of another rate is left alone.
    let mut other = EchoCanceller::with(EchoSettings {
        rate: Rate::Hz16000,
        ..EchoSettings::default()
    });
    other.start_from(&kept);
    assert!(other.path().is_none());
}

#[test]
fn at_16_khz_it_cancels_as_well() {
    let mut noise = Noise(5);
    let mut low = 0.0;
    let far: Vec<f32> = (0..8 * 16_000)
        .map(|n| {
            low += 0.4 * (noise.normal() - low);
            0.1 * low * (1.0 + (n as f32 / 2400.0).sin())
        })
        .collect();
    let echo = through(&acoustic(40, 24.0, 900, 6.0, 3), &far);
    let rate = Rate::Hz16000;
    let mut canceller = EchoCanceller::with(EchoSettings {
        rate,
        ..EchoSettings::default()
    });
    let mut suppressor = Suppressor::at(rate, SuppressorConfig::default());
    let (mut linear, mut out) = (echo.clone(), Vec::new());
    for (far, block) in far.chunks_exact(160).zip(linear.chunks_exact_mut(160)) {
        let report = canceller.process(far, block);
        let mut clean = block.to_vec();
        suppressor.process(&mut clean, Some(report));
        out.extend(clean);
    }
    let settled = 80_000..out.len();
    let linear = db(&echo[settled.clone()]) - db(&linear[settled.clone()]);
    let full = db(&echo[settled.clone()]) - db(&out[settled]);
    assert!(linear > 22.0 && full > 40.0, "{linear} and {full} dB");
}

#[test]
fn clocks_that_drift_apart_are_followed() {
    let far = speech_like(20.0, 31, 120.0);
    let straight = through(&hybrid(20, 6.0, 1), &far);
    // 50 ppm: 8 samples in 20 s.
    let echo: Vec<f32> = (0..straight.len())
        .map(|n| {
            let at = n as f64 * (1.0 - 50e-6);
            let (whole, part) = (at as usize, at.fract() as f32);
            let next = straight.get(whole + 1).copied().unwrap_or(0.0);
            straight[whole] * (1.0 - part) + next * part
        })
        .collect();
    let out = cancel(
        &mut EchoCanceller::with(EchoSettings::default()),
        &far,
        &echo,
        &[],
    );
    let range = seconds(10.0, 20.0);
    let erle = db(&echo[range.clone()]) - db(&out[range]);
    assert!(erle > 12.0, "{erle} dB");
}
