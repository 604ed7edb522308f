//! What the listener tells agrees with the panel's own log, in order and in time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{BRANDS, seed};
use std::time::Duration;

use line_interface::learn::guess_brand;
use line_interface::observe::{LevelBook, Observation, PairObserver, Seen};
use line_interface::{DriveBlock, Profile, SenseBlock};
use line_simulation::{Action, Fault, PanelEvent, Script, Setup, Simulation, Stamped};

struct Bench {
    sim: Simulation,
    observer: PairObserver,
    verdicts: Vec<Stamped>,
    voltage_only: bool,
}

impl Bench {
    fn new(brand: &str, profile: &str, n: u64, voltage_only: bool) -> Self {
        let setup = Setup::brand(brand).unwrap().spread(seed(n), 0.1);
        Self {
            sim: Simulation::new(setup, Script::default()).unwrap(),
            observer: PairObserver::new(Profile::builtin(profile).unwrap(), !voltage_only),
            verdicts: Vec::new(),
            voltage_only,
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        for _ in 0..ms / 10 {
            self.sim.step(&drive, &mut sense);
            if self.voltage_only {
                sense.line_milliamps.fill(0.0);
            }
            self.observer.handle_block(&sense);
            while let Some(v) = self.sim.poll_event() {
                self.verdicts.push(v);
            }
        }
    }

    fn until(&mut self, what: PanelEvent) {
        for _ in 0..3000 {
            if self.verdicts.iter().any(|v| v.event == what) {
                return;
            }
            self.run_ms(10);
        }
        panic!("no {what:?} in {:?}", self.verdicts);
    }

    fn time(&self, what: PanelEvent) -> u64 {
        let v = self.verdicts.iter().find(|v| v.event == what).unwrap();
        v.t.as_millis() as u64
    }

    fn end(mut self) -> (Vec<Seen>, LevelBook, Vec<Stamped>) {
        self.observer.finish();
        let mut seen: Vec<Seen> = std::iter::from_fn(|| self.observer.poll()).collect();
        seen.sort_by_key(|s| s.t_ms);
        (seen, self.observer.levels().clone(), self.verdicts)
    }
}

fn names(seen: &[Seen]) -> Vec<&'static str> {
    let mut names: Vec<_> = seen
        .iter()
        .map(|s| s.what.name())
        .filter(|n| *n != "tone")
        .collect();
    names.dedup();
    names
}

/// A call that the old handset answers, with its button pressed, on a bench of a brand.
fn call(b: &mut Bench) -> (u64, u64, u64) {
    b.run_ms(1000);
    b.sim.visitor_dial(42);
    b.until(PanelEvent::Ringing);
    b.run_ms(4500);
    let lifted = b.sim.now().as_millis() as u64;
    b.sim.lift_handset();
    b.run_ms(3000);
    let pressed = b.sim.now().as_millis() as u64;
    b.sim.act(&Action::Press(Duration::from_millis(500)));
    b.run_ms(4000);
    let replaced = b.sim.now().as_millis() as u64;
    b.sim.replace_handset();
    b.run_ms(8000);
    (lifted, pressed, replaced)
}

#[test]
fn a_call_is_told_as_the_panel_lived_it() {
    for brand in BRANDS {
        for profile in [brand, "custom"] {
            for n in 0..10 {
                let mut b = Bench::new(brand, profile, n, n % 2 == 1);
                let (lifted, pressed, replaced) = call(&mut b);
                let (selected, ringing) =
                    (b.time(PanelEvent::Selected), b.time(PanelEvent::Ringing));
                let (seen, levels, verdicts) = b.end();
                // A lift in the middle of a burst comes before the burst is over.
                let mut order = names(&seen);
                order.retain(|n| !matches!(*n, "ring_burst" | "ring_stopped"));
                assert_eq!(
                    order,
                    [
                        "line_active",
                        "ring_started",
                        "handset_lifted",
                        "door_button",
                        "handset_replaced",
                        "line_idle"
                    ],
                    "{brand} {profile} {n}: {seen:?}"
                );
                let stops = seen.iter().filter(|s| s.what.name() == "ring_stopped");
                assert_eq!(stops.count(), 1);
                let near = |name: &str, t: u64, by: u64| {
                    let s = seen.iter().find(|s| s.what.name() == name).unwrap();
                    assert!(
                        s.t_ms.abs_diff(t) <= by,
                        "{brand} {name} at {} not {t}",
                        s.t_ms
                    );
                };
                near("line_active", selected, 20);
                near("ring_started", ringing, 20);
                near("handset_lifted", lifted, 30);
                near("door_button", pressed, 20);
                near("handset_replaced", replaced, 30);
                // Bursts one by one.
                let spec = Setup::brand(brand).unwrap().panel;
                let theirs: Vec<u64> = verdicts
                    .iter()
                    .filter(|v| v.event == PanelEvent::RingBurst)
                    .map(|v| v.t.as_millis() as u64)
                    .collect();
                let ours: Vec<_> = seen
                    .iter()
                    .filter_map(|s| match s.what {
                        Observation::RingBurst {
                            frequency_hz,
                            duration_ms,
                        } => Some((s.t_ms, frequency_hz, duration_ms)),
                        _ => None,
                    })
                    .collect();
                // A burst that the lift cuts off at its very beginning may be too short to count.
                let whole = theirs.iter().filter(|t| **t + 100 <= lifted).count();
                assert!(
                    (whole..=theirs.len()).contains(&ours.len()),
                    "{brand}: {} bursts of {theirs:?}, lifted at {lifted}",
                    ours.len()
                );
                for ((t, hz, ms), panel) in ours.iter().zip(&theirs) {
                    assert!(t.abs_diff(*panel) <= 20);
                    assert!(
                        (hz / spec.ring.frequency_hz.value - 1.0).abs() < 0.03,
                        "{brand} {hz}"
                    );
                    if t + ms < lifted {
                        assert!(ms.abs_diff(spec.ring.burst_ms.value) <= 20, "{brand} {ms}");
                    }
                }
                // The panel's own tone after the door opened.
                let tone = seen.iter().find(|s| s.what.name() == "tone").unwrap();
                assert!(tone.t_ms.abs_diff(pressed) < 1500, "{tone:?}");
                let (_, confidence, why) = guess_brand(&levels);
                assert!(confidence <= 0.5 && !why.is_empty());
            }
        }
    }
}

#[test]
fn a_call_that_nobody_answers_stops_and_the_next_one_starts() {
    for brand in BRANDS {
        let mut b = Bench::new(brand, brand, 3, true);
        b.sim.visitor_dial(7);
        b.until(PanelEvent::Ringing);
        b.run_ms(5000);
        b.sim.visitor_leave();
        b.run_ms(15_000);
        b.sim.visitor_dial(7);
        b.run_ms(6000);
        b.sim.visitor_leave();
        b.run_ms(12_000);
        let (seen, _, _) = b.end();
        let once = [
            "line_active",
            "ring_started",
            "ring_burst",
            "ring_stopped",
            "line_idle",
        ];
        assert_eq!(names(&seen), [once, once].concat(), "{brand} {seen:?}");
    }
}

#[test]
fn faults_are_named_from_the_voltage_alone() {
    for brand in BRANDS {
        for (fault, kind) in [
            (Fault::Open, "open"),
            (Fault::Stuck, "stuck_off_hook"),
            (Fault::Reversed, "reversed"),
            (Fault::Short, "short"),
        ] {
            for voltage_only in [false, true] {
                let mut b = Bench::new(brand, brand, 8, voltage_only);
                b.sim.inject(fault);
                b.run_ms(500);
                b.sim.visitor_dial(42);
                b.run_ms(9000);
                let selected = b.time(PanelEvent::Selected);
                let (seen, _, _) = b.end();
                let found = seen
                    .iter()
                    .find(|s| matches!(s.what, Observation::Fault { kind: k, .. } if k == kind));
                let found =
                    found.unwrap_or_else(|| panic!("{brand} {kind} {voltage_only}: {seen:?}"));
                assert!(
                    found.t_ms.abs_diff(selected) <= 40,
                    "{brand} {kind} {found:?}"
                );
                assert_eq!(
                    seen.iter()
                        .filter(|s| s.what.name() == "line_fault")
                        .count(),
                    1
                );
            }
        }
    }
}

/// Runs a made-up voltage through a listener.
fn hear(ms: u64, volts: impl Fn(f32) -> f32) -> Vec<Seen> {
    let mut o = PairObserver::new(Profile::builtin("vizit").unwrap(), false);
    for block in 0..ms / 10 {
        let mut sense = SenseBlock::default();
        for (i, v) in sense.line_volts.iter_mut().enumerate() {
            *v = volts((block as f32 * 80.0 + i as f32) / 8000.0);
        }
        o.handle_block(&sense);
    }
    o.finish();
    std::iter::from_fn(|| o.poll()).collect()
}

#[test]
fn foreign_voltages_and_leakage_are_told_and_hum_is_not() {
    let sine = |hz: f32, t: f32| (std::f32::consts::TAU * hz * t).sin();
    let kinds = |seen: &[Seen]| {
        seen.iter()
            .filter_map(|s| match s.what {
                Observation::Fault { kind, hint, .. } => {
                    assert!(!hint.is_empty());
                    Some((kind, s.t_ms))
                }
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let step = |v: f32| move |t: f32| if t > 2.0 { v } else { 0.0 };
    for volts in [24.0, -24.0, 18.0] {
        let seen = kinds(&hear(8000, step(volts)));
        assert!(
            matches!(seen.as_slice(), [("foreign_voltage", 1990..=2020)]),
            "{volts} {seen:?}"
        );
    }
    let mains = kinds(&hear(
        8000,
        |t| if t > 2.0 { 8.0 * sine(50.0, t) } else { 0.0 },
    ));
    assert!(mains.iter().any(|f| f.0 == "foreign_voltage"), "{mains:?}");
    let wet = kinds(&hear(12_000, step(0.6)));
    assert!(
        matches!(wet.as_slice(), [("leakage", 1990..=2030)]),
        "{wet:?}"
    );
    for hz in [50.0, 100.0] {
        assert!(
            hear(20_000, |t| sine(hz, t)).is_empty(),
            "hum of 1 V at {hz} Hz is told"
        );
    }
    // Fed for more than a minute without a ring.
    let vain = kinds(&hear(70_000, step(2.4)));
    assert!(
        matches!(vain.as_slice(), [("foreign_voltage", _)]),
        "{vain:?}"
    );
}

#[test]
fn a_ring_under_hum_and_noise_is_still_told() {
    for hum in [0.3, 0.6, 1.0] {
        for hz in [50.0, 100.0] {
            let dice = std::cell::RefCell::new(common::Dice::new(1));
            let seen = hear(9000, |t| {
                let noise = (0..4)
                    .map(|_| dice.borrow_mut().below(2001) as f32 / 1000.0 - 1.0)
                    .sum::<f32>()
                    * 0.043;
                let line = if !(1.0..7.0).contains(&t) {
                    0.0
                } else if (2.0..3.0).contains(&t) || (5.0..6.0).contains(&t) {
                    if (t * 600.0).fract() < 0.5 { 2.5 } else { 0.0 }
                } else {
                    2.5
                };
                line + noise + hum * (std::f32::consts::TAU * hz * t).sin()
            });
            let mut seen = seen;
            seen.sort_by_key(|s| s.t_ms);
            assert_eq!(
                names(&seen),
                [
                    "line_active",
                    "ring_started",
                    "ring_burst",
                    "ring_stopped",
                    "line_idle"
                ],
                "{hum} V at {hz} Hz: {seen:?}"
            );
            let bursts: Vec<_> = seen
                .iter()
                .filter(|s| s.what.name() == "ring_burst")
                .map(|s| s.t_ms)
                .collect();
            assert!(
                bursts.len() == 2 && bursts[0].abs_diff(2000) <= 30,
                "{hum} {hz} {seen:?}"
            );
        }
    }
}
