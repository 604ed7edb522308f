//! The phone holds the call and takes it back.

use peers::wav::Recording;
use phone::{KeyBy, Speaker, speak};

use crate::world::{Dialog, Options, PBX_SIP, Port, World, answers, ms, seconds};

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

/// The phone's description with these lines for direction and address.
fn description(lines: &str) -> String {
    let address = if lines.contains("c=") {
        ""
    } else {
        "c=IN IP4 127.77.0.2\r\n"
    };
    format!(
        "v=0\r\no=- 7 7 IN IP4 127.77.0.2\r\ns=-\r\n{address}{lines}\r\nt=0 0\r\n\
         m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )
}

/// A re-INVITE of the phone, whose description is the offer, or the answer to ours in the 200.
/// Our description.
fn reinvite(world: &mut World, dialog: &Dialog, cseq: u32, offers: bool, lines: &str) -> String {
    let sdp = description(lines);
    let (body, in_ack) = if offers { (&*sdp, "") } else { ("", &*sdp) };
    let kind = |body: &str| match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    let invite = dialog.request("INVITE", cseq, kind(body), body);
    world.inject(Port::GatewaySip, PBX_SIP, invite);
    world.run_for(ms(50));
    let ok = world.network.sip.iter().rev().find_map(|(_, ours, bytes)| {
        let message = sip::message::read(bytes).ok().filter(|_| *ours)?;
        (message.status() == Some(200) && message.cseq()?.0 == cseq).then_some(message)
    });
    let ack = dialog.request("ACK", cseq, kind(in_ack), in_ack);
    world.inject(Port::GatewaySip, PBX_SIP, ack);
    world.run_for(ms(100));
    String::from_utf8(ok.expect("a 200").body).unwrap()
}

/// RTP packets that we send in a second.
fn sends(world: &mut World) -> u64 {
    world.network.tap = Some(Vec::new());
    world.run_for(seconds(1));
    let tap = world.network.tap.take().unwrap();
    tap.iter().filter(|(_, ours, _)| *ours).count() as u64
}

#[test]
fn hold_in_four_directions_and_the_old_way_from_either_side() {
    for (lines, our_answer, sending) in [
        ("a=sendrecv", "a=sendrecv", true),
        ("a=sendonly", "a=recvonly", false),
        ("a=recvonly", "a=sendonly", true),
        ("a=inactive", "a=inactive", false),
        ("c=IN IP4 0.0.0.0", "a=recvonly", false),
    ] {
        for offers in [true, false] {
            let mut world = talking();
            let dialog = world.dialog();
            let ours = reinvite(&mut world, &dialog, 50, offers, lines);
            // We never hold anybody ourselves.
            let wanted = if offers { our_answer } else { "a=sendrecv" };
            assert!(ours.contains(wanted), "{lines} {offers}: {ours}");
            let packets = sends(&mut world);
            let told = format!("{lines} {offers}: {packets} packets");
            assert_eq!((48..=52).contains(&packets), sending, "{told}");
            assert!(sending || packets == 0, "{told}");
            // Held for longer than sound may be missing, and taken back.
            world.run_for(seconds(6));
            assert_eq!(world.phase(), "talking", "{told}");
            reinvite(&mut world, &dialog, 51, !offers, "a=sendrecv");
            assert!((48..=52).contains(&sends(&mut world)), "{told}");
            world.promises.without_key = 1;
            world.inject(Port::GatewaySip, PBX_SIP, dialog.info(52));
            world.wait("door_release_ended", 1);
            assert_eq!(world.opened(), 1, "{told}");
            world.panel.visitor_leave();
            world.run_for(seconds(3));
            world.settle();
        }
    }
}
