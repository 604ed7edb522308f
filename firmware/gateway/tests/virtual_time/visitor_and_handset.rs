//! The visitor leaves, or the resident lifts the old handset: it wins in every phase.

use line_interface::{Drive, Load};
use line_simulation::PanelEvent;
use phone::KeyBy;

use crate::world::{Options, World, answers, ms, never_answers, presses, seconds};

const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];

fn building(brand: &'static str, phone: phone::Script) -> World {
    World::ready(Options {
        brand,
        ..Options::with(phone)
    })
}

/// Lifts, and sees our part gone and the visitor with the handset.
fn handset_wins(world: &mut World, what: &str) {
    let openings = world.opened();
    world.lift();
    world.run_for(ms(210));
    let story = || format!("{what}\n{}", world.story());
    assert_eq!(world.driven(), Drive::SAFE, "{}", story());
    assert_eq!(world.gateway.audio_ports_in_use(), 0, "{}", story());
    world.run_for(seconds(2));
    assert_eq!(world.phase(), "handset", "{what}\n{}", world.story());
    assert_eq!(world.opened(), openings, "{what}");
    world.hold_button(true);
    world.run_for(ms(400));
    world.hold_button(false);
    world.run_for(seconds(7));
    assert_eq!(world.opened(), openings + 1, "{what}\n{}", world.story());
    assert!(
        world.last_words("door_opened").contains("Handset"),
        "{what}"
    );
    world.next_visit_works();
}

#[test]
fn the_visitor_gives_up_while_the_phone_rings() {
    for after in [100, 1500, 4000] {
        let mut world = building("vizit", never_answers());
        world.visit_until("call_ringing");
        world.run_for(ms(after));
        world.panel.visitor_leave();
        world.wait("call_ended", 1);
        world.run_for(ms(100));
        assert_eq!(world.gateway_sent("CANCEL"), 1);
        assert!(!world.phone.is_busy());
        world.next_visit_works();
    }
}

#[test]
fn the_visitor_leaves_during_the_talk() {
    let mut world = building("vizit", answers(ms(300)));
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    world.panel.visitor_leave();
    world.wait("call_ended", 1);
    world.run_for(ms(100));
    assert_eq!(world.gateway_sent("BYE"), 1);
    world.next_visit_works();
}

#[test]
fn the_handset_is_lifted_while_the_phone_rings() {
    for brand in BRANDS {
        // Within and between the bursts.
        for after in (50..3600).step_by(370) {
            let mut world = building(brand, never_answers());
            world.visit_until("call_ringing");
            world.run_for(ms(after));
            handset_wins(&mut world, &format!("{brand} {after} ms into the ringing"));
        }
    }
}

#[test]
fn the_handset_is_lifted_around_the_answer_of_the_phone() {
    for brand in BRANDS {
        for before in (0..400).step_by(45) {
            let mut world = building(brand, answers(ms(1500)));
            world.visit_until("call_ringing");
            world.run_for(ms(1100 + before));
            handset_wins(
                &mut world,
                &format!("{brand} lifted {before} ms before the answer"),
            );
        }
    }
}

#[test]
fn the_handset_is_lifted_during_the_talk() {
    for brand in BRANDS {
        for after in [20, 90, 300, 900, 2500] {
            let mut world = building(brand, answers(ms(300)));
            world.visit_until("call_answered");
            world.run_for(ms(after));
            handset_wins(&mut world, &format!("{brand} {after} ms into the talk"));
            assert!(world.happened("handset_lifted") >= 1);
        }
    }
}

#[test]
fn the_handset_is_lifted_while_the_door_is_released() {
    for brand in BRANDS {
        for after in [0, 30, 150, 400, 520, 800] {
            let phone = presses(ms(300), &[(2500, '9', KeyBy::Rfc4733)]);
            let mut world = building(brand, phone);
            world.visit_until("door_release_started");
            world.run_for(ms(after));
            world.lift();
            world.run_for(ms(210));
            assert_eq!(world.driven(), Drive::SAFE, "{brand} {after}");
            world.run_for(seconds(3));
            assert!(world.opened() <= 1);
            assert_eq!(world.records("door_opened"), 1);
            world.next_visit_works();
        }
    }
}

#[test]
fn a_handset_lifted_before_the_visitor_dials_is_told_as_a_fault() {
    let mut world = building("vizit", answers(ms(300)));
    world.lift();
    world.run_for(seconds(1));
    world.visit_until("line_fault");
    assert!(world.last_words("line_fault").contains("stuck_off_hook"));
    assert_eq!(world.driven().load, Load::Off);
    assert_eq!(world.gateway_sent("INVITE"), 0);
    world.next_visit_works();
}

#[test]
fn a_visitor_who_leaves_while_dialling_rings_nobody() {
    let mut world = building("vizit", answers(ms(300)));
    world.dial();
    world.run_for(ms(500));
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    assert_eq!(world.saw(PanelEvent::Ringing), 0);
    assert_eq!(world.happened("ring"), 0);
    world.next_visit_works();
}
