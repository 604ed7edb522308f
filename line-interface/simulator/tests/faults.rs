//! A technician's faults: each is named, none leaves a load on the line, each clears.

mod common;

use common::{BRANDS, Bench};
use line_interface::{Drive, FaultKind, HandsetFitting, LineErrorKind, LineEvent};
use line_simulation::{DropCause, Fault, PanelEvent, Setup};

#[test]
fn faults_of_the_pair_are_named_with_their_readings() {
    for brand in BRANDS {
        for (fault, kind, why) in [
            (Fault::Short, FaultKind::Short, DropCause::Short),
            (Fault::Open, FaultKind::OpenPair, DropCause::Open),
            (Fault::Stuck, FaultKind::StuckOffHook, DropCause::OffHook),
            (
                Fault::Reversed,
                FaultKind::ReversedPolarity,
                DropCause::Open,
            ),
        ] {
            let mut b = Bench::new(brand, 60_000);
            b.sim.inject(fault);
            b.sim.visitor_dial(42);
            b.until(
                3000,
                |e| matches!(e, LineEvent::Fault { kind: k, .. } if *k == kind),
            );
            let Some((_, LineEvent::Fault { reading, .. })) = b
                .seen
                .iter()
                .find(|(_, e)| matches!(e, LineEvent::Fault { .. }))
            else {
                unreachable!()
            };
            match kind {
                FaultKind::Short => assert!(reading.milliamps > 24.0 && reading.volts < 1.0),
                FaultKind::OpenPair => assert!(reading.volts > 9.0),
                FaultKind::StuckOffHook => assert!((4.5..8.6).contains(&reading.volts)),
                _ => assert!(reading.volts < -5.0),
            }
            assert!(!kind.hint().is_empty());
            assert_eq!(
                b.line.answer(b.sim.now()).unwrap_err().kind,
                LineErrorKind::Faulty
            );
            b.run_ms(8000);
            assert_eq!(
                b.count_panel(|e| matches!(e, PanelEvent::LineError { why: w } if *w == why)),
                1
            );
            assert_eq!(b.line.drive(), Drive::SAFE);
            assert_eq!(
                b.count(|e| matches!(e, LineEvent::FaultCleared { kind: k } if *k == kind)),
                1
            );
            b.sim.clear_faults();
            b.talk();
        }
    }
}

#[test]
fn an_unplugged_handset_during_our_call_is_reported_and_the_call_goes_on() {
    for brand in BRANDS {
        let mut b = Bench::new(brand, 61_000);
        b.talk();
        b.sim.inject(Fault::Open);
        b.until(2000, |e| {
            matches!(
                e,
                LineEvent::Fault {
                    kind: FaultKind::HandsetMissing,
                    ..
                }
            )
        });
        b.sim.clear_faults();
        b.until(2000, |e| {
            matches!(
                e,
                LineEvent::FaultCleared {
                    kind: FaultKind::HandsetMissing
                }
            )
        });
        b.sim.inject(Fault::Short);
        b.until(2000, |e| {
            matches!(
                e,
                LineEvent::Fault {
                    kind: FaultKind::HandsetShort,
                    ..
                }
            )
        });
        assert_eq!(b.line.status().state.name(), "talking");
    }
}

#[test]
fn without_a_handset_our_own_on_hook_load_lets_the_panel_call() {
    for brand in BRANDS {
        let mut setup = Setup::brand(brand).unwrap();
        setup.handset = None;
        let mut b = Bench::with(setup, HandsetFitting::Absent);
        b.talk();
        b.line.release_door(b.sim.now(), 1).unwrap();
        b.until_panel(3000, |e| matches!(e, PanelEvent::LockOpened));
        b.line.hang_up(b.sim.now());
        b.until(9000, |e| matches!(e, LineEvent::Idle));
        assert_eq!(b.line.drive().load.name(), "on_hook");
        b.run_ms(4000);
        b.line.card_lost(b.sim.now());
        assert_eq!(b.line.drive(), Drive::SAFE);
    }
}

#[test]
fn a_broken_or_shorted_riser_ends_the_call_and_takes_our_load_away() {
    for brand in BRANDS {
        for fault in [Fault::RiserOpen, Fault::RiserShort] {
            let mut b = Bench::new(brand, 62_000);
            b.talk();
            b.line.release_door(b.sim.now(), 5).unwrap();
            b.sim.inject(fault);
            b.until(1000, |e| matches!(e, LineEvent::PanelEnded));
            assert_eq!(b.line.drive(), Drive::SAFE);
            assert_eq!(
                b.count(|e| matches!(e, LineEvent::DoorReleaseFailed { token: 5, .. })),
                1
            );
        }
    }
}
