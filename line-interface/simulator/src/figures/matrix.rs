//! Switches: the apartment from the taps, for every pair, and under faults.

use line_interface::matrix::{
    Address, MatrixEvent, MatrixReader, SCAN_SAMPLES, TapBlock, TapLayout,
};
use line_interface::switch::{Cell, Switch};
use line_interface::{DriveSide, Profile};

use super::{Dice, Failure};
use crate::matrix::{BusParts, Buses, Fitted};
use crate::network::{Node, Part};

/// All modules of a switch at their operating points, with 50 mV rms of noise and 1 V of hum on the
/// taps, and their reader.
#[derive(Debug)]
pub struct TapBench {
    /// Order of the taps.
    pub layout: TapLayout,
    /// The circuits.
    pub modules: Vec<Buses>,
    /// Chance of this bench.
    pub dice: Dice,
    reader: MatrixReader,
    side: DriveSide,
    start: f32,
    /// Taps without power in the other half of a ring burst.
    pub unfed: Option<Vec<f32>>,
}

const NOISE_RMS_VOLTS: f32 = 0.05;
const HUM_VOLTS: f32 = 1.0;

impl TapBench {
    /// A switch with a handset at every crossing.
    ///
    /// # Errors
    /// When there is no such switch.
    pub fn new(name: &str, side: DriveSide, n: u64) -> Result<Self, Failure> {
        let switch = Switch::builtin(name).ok_or("no such switch")?;
        let layout = TapLayout::new(&switch);
        let mut profile = Profile::builtin("vizit").ok_or("no profile")?;
        profile.matrix.sourced.value = side;
        let module =
            |m: &line_interface::matrix::ModuleTaps| Buses::new(*m, side, BusParts::default());
        Ok(Self {
            modules: layout.modules().iter().map(module).collect(),
            reader: MatrixReader::new(&profile, &switch),
            layout,
            side,
            dice: Dice::new(n),
            start: 0.0,
            unfed: None,
        })
    }

    /// Every pair of the switch.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut all = Vec::new();
        for (module, m) in (0..).zip(self.layout.modules()) {
            for t in 0..m.tens as u8 {
                for u in 0..m.units as u8 {
                    all.push(Cell {
                        module,
                        tens: m.first_tens + t,
                        units: m.first_units + u,
                    });
                }
            }
        }
        all
    }

    /// Takes 5 % of the handsets away.
    pub fn lose_handsets(&mut self) {
        for cell in self.cells() {
            let module = usize::from(cell.module);
            if self.dice.below(20) == 0
                && let Some(m) = self.layout.modules().get(module)
                && let Some(buses) = self.modules.get_mut(module)
            {
                let tens = usize::from(cell.tens - m.first_tens);
                let units = usize::from(cell.units - m.first_units);
                buses.hang(tens, units, Fitted::Missing);
            }
        }
    }

    /// The switch turns to a pair, or away from it.
    pub fn select(&mut self, cell: Cell, on: bool) {
        let module = usize::from(cell.module);
        let Some(m) = self.layout.modules().get(module) else {
            return;
        };
        let (t, u) = (
            usize::from(cell.tens - m.first_tens),
            usize::from(cell.units - m.first_units),
        );
        let (fed, sunk) = match self.side {
            DriveSide::Tens => (t, u),
            DriveSide::Units => (u, t),
        };
        if let Some(buses) = self.modules.get_mut(module) {
            buses.feed(fed, on.then_some((11.0, 250.0)));
            buses.sink(sunk, on);
        }
    }

    /// All taps as they settle.
    ///
    /// # Errors
    /// When a network does not settle.
    pub fn taps(&mut self) -> Result<Vec<f32>, Failure> {
        let mut all = Vec::new();
        for (buses, m) in self.modules.iter_mut().zip(self.layout.modules()) {
            if !buses.network().settle() {
                return Err("a network does not settle".into());
            }
            all.extend((0..m.tens + m.units).map(|i| buses.tap(i) as f32));
        }
        Ok(all)
    }

    /// Taps while a pair is selected.
    ///
    /// # Errors
    /// As [`TapBench::taps`].
    pub fn taps_of(&mut self, cell: Cell) -> Result<Vec<f32>, Failure> {
        self.select(cell, true);
        let fed = self.taps();
        self.select(cell, false);
        fed
    }

    /// Reads for a while; returns every address that was believed on the way.
    pub fn read(&mut self, fed: &[f32], ms: u64) -> Vec<Address> {
        let mut seen = Vec::new();
        let mut block = TapBlock::new(self.layout.taps());
        for _ in 0..ms / 10 {
            for (scan, sample) in SCAN_SAMPLES.iter().enumerate() {
                let t = self.start + *sample as f32 / 8000.0;
                let hum = HUM_VOLTS * (std::f32::consts::TAU * 50.0 * t).sin();
                let high = (t * 617.0).fract() < 0.5;
                let shown = match &self.unfed {
                    Some(unfed) if !high => unfed,
                    _ => fed,
                };
                for (slot, v) in block.scan_mut(scan).iter_mut().zip(shown) {
                    *slot = v + hum + NOISE_RMS_VOLTS * self.dice.gauss();
                }
            }
            // Whole periods of the hum may be forgotten: small numbers keep their digits.
            self.start = (self.start + 0.01) % 1.0;
            match self.reader.handle_block(&block) {
                Some(MatrixEvent::Selected { cell, .. }) => seen.push(Address::Cell(cell)),
                Some(MatrixEvent::Ambiguous { doubt, .. }) => seen.push(Address::Doubtful(doubt)),
                Some(MatrixEvent::Released) => seen.push(Address::None),
                None => {}
            }
        }
        seen
    }
}

/// What became of apartments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apartments {
    /// All selections.
    pub all: u64,
    /// Read right, and nothing else meanwhile.
    pub right: u64,
    /// Ambiguous at some time.
    pub ambiguous: u64,
    /// Another apartment was read at some time.
    pub wrong: u64,
    /// Not seen.
    pub missed: u64,
    /// What went wrong first, for people.
    pub first_trouble: Option<String>,
}

impl Apartments {
    fn count(&mut self, wanted: Cell, seen: &[Address], what: impl Fn() -> String) {
        self.all += 1;
        let other = |a: &Address| matches!(a, Address::Cell(read) if *read != wanted);
        let doubtful = |a: &Address| matches!(a, Address::Doubtful(_));
        if seen.iter().any(other) {
            self.wrong += 1;
            self.first_trouble.get_or_insert_with(&what);
        } else if seen.iter().any(doubtful) {
            self.ambiguous += 1;
        } else if seen == [Address::Cell(wanted)] {
            self.right += 1;
        } else {
            self.missed += 1;
        }
    }
}

/// Every `step`th pair of every switch file, both drive sides (the mirrored one on every seventh of
/// these), 5 % of the handsets missing, selected, ringing, and released.
///
/// # Errors
/// When a network does not settle.
pub fn apartments(step: usize) -> Result<Apartments, Failure> {
    let mut done = Apartments::default();
    for (n, name) in (0_u64..).zip(Switch::builtin_names()) {
        for (side, step) in [(DriveSide::Tens, step), (DriveSide::Units, step * 7)] {
            let mut bench = TapBench::new(name, side, n)?;
            bench.lose_handsets();
            let rest = bench.taps()?;
            for cell in bench.cells().into_iter().step_by(step) {
                let fed = bench.taps_of(cell)?;
                let mut seen = bench.read(&fed, 100);
                bench.unfed = Some(rest.clone());
                seen.extend(bench.read(&fed, 60));
                bench.unfed = None;
                seen.extend(bench.read(&fed, 60));
                let released = bench.read(&rest, 80) == [Address::None];
                if !released {
                    seen.push(Address::None);
                }
                done.count(cell, &seen, || {
                    format!("{name} {side:?} {cell:?}: {seen:?}")
                });
                if done.right + 1 < done.all && done.first_trouble.is_none() {
                    done.first_trouble = Some(format!("{name} {side:?} {cell:?}: {seen:?}"));
                }
            }
        }
    }
    Ok(done)
}

/// A single fault of a module.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Short(usize, usize),
    Leak(usize, f64),
    Foreign(usize, f64),
    Hung(usize, usize, Fitted),
}

impl Trouble {
    /// Faults of every kind at `places` random places.
    fn all(tens: usize, units: usize, places: usize, dice: &mut Dice) -> Vec<Self> {
        let mut all = Vec::new();
        for _ in 0..places {
            let mut line = || dice.below((tens + units) as u64) as usize;
            let (a, b) = (line(), line());
            if a != b {
                all.push(Self::Short(a, b));
            }
            all.extend([1.0, 100.0, 1e4, 1e5].map(|ohms| Self::Leak(a, ohms)));
            all.extend([-12.0, 1.5, 3.0, 5.0, 12.0, 24.0].map(|volts| Self::Foreign(a, volts)));
            let t = dice.below(tens as u64) as usize;
            let u = dice.below(units as u64) as usize;
            all.extend(
                [
                    Fitted::OffHook,
                    Fitted::Button,
                    Fitted::Missing,
                    Fitted::Reversed,
                    Fitted::Shorted,
                    Fitted::BodyDiode,
                ]
                .map(|what| Self::Hung(t, u, what)),
            );
        }
        all
    }

    fn inject(self, buses: &mut Buses, tens: usize) {
        let node = |buses: &Buses, i: usize| {
            if i < tens {
                buses.tens(i)
            } else {
                buses.units(i - tens)
            }
        };
        match self {
            Self::Short(a, b) => {
                let (a, b) = (node(buses, a), node(buses, b));
                buses.network().place(a, b, Part::Resistor(1.0));
            }
            Self::Leak(a, ohms) => {
                let a = node(buses, a);
                buses.network().place(a, Node::GROUND, Part::Resistor(ohms));
            }
            Self::Foreign(a, volts) => {
                let a = node(buses, a);
                let part = Part::Source {
                    volts,
                    ohms: 1000.0,
                };
                buses.network().place(a, Node::GROUND, part);
            }
            Self::Hung(t, u, what) => buses.hang(t, u, what),
        }
    }
}

/// Selections under every single fault, `places` of each kind on five switches and both drive sides.
/// An address read while nothing is selected counts as wrong too.
///
/// # Errors
/// When a network does not settle.
pub fn faults(places: usize) -> Result<Apartments, Failure> {
    let mut done = Apartments::default();
    for name in ["km100-7.1", "com-25u", "km20-1", "bk-10", "com-160u"] {
        for side in [DriveSide::Tens, DriveSide::Units] {
            let probe = TapBench::new(name, side, 1)?;
            let Some(m) = probe.layout.modules().first().copied() else {
                continue;
            };
            let mut dice = Dice::new(99);
            for trouble in Trouble::all(m.tens, m.units, places, &mut dice) {
                let mut bench = TapBench::new(name, side, 7)?;
                if let Some(buses) = bench.modules.first_mut() {
                    trouble.inject(buses, m.tens);
                }
                let rest = bench.taps()?;
                let idle = bench.read(&rest, 300);
                if idle.iter().any(|a| matches!(a, Address::Cell(_))) {
                    done.wrong += 1;
                    let what = || format!("{name} {side:?} at rest, {trouble:?}: {idle:?}");
                    done.first_trouble.get_or_insert_with(what);
                }
                let all = bench.cells();
                for _ in 0..3 {
                    let at = dice.below(m.tens as u64 * m.units as u64) as usize;
                    let Some(cell) = all.get(at).copied() else {
                        continue;
                    };
                    let fed = bench.taps_of(cell)?;
                    let seen = bench.read(&fed, 200);
                    bench.read(&rest, 100);
                    done.count(cell, &seen, || {
                        format!("{name} {side:?} {trouble:?} {cell:?}: {seen:?}")
                    });
                }
            }
        }
    }
    Ok(done)
}
