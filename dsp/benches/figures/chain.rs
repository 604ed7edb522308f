//! What the chain of a call costs, alone and among two hundred, and how much it keeps in memory.

use std::hint::black_box;
use std::time::Instant;

use dsp::chain::{Chain, ChainConfig, EchoMode};
use dsp::echo::BLOCK;

use crate::battery::Noise;
use crate::speech::*;

/// Blocks of sound that are made; they begin anew.
const SOUND: usize = 3000;
/// Blocks before anything is measured, and how often it is.
const WARM: usize = 1500;
const ROUNDS: usize = 4;

/// What the phone says and what comes from the line. First the phone alone, then both, then the visitor alone.
struct Sound {
    far: Vec<f32>,
    mic: Vec<f32>,
}

fn sound(echo_share: f32) -> Sound {
    let seconds = (SOUND * BLOCK) as f32 / 8000.0;
    let far: Vec<f32> = talker(seconds, 10, 120.0);
    let near = talker(seconds, 1010, 190.0);
    let path = both(&hybrid(4, 9.0, 4), &acoustic(30, 10.0, 480, 12.0, 5));
    let part = |n: usize| (n * 3 / (SOUND * BLOCK)).min(2);
    let far: Vec<f32> = (0..far.len())
        .map(|n| if part(n) < 2 { far[n] } else { 0.0 })
        .collect();
    let mut noise = Noise(5);
    let mic = through(&path, &far)
        .iter()
        .enumerate()
        .map(|(n, echo)| {
            let near = if part(n) > 0 { near[n] } else { 0.0 };
            echo_share * echo + near + 0.000_56 * noise.normal()
        })
        .collect();
    Sound { far, mic }
}

fn run(chain: &mut Chain, sound: &Sound, block: usize) {
    let at = block % SOUND * BLOCK;
    let mut far: [f32; BLOCK] = sound.far[at..at + BLOCK].try_into().unwrap();
    let mut mic: [f32; BLOCK] = sound.mic[at..at + BLOCK].try_into().unwrap();
    chain.play(&mut far);
    chain.hear(&mut mic);
    black_box(mic);
}

/// Microseconds for 10 ms of each of so many calls: the best of some rounds. The calls are at different places of the sound, or one
/// goes through all of it.
fn cost_us(config: ChainConfig, sound: &Sound, calls: usize) -> f64 {
    let mut chains: Vec<Chain> = (0..calls).map(|_| Chain::new(config)).collect();
    let step = SOUND / calls;
    for (call, chain) in chains.iter_mut().enumerate() {
        for block in 0..WARM {
            run(chain, sound, call * step + block);
        }
    }
    let window = 2 * SOUND / calls.min(20);
    let mut best = f64::MAX;
    for round in 0..ROUNDS {
        let began = Instant::now();
        for block in WARM + round * window..WARM + (round + 1) * window {
            for (call, chain) in chains.iter_mut().enumerate() {
                run(chain, sound, call * step + block);
            }
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / (window * calls) as f64);
    }
    best
}

pub fn print() {
    println!("\n## The chain of a call at 8 kHz");
    println!(
        "{:<34} {:>10} {:>12} {:>10}",
        "", "alone", "among 200", "state"
    );
    let echoes = [("", 1.0), (", no echo comes", 0.0)];
    for (mode, echo) in [
        ("no echo control", EchoMode::Off),
        ("linear", EchoMode::Linear),
        ("whole chain", EchoMode::Full),
    ] {
        for (name, share) in echoes {
            let config = ChainConfig {
                echo,
                ..ChainConfig::default()
            };
            let sound = sound(share);
            let mut made = None;
            let kept = allocation_counter::measure(|| made = Some(Chain::new(config)));
            let kib = (kept.bytes_current as usize + size_of::<Chain>()) as f64 / 1024.0;
            let alone = cost_us(config, &sound, 1);
            let among = cost_us(config, &sound, 200);
            println!("{mode:<11}{name:<23} {alone:7.2} us {among:9.2} us {kib:6.1} KiB");
        }
    }
}
