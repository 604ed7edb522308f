//! `jitter-bench SPEECH.raw OUT`: our jitter buffer and the crate neteq over the same packets in the same virtual time. Prints one
//! JSON object for each network and buffer, and leaves what each played in `OUT/<network>-<buffer>.raw` (16 bit, 8 kHz).
//!
//! `dsp/bench/compare jitter` runs it, adds the quality and prints the table.

mod engines;
mod network;

use std::time::Duration;

use engines::{Buffer, Neteq, Ours};
use network::{NETWORKS, Network};

/// Time between two blocks that are played.
const BLOCK: Duration = Duration::from_millis(10);
const BLOCK_SAMPLES: usize = 80;

/// What a buffer did with one network.
struct Run {
    played: Vec<i16>,
    /// Sound that waited after each block, ms.
    held_ms: Vec<f64>,
    concealed_percent: f64,
}

fn run(network: &Network, speech: &[i16], buffer: &mut dyn Buffer) -> Run {
    let packets = network.packets(speech);
    let first = packets.first().map_or(Duration::ZERO, |packet| packet.at);
    let mut waiting = packets.iter().peekable();
    let (mut played, mut held_ms) = (Vec::new(), Vec::new());
    let blocks = speech.len() / BLOCK_SAMPLES;
    for block in 0..blocks as u32 {
        // The line's clock has a phase of its own against the packets.
        let now = BLOCK * block + Duration::from_micros(3700);
        while let Some(packet) = waiting.next_if(|packet| packet.at <= now) {
            web_time::set(packet.at);
            buffer.insert(packet);
        }
        web_time::set(now);
        played.extend(buffer.pull(now));
        if now > first {
            held_ms.push(buffer.held_ms());
        }
    }
    Run {
        concealed_percent: 100.0 * buffer.concealed_ms() / (held_ms.len() as f64 * 10.0),
        played,
        held_ms,
    }
}

fn at(sorted: &[f64], part: f64) -> f64 {
    let index = (sorted.len().saturating_sub(1)) as f64 * part;
    sorted.get(index as usize).copied().unwrap_or(f64::NAN)
}

/// How much later than it was said half a second of every two is played, ms, by the best likeness; pauses are left out.
fn lags_ms(said: &[i16], played: &[i16]) -> Vec<f64> {
    const WINDOW: usize = 4000;
    const LONGEST: usize = 4800;
    let energy = |part: &[i16]| part.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let mut lags = Vec::new();
    for from in (LONGEST + 16_000..played.len() - WINDOW).step_by(16_000) {
        let window = &played[from..from + WINDOW];
        if energy(window) < WINDOW as f64 * 200.0_f64.powi(2) {
            continue;
        }
        let likeness = |lag: usize| {
            let other = &said[from - lag..from - lag + WINDOW];
            let product: f64 = window
                .iter()
                .zip(other)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum();
            product / (energy(other) * energy(window)).sqrt().max(1.0)
        };
        let best_of = |lags: std::iter::StepBy<std::ops::Range<usize>>| {
            lags.map(|lag| (likeness(lag), lag))
                .max_by(|a, b| a.0.total_cmp(&b.0))
        };
        // Speech of 3.4 kHz at the most: half a millisecond apart its likeness has peaks that are not missed by more than a bit.
        let best = best_of((0..LONGEST).step_by(4))
            .and_then(|(_, near)| best_of((near.saturating_sub(4)..near + 4).step_by(1)));
        // A window in which time was stretched or much was made up says nothing about the delay.
        if let Some((likeness, lag)) = best
            && likeness > 0.8
        {
            lags.push(lag as f64 / 8.0);
        }
    }
    lags.sort_by(f64::total_cmp);
    lags
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(speech), Some(out)) = (arguments.next(), arguments.next()) else {
        eprintln!("jitter-bench SPEECH.raw OUT");
        std::process::exit(2);
    };
    let bytes = std::fs::read(&speech).expect("the speech");
    let speech: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|two| i16::from_le_bytes([two[0], two[1]]))
        .collect();
    for network in &NETWORKS {
        for name in ["ours", "neteq"] {
            let mut buffer: Box<dyn Buffer> = match name {
                "ours" => Box::new(Ours::new()),
                _ => Box::new(Neteq::new()),
            };
            let result = run(network, &speech, &mut *buffer);
            let mut held = result.held_ms.clone();
            held.sort_by(f64::total_cmp);
            let lags = lags_ms(&speech, &result.played);
            // What no buffer can save: the time to fill a packet and the network's least delay.
            let beyond = |part| at(&lags, part) - 20.0 - network::LEAST_DELAY_MS;
            println!(
                "{{\"network\": \"{}\", \"buffer\": \"{name}\", \"held_mean_ms\": {:.1}, \"held_p95_ms\": {:.1}, \
                 \"held_max_ms\": {:.1}, \"concealed_percent\": {:.3}, \"delay_median_ms\": {:.1}, \"delay_max_ms\": {:.1}}}",
                network.name,
                held.iter().sum::<f64>() / held.len() as f64,
                at(&held, 0.95),
                at(&held, 1.0),
                result.concealed_percent,
                beyond(0.5),
                beyond(1.0),
            );
            let raw: Vec<u8> = result.played.iter().flat_map(|s| s.to_le_bytes()).collect();
            std::fs::write(format!("{out}/{}-{name}.raw", network.name), raw).expect("the sound");
        }
    }
}
