//! The gateway gets no time, for a moment or for seconds, in every state of a call: the card's
//! watchdog lets go, and what the wires then show is our own doing, not the resident's.

use line_interface::{Drive, DriveSide};
use line_simulation::PanelEvent;
use phone::KeyBy;

use crate::dice::Dice;
use crate::world::{Options, Topology, World, answers, ms, never_answers, presses, seconds};

const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];
/// Events of a visit after which the gateway stands still.
const MOMENTS: [&str; 8] = [
    "",
    "ring",
    "call_ringing",
    "call_answered",
    "digit",
    "door_release_started",
    "door_release_ended",
    "call_ended",
];

fn building(topology: Topology, dice: &mut Dice, number: u64) -> World {
    World::ready(Options {
        topology,
        brand: dice.one_of(&BRANDS),
        seed: number,
        spread: dice.below(8) as f32 / 100.0,
        ..Options::with(presses(ms(1500), &[(3000, '9', KeyBy::Rfc4733)]))
    })
}

/// A visit during which the gateway stands still now and then.
fn visit(topology: Topology, number: u64) -> usize {
    let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    dice.below(2);
    let mut world = building(topology, &mut dice, number);
    world.dial();
    let moment = dice.one_of(&MOMENTS);
    if !moment.is_empty() {
        world.wait(moment, 1);
    }
    world.run_for(ms(dice.below(1500)));
    for _ in 0..1 + dice.below(3) {
        world.stall(ms(10 + dice.below(5000) / (1 + dice.below(25))));
        world.run_for(ms(dice.below(800)));
    }
    let fallen = world.happened("outputs_dropped");
    world.panel.visitor_leave();
    world.settle();
    let story = world.story();
    assert_eq!(
        world.happened("handset_lifted"),
        0,
        "a phantom lift: {number}\n{story}"
    );
    assert!(
        world.saw(PanelEvent::DoorButtonSeen) <= world.happened("door_release_started"),
        "a door button that nobody pressed: {number}\n{story}"
    );
    assert!(
        world.happened("call_ended") >= world.happened("call_answered"),
        "a call without an end: {number}\n{story}"
    );
    if number.is_multiple_of(3) {
        world.next_visit_works();
    }
    fallen
}

fn visits(topology: Topology, times: u64) {
    let fallen: usize = (0..times).map(|number| visit(topology, number)).sum();
    assert!(fallen as u64 > times / 2, "too tame: {fallen} of {times}");
}

#[test]
fn standing_still_in_any_state_lifts_no_handset_and_opens_no_door() {
    visits(Topology::Pair, 300);
}

#[test]
fn nor_at_a_switch_nor_on_a_pulse_line() {
    visits(Topology::Matrix("bk-4", DriveSide::Tens), 20);
    visits(Topology::Matrix("bk-4", DriveSide::Units), 20);
    visits(Topology::Pulse, 60);
}

#[test]
fn it_is_told_once_with_how_long_and_what_to_do() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    world.stall(ms(730));
    let words = world.last_words("outputs_dropped");
    assert!(
        words.contains("stood_ms: 730") && words.contains("load, memory"),
        "{words}"
    );
    assert_eq!(world.driven(), Drive::SAFE);
    world.run_for(seconds(1));
    assert_eq!(world.happened("outputs_dropped"), 1, "{}", world.story());
    assert!(world.last("outputs_dropped").unwrap().is_journalled());
    let ended = world.last_words("call_ended");
    assert!(ended.contains("watchdog"), "{ended}");
    world.next_visit_works();
}

#[test]
fn a_short_stall_costs_nothing() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    for _ in 0..5 {
        world.stall(ms(90));
        world.run_for(ms(300));
    }
    assert_eq!(world.happened("outputs_dropped"), 0);
    assert_eq!(world.gateway.call_statuses().len(), 1, "{}", world.story());
}

#[test]
fn a_call_that_nobody_answered_yet_rings_on() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    world.run_for(ms(700));
    world.stall(ms(600));
    world.run_for(seconds(1));
    assert_eq!(world.happened("outputs_dropped"), 1);
    assert_eq!(world.gateway_sent("CANCEL"), 0, "{}", world.story());
    assert!(world.phone.is_busy());
}

#[test]
fn in_the_place_of_a_handset_a_call_ends_and_the_load_comes_back() {
    for moment in ["ring", "call_answered"] {
        let mut world = World::ready(Options {
            handset: false,
            ..Options::with(answers(ms(1500)))
        });
        world.visit_until(moment);
        world.run_for(seconds(1));
        world.stall(ms(400));
        world.run_for(ms(500));
        assert_eq!(world.happened("outputs_dropped"), 1);
        assert!(
            world.gateway.call_statuses().is_empty(),
            "{}",
            world.story()
        );
        assert_eq!(world.driven().load, line_interface::Load::OnHook);
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn a_handset_lifted_meanwhile_has_the_call() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    world.run_for(ms(300));
    world.lift();
    world.stall(ms(1500));
    world.wait("handset_lifted", 1);
    assert_eq!(world.happened("handset_lifted"), 1, "{}", world.story());
}
