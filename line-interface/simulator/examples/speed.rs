//! How fast one line is simulated: `cargo run --release -p line-simulation --example speed`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use line_interface::{DriveBlock, HandsetFitting, Line, Profile, SenseBlock};
use line_simulation::{Script, Setup, Simulation};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let profile = Profile::builtin("vizit").ok_or("no profile")?;
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..10 {
        let mut sim = Simulation::new(Setup::brand("vizit")?, Script::default())?;
        let mut line = Line::new(profile.clone(), HandsetFitting::Relayed);
        let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        let words: Vec<i16> = (0..8000 * 35)
            .map(|i| ((i * 7919) % 20_000 - 10_000) as i16)
            .collect();
        sim.visitor_say(&words);
        sim.visitor_dial(42);
        let (mut simulating, mut whole) = (0.0, 0.0);
        for block in 0..6000_i32 {
            let start = Instant::now();
            drive.drive = line.drive();
            drive.audio = [(block % 100 * 50) as i16; 80];
            sim.step(&drive, &mut sense);
            simulating += start.elapsed().as_secs_f64();
            line.handle_block(sim.now(), &sense);
            if block == 500 {
                line.answer(sim.now())?;
            }
            whole += start.elapsed().as_secs_f64();
        }
        best = (best.0.min(simulating), best.1.min(whole));
    }
    println!(
        "60 s of call simulated in {:.1} ms, {:.0} samples/s",
        best.0 * 1e3,
        480_000.0 / best.0
    );
    println!(
        "with the gateway's line state machine {:.1} ms",
        best.1 * 1e3
    );
    Ok(())
}
