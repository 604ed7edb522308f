//! Taps that the simulator records, told by the listener: the apartment and the call agree with the
//! panel's log, and bus faults have their names.

#![allow(clippy::unwrap_used)]

mod common;

use common::seed;
use line_interface::matrix::Bus;
use line_interface::observe::{MatrixObserver, Observation, Seen};
use line_interface::switch::{Addressing, Switch};
use line_interface::{DriveBlock, DriveSide, Profile, SenseBlock};
use line_simulation::PanelEvent;
use line_simulation::matrix::{BusFault, MatrixSetup, MatrixSimulation};

struct Bench {
    sim: MatrixSimulation,
    observer: MatrixObserver,
    at: Addressing,
    verdicts: Vec<(u64, PanelEvent)>,
}

impl Bench {
    fn new(brand: &str, switch: &str, side: DriveSide, n: u64) -> Self {
        let at = Addressing::new(Switch::builtin(switch).unwrap(), 1, false).unwrap();
        let mut setup = MatrixSetup::new(brand, at.clone()).unwrap();
        setup.side = side;
        setup.seed = seed(n);
        setup.noise_rms_volts = 0.05;
        setup.hum_volts = 1.0;
        let mut profile = Profile::builtin(brand).unwrap();
        profile.matrix.sourced.value = side;
        let mut sim = MatrixSimulation::new(setup).unwrap();
        sim.record();
        Self {
            observer: MatrixObserver::new(profile, at.switch()),
            sim,
            at,
            verdicts: Vec::new(),
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let mut sense = SenseBlock::default();
        for _ in 0..ms / 10 {
            self.sim.step(&DriveBlock::default(), &mut sense);
            let taps: Vec<[f32; 80]> = self
                .sim
                .recorded()
                .iter()
                .map(|v| v.as_slice().try_into().unwrap())
                .collect();
            self.observer.handle_block(&taps);
            while let Some((_, v)) = self.sim.poll_event() {
                self.verdicts.push((v.t.as_millis() as u64, v.event));
            }
        }
    }

    fn end(&mut self) -> Vec<Seen> {
        self.observer.finish();
        let mut seen: Vec<Seen> = std::iter::from_fn(|| self.observer.poll()).collect();
        seen.sort_by_key(|s| s.t_ms);
        seen
    }
}

#[test]
fn a_call_through_a_switch_is_told_with_its_apartment() {
    for (n, (brand, switch, side, apartment)) in (0..).zip([
        ("vizit", "bk-10", DriveSide::Tens, 10),
        ("eltis", "km20-1", DriveSide::Units, 20),
        ("metakom", "com-25u", DriveSide::Tens, 25),
        ("cyfral", "km100-7.1", DriveSide::Tens, 42),
    ]) {
        let mut b = Bench::new(brand, switch, side, n);
        let cell = b.at.cell(apartment).unwrap();
        b.run_ms(500);
        b.sim.dial(0, apartment);
        b.run_ms(4500);
        let lifted = b.sim.now().as_millis() as u64;
        b.sim.lift(cell);
        b.run_ms(2500);
        let pressed = b.sim.now().as_millis() as u64;
        b.sim.press(cell, true);
        b.run_ms(500);
        b.sim.press(cell, false);
        b.run_ms(2000);
        let replaced = b.sim.now().as_millis() as u64;
        b.sim.replace(cell);
        b.run_ms(4000);
        let seen = b.end();
        let panel = |what: PanelEvent| b.verdicts.iter().find(|v| v.1 == what).unwrap().0;
        for (name, t) in [
            ("line_active", panel(PanelEvent::Selected)),
            ("apartment_code", panel(PanelEvent::Selected)),
            ("ring_started", panel(PanelEvent::Ringing)),
            ("handset_lifted", lifted),
            ("door_button", pressed),
            ("handset_replaced", replaced),
        ] {
            let s = seen.iter().find(|s| s.what.name() == name);
            let s = s.unwrap_or_else(|| panic!("{brand}: no {name} in {seen:?}"));
            assert!(
                s.t_ms.abs_diff(t) <= 40,
                "{brand} {name}: {} not {t}",
                s.t_ms
            );
        }
        let codes: Vec<_> = seen
            .iter()
            .filter_map(|s| match s.what {
                Observation::Cell { cell } => b.at.apartment(cell),
                _ => None,
            })
            .collect();
        assert!(
            codes.iter().all(|c| *c == apartment) && !codes.is_empty(),
            "{seen:?}"
        );
        assert!(b.verdicts.iter().any(|v| v.1 == PanelEvent::LockOpened));
        assert!(
            !seen.iter().any(|s| s.what.name() == "line_fault"),
            "{seen:?}"
        );
    }
}

#[test]
fn a_short_between_buses_is_told_and_no_apartment() {
    for (a, b) in [
        ((Bus::Tens, 4), (Bus::Tens, 5)),
        ((Bus::Units, 2), (Bus::Units, 3)),
    ] {
        let mut bench = Bench::new("eltis", "km100-7.1", DriveSide::Tens, 5);
        bench.sim.inject(0, BusFault::Short { a, b });
        bench.run_ms(200);
        bench.sim.dial(0, 42);
        bench.run_ms(2500);
        let seen = bench.end();
        assert!(
            seen.iter().any(|s| matches!(
                s.what,
                Observation::Fault {
                    kind: "bus_short",
                    ..
                }
            )),
            "{seen:?}"
        );
        assert!(
            !seen
                .iter()
                .any(|s| matches!(s.what, Observation::Cell { .. }))
        );
    }
}
