//! ERLE, double talk and cost of the echo canceller on the schedule of signal-processing facts 2.3: far end only 0-12 s, both
//! 12-20, far only 20-24, near only 24-28, another path from 28, far only 28-36.

use std::time::Instant;

use dsp::echo::{BLOCK, EchoCanceller};
use dsp::suppressor::{Suppressor, SuppressorConfig};

use crate::battery::Noise;
use crate::speech::*;

/// One scenario: what is there and what is heard.
pub struct Scene {
    pub name: &'static str,
    pub far: Vec<f32>,
    pub near: Vec<f32>,
    pub echo: Vec<f32>,
    pub line_noise: Vec<f32>,
}

pub fn scene(name: &'static str, path: &[f32], later: &[f32], clip: bool, seed: u64) -> Scene {
    let far = talker(36.0, seed, 120.0);
    let talk = talker(36.0, seed + 1000, 190.0);
    let speaks = |t: f32| (12.0..20.0).contains(&t) || (24.0..28.0).contains(&t);
    let near: Vec<f32> = talk
        .iter()
        .enumerate()
        .map(|(n, s)| if speaks(n as f32 / 8000.0) { *s } else { 0.0 })
        .collect();
    let far: Vec<f32> = far
        .iter()
        .enumerate()
        .map(|(n, s)| {
            if (24.0..28.0).contains(&(n as f32 / 8000.0)) {
                0.0
            } else {
                *s
            }
        })
        .collect();
    let played: Vec<f32> = far
        .iter()
        .map(|s| if clip { (s * 2.5).tanh() / 2.5 } else { *s })
        .collect();
    let mut echo = through(path, &played);
    let changed = through(later, &played);
    let at = 28 * 8000;
    echo[at..].copy_from_slice(&changed[at..]);
    let mut noise = Noise(seed + 5);
    // -65 dBFS.
    let line_noise = (0..far.len()).map(|_| 0.000_56 * noise.normal()).collect();
    Scene {
        name,
        far,
        near,
        echo,
        line_noise,
    }
}

pub fn scenes() -> Vec<Scene> {
    let hybrid_a = hybrid(4, 6.0, 1);
    let hybrid_b = hybrid(10, 12.0, 2);
    let room = acoustic(20, 12.0, 512, 6.0, 3);
    let comb = both(&hybrid(4, 9.0, 4), &acoustic(30, 10.0, 480, 12.0, 5));
    let comb_later = both(&hybrid(6, 9.0, 6), &acoustic(50, 10.0, 500, 12.0, 7));
    vec![
        scene("hybrid, ERL 6 dB", &hybrid_a, &hybrid_b, false, 10),
        scene("hybrid, ERL 12 dB", &hybrid_b, &hybrid_a, false, 20),
        scene(
            "acoustic 64 ms, 6 dB",
            &room,
            &acoustic(40, 12.0, 512, 6.0, 8),
            false,
            30,
        ),
        scene("hybrid + acoustic", &comb, &comb_later, false, 40),
        scene(
            "the same, loudspeaker distorts",
            &comb,
            &comb_later,
            true,
            40,
        ),
    ]
}

/// What comes out of the linear part, and out of the suppressor behind it.
pub fn run(scene: &Scene) -> (Vec<f32>, Vec<f32>) {
    let mut canceller = EchoCanceller::new(64);
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let (mut linear, mut clean) = (Vec::new(), Vec::new());
    for n in (0..scene.far.len() / BLOCK * BLOCK).step_by(BLOCK) {
        let far: [f32; BLOCK] = scene.far[n..n + BLOCK].try_into().unwrap();
        let mut mic: [f32; BLOCK] = std::array::from_fn(|i| {
            scene.echo[n + i] + scene.near[n + i] + scene.line_noise[n + i]
        });
        let report = canceller.process(&far, &mut mic);
        linear.extend(mic);
        suppressor.process(&mut mic, Some(report));
        clean.extend(mic);
    }
    (linear, clean)
}

pub fn db(signal: &[f32]) -> f64 {
    let sum: f64 = signal.iter().map(|s| f64::from(*s).powi(2)).sum();
    10.0 * (sum / signal.len() as f64 + 1e-12).log10()
}

/// Echo cut between two times, dB; `delay` of the output in samples.
pub fn erle(scene: &Scene, out: &[f32], delay: usize, from: f32, to: f32) -> f64 {
    let range = (from * 8000.0) as usize..(to * 8000.0) as usize;
    db(&scene.echo[range.clone()])
        - db(&out[range.start + delay..(range.end + delay).min(out.len())])
}

/// Echo left in double talk, against the near end: the near end subtracted from the output of the linear part.
pub fn double_talk(scene: &Scene, linear: &[f32], from: f32, to: f32) -> (f64, f64) {
    let range = (from * 8000.0) as usize..(to * 8000.0) as usize;
    let rest: Vec<f32> = range.clone().map(|n| linear[n] - scene.near[n]).collect();
    let projection: f64 = range
        .clone()
        .map(|n| f64::from(linear[n] * scene.near[n]))
        .sum();
    let own: f64 = range
        .clone()
        .map(|n| f64::from(scene.near[n]).powi(2))
        .sum();
    let loss = -20.0 * (projection / own).abs().log10();
    (db(&scene.echo[range]) - db(&rest), loss)
}

pub fn print() {
    println!("\n## Echo, 64 ms tail, synthetic speech (ERLE in dB, noise floor included)");
    println!(
        "{:<32} {:>5} {:>5} {:>6} | {:>6} {:>6} | {:>6} {:>6} {:>6} | {:>8} {:>8}",
        "", "1 s", "3 s", "steady", "dt cut", "loss", "after", "+1 s", "+3 s", "with sup", "+1 s"
    );
    for scene in scenes() {
        let (linear, clean) = run(&scene);
        let (cut, loss) = double_talk(&scene, &linear, 13.0, 20.0);
        println!(
            "{:<32} {:5.1} {:5.1} {:6.1} | {:6.1} {:6.1} | {:6.1} {:6.1} {:6.1} | {:8.1} {:8.1}",
            scene.name,
            erle(&scene, &linear, 0, 0.7, 1.3),
            erle(&scene, &linear, 0, 2.5, 3.5),
            erle(&scene, &linear, 0, 6.0, 12.0),
            cut,
            loss,
            erle(&scene, &linear, 0, 20.5, 21.5),
            erle(&scene, &linear, 0, 28.7, 29.3),
            erle(&scene, &linear, 0, 30.5, 31.5),
            erle(&scene, &clean, 56, 6.0, 12.0),
            erle(&scene, &clean, 56, 28.7, 29.3),
        );
    }
    cost();
}

fn cost() {
    let scene = &scenes()[2];
    let mut canceller = EchoCanceller::new(64);
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let (mut linear, mut full) = (Vec::new(), Vec::new());
    for n in (0..scene.far.len() / BLOCK * BLOCK).step_by(BLOCK) {
        let far: [f32; BLOCK] = scene.far[n..n + BLOCK].try_into().unwrap();
        let mut mic: [f32; BLOCK] = std::array::from_fn(|i| scene.echo[n + i]);
        let start = Instant::now();
        let report = canceller.process(&far, &mut mic);
        linear.push(start.elapsed());
        suppressor.process(&mut mic, Some(report));
        full.push(start.elapsed());
    }
    let mut last = 0.0_f64;
    for _ in 0..12 {
        let start = Instant::now();
        for _ in 0..1000 {
            canceller.process(&[0.0; BLOCK], &mut [0.0; BLOCK]);
        }
        last = start.elapsed().as_secs_f64() * 1e3;
    }
    println!("cost, linear, in digital silence: {last:.1} us per 10 ms after two minutes");
    for (name, times) in [("linear", &mut linear), ("with suppressor", &mut full)] {
        times.sort();
        let median = times[times.len() / 2].as_secs_f64() * 1e6;
        let p99 = times[times.len() * 99 / 100].as_secs_f64() * 1e6;
        println!("cost, {name}: median {median:.1} us, p99 {p99:.1} us per 10 ms");
    }
}
