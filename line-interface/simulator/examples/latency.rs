//! How soon a ring and a lifted handset are reported, over 100 lines of every brand:
//! `cargo run --release -p line-simulation --example latency`.
#![allow(clippy::print_stdout)]

use std::time::Duration;

use line_interface::{DriveBlock, HandsetFitting, Line, LineEvent, Profile, SenseBlock};
use line_simulation::{PanelEvent, Script, Setup, Simulation};

/// Blocks after which a call that goes wrong is given up.
const LIMIT: u32 = 6000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let (mut rings, mut lifts) = (Vec::new(), Vec::new());
        for n in 0..100_u8 {
            let mut seed = [0; 32];
            seed[0] = n;
            let mut sim =
                Simulation::new(Setup::brand(brand)?.spread(seed, 0.1), Script::default())?;
            let profile = Profile::builtin(brand).ok_or("no profile")?;
            let mut line = Line::new(profile, HandsetFitting::Relayed);
            let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
            sim.visitor_dial(u16::from(n));
            let (mut rang, mut lifted) = (Duration::ZERO, None);
            for _ in 0..LIMIT {
                drive.drive = line.drive();
                sim.step(&drive, &mut sense);
                let now = sim.now();
                line.handle_block(now, &sense);
                while let Some(stamped) = sim.poll_event() {
                    if stamped.event == PanelEvent::Ringing {
                        rang = stamped.t;
                    }
                }
                let mut over = false;
                while let Some(event) = line.poll_event() {
                    match event {
                        LineEvent::RingConfirmed => {
                            rings.push((now - rang).as_millis());
                            line.answer(now)?;
                        }
                        LineEvent::OffHookSettled => {
                            lifted = Some(now);
                            sim.lift_handset();
                        }
                        LineEvent::HandsetLifted => {
                            lifts.push(lifted.map_or(0, |at| (now - at).as_millis()));
                            over = true;
                        }
                        _ => {}
                    }
                }
                if over {
                    break;
                }
            }
        }
        for (what, times) in [
            ("ring to RingConfirmed", rings),
            ("lift to HandsetLifted", lifts),
        ] {
            println!(
                "{brand:8} {what}: {} calls, {:?} to {:?} ms",
                times.len(),
                times.iter().min(),
                times.iter().max()
            );
        }
    }
    Ok(())
}
