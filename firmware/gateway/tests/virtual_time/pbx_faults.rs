//! The PBX restarts, vanishes, refuses the account: told once, healed by itself.

use sip::message::read;

use crate::world::{Options, Verdict, World, answers, ms, seconds};

#[test]
fn a_restarted_pbx_is_registered_at_again_and_the_next_visit_works() {
    let mut world = World::ready(Options {
        account: "expires_s = 60",
        ..Options::default()
    });
    world.pbx_up = false;
    world.run_for(seconds(20));
    world.restart_pbx();
    let rings = world.happened("ring");
    world.run_for(seconds(70));
    assert!(world.phone_saw(|event| matches!(event, phone::PhoneEvent::Registered { .. })) >= 2);
    assert_eq!(world.happened("ring"), rings);
    world.next_visit_works();
}

#[test]
fn a_dead_pbx_is_told_once_and_leaves_the_line_to_the_handset() {
    let mut world = World::ready(Options::default());
    world.pbx_up = false;
    world.run_for(seconds(200));
    let unreachable = world.happened("pbx_reachable");
    assert_eq!(unreachable, 1, "{}", world.story());
    world.dial();
    world.wait("panel_ended", 1);
    world.run_for(seconds(10));
    assert_eq!(world.phase(), "idle");
    world.next_visit_works();
    assert_eq!(world.happened("pbx_reachable"), 2);
}

#[test]
fn a_pbx_that_vanishes_in_a_call_frees_the_line_after_the_rtp_timeout() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    world.pbx_up = false;
    let gone = world.now;
    world.wait("call_ended", 1);
    let after = world.now - gone;
    assert!(after > seconds(9) && after < seconds(11), "{after:?}");
    assert!(world.last_words("call_ended").contains("no audio"));
    world.wait("line_idle", 1);
    world.next_visit_works();
}

#[test]
fn a_pbx_that_restarts_in_a_call_frees_the_line() {
    let mut world = World::ready(Options {
        account: "expires_s = 60",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    world.restart_pbx();
    world.wait("call_ended", 1);
    world.wait("line_idle", 1);
    world.next_visit_works();
}

#[test]
fn a_wrong_password_is_told_with_a_hint_and_not_hammered() {
    let mut world = World::new(Options {
        password: "another",
        ..Options::default()
    });
    world.run_for(seconds(60));
    assert_eq!(world.gateway.account_statuses()[0].state, "failed");
    let told = world.last_words("registration");
    assert!(told.contains("password"), "{told}");
    let tries = world.gateway_sent("REGISTER");
    assert!((2..=12).contains(&tries), "{tries} REGISTERs in a minute");
    assert_eq!(world.happened("call_placed"), 0);
}

#[test]
fn a_forbidden_account_is_told_and_recovers_when_it_is_allowed() {
    let mut world = World::new(Options::default());
    world.network.watcher = Some(Box::new(|ours, bytes| {
        let Some(request) = read(bytes)
            .ok()
            .filter(|_| ours && bytes.starts_with(b"REGISTER"))
        else {
            return Verdict::Pass;
        };
        let response = sip::message::Message::response_to(&request, 403, Some("pbx"));
        Verdict::Reply(vec![response.to_bytes()])
    }));
    world.run_for(seconds(10));
    let told = world.last_words("registration");
    assert!(told.contains("failed") && told.contains("403"), "{told}");
    world.network.watcher = None;
    world.run_until("registered at last", seconds(1000), |world| {
        world.gateway.account_statuses()[0].state == "registered"
    });
    world.next_visit_works();
}

#[test]
fn a_registration_that_expires_in_a_call_leaves_the_call_and_its_key_alone() {
    let mut world = World::ready(Options {
        account: "expires_s = 60",
        ..Options::with(answers(ms(300)))
    });
    world.network.watcher = Some(Box::new(|ours, bytes| {
        if ours && bytes.starts_with(b"REGISTER") {
            Verdict::Lose
        } else {
            Verdict::Pass
        }
    }));
    world.run_for(seconds(62));
    world.visit_until("call_answered");
    world.run_for(seconds(30));
    assert_ne!(world.gateway.account_statuses()[0].state, "registered");
    assert_eq!(world.phase(), "talking", "{}", world.story());
    world.press('9', phone::KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    assert_eq!(world.opened(), 1);
    world.next_visit_works();
}
