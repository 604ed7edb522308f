//! `rate far mic out`: canceller, and suppressor behind it.

use std::time::Instant;

use dsp::Rate;
use dsp::agc::AgcConfig;
use dsp::chain::{Chain, ChainConfig};
use dsp::echo::{EchoCanceller, EchoSettings};
use dsp::suppressor::{Suppressor, SuppressorConfig};

pub(crate) fn run(words: &[&str], linear_only: bool) {
    let (far, mic) = (crate::load(words[1]), crate::load(words[2]));
    let rate = Rate::of_hz(words[0].parse().unwrap()).unwrap();
    let settings = EchoSettings {
        rate,
        ..EchoSettings::default()
    };
    let mut canceller = EchoCanceller::with(settings);
    let mut suppressor = Suppressor::at(rate, SuppressorConfig::default());
    let mut out = mic;
    let mut spent = Vec::new();
    for (far, block) in far
        .chunks_exact(rate.block())
        .zip(out.chunks_exact_mut(rate.block()))
    {
        let start = Instant::now();
        let report = canceller.process(far, block);
        if !linear_only {
            suppressor.process(block, Some(report));
        }
        spent.push(start.elapsed().as_secs_f64());
    }
    crate::store(words[3], &out);
    let (median, p99) = crate::times(spent);
    println!("{{\"median_us\": {median:.2}, \"p99_us\": {p99:.2}}}");
}

/// `rate - noisy out`: the suppressor alone.
pub(crate) fn noise(words: &[&str]) {
    let rate = Rate::of_hz(words[0].parse().unwrap()).unwrap();
    let mut suppressor = Suppressor::at(rate, SuppressorConfig::default());
    let mut out = crate::load(words[2]);
    let mut spent = Vec::new();
    for block in out.chunks_exact_mut(rate.block()) {
        let start = Instant::now();
        suppressor.process(block, None);
        spent.push(start.elapsed().as_secs_f64());
    }
    crate::store(words[3], &out);
    let (median, p99) = crate::times(spent);
    println!("{{\"median_us\": {median:.2}, \"p99_us\": {p99:.2}}}");
}

/// `rate far mic out`: both directions of the chain of a call, with automatic gain.
pub(crate) fn chain(words: &[&str]) {
    let rate = Rate::of_hz(words[0].parse().unwrap()).unwrap();
    let mut chain = Chain::new(ChainConfig {
        rate,
        agc: Some(AgcConfig::default()),
        ..ChainConfig::default()
    });
    let (mut far, mut out) = (crate::load(words[1]), crate::load(words[2]));
    let mut spent = Vec::new();
    for (far, block) in far
        .chunks_exact_mut(rate.block())
        .zip(out.chunks_exact_mut(rate.block()))
    {
        let start = Instant::now();
        chain.play(far);
        chain.hear(block);
        spent.push(start.elapsed().as_secs_f64());
    }
    crate::store(words[3], &out);
    let (median, p99) = crate::times(spent);
    let agc_db = chain.status().agc_db;
    println!("{{\"median_us\": {median:.2}, \"p99_us\": {p99:.2}, \"agc_db\": {agc_db:.2}}}");
}

/// The same with sonora.
#[cfg(feature = "sonora")]
pub(crate) fn sonora(words: &[&str], suppresses_noise: bool) {
    let (far, mic) = (crate::load(words[1]), crate::load(words[2]));
    let rate = Rate::of_hz(words[0].parse().unwrap()).unwrap();
    let mut engine = dsp::sonora::SonoraEngine::new(rate, suppresses_noise);
    let mut out = mic;
    let mut spent = Vec::new();
    for (far, block) in far
        .chunks_exact(rate.block())
        .zip(out.chunks_exact_mut(rate.block()))
    {
        let start = Instant::now();
        engine.process(far, block);
        spent.push(start.elapsed().as_secs_f64());
    }
    crate::store(words[3], &out);
    let (median, p99) = crate::times(spent);
    println!("{{\"median_us\": {median:.2}, \"p99_us\": {p99:.2}}}");
}
