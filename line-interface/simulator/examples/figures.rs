//! The figures of the pair: false rings in a day of an idle line, rings missed and doors opened over
//! many calls with spread parts. `cargo run --release -p line-simulation --example figures [HOURS] [CALLS]`.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use line_interface::{DriveBlock, HandsetFitting, Line, LineEvent, Profile, SenseBlock};
use line_simulation::{Action, PanelEvent, Script, Setup, Simulation};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];
/// A call that is not through by then went wrong.
const CALL_BLOCKS: u32 = 4000;

type Failure = Box<dyn std::error::Error>;

fn seed(n: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    if let Some(part) = seed.first_chunk_mut::<8>() {
        *part = n.to_le_bytes();
    }
    seed
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| match arguments.next() {
        Some(text) => text.parse(),
        None => Ok(default),
    };
    let (hours, calls) = (number(24)?, number(10_000)?);
    let start = Instant::now();
    let false_rings = idle(hours)?;
    println!(
        "idle line, {hours} h with noise, hum, clicks and polling over {} brands: {false_rings} false rings ({:.0} s)",
        BRANDS.len(),
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    let (mut rang, mut opened) = (0, 0);
    for n in 0..calls {
        let (ring, door) = call(n)?;
        rang += u64::from(ring);
        opened += u64::from(door);
    }
    println!(
        "{calls} calls with parts spread by 10 %: {} rings missed, {opened} doors opened ({:.0} s)",
        calls - rang,
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn idle(hours: u64) -> Result<u64, Failure> {
    let mut false_rings = 0;
    for (n, brand) in (0_u64..).zip(BRANDS) {
        let mut setup = Setup::brand(brand)?;
        setup.seed = seed(n);
        setup.noise_volts = 0.15;
        setup.hum_volts = 1.0;
        setup.hum_hz = if n % 2 == 0 { 50.0 } else { 100.0 };
        let mut sim = Simulation::new(setup, Script::default())?;
        let profile = Profile::builtin(brand).ok_or("no profile")?;
        let mut line = Line::new(profile, HandsetFitting::Relayed);
        let mut rng = ChaCha12Rng::from_seed(seed(n + 100));
        let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        for block in 0..hours * 3600 * 100 / BRANDS.len() as u64 {
            if block % 100 == 0 {
                match rng.next_u32() % 12 {
                    0 => sim.act(&Action::Click),
                    1 => {
                        let ms = 5 + u64::from(rng.next_u32() % 116);
                        sim.act(&Action::Poll(Duration::from_millis(ms)));
                    }
                    _ => {}
                }
            }
            drive.drive = line.drive();
            sim.step(&drive, &mut sense);
            line.handle_block(sim.now(), &sense);
            while let Some(event) = line.poll_event() {
                false_rings += u64::from(event == LineEvent::RingConfirmed);
            }
            sim.heard_by_visitor().for_each(drop);
        }
    }
    Ok(false_rings)
}

/// One call: does it ring here, and does the panel's lock open?
fn call(n: u64) -> Result<(bool, bool), Failure> {
    let brand = BRANDS
        .get(n as usize % BRANDS.len())
        .copied()
        .unwrap_or("vizit");
    let mut sim = Simulation::new(Setup::brand(brand)?.spread(seed(n), 0.1), Script::default())?;
    let profile = Profile::builtin(brand).ok_or("no profile")?;
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let mut rng = ChaCha12Rng::from_seed(seed(n + 1_000_000));
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let answer_after = Duration::from_millis(u64::from(rng.next_u32() % 6000));
    let open_after = Duration::from_millis(u64::from(rng.next_u32() % 3000));
    let (mut rang, mut answered) = (None, None);
    let mut asked = false;
    sim.visitor_dial((n % 200) as u16 + 1);
    for _ in 0..CALL_BLOCKS {
        drive.drive = line.drive();
        sim.step(&drive, &mut sense);
        let now = sim.now();
        line.handle_block(now, &sense);
        while let Some(event) = line.poll_event() {
            if event == LineEvent::RingConfirmed {
                rang = rang.or(Some(now));
            }
        }
        if rang.is_some_and(|at| now >= at + answer_after) && answered.is_none() {
            line.answer(now)?;
            answered = Some(now);
        }
        if answered.is_some_and(|at| now >= at + open_after) && !asked {
            line.release_door(now, n)?;
            asked = true;
        }
        while let Some(verdict) = sim.poll_event() {
            if verdict.event == PanelEvent::LockOpened {
                return Ok((true, true));
            }
        }
    }
    Ok((rang.is_some(), false))
}
