//! Who may call in, do-not-disturb, and the feature codes that switch it.

use std::collections::HashSet;

use phone::{KeyBy, PhoneEvent};

use crate::extra_phones::{Does, extra_phones};
use crate::world::{
    Options, PBX_SIP, Port, World, answers, ms, never_answers, outside_request, seconds,
};

const CODES: &str = "[access]\nfeature_callers = [\"400\"]";

fn house(config: &'static str) -> World {
    World::ready(Options {
        config,
        targets: "\"401\"",
        ..Options::with(answers(ms(300)))
    })
}

fn visitor_waits(config: &'static str) -> World {
    let mut world = house(config);
    extra_phones(&mut world, &[("401", Does::Rings)]);
    world.visit_until("call_ringing");
    world
}

fn call(world: &mut World, user: &str) {
    let now = world.now;
    assert!(world.phone.call(now, user));
    world.run_for(ms(200));
}

fn ended_with(world: &World) -> Option<u16> {
    world
        .phone_events
        .iter()
        .rev()
        .find_map(|(_, event)| match event {
            PhoneEvent::Ended { status, .. } => Some(*status),
            _ => None,
        })?
}

#[test]
fn only_listed_callers_come_in() {
    for (access, status) in [
        ("incoming = \"listed\"\ncallers = [\"400\"]", None),
        (
            "incoming = \"listed\"\ncallers = [\"200\", \"400@elsewhere\"]",
            Some(403),
        ),
        (
            "incoming = \"listed\"\ncallers = [\"200\"]\nrefuse_status = 603",
            Some(603),
        ),
        ("incoming = \"off\"", Some(403)),
        ("incoming = \"managed\"", None),
    ] {
        let config = Box::leak(format!("[access]\n{access}").into_boxed_str());
        let mut world = visitor_waits(config);
        call(&mut world, "42");
        assert_eq!(ended_with(&world), status, "{access}\n{}", world.story());
        let answered = world.happened("call_answered");
        assert_eq!(answered, usize::from(status.is_none()), "{access}");
        if status.is_some() {
            // The phone that rings for the visitor goes on ringing.
            assert_eq!(
                (&*world.phase(), world.gateway_sent("CANCEL")),
                ("ringing", 0)
            );
            assert!(world.last_words("call_refused").contains("may not call in"));
        }
        world.panel.visitor_leave();
        world.settle();
    }
}

#[test]
fn an_asserted_identity_counts_only_where_it_is_switched_on() {
    let listed = "incoming = \"listed\"\ncallers = [\"200\"]\n";
    for (extra, from, asserted, taken) in [
        ("", "200", "400", true),
        ("", "400", "200", false),
        ("asserted_identity = true", "400", "200", true),
        ("asserted_identity = true", "200", "400", false),
        ("asserted_identity = true", "200", "", true),
    ] {
        let config = Box::leak(format!("[access]\n{listed}{extra}").into_boxed_str());
        let mut world = visitor_waits(config);
        let sdp = "v=0\r\no=- 1 1 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\n\
                   m=audio 4000 RTP/AVP 8\r\n";
        let mut extra = "Content-Type: application/sdp\r\n".to_owned();
        if !asserted.is_empty() {
            extra +=
                &format!("P-Asserted-Identity: \"x\" <sip:{asserted}@127.77.0.2>, <tel:+1>\r\n");
        }
        let from = format!("<sip:{from}@127.77.0.2>");
        let invite = outside_request("INVITE", "pai", "42", &from, &extra, sdp);
        world.inject(Port::GatewaySip, PBX_SIP, invite);
        world.run_for(ms(100));
        let status = if taken { 200 } else { 403 };
        assert_eq!(
            world.last_status_to("INVITE"),
            Some(status),
            "{from} {asserted}"
        );
        world.panel.visitor_leave();
        world.run_for(seconds(40));
        world.settle();
    }
}

#[test]
fn do_not_disturb_refuses_callers_with_the_set_status_and_lets_visitors_ring() {
    for (config, status) in [("", 480), ("[access]\ndo_not_disturb_status = 486", 486)] {
        let mut world = visitor_waits(config);
        let now = world.now;
        world.gateway.set_do_not_disturb(now, true, "cli");
        world.run_for(ms(10));
        assert_eq!(world.kept, [true]);
        call(&mut world, "42");
        assert_eq!(ended_with(&world), Some(status));
        assert_eq!(world.phase(), "ringing");
        let now = world.now;
        world.gateway.set_do_not_disturb(now, false, "cli");
        world.run_for(ms(10));
        call(&mut world, "42");
        assert_eq!(world.phase(), "talking");
        assert_eq!(
            (world.kept.as_slice(), world.happened("do_not_disturb")),
            (&[true, false][..], 2)
        );
        world.settle();
    }
}

#[test]
fn do_not_disturb_may_cover_visitors_too() {
    let mut world = house("[access]\ndo_not_disturb_covers = \"all\"");
    world.gateway.restore_do_not_disturb(true);
    world.visit_until("call_unanswered");
    assert!(
        world
            .last_words("call_unanswered")
            .contains("do-not-disturb")
    );
    assert_eq!((world.happened("call_placed"), world.kept.len()), (0, 0));
    world.panel.visitor_leave();
    world.settle();
    let now = world.now;
    world.gateway.set_do_not_disturb(now, false, "console");
    extra_phones(&mut world, &[("401", Does::Rings)]);
    world.visit_until("call_ringing");
    world.panel.visitor_leave();
    world.settle();
}

/// Loudness of what the phone heard since `from`.
fn heard(world: &World, from: usize) -> usize {
    let samples = &world.phone.heard()[from..];
    samples
        .iter()
        .filter(|sample| sample.unsigned_abs() > 1000)
        .count()
}

#[test]
fn a_code_called_as_a_number_switches_and_is_confirmed_by_a_tone() {
    let mut world = house(CODES);
    for (code, on) in [("78", true), ("78", true), ("79", false)] {
        let from = world.phone.heard().len();
        call(&mut world, code);
        assert_eq!(world.gateway.do_not_disturb(), on, "{}", world.story());
        world.run_until("the end of the call", seconds(5), |world| {
            world.gateway.call_statuses().is_empty()
        });
        assert!(
            heard(&world, from) > 1500,
            "{code}: {} samples",
            heard(&world, from)
        );
        world.settle();
    }
    assert_eq!(world.kept, [true, false]);
    assert!(world.last_words("do_not_disturb").contains("\"400\""));
    assert_eq!(world.saw(line_simulation::PanelEvent::Answered), 0);
}

#[test]
fn a_code_pressed_after_calling_the_extension_switches_even_under_do_not_disturb() {
    for by in [KeyBy::Rfc4733, KeyBy::InfoRelay] {
        let mut world = house(CODES);
        for (keys, on) in [("78", true), ("79", false)] {
            call(&mut world, "600");
            world.run_for(seconds(1));
            for key in keys.chars() {
                world.press(key, by);
                world.run_for(ms(400));
            }
            assert_eq!(world.gateway.do_not_disturb(), on, "{}", world.story());
            world.run_until("the end of the call", seconds(5), |world| {
                world.gateway.call_statuses().is_empty()
            });
            world.settle();
        }
    }
}

#[test]
fn wrong_codes_and_silence_end_the_call_and_switch_nothing() {
    for keys in ["1", "77", "7", ""] {
        let mut world = house(CODES);
        call(&mut world, "600");
        for key in keys.chars() {
            world.press(key, KeyBy::Rfc4733);
            world.run_for(ms(400));
        }
        world.run_until("the end of the call", seconds(20), |world| {
            world.gateway.call_statuses().is_empty()
        });
        assert!(
            !world.gateway.do_not_disturb() && world.kept.is_empty(),
            "{keys}"
        );
        world.settle();
    }
}

#[test]
fn codes_of_others_are_calls_like_any_other() {
    for (config, user) in [
        ("", "78"),
        ("[access]\nfeature_callers = [\"40\"]", "78"),
        ("", "600"),
    ] {
        let mut world = house(config);
        call(&mut world, user);
        assert_eq!(ended_with(&world), Some(480), "{user}");
        assert!(!world.gateway.do_not_disturb());
        world.settle();
    }
}

#[test]
fn a_call_that_dials_a_code_never_opens_and_leaves_the_visitor_alone() {
    // 9 is the key that opens; a visitor waits on the line and rings another phone.
    let mut world = visitor_waits(
        "[access]\nfeature_callers = [\"400\"]\ndo_not_disturb_on = \"95\"\ndo_not_disturb_off = \"96\"",
    );
    let now = world.now;
    world.gateway.set_do_not_disturb(now, true, "cli");
    call(&mut world, "600");
    world.press('9', KeyBy::Rfc4733);
    world.run_for(ms(400));
    world.press('6', KeyBy::Rfc4733);
    world.run_for(seconds(1));
    assert!(!world.gateway.do_not_disturb(), "{}", world.story());
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    assert_eq!(world.phase(), "ringing");
    world.panel.visitor_leave();
    world.settle();
}

#[test]
fn a_flood_from_the_pbx_is_cut_and_a_call_in_progress_goes_on() {
    let mut world = World::ready(Options {
        config: "[access]\nrequests_per_second = 10",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    let before = (world.network.sip.len(), world.now);
    for n in 0..2_000 {
        world.inject_invite(&format!("flood{n}"), "42", "666", "x");
        world.run_for(ms(10));
    }
    let refused = |(_, ours, bytes): &(_, bool, Vec<u8>)| {
        let message = sip::message::read(bytes).ok().filter(|_| *ours)?;
        message.status().filter(|status| *status >= 400)?;
        message.call_id().map(str::to_owned)
    };
    let answered: HashSet<String> = world.network.sip[before.0..]
        .iter()
        .filter_map(refused)
        .collect();
    // 20 at once and 10 a second.
    let most = 21 + 10 * (world.now - before.1).as_secs() as usize;
    assert!(
        (most - 5..=most).contains(&answered.len()),
        "{} answered",
        answered.len()
    );
    assert_eq!(world.phase(), "talking");
    assert_eq!(world.gateway.call_statuses().len(), 1);
    world.press('9', KeyBy::InfoRelay);
    world.wait("door_release_ended", 1);
    assert_eq!(world.opened(), 1);
    world.next_visit_works();
}

#[test]
fn a_thousand_invites_a_second_from_a_stranger_for_a_minute_change_nothing() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    let script = answers(ms(100));
    world.phone.set_script(script);
    world.panel.visitor_leave();
    world.settle();
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    let events = world.events.len();
    let (mut sent, mut opened) = (0_u32, false);
    let begun = world.now;
    while world.now < begun + seconds(60) {
        for _ in 0..10 {
            let invite = outside_request(
                "INVITE",
                &format!("s{sent}"),
                "42",
                "\"x\" <sip:100@127.77.0.1>",
                "User-Agent: friendly-scanner\r\n",
                "",
            );
            world.inject(Port::GatewaySip, crate::world::STRANGER, invite);
            sent += 1;
        }
        world.run_for(ms(10));
        if !opened && world.now > begun + seconds(20) {
            world.press('9', KeyBy::Rfc4733);
            opened = true;
        }
    }
    assert_eq!(sent, 60_000);
    assert!(
        world.network.to_strangers.is_empty(),
        "a stranger got an answer"
    );
    assert_eq!(world.opened(), 1, "the resident was served meanwhile");
    // A few a second are told, the rest are counted.
    let told = world.events[events..]
        .iter()
        .filter(|(_, event)| event.name() == "sip_refused");
    let told = told.count();
    assert!((100..400).contains(&told), "{told} told");
    world.next_visit_works();
}
