//! Whole calls through a switch: the panel's own verdict says whether the right door opened.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{Dice, seed};
use std::time::Duration;

use line_interface::matrix::{BREAK_MS, Crosspoint};
use line_interface::switch::{Addressing, Cell, Switch};
use line_interface::{
    Drive, DriveBlock, DriveSide, HandsetFitting, LineCode, LineEvent, LinePlan, Load, PanelLine,
    Profile, SenseBlock,
};
use line_simulation::PanelEvent;
use line_simulation::matrix::{MatrixSetup, MatrixSimulation};

struct Bench {
    sim: MatrixSimulation,
    line: PanelLine,
    sense: SenseBlock,
    seen: Vec<LineEvent>,
    verdicts: Vec<PanelEvent>,
    wanted: Option<Cell>,
}

impl Bench {
    fn new(brand: &str, switch: &str, first: u16, n: u64) -> Self {
        let at = Addressing::new(Switch::builtin(switch).unwrap(), first, false).unwrap();
        let mut setup = MatrixSetup::new(brand, at.clone()).unwrap();
        setup.noise_rms_volts = 0.05;
        setup.hum_volts = 1.0;
        setup.seed = seed(n);
        setup.side = if n.is_multiple_of(2) {
            DriveSide::Tens
        } else {
            DriveSide::Units
        };
        let mut profile = Profile::builtin(brand).unwrap();
        profile.matrix.sourced.value = setup.side;
        let sim = MatrixSimulation::new(setup).unwrap();
        let plan = LinePlan::Matrix {
            profile,
            served: at.apartments().collect(),
            own: Vec::new(),
            addressing: Box::new(at),
        };
        Self {
            sense: SenseBlock::default(),
            sim,
            line: PanelLine::new(plan, HandsetFitting::Relayed),
            seen: Vec::new(),
            verdicts: Vec::new(),
            wanted: None,
        }
    }

    fn block(&mut self) {
        let drive = DriveBlock {
            drive: self.line.drive(),
            connect: self.line.connect(),
            ..DriveBlock::default()
        };
        // Nothing of ours is ever on a pair that is not the called one.
        if let Some(cell) = drive.connect {
            assert_eq!(Some(cell), self.wanted);
        } else {
            assert_eq!(drive.drive, Drive::SAFE);
        }
        self.sim.step(&drive, &mut self.sense);
        let now = self.sim.now();
        self.line.handle_block(now, &self.sense);
        while let Some(event) = self.line.poll_event() {
            self.seen.push(event);
        }
        while let Some((_, stamped)) = self.sim.poll_event() {
            self.verdicts.push(stamped.event);
        }
    }

    fn until(&mut self, what: impl Fn(&Self) -> bool, ms: u64) {
        for _ in 0..ms / 10 {
            if what(self) {
                return;
            }
            self.block();
        }
        panic!(
            "not seen\n{:?}\n{:?}\n{:?}",
            self.seen, self.verdicts, self.line
        );
    }
}

#[test]
fn the_right_door_opens_on_every_brand_and_switch() {
    for (n, (brand, switch, first, apartment)) in (0_u64..).zip([
        ("vizit", "bk-10", 1, 7),
        ("eltis", "km20-1", 41, 60),
        ("metakom", "com-25u", 1, 10),
        ("eltis", "km100-7.1", 1, 42),
    ]) {
        let mut b = Bench::new(brand, switch, first, n);
        let at = Addressing::new(Switch::builtin(switch).unwrap(), first, false).unwrap();
        b.wanted = at.cell(apartment);
        b.sim.dial(0, apartment);
        b.until(|b| b.seen.contains(&LineEvent::RingConfirmed), 4000);
        let code = b.wanted.map(LineCode::Cell).unwrap();
        assert_eq!(b.line.named(), Some((code, Some(apartment))));
        let now = b.sim.now();
        b.line.answer(now).unwrap();
        b.until(|b| b.seen.contains(&LineEvent::OffHookSettled), 8000);
        let now = b.sim.now();
        b.line.release_door(now, 1).unwrap();
        b.until(|b| b.verdicts.contains(&PanelEvent::LockOpened), 4000);
        b.until(
            |b| b.seen.contains(&LineEvent::DoorReleaseEnded { token: 1 }),
            4000,
        );
        let now = b.sim.now();
        b.line.hang_up(now);
        b.until(|b| b.verdicts.last() == Some(&PanelEvent::LockClosed), 9000);
        b.until(|b| b.line.connect().is_none(), 3000);
        b.until(|b| b.seen.last() == Some(&LineEvent::Idle), 5000);
        assert_eq!(b.line.drive(), Drive::SAFE);
        assert!(
            !b.seen
                .iter()
                .any(|e| matches!(e, LineEvent::Fault { .. } | LineEvent::Unclear { .. })),
            "{:?}",
            b.seen
        );
    }
}

#[test]
fn a_lifted_old_handset_wins_and_an_unpowered_box_disturbs_nobody() {
    let mut b = Bench::new("vizit", "bk-10", 1, 0);
    let cell = Addressing::new(Switch::builtin("bk-10").unwrap(), 1, false)
        .unwrap()
        .cell(3)
        .unwrap();
    b.wanted = Some(cell);
    b.sim.dial(0, 3);
    b.until(|b| b.seen.contains(&LineEvent::RingConfirmed), 4000);
    b.sim.lift(cell);
    b.until(|b| b.seen.contains(&LineEvent::HandsetLifted), 2000);
    assert_eq!(b.line.drive().load, Load::Off);
    b.until(|b| b.verdicts.contains(&PanelEvent::Answered), 2000);
    for _ in 0..100 {
        b.block();
    }
    b.sim.press(cell, true);
    b.until(|b| b.verdicts.contains(&PanelEvent::LockOpened), 2000);
    b.until(|b| b.seen.contains(&LineEvent::DoorButton), 500);

    // Without power: the drive has no effect and the old handset works.
    let mut b = Bench::new("vizit", "bk-10", 1, 0);
    b.wanted = Some(cell);
    b.sim.power(false);
    b.sim.dial(0, 3);
    b.until(|b| b.verdicts.contains(&PanelEvent::RingBurst), 4000);
    b.sim.lift(cell);
    b.until(|b| b.verdicts.contains(&PanelEvent::Answered), 4000);
}

#[test]
fn the_crosspoint_breaks_before_it_makes_whatever_it_is_told() {
    for n in 0..50 {
        let mut dice = Dice::new(n);
        let mut x = Crosspoint::default();
        let (mut now, mut last) = (Duration::ZERO, None::<(Cell, Duration)>);
        let mut wanted = None;
        for _ in 0..2000 {
            now += Duration::from_millis(dice.below(15));
            if dice.below(3) == 0 {
                wanted = (dice.below(4) != 0).then(|| Cell {
                    module: 0,
                    tens: dice.below(3) as u8,
                    units: dice.below(3) as u8,
                });
                x.select(now, wanted);
            } else {
                x.advance(now);
            }
            if let Some(closed) = x.closed() {
                assert_eq!(Some(closed), wanted);
                if let Some((cell, at)) = last {
                    assert!(
                        cell == closed || now.saturating_sub(at) >= Duration::from_millis(BREAK_MS)
                    );
                }
                last = Some((closed, now));
            }
        }
    }
}
