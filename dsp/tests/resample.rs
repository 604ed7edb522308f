//! Flatness, aliases and images of the resampler, measured with sines.

#![allow(missing_docs, clippy::unwrap_used)]

use dsp::resample::{RECORDING_RATES_HZ, Resampler};

fn sine(hz: f64, rate: u32, seconds: f64) -> Vec<f32> {
    let step = std::f64::consts::TAU * hz / f64::from(rate);
    (0..(seconds * f64::from(rate)) as usize)
        .map(|n| (step * n as f64).sin() as f32)
        .collect()
}

fn convert(from: u32, to: u32, input: &[f32], block: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(from, to).unwrap();
    let mut out = Vec::new();
    for chunk in input.chunks(block) {
        let mut piece = vec![0.0; resampler.most_outputs(chunk.len())];
        let count = resampler.process(chunk, &mut piece);
        out.extend_from_slice(&piece[..count]);
    }
    out
}

/// Gain at `hz` and everything else relative to it, dB. The first and last tenth are left out.
fn gain_and_rest(samples: &[f32], hz: f64, rate: u32) -> (f64, f64) {
    let middle = &samples[samples.len() / 10..samples.len() * 9 / 10];
    let step = std::f64::consts::TAU * hz / f64::from(rate);
    let (mut c, mut s, mut energy) = (0.0, 0.0, 0.0);
    for (n, x) in middle.iter().enumerate() {
        c += f64::from(*x) * (step * n as f64).cos();
        s += f64::from(*x) * (step * n as f64).sin();
        energy += f64::from(*x).powi(2);
    }
    let n = middle.len() as f64;
    let tone = (c * c + s * s) * 2.0 / n;
    (
        10.0 * (tone / (n / 2.0)).log10(),
        10.0 * ((energy - tone).max(1e-12) / tone).log10(),
    )
}

const PAIRS: [(u32, u32); 6] = [
    (8000, 16_000),
    (8000, 48_000),
    (16_000, 48_000),
    (16_000, 8000),
    (48_000, 8000),
    (48_000, 16_000),
];

#[test]
fn every_rate_of_recordings_keeps_the_speech_band_and_folds_nothing_into_it() {
    // Odd ones as well, read only: of a Macintosh, of video slowed down, and one with no divisor.
    let odd = [22_255, 44_056, 9973];
    for rate in RECORDING_RATES_HZ.into_iter().chain(odd) {
        let written = !odd.contains(&rate);
        for (from, to) in [(rate, 8000)]
            .into_iter()
            .chain(written.then_some((8000, rate)))
        {
            let out = |hz: f64| {
                let input = sine(hz, from, 1.0);
                let mut resampler = Resampler::for_recording(from, to).unwrap();
                let mut out = vec![0.0; resampler.most_outputs(input.len())];
                let count = resampler.process(&input, &mut out);
                out.truncate(count);
                out
            };
            for hz in [200.0, 1000.0, 3400.0] {
                let (gain, rest) = gain_and_rest(&out(hz), hz, to);
                assert!(gain.abs() < 0.05, "{from} -> {to}: {gain} dB at {hz} Hz");
                assert!(rest < -60.0, "{from} -> {to}: {rest} dB beside {hz} Hz");
            }
            assert_eq!(out(1000.0).len(), to as usize, "{from} -> {to}");
        }
        if rate > 8000 {
            let input = sine(4700.0, rate, 1.0);
            let mut resampler = Resampler::for_recording(rate, 8000).unwrap();
            let mut out = vec![0.0; resampler.most_outputs(input.len())];
            let count = resampler.process(&input, &mut out);
            let middle = &out[count / 10..count * 9 / 10];
            let level = middle.iter().map(|s| s * s).sum::<f32>() / middle.len() as f32;
            assert!(level < 0.5e-6, "{rate}: {level} of an alias");
        }
    }
    for hz in [0, 999, 384_001, 383_987] {
        assert!(Resampler::for_recording(hz, 8000).is_none(), "{hz}");
    }
    assert!(Resampler::for_recording(1000, 8000).is_some());
}

#[test]
fn the_speech_band_is_flat_and_clean_every_way() {
    for (from, to) in PAIRS {
        for hz in [200.0, 1000.0, 3000.0, 3400.0] {
            // Whole periods in what is measured keep the sum exact.
            let out = convert(from, to, &sine(hz, from, 1.0), 160);
            let (gain, rest) = gain_and_rest(&out, hz, to);
            assert!(gain.abs() < 0.05, "{from} -> {to}: {gain} dB at {hz} Hz");
            assert!(rest < -60.0, "{from} -> {to}: {rest} dB beside {hz} Hz");
        }
    }
}

#[test]
fn what_would_fold_into_the_speech_band_is_gone() {
    for (from, to) in [(48_000, 8000), (16_000, 8000)] {
        for hz in [4600.0, 5000.0, 6000.0, 7900.0] {
            let out = convert(from, to, &sine(hz, from, 1.0), 480);
            let rms =
                (out[800..].iter().map(|x| x * x).sum::<f32>() / (out.len() - 800) as f32).sqrt();
            let alias = 20.0 * (rms / 0.5_f32.sqrt()).log10();
            assert!(alias < -60.0, "{from} -> {to}: {hz} Hz leaves {alias} dB");
        }
    }
}

#[test]
fn block_size_changes_nothing_and_the_count_is_exact() {
    for (from, to) in PAIRS {
        let input = sine(777.0, from, 0.3);
        let reference = convert(from, to, &input, input.len());
        assert_eq!(
            reference.len() as u64,
            input.len() as u64 * u64::from(to) / u64::from(from)
        );
        for block in [1, 7, 80, 441] {
            assert_eq!(
                convert(from, to, &input, block),
                reference,
                "{from} -> {to} by {block}"
            );
        }
    }
}

#[test]
fn there_and_back_is_the_same_sound_later() {
    let input = sine(1000.0, 8000, 0.5);
    let back = convert(48_000, 8000, &convert(8000, 48_000, &input, 80), 480);
    let there = Resampler::new(8000, 48_000).unwrap();
    assert!(there.delay_ms() < 2.5, "{} ms", there.delay_ms());
    let delay = (2.0 * there.delay_ms() * 8.0).round() as usize;
    for n in 1000..3000 {
        let error = (back[n + delay] - input[n]).abs();
        assert!(error < 0.002, "{error}");
    }
}

#[test]
fn other_rates_are_refused_and_nonsense_breaks_nothing() {
    assert!(Resampler::new(44_100, 8000).is_none());
    let mut same = Resampler::new(8000, 8000).unwrap();
    let mut out = [0.0; 3];
    assert_eq!(same.process(&[0.5, f32::NAN, -0.5], &mut out), 3);
    assert_eq!(out, [0.5, 0.0, -0.5]);
    let mut up = Resampler::new(8000, 48_000).unwrap();
    assert_eq!(up.process(&[f32::INFINITY; 10], &mut [0.0; 7]), 7);
}
