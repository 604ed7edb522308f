//! How fast a switch with every handset is simulated, and what its reader costs:
//! `cargo run --release -p line-simulation --example matrix_speed`.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use line_interface::matrix::{MatrixReader, TapBlock, TapLayout};
use line_interface::switch::{Addressing, Switch};
use line_interface::{DriveBlock, HandsetFitting, Line, Profile, SenseBlock};
use line_simulation::PanelState;
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let switch = Switch::builtin("km100-7.1").ok_or("no switch")?;
    let mut setup = MatrixSetup::new("eltis", Addressing::new(switch.clone(), 1, false)?)?;
    setup.noise_rms_volts = 0.05;
    setup.hum_volts = 1.0;
    let mut sim = MatrixSimulation::new(setup)?;
    let mut sense = SenseBlock::default();
    let drive = DriveBlock::default();
    let mut seconds = |sim: &mut MatrixSimulation, what: &str, blocks: u32| {
        let start = Instant::now();
        for _ in 0..blocks {
            sim.step(&drive, &mut sense);
        }
        let took = start.elapsed().as_secs_f64();
        let simulated = f64::from(blocks) / 100.0;
        println!(
            "10 x 10 matrix, {what}: {simulated} s simulated in {took:.2} s, {:.0} times real time",
            simulated / took
        );
    };
    seconds(&mut sim, "at rest", 1000);
    sim.dial(0, 42);
    while sim.panel_state(0) != Some(PanelState::Ringing) {
        seconds(&mut sim, "dialling", 50);
    }
    seconds(&mut sim, "ringing", 500);

    let profile = Profile::builtin("eltis").ok_or("no profile")?;
    let mut reader = MatrixReader::new(&profile, &switch);
    let mut block = TapBlock::new(TapLayout::new(&switch).taps());
    for (i, v) in block.scan_mut(0).iter_mut().enumerate() {
        *v = i as f32;
    }
    let start = Instant::now();
    for _ in 0..100_000 {
        reader.handle_block(std::hint::black_box(&block));
    }
    println!(
        "matrix reader: {:.2} us per 10 ms block",
        start.elapsed().as_secs_f64() * 10.0
    );
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let mut sense = SenseBlock::default();
    for (i, v) in sense.line_volts.iter_mut().enumerate() {
        *v = if i % 13 < 6 { 2.5 } else { 0.1 };
    }
    let start = Instant::now();
    for i in 0..100_000 {
        line.handle_block(
            std::time::Duration::from_millis(i * 10),
            std::hint::black_box(&sense),
        );
    }
    println!(
        "pair detectors, in a ring burst: {:.2} us per 10 ms block",
        start.elapsed().as_secs_f64() * 10.0
    );
    Ok(())
}
