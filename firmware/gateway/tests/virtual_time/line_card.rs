//! The line card is lost and comes back, in every phase.

use line_interface::Drive;
use phone::KeyBy;

use crate::world::{Options, World, answers, ms, presses, seconds};

const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];

/// Loses the card `after` the event of a visit, brings it back `away` later.
fn lose_after(brand: &'static str, event: &str, after: u64, away: u64) {
    let mut world = World::ready(Options {
        brand,
        ..Options::with(presses(ms(1500), &[(3000, '9', KeyBy::Rfc4733)]))
    });
    world.dial();
    if !event.is_empty() {
        world.wait(event, 1);
    }
    world.run_for(ms(after));
    world.lose_card();
    assert!(world.gateway.call_statuses().is_empty());
    assert_eq!(world.phase(), "idle");
    let what = format!("{brand}, {after} ms after {event}, away {away} ms");
    for _ in 0..away / 10 {
        world.run_for(ms(10));
        assert_eq!(world.driven(), Drive::SAFE, "{what}");
    }
    assert!(
        !world.phone.is_busy() || away < 200,
        "{what}\n{}",
        world.story()
    );
    world.return_card();
    world.run_for(seconds(5));
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_card_lost_in_any_phase_ends_the_call_and_the_next_visit_works() {
    for brand in BRANDS {
        for (event, after) in [
            ("", 200),
            ("", 900),
            ("call_placed", 0),
            ("call_ringing", 700),
            ("call_answered", 0),
            ("call_answered", 500),
            ("call_answered", 2500),
            ("digit", 0),
            ("door_release_started", 100),
            ("door_release_ended", 200),
            ("call_ended", 100),
            ("call_ended", 1500),
        ] {
            for away in [30, 2000] {
                lose_after(brand, event, after, away);
            }
        }
    }
}

#[test]
fn a_card_lost_while_idle_is_told_and_its_return_too() {
    let mut world = World::ready(Options::default());
    world.lose_card();
    assert!(world.last_words("line_card").contains("unplugged"));
    assert!(!world.gateway.line_statuses()[0].present);
    world.run_for(seconds(3));
    world.return_card();
    assert!(world.gateway.line_statuses()[0].present);
    assert_eq!(world.happened("line_card"), 3);
    world.next_visit_works();
}

#[test]
fn a_visitor_without_a_card_rings_the_handset_as_before() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.lose_card();
    world.dial();
    world.wait_panel(line_simulation::PanelEvent::Ringing);
    world.run_for(seconds(1));
    world.lift();
    world.wait_panel(line_simulation::PanelEvent::Answered);
    world.run_for(seconds(2));
    world.hold_button(true);
    world.wait_panel(line_simulation::PanelEvent::LockOpened);
    assert_eq!(world.gateway_sent("INVITE"), 0);
    world.next_visit_works();
}

#[test]
fn an_opening_that_a_lost_card_cuts_short_is_told_as_failed() {
    let mut world = World::ready(Options::default());
    world.visit_until("door_release_started");
    world.run_for(ms(20));
    world.lose_card();
    assert_eq!(world.records("door_opened"), 1);
    assert_eq!(world.happened("door_release_failed"), 1);
    assert!(world.last_words("door_release_failed").contains("card"));
    world.next_visit_works();
}
