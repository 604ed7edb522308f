//! The phone holds the call and takes it back.

use peers::wav::Recording;
use phone::{KeyBy, Speaker, speak};

use crate::world::{Options, World, answers, ms, seconds};

fn talking() -> World {
    let mut world = World::ready(Options {
        keep_sound: true,
        config: "[call]\nrtp_timeout_s = 5",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    world
}

fn hold(world: &mut World, on: bool) {
    world.hold(on);
    world.run_for(ms(200));
}

/// How well the phone hears a visitor who speaks now.
fn visitor_reaches_the_phone(world: &mut World) -> f32 {
    let speech = speak(Speaker::Visitor, 1500);
    let from = world.phone.heard().len();
    world.panel.visitor_say(&speech);
    world.run_for(seconds(2));
    Recording::likeness_of(&speech, &world.phone.heard()[from..])
}

#[test]
fn audio_stops_on_hold_and_returns_after_it() {
    let mut world = talking();
    assert!(visitor_reaches_the_phone(&mut world) > 0.6);
    hold(&mut world, true);
    let before = world.network.gateway_rtp_packets;
    // A receiver's hold is sendonly: the gateway hears and is silent, so it keeps sending too;
    // what is told by the phone's description decides.
    assert_eq!(world.last_status_to("INVITE"), Some(200));
    world.run_for(seconds(2));
    let held_packets = world.network.gateway_rtp_packets - before;
    assert!(held_packets < 10, "{held_packets} packets sent on hold");
    hold(&mut world, false);
    assert!(visitor_reaches_the_phone(&mut world) > 0.6);
    assert_eq!(world.phase(), "talking");
    world.next_visit_works();
}

#[test]
fn a_key_opens_after_the_resume() {
    for by in [KeyBy::Rfc4733, KeyBy::InfoRelay, KeyBy::InfoDtmf] {
        let mut world = talking();
        hold(&mut world, true);
        world.run_for(seconds(4));
        hold(&mut world, false);
        world.press('9', by);
        world.wait("door_release_ended", 1);
        assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
        world.next_visit_works();
    }
}

#[test]
fn many_holds_and_resumes_leave_the_call_whole() {
    let mut world = talking();
    for _ in 0..8 {
        hold(&mut world, true);
        hold(&mut world, false);
    }
    assert!(visitor_reaches_the_phone(&mut world) > 0.6);
    world.press('9', KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    world.next_visit_works();
}

#[test]
fn a_phone_that_dies_on_hold_is_ended_by_the_talk_limit_at_the_latest() {
    let mut world = World::ready(Options {
        config: "[call]\ntalk_limit_s = 20",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    hold(&mut world, true);
    world.pbx_up = false;
    world.run_for(seconds(25));
    assert_eq!(world.phase(), "idle", "{}", world.story());
    world.next_visit_works();
}
