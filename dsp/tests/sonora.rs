//! Why sonora is no engine for calls, pinned: what it delays and what it does to the near end in double talk, beside our own chain.

#![allow(missing_docs, clippy::unwrap_used)]

use dsp::Rate;
use dsp::echo::{BLOCK, EchoCanceller, EchoSettings};
use dsp::sonora::SonoraEngine;
use dsp::suppressor::{Suppressor, SuppressorConfig};

/// Noise in syllables.
fn babble(seconds: usize, seed: u32) -> Vec<f32> {
    let (mut state, mut low) = (seed, 0.0);
    (0..seconds * 8000)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low += 0.3 * ((state >> 8) as f32 / 8_388_608.0 - 1.0 - low);
            0.3 * low * (1.0 + (n as f32 / 1200.0 + seed as f32).sin())
        })
        .collect()
}

/// Output of an engine in which the near end begins after 8 s, under the far end.
fn double_talk(far: &[f32], near: &[f32], mut engine: impl FnMut(&[f32], &mut [f32])) -> Vec<f32> {
    let mut out: Vec<f32> = (0..far.len())
        .map(|n| {
            let echo = n.checked_sub(30).map_or(0.0, |at| 0.4 * far[at]);
            echo + if n < 64_000 { 0.0 } else { near[n] }
        })
        .collect();
    for (far, block) in far.chunks_exact(BLOCK).zip(out.chunks_exact_mut(BLOCK)) {
        engine(far, block);
    }
    out
}

/// How much of the near end is kept, dB, and how late it is, samples.
fn kept(near: &[f32], out: &[f32]) -> (f32, usize) {
    let range = 72_000..near.len() - 400;
    let own: f32 = range.clone().map(|n| near[n] * near[n]).sum();
    (0..300)
        .map(|late| {
            let sum: f32 = range.clone().map(|n| near[n] * out[n + late]).sum();
            (20.0 * (sum / own).max(1e-3).log10(), late)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}

#[test]
fn it_delays_more_than_the_chain_may_and_keeps_less_of_the_near_end() {
    let (far, near) = (babble(16, 1), babble(16, 2));
    let mut engine = SonoraEngine::new(Rate::Hz8000, false);
    let other = kept(
        &near,
        &double_talk(&far, &near, |far, mic| engine.process(far, mic)),
    );
    let mut canceller = EchoCanceller::with(EchoSettings::default());
    let mut suppressor = Suppressor::new(SuppressorConfig::default());
    let own = kept(
        &near,
        &double_talk(&far, &near, |far, mic| {
            let report = canceller.process(far, mic);
            suppressor.process(mic, Some(report));
        }),
    );
    println!("kept and late: sonora {other:?}, own {own:?}");
    assert!(other.1 > 64 && own.1 <= 64, "sonora {other:?}, own {own:?}");
    assert!(
        own.0 > -2.0 && own.0 > other.0 + 3.0,
        "sonora {other:?}, own {own:?}"
    );
}

#[test]
fn nonsense_and_silence_leave_numbers() {
    let mut engine = SonoraEngine::new(Rate::Hz8000, true);
    for bad in [f32::NAN, f32::INFINITY, f32::MAX, 1e-42, 0.0] {
        for _ in 0..20 {
            let mut mic = [bad; BLOCK];
            engine.process(&[bad; BLOCK], &mut mic);
            assert!(mic.iter().all(|s| s.is_finite()), "{bad}");
        }
    }
}
