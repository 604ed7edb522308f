//! Prints the figures of `docs/reference/sound.md`: `cargo bench -p dsp`.
//!
//! One word selects a part: `cargo bench -p dsp --bench figures -- echo`. `DSP_SPEECH` may name a folder of 8 kHz mono
//! 16-bit WAV files with speech, which then take the place of the synthetic talkers.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::print_stdout
)]

#[allow(dead_code)]
mod battery;
mod chain;
mod dtmf;
mod echo;
mod noise;
mod others;
#[allow(dead_code)]
mod speech;

fn main() {
    // Cargo passes --bench; a further word selects one part.
    let only = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with("--"));
    let parts: [(&str, fn()); 5] = [
        ("dtmf", dtmf::print),
        ("echo", echo::print),
        ("noise", noise::print),
        ("chain", chain::print),
        ("others", others::print),
    ];
    for (name, print) in parts {
        if only.as_deref().is_none_or(|only| only == name) {
            print();
        }
    }
}
