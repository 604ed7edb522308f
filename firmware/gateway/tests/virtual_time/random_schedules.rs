//! Thousands of random calls. Every step of every one is checked against the promises
//! (`world/promises.rs`); afterwards all comes to rest by itself and the next visit works.
//!
//! `TRUBKA_SCHEDULES` sets how many schedules each of the two tests runs.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use line_simulation::Fault;
use phone::{Behaviour, KeyBy, KeyPress, Script};

use line_interface::DriveSide;

use crate::dice::Dice;
use crate::world::{Disk, Options, Topology, Weather, World, ms, seconds};

const DEFAULT_SCHEDULES: u64 = 400;
const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];

fn schedules() -> u64 {
    std::env::var("TRUBKA_SCHEDULES")
        .ok()
        .map_or(DEFAULT_SCHEDULES, |text| text.parse().unwrap())
}

/// What happened in all schedules, so that a tame dice is noticed.
#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    answered: usize,
    opened: usize,
    refused: usize,
    handset: usize,
    card_lost: usize,
    dropped: usize,
    faults: usize,
}

impl Tally {
    fn of(world: &World) -> Tally {
        Tally {
            calls: world.happened("ring"),
            answered: world.happened("call_answered"),
            opened: world.opened(),
            refused: world.records("door_refused"),
            handset: world.happened("handset_lifted"),
            card_lost: world.happened("line_card") / 2,
            dropped: world.happened("outputs_dropped"),
            faults: world.happened("line_fault"),
        }
    }

    fn add(&mut self, other: &Tally) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.opened += other.opened;
        self.refused += other.refused;
        self.handset += other.handset;
        self.card_lost += other.card_lost;
        self.dropped += other.dropped;
        self.faults += other.faults;
    }
}

fn weather(dice: &mut Dice, worst_loss: u64) -> Weather {
    Weather {
        delay: ms(1 + dice.below(60)),
        jitter: ms(dice.below(80)),
        loss: dice.below(worst_loss + 1) as u32,
        duplicates: dice.below(100) as u32,
    }
}

fn disk(dice: &mut Dice) -> Disk {
    match dice.below(6) {
        0 => Disk::Stuck,
        1 => Disk::TakesIn(ms(dice.below(3000))),
        _ => Disk::TakesIn(ms(dice.below(60))),
    }
}

fn by(dice: &mut Dice) -> KeyBy {
    dice.one_of(&[
        KeyBy::Rfc4733,
        KeyBy::Rfc4733,
        KeyBy::InfoRelay,
        KeyBy::InfoDtmf,
    ])
}

/// A phone that answers and at last presses the right key.
fn honest(dice: &mut Dice) -> Script {
    let behaviour = Behaviour::Answer {
        after: ms(100 + dice.below(6000)),
    };
    let key = KeyPress {
        after: ms(300 + dice.below(8000)),
        digit: '9',
        by: by(dice),
    };
    Script {
        behaviour,
        says: Vec::new(),
        keys: vec![key],
        hang_up_after: None,
    }
}

/// A phone that does anything.
fn moody(dice: &mut Dice) -> Script {
    let mut script = honest(dice);
    script.keys = (0..dice.below(5))
        .map(|_| KeyPress {
            after: ms(dice.below(12_000)),
            digit: dice.one_of(&['9', '9', '9', '1', '#']),
            by: by(dice),
        })
        .collect();
    script.keys.sort_by_key(|key| key.after);
    match dice.below(8) {
        0 => script.behaviour = Behaviour::Busy,
        1 => script.behaviour = Behaviour::NoAnswer,
        2 | 3 => script.hang_up_after = Some(ms(dice.below(12_000))),
        _ => {}
    }
    script
}

/// Runs every schedule and names the one that failed.
fn run_all(what: &str, times: u64, one: impl Fn(u64, &mut Dice) -> Tally) -> Tally {
    let mut all = Tally::default();
    for number in 0..times {
        let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.below(2);
        let done = catch_unwind(AssertUnwindSafe(|| one(number, &mut dice)));
        match done {
            Ok(tally) => all.add(&tally),
            Err(why) => {
                eprintln!("{what}: schedule {number} failed");
                resume_unwind(why);
            }
        }
    }
    all
}

/// Up to 5 % loss: the door does open for every honest key, visit after visit.
fn honest_visits(topology: Topology, number: u64, dice: &mut Dice) -> Tally {
    let mut world = World::ready(Options {
        topology,
        brand: dice.one_of(&BRANDS),
        seed: number,
        spread: dice.below(8) as f32 / 100.0,
        ..Options::with(honest(dice))
    });
    for visit in 1..=3 {
        world.weather = weather(dice, 50);
        world.disk = disk(dice);
        let mut script = honest(dice);
        if topology != Topology::Pair {
            // How keys travel is no matter of the line, and INFO waits for an ACK that may be lost.
            script.keys[0].by = KeyBy::Rfc4733;
        }
        world.phone.set_script(script);
        world.dial();
        world.run_until("the door opens for an honest key", seconds(60), |world| {
            world.opened() == visit
        });
        world.settle();
        assert_eq!(world.opened(), visit, "{}", world.story());
        assert_eq!(world.records("door_opened"), visit, "{}", world.story());
        assert_eq!(world.records("door_refused"), 0, "{}", world.story());
        world.run_for(ms(dice.below(3000)));
    }
    Tally::of(&world)
}

/// One thing that people, wires, network or PBX do.
fn trouble(world: &mut World, dice: &mut Dice) {
    match dice.below(21) {
        20 => world.stall(ms(10 + dice.below(5000) / (1 + dice.below(20)))),
        0 | 1 => world.panel.visitor_leave(),
        2 | 3 => world.lift(),
        4 => world.replace(),
        5 => {
            world.hold_button(true);
        }
        6 => world.hold_button(false),
        7 => world.lose_card(),
        8 => world.return_card(),
        9 => {
            let fault = match world.topology {
                Topology::Matrix(..) if dice.below(2) == 0 => dice.one_of(&Fault::BUSES),
                _ => dice.one_of(&Fault::ALL),
            };
            world.break_line(fault);
        }
        10 | 11 => world.mend_line(),
        12 => world.pbx_up = false,
        13 => world.restart_pbx(),
        14 => world.hold(dice.below(2) == 0),
        15 => world.hang_up(),
        16 => world.press('9', by(dice)),
        17 => {
            world
                .phone
                .call(world.now, dice.one_of(&["42", "600", "7"]));
        }
        18 => world.disk = disk(dice),
        _ => world.weather = weather(dice, 300),
    }
}

/// Up to 30 % loss and any trouble at any time.
fn troubled_visits(topology: Topology, number: u64, dice: &mut Dice) -> Tally {
    let route = dice.one_of(&[
        "",
        "may_open = [\"called\", \"400\"]",
        "may_open = [\"777\"]",
    ]);
    let called_may_open = !route.contains("777");
    let mut world = World::ready(Options {
        topology,
        brand: dice.one_of(&BRANDS),
        seed: number,
        spread: dice.below(8) as f32 / 100.0,
        account: "expires_s = 60",
        route,
        config: dice.one_of(&[
            "",
            "[door]\nmax_wrong_digits = 3",
            "[call]\ntalk_limit_s = 10",
        ]),
        ..Options::with(moody(dice))
    });
    for _ in 0..2 {
        world.weather = weather(dice, 300);
        world.disk = disk(dice);
        let script = moody(dice);
        world.phone.set_script(script);
        // Where there are neighbours, a visitor may be theirs.
        match world.topology {
            Topology::Pair => world.dial(),
            _ => world.dial_apartment(dice.one_of(&[41, 42, 42, 42, 43])),
        }
        for _ in 0..1 + dice.below(5) {
            world.run_for(ms(dice.below(5000)));
            trouble(&mut world, dice);
        }
        world.run_for(ms(dice.below(6000)));
        world.settle();
    }
    world.disk = Disk::TakesIn(ms(5));
    if called_may_open && number.is_multiple_of(4) {
        world.next_visit_works();
    }
    if number % 4 == 1 {
        shut_down_somewhere(&mut world, dice);
    }
    Tally::of(&world)
}

/// The box stops in the middle of whatever is going on.
fn shut_down_somewhere(world: &mut World, dice: &mut Dice) {
    let script = moody(dice);
    world.phone.set_script(script);
    world.dial();
    world.run_for(ms(dice.below(14_000)));
    let now = world.now;
    world.gateway.shutdown(now);
    world.run_until("quiet", seconds(40), |world| world.gateway.is_quiet());
    world.run_for(seconds(3));
    assert_eq!(world.driven(), line_interface::Drive::SAFE);
    assert!(world.gateway.call_statuses().is_empty());
}

#[test]
#[allow(clippy::print_stdout)]
fn honest_keys_always_open_once() {
    let tally = run_all("honest", schedules(), |n, dice| {
        honest_visits(Topology::Pair, n, dice)
    });
    println!("honest: {tally:?}");
    assert_eq!(tally.opened as u64, 3 * schedules());
}

#[test]
#[allow(clippy::print_stdout)]
fn no_trouble_breaks_a_promise() {
    let tally = run_all("troubled", schedules(), |n, dice| {
        troubled_visits(Topology::Pair, n, dice)
    });
    println!("troubled: {tally:?}");
    let enough = (schedules() / 20) as usize;
    for seen in [
        tally.answered,
        tally.opened,
        tally.refused,
        tally.handset,
        tally.card_lost,
        tally.dropped,
        tally.faults,
    ] {
        assert!(seen >= enough, "too tame: {tally:?}");
    }
}

/// A switch costs more to solve than a pair, so there are fewer schedules of it.
const SWITCH_PART: u64 = 10;
const PULSE_PART: u64 = 4;

fn at_a_switch(number: u64) -> Topology {
    let side = if number.is_multiple_of(2) {
        DriveSide::Tens
    } else {
        DriveSide::Units
    };
    Topology::Matrix(if number % 8 == 7 { "km20-1" } else { "bk-4" }, side)
}

#[test]
#[allow(clippy::print_stdout)]
fn honest_keys_open_once_at_a_switch_and_on_a_pulse_line() {
    let tally = run_all("honest, switch", schedules() / SWITCH_PART, |n, dice| {
        honest_visits(at_a_switch(n), n, dice)
    });
    println!("honest, switch: {tally:?}");
    assert_eq!(tally.opened as u64, 3 * (schedules() / SWITCH_PART));
    let tally = run_all("honest, pulse", schedules() / PULSE_PART, |n, dice| {
        honest_visits(Topology::Pulse, n, dice)
    });
    println!("honest, pulse: {tally:?}");
    assert_eq!(tally.opened as u64, 3 * (schedules() / PULSE_PART));
}

fn not_too_tame(tally: &Tally, schedules: u64) {
    let enough = (schedules / 20) as usize;
    for seen in [tally.answered, tally.opened, tally.handset, tally.card_lost] {
        assert!(seen >= enough, "too tame: {tally:?}");
    }
    // Between calls nothing of a switch or a pulse line is looked at, so faults are told less often.
    assert!(tally.faults > 0, "too tame: {tally:?}");
}

#[test]
#[allow(clippy::print_stdout)]
fn no_trouble_breaks_a_promise_at_a_switch() {
    let times = schedules() / SWITCH_PART;
    let tally = run_all("troubled, switch", times, |n, dice| {
        troubled_visits(at_a_switch(n), n, dice)
    });
    println!("troubled, switch: {tally:?}");
    not_too_tame(&tally, times);
}

#[test]
#[allow(clippy::print_stdout)]
fn no_trouble_breaks_a_promise_on_a_pulse_line() {
    let times = schedules() / PULSE_PART;
    let tally = run_all("troubled, pulse", times, |n, dice| {
        troubled_visits(Topology::Pulse, n, dice)
    });
    println!("troubled, pulse: {tally:?}");
    not_too_tame(&tally, times);
}
