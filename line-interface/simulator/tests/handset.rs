//! The old handset wins at any moment and never presses the door button by that.

mod common;

use common::{BRANDS, Bench, Dice};
use line_interface::{Drive, LineErrorKind, LineEvent};
use line_simulation::{DropCause, Fault, PanelEvent};

/// After the handset took over: it talks, opens with its own button, and hangs up.
fn handset_call(b: &mut Bench) {
    assert_eq!(b.line.drive(), Drive::SAFE);
    b.run_ms(2000);
    assert_eq!(
        b.count_panel(|e| matches!(e, PanelEvent::Answered)),
        1,
        "{:?}",
        b.verdicts
    );
    assert_eq!(
        b.count_panel(|e| matches!(e, PanelEvent::LockOpened)),
        0,
        "{:?}",
        b.verdicts
    );
    assert_eq!(
        b.count_panel(|e| matches!(e, PanelEvent::CallDropped { .. })),
        0
    );
    assert_eq!(b.count(|e| matches!(e, LineEvent::HandsetLifted)), 1);
    assert_eq!(
        b.line.answer(b.sim.now()).unwrap_err().kind,
        LineErrorKind::HandsetHasCall
    );
    b.sim.press_handset_button(true);
    b.run_ms(400);
    b.sim.press_handset_button(false);
    b.run_ms(1000);
    assert_eq!(
        b.count(|e| matches!(e, LineEvent::DoorButton)),
        1,
        "{:?}",
        b.seen
    );
    assert_eq!(
        b.count_panel(|e| matches!(e, PanelEvent::LockOpened)),
        1,
        "{:?}",
        b.verdicts
    );
    b.sim.replace_handset();
    // Panel and gateway see it in either order.
    b.run_ms(1000);
    assert_eq!(
        b.count(|e| matches!(e, LineEvent::HandsetReplaced)),
        1,
        "{:?}",
        b.seen
    );
    assert_eq!(
        b.count_panel(|e| matches!(
            e,
            PanelEvent::CallDropped {
                why: DropCause::OnHook
            }
        )),
        1
    );
    b.rest();
}

#[test]
fn a_lift_while_ringing_takes_the_call() {
    for brand in BRANDS {
        for n in 0..25 {
            let mut b = Bench::new(brand, 10_000 + n);
            b.ring();
            b.run_ms(Dice::new(n).between(0, 6000));
            b.sim.lift_handset();
            b.until(3000, |e| matches!(e, LineEvent::HandsetLifted));
            handset_call(&mut b);
        }
    }
}

#[test]
fn a_lift_during_our_call_takes_it_over_without_a_gap() {
    for brand in BRANDS {
        for n in 0..40 {
            let mut b = Bench::new(brand, 20_000 + n);
            b.ring();
            b.line.answer(b.sim.now()).unwrap();
            b.run_ms(Dice::new(n).between(0, 9000));
            b.sim.lift_handset();
            let lifted = b.sim.now();
            let seen = b.until(400, |e| matches!(e, LineEvent::HandsetLifted));
            assert!((seen - lifted).as_millis() <= 150, "{brand} {n}");
            handset_call(&mut b);
        }
    }
}

#[test]
fn a_lift_in_the_moment_of_the_answer_takes_the_call() {
    for brand in BRANDS {
        for n in 0..30 {
            let mut b = Bench::new(brand, 30_000 + n);
            b.ring();
            b.run_ms(n * 70);
            b.sim.lift_handset();
            b.run_ms(n % 8 * 10);
            let answered = b.line.answer(b.sim.now());
            assert!(answered.is_ok() || b.count(|e| matches!(e, LineEvent::HandsetLifted)) == 1);
            b.run_ms(3000);
            handset_call(&mut b);
        }
    }
}

#[test]
fn a_lift_while_we_hang_up_leaves_the_line_to_the_handset_or_the_panel() {
    for brand in BRANDS {
        for n in 0..20 {
            let mut b = Bench::new(brand, 40_000 + n);
            b.talk();
            b.line.hang_up(b.sim.now());
            b.run_ms(n * 40);
            b.sim.lift_handset();
            b.run_ms(500);
            assert_eq!(b.line.drive(), Drive::SAFE, "{brand} {n}");
            b.run_ms(50_000);
            b.sim.replace_handset();
            b.run_ms(6000);
            assert_eq!(b.line.status().state.name(), "idle");
            assert_eq!(
                b.count_panel(|e| matches!(e, PanelEvent::LockOpened)),
                0,
                "{brand} {n}"
            );
        }
    }
}

#[test]
fn without_power_the_old_handset_rings_talks_and_opens() {
    for brand in BRANDS {
        for n in 0..10 {
            let mut b = Bench::new(brand, 50_000 + n);
            b.sim.inject(Fault::CardPowerOff);
            // A dead box whose outputs would say anything at all.
            b.ring();
            b.line.answer(b.sim.now()).unwrap();
            b.run_ms(1000);
            assert_eq!(b.count_panel(|e| matches!(e, PanelEvent::Answered)), 0);
            b.sim.lift_handset();
            b.until_panel(4000, |e| matches!(e, PanelEvent::Answered));
            b.run_ms(1500);
            b.sim.press_handset_button(true);
            b.run_ms(400);
            b.sim.press_handset_button(false);
            b.run_ms(500);
            assert_eq!(b.count_panel(|e| matches!(e, PanelEvent::LockOpened)), 1);
            b.sim.replace_handset();
            b.until_panel(3000, |e| {
                matches!(
                    e,
                    PanelEvent::CallDropped {
                        why: DropCause::OnHook
                    }
                )
            });
        }
    }
}
