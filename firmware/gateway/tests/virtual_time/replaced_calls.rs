//! A caller takes the place of the phone that rings or talks (RFC 3891): the visitor goes on with him, and
//! the door is judged anew.

use line_simulation::PanelEvent;

use crate::extra_phones::{Does, extra_phones};
use crate::world::{Dialog, Options, PBX_SIP, Port, World, answers, ms, never_answers, seconds};

const LONG: &str = "[call]\nrtp_timeout_s = 60";

/// The phone 400 talks with the visitor.
fn talking(route: &'static str, config: &'static str) -> (World, Dialog) {
    let mut world = World::ready(Options {
        route,
        config,
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    let dialog = world.dialog();
    (world, dialog)
}

fn replace(world: &mut World, id: &str, caller: &str, dialog: &Dialog, more: &str) {
    world.inject_replacing(id, caller, dialog, more);
    world.run_for(ms(100));
}

#[test]
fn the_caller_gets_the_visitor_and_opens_only_if_callers_may() {
    for (route, opens) in [("", false), ("may_open = [\"called\", \"401\"]", true)] {
        let (mut world, old) = talking(route, LONG);
        let off_hook = world.driven();
        replace(&mut world, "new", "401", &old, "");
        assert_eq!(
            world.last_status_to("INVITE"),
            Some(200),
            "{}",
            world.story()
        );
        let new = world.injected_dialog("new");
        world.run_for(ms(500));
        // The line was never let go: the panel saw no gap that it could take for the door button.
        assert_eq!(
            (world.driven(), world.saw(PanelEvent::DoorButtonSeen)),
            (off_hook, 0)
        );
        assert_eq!(world.gateway_sent("BYE sip:400@"), 1);
        assert_eq!(
            (world.phase().as_str(), world.gateway.audio_ports_in_use()),
            ("talking", 1)
        );
        let told = world.last_words("call_transfer");
        assert!(
            told.contains("taken over") && told.contains("\"401\""),
            "{told}"
        );
        assert!(world.last_words("call_answered").contains("incoming"));
        // The phone that was replaced presses the key in its dead dialog.
        for cseq in 91..94 {
            world.inject(Port::GatewaySip, PBX_SIP, old.info(cseq));
            world.run_for(ms(100));
        }
        assert_eq!(
            (world.opened(), world.journal.len()),
            (0, 0),
            "{}",
            world.story()
        );
        world.promises.without_key = 1;
        world.inject(Port::GatewaySip, PBX_SIP, new.info(2));
        world.run_for(seconds(3));
        assert_eq!(
            world.opened(),
            usize::from(opens),
            "{route}\n{}",
            world.story()
        );
        assert_eq!(world.records("door_refused"), usize::from(!opens));
        world.panel.visitor_leave();
        world.run_for(seconds(2));
        assert_eq!(world.gateway_sent("BYE sip:400@"), 2, "the new one too");
        world.next_visit_works();
    }
}

#[test]
fn sound_goes_on_with_the_new_phone_only() {
    let (mut world, old) = talking("", LONG);
    let before = world.call_rtp();
    replace(&mut world, "new", "401", &old, "");
    world.injected_dialog("new");
    world.network.tap = Some(Vec::new());
    world.run_for(seconds(1));
    let sent = world.network.tap.take().unwrap();
    let ours = sent.iter().filter(|(_, ours, _)| *ours).count();
    assert!((48..=52).contains(&ours), "{ours} packets in a second");
    // What the old phone still sends, keys too, goes to a port that is closed to it.
    let mut event = world.next_event(9);
    for _ in 0..5 {
        event.sequence += 1;
        world.inject(before, crate::world::PHONE_RTP, event.to_bytes());
        world.run_for(ms(20));
    }
    world.run_for(seconds(1));
    assert_eq!((world.happened("digit"), world.opened()), (0, 0));
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_ringing_phone_is_picked_up_like_by_any_caller() {
    let mut world = World::ready(Options {
        targets: "\"402\", \"403\"",
        route: "ring = \"together\"\nmay_open = [\"401\"]",
        config: LONG,
        ..Options::with(never_answers())
    });
    let seen = extra_phones(&mut world, &[("402", Does::Rings), ("403", Does::Rings)]);
    world.visit_until("call_ringing");
    world.run_for(ms(500));
    // The newest call is that to 403, whose answers the world does not log.
    let dialog = Dialog {
        phone_tag: "extra403".into(),
        ..world.dialog()
    };
    replace(&mut world, "pick", "401", &dialog, ";early-only");
    assert_eq!(
        world.last_status_to("INVITE"),
        Some(200),
        "{}",
        world.story()
    );
    let new = world.injected_dialog("pick");
    world.run_for(ms(500));
    assert_eq!(
        (seen.count("402", "CANCEL"), seen.count("403", "CANCEL")),
        (1, 1)
    );
    assert_eq!(world.phase(), "talking");
    // The same again meets a call that is over.
    replace(&mut world, "late", "404", &dialog, "");
    assert_eq!(world.last_status_to("INVITE"), Some(481));
    world.promises.without_key = 1;
    world.inject(Port::GatewaySip, PBX_SIP, new.info(2));
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.panel.visitor_leave();
    world.run_for(seconds(3));
    world.settle();
}

#[test]
fn who_may_not_take_over_leaves_the_visitor_where_he_is() {
    for (config, more, status) in [
        (
            "[call]\nrtp_timeout_s = 60\n[access]\ntransfer = false",
            "",
            603,
        ),
        (
            "[call]\nrtp_timeout_s = 60\n[access]\nincoming = \"off\"",
            "",
            403,
        ),
        (LONG, ";early-only", 486),
        (LONG, "x", 481),
    ] {
        let (mut world, old) = talking("", config);
        replace(&mut world, "new", "401", &old, more);
        assert_eq!(
            world.last_status_to("INVITE"),
            Some(status),
            "{config} {more}"
        );
        assert_eq!(
            (world.phase().as_str(), world.gateway.audio_ports_in_use()),
            ("talking", 1)
        );
        assert_eq!(world.gateway_sent("BYE"), 0);
        // The key of the first phone still opens.
        world.promises.without_key = 1;
        world.inject(Port::GatewaySip, PBX_SIP, old.info(95));
        world.wait("door_release_ended", 1);
        assert_eq!(world.opened(), 1);
        world.next_visit_works();
    }
}

#[test]
fn a_stranger_takes_nothing_over() {
    let (mut world, old) = talking("", LONG);
    let before = world.network.sip.len();
    let headers = format!(
        "Content-Type: application/sdp\r\nReplaces: {};to-tag={};from-tag={}\r\n",
        old.call_id, old.gateway_tag, old.phone_tag
    );
    let from = "<sip:400@127.77.0.2>";
    let invite = crate::world::outside_request("INVITE", "x", "600", from, &headers, "v=0\r\n");
    world.inject(Port::GatewaySip, crate::world::STRANGER, invite);
    world.run_for(seconds(1));
    assert_eq!(world.network.sip.len(), before);
    assert!(world.network.to_strangers.is_empty());
    assert_eq!(world.phase(), "talking");
    world.panel.visitor_leave();
    world.next_visit_works();
}
