//! What the suppressor does to noise and to speech, and what it costs.

use std::time::Instant;

use dsp::echo::BLOCK;
use dsp::suppressor::{Suppressor, SuppressorConfig};

use crate::battery::Noise;
use crate::echo::db;
use crate::speech::talker;

fn noises(length: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut random = Noise(5);
    let white: Vec<f32> = (0..length).map(|_| random.normal()).collect();
    let mut state = [0.0_f32; 3];
    let pink = (0..length)
        .map(|_| {
            let x = random.normal();
            for (slot, (pole, gain)) in
                state
                    .iter_mut()
                    .zip([(0.997, 0.03), (0.96, 0.1), (0.7, 0.3)])
            {
                *slot = pole * *slot + gain * x;
            }
            state.iter().sum()
        })
        .collect();
    let hum = (0..length)
        .map(|n| {
            let t = n as f32 / 8000.0 * std::f32::consts::TAU;
            (50.0 * t).sin()
                + 0.5 * (150.0 * t).sin()
                + 0.3 * (250.0 * t).sin()
                + 0.02 * random.normal()
        })
        .collect();
    // Traffic: pink noise that swells and fades within seconds.
    let mut low = 0.0_f32;
    let street = (0..length)
        .map(|n| {
            low = 0.98 * low + 0.2 * random.normal();
            let swell = 1.0 + 0.7 * (n as f32 / 8000.0 * 0.9).sin();
            low * swell
        })
        .collect();
    vec![
        ("white", white),
        ("pink", pink),
        ("hum", hum),
        ("street", street),
    ]
}

pub fn print() {
    println!("\n## Noise suppression, {:?}", SuppressorConfig::default());
    let length = 20 * 8000;
    let speech = talker(20.0, 40, 130.0);
    for (name, noise) in noises(length) {
        for snr in [5.0_f32, 15.0] {
            let rms = 10.0_f32.powf(db(&noise) as f32 / 20.0);
            // Active speech is at -20 dBFS.
            let gain = 0.1 / 10.0_f32.powf(snr / 20.0) / rms;
            let noise: Vec<f32> = noise.iter().map(|s| s * gain).collect();
            let mut suppressor = Suppressor::new(SuppressorConfig::default());
            let mut heard = Vec::new();
            for n in (0..length).step_by(BLOCK) {
                // Four seconds of noise alone.
                let talks = if n < 32_000 { 0.0 } else { 1.0 };
                let mut block: [f32; BLOCK] =
                    std::array::from_fn(|i| noise[n + i] + talks * speech[n + i]);
                suppressor.process(&mut block, None);
                heard.extend(block);
            }
            let cut = db(&noise[16_000..32_000]) - db(&heard[16_000..32_000]);
            let range = 40_000..length - BLOCK;
            let wanted: Vec<f32> = range.clone().map(|n| speech[n]).collect();
            let before: Vec<f32> = range.clone().map(|n| noise[n]).collect();
            let left: Vec<f32> = range.map(|n| heard[n + 56] - speech[n]).collect();
            println!(
                "{name:<8} {snr:4.0} dB: noise alone down {cut:5.1} dB, error against clean speech {:+5.1} dB -> {:+5.1} dB",
                db(&before) - db(&wanted),
                db(&left) - db(&wanted),
            );
        }
    }
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let start = Instant::now();
    for chunk in speech.chunks_exact(BLOCK) {
        let mut block: [f32; BLOCK] = chunk.try_into().unwrap_or([0.0; BLOCK]);
        suppressor.process(&mut block, None);
    }
    let each = start.elapsed().as_secs_f64() * 1e6 / (length / BLOCK) as f64;
    println!("cost: {each:.1} us per 10 ms");
    // Two minutes of digital silence: what decays must end, not become subnormal and slow.
    let mut last = 0.0_f64;
    for _ in 0..12 {
        let start = Instant::now();
        for _ in 0..1000 {
            suppressor.process(&mut [0.0; BLOCK], None);
        }
        last = start.elapsed().as_secs_f64() * 1e3;
    }
    println!("cost in digital silence: {last:.1} us per 10 ms after two minutes");
}
