//! The variant at a switch over models of its chips: multiplexers, crosspoint, the tie to the
//! panel's ground and the loads, in their order.

#![allow(clippy::unwrap_used, clippy::panic)]

mod chip_models;
mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chip_models::{Bus, Card, Pin, TALK, map, pin};
use common::Dice;
use embedded_hal::i2c;
use line_interface::chips::{
    ChipErrorKind, Conversions, Frame, MatrixCard, Sampler, Supplies, TAP_SELECT_MS, TapMux,
    TapScan, VISITS_PER_BLOCK,
};
use line_interface::matrix::{Address, Bus as Side, MatrixReader, TapBlock, TapLayout};
use line_interface::switch::{Cell, Switch};
use line_interface::{Drive, DriveSide, HandsetRelay, Load, Profile};
use line_simulation::matrix::{BusParts, Buses};

const GOOD: Supplies = Supplies {
    five_volts: 5.0,
    drive_rail_volts: 4.9,
    middle_volts: 2.5,
    zero_volts: 0.0,
};

/// All expanders of the card on one bus; looks at the whole card after every transfer.
#[derive(Clone)]
struct Whole(Vec<Rc<RefCell<Card>>>);

impl Whole {
    fn new(matrix: bool) -> Self {
        let mut all = vec![map().line_expander(), map().mux.address()];
        all.extend(map().crosspoint_expanders());
        let whole = Self(all.into_iter().map(Card::at).collect());
        // The strap of the variant is an input, low on the matrix.
        let levels = if matrix { 0 } else { pin("matrix_fitted") };
        whole.0[0].borrow_mut().registers[0x12..0x14].copy_from_slice(&u16::to_le_bytes(levels));
        whole
    }

    fn chip(&self, address: u8) -> &Rc<RefCell<Card>> {
        let found = self.0.iter().find(|c| c.borrow().address == address);
        found.unwrap()
    }

    fn watchdog(&self) -> Pin {
        Pin(Rc::clone(&self.0[0]), false)
    }

    /// Tens and units contacts that are closed.
    fn contacts(&self) -> (usize, usize) {
        let closed = |bus: &[line_interface::chips::Contact]| {
            let on = |c: &&line_interface::chips::Contact| {
                self.chip(c.expander).borrow().pins() & c.mask() != 0
            };
            bus.iter().filter(on).count()
        };
        (closed(&map().tens), closed(&map().units))
    }

    /// What must hold after every single transfer.
    fn check(&self) {
        let line = self.0[0].borrow().pins();
        let is = |name: &str| line & pin(name) != 0;
        let contacts = self.contacts();
        assert!(contacts.0 <= 1 && contacts.1 <= 1, "two lines of one bus");
        if is("scan") {
            assert_eq!(contacts, (0, 0), "contacts closed on the panel's ground");
        }
        assert!(
            !(is("bias_tens") && is("bias_units")),
            "both buses biased up"
        );
    }
}

impl i2c::ErrorType for Whole {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for Whole {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), i2c::ErrorKind> {
        let done = match self.0.iter().find(|c| c.borrow().address == address) {
            Some(card) => Bus(Rc::clone(card)).transaction(address, operations),
            None => Err(i2c::ErrorKind::NoAcknowledge(
                i2c::NoAcknowledgeSource::Address,
            )),
        };
        self.check();
        done
    }
}

fn loads(whole: &Whole) -> bool {
    let names = ["load_on_hook", "load_off_hook", "load_residue"];
    let pins = whole.0[0].borrow().pins();
    names.iter().any(|name| pins & pin(name) != 0)
}

#[test]
fn ground_contacts_and_loads_keep_their_order() {
    for side in [DriveSide::Tens, DriveSide::Units] {
        let whole = Whole::new(true);
        let mut card = MatrixCard::start(|| whole.clone(), whole.watchdog(), side, map()).unwrap();
        let mut now = Duration::ZERO;
        let mut block = |connect, drive| {
            now += Duration::from_millis(10);
            for chip in &whole.0 {
                chip.borrow_mut().now = now;
            }
            card.exchange(now, &GOOD, connect, drive).unwrap();
            let scan = whole.0[0].borrow().pins() & pin("scan") != 0;
            (scan, whole.contacts(), loads(&whole))
        };
        assert_eq!(block(None, Drive::SAFE), (true, (0, 0), false));
        // A load without a pair waits for ever.
        assert_eq!(block(None, TALK), (true, (0, 0), false));
        // The tie opens, then the contacts close, then the load comes.
        assert_eq!(block(Some((4, 2)), TALK), (false, (0, 0), false));
        assert_eq!(block(Some((4, 2)), TALK), (false, (1, 1), false));
        assert_eq!(block(Some((4, 2)), TALK), (false, (1, 1), true));
        // Another pair: the load goes, the contacts open, the others close, the load comes.
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(block(Some((21, 9)), TALK));
        }
        assert_eq!(seen.last(), Some(&(false, (1, 1), true)));
        let open = seen.iter().position(|s| s.1 == (0, 0)).unwrap();
        assert!(!seen[open].2 && seen.iter().all(|s| !s.0));
        // And back.
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(block(None, Drive::SAFE));
        }
        let (first, last) = (seen[0], seen[5]);
        assert!(
            first.2 && first.1 == (1, 1),
            "the relay gives back before the load goes"
        );
        assert_eq!(last, (true, (0, 0), false));
        let reversed = whole.0[0].borrow().pins() & pin("reverse") != 0;
        assert_eq!(reversed, side == DriveSide::Units);
        let up = whole.0[0].borrow().pins() & pin("bias_units") != 0;
        assert_eq!(up, side == DriveSide::Tens);
    }
}

#[test]
fn no_schedule_and_no_fault_breaks_the_order() {
    let pairs = [None, Some((0, 0)), Some((4, 2)), Some((17, 9))];
    let wanted = [Load::Off, Load::OnHook, Load::OffHook, Load::Residue];
    for n in 0..10 {
        let mut dice = Dice::new(n + 900);
        let whole = Whole::new(true);
        let start =
            || MatrixCard::start(|| whole.clone(), whole.watchdog(), DriveSide::Tens, map());
        let mut card = start().unwrap();
        for i in 0..400 {
            let chip = &whole.0[dice.below(whole.0.len() as u64) as usize];
            match dice.below(25) {
                0 => chip.borrow_mut().nacks = 1 + dice.below(3) as u32,
                1 => chip.borrow_mut().brown_out(),
                _ => {}
            }
            let drive = Drive {
                load: wanted[dice.below(4) as usize],
                relay: [HandsetRelay::Through, HandsetRelay::Isolated][dice.below(2) as usize],
            };
            let now = Duration::from_millis(10 * i);
            let connect = pairs[dice.below(4) as usize];
            if card.exchange(now, &GOOD, connect, drive).is_err() {
                for chip in &whole.0 {
                    chip.borrow_mut().nacks = 0;
                }
                drop(card);
                assert!(!loads(&whole));
                assert_eq!(whole.contacts(), (0, 0));
                card = start().unwrap();
            }
        }
        for chip in &whole.0 {
            chip.borrow_mut().nacks = 0;
        }
        card.stop().unwrap();
        assert!(!loads(&whole));
        assert_eq!(whole.contacts(), (0, 0));
    }
}

#[test]
fn the_pair_variant_is_not_taken_for_the_other() {
    let whole = Whole::new(false);
    let card = MatrixCard::start(|| whole.clone(), whole.watchdog(), DriveSide::Tens, map());
    let error = card.err().unwrap();
    assert_eq!(error.kind, ChipErrorKind::WrongChip);
    assert!(error.cause.contains("pair variant"));
}

/// Enabled multiplexer and its input, by the pins; `Err` when both are enabled.
fn routed(chip: &Card) -> Result<Option<(usize, u8)>, ()> {
    let bit = |bit: u8| chip.pins() >> bit & 1;
    // parameters.toml, [mux]: select on 9..12, enables on 13 and 14.
    let select = (0..4).fold(0, |all, i| all | (bit(9 + i) as u8) << i);
    match (bit(13), bit(14)) {
        (0, 0) => Ok(None),
        (1, 0) => Ok(Some((0, select))),
        (0, 1) => Ok(Some((1, select))),
        _ => Err(()),
    }
}

#[test]
fn the_multiplexers_join_no_two_lines_and_touch_no_third() {
    let chip = Card::at(map().mux.address());
    let mut mux = TapMux::start(Bus(Rc::clone(&chip)), map()).unwrap();
    assert_eq!(routed(&chip.borrow()), Ok(None));
    let line = |side, n| Some((side, n));
    let expected = [
        (line(Side::Tens, 0), Some((0, 0))),
        (line(Side::Tens, 15), Some((0, 15))),
        (line(Side::Units, 0), Some((1, 0))),
        (line(Side::Units, 9), Some((1, 9))),
        (line(Side::Tens, 16), Some((1, 10))),
        (line(Side::Tens, 21), Some((1, 15))),
        (None, None),
    ];
    let mut dice = Dice::new(5);
    for _ in 0..300 {
        let (want, pins) = expected[dice.below(7) as usize];
        let before = routed(&chip.borrow()).unwrap();
        let from = chip.borrow().writes.len();
        mux.select(want).unwrap();
        assert_eq!(routed(&chip.borrow()), Ok(pins));
        assert_eq!(mux.selected(), want);
        // Every state on the way, as the chip shows it after each write.
        for (_, latch) in &chip.borrow().writes[from..] {
            let mut shown = Card::at(map().mux.address());
            let shown = Rc::get_mut(&mut shown).unwrap().get_mut();
            shown.registers[0..2].copy_from_slice(&chip.borrow().registers[0..2]);
            shown.registers[0x14..0x16].copy_from_slice(&latch.to_le_bytes());
            let state = routed(shown).unwrap();
            assert!(state.is_none() || state == before || state == pins);
        }
    }
    for nowhere in [(Side::Tens, 22), (Side::Units, 10)] {
        let error = mux.select(Some(nowhere)).unwrap_err();
        assert_eq!(error.kind, ChipErrorKind::NoSuchChannel);
    }
    chip.borrow_mut().brown_out();
    assert_eq!(mux.check().unwrap_err().kind, ChipErrorKind::Reset);
    assert_eq!(mux.selected(), None);
    mux.select(Some((Side::Units, 3))).unwrap();
    mux.check().unwrap();
    chip.borrow_mut().nacks = 1;
    let error = mux.select(Some((Side::Units, 4))).unwrap_err();
    assert_eq!(
        (error.kind, mux.selected()),
        (ChipErrorKind::NoAnswer, None)
    );
    drop(mux);
    assert_eq!(routed(&chip.borrow()), Ok(None));
}

/// The converter behind the multiplexers: its tap channel sees the line that is selected, with a
/// time constant of 167 us, under hum.
struct Taps {
    chip: Rc<RefCell<Card>>,
    mux: TapMux<Bus>,
    buses: Buses,
    hum_volts: f64,
    /// The panel rings: it feeds only in every other half of this period, microseconds.
    chop_us: Option<f64>,
    quiet: Buses,
    now_us: f64,
    block_us: f64,
    level: f64,
    /// What to select in this block, and when.
    turns: Vec<(f64, Option<(Side, usize)>)>,
}

impl Taps {
    /// `quiet` is what the wires show in the pauses of a ring.
    fn new(buses: Buses, quiet: Buses, hum_volts: f64) -> Self {
        let chip = Card::at(map().mux.address());
        let mux = TapMux::start(Bus(Rc::clone(&chip)), map()).unwrap();
        Self {
            chip,
            mux,
            buses,
            hum_volts,
            chop_us: None,
            quiet,
            now_us: 0.0,
            block_us: 0.0,
            level: 0.0,
            turns: Vec::new(),
        }
    }

    fn line(&self) -> f64 {
        let side = |buses: &Buses| match routed(&self.chip.borrow()).unwrap() {
            None => 0.0,
            Some((0, input)) => buses.tap(usize::from(input)),
            Some((_, input)) if input < 10 => buses.tap(10 + usize::from(input)),
            // A tens line that this switch does not have.
            Some(_) => 0.0,
        };
        let fed = self
            .chop_us
            .is_none_or(|us| (self.now_us / us).fract() < 0.5);
        let volts = side(if fed { &self.buses } else { &self.quiet });
        volts + self.hum_volts * (std::f64::consts::TAU * 50.0 * self.now_us / 1e6).sin()
    }

    /// Block `n` from its beginning to its end, in which the lines whose turn it is are selected as late as they may be. True when
    /// `block` shows something.
    fn visit(&mut self, scan: &mut TapScan, n: u32, block: &mut TapBlock) -> bool {
        let late = f64::from(TAP_SELECT_MS) * 1000.0;
        self.block_us = f64::from(n) * 10_000.0;
        self.turns = vec![(5000.0 + late, scan.line(1)), (late, scan.line(0))];
        let mut plan = Sampler::new(&mut *self, 1_000_000, map());
        let readings = plan.read().unwrap().clone();
        for turn in 0..VISITS_PER_BLOCK {
            scan.take(Some(readings.tap_visit(turn)));
        }
        let rest = f64::from(n + 1) * 10_000.0 - self.now_us;
        self.wait(rest);
        scan.fill(block)
    }

    fn wait(&mut self, us: f64) {
        for _ in 0..us as usize {
            self.now_us += 1.0;
            if let Some((_, tap)) = self
                .turns
                .pop_if(|(at, _)| self.now_us - self.block_us >= *at)
            {
                self.mux.select(tap).unwrap();
            }
            let aim = self.line();
            self.level += (aim - self.level) / 167.0;
        }
    }
}

impl Conversions for &mut Taps {
    type Error = embedded_hal::spi::ErrorKind;

    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> Result<(), Self::Error> {
        for (frame, pause) in frames.iter_mut().zip(pauses_us) {
            let channel = (frame[0] & 1) << 2 | frame[1] >> 6;
            let map = map();
            let counts = if channel == map.tap.channel {
                (self.level as f32 / map.tap.scale.volts_per_count).round()
            } else if channel == map.mid_supply.channel || channel == map.half_supply.channel {
                2500.0
            } else {
                0.0
            };
            let counts = counts.clamp(0.0, 4095.0) as u16;
            *frame = [0xff, 0xe0 | (counts >> 8) as u8, counts as u8];
            self.wait(24.0 + f64::from(*pause));
        }
        Ok(())
    }
}

#[test]
fn one_converter_reads_the_apartment_through_the_multiplexers() {
    let switch = Switch::builtin("km100-7.1").unwrap();
    let layout = TapLayout::new(&switch);
    let module = layout.modules()[0];
    assert_eq!((module.tens, module.units), (10, 10));
    for (side, tens, units) in [
        (DriveSide::Tens, 4, 2),
        (DriveSide::Tens, 0, 0),
        (DriveSide::Units, 9, 9),
        (DriveSide::Units, 3, 7),
    ] {
        let mut profile = Profile::builtin("eltis").unwrap();
        profile.matrix.sourced.value = side;
        let mut buses = Buses::new(module, side, BusParts::default());
        let (fed, sunk) = match side {
            DriveSide::Tens => (tens, units),
            DriveSide::Units => (units, tens),
        };
        buses.sink(sunk, true);
        assert!(buses.network().settle());
        let quiet = buses.clone();
        buses.feed(fed, Some((11.0, 250.0)));
        assert!(buses.network().settle());

        let mut taps = Taps::new(buses, quiet, 0.5);
        let mut scan = TapScan::new(&layout).unwrap();
        let mut reader = MatrixReader::new(&profile, &switch);
        let mut block = TapBlock::new(layout.taps());
        let cell = Address::Cell(Cell {
            module: 0,
            tens: tens as u8,
            units: units as u8,
        });
        let mut known = None;
        for n in 0..150_u32 {
            // A ring burst says nothing and must not say anything wrong.
            if n == 60 {
                taps.chop_us = Some(1400.0);
            } else if n == 110 {
                taps.chop_us = None;
            }
            if taps.visit(&mut scan, n, &mut block) {
                reader.handle_block(&block);
            }
            match reader.address() {
                Address::None => assert!(known.is_none(), "lost in block {n}"),
                address => {
                    assert_eq!(address, cell, "block {n}");
                    known.get_or_insert(n);
                }
            }
        }
        let known = known.unwrap();
        assert!(known * 10 <= 400, "known after {} ms", known * 10);
    }
}

/// A quiet switch, then a panel that selects a pair at any moment: how long until the reader knows.
#[test]
#[allow(clippy::print_stdout)]
fn a_pair_that_the_panel_selects_is_searched_for_at_once() {
    let switch = Switch::builtin("km100-7.1").unwrap();
    let layout = TapLayout::new(&switch);
    let module = layout.modules()[0];
    for (hum_volts, limit_ms) in [(0.05, 240), (0.5, 340)] {
        let (mut most, mut sum, mut cases) = (0, 0, 0);
        for (case, side) in
            (0..24_usize).zip([DriveSide::Tens, DriveSide::Units].into_iter().cycle())
        {
            let (tens, units) = (case * 7 % 10, case * 3 % 10);
            let mut profile = Profile::builtin("eltis").unwrap();
            profile.matrix.sourced.value = side;
            let mut rest = Buses::new(module, side, BusParts::default());
            assert!(rest.network().settle());
            let (fed, sunk) = match side {
                DriveSide::Tens => (tens, units),
                DriveSide::Units => (units, tens),
            };
            let mut selected = rest.clone();
            selected.sink(sunk, true);
            selected.feed(fed, Some((11.0, 250.0)));
            assert!(selected.network().settle());
            let mut taps = Taps::new(rest.clone(), rest, hum_volts);
            let mut scan = TapScan::new(&layout).unwrap();
            let mut reader = MatrixReader::new(&profile, &switch);
            let mut block = TapBlock::new(layout.taps());
            let cell = Address::Cell(Cell {
                module: 0,
                tens: tens as u8,
                units: units as u8,
            });
            // Long enough to know the hum, then in any block of a round.
            let begin = 60 + case as u32;
            let mut known = None;
            for n in 0..begin + 60 {
                if n == begin {
                    taps.buses = selected.clone();
                }
                if taps.visit(&mut scan, n, &mut block) {
                    reader.handle_block(&block);
                }
                match reader.address() {
                    Address::None => assert!(known.is_none(), "lost in block {n}"),
                    address => {
                        assert_eq!(address, cell, "{side:?}, {hum_volts} V of hum, block {n}");
                        known.get_or_insert((n + 1 - begin) * 10);
                    }
                }
            }
            let known = known.unwrap();
            (most, sum, cases) = (most.max(known), sum + known, cases + 1);
        }
        println!(
            "{hum_volts} V of hum: known after {} ms, at most {most} ms",
            sum / cases
        );
        assert!(most <= limit_ms, "{hum_volts} V of hum: {most} ms");
    }
}

#[test]
fn a_switch_of_several_modules_is_too_much_for_one_card() {
    let several = Switch::builtin_names()
        .filter_map(Switch::builtin)
        .find(|switch| switch.module_tens.value.len() > 1)
        .unwrap();
    assert!(TapScan::new(&TapLayout::new(&several)).is_none());
}
