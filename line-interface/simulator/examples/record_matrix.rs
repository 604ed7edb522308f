//! Records all taps of a switch during one call that the old handset answers, and prints the panel's
//! log: `cargo run --release -p line-simulation --example record_matrix BRAND SWITCH APARTMENT OUT.wav`.
//! `trubka line analyze OUT.wav --full-scale-volts 16 --switch SWITCH --channels ...` reads it.
#![allow(clippy::print_stdout)]

use line_interface::matrix::{Bus, TapLayout};
use line_interface::switch::{Addressing, Switch};
use line_interface::{DriveBlock, SAMPLE_RATE_HZ, SenseBlock};
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};

const FULL_SCALE_VOLTS: f32 = 16.0;
/// The resident lifts, presses, releases, replaces; the recording ends. Milliseconds.
const STEPS: [u64; 5] = [6000, 9000, 9500, 12_000, 18_000];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [brand, switch, apartment, out] = arguments.as_slice() else {
        return Err("BRAND SWITCH APARTMENT OUT.wav".into());
    };
    let apartment = apartment.parse()?;
    let switch = Switch::builtin(switch).ok_or("no such switch")?;
    let layout = TapLayout::new(&switch);
    let at = Addressing::new(switch, 1, false)?;
    let cell = at.cell(apartment).ok_or("no such apartment")?;
    let mut setup = MatrixSetup::new(brand, at)?;
    setup.noise_rms_volts = 0.05;
    setup.hum_volts = 1.0;
    let mut sim = MatrixSimulation::new(setup)?;
    sim.record();
    let spec = hound::WavSpec {
        channels: u16::try_from(layout.taps())?,
        sample_rate: SAMPLE_RATE_HZ,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(out, spec)?;
    let mut sense = SenseBlock::default();
    for ms in (0..STEPS[4]).step_by(10) {
        match ms {
            1000 => sim.dial(0, apartment),
            _ if ms == STEPS[0] => sim.lift(cell),
            _ if ms == STEPS[1] => sim.press(cell, true),
            _ if ms == STEPS[2] => sim.press(cell, false),
            _ if ms == STEPS[3] => sim.replace(cell),
            _ => {}
        }
        sim.step(&DriveBlock::default(), &mut sense);
        let taps = sim.recorded();
        for i in 0..line_interface::BLOCK_SAMPLES {
            for tap in taps {
                let v = tap.get(i).copied().unwrap_or(0.0) / FULL_SCALE_VOLTS;
                wav.write_sample((v.clamp(-1.0, 1.0) * 32767.0) as i16)?;
            }
        }
        while let Some((_, verdict)) = sim.poll_event() {
            println!("{:>6} ms {}", verdict.t.as_millis(), verdict.event.name());
        }
    }
    wav.finalize()?;
    let mut names = Vec::new();
    for module in (0_u8..).take(layout.modules().len()) {
        for (bus, letter) in [(Bus::Tens, 'D'), (Bus::Units, 'E')] {
            names.extend(
                (0..=u8::MAX)
                    .filter(|label| layout.index(module, bus, *label).is_some())
                    .map(|label| format!("{}:{letter}{label}", module + 1)),
            );
        }
    }
    println!("--channels {}", names.join(","));
    Ok(())
}
