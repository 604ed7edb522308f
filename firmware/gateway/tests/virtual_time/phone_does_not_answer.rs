//! Busy, no answer, errors, second targets: the visitor keeps the old handset.

use phone::{Behaviour, Script};
use sip::message::{Message, read};

use crate::world::{Options, Verdict, World, answers, ms, never_answers, seconds};

fn busy() -> Script {
    Script {
        behaviour: Behaviour::Busy,
        ..answers(ms(0))
    }
}

/// The PBX gives `status` to every INVITE for `user`; all else goes to the phone.
pub(crate) fn answer_invites(
    world: &mut World,
    user: &'static str,
    status: u16,
    header: &'static str,
) {
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        let Ok(request) = read(bytes) else {
            return Verdict::Pass;
        };
        let uri = request.request_uri().unwrap_or_default();
        let for_user = uri.starts_with(&format!("sip:{user}@"));
        match request.method().map(|method| method.as_str()) {
            Some("INVITE") if ours && for_user => {
                let mut response = Message::response_to(&request, status, Some("pbx"));
                if let Some((name, value)) = header.split_once(": ") {
                    response.headers.push(name, value);
                }
                Verdict::Reply(vec![response.to_bytes()])
            }
            // The ACK of a refusal belongs to the same place.
            Some("ACK") if ours && for_user => Verdict::Lose,
            _ => Verdict::Pass,
        }
    }));
}

/// The handset can still be used: lifted, the panel answers, its button opens.
fn handset_still_opens(world: &mut World) {
    world.lift();
    world.wait_panel(line_simulation::PanelEvent::Answered);
    world.run_for(seconds(2));
    world.hold_button(true);
    world.run_for(ms(400));
    world.hold_button(false);
    world.run_for(seconds(1));
    assert_eq!(world.opened(), 1, "{}", world.story());
}

#[test]
fn busy_leaves_the_visitor_to_the_handset() {
    let mut world = World::ready(Options::with(busy()));
    world.visit_until("call_failed");
    assert!(world.last_words("call_failed").contains("486"));
    assert!(world.last_words("call_failed").contains("second target"));
    handset_still_opens(&mut world);
    world.next_visit_works();
}

#[test]
fn refusals_of_the_pbx_are_told_with_a_hint() {
    for (status, hint) in [
        (403, "password"),
        (404, "targets"),
        (480, "not registered"),
        (488, "codec"),
        (503, "reachable"),
        (603, "declined"),
        (500, "log"),
    ] {
        let mut world = World::ready(Options::default());
        answer_invites(&mut world, "400", status, "");
        world.visit_until("call_failed");
        let told = world.last_words("call_failed");
        assert!(told.contains(&status.to_string()), "{told}");
        assert!(told.contains(hint), "{told}");
        world.run_for(seconds(1));
        assert_eq!(world.gateway.audio_ports_in_use(), 0, "{status}");
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn a_busy_first_target_hands_on_to_the_second() {
    let mut world = World::ready(Options {
        targets: "\"401\", \"400\"",
        ..Options::default()
    });
    answer_invites(&mut world, "401", 486, "");
    world.visit_until("call_answered");
    world.wait("line_idle", 1);
    assert_eq!(world.opened(), 1);
    assert!(world.last_words("door_opened").contains("\"400\""));
}

#[test]
fn a_silent_first_target_hands_on_after_its_time() {
    let mut world = World::ready(Options {
        targets: "\"401\", \"400\"",
        route: "target_timeout_s = 8",
        ..Options::default()
    });
    answer_invites(&mut world, "401", 180, "");
    world.visit_until("call_answered");
    let failed = world.time_of("call_failed").unwrap() - world.time_of("call_placed").unwrap();
    assert!(failed >= seconds(8) && failed < ms(8100), "{failed:?}");
    assert_eq!(world.gateway_sent("CANCEL sip:401@"), 1);
    world.wait("door_release_ended", 1);
    assert_eq!(world.opened(), 1);
}

#[test]
fn a_silent_only_target_ends_after_its_time_and_the_handset_rings_on() {
    let mut world = World::ready(Options {
        route: "target_timeout_s = 6",
        ..Options::with(never_answers())
    });
    world.visit_until("call_failed");
    assert!(world.last_words("call_failed").contains("no answer"));
    world.run_for(seconds(1));
    assert_eq!(world.phase(), "unanswered");
    assert_eq!(world.gateway.audio_ports_in_use(), 0);
    handset_still_opens(&mut world);
    world.next_visit_works();
}

#[test]
fn the_ring_limit_ends_all_ringing() {
    let mut world = World::ready(Options {
        config: "[call]\nring_limit_s = 10",
        ..Options::with(never_answers())
    });
    world.visit_until("call_ended");
    assert!(world.last_words("call_ended").contains("ring limit"));
    let rang = world.time_of("call_ended").unwrap() - world.time_of("ring").unwrap();
    assert!(rang >= seconds(10) && rang < ms(10_100), "{rang:?}");
    world.next_visit_works();
}

#[test]
fn an_answer_without_a_common_codec_is_ended_and_told() {
    for body in [
        "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n",
        "m=audio 0 RTP/AVP 8\r\n",
    ] {
        let mut world = World::ready(Options::default());
        let mut changed = 0;
        world.network.watcher = Some(Box::new(move |ours, bytes| {
            let Some(mut message) = read(bytes).ok().filter(|_| !ours) else {
                return Verdict::Pass;
            };
            if message.status() != Some(200) || message.sdp().is_none() || changed > 0 {
                return Verdict::Pass;
            }
            changed += 1;
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 127.77.0.2\r\ns=-\r\nc=IN IP4 127.77.0.2\r\nt=0 0\r\n{body}"
            );
            message.set_body("application/sdp", sdp.into_bytes());
            Verdict::Reply(vec![message.to_bytes()])
        }));
        world.visit_until("call_failed");
        let told = world.last_words("call_failed");
        assert!(told.contains("488") && told.contains("pcma"), "{told}");
        world.run_for(seconds(2));
        assert_eq!(world.gateway_sent("BYE"), 1);
        assert_eq!(world.gateway.audio_ports_in_use(), 0);
        assert_eq!(world.phase(), "unanswered");
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}
