//! What the listener tells of a pulse line agrees with the panel's own log, the handset's hook and
//! button included.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use line_interface::observe::{Observation, PulseObserver, Seen};
use line_interface::pulse::PulseProfile;
use line_interface::{AddressSense, DriveBlock, PulseBurst, SenseBlock};
use line_simulation::figures::Dice;
use line_simulation::{Action, LineModel as _, PanelEvent, PulseSetup, PulseSimulation, Stamped};

struct Bench {
    sim: PulseSimulation,
    observer: PulseObserver,
    sense: SenseBlock,
    verdicts: Vec<Stamped>,
}

impl Bench {
    fn new(n: u64, address: u16) -> Self {
        let mut setup = PulseSetup::brand("vizit").unwrap();
        setup.known = (1..=200).collect();
        setup.handset_at = vec![address];
        setup.seed = Dice::seed(n);
        setup.noise_volts = 0.05;
        let profile = PulseProfile::builtin("laskomex-class").unwrap();
        Self {
            sim: PulseSimulation::new(setup).unwrap(),
            observer: PulseObserver::new(profile),
            sense: SenseBlock::default(),
            verdicts: Vec::new(),
        }
    }

    /// The captured bits as a recording of the wire would hold them.
    fn samples(&mut self, burst: &PulseBurst) {
        let now_us = self.sim.now().as_micros() as u64;
        let begin = now_us - burst.bits.len() as u64 * 8;
        self.observer.sample(begin - u64::from(burst.low_us), 0.2);
        for (i, byte) in burst.bits.iter().enumerate() {
            for bit in 0..8 {
                let high = byte & (0x80 >> bit) != 0;
                let at = begin + i as u64 * 8 + bit;
                self.observer.sample(at, if high { 10.8 } else { 0.2 });
            }
        }
    }

    fn run_ms(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.sim.step(&DriveBlock::default(), &mut self.sense);
            if let AddressSense::Pulses(burst) = std::mem::take(&mut self.sense.address) {
                self.samples(&burst);
            }
            self.observer.handle_block(&self.sense);
            self.verdicts
                .extend(std::iter::from_fn(|| self.sim.poll_event()));
        }
    }

    fn now(&self) -> u64 {
        self.sim.now().as_millis() as u64
    }

    fn end(mut self) -> (Vec<Seen>, PulseObserver, Vec<Stamped>) {
        self.observer.finish();
        let mut seen: Vec<Seen> = std::iter::from_fn(|| self.observer.poll()).collect();
        seen.sort_by_key(|s| s.t_ms);
        (seen, self.observer, self.verdicts)
    }
}

#[track_caller]
fn near(seen: &[Seen], name: &str, t_ms: u64, by: u64) {
    let found = seen
        .iter()
        .find(|s| s.what.name() == name)
        .unwrap_or_else(|| panic!("no {name} in {seen:?}"));
    assert!(
        found.t_ms.abs_diff(t_ms) <= by,
        "{name} at {t_ms}: {seen:?}"
    );
}

#[test]
fn a_call_is_told_as_the_panel_lived_it() {
    for (n, address) in [(1, 1), (2, 42), (3, 77), (4, 200)] {
        let mut b = Bench::new(n, address);
        b.run_ms(1000);
        b.sim.visitor_dial(address);
        b.run_ms(4500);
        let lifted = b.now();
        b.sim.act(&Action::Lift);
        b.run_ms(3000);
        let pressed = b.now();
        b.sim.act(&Action::Press(Duration::from_millis(500)));
        b.run_ms(3500);
        let replaced = b.now();
        b.sim.act(&Action::Replace);
        b.run_ms(8000);
        let (seen, observer, verdicts) = b.end();
        let at = |event: PanelEvent| {
            let found = verdicts.iter().find(|v| v.event == event);
            found
                .unwrap_or_else(|| panic!("{event:?}: {verdicts:?}"))
                .t
                .as_millis() as u64
        };
        let code = seen.iter().find_map(|s| match s.what {
            Observation::Address { address } => Some(address),
            _ => None,
        });
        assert_eq!(code, Some(address), "{seen:?}");
        near(&seen, "ring_started", at(PanelEvent::Ringing), 30);
        near(&seen, "handset_lifted", lifted, 30);
        near(&seen, "door_button", pressed, 30);
        near(&seen, "handset_replaced", replaced, 30);
        assert!(at(PanelEvent::LockOpened) >= pressed);
        // Order of the whole, bursts and tones aside.
        let mut order: Vec<_> = seen.iter().map(|s| s.what.name()).collect();
        order.retain(|n| !matches!(*n, "ring_burst" | "ring_stopped" | "tone"));
        order.dedup();
        assert_eq!(
            order,
            [
                "line_active",
                "apartment_code",
                "ring_started",
                "handset_lifted",
                "door_button",
                "handset_replaced",
                "line_idle"
            ],
            "{seen:?}"
        );
        let levels = observer.levels();
        let (on, off, button) = (&levels.on_hook, &levels.off_hook, &levels.button);
        assert!(on.blocks > 10 && off.blocks > 100 && button.blocks > 10);
        assert!(on.max_volts < off.min_volts && off.max_volts < button.min_volts);
    }
}

#[test]
fn somebody_else_s_call_shows_no_hook() {
    let mut b = Bench::new(9, 42);
    b.run_ms(1000);
    // Nobody hangs at 43 on our wire; our handset is lifted all the same.
    b.sim.visitor_dial(43);
    b.run_ms(3000);
    b.sim.act(&Action::Lift);
    b.run_ms(2000);
    b.sim.act(&Action::Replace);
    b.sim.act(&Action::Leave);
    b.run_ms(8000);
    let (seen, ..) = b.end();
    for name in ["handset_lifted", "door_button", "handset_replaced"] {
        assert!(seen.iter().all(|s| s.what.name() != name), "{seen:?}");
    }
}
