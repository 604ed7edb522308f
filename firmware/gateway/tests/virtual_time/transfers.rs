//! A phone passes its visitor on to another: the line follows the answer, and the door with it.

use line_simulation::PanelEvent;

use crate::extra_phones::{Does, Seen, extra_phones, presses_nine};
use crate::world::{Dialog, Options, PBX_SIP, Port, World, answers, ms, seconds};

/// The phone 400 talks with the visitor; the others are reached by transfers.
fn talking(config: &'static str, phones: &[(&'static str, Does)]) -> (World, Seen, Dialog) {
    let mut world = World::ready(Options {
        config,
        ..Options::with(answers(ms(300)))
    });
    let seen = extra_phones(&mut world, phones);
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    let dialog = world.dialog();
    (world, seen, dialog)
}

fn refer(world: &mut World, dialog: &Dialog, cseq: u32, target: &str) {
    let headers = format!("Refer-To: <{target}>\r\nReferred-By: <sip:400@{PBX_SIP}>\r\n");
    let refer = dialog.request("REFER", cseq, &headers, "");
    world.inject(Port::GatewaySip, PBX_SIP, refer);
    world.run_for(ms(100));
}

/// The statuses that were notified to the phone, oldest first.
fn notified(world: &World) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for (_, ours, bytes) in &world.network.sip {
        if *ours && bytes.starts_with(b"NOTIFY") {
            let text = String::from_utf8_lossy(bytes);
            let line = text.trim_end().rsplit("\r\n").next().unwrap().to_owned();
            if told.last() != Some(&line) {
                told.push(line);
            }
        }
    }
    told
}

const LONG: &str = "[call]\nrtp_timeout_s = 60";

#[test]
fn the_target_gets_the_visitor_and_the_door_and_the_first_phone_loses_both() {
    let (mut world, seen, dialog) = talking(LONG, &[("401", Does::Answers(seconds(1)))]);
    refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
    assert_eq!(world.last_status_to("REFER"), Some(202));
    // Until the target answers the visitor is with the first phone.
    assert_eq!(world.happened("call_answered"), 1);
    world.wait("call_answered", 2);
    assert!(world.last_words("call_answered").contains("\"401\""));
    world.run_for(ms(500));
    let invite = seen.of("401", "INVITE").remove(0);
    let by = invite.headers.get("Referred-By");
    assert_eq!(by, Some("<sip:400@127.77.0.2:5060>"));
    let told = notified(&world);
    assert_eq!(
        told,
        [
            "SIP/2.0 100 Trying",
            "SIP/2.0 180 Ringing",
            "SIP/2.0 200 OK"
        ]
    );
    assert_eq!(
        (world.gateway_sent("BYE sip:400@"), world.phase().as_str()),
        (1, "talking")
    );
    assert_eq!(world.gateway.audio_ports_in_use(), 1);
    // The leg that passed the visitor on presses the key, in its dead dialog.
    for cseq in 91..94 {
        world.inject(Port::GatewaySip, PBX_SIP, dialog.info(cseq));
        world.run_for(ms(100));
    }
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    world.promises.without_key = 1;
    presses_nine(&mut world, &seen, "401", 1);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert!(world.last_words("door_opened").contains("\"401\""));
    world.next_visit_works();
}

#[test]
fn a_target_that_does_not_take_the_visitor_leaves_him_with_the_first_phone() {
    for (does, status, within) in [
        (Does::Refuses(486), "486", 1),
        (Does::Refuses(603), "603", 1),
        (Does::Rings, "408", 11),
    ] {
        let mut world = World::ready(Options {
            route: "target_timeout_s = 10",
            ..Options::with(answers(ms(300)))
        });
        let seen = extra_phones(&mut world, &[("401", does)]);
        world.visit_until("call_answered");
        world.run_for(seconds(1));
        let dialog = world.dialog();
        refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
        world.run_for(seconds(within));
        let told = notified(&world);
        assert!(told.last().unwrap().contains(status), "{told:?}");
        assert_eq!(
            (world.phase().as_str(), world.gateway.audio_ports_in_use()),
            ("talking", 1)
        );
        assert_eq!(seen.count("401", "CANCEL"), usize::from(status == "408"));
        assert!(world.last_words("call_transfer").contains("failed"));
        // The key of the first phone still opens.
        world.promises.without_key = 1;
        world.inject(Port::GatewaySip, PBX_SIP, dialog.info(95));
        world.wait("door_release_ended", 1);
        assert_eq!(world.opened(), 1);
        world.next_visit_works();
    }
}

#[test]
fn a_phone_that_hangs_up_after_its_refer_leaves_the_visitor_to_the_target() {
    for (does, answered) in [(Does::Answers(seconds(2)), true), (Does::Rings, false)] {
        let (mut world, seen, dialog) = talking(LONG, &[("401", does)]);
        let headers = "Refer-To: <sip:401@127.77.0.2>\r\n";
        // Below the numbers that the phone itself uses.
        let refer = dialog.request("REFER", 0, headers, "");
        world.inject(Port::GatewaySip, PBX_SIP, refer);
        world.hang_up();
        world.run_for(seconds(1));
        assert_eq!(seen.count("401", "INVITE"), 1);
        if answered {
            assert_eq!(world.phase(), "talking", "{}", world.story());
            world.wait("call_answered", 2);
            world.run_for(seconds(1));
            assert_eq!(world.phase(), "talking");
        } else {
            world.wait("call_ended", 1);
            assert!(world.last_words("call_ended").contains("transfer failed"));
        }
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn a_visitor_who_leaves_a_handset_and_the_talk_limit_end_both_calls() {
    for what in 0..3 {
        let (mut world, seen, dialog) = talking(
            "[call]\ntalk_limit_s = 10\nrtp_timeout_s = 60",
            &[("401", Does::Rings)],
        );
        refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
        match what {
            0 => world.panel.visitor_leave(),
            1 => world.lift(),
            _ => world.run_for(seconds(10)),
        }
        world.run_for(seconds(4));
        assert_eq!(seen.count("401", "CANCEL"), 1, "{what}\n{}", world.story());
        assert_eq!(world.gateway_sent("BYE sip:400@"), 1, "{what}");
        assert!(world.gateway.call_statuses().is_empty(), "{what}");
        world.next_visit_works();
    }
}

#[test]
fn an_answer_that_crosses_the_end_of_the_visit_joins_nobody() {
    let mut crossed = 0;
    for after in [1000, 1500, 2000, 2500, 3000, 3500] {
        let (mut world, seen, dialog) = talking(LONG, &[("401", Does::Answers(ms(after)))]);
        refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
        world.run_for(ms(800));
        world.panel.visitor_leave();
        world.wait("panel_ended", 1);
        for cseq in 1..6 {
            presses_nine(&mut world, &seen, "401", cseq);
            world.run_for(seconds(1));
        }
        crossed += usize::from(world.happened("call_answered") == 1);
        assert_eq!(
            (world.opened(), world.records("door_opened")),
            (0, 0),
            "{after}"
        );
        assert!(world.gateway.call_statuses().is_empty());
        world.next_visit_works();
    }
    assert!((1..6).contains(&crossed), "{crossed}");
}

#[test]
fn transfers_go_where_they_may_and_only_from_the_phone_that_talks() {
    let config = "[call]\nrtp_timeout_s = 60\n[access]\nforward_targets = [\"4*\"]";
    let (mut world, seen, dialog) = talking(config, &[("401", Does::Rings)]);
    for (at, (target, status)) in [
        ("sip:0900@127.77.0.2", 403),
        ("sip:401@127.77.0.66", 403),
        ("tel:112", 403),
        ("sip:401@127.77.0.2?Replaces=x", 400),
    ]
    .into_iter()
    .enumerate()
    {
        refer(&mut world, &dialog, 90 + at as u32, target);
        assert_eq!(world.last_status_to("REFER"), Some(status), "{target}");
    }
    assert_eq!(world.happened("call_placed"), 1);
    // A stranger, and one who guesses the dialog.
    let from_stranger = dialog.request("REFER", 99, "Refer-To: <sip:401@127.77.0.2>\r\n", "");
    world.inject(Port::GatewaySip, crate::world::STRANGER, from_stranger);
    let guess = Dialog {
        phone_tag: "guess".into(),
        ..dialog.clone()
    };
    refer(&mut world, &guess, 99, "sip:401@127.77.0.2");
    assert_eq!(
        (seen.count("401", "INVITE"), world.happened("call_placed")),
        (0, 1)
    );
    assert!(world.network.to_strangers.is_empty());
    // Two at once are one too many.
    refer(&mut world, &dialog, 100, "sip:401@127.77.0.2");
    refer(&mut world, &dialog, 101, "sip:402@127.77.0.2");
    assert_eq!(world.last_status_to("REFER"), Some(603));
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn transfers_can_be_switched_off() {
    let (mut world, _, dialog) = talking("[access]\ntransfer = false", &[]);
    refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
    assert_eq!(world.last_status_to("REFER"), Some(603));
    assert!(world.last_words("call_transfer").contains("refused"));
    assert_eq!(world.phase(), "talking");
    world.next_visit_works();
}

#[test]
fn who_was_passed_on_by_a_caller_opens_only_if_he_may_himself() {
    for (route, opens) in [
        ("may_open = [\"called\", \"400\"]", false),
        ("may_open = [\"400\", \"401\"]", true),
    ] {
        let mut world = World::ready(Options {
            route,
            config: LONG,
            targets: "\"402\"",
            ..Options::with(answers(ms(300)))
        });
        let phones = [("402", Does::Rings), ("401", Does::Answers(ms(500)))];
        let seen = extra_phones(&mut world, &phones);
        world.visit_until("call_ringing");
        let now = world.now;
        assert!(world.phone.call(now, "42"));
        world.wait_panel(PanelEvent::Answered);
        // The dialog of the phone that called in, as its requests name it.
        let invite = world
            .network
            .sip
            .iter()
            .find(|(_, ours, bytes)| !*ours && bytes.starts_with(b"INVITE"))
            .and_then(|(_, _, bytes)| sip::message::read(bytes).ok())
            .unwrap();
        let ok = world
            .network
            .sip
            .iter()
            .rev()
            .filter(|(_, ours, _)| *ours)
            .filter_map(|(_, _, bytes)| sip::message::read(bytes).ok())
            .find(|m| m.status() == Some(200) && m.call_id() == invite.call_id())
            .unwrap();
        let dialog = Dialog {
            call_id: invite.call_id().unwrap().to_owned(),
            gateway_tag: ok.to_tag().unwrap(),
            phone_tag: invite.from_tag().unwrap(),
            invite_branch: String::new(),
        };
        refer(&mut world, &dialog, 90, "sip:401@127.77.0.2");
        world.wait("call_answered", 2);
        world.promises.without_key = 1;
        presses_nine(&mut world, &seen, "401", 1);
        world.run_for(seconds(3));
        assert_eq!(
            world.opened(),
            usize::from(opens),
            "{route}\n{}",
            world.story()
        );
        assert_eq!(world.records("door_refused"), usize::from(!opens));
        world.panel.visitor_leave();
        world.run_for(seconds(3));
        world.settle();
    }
}
