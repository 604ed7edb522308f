//! Randomised calls of every brand: detected, answered, opened, ended, and quiet afterwards.

mod common;

use common::{BRANDS, Bench, Dice};
use line_interface::LineEvent;
use line_simulation::{DropCause, PanelEvent};

const CALLS: u64 = 60;

#[test]
fn a_call_is_answered_and_the_door_opens_once() {
    for brand in BRANDS {
        for n in 0..CALLS {
            let mut dice = Dice::new(n);
            let mut b = Bench::new(brand, n);
            let words: Vec<i16> = (0..80_000)
                .map(|_| (dice.below(20_000) as i16) - 10_000)
                .collect();
            b.run_ms(dice.between(0, 300));
            b.ring();
            b.run_ms(dice.between(0, 9000));
            b.line.answer(b.sim.now()).unwrap();
            b.sim.visitor_say(&words);
            // The door may be asked for before the panel is ready for it.
            b.run_ms(dice.between(0, 4000));
            b.line.release_door(b.sim.now(), n).unwrap();
            let opened = b.until_panel(9000, |e| matches!(e, PanelEvent::LockOpened));
            b.until(
                2000,
                |e| matches!(e, LineEvent::DoorReleaseEnded { token } if *token == n),
            );
            b.run_ms(dice.between(0, 3000));
            let asked = b.sim.now();
            b.line.hang_up(asked);
            b.until_panel(3000, |e| {
                matches!(
                    e,
                    PanelEvent::CallDropped {
                        why: DropCause::OnHook
                    }
                )
            });
            b.rest();
            assert_eq!(
                b.count_panel(|e| matches!(e, PanelEvent::LockOpened)),
                1,
                "{brand} {n} {opened:?}"
            );
            assert_eq!(
                b.count_panel(|e| matches!(e, PanelEvent::DoorButtonSeen)),
                1
            );
            assert_eq!(
                b.count_panel(|e| matches!(e, PanelEvent::LineError { .. })),
                0
            );
            assert_eq!(
                b.count(|e| matches!(e, LineEvent::Fault { .. })),
                0,
                "{:?}",
                b.seen
            );
        }
    }
}

#[test]
fn the_ring_is_confirmed_in_the_block_that_meets_the_rule() {
    for brand in BRANDS {
        for n in 0..CALLS {
            let mut b = Bench::new(brand, 1000 + n);
            b.sim.visitor_dial(u16::try_from(n).unwrap());
            let ringing = b.until_panel(5000, |e| matches!(e, PanelEvent::Ringing));
            let confirmed = b.until(1000, |e| matches!(e, LineEvent::RingConfirmed));
            let rule = b.line.profile().ring.minimum_ms.value;
            let took = (confirmed - ringing).as_millis() as u64;
            assert!(
                took <= rule + 10,
                "{brand} {n}: {took} ms for a rule of {rule} ms"
            );
        }
    }
}

#[test]
fn an_unanswered_call_ends_and_the_next_one_rings() {
    for brand in BRANDS {
        for n in 0..8 {
            let mut b = Bench::new(brand, 2000 + n);
            for _ in 0..2 {
                b.ring();
                if n % 2 == 0 {
                    b.until_panel(60_000, |e| {
                        matches!(
                            e,
                            PanelEvent::CallDropped {
                                why: DropCause::NoAnswer
                            }
                        )
                    });
                } else {
                    b.run_ms(100 + n * 700);
                    b.sim.visitor_leave();
                }
                b.until(9000, |e| matches!(e, LineEvent::PanelGaveUp));
                b.rest();
            }
            assert_eq!(b.count(|e| matches!(e, LineEvent::RingConfirmed)), 2);
            assert_eq!(b.count(|e| matches!(e, LineEvent::PanelGaveUp)), 2);
        }
    }
}

#[test]
fn the_panels_talk_limit_ends_our_call_and_frees_the_line() {
    for brand in BRANDS {
        for n in 0..8 {
            let mut b = Bench::new(brand, 3000 + n);
            b.talk();
            b.until_panel(60_000, |e| matches!(e, PanelEvent::TalkLimit));
            b.until(4000, |e| matches!(e, LineEvent::PanelEnded));
            b.rest();
            assert_eq!(b.count_panel(|e| matches!(e, PanelEvent::LockOpened)), 0);
        }
    }
}

#[test]
fn hanging_up_right_after_the_door_key_still_opens() {
    for brand in BRANDS {
        for n in 0..20 {
            let mut b = Bench::new(brand, 4000 + n);
            b.ring();
            b.line.answer(b.sim.now()).unwrap();
            b.line.release_door(b.sim.now(), 7).unwrap();
            b.run_ms(n * 40);
            b.line.hang_up(b.sim.now());
            b.until_panel(9000, |e| matches!(e, PanelEvent::LockOpened));
            b.rest();
            assert_eq!(b.count_panel(|e| matches!(e, PanelEvent::LockOpened)), 1);
        }
    }
}
