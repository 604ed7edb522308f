//! Runs our own processing over files for `dsp/bench/compare`. Jobs come on standard input, one a line; every job ends with one line of
//! JSON on standard output. Samples in files are 32-bit floats.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

mod echo;

use std::io::Read;

fn main() {
    let what = std::env::args().nth(1).unwrap();
    let mut jobs = String::new();
    std::io::stdin().read_to_string(&mut jobs).unwrap();
    for job in jobs.lines() {
        let words: Vec<&str> = job.split_whitespace().collect();
        match what.as_str() {
            "own-linear" => echo::run(&words, true),
            "own-full" => echo::run(&words, false),
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
