//! Feedback in a closed loop is found and stopped; speech, keys and tones are left alone.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "../benches/figures/battery.rs"]
mod battery;
#[allow(dead_code)]
#[path = "../benches/figures/speech.rs"]
mod speech;

use battery::{Burst, Noise};
use dsp::howl::{HowlDetector, HowlGuard};
use dsp::tone::{Cadence, ToneGenerator};
use speech::*;

/// A talker before a microphone whose sound comes back from the loudspeaker: `delay` samples later, through `path`, clipped.
/// Gives what the loudspeaker plays, and how often a notch was set.
fn closed_loop(
    loop_gain: f32,
    delay: usize,
    seconds: f32,
    seed: u64,
    guarded: bool,
) -> (Vec<f32>, u64) {
    let talk = speech_like(seconds, seed, 130.0);
    let mut path = acoustic(4, 4.0, 160, 0.0, seed + 3);
    // A panel's loudspeaker gives little below 500 Hz.
    for _ in 0..3 {
        let (mut low, mut last) = (0.0, 0.0);
        for tap in &mut path {
            low = 0.7 * (low + *tap - last);
            last = *tap;
            *tap = low;
        }
    }
    // The loop's gain is that of the path where it is loudest.
    let loudest = (1..400)
        .map(|k| response(&path, k as f32 * 10.0))
        .fold(0.0, f32::max);
    path.iter_mut().for_each(|tap| *tap /= loudest);
    let mut guard = HowlGuard::new();
    let mut played = vec![0.0_f32; talk.len() + 80];
    let mut noise = Noise(seed);
    for n in (0..talk.len() / 80 * 80).step_by(80) {
        let mut block = [0.0; 80];
        for (i, slot) in block.iter_mut().enumerate() {
            let back: f32 = path
                .iter()
                .enumerate()
                .filter_map(|(k, tap)| Some(tap * played[(n + i).checked_sub(k + delay)?]))
                .sum();
            *slot = 0.3 * talk[n + i] + loop_gain * back + 1e-4 * noise.normal();
        }
        if guarded {
            guard.process(&mut block);
        }
        for (slot, sample) in played[n..n + 80].iter_mut().zip(block) {
            *slot = sample.clamp(-1.0, 1.0);
        }
    }
    (played, guard.stopped())
}

/// Magnitude of the path at `hz`.
fn response(path: &[f32], hz: f32) -> f32 {
    let step = std::f32::consts::TAU * hz / 8000.0;
    let re: f32 = path
        .iter()
        .enumerate()
        .map(|(n, tap)| tap * (step * n as f32).cos())
        .sum();
    let im: f32 = path
        .iter()
        .enumerate()
        .map(|(n, tap)| tap * (step * n as f32).sin())
        .sum();
    re.hypot(im)
}

fn rms_db(samples: &[f32]) -> f32 {
    10.0 * (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32 + 1e-12).log10()
}

#[test]
fn feedback_in_a_loop_is_stopped() {
    for (seed, gain) in [(0, 1.1), (1, 1.15), (2, 1.2), (3, 1.3)] {
        let (howling, _) = closed_loop(gain, 240, 20.0, seed, false);
        let (guarded, notches) = closed_loop(gain, 240, 20.0, seed, true);
        let before = rms_db(&howling[80_000..160_000]);
        let after = rms_db(&guarded[80_000..160_000]);
        eprintln!("loop {seed}: {before:.1} dB without, {after:.1} dB with {notches} notches");
        assert!(before > -10.0, "the loop does howl: {before:.1} dB");
        assert!(notches >= 1);
        assert!(
            after < before - 12.0,
            "{before:.1} dB without, {after:.1} dB with the guard"
        );
    }
}

#[test]
fn speech_keys_and_tones_are_left_alone() {
    let mut sound = speech_like(60.0, 3, 110.0);
    sound.extend(speech_like(60.0, 4, 220.0));
    for digit in "159D#".chars() {
        let mut burst = vec![0.0; 12_000];
        Burst::new(digit, 1000.0, -10.0).add(&mut burst, 1000, &mut Noise(7));
        sound.extend(burst);
    }
    for cadence in [
        Cadence {
            on_ms: 1000,
            off_ms: 4000,
        },
        Cadence {
            on_ms: 350,
            off_ms: 350,
        },
        Cadence::CONTINUOUS,
    ] {
        let mut tone = vec![0.0; 80_000];
        ToneGenerator::new([(425.0, -12.0), (0.0, 0.0)], cadence).fill(&mut tone);
        sound.extend(tone);
    }
    let mut detector = HowlDetector::new();
    let mut found = Vec::new();
    for (n, chunk) in sound.chunks(80).enumerate() {
        detector.process(chunk);
        if let Some(howl) = detector.take() {
            found.push((n as f32 / 100.0, howl));
        }
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_growing_tone_is_found_at_its_frequency_before_it_is_loud() {
    let mut detector = HowlDetector::new();
    let mut tone = vec![0.0; 16_000];
    ToneGenerator::sine(1234.0, 0.0).fill(&mut tone);
    // 60 dB a second from -70 dBFS on.
    let mut found = None;
    for (n, sample) in tone.iter().enumerate() {
        let gain = 10.0_f32.powf((-70.0 + 60.0 * n as f32 / 8000.0).min(0.0) / 20.0);
        detector.process(&[sample * gain]);
        found = found.or(detector.take());
    }
    let howl = found.unwrap();
    assert!((howl.hz - 1234.0).abs() < 4.0, "{howl:?}");
    assert!(howl.level_db < -30.0, "{howl:?}");
}

#[test]
fn nonsense_does_not_stay() {
    let mut guard = HowlGuard::new();
    for _ in 0..100 {
        guard.process(&mut [f32::NAN; 77]);
        guard.process(&mut [f32::INFINITY; 3]);
    }
    let mut block = [0.25; 160];
    guard.process(&mut block);
    assert_eq!(block, [0.25; 160]);
}
