//! Strangers, forged responses, redirections and transfers.

use phone::KeyBy;

use crate::phone_does_not_answer::answer_invites;
use crate::world::{
    Dialog, Options, PBX_SIP, Port, STRANGER, World, answers, ms, never_answers, outside_request,
    seconds,
};

fn talking() -> (World, Dialog) {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    let dialog = world.dialog();
    (world, dialog)
}

fn honest_key_opens(world: &mut World) {
    world.press('9', KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.next_visit_works();
}

#[test]
fn strangers_get_no_answer_to_anything() {
    let (mut world, dialog) = talking();
    for method in [
        "INVITE",
        "OPTIONS",
        "REGISTER",
        "MESSAGE",
        "SUBSCRIBE",
        "BYE",
        "CANCEL",
        "ACK",
        "FOO",
    ] {
        for user in ["600", "42", "nobody"] {
            let request = outside_request(method, user, user, "<sip:400@127.77.0.2>", "", "");
            world.inject(Port::GatewaySip, STRANGER, request);
        }
        world.inject(
            Port::GatewaySip,
            STRANGER,
            dialog.request(method, 90, "", ""),
        );
    }
    for noise in [
        &b"\r\n\r\n"[..],
        b"\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 900],
    ] {
        world.inject(Port::GatewaySip, STRANGER, noise.to_vec());
    }
    world.run_for(seconds(2));
    assert!(world.network.to_strangers.is_empty());
    assert_eq!(world.phase(), "talking");
    honest_key_opens(&mut world);
}

#[test]
fn a_flood_of_strangers_is_told_sparingly_and_the_key_opens() {
    let (mut world, _) = talking();
    let before = world.events.len();
    for at in 0..3000 {
        let request = outside_request(
            "INVITE",
            &at.to_string(),
            "42",
            "<sip:400@127.77.0.2>",
            "",
            "",
        );
        world.inject(Port::GatewaySip, STRANGER, request);
        if at % 10 == 0 {
            world.run_for(ms(10));
        }
    }
    let told = world.events.len() - before;
    assert!(told < 100, "{told} events");
    honest_key_opens(&mut world);
}

#[test]
fn a_forged_bye_or_cancel_of_a_stranger_ends_nothing() {
    let (mut world, dialog) = talking();
    for source in [STRANGER, "127.77.0.3:5060"] {
        world.inject(Port::GatewaySip, source, dialog.request("BYE", 90, "", ""));
        world.inject(
            Port::GatewaySip,
            source,
            dialog.request("CANCEL", 90, "", ""),
        );
    }
    // From the PBX's address, but with tags that are guessed.
    for wrong in [
        Dialog {
            phone_tag: "guess".into(),
            ..dialog.clone()
        },
        Dialog {
            gateway_tag: "guess".into(),
            ..dialog
        },
    ] {
        world.inject(Port::GatewaySip, PBX_SIP, wrong.request("BYE", 90, "", ""));
    }
    world.run_for(seconds(2));
    assert_eq!(world.phase(), "talking");
    honest_key_opens(&mut world);
}

#[test]
fn a_forged_200_of_a_stranger_answers_nothing() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    let invite = world.invites().pop().unwrap();
    let mut answer = sip::message::Message::response_to(&invite, 200, Some("thief"));
    answer
        .headers
        .push("Contact", format!("<sip:thief@{STRANGER}>"));
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.77.0.66\r\ns=-\r\nc=IN IP4 127.77.0.66\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    answer.set_body("application/sdp", sdp.into());
    for source in [STRANGER, "127.77.0.2:5062"] {
        world.inject(Port::GatewaySip, source, answer.to_bytes());
    }
    // A branch that was guessed, from the right place.
    let text = String::from_utf8(answer.to_bytes()).unwrap();
    let branch = world.dialog().invite_branch;
    world.inject(
        Port::GatewaySip,
        PBX_SIP,
        text.replace(&branch, "z9hG4bKguess").into_bytes(),
    );
    world.run_for(seconds(1));
    assert_eq!(world.happened("call_answered"), 0, "{}", world.story());
    assert_eq!(world.phase(), "ringing");
    assert!(world.network.to_strangers.is_empty());
    assert_eq!(world.driven().load, line_interface::Load::Off);
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_second_200_of_a_fork_is_ended_and_has_no_say() {
    let (mut world, dialog) = talking();
    let invite = world.invites().pop().unwrap();
    let mut answer = sip::message::Message::response_to(&invite, 200, Some("fork"));
    answer
        .headers
        .push("Contact", format!("<sip:401@{PBX_SIP}>"));
    world.inject(Port::GatewaySip, PBX_SIP, answer.to_bytes());
    world.run_for(ms(100));
    assert_eq!(world.gateway_sent("BYE"), 1);
    let fork = Dialog {
        phone_tag: "fork".into(),
        ..dialog
    };
    world.inject(Port::GatewaySip, PBX_SIP, fork.info(90));
    world.run_for(seconds(2));
    assert_eq!((world.opened(), world.phase().as_str()), (0, "talking"));
    honest_key_opens(&mut world);
}

#[test]
fn a_redirection_to_a_stranger_is_not_followed() {
    for status in [300, 301, 302, 305, 380] {
        let mut world = World::ready(Options::default());
        answer_invites(
            &mut world,
            "400",
            status,
            "Contact: <sip:900123@127.77.0.66>",
        );
        world.visit_until("call_failed");
        world.run_for(seconds(3));
        assert_eq!(world.gateway_sent("INVITE"), 1, "{status}");
        assert!(world.network.to_strangers.is_empty(), "{status}");
        assert!(world.last_words("call_failed").contains("not followed"));
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn a_transfer_is_refused_and_calls_nobody() {
    let (mut world, dialog) = talking();
    for (at, target) in ["sip:900123@127.77.0.66", "sip:600@127.77.0.1", "tel:112"]
        .into_iter()
        .enumerate()
    {
        let refer = dialog.request(
            "REFER",
            90 + at as u32,
            &format!("Refer-To: <{target}>\r\n"),
            "",
        );
        world.inject(Port::GatewaySip, PBX_SIP, refer);
        world.run_for(ms(100));
        assert!(
            world
                .last_status_to("REFER")
                .is_some_and(|status| status >= 400)
        );
    }
    assert_eq!(world.gateway_sent("INVITE"), 1);
    assert!(world.network.to_strangers.is_empty());
    honest_key_opens_by_info(&mut world, 100);
}

/// The forged requests have used up the dialog's CSeq numbers up to `cseq`.
fn honest_key_opens_by_info(world: &mut World, cseq: u32) {
    world.promises.without_key = 1;
    let info = world.dialog().info(cseq);
    world.inject(Port::GatewaySip, PBX_SIP, info);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
}

#[test]
fn a_reinvite_of_a_stranger_does_not_move_the_audio() {
    let (mut world, dialog) = talking();
    let sdp = "v=0\r\no=- 1 9 IN IP4 127.77.0.66\r\ns=-\r\nc=IN IP4 127.77.0.66\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    for method in ["INVITE", "UPDATE"] {
        let request = dialog.request(method, 90, "Content-Type: application/sdp\r\n", sdp);
        world.inject(Port::GatewaySip, STRANGER, request.clone());
        let guess = Dialog {
            phone_tag: "guess".into(),
            ..dialog.clone()
        };
        let request = guess.request(method, 90, "Content-Type: application/sdp\r\n", sdp);
        world.inject(Port::GatewaySip, PBX_SIP, request);
    }
    world.run_for(seconds(2));
    assert!(world.network.to_strangers.is_empty());
    honest_key_opens(&mut world);
}

#[test]
fn a_challenge_of_a_foreign_realm_gets_no_digest() {
    let mut world = World::ready(Options::default());
    answer_invites(
        &mut world,
        "400",
        407,
        "Proxy-Authenticate: Digest realm=\"thief\", nonce=\"x\", algorithm=MD5",
    );
    world.visit_until("call_failed");
    let leaked = world.network.sip.iter().any(|(_, ours, bytes)| {
        *ours && String::from_utf8_lossy(bytes).contains("realm=\"thief\"")
    });
    assert!(!leaked);
}

#[test]
fn an_invite_that_is_aimed_at_a_third_party_by_its_sdp_sends_it_little() {
    // The phone that answers names a third party; without a word from there it gets a trickle.
    let (mut world, dialog) = talking();
    let sdp = "v=0\r\no=- 1 9 IN IP4 127.77.0.66\r\ns=-\r\nc=IN IP4 127.77.0.66\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    let request = dialog.request("INVITE", 90, "Content-Type: application/sdp\r\n", sdp);
    world.inject(Port::GatewaySip, PBX_SIP, request);
    world.wait("call_ended", 1);
    // The RTP timeout ends it after ten seconds at the latest.
    let sent = world.network.to_strangers.len();
    assert!(sent <= 520, "{sent} packets to a third party");
    assert_eq!(world.opened(), 0);
}
