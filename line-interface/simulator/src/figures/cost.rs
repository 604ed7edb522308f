//! What detectors cost, and how fast the simulator is.

use std::hint::black_box;
use std::time::{Duration, Instant};

use line_interface::matrix::{MatrixReader, TapBlock, TapLayout};
use line_interface::switch::{Addressing, Switch};
use line_interface::{DriveBlock, HandsetFitting, Line, Profile, SenseBlock};

use super::Failure;
use crate::matrix::{MatrixSetup, MatrixSimulation};
use crate::{PanelState, Script, Setup, Simulation};

/// Cost of the detectors for each 10 ms, the least of several runs.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    /// A pair in a ring burst, microseconds.
    pub pair_us: f64,
    /// The reader of a 10 x 10 switch and the detectors of its pair, microseconds.
    pub matrix_us: f64,
}

/// Simulated seconds in a second of one core, the best of several runs.
#[derive(Debug, Clone, Copy)]
pub struct Speeds {
    /// A pair with speech both ways.
    pub pair: f64,
    /// A 10 x 10 switch with every handset, at rest.
    pub matrix_at_rest: f64,
    /// The same, ringing.
    pub matrix_ringing: f64,
    /// The same, in a talk with our sound on the line.
    pub matrix_talking: f64,
}

const RUNS: u32 = 7;
const BLOCKS: u32 = 20_000;

fn least(mut run: impl FnMut() -> f64) -> f64 {
    (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min)
}

/// Measures the detectors.
///
/// # Errors
/// When a brand or switch is missing.
pub fn costs() -> Result<Costs, Failure> {
    let profile = Profile::builtin("eltis").ok_or("no profile")?;
    let switch = Switch::builtin("km100-7.1").ok_or("no switch")?;
    let mut reader = MatrixReader::new(&profile, &switch);
    let mut taps = TapBlock::new(TapLayout::new(&switch).taps());
    for (i, v) in taps.scan_mut(0).iter_mut().enumerate() {
        *v = i as f32;
    }
    let per_block = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / f64::from(BLOCKS);
    let reader_us = least(|| {
        let start = Instant::now();
        for _ in 0..BLOCKS {
            reader.handle_block(black_box(&taps));
        }
        per_block(start)
    });
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let mut sense = SenseBlock::default();
    for (i, v) in sense.line_volts.iter_mut().enumerate() {
        *v = if i % 13 < 6 { 2.5 } else { 0.1 };
    }
    let mut now = Duration::ZERO;
    let pair_us = least(|| {
        let start = Instant::now();
        for _ in 0..BLOCKS {
            now += Duration::from_millis(10);
            line.handle_block(now, black_box(&sense));
            while line.poll_event().is_some() {}
        }
        per_block(start)
    });
    Ok(Costs {
        pair_us,
        matrix_us: reader_us + pair_us,
    })
}

/// Measures the simulator.
///
/// # Errors
/// When a brand or switch is missing, or a panel does not ring.
pub fn speeds() -> Result<Speeds, Failure> {
    Ok(Speeds {
        pair: best(pair)?,
        matrix_at_rest: best(|| matrix(Doing::Resting))?,
        matrix_ringing: best(|| matrix(Doing::Ringing))?,
        matrix_talking: best(|| matrix(Doing::Talking))?,
    })
}

fn best(run: impl Fn() -> Result<f64, Failure>) -> Result<f64, Failure> {
    (0..RUNS).try_fold(0.0, |best, _| Ok(run()?.max(best)))
}

/// A minute of a call on a pair.
fn pair() -> Result<f64, Failure> {
    let profile = Profile::builtin("vizit").ok_or("no profile")?;
    let mut sim = Simulation::new(Setup::brand("vizit")?, Script::default())?;
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let words: Vec<i16> = (0..8000 * 35)
        .map(|i| ((i * 7919) % 20_000 - 10_000) as i16)
        .collect();
    sim.visitor_say(&words);
    sim.visitor_dial(42);
    let mut took = Duration::ZERO;
    for block in 0..6000_i32 {
        drive.drive = line.drive();
        drive.audio = [(block % 100 * 50) as i16; 80];
        let start = Instant::now();
        sim.step(&drive, &mut sense);
        took += start.elapsed();
        line.handle_block(sim.now(), &sense);
        if block == 500 {
            line.answer(sim.now())?;
        }
    }
    Ok(60.0 / took.as_secs_f64())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    Resting,
    Ringing,
    Talking,
}

fn matrix(doing: Doing) -> Result<f64, Failure> {
    let switch = Switch::builtin("km100-7.1").ok_or("no switch")?;
    let addressing = Addressing::new(switch, 1, false)?;
    let cell = addressing.cell(42).ok_or("no apartment 42")?;
    let mut setup = MatrixSetup::new("eltis", addressing)?;
    setup.noise_rms_volts = 0.05;
    setup.hum_volts = 1.0;
    let mut sim = MatrixSimulation::new(setup)?;
    let (mut sense, mut drive) = (SenseBlock::default(), DriveBlock::default());
    if doing != Doing::Resting {
        sim.dial(0, 42);
        let mut patience = 2000;
        while sim.panel_state(0) != Some(PanelState::Ringing) {
            sim.step(&drive, &mut sense);
            patience -= 1;
            if patience == 0 {
                return Err("the panel does not ring".into());
            }
        }
    }
    if doing == Doing::Talking {
        drive.connect = Some(cell);
        drive.drive.load = line_interface::Load::OffHook;
        drive.drive.relay = line_interface::HandsetRelay::Isolated;
        for _ in 0..300 {
            sim.step(&drive, &mut sense);
        }
    }
    let blocks = 500;
    let start = Instant::now();
    for block in 0..blocks {
        for (i, v) in drive.audio.iter_mut().enumerate() {
            *v = ((block * 80 + i) * 7919 % 20_000) as i16 - 10_000;
        }
        sim.step(&drive, &mut sense);
    }
    Ok(blocks as f64 / 100.0 / start.elapsed().as_secs_f64())
}
