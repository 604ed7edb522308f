//! Concealment and resampling.

use std::time::Instant;

use dsp::concealment::Concealer;
use dsp::resample::Resampler;
use dsp::sample::{to_f32, to_i16};

use crate::battery::Noise;
use crate::speech::talker;

/// Mean log-spectral distance of lost packets to what was lost, dB, over 200 Hz to 3.4 kHz.
fn distance(clean: &[i16], heard: &[i16], lost: &[bool]) -> f64 {
    let (mut sum, mut count) = (0.0, 0);
    for (packet, _) in lost.iter().enumerate().filter(|(_, lost)| **lost) {
        let range = packet * 160..(packet + 1) * 160;
        let power = |samples: &[i16], hz: f64| {
            let step = std::f64::consts::TAU * hz / 8000.0;
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in samples.iter().enumerate() {
                let window = (std::f64::consts::PI * (n as f64 + 0.5) / 160.0).sin();
                re += window * f64::from(*sample) * (step * n as f64).cos();
                im += window * f64::from(*sample) * (step * n as f64).sin();
            }
            // About -60 dBm0 in a bin: below it nothing is heard.
            re * re + im * im + 1e6
        };
        if clean[range.clone()].iter().all(|s| s.unsigned_abs() < 200) {
            continue;
        }
        let mut square = 0.0;
        for band in 0..33 {
            let hz = 200.0 + 100.0 * f64::from(band);
            let ratio = power(&clean[range.clone()], hz) / power(&heard[range.clone()], hz);
            square += (10.0 * ratio.log10()).powi(2);
        }
        sum += (square / 33.0).sqrt();
        count += 1;
    }
    sum / f64::from(count.max(1))
}

pub fn print() {
    println!("\n## Concealment, 20 ms packets: log-spectral distance of the lost ones, dB");
    let clean: Vec<i16> = talker(120.0, 30, 130.0)
        .iter()
        .map(|s| to_i16(*s))
        .collect();
    for (name, enter, stay) in [
        ("1.4 %", 0.014, 0.0),
        ("4.5 %", 0.045, 0.0),
        ("9.8 %", 0.098, 0.0),
        ("bursts of 2.5", 0.0158, 0.6),
    ] {
        let mut random = Noise(3);
        let mut in_burst = false;
        let lost: Vec<bool> = (0..clean.len() / 160)
            .map(|_| {
                let chance = if in_burst && stay > 0.0 { stay } else { enter };
                in_burst = random.unit() < chance;
                in_burst
            })
            .collect();
        let (mut zeros, mut repeat, mut ours) = (clean.clone(), clean.clone(), clean.clone());
        let mut concealer = Concealer::new();
        for (packet, lost) in lost.iter().enumerate() {
            let range = packet * 160..(packet + 1) * 160;
            if *lost {
                zeros[range.clone()].fill(0);
                for n in range.clone().rev() {
                    repeat[n] = n
                        .checked_sub(160)
                        .map_or(0, |before| repeat[before] / 10 * 7);
                }
                concealer.conceal(&mut ours[range]);
            } else {
                concealer.good(&mut ours[range]);
            }
        }
        println!(
            "{name:<14} zeros {:5.1}   last packet at -3 dB {:5.1}   period repeated {:5.1}",
            distance(&clean, &zeros, &lost),
            distance(&clean, &repeat, &lost),
            distance(&clean, &ours, &lost),
        );
    }
    let mut concealer = Concealer::new();
    let start = Instant::now();
    let mut block = [0; 80];
    for _ in 0..10_000 {
        concealer.conceal(&mut block);
        concealer.good(&mut block);
    }
    println!(
        "cost: {:.1} us per gap of 10 ms",
        start.elapsed().as_secs_f64() * 1e6 / 10_000.0
    );

    println!("\n## Resampling");
    for (from, to) in [
        (8000, 16_000),
        (8000, 48_000),
        (16_000, 8000),
        (48_000, 8000),
        (48_000, 16_000),
    ] {
        let Some(mut resampler) = Resampler::new(from, to) else {
            continue;
        };
        let input: Vec<f32> = (0..from / 100)
            .map(|n| to_f32((n * 37 % 2000) as i16))
            .collect();
        let mut out = vec![0.0; resampler.most_outputs(input.len())];
        let start = Instant::now();
        for _ in 0..2000 {
            resampler.process(&input, &mut out);
        }
        let each = start.elapsed().as_secs_f64() * 1e6 / 2000.0;
        println!(
            "{from} -> {to}: {each:.1} us per 10 ms, delay {:.2} ms",
            resampler.delay_ms()
        );
    }
}
