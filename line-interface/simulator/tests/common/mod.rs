//! A line and a simulation joined under a virtual clock.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic
)]

use std::time::Duration;

use line_interface::{
    Drive, DriveBlock, HandsetFitting, Line, LineEvent, Load, Profile, SenseBlock,
};
pub use line_simulation::figures::{BRANDS, Dice};
use line_simulation::{PanelEvent, Script, Setup, Simulation};

pub fn seed(n: u64) -> [u8; 32] {
    Dice::seed(n)
}

pub struct Bench {
    pub sim: Simulation,
    pub line: Line,
    pub drive: DriveBlock,
    pub sense: SenseBlock,
    pub seen: Vec<(Duration, LineEvent)>,
    pub verdicts: Vec<(Duration, PanelEvent)>,
}

impl Bench {
    pub fn new(brand: &str, n: u64) -> Self {
        Self::with(
            Setup::brand(brand).unwrap().spread(seed(n), 0.1),
            HandsetFitting::Relayed,
        )
    }

    pub fn with(setup: Setup, fitting: HandsetFitting) -> Self {
        let profile = Profile::builtin(&setup.panel.name).unwrap();
        Self {
            sim: Simulation::new(setup, Script::default()).unwrap(),
            line: Line::new(profile, fitting),
            drive: DriveBlock::default(),
            sense: SenseBlock::default(),
            seen: Vec::new(),
            verdicts: Vec::new(),
        }
    }

    /// One block; checks in every block that no load of ours is where it may not be.
    pub fn block(&mut self) {
        self.drive.drive = self.line.drive();
        self.sim.step(&self.drive, &mut self.sense);
        let now = self.sim.now();
        self.line.handle_block(now, &self.sense);
        while let Some(event) = self.line.poll_event() {
            self.seen.push((now, event));
        }
        while let Some(stamped) = self.sim.poll_event() {
            self.verdicts.push((stamped.t, stamped.event));
        }
    }

    pub fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.block();
        }
    }

    /// Runs until the line has reported an event that fits, and says when; panics after `limit_ms`.
    pub fn until(&mut self, limit_ms: u64, what: impl Fn(&LineEvent) -> bool) -> Duration {
        let mut from = self.seen.len();
        for _ in 0..=limit_ms / 10 {
            while from < self.seen.len() {
                if what(&self.seen[from].1) {
                    return self.seen[from].0;
                }
                from += 1;
            }
            self.block();
        }
        panic!(
            "not seen\nline {:?}\npanel {:?}\n{:?}",
            self.seen,
            self.verdicts,
            self.line.status()
        );
    }

    pub fn until_panel(&mut self, limit_ms: u64, what: impl Fn(&PanelEvent) -> bool) -> Duration {
        let mut from = self.verdicts.len();
        for _ in 0..=limit_ms / 10 {
            while from < self.verdicts.len() {
                if what(&self.verdicts[from].1) {
                    return self.verdicts[from].0;
                }
                from += 1;
            }
            self.block();
        }
        panic!(
            "not seen\nline {:?}\npanel {:?}\n{:?}",
            self.seen,
            self.verdicts,
            self.line.status()
        );
    }

    pub fn count(&self, what: impl Fn(&LineEvent) -> bool) -> usize {
        self.seen.iter().filter(|(_, e)| what(e)).count()
    }

    pub fn count_panel(&self, what: impl Fn(&PanelEvent) -> bool) -> usize {
        self.verdicts.iter().filter(|(_, e)| what(e)).count()
    }

    pub fn ring(&mut self) {
        self.sim.visitor_dial(42);
        self.until(8000, |e| matches!(e, LineEvent::RingConfirmed));
    }

    pub fn talk(&mut self) {
        self.ring();
        self.line.answer(self.sim.now()).unwrap();
        self.until(8000, |e| matches!(e, LineEvent::OffHookSettled));
        assert_eq!(self.count_panel(|e| matches!(e, PanelEvent::Answered)), 1);
    }

    /// Back to rest on both sides, with nothing ringing and nothing of ours on the line.
    pub fn rest(&mut self) {
        let rings = self.count(|e| matches!(e, LineEvent::RingConfirmed));
        self.until(9000, |e| matches!(e, LineEvent::Idle));
        self.run_ms(6000);
        assert_eq!(
            self.count(|e| matches!(e, LineEvent::RingConfirmed)),
            rings,
            "{:?}",
            self.seen
        );
        assert_eq!(
            self.line.drive(),
            Drive {
                load: Load::Off,
                ..Drive::SAFE
            }
        );
        assert_eq!(self.line.status().state.name(), "idle", "{:?}", self.seen);
        assert!(self.sim.finished(), "{:?}", self.verdicts);
    }
}
