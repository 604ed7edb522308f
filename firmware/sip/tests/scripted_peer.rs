//! Setting calls up and ending them against a peer that says exactly what the test makes it say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut b = Bench::new();
    let (call, invite) = b.invite();
    b.ua.hang_up(b.net.now, call, None);
    b.run(2000);
    assert!(b.pbx.take(&Method::CANCEL).is_none());
    b.reply(&invite, 180, &[]);
    let (_, cancel) = b.pbx.take(&Method::CANCEL).unwrap();
    assert_eq!(cancel.top_via(), invite.top_via());
    assert_eq!(cancel.cseq().unwrap().0, invite.cseq().unwrap().0);
    b.reply(&cancel, 200, &[]);
    b.reply(&invite, 487, &[]);
    assert!(b.pbx.take(&Method::ACK).is_some());
    assert_eq!(b.ua.call_count(), 0);
}

#[test]
fn a_cancel_without_effect_ends_after_32_s() {
    let mut b = Bench::new();
    let (call, invite) = b.invite();
    b.reply(&invite, 180, &[]);
    b.ua.hang_up(b.net.now, call, None);
    b.run(31_000);
    assert_eq!(b.ua.call_count(), 1);
    b.run(2_000);
    assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
}

#[test]
fn a_second_fork_is_acknowledged_and_ended() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let answered = b.reply(&invite, 200, &[("Contact", "<sip:1@127.0.0.1:5060>")]);
    assert!(matches!(answered[..], [UaEvent::Answered { .. }]));
    let mut fork = Message::response_to(&invite, 200, Some("other"));
    fork.headers.push("Contact", "<sip:2@127.0.0.1:5060>");
    b.pbx.outbox.push((addr(UA), fork.to_bytes()));
    b.pbx.outbox.push((addr(UA), fork.to_bytes()));
    assert_eq!(b.run(5), []);
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    assert_eq!(bye.to_tag().as_deref(), Some("other"));
    let acks: Vec<_> = std::iter::from_fn(|| b.pbx.take(&Method::ACK))
        .map(|(_, m)| m.to_tag().unwrap())
        .collect();
    assert_eq!(acks, ["peer", "other", "other"]);
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn a_challenged_invite_is_repeated_once_with_the_next_cseq() {
    for (status, asks, answers) in [
        (401, "WWW-Authenticate", "Authorization"),
        (407, "Proxy-Authenticate", "Proxy-Authorization"),
    ] {
        let mut b = Bench::new();
        let (_, invite) = b.invite();
        let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
        b.reply(&invite, status, &[(asks, challenge)]);
        let (_, second) = b.pbx.take(&Method::INVITE).unwrap();
        assert_eq!(second.cseq().unwrap().0, invite.cseq().unwrap().0 + 1);
        assert_eq!(second.call_id(), invite.call_id());
        assert_ne!(second.top_via(), invite.top_via());
        assert!(second.headers.get(answers).unwrap().contains("nc=00000001"));
        let events = b.reply(&second, status, &[(asks, challenge)]);
        assert!(
            matches!(&events[..], [UaEvent::Ended { cause: EndCause { status: s, .. }, .. }] if *s == Some(status))
        );
        assert!(!format!("{events:?}").contains("response="));
    }
}

#[test]
fn the_2xx_is_repeated_until_64_t1_and_then_bye() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("1", ""));
    let [UaEvent::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.answer(b.net.now, call, b"v=0\r\n".to_vec());
    b.run(31_900);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 200").len(), 11);
    let events = b.run(200);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.by == EndedBy::Timeout));
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    b.reply(&bye, 200, &[]);
    assert_eq!(b.ua.call_count(), 0);
}

#[test]
fn retransmitted_and_merged_invites() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("1", ""));
    let [UaEvent::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.ring(b.net.now, call);
    b.run(5);
    assert_eq!(b.say(&incoming_invite("1", "")), []);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 180").len(), 2);
    assert_eq!(
        refused(&b.say(&incoming_invite("2", ""))),
        [(482, "merged request")]
    );
    b.ua.reject(b.net.now, call, 486, None);
    b.run(5);
    assert_eq!(b.say(&incoming_invite("1", "")), []);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 486").len(), 2);
}

#[test]
fn a_bye_that_overtakes_the_200_ends_the_call() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    b.reply(&invite, 180, &[]);
    let bye = b.in_dialog(&invite, "BYE", 2, "");
    let events = b.say(&bye);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.by == EndedBy::Remote));
    b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    assert!(b.pbx.take(&Method::ACK).is_some());
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    b.reply(&bye, 481, &[]);
    assert_eq!(b.ua.call_count(), 0);
}

#[test]
fn a_stale_nonce_is_answered_a_second_time_but_not_a_third() {
    let mut b = Bench::new();
    let (_, mut invite) = b.invite();
    for nonce in ["1", "2"] {
        let value = format!("Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\", stale=true");
        b.reply(&invite, 401, &[("WWW-Authenticate", &value)]);
        invite = b.pbx.take(&Method::INVITE).unwrap().1;
        assert_eq!(invite.headers.all("Authorization").count(), 1);
    }
    let value = "Digest realm=\"r\", nonce=\"3\", qop=\"auth\", stale=true";
    let events = b.reply(&invite, 401, &[("WWW-Authenticate", value)]);
    assert!(matches!(&events[..], [UaEvent::Ended { .. }]));
}

#[test]
fn the_caller_may_end_an_early_dialog_with_bye() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("1", ""));
    let [UaEvent::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.ring(b.net.now, call);
    b.run(5);
    let tag = b.pbx.take_status(180).unwrap().to_tag().unwrap();
    let bye = incoming_invite("bye", "")
        .replace("INVITE", "BYE")
        .replace("CSeq: 5", "CSeq: 6")
        .replace(
            "To: <sip:42@127.0.0.2:5060>",
            &format!("To: <sip:42@{UA}>;tag={tag}"),
        );
    let events = b.say(&bye);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.by == EndedBy::Remote));
    assert!(b.pbx.take_status(487).is_some());
    assert!(b.pbx.take_status(200).is_some());
}

#[test]
fn an_unanswered_incoming_call_ends_after_ten_minutes() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("1", ""));
    let [UaEvent::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.ring(b.net.now, call);
    let events = b.run(601_000);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.status == Some(480)));
    assert_eq!(
        b.net.sent(addr(UA), "SIP/2.0 180").len(),
        10,
        "18x is repeated each minute"
    );
    b.run(40_000);
    assert_eq!(b.ua.transaction_count(), 0);
}

#[test]
fn an_advertised_address_stands_in_via_and_contact() {
    let mut b = Bench::new();
    b.ua = UserAgent::new(
        UaConfig {
            local: addr(UA),
            advertised: Some(addr("[2001:db8::9]:5070")),
            user_agent: "test".into(),
            accounts: vec![Account::new("42", PBX, "secret")],
            allowed_sources: SourcePolicy::AccountsOnly,
        },
        seed(3),
    );
    let (_, invite) = b.invite();
    let via = invite.top_via().unwrap();
    assert_eq!((via.host.as_str(), via.port), ("[2001:db8::9]", Some(5070)));
    assert_eq!(invite.contacts()[0].uri, "sip:42@[2001:db8::9]:5070");
}
