//! Phones that call the box: taken only where a visitor waits.

use phone::{KeyBy, PhoneEvent};

use crate::phone_does_not_answer::answer_invites;
use crate::world::{Options, World, answers, ms, seconds};

fn refused_with(world: &World, status: u16) -> bool {
    let refused = |event: &PhoneEvent| matches!(event, PhoneEvent::Ended { status: Some(s), .. } if *s == status);
    world.phone_saw(refused) > 0
}

fn call(world: &mut World, user: &str) {
    let now = world.now;
    assert!(world.phone.call(now, user));
    world.run_for(ms(200));
}

/// A visitor rings and no phone can be reached, so that the built-in phone is free to call in.
fn visitor_waits(route: &'static str) -> World {
    let mut world = World::ready(Options {
        route,
        ..Options::with(answers(ms(300)))
    });
    answer_invites(&mut world, "400", 180, "");
    world.visit_until("call_placed");
    world.run_for(ms(500));
    world
}

#[test]
fn an_idle_line_refuses_with_480() {
    for user in ["600", "42", "apt42"] {
        let mut world = World::ready(Options::with(answers(ms(300))));
        call(&mut world, user);
        assert!(refused_with(&world, 480), "{}", world.story());
        let told = world.last_words("call_refused");
        assert!(
            told.contains("no visitor") && told.contains("400"),
            "{told}"
        );
        assert_eq!(world.driven().load, line_interface::Load::Off);
        world.next_visit_works();
    }
}

#[test]
fn an_unknown_number_refuses_with_480() {
    let mut world = visitor_waits("");
    call(&mut world, "43");
    // 43 is no apartment of ours, yet the one waiting line is not guessed for a wrong number.
    assert!(world.phase() == "ringing" || world.phase() == "talking");
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_caller_is_joined_to_the_waiting_visitor() {
    let mut world = visitor_waits("");
    call(&mut world, "42");
    assert_eq!(world.happened("call_answered"), 1, "{}", world.story());
    assert!(world.last_words("call_answered").contains("incoming"));
    assert_eq!(world.gateway_sent("CANCEL"), 1);
    assert_eq!(world.phase(), "talking");
    world.wait_panel(line_simulation::PanelEvent::Idle);
    world.next_visit_works();
}

#[test]
fn a_caller_who_may_not_open_is_refused_and_recorded() {
    for by in [KeyBy::Rfc4733, KeyBy::InfoRelay] {
        let mut world = visitor_waits("");
        call(&mut world, "42");
        world.run_for(seconds(2));
        world.press('9', by);
        world.run_for(seconds(3));
        assert_eq!(world.opened(), 0);
        assert_eq!(world.records("door_opened"), 0);
        assert_eq!(world.records("door_refused"), 1);
        let refused = world.last_words("door_refused");
        assert!(refused.contains("PartyNotAllowed"), "{refused}");
        assert!(refused.contains("\"400\""), "{refused}");
        world.next_visit_works();
    }
}

#[test]
fn a_caller_who_may_open_opens() {
    let mut world = visitor_waits("may_open = [\"called\", \"400\"]");
    call(&mut world, "600");
    world.run_for(seconds(2));
    world.press('9', KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.next_visit_works();
}

#[test]
fn a_route_without_called_refuses_even_the_phone_that_was_called() {
    let mut world = World::ready(Options {
        route: "may_open = [\"777\"]",
        ..Options::default()
    });
    world.visit_until("door_refused");
    world.run_for(seconds(2));
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
}

#[test]
fn a_second_caller_meets_486_while_the_line_talks() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    world.inject_invite("second", "42", "401", "401");
    world.run_for(ms(200));
    assert_eq!(world.last_status_to("INVITE"), Some(486));
    assert_eq!(world.phase(), "talking");
    assert_eq!(world.gateway.call_statuses().len(), 1);
    world.next_visit_works();
}

/// A ring group of the PBX that the box is in itself: its call for the visitor comes back to it.
#[test]
fn our_own_call_that_comes_back_leaves_the_phones_ringing() {
    let mut world = visitor_waits("");
    for (id, dialled) in [("a", "600"), ("b", "42")] {
        world.inject_invite(id, dialled, "600", "600");
        world.run_for(ms(200));
        assert_eq!(
            world.last_status_to("INVITE"),
            Some(482),
            "{}",
            world.story()
        );
        assert_eq!(
            (world.phase().as_str(), world.gateway_sent("CANCEL")),
            ("ringing", 0)
        );
    }
    let told = world.last_words("call_refused");
    assert!(told.contains("the PBX rings the box itself"), "{told}");
    // Others are joined as ever.
    call(&mut world, "42");
    assert_eq!(world.happened("call_answered"), 1, "{}", world.story());
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_caller_meets_486_while_the_handset_talks() {
    let mut world = visitor_waits("");
    world.lift();
    world.wait("handset_lifted", 1);
    call(&mut world, "42");
    assert!(refused_with(&world, 486), "{}", world.story());
    world.next_visit_works();
}

#[test]
fn a_caller_without_a_common_codec_leaves_the_visitor_to_the_ringing_phones() {
    let mut world = visitor_waits("");
    world.inject_invite_with(
        "opus",
        "42",
        "<sip:400@127.77.0.2>",
        "v=0\r\no=- 1 1 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n",
    );
    world.run_for(ms(200));
    assert_eq!(world.last_status_to("INVITE"), Some(488));
    assert_eq!(world.phase(), "ringing", "{}", world.story());
    assert_eq!(world.gateway_sent("CANCEL"), 0);
    assert_eq!(world.driven().load, line_interface::Load::Off);
    world.panel.visitor_leave();
    world.next_visit_works();
}
