//! Learning a line from its readings alone: somebody does as the guide says, and what comes out is
//! a profile with which the gateway serves that line.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{BRANDS, seed};
use line_interface::learn::{
    Fitting, Guide, Heard, Phase, Proposal, Refusal, Stamp, Step, propose, slug,
};
use line_interface::observe::LevelBook;
use line_interface::{
    BlockReading, Drive, DriveBlock, HandsetFitting, HandsetRelay, Line, LineEvent, Load, Profile,
    SenseBlock,
};
use line_simulation::{Action, Fault, PanelEvent, Script, Setup, Simulation};

/// A technician who reads the screen and obeys.
struct Person {
    sim: Simulation,
    guide: Guide,
    heard: Vec<Heard>,
    steps: Vec<Step>,
}

impl Person {
    fn new(setup: Setup) -> Self {
        Self {
            sim: Simulation::new(setup, Script::default()).unwrap(),
            guide: Guide::new(Fitting::Handset),
            heard: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        for _ in 0..ms / 10 {
            self.sim.step(&drive, &mut sense);
            let reading = BlockReading::of(&sense);
            self.guide.handle_reading(&reading, Drive::SAFE);
            self.heard.extend(std::iter::from_fn(|| self.guide.poll()));
        }
    }

    /// Obeys until `calls` calls are complete or a minute has passed for each.
    fn obey(&mut self, calls: u32) {
        let mut last = None;
        for _ in 0..calls * 600 {
            let step = self.guide.step();
            if last.replace(step) != Some(step) {
                self.steps.push(step);
                // A person needs a moment to read.
                self.run_ms(700);
                match step {
                    Step::Dial => self.sim.visitor_dial(42),
                    Step::Lift => self.sim.lift_handset(),
                    Step::Press => self.sim.act(&Action::Press(Duration::from_millis(500))),
                    Step::Replace => self.sim.replace_handset(),
                    Step::Again if self.guide.complete_calls() < calls => self.sim.visitor_dial(42),
                    Step::Again => return,
                    _ => {}
                }
            }
            self.run_ms(100);
        }
    }

    fn troubles(&self) -> Vec<&Refusal> {
        let trouble = |heard: &'_ Heard| matches!(heard, Heard::Trouble(_));
        self.heard
            .iter()
            .filter(|h| trouble(h))
            .map(|h| match h {
                Heard::Trouble(refusal) => refusal,
                _ => unreachable!(),
            })
            .collect()
    }

    fn propose(&self, base: &str) -> Result<Proposal, Vec<Refusal>> {
        propose(
            Profile::builtin_toml(base).unwrap(),
            &self.guide.levels(),
            &stamp(),
        )
    }
}

fn stamp() -> Stamp {
    Stamp {
        line: "Riser 1, apt 42".into(),
        date: "2026-05-31".into(),
    }
}

/// A visitor's call served by the gateway with this profile: does the lock open?
fn opens(setup: Setup, profile: Profile) -> bool {
    let mut sim = Simulation::new(setup, Script::default()).unwrap();
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    sim.visitor_dial(42);
    for _ in 0..2500 {
        drive.drive = line.drive();
        sim.step(&drive, &mut sense);
        line.handle_block(sim.now(), &sense);
        while let Some(event) = line.poll_event() {
            match event {
                LineEvent::RingConfirmed => line.answer(sim.now()).unwrap(),
                LineEvent::OffHookSettled => line.release_door(sim.now(), 1).unwrap(),
                _ => {}
            }
        }
        while let Some(verdict) = sim.poll_event() {
            if verdict.event == PanelEvent::LockOpened {
                return true;
            }
        }
    }
    false
}

#[test]
fn a_person_who_obeys_learns_every_brand() {
    for brand in BRANDS {
        for n in 0..5 {
            let setup = Setup::brand(brand).unwrap().spread(seed(n), 0.1);
            let mut person = Person::new(setup.clone());
            person.obey(1 + (n % 2) as u32);
            assert!(person.troubles().is_empty(), "{:?}", person.heard);
            assert!(
                person
                    .steps
                    .starts_with(&[Step::Rest, Step::Dial, Step::Ring, Step::Lift])
                    && person.steps.ends_with(&[Step::Again]),
                "{brand} {n}: {:?} {:?}",
                person.steps,
                person.heard
            );
            // The base does not matter for what is measured.
            let proposal = person.propose("custom").unwrap();
            let learned = Profile::from_toml(&proposal.toml).unwrap();
            assert_eq!(learned.name, "riser-1-apt-42-learned");
            let edge = &learned.bands.on_hook_max_volts;
            assert_eq!(edge.mark, line_interface::Mark::M);
            assert!(edge.source.contains("2026-05-31"), "{}", edge.source);
            let book = person.guide.levels();
            assert!(learned.bands.on_hook_max_volts.value > book.on_hook.max_volts);
            assert!(learned.bands.on_hook_min_volts.value < book.on_hook.min_volts);
            assert!(learned.bands.off_hook_min_volts.value < book.off_hook.min_volts);
            assert!(learned.bands.open_min_volts.value < book.button.min_volts);
            let ring = &setup.panel.ring;
            let hz = ring.frequency_hz.value;
            assert!(
                (learned.ring.min_frequency_hz.value..learned.ring.max_frequency_hz.value)
                    .contains(&hz)
            );
            assert!(learned.ring.hold_off_ms.value > ring.pause_ms.value);
            assert!(opens(setup, learned), "{brand} {n}");
        }
    }
}

/// Does the gateway with this profile see the old handset lifted and its button pressed?
fn sees_handset(setup: Setup, profile: Profile) -> bool {
    let mut sim = Simulation::new(setup, Script::default()).unwrap();
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let mut seen = Vec::new();
    sim.visitor_dial(42);
    for block in 0..1500 {
        match block {
            600 => sim.lift_handset(),
            1000 => sim.act(&Action::Press(Duration::from_millis(500))),
            _ => {}
        }
        sim.step(&drive, &mut sense);
        line.handle_block(sim.now(), &sense);
        seen.extend(std::iter::from_fn(|| line.poll_event()));
    }
    let has = |event: LineEvent| seen.contains(&event);
    has(LineEvent::RingConfirmed) && has(LineEvent::HandsetLifted) && has(LineEvent::DoorButton)
}

/// A panel of 6 V: no built-in profile can read it.
fn weak() -> Setup {
    let mut setup = Setup::brand("vizit").unwrap();
    let panel = &mut setup.panel;
    panel.source.volts.value = 6.0;
    panel.source.ohms.value = 150.0;
    panel.bands.short_max_volts.value = 0.8;
    panel.bands.on_hook_max_volts.value = 2.8;
    panel.bands.off_hook_max_volts.value = 5.2;
    setup
}

#[test]
fn a_line_that_fits_no_profile_is_learned_from_scratch() {
    for brand in BRANDS {
        let builtin = Profile::builtin(brand).unwrap();
        assert!(!sees_handset(weak(), builtin), "{brand}");
    }
    let mut person = Person::new(weak());
    person.obey(2);
    let proposal = person.propose("vizit").unwrap();
    let learned = Profile::from_toml(&proposal.toml).unwrap();
    assert!(learned.bands.open_min_volts.value < 6.0, "{proposal:?}");
    assert!(sees_handset(weak(), learned.clone()), "{proposal:?}");
    assert!(opens(weak(), learned));
}

#[test]
fn clicks_and_polling_before_the_call_are_no_call() {
    let mut setup = Setup::brand("eltis").unwrap();
    setup.noise_volts = 0.1;
    setup.hum_volts = 0.2;
    let mut person = Person::new(setup);
    person.run_ms(3000);
    for _ in 0..5 {
        person.sim.act(&Action::Poll(Duration::from_millis(80)));
        person.run_ms(4500);
        person.sim.act(&Action::Click);
        person.run_ms(4500);
    }
    assert_eq!(person.guide.step(), Step::Dial);
    assert!(person.guide.levels().bursts.is_empty());
    person.obey(1);
    assert_eq!(person.guide.complete_calls(), 1, "{:?}", person.heard);
    assert!(person.propose("eltis").is_ok());
}

#[test]
fn a_call_that_a_phone_answers_is_not_measured() {
    let mut person = Person::new(Setup::brand("cyfral").unwrap());
    person.run_ms(3000);
    person.sim.visitor_dial(42);
    person.run_ms(9000);
    assert_eq!(person.guide.step(), Step::Lift);
    let ours = DriveBlock {
        drive: Drive {
            load: Load::OffHook,
            relay: HandsetRelay::Isolated,
        },
        ..DriveBlock::default()
    };
    let mut sense = SenseBlock::default();
    for _ in 0..500 {
        person.sim.step(&ours, &mut sense);
        let reading = BlockReading::of(&sense);
        person.guide.handle_reading(&reading, ours.drive);
        person
            .heard
            .extend(std::iter::from_fn(|| person.guide.poll()));
    }
    assert_eq!(person.heard.last(), Some(&Heard::PhoneAnswered));
    assert_eq!(person.guide.step(), Step::End);
    person.run_ms(15_000);
    assert_eq!(person.guide.complete_calls(), 0);
    assert_eq!(person.guide.levels().off_hook.blocks, 0);
    // The next one is.
    assert_eq!(person.guide.step(), Step::Dial);
    person.obey(1);
    assert!(person.propose("cyfral").is_ok());
}

#[test]
fn lost_readings_spoil_only_their_call() {
    let mut person = Person::new(Setup::brand("vizit").unwrap());
    person.run_ms(3000);
    person.sim.visitor_dial(42);
    person.run_ms(3000);
    person.guide.handle_gap();
    person.sim.act(&Action::Leave);
    person.run_ms(12_000);
    assert_eq!(person.guide.step(), Step::Dial, "{:?}", person.heard);
    person.obey(1);
    assert_eq!(person.guide.complete_calls(), 1);
}

#[test]
fn a_box_without_a_handset_is_learned_by_its_own_loads() {
    let mut setup = Setup::brand("vizit").unwrap();
    setup.handset = None;
    let mut sim = Simulation::new(setup, Script::default()).unwrap();
    let mut line = Line::new(Profile::builtin("vizit").unwrap(), HandsetFitting::Absent);
    let mut guide = Guide::new(Fitting::Box);
    let (mut drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    let mut last = None;
    for _ in 0..4000 {
        drive.drive = line.drive();
        sim.step(&drive, &mut sense);
        line.handle_block(sim.now(), &sense);
        guide.handle_reading(line.reading(), drive.drive);
        while guide.poll().is_some() {}
        while line.poll_event().is_some() {}
        let step = guide.step();
        if last.replace(step) != Some(step) {
            match step {
                Step::Dial => sim.visitor_dial(42),
                Step::Lift => line.answer(sim.now()).unwrap(),
                Step::Press => line.release_door(sim.now(), 1).unwrap(),
                Step::Replace => line.hang_up(sim.now()),
                Step::Again => break,
                _ => {}
            }
        }
    }
    assert_eq!(guide.step(), Step::Again);
    let base = Profile::builtin_toml("vizit").unwrap();
    propose(base, &guide.levels(), &stamp()).unwrap();
}

#[test]
fn what_cannot_be_learned_is_refused_with_its_reason() {
    let base = Profile::builtin_toml("vizit").unwrap();
    let empty = propose(base, &LevelBook::default(), &stamp()).unwrap_err();
    assert_eq!(empty.len(), 5);
    assert!(empty.iter().all(|r| !r.hint.is_empty()));
    // An off-hook level too close to on-hook for its noise.
    let mut person = Person::new(Setup::brand("vizit").unwrap());
    person.obey(1);
    let mut book = person.guide.levels();
    book.off_hook = line_interface::observe::LevelRange::default();
    for _ in 0..50 {
        book.off_hook.add(book.on_hook.max_volts + 0.2);
    }
    let refused = propose(base, &book, &stamp()).unwrap_err();
    assert!(
        refused
            .iter()
            .any(|r| r.cause.contains("0.20 V apart") && r.cause.contains("of noise")),
        "{refused:?}"
    );
    // Much hum on the line.
    let mut setup = Setup::brand("vizit").unwrap();
    setup.hum_volts = 1.6;
    let mut person = Person::new(setup);
    person.obey(1);
    let refused = person.propose("vizit").unwrap_err();
    assert!(
        refused
            .iter()
            .any(|r| r.hint.contains("hum") || r.cause.contains("not measured"))
    );
    // Swapped wires are told at the dialling.
    let mut person = Person::new(Setup::brand("vizit").unwrap());
    person.sim.act(&Action::Fault(Fault::Reversed));
    person.obey(1);
    assert!(
        person
            .troubles()
            .iter()
            .any(|r| r.cause.contains("swapped") && r.hint.contains("swap")),
        "{:?}",
        person.heard
    );
    assert_eq!(person.guide.complete_calls(), 0);
    // A line that is in use from the first moment.
    let mut guide = Guide::new(Fitting::Handset);
    let mut told = Vec::new();
    for _ in 0..200 {
        let reading = BlockReading {
            level_volts: 6.4,
            mean_volts: 6.4,
            low_volts: 6.3,
            high_volts: 6.5,
            ..BlockReading::default()
        };
        guide.handle_reading(&reading, Drive::SAFE);
        told.extend(std::iter::from_fn(|| guide.poll()));
    }
    assert!(matches!(told.as_slice(), [Heard::Trouble(r)] if r.cause.contains("6.40 V")));
}

#[test]
fn nonsense_never_harms() {
    let mut dice = common::Dice::new(7);
    for _ in 0..20 {
        let mut guide = Guide::new(Fitting::Handset);
        for _ in 0..20_000 {
            let mut sense = SenseBlock::default();
            let kind = dice.below(5);
            let level = dice.below(3000) as f32 / 100.0 - 10.0;
            for (i, v) in sense.line_volts.iter_mut().enumerate() {
                *v = match kind {
                    0 => level,
                    1 if i % 8 < 4 => level,
                    2 => f32::NAN,
                    3 => dice.below(2000) as f32 / 100.0,
                    _ => 0.0,
                };
            }
            guide.handle_reading(&BlockReading::of(&sense), Drive::SAFE);
            if dice.below(1000) == 0 {
                guide.handle_gap();
            }
        }
        let mut told = 0;
        while guide.poll().is_some() {
            told += 1;
        }
        assert!(told <= 256 && guide.levels().bursts.len() <= 512);
        let _ = propose(
            Profile::builtin_toml("custom").unwrap(),
            &guide.levels(),
            &stamp(),
        );
    }
}

#[test]
fn names_become_file_names() {
    for (name, file) in [
        ("apt42", "apt42"),
        ("Riser 1, apt 42", "riser-1-apt-42"),
        ("подъезд 2", "2"),
        ("../..", "line"),
        ("", "line"),
    ] {
        assert_eq!(slug(name), file);
    }
    assert_ne!(Phase::Rest, Phase::Fed);
}
