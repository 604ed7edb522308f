//! Pairs: false rings of an idle line, rings missed and doors opened.

use std::time::Duration;

use line_interface::{DriveBlock, HandsetFitting, Line, LineEvent, Profile, SenseBlock};

use super::{Dice, Failure};
use crate::{Action, PanelEvent, Script, Setup, Simulation};

/// Brands of coordinate lines.
pub const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];
/// A call that is not through by then went wrong.
const CALL_BLOCKS: u32 = 4000;

/// Rings told in so many hours of an idle line, spread over all brands, with 150 mV of noise, 1 V of
/// hum, relay clicks and polling pulses.
///
/// # Errors
/// When a brand is missing.
pub fn idle_rings(hours: f64) -> Result<u64, Failure> {
    let mut false_rings = 0;
    let blocks = (hours * 360_000.0 / BRANDS.len() as f64) as u64;
    for (n, brand) in (0_u64..).zip(BRANDS) {
        let mut setup = Setup::brand(brand)?;
        setup.seed = Dice::seed(n);
        setup.noise_volts = 0.15;
        setup.hum_volts = 1.0;
        setup.hum_hz = if n % 2 == 0 { 50.0 } else { 100.0 };
        let mut sim = Simulation::new(setup, Script::default())?;
        let profile = Profile::builtin(brand).ok_or("no profile")?;
        let mut line = Line::new(profile, HandsetFitting::Relayed);
        let mut dice = Dice::new(n + 100);
        let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        for block in 0..blocks {
            if block % 100 == 0 {
                match dice.below(12) {
                    0 => sim.act(&Action::Click),
                    1 => sim.act(&Action::Poll(Duration::from_millis(dice.between(5, 120)))),
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

/// What became of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// All.
    pub all: u64,
    /// Those whose ring was told.
    pub rang: u64,
    /// Those in which the panel's lock opened.
    pub opened: u64,
}

/// Calls of all brands in turn with parts spread by 10 %, answered and opened at random times.
///
/// # Errors
/// When a brand is missing, or the line refuses an answer or a release.
pub fn calls(count: u64) -> Result<Calls, Failure> {
    let mut done = Calls::default();
    for n in 0..count {
        let (rang, opened) = call(n)?;
        done.all += 1;
        done.rang += u64::from(rang);
        done.opened += u64::from(opened);
    }
    Ok(done)
}

/// One call: does it ring here, and does the panel's lock open?
fn call(n: u64) -> Result<(bool, bool), Failure> {
    let brand = BRANDS
        .get(n as usize % BRANDS.len())
        .copied()
        .unwrap_or("vizit");
    let setup = Setup::brand(brand)?.spread(Dice::seed(n), 0.1);
    let mut sim = Simulation::new(setup, Script::default())?;
    let profile = Profile::builtin(brand).ok_or("no profile")?;
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let mut dice = Dice::new(n + 1_000_000);
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let answer_after = Duration::from_millis(dice.below(6000));
    let open_after = Duration::from_millis(dice.below(3000));
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
