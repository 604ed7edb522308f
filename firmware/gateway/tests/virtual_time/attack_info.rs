//! SIP INFO that is not an honest key of the answered call opens nothing; odd honest ones open once.

use crate::world::{
    Dialog, Options, PBX_SIP, Port, STRANGER, World, answers, ms, never_answers, seconds,
};

fn talking() -> (World, Dialog) {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    let dialog = world.dialog();
    (world, dialog)
}

fn send(world: &mut World, source: &str, message: Vec<u8>) {
    world.inject(Port::GatewaySip, source, message);
    world.run_for(ms(50));
}

fn nothing_opened(world: &mut World) {
    world.run_for(seconds(3));
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    assert_eq!(world.happened("digit"), 0, "{}", world.story());
}

#[test]
fn an_info_outside_any_call_opens_nothing() {
    let (mut world, dialog) = talking();
    let other = Dialog {
        call_id: "nobody".into(),
        ..dialog.clone()
    };
    send(&mut world, PBX_SIP, other.info(50));
    assert_eq!(world.last_status_to("INFO"), Some(481));
    let text = String::from_utf8(dialog.info(51)).unwrap();
    let untagged = text.replace(&format!(";tag={}", dialog.gateway_tag), "");
    send(&mut world, PBX_SIP, untagged.into_bytes());
    assert_eq!(world.last_status_to("INFO"), Some(481));
    nothing_opened(&mut world);
}

#[test]
fn an_info_with_wrong_tags_opens_nothing() {
    let (mut world, dialog) = talking();
    for wrong in [
        Dialog {
            gateway_tag: "guess".into(),
            ..dialog.clone()
        },
        Dialog {
            phone_tag: "guess".into(),
            ..dialog.clone()
        },
        Dialog {
            phone_tag: dialog.gateway_tag.clone(),
            gateway_tag: dialog.phone_tag.clone(),
            ..dialog.clone()
        },
        Dialog {
            gateway_tag: dialog.gateway_tag.to_uppercase() + "x",
            ..dialog.clone()
        },
    ] {
        send(&mut world, PBX_SIP, wrong.info(50));
        assert_eq!(world.last_status_to("INFO"), Some(481));
    }
    nothing_opened(&mut world);
}

#[test]
fn an_info_before_the_answer_opens_nothing_then_or_later() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    let dialog = world.dialog();
    send(&mut world, PBX_SIP, dialog.info(50));
    assert_eq!(world.last_status_to("INFO"), Some(481));
    nothing_opened(&mut world);
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn an_info_after_bye_opens_nothing() {
    let (mut world, dialog) = talking();
    world.hang_up();
    world.run_for(ms(5));
    send(&mut world, PBX_SIP, dialog.info(50));
    assert_eq!(world.last_status_to("INFO"), Some(481));
    nothing_opened(&mut world);
    world.next_visit_works();
}

#[test]
fn an_info_after_our_own_bye_opens_nothing() {
    let mut world = World::ready(Options {
        config: "[call]\ntalk_limit_s = 10",
        ..Options::with(answers(ms(300)))
    });
    world.weather.delay = ms(50);
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    let dialog = world.dialog();
    world.wait("call_ended", 1);
    send(&mut world, PBX_SIP, dialog.info(50));
    nothing_opened(&mut world);
    world.next_visit_works();
}

#[test]
fn an_info_from_a_stranger_opens_nothing_and_is_not_answered() {
    let (mut world, dialog) = talking();
    for source in [STRANGER, "127.77.0.1:5060", "10.9.9.9:5060"] {
        let before = world.network.to_strangers.len();
        send(&mut world, source, dialog.info(50));
        assert_eq!(world.network.to_strangers.len(), before, "{source}");
    }
    assert!(world.happened("sip_refused") >= 1);
    nothing_opened(&mut world);
}

#[test]
fn a_retransmitted_info_opens_once() {
    let (mut world, dialog) = talking();
    world.promises.without_key = 1;
    for _ in 0..6 {
        send(&mut world, PBX_SIP, dialog.info(50));
        assert_eq!(world.last_status_to("INFO"), Some(200));
    }
    // The same request by another way: another branch, the same CSeq.
    let text = String::from_utf8(dialog.info(50)).unwrap();
    send(
        &mut world,
        PBX_SIP,
        text.replace("z9hG4bKforged", "z9hG4bKfork").into_bytes(),
    );
    world.run_for(seconds(3));
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert_eq!(world.records("door_refused"), 0);
}

#[test]
fn an_older_cseq_is_refused_with_500() {
    let (mut world, dialog) = talking();
    let harmless = dialog.request("INFO", 60, "Content-Type: application/dtmf\r\n", "1");
    send(&mut world, PBX_SIP, harmless);
    for cseq in [59, 2, 1, 0] {
        send(&mut world, PBX_SIP, dialog.info(cseq));
        assert_eq!(world.last_status_to("INFO"), Some(500), "{cseq}");
    }
    world.run_for(seconds(3));
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
}

#[test]
fn odd_bodies_that_hold_no_key_open_nothing() {
    let (mut world, dialog) = talking();
    let bodies: [(&str, &str); 14] = [
        ("application/dtmf-relay", ""),
        ("application/dtmf-relay", "Signal=\r\n"),
        ("application/dtmf-relay", "Signal=99\r\n"),
        ("application/dtmf-relay", "Duration=9\r\n"),
        ("application/dtmf-relay", "Signal=nine\r\n"),
        ("application/dtmf", "99"),
        ("application/dtmf", "nine"),
        ("text/plain", "Signal=9\r\n"),
        ("application/json", "9"),
        ("application/sdp", "Signal=9\r\n"),
        ("application/dtmf-relayx", "Signal=9\r\n"),
        ("multipart/mixed", "Signal=9\r\n"),
        ("application/media_control+xml", "<x/>9"),
        ("", "Signal=9\r\n"),
    ];
    for (at, (kind, body)) in bodies.into_iter().enumerate() {
        let extra = if kind.is_empty() {
            String::new()
        } else {
            format!("Content-Type: {kind}\r\n")
        };
        let info = dialog.request("INFO", 50 + at as u32, &extra, body);
        send(&mut world, PBX_SIP, info);
    }
    nothing_opened(&mut world);
}

#[test]
fn odd_bodies_and_casings_of_real_phones_open_once() {
    for (kind, body) in [
        ("application/dtmf-relay", "Signal=9\r\nDuration=160\r\n"),
        ("Application/DTMF-Relay", "Signal= 9\r\nDuration= 160\r\n"),
        (
            "application/dtmf-relay;charset=utf-8",
            "signal=9\nduration=250",
        ),
        ("application/dtmf-relay", "Duration=100\r\nSignal=9"),
        ("application/dtmf", "9"),
        ("application/dtmf", "9\r\n"),
    ] {
        let (mut world, dialog) = talking();
        world.promises.without_key = 1;
        let info = dialog.request("INFO", 50, &format!("Content-Type: {kind}\r\n"), body);
        send(&mut world, PBX_SIP, info);
        assert_eq!(world.last_status_to("INFO"), Some(200), "{kind}");
        world.run_for(seconds(3));
        assert_eq!(
            (world.opened(), world.records("door_opened")),
            (1, 1),
            "{kind} {body:?}"
        );
    }
}

#[test]
fn random_bytes_as_info_open_nothing_and_leave_the_call_up() {
    let (mut world, dialog) = talking();
    for cseq in 0..300 {
        let whole = dialog.request(
            "INFO",
            50 + cseq,
            "Content-Type: application/dtmf-relay\r\n",
            "Signal=1\r\n",
        );
        let mut bytes = whole;
        for _ in 0..1 + world.below(6) {
            let at = world.below(bytes.len() as u64) as usize;
            bytes[at] = world.below(256) as u8;
        }
        world.inject(Port::GatewaySip, PBX_SIP, bytes);
        world.run_for(ms(3));
        if world.phase() != "talking" {
            break;
        }
    }
    world.run_for(seconds(2));
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
}

#[test]
fn a_flood_of_keys_by_the_answered_phone_fills_no_journal() {
    let (mut world, dialog) = talking();
    world.promises.without_key = 1000;
    for cseq in 0..1500 {
        world.inject(Port::GatewaySip, PBX_SIP, dialog.info(50 + cseq));
        world.run_for(ms(2));
    }
    let records = world.records("door_opened") + world.records("door_refused");
    assert!(records < 120, "{records} records");
    assert!(world.opened() >= 1);
    world.panel.visitor_leave();
    world.next_visit_works();
}
