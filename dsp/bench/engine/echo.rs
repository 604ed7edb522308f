//! `rate far mic out`: canceller, and suppressor behind it.

use std::time::Instant;

use dsp::Rate;
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
