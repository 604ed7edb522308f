//! The apartment from the taps: right for every pair of every switch, never wrong under any fault.

#![allow(clippy::unwrap_used)]

mod common;

use common::Dice;
use line_interface::matrix::{
    Address, Doubt, MatrixEvent, MatrixReader, SCAN_SAMPLES, TapBlock, TapLayout,
};
use line_interface::switch::{Cell, Switch};
use line_interface::{DriveSide, Profile};
use line_simulation::matrix::{BusParts, Buses, Fitted};
use line_simulation::network::{Node, Part};

/// All modules of a switch at their operating points.
struct Bench {
    layout: TapLayout,
    modules: Vec<Buses>,
    reader: MatrixReader,
    side: DriveSide,
    dice: Dice,
    noise: f32,
    hum: f32,
    start: f32,
    /// Taps without power in the other half of a ring burst.
    unfed: Option<Vec<f32>>,
}

impl Bench {
    fn new(name: &str, side: DriveSide, n: u64) -> Self {
        let switch = Switch::builtin(name).unwrap();
        let layout = TapLayout::new(&switch);
        let mut profile = Profile::builtin("vizit").unwrap();
        profile.matrix.sourced.value = side;
        Self {
            modules: layout
                .modules()
                .iter()
                .map(|m| Buses::new(*m, side, BusParts::default()))
                .collect(),
            reader: MatrixReader::new(&profile, &switch),
            layout,
            side,
            dice: Dice::new(n),
            noise: 0.05,
            hum: 1.0,
            start: 0.0,
            unfed: None,
        }
    }

    fn keys(&self, cell: Cell) -> (usize, usize) {
        let m = self.layout.modules()[usize::from(cell.module)];
        let (t, u) = (
            usize::from(cell.tens - m.first_tens),
            usize::from(cell.units - m.first_units),
        );
        match self.side {
            DriveSide::Tens => (t, u),
            DriveSide::Units => (u, t),
        }
    }

    fn select(&mut self, cell: Cell, on: bool) {
        let (fed, sunk) = self.keys(cell);
        let b = &mut self.modules[usize::from(cell.module)];
        b.feed(fed, on.then_some((11.0, 250.0)));
        b.sink(sunk, on);
    }

    fn taps(&mut self) -> Vec<f32> {
        let mut all = Vec::new();
        for (b, m) in self.modules.iter_mut().zip(self.layout.modules()) {
            assert!(b.network().settle());
            all.extend((0..m.tens + m.units).map(|i| b.tap(i) as f32));
        }
        all
    }

    /// Reads for a while; returns every address that was believed on the way.
    fn read(&mut self, fed: &[f32], ms: u64) -> Vec<Address> {
        let mut seen = Vec::new();
        let mut block = TapBlock::new(self.layout.taps());
        for _ in 0..ms / 10 {
            for (scan, sample) in SCAN_SAMPLES.iter().enumerate() {
                let sample = *sample as f32 / 8000.0;
                let t = self.start + sample;
                let hum = self.hum * (std::f32::consts::TAU * 50.0 * t).sin();
                let high = (t * 617.0).fract() < 0.5;
                for (i, slot) in block.scan_mut(scan).iter_mut().enumerate() {
                    let v = match &self.unfed {
                        Some(unfed) if !high => unfed[i],
                        _ => fed[i],
                    };
                    *slot = v + hum + self.noise * gauss(&mut self.dice);
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

/// A number of normal distribution: four sums of two even ones from one draw.
fn gauss(dice: &mut Dice) -> f32 {
    let bits = dice.below(1 << 48);
    let part = |shift: u32| (bits >> shift & 0xfff) as f32 / 2048.0 - 1.0;
    (part(0) + part(12) + part(24) + part(36)) * 0.866
}

fn cells(layout: &TapLayout) -> Vec<Cell> {
    let mut all = Vec::new();
    for (module, m) in (0..).zip(layout.modules()) {
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

#[test]
fn every_apartment_of_every_switch_is_read_right_and_never_ambiguous() {
    let (mut right, mut all) = (0, 0);
    for (n, name) in (0_u64..).zip(Switch::builtin_names()) {
        for side in [DriveSide::Tens, DriveSide::Units] {
            let mut b = Bench::new(name, side, n);
            // 5 % of the handsets are missing.
            for cell in cells(&b.layout) {
                if b.dice.below(20) == 0 {
                    let m = b.layout.modules()[usize::from(cell.module)];
                    b.modules[usize::from(cell.module)].hang(
                        usize::from(cell.tens - m.first_tens),
                        usize::from(cell.units - m.first_units),
                        Fitted::Missing,
                    );
                }
            }
            let rest = b.taps();
            let mut cells = cells(&b.layout);
            if side == DriveSide::Units {
                // The mirrored side on a sample: it is the same code with the buses swapped.
                cells = cells.into_iter().step_by(7).collect();
            }
            for cell in cells {
                all += 1;
                b.select(cell, true);
                let fed = b.taps();
                b.select(cell, false);
                // Selected, ringing, selected, released.
                let mut seen = b.read(&fed, 100);
                b.unfed = Some(rest.clone());
                seen.extend(b.read(&fed, 60));
                b.unfed = None;
                seen.extend(b.read(&fed, 60));
                assert_eq!(seen, [Address::Cell(cell)], "{name} {side:?} {cell:?}");
                right += 1;
                assert_eq!(b.read(&rest, 80), [Address::None]);
            }
        }
    }
    assert_eq!(right, all);
    println!("apartments read right: {right} of {all}, ambiguous 0");
    assert!(all > 5000);
}

/// A fault's name and what it does.
type Named = (String, Box<dyn Fn(&mut Bench)>);

/// Every single fault of a module: a name, and what it does to the buses.
fn faults(tens: usize, units: usize, dice: &mut Dice) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    let lines = tens + units;
    let node = move |b: &Buses, i: usize| {
        if i < tens {
            b.tens(i)
        } else {
            b.units(i - tens)
        }
    };
    for _ in 0..14 {
        let (a, c) = (
            dice.below(lines as u64) as usize,
            dice.below(lines as u64) as usize,
        );
        if a != c {
            all.push((
                format!("short {a} {c}"),
                Box::new(move |b| {
                    let (x, y) = (node(&b.modules[0], a), node(&b.modules[0], c));
                    b.modules[0].network().place(x, y, Part::Resistor(1.0));
                }),
            ));
        }
        for ohms in [1.0, 100.0, 1e4, 1e5] {
            all.push((
                format!("leak {a} {ohms}"),
                Box::new(move |b| {
                    let x = node(&b.modules[0], a);
                    b.modules[0]
                        .network()
                        .place(x, Node::GROUND, Part::Resistor(ohms));
                }),
            ));
        }
        for volts in [-12.0, 1.5, 3.0, 5.0, 12.0, 24.0] {
            all.push((
                format!("foreign {a} {volts}"),
                Box::new(move |b| {
                    let x = node(&b.modules[0], a);
                    let part = Part::Source {
                        volts,
                        ohms: 1000.0,
                    };
                    b.modules[0].network().place(x, Node::GROUND, part);
                }),
            ));
        }
        let (t, u) = (
            dice.below(tens as u64) as usize,
            dice.below(units as u64) as usize,
        );
        for what in [
            Fitted::OffHook,
            Fitted::Button,
            Fitted::Missing,
            Fitted::Reversed,
            Fitted::Shorted,
            Fitted::BodyDiode,
        ] {
            all.push((
                format!("{what:?} {t} {u}"),
                Box::new(move |b| b.modules[0].hang(t, u, what)),
            ));
        }
    }
    all
}

#[test]
fn no_single_fault_ever_makes_a_wrong_apartment() {
    let (mut wrong, mut doubtful, mut right, mut missed) = (0, 0, 0, 0);
    for name in ["km100-7.1", "com-25u", "km20-1", "bk-10", "com-160u"] {
        for side in [DriveSide::Tens, DriveSide::Units] {
            let probe = Bench::new(name, side, 1);
            let m = probe.layout.modules()[0];
            let mut dice = Dice::new(99);
            for (what, fault) in faults(m.tens, m.units, &mut dice) {
                let mut b = Bench::new(name, side, 7);
                fault(&mut b);
                let rest = b.taps();
                for address in b.read(&rest, 300) {
                    assert!(
                        !matches!(address, Address::Cell(_)),
                        "{name} idle, {what}: {address:?}"
                    );
                }
                let all = cells(&b.layout);
                for _ in 0..3 {
                    let cell = all[dice.below(m.tens as u64 * m.units as u64) as usize];
                    b.select(cell, true);
                    let fed = b.taps();
                    b.select(cell, false);
                    let seen = b.read(&fed, 200);
                    b.read(&rest, 100);
                    match seen.last() {
                        Some(Address::Cell(read)) if *read == cell => right += 1,
                        Some(Address::Doubtful(_)) => doubtful += 1,
                        _ => missed += 1,
                    }
                    for address in seen {
                        if let Address::Cell(read) = address
                            && read != cell
                        {
                            wrong += 1;
                            println!("WRONG {name} {side:?} {what}: {cell:?} read as {read:?}");
                        }
                    }
                }
            }
        }
    }
    println!(
        "single faults: {right} right, {doubtful} ambiguous, {missed} not seen, {wrong} wrong"
    );
    assert_eq!(wrong, 0);
    assert!(right > 500 && doubtful > 100);
}

#[test]
fn a_tap_or_key_that_fails_is_told_and_never_another_apartment() {
    for i in 0..20 {
        for reading in [0.0, 5.0] {
            let mut b = Bench::new("km100-7.1", DriveSide::Tens, i);
            let mut rest = b.taps();
            rest[i as usize] = reading;
            for cell in cells(&b.layout).into_iter().step_by(9) {
                b.select(cell, true);
                let mut fed = b.taps();
                b.select(cell, false);
                fed[i as usize] = reading;
                for address in b.read(&fed, 200) {
                    if let Address::Cell(read) = address {
                        assert_eq!(read, cell, "tap {i} reads {reading}");
                    }
                }
                b.read(&rest, 100);
            }
        }
    }
}

#[test]
fn two_panels_and_bus_shorts_are_named() {
    let mut b = Bench::new("km100-7.1", DriveSide::Tens, 3);
    let cell = |tens, units| Cell {
        module: 0,
        tens,
        units,
    };
    b.select(cell(4, 2), true);
    b.select(cell(7, 5), true);
    let fed = b.taps();
    let seen = b.read(&fed, 300);
    assert!(
        matches!(seen.as_slice(), [Address::Doubtful(Doubt::TwoFed(_))]),
        "{seen:?}"
    );
    for (a, c) in [(4, 5), (12, 13)] {
        let mut b = Bench::new("km100-7.1", DriveSide::Tens, 3);
        let node = |b: &Buses, i: usize| if i < 10 { b.tens(i) } else { b.units(i - 10) };
        let (x, y) = (node(&b.modules[0], a), node(&b.modules[0], c));
        b.modules[0].network().place(x, y, Part::Resistor(1.0));
        b.select(cell(4, 2), true);
        let fed = b.taps();
        let seen = b.read(&fed, 300);
        assert_eq!(seen, [Address::Doubtful(Doubt::BusShort)], "{a} {c}");
        assert!(Doubt::BusShort.hint().contains("metal case"));
    }
}
