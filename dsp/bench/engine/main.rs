//! Runs our own processing over files for `dsp/bench/compare`. Jobs come on standard input, one a line; every job ends with one line of
//! JSON on standard output. Samples in files are 32-bit floats.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod dtmf;
mod echo;

use std::io::Read;

use dsp::concealment::Concealer;

fn main() {
    let what = std::env::args().nth(1).unwrap();
    let grade = std::env::args().nth(2).unwrap_or_default();
    match what.as_str() {
        "dtmf-hits" => return dtmf::hits(&grade),
        "dtmf-cost" => return dtmf::cost(&grade),
        _ => {}
    }
    let mut jobs = String::new();
    std::io::stdin().read_to_string(&mut jobs).unwrap();
    for job in jobs.lines() {
        let words: Vec<&str> = job.split_whitespace().collect();
        match what.as_str() {
            "own-linear" => echo::run(&words, true),
            "own-noise" => echo::noise(&words),
            "own-chain" => echo::chain(&words),
            "own-plc" => plc(&words),
            "own-full" => echo::run(&words, false),
            #[cfg(feature = "sonora")]
            "sonora" => echo::sonora(&words, false),
            #[cfg(feature = "sonora")]
            "sonora-ns" => echo::sonora(&words, true),
            other => panic!("nothing is called {other}"),
        }
    }
}

/// Samples of a file.
fn load(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

fn store(path: &str, samples: &[f32]) {
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    std::fs::write(path, bytes).unwrap();
}

/// Median and 99th percentile, us.
fn times(mut all: Vec<f64>) -> (f64, f64) {
    all.sort_by(f64::total_cmp);
    (all[all.len() / 2] * 1e6, all[all.len() * 99 / 100] * 1e6)
}

/// `in lost out`: 16-bit samples, one byte a packet of 20 ms that says whether it is lost.
fn plc(words: &[&str]) {
    let lost = std::fs::read(words[1]).unwrap();
    let bytes = std::fs::read(words[0]).unwrap();
    let mut samples: Vec<i16> = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|b| i16::from_le_bytes(*b))
        .collect();
    let mut concealer = Concealer::new();
    for (packet, lost) in samples.chunks_mut(160).zip(&lost) {
        for block in packet.chunks_mut(80) {
            if *lost == 1 {
                concealer.conceal(block);
            } else {
                concealer.good(block);
            }
        }
    }
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    std::fs::write(words[2], bytes).unwrap();
}
