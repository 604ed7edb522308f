//! SRTP between the gateway and the phone: the door opens over it, and whoever cannot agree is told why.

use media::Encryption::{self, Off, Optional, Required};
use phone::{KeyBy, Script};
use sip::message::{Message, read};

use crate::world::{Options, Verdict, World, answers, ms, seconds};

fn house(account: &'static str, phone: Encryption, script: Script) -> World {
    World::ready(Options {
        account,
        phone_encryption: phone,
        ..Options::with(script)
    })
}

const REQUIRED: &str = "media_encryption = \"required\"\nmedia_encryption_without_tls = true";
const OPTIONAL: &str = "media_encryption = \"optional\"\nmedia_encryption_without_tls = true";

/// Lengths of the gateway's RTP packets of 20 ms: 172 in the clear, 182 with the tag.
fn packets_are_encrypted(world: &mut World) -> bool {
    world.network.tap = Some(Vec::new());
    world.run_for(seconds(1));
    let tap = world.network.tap.take().unwrap();
    let lengths: Vec<usize> = tap
        .iter()
        .filter(|(_, ours, _)| *ours)
        .map(|(_, _, packet)| packet.len())
        .collect();
    assert!(lengths.len() > 40, "{lengths:?}");
    let encrypted = lengths.iter().filter(|length| **length == 182).count();
    assert!(encrypted == 0 || encrypted == lengths.len(), "{lengths:?}");
    encrypted > 0
}

#[test]
fn a_key_opens_over_encrypted_sound() {
    for (account, phone, encrypted) in [
        (REQUIRED, Required, true),
        (OPTIONAL, Required, true),
        (OPTIONAL, Optional, true),
        (OPTIONAL, Off, false),
    ] {
        let mut world = house(account, phone, answers(ms(300)));
        world.visit_until("call_answered");
        world.run_for(seconds(1));
        assert_eq!(packets_are_encrypted(&mut world), encrypted, "{account}");
        world.press('9', KeyBy::Rfc4733);
        world.wait("door_release_ended", 1);
        assert_eq!(world.happened("encryption_refused"), 0);
        world.next_visit_works();
    }
}

#[test]
fn a_phone_without_keys_is_told_with_a_hint_and_the_handset_stays() {
    let mut world = house(REQUIRED, Off, answers(ms(300)));
    world.visit_until("call_failed");
    assert_eq!(world.happened("encryption_refused"), 1);
    let told = world.last_words("encryption_refused");
    for word in ["\"pbx\"", "\"400\"", "SDES", "media_encryption"] {
        assert!(told.contains(word), "{told}");
    }
    world.run_for(seconds(3));
    assert_eq!(world.opened(), 0);
}

#[test]
fn an_incoming_call_without_keys_is_refused_with_a_hint() {
    let mut world = house(REQUIRED, Off, answers(ms(300)));
    let now = world.now;
    assert!(world.phone.call(now, "600"));
    world.run_for(seconds(1));
    assert_eq!(world.last_status_to("INVITE"), Some(488));
    assert_eq!(world.happened("encryption_refused"), 1);
}

/// Gives 488 to every INVITE of ours whose sound may also be in the clear.
fn wants_savp(world: &mut World) {
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        let Ok(request) = read(bytes) else {
            return Verdict::Pass;
        };
        let text = String::from_utf8_lossy(bytes);
        match request.method().map(|method| method.as_str()) {
            Some("INVITE") if ours && text.contains(" RTP/AVP ") => {
                let response = Message::response_to(&request, 488, Some("pbx"));
                Verdict::Reply(vec![response.to_bytes()])
            }
            _ => Verdict::Pass,
        }
    }));
}

#[test]
fn a_pbx_that_takes_only_savp_gets_it_on_the_second_try() {
    let mut world = house(OPTIONAL, Required, answers(ms(300)));
    wants_savp(&mut world);
    world.visit_until("call_answered");
    assert!(packets_are_encrypted(&mut world));
    assert_eq!(world.happened("call_failed"), 0);
    world.press('9', KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    world.next_visit_works();
}

#[test]
fn a_pbx_that_takes_neither_ends_the_attempt_once() {
    let mut world = house(OPTIONAL, Off, answers(ms(300)));
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        let Ok(request) = read(bytes) else {
            return Verdict::Pass;
        };
        match request.method().map(|method| method.as_str()) {
            Some("INVITE") if ours => {
                let response = Message::response_to(&request, 488, Some("pbx"));
                Verdict::Reply(vec![response.to_bytes()])
            }
            Some("ACK") if ours => Verdict::Lose,
            _ => Verdict::Pass,
        }
    }));
    world.visit_until("call_failed");
    world.run_for(seconds(3));
    assert_eq!(world.happened("call_failed"), 1, "{}", world.story());
    assert_eq!(world.gateway.audio_ports_in_use(), 0);
    world.next_visit_works();
}

#[test]
fn no_key_is_printed_anywhere() {
    let mut world = house(REQUIRED, Required, answers(ms(300)));
    world.visit_until("call_answered");
    let mut keys = Vec::new();
    for (_, _, message) in &world.network.sip {
        let text = String::from_utf8_lossy(message).into_owned();
        let found = text.split("inline:").skip(1);
        keys.extend(found.map(|rest| rest[..16].to_owned()));
    }
    assert!(keys.len() >= 4, "{keys:?}");
    let mut shown = format!("{:?} {:?}", world.gateway, world.gateway.call_statuses());
    for (_, event) in &world.events {
        shown += &format!("{event:?}");
    }
    assert!(keys.iter().all(|key| !shown.contains(key.as_str())));
}

/// The keys of an account over TLS are safe in its own calls only: a phone that is called by its address gets SIP in the clear.
#[test]
fn keys_do_not_travel_in_the_clear_in_a_direct_call_of_an_account_over_tls() {
    for (account, placed) in [
        (
            "media_encryption = \"optional\"\ntransport = \"tls\"\nregister = false",
            true,
        ),
        (
            "media_encryption = \"required\"\ntransport = \"tls\"\nregister = false",
            false,
        ),
    ] {
        let mut world = World::new(Options {
            account,
            sip: "direct_calls = true",
            targets: "\"sip:401@127.77.0.50\"",
            ..Options::with(answers(ms(300)))
        });
        world.visit_until("call_placed");
        world.run_for(ms(500));
        let sent = &world.network.to_strangers;
        let texts: Vec<_> = sent
            .iter()
            .map(|(_, bytes)| String::from_utf8_lossy(bytes))
            .collect();
        let invites = texts.iter().filter(|text| text.starts_with("INVITE"));
        let invites: Vec<_> = invites.collect();
        assert_eq!(!invites.is_empty(), placed, "{account}");
        for invite in &texts {
            assert!(!invite.contains("crypto"), "{invite}");
        }
        assert_eq!(world.happened("encryption_refused"), usize::from(!placed));
        assert_eq!(world.happened("call_failed"), usize::from(!placed));
    }
}
