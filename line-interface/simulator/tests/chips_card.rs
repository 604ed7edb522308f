//! The card put together over models of its chips, wired to the electrical simulator: whole calls,
//! the order of everything that switches, and what happens when a chip fails.

#![allow(clippy::unwrap_used, clippy::panic)]

mod chip_models;
mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chip_models::{Bus, Card, Pin, TALK, map, on, pin, sane};
use common::{Dice, seed};
use line_interface::chips::{
    ChipErrorKind, Conversions, Frame, PairCard, Readings, Sampler, Sequence, Supplies, Switched,
};
use line_interface::{
    BlockReading, Drive, DriveBlock, HandsetFitting, HandsetRelay, Line, LineEvent, Load, Profile,
    SenseBlock,
};
use line_simulation::network::{Diode, Network, Node, Part};
use line_simulation::{PanelEvent, Script, Setup, Simulation};

const BLOCK: Duration = Duration::from_millis(10);

/// Supplies of a healthy card.
const GOOD: Supplies = Supplies {
    five_volts: 5.0,
    drive_rail_volts: 4.9,
    middle_volts: 2.5,
    zero_volts: 0.0,
};

/// The converter on a block of the simulator: 24 clocks at 1 MHz and what the driver of the bus
/// costs on top, for every conversion.
struct Converter {
    sense: Rc<RefCell<SenseBlock>>,
    card: Rc<RefCell<Card>>,
    overhead_us: f64,
    now_us: f64,
    /// When the line was read in this block.
    line_at_us: Vec<f64>,
}

impl Converter {
    fn counts(&self, channel: u8) -> u16 {
        let map = map();
        let sense = self.sense.borrow();
        let at = ((self.now_us / 125.0) as usize).min(79);
        let rail = if self.card.borrow().held() { 4.9 } else { 0.0 };
        let (measure, value) = [
            (map.line_volts, sense.line_volts[at]),
            (map.line_milliamps, sense.line_milliamps[at]),
            (map.handset_volts, sense.handset_volts[at]),
            (map.half_supply, 5.0),
            (map.half_drive_rail, rail),
            (map.mid_supply, 2.5),
            (map.zero, 0.0),
            (map.tap, 0.0),
        ]
        .into_iter()
        .find(|(measure, _)| measure.channel == channel)
        .unwrap();
        let counts = value / measure.scale.volts_per_count + measure.scale.zero_counts;
        counts.round().clamp(0.0, 4095.0) as u16
    }
}

impl Conversions for &mut Converter {
    type Error = embedded_hal::spi::ErrorKind;

    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> Result<(), Self::Error> {
        self.now_us = 0.0;
        self.line_at_us.clear();
        for (frame, pause) in frames.iter_mut().zip(pauses_us) {
            let channel = (frame[0] & 1) << 2 | frame[1] >> 6;
            if channel == map().line_volts.channel {
                self.line_at_us.push(self.now_us);
            }
            let counts = self.counts(channel);
            *frame = [0xff, 0xe0 | (counts >> 8) as u8, counts as u8];
            self.now_us += 24.0 + self.overhead_us + f64::from(*pause);
        }
        Ok(())
    }
}

/// What the pins do to the line.
fn driven(pins: u16) -> Drive {
    let is = |name: &str| pins & pin(name) != 0;
    // Both hook loads together hold the line like the heavier one.
    let load = if is("load_on_hook") {
        Load::OnHook
    } else if is("load_off_hook") {
        Load::OffHook
    } else if is("load_residue") {
        Load::Residue
    } else {
        Load::Off
    };
    let relay = if is("relay_isolate") {
        HandsetRelay::Isolated
    } else {
        HandsetRelay::Through
    };
    Drive { load, relay }
}

/// A whole building behind chips: only counts come back, only pins act.
struct Bench {
    sim: Simulation,
    line: Line,
    card: Rc<RefCell<Card>>,
    outputs: PairCard<Bus, Pin>,
    sense: Rc<RefCell<SenseBlock>>,
    events: Vec<LineEvent>,
    verdicts: Vec<PanelEvent>,
}

impl Bench {
    fn new(brand: &str, n: u64) -> Self {
        let setup = Setup::brand(brand).unwrap().spread(seed(n), 0.1);
        let profile = Profile::builtin(brand).unwrap();
        let card = Card::new();
        let outputs =
            PairCard::start(Bus(Rc::clone(&card)), Pin(Rc::clone(&card), false), map()).unwrap();
        Self {
            sim: Simulation::new(setup, Script::default()).unwrap(),
            line: Line::new(profile, HandsetFitting::Relayed),
            card,
            outputs,
            sense: Rc::default(),
            events: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    fn block(&mut self, sampler: &mut Sampler<&mut Converter>) {
        let drive = DriveBlock {
            drive: driven(self.card.borrow().switched()),
            ..DriveBlock::default()
        };
        self.sim.step(&drive, &mut self.sense.borrow_mut());
        let now = self.sim.now();
        self.card.borrow_mut().now = now;
        let readings = sampler.read().unwrap();
        let mut sense = SenseBlock::default();
        readings.fill(&mut sense);
        self.line.handle_block(now, &sense);
        let supplies = readings.supplies;
        self.outputs
            .exchange(now, &supplies, self.line.drive())
            .unwrap();
        assert!(sane(self.card.borrow().pins()));
        while let Some(event) = self.line.poll_event() {
            self.events.push(event);
        }
        while let Some(stamped) = self.sim.poll_event() {
            self.verdicts.push(stamped.event);
        }
    }
}

#[test]
fn a_visit_through_the_chips_opens_the_door_of_every_brand() {
    for brand in common::BRANDS {
        let mut bench = Bench::new(brand, 3);
        let mut converter = Converter {
            sense: Rc::clone(&bench.sense),
            card: Rc::clone(&bench.card),
            overhead_us: 6.0,
            now_us: 0.0,
            line_at_us: Vec::new(),
        };
        let mut sampler = Sampler::new(&mut converter, 1_000_000, map());
        let (mut answered, mut opening, mut hung_up) = (false, false, false);
        for i in 0..3000 {
            if i == 100 {
                bench.sim.visitor_dial(42);
            }
            bench.block(&mut sampler);
            let now = bench.sim.now();
            sampler.took(Duration::from_micros(114 * 30 + pauses(&sampler)));
            let seen = |wanted: fn(&LineEvent) -> bool| bench.events.iter().any(wanted);
            if !answered && seen(|e| matches!(e, LineEvent::RingConfirmed)) {
                bench.line.answer(now).unwrap();
                answered = true;
            } else if !opening && seen(|e| matches!(e, LineEvent::OffHookSettled)) {
                bench.line.release_door(now, 7).unwrap();
                opening = true;
            } else if !hung_up && seen(|e| matches!(e, LineEvent::DoorReleaseEnded { .. })) {
                bench.line.hang_up(now);
                hung_up = true;
            }
        }
        assert!(
            answered && opening && hung_up,
            "{brand}: {:?}",
            bench.events
        );
        let opened = |event: &PanelEvent| matches!(event, PanelEvent::LockOpened);
        assert_eq!(
            bench.verdicts.iter().filter(|e| opened(e)).count(),
            1,
            "{brand}: {:?}",
            bench.verdicts
        );
        // Afterwards nothing of ours is on the line.
        assert_eq!(bench.card.borrow().switched(), 0, "{brand}");
    }
}

/// Sum of the pauses of the plan, microseconds.
fn pauses(sampler: &Sampler<&mut Converter>) -> u64 {
    (sampler.sample_us() * 80.0 - sampler.conversion_us() * 114.0).round() as u64
}

#[test]
fn samples_are_spread_evenly_whatever_the_bus_costs() {
    for overhead_us in [0.0, 6.0, 15.0, 30.0] {
        let card = Card::new();
        let sense = Rc::new(RefCell::new(SenseBlock::default()));
        // A ring of 1 kHz, fed and not fed.
        for (i, volts) in sense.borrow_mut().line_volts.iter_mut().enumerate() {
            *volts = if i % 8 < 4 { 11.0 } else { 0.4 };
        }
        let mut converter = Converter {
            sense: Rc::clone(&sense),
            card,
            overhead_us,
            now_us: 0.0,
            line_at_us: Vec::new(),
        };
        let mut plan = Sampler::new(&mut converter, 1_000_000, map());
        let mut reading = BlockReading::default();
        for _ in 0..300 {
            let mut block = SenseBlock::default();
            plan.read().unwrap().fill(&mut block);
            reading = BlockReading::of(&block);
            let took = 114.0 * (24.0 + overhead_us) + pauses(&plan) as f64;
            plan.took(Duration::from_nanos((took * 1000.0) as u64));
        }
        // A machine that was busy with something else is no measure of the bus.
        let before = plan.sample_us();
        plan.took(Duration::from_millis(80));
        assert!((plan.sample_us() - before).abs() < 1e-3);
        let hz = reading.tone_hz.unwrap();
        assert!((hz - 1000.0).abs() < 15.0, "{overhead_us}: {hz} Hz");
        let _ = plan;
        let times = converter.line_at_us;
        assert_eq!(times.len(), 80);
        for (i, at) in times.iter().enumerate() {
            let due = i as f64 * 9930.0 / 80.0;
            assert!((at - due).abs() < 8.0, "{overhead_us}: sample {i} at {at}");
        }
    }
}

/// The panel's voltage while loads and relay move at their own speeds behind the pins: 12 V behind
/// 300 Ohm, an old handset on its hook.
fn panel_volts(states: &[Switched]) -> Vec<f64> {
    let mut volts = Vec::new();
    let steps = states.len() * 20;
    let state = |step: i64| states[(step.max(0) as usize / 20).min(states.len() - 1)];
    for step in 0..steps as i64 {
        // Half a millisecond a step: on after 0.6 ms, off after 1.3 ms; the relay breaks after
        // 2.5 ms and makes after 4 ms (parameters.toml, [timing]).
        let is = |of: fn(&Switched) -> bool| {
            // Lit for a whole step before it conducts, dark for two before it blocks.
            of(&state(step - 1)) && of(&state(step - 2)) || of(&state(step - 3))
        };
        let through = !state(step - 5).isolated && !state(step - 8).isolated;
        let mut net = Network::default();
        let line = net.node();
        let source = Part::Source {
            volts: 12.0,
            ohms: 300.0,
        };
        net.place(line, Node::GROUND, source);
        let mut load = |on: bool, ohms: f64| {
            if on {
                net.place(line, Node::GROUND, Part::Diode(Diode::handset(ohms)));
            }
        };
        load(is(|s| s.on_hook), 55.7);
        load(is(|s| s.off_hook), 314.0);
        load(is(|s| s.residue), 9363.0);
        load(through, 50.0);
        assert!(net.settle());
        volts.push(net.volts(line));
    }
    volts
}

#[test]
fn taking_answering_hanging_up_and_giving_back_never_looks_like_the_button() {
    let drive = |load, relay| Drive { load, relay };
    let (on_hook, off_hook) = (Load::OnHook, Load::OffHook);
    let (through, isolated) = (HandsetRelay::Through, HandsetRelay::Isolated);
    // Straight to off-hook as the line machine does it, and by way of on-hook.
    let ways = [
        vec![
            Drive::SAFE,
            drive(off_hook, isolated),
            drive(on_hook, isolated),
            Drive::SAFE,
        ],
        vec![
            Drive::SAFE,
            drive(on_hook, isolated),
            drive(off_hook, isolated),
            drive(off_hook, through),
            Drive::SAFE,
        ],
        vec![Drive::SAFE, drive(off_hook, isolated), Drive::SAFE],
    ];
    for way in ways {
        let mut sequence = Sequence::new(map());
        let states: Vec<_> = way
            .iter()
            .flat_map(|drive| std::iter::repeat_n(*drive, 20))
            .map(|drive| sequence.next(drive))
            .collect();
        let top = panel_volts(&states).into_iter().fold(0.0, f64::max);
        // The open band of the panels begins at 9.3 V.
        assert!(top < 8.9, "{top} V");
        assert_eq!(states.last(), Some(&Switched::default()));
    }
    // The button itself is seen, at once, and ends at once.
    let mut sequence = Sequence::new(map());
    let states: Vec<_> = [TALK, drive(Load::Residue, isolated), TALK]
        .into_iter()
        .flat_map(|drive| std::iter::repeat_n(drive, 20))
        .map(|drive| sequence.next(drive))
        .collect();
    assert!(states[20].residue && !states[20].off_hook && states[20].isolated);
    assert!(states[40].off_hook && !states[40].residue);
    let volts = panel_volts(&states);
    assert!(volts[20 * 20 + 10..20 * 40].iter().all(|v| *v > 9.3));
    assert!(volts[20 * 40 + 10..].iter().all(|v| *v < 8.9));
}

#[test]
fn any_order_of_drives_ends_where_it_was_wanted() {
    let loads = [Load::Off, Load::OnHook, Load::OffHook, Load::Residue];
    let mut dice = Dice::new(77);
    let mut sequence = Sequence::new(map());
    let mut residue_with_hook = false;
    for _ in 0..2000 {
        let relay = [HandsetRelay::Through, HandsetRelay::Isolated][dice.below(2) as usize];
        let drive = Drive {
            load: loads[dice.below(4) as usize],
            relay,
        };
        let held = 1 + dice.below(12);
        for _ in 0..held {
            let s = sequence.next(drive);
            residue_with_hook |= s.residue && (s.on_hook || s.off_hook);
        }
        if held >= 6 {
            assert_eq!(sequence.now(), Switched::of(drive));
        }
    }
    assert!(!residue_with_hook);
    assert_eq!(map().latch_of(Switched::of(TALK)), map().latch(TALK));
}

/// A pair card with its chip, time after time.
struct Held {
    card: Rc<RefCell<Card>>,
    outputs: PairCard<Bus, Pin>,
    now: Duration,
}

impl Held {
    /// In a call.
    fn talking() -> Self {
        let card = Card::new();
        let outputs =
            PairCard::start(Bus(Rc::clone(&card)), Pin(Rc::clone(&card), false), map()).unwrap();
        let mut held = Self {
            card,
            outputs,
            now: Duration::ZERO,
        };
        for _ in 0..20 {
            held.exchange(&GOOD).unwrap();
        }
        assert_eq!(held.card.borrow().switched(), on(TALK));
        held
    }

    fn exchange(&mut self, supplies: &Supplies) -> Result<(), ChipErrorKind> {
        self.now += BLOCK;
        self.card.borrow_mut().now = self.now;
        self.outputs
            .exchange(self.now, supplies, TALK)
            .map_err(|e| {
                assert!(!e.hint().is_empty() && !e.cause.is_empty());
                e.kind
            })
    }

    /// Exchanges until the card is given up, at most so many blocks; returns how many it took.
    fn until_lost(&mut self, supplies: &Supplies, most: usize) -> Option<(usize, ChipErrorKind)> {
        (1..=most).find_map(|n| self.exchange(supplies).err().map(|kind| (n, kind)))
    }
}

#[test]
fn a_disturbed_transfer_costs_nothing_and_a_dead_bus_costs_the_line() {
    let mut held = Held::talking();
    let fed = held.card.borrow().last_edge;
    held.card.borrow_mut().nacks = 1;
    held.exchange(&GOOD).unwrap();
    // A block in which the chip did not answer does not feed the watchdog.
    assert_eq!(held.card.borrow().last_edge, fed);
    held.exchange(&GOOD).unwrap();
    assert!(held.card.borrow().last_edge > fed);
    assert_eq!(held.card.borrow().switched(), on(TALK));

    for (fault, kind) in [
        (
            (|c| c.present = false) as fn(&mut Card),
            ChipErrorKind::NoAnswer,
        ),
        (|c| c.stuck = true, ChipErrorKind::BusStuck),
    ] {
        let mut held = Held::talking();
        fault(&mut held.card.borrow_mut());
        let (blocks, lost) = held.until_lost(&GOOD, 50).unwrap();
        assert_eq!(lost, kind);
        assert!((2..=20).contains(&blocks), "{blocks} blocks");
        // Whatever the program does now, without edges the watchdog lets go.
        let limit = Duration::from_millis(map().watchdog_max_ms);
        held.card.borrow_mut().now += limit;
        assert_eq!(held.card.borrow().switched(), 0);
    }
}

#[test]
fn a_card_that_was_reset_or_is_another_one_is_given_up_at_once_with_everything_off() {
    let mut held = Held::talking();
    held.card.borrow_mut().brown_out();
    assert_eq!(held.exchange(&GOOD), Err(ChipErrorKind::Reset));
    assert_eq!(held.card.borrow().pins(), 0);
    // Begun anew it works again.
    drop(held.outputs);
    let card = Rc::clone(&held.card);
    PairCard::start(Bus(Rc::clone(&card)), Pin(card, false), map()).unwrap();

    let mut held = Held::talking();
    held.card.borrow_mut().wrong = true;
    assert!(held.exchange(&GOOD).is_err());
}

#[test]
fn after_a_fall_of_the_watchdog_nothing_is_on_before_everything_was_ordered_off() {
    for (late_ms, reset) in [
        (map().watchdog_min_ms, false),
        (map().watchdog_max_ms, true),
        (5000, true),
        (5000, false),
    ] {
        let mut held = Held::talking();
        assert_eq!(held.outputs.applied(&GOOD), Some(TALK));
        // The program stands still; the watchdog resets the expander, or only the rail has gone.
        held.now += Duration::from_millis(late_ms);
        if reset {
            held.card.borrow_mut().brown_out();
        }
        // What it drives then was decided before.
        for _ in 0..20 {
            held.exchange(&GOOD).unwrap();
            assert_eq!(held.card.borrow().pins(), 0, "late by {late_ms} ms");
            assert_eq!(held.outputs.applied(&GOOD), None);
        }
        // While the rail is away even that is too early.
        let rising = Supplies {
            drive_rail_volts: 1.0,
            ..GOOD
        };
        let mut drive = |supplies: &Supplies, drive| {
            held.now += BLOCK;
            held.card.borrow_mut().now = held.now;
            held.outputs.exchange(held.now, supplies, drive).unwrap();
            held.outputs.applied(supplies)
        };
        assert_eq!(drive(&rising, Drive::SAFE), None);
        assert_eq!(drive(&GOOD, TALK), None);
        assert_eq!(drive(&GOOD, Drive::SAFE), Some(Drive::SAFE));
        for _ in 0..10 {
            drive(&GOOD, TALK);
        }
        assert_eq!(held.card.borrow().switched(), on(TALK));
    }
}

#[test]
fn a_card_whose_supplies_or_watchdog_are_wrong_is_told() {
    let odd = |change: fn(&mut Supplies)| {
        let mut supplies = GOOD;
        change(&mut supplies);
        supplies
    };
    // A spike is tolerated, a state is not.
    let low = odd(|s| s.five_volts = 4.1);
    let mut held = Held::talking();
    held.exchange(&low).unwrap();
    held.exchange(&GOOD).unwrap();
    for (supplies, kind, most) in [
        (low, ChipErrorKind::Supply, 20),
        (odd(|s| s.zero_volts = 0.5), ChipErrorKind::WrongChip, 20),
        (odd(|s| s.middle_volts = 0.0), ChipErrorKind::WrongChip, 20),
        (
            odd(|s| s.drive_rail_volts = 0.1),
            ChipErrorKind::WatchdogHolds,
            70,
        ),
    ] {
        let mut held = Held::talking();
        let (_, lost) = held.until_lost(&supplies, most).unwrap();
        assert_eq!(lost, kind);
    }
    // At the start the rail takes its time to come up.
    let rising = odd(|s| s.drive_rail_volts = 0.0);
    let mut held = Held::talking();
    for _ in 0..map().watchdog_arms_ms / 10 + 2 {
        held.exchange(&rising).unwrap();
    }
    held.exchange(&GOOD).unwrap();
}

#[test]
fn only_a_living_exchange_feeds_the_watchdog() {
    let held = Held::talking();
    // The program hangs: the converter may go on, nobody exchanges.
    let sense = Rc::new(RefCell::new(SenseBlock::default()));
    let mut converter = Converter {
        sense,
        card: Rc::clone(&held.card),
        overhead_us: 0.0,
        now_us: 0.0,
        line_at_us: Vec::new(),
    };
    let mut sampler = Sampler::new(&mut converter, 1_000_000, map());
    let steps = map().watchdog_max_ms / 10;
    let mut last = Readings::default();
    for _ in 0..=steps {
        held.card.borrow_mut().now += BLOCK;
        last = sampler.read().unwrap().clone();
    }
    assert_eq!(held.card.borrow().switched(), 0);
    // And the rail that it reads says so.
    assert!(last.supplies.drive_rail_volts < 0.1);
    assert!((last.supplies.five_volts - 5.0).abs() < 0.01);
}
