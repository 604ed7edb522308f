//! Security: strangers, foreign challenges, wrong addresses, floods, logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::Method;
use trubka_sip::*;

#[test]
fn redirection_is_not_followed() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let events = b.reply(&invite, 302, &[("Contact", "<sip:900@127.0.0.66>")]);
    assert!(matches!(
        &events[..],
        [UaEvent::Ended {
            cause: EndCause {
                status: Some(302),
                ..
            },
            ..
        }]
    ));
    b.run(40_000);
    assert!(b.stranger.inbox.is_empty());
    assert!(b.pbx.take(&Method::INVITE).is_none());
}

#[test]
fn no_digest_for_strangers_and_foreign_realms() {
    // The call goes straight to a phone that asks for our password.
    let mut b = Bench::new();
    b.ua.invite(b.net.now, 0, call_to("sip:9@127.0.0.66"))
        .unwrap();
    b.run(5);
    let (_, invite) = b.stranger.take(&Method::INVITE).unwrap();
    let challenge = ("WWW-Authenticate", "Digest realm=\"r\", nonce=\"n\"");
    b.stranger.reply(&invite, addr(UA), 401, &[challenge]);
    b.run(5);
    assert!(b.stranger.take(&Method::INVITE).is_none());
    // The registrar address pins its first realm for calls.
    let (_, invite) = b.invite();
    b.reply(&invite, 401, &[challenge]);
    let (_, second) = b.pbx.take(&Method::INVITE).unwrap();
    b.reply(&second, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    let (_, invite) = b.invite();
    b.reply(
        &invite,
        401,
        &[("WWW-Authenticate", "Digest realm=\"other\", nonce=\"n\"")],
    );
    assert!(b.pbx.take(&Method::INVITE).is_none());
    assert_eq!(b.ua.counters().foreign_challenges, 2);
}

#[test]
fn responses_from_elsewhere_are_ignored() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    b.stranger
        .reply(&invite, addr(UA), 200, &[("Contact", "<sip:9@127.0.0.66>")]);
    let events = b.run(5);
    assert_eq!(refused(&events).len(), events.len());
    assert!(b.stranger.inbox.is_empty());
    let events = b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    assert!(matches!(events[..], [UaEvent::Answered { .. }]));
}

#[test]
fn info_outside_a_confirmed_dialog_opens_nothing() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    b.reply(&invite, 180, &[]);
    let early = b.in_dialog(&invite, "INFO", 1, "Content-Type: application/dtmf\n\n9");
    assert_eq!(refused(&b.say(&early)), [(481, "the call is not up")]);
    b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    let text = b.in_dialog(&invite, "INFO", 2, "Content-Type: application/dtmf\n\n9");
    let wrong_tag = text.replace("tag=peer", "tag=guess");
    assert_eq!(refused(&b.say(&wrong_tag)), [(481, "no such call")]);
    // Right tags, wrong address: a stranger, and another port of the PBX host.
    b.stranger
        .outbox
        .push((addr(UA), text.replace('\n', "\r\n").into_bytes()));
    assert_eq!(refused(&b.run(5)), [(0, "source is not allowed")]);
    b.ua.handle_datagram(
        b.net.now,
        addr("127.0.0.1:5999"),
        text.replace('\n', "\r\n").as_bytes(),
    );
    assert_eq!(
        refused(&b.run(5)),
        [(
            481,
            "in-dialog request from another address than the call's"
        )]
    );
    assert_eq!(b.ua.counters().wrong_dialog_source, 1);
    let bye = b.in_dialog(&invite, "BYE", 3, "");
    assert_eq!(b.say(&bye).len(), 1);
    let late = b.in_dialog(&invite, "INFO", 4, "Content-Type: application/dtmf\n\n9");
    assert_eq!(refused(&b.say(&late)), [(481, "no such call")]);
}

#[test]
fn strangers_get_no_answer_at_all() {
    let mut b = Bench::new();
    for text in ["OPTIONS sip:42@x SIP/2.0\r\n\r\n", "REGISTER", "\u{1}\u{2}"] {
        b.stranger.outbox.push((addr(UA), text.as_bytes().to_vec()));
    }
    let invite = incoming_invite("1", "").replace('\n', "\r\n");
    b.stranger.outbox.push((addr(UA), invite.into_bytes()));
    let events = b.run(100);
    assert_eq!(events.len(), 4);
    assert_eq!(refused(&events).len(), 4);
    assert!(b.net.sent(addr(UA), "SIP").is_empty());
    assert_eq!(b.ua.transaction_count(), 0);
    // The log of refusals is bounded.
    for _ in 0..1000 {
        b.ua.handle_datagram(b.net.now, addr(STRANGER), b"INVITE x");
    }
    assert!(b.run(0).len() <= 20);
    assert!(b.ua.counters().refused_events_suppressed >= 980);
}

#[test]
fn headers_of_the_caller_cannot_replace_ours() {
    let mut b = Bench::new();
    let mut request = call_to("400");
    request.display_name = Some("Entrance \"1\"\r\nX: y".into());
    request.headers = vec![
        ("X-Apartment".into(), "42".into()),
        ("Via".into(), "evil".into()),
        ("Bad Name".into(), "x".into()),
        ("X-Two".into(), "a\r\nRoute: <sip:evil>".into()),
    ];
    b.ua.invite(b.net.now, 0, request).unwrap();
    b.run(5);
    let (_, invite) = b.pbx.take(&Method::INVITE).unwrap();
    assert_eq!(invite.headers.get("X-Apartment"), Some("42"));
    assert_eq!(invite.headers.all("Via").count(), 1);
    assert!(invite.headers.get("Route").is_none());
    assert!(invite.headers.get("X").is_none());
    assert_eq!(
        invite.from().unwrap().display_name.as_deref(),
        Some("Entrance \"1\"X: y")
    );
}

#[test]
fn a_box_places_as_many_calls_as_it_has_ports_and_no_more() {
    let mut b = Bench::new();
    let placed = (0..400)
        .filter(|_| b.ua.invite(ms(0), 0, call_to("400")).is_ok())
        .count();
    assert_eq!((placed, b.ua.call_count()), (320, 320));
    // Calls that come in have no place beside them.
    let text = incoming_invite("1", "").replace('\n', "\r\n");
    while b.ua.poll_transmit().is_some() {}
    b.ua.handle_datagram(ms(0), addr(PBX), text.as_bytes());
    let answer = b.ua.poll_transmit().unwrap();
    assert!(answer.payload.starts_with(b"SIP/2.0 503"));
}

#[test]
fn floods_leave_the_tables_bounded() {
    let mut b = Bench::new();
    for n in 0..10_000 {
        let text =
            incoming_invite(&format!("{n}"), "").replace("Call-ID: in", &format!("Call-ID: {n}"));
        b.ua.handle_datagram(ms(0), addr(PBX), text.replace('\n', "\r\n").as_bytes());
        while b.ua.poll_transmit().is_some() {}
        events(&mut b.ua);
    }
    assert!(b.ua.call_count() <= 64);
    assert!(b.ua.transaction_count() <= 2048);
}

#[test]
fn only_the_callers_host_can_cancel() {
    let mut b = Bench::new();
    b.ua = UserAgent::new(
        UaConfig {
            local: addr(UA),
            advertised: None,
            user_agent: "test".into(),
            accounts: vec![Account::new("42", PBX, "secret")],
            allowed_sources: SourcePolicy::AccountsAnd(vec!["127.0.0.66".parse().unwrap()]),
        },
        seed(3),
    );
    assert_eq!(b.say(&incoming_invite("1", "")).len(), 1);
    let cancel = incoming_invite("1", "").replace("INVITE", "CANCEL");
    b.stranger
        .outbox
        .push((addr(UA), cancel.replace('\n', "\r\n").into_bytes()));
    assert_eq!(refused(&b.run(5)), [(481, "nothing to cancel")]);
    assert_eq!(b.ua.call_count(), 1);
    let events = b.say(&cancel);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.status == Some(487)));
    assert_eq!(b.ua.call_count(), 0);
}

#[test]
fn nothing_printed_tells_a_secret() {
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let text = b.in_dialog(&invite, "INFO", 2, "Content-Type: application/dtmf\n\n9");
    let shown = format!("{:?}", b.say(&text));
    assert!(shown.contains("body: 1 bytes"), "{shown}");
    let account = Account::new("42", PBX, "hunter2");
    assert!(!format!("{account:?} {}", account.password).contains("hunter2"));
    b.ua.start(b.net.now);
    let transmit = b.ua.poll_transmit();
    assert!(
        !format!("{transmit:?} {invite:?}").contains("tag="),
        "headers are not printed"
    );
}

#[test]
fn a_response_with_two_vias_is_not_for_us() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let more = [
        ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx"),
        ("Contact", "<sip:4@127.0.0.1>"),
    ];
    assert_eq!(b.reply(&invite, 200, &more), []);
    assert_eq!(b.ua.counters().stray_responses, 1);
    assert!(b.pbx.take(&Method::ACK).is_none());
}

#[test]
fn names_of_callers_cannot_break_a_log_line() {
    let mut b = Bench::new();
    let text = incoming_invite("1", "").replace("\"Concierge\" <sip:400@", "\"a\tb\" <sip:4%0A00@");
    let events = b.say(&text);
    let [UaEvent::Incoming { from, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(from.user, "4\u{fffd}00");
    assert_eq!(from.uri, "sip:4\u{fffd}00@127.0.0.1");
    assert_eq!(from.display_name.as_deref(), Some("a\u{fffd}b"));
}

/// A phone behind the PBX's proxy asks for the password of the account in the PBX's own realm.
#[test]
fn no_digest_for_a_phone_that_asks_in_the_realm_of_its_proxy() {
    let asks = |name: &'static str, nonce: &str| {
        (
            name,
            format!("Digest realm=\"house\", nonce=\"{nonce}\", qop=\"auth\""),
        )
    };
    let mut b = Bench::new();
    let (call, invite) = b.invite();
    let (name, value) = asks("Proxy-Authenticate", "of the proxy");
    b.reply(&invite, 407, &[(name, &value)]);
    let (_, invite) = b.pbx.take(&Method::INVITE).unwrap();
    assert!(invite.headers.get("Proxy-Authorization").is_some());
    b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    b.pbx.take(&Method::ACK).unwrap();
    b.ua.hang_up(b.net.now, call, None);
    b.run(5);
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    let (name, value) = asks("WWW-Authenticate", "of the phone");
    b.reply(&bye, 401, &[(name, &value)]);
    assert!(b.pbx.take(&Method::BYE).is_none(), "the BYE is answered");
    // The next call, before its answer.
    let (_, invite) = b.invite();
    let (name, value) = asks("WWW-Authenticate", "of the phone");
    b.reply(&invite, 401, &[(name, &value)]);
    assert!(
        b.pbx.take(&Method::INVITE).is_none(),
        "the INVITE is answered"
    );
    assert_eq!(b.ua.counters().foreign_challenges, 2);
    // What the proxy asks is still answered.
    let (_, invite) = b.invite();
    let (name, value) = asks("Proxy-Authenticate", "of the proxy again");
    b.reply(&invite, 407, &[(name, &value)]);
    assert!(b.pbx.take(&Method::INVITE).is_some());
}

/// Somebody writes the PBX's address into datagrams that belong to no call, or that cannot be read.
#[test]
fn a_flood_in_the_name_of_the_pbx_leaves_room_for_its_calls() {
    let kinds: [fn(usize) -> String; 4] = [
        |n| {
            incoming_invite(&format!("{n}"), "")
                .replace("To: <sip:42@127.0.0.2:5060>", "To: <sip:42@x>;tag=nobody")
        },
        |n| {
            incoming_invite(&format!("{n}"), "")
                .replace("Max-Forwards: 70", "Max-Forwards: 70\nMax-Forwards: 7")
        },
        |n| incoming_invite(&format!("{n}"), "").replace("INVITE", "CANCEL"),
        |n| {
            incoming_invite(&format!("{n}"), "")
                .replace("INVITE", "BYE")
                .replace("To: <sip:42@127.0.0.2:5060>", "To: <sip:42@x>;tag=nobody")
        },
    ];
    for (kind, flood) in kinds.into_iter().enumerate() {
        let mut b = Bench::new();
        let mut answers = 0;
        for n in 0..10_000 {
            let text = flood(n).replace("Call-ID: in", &format!("Call-ID: {n}"));
            let now = ms(n as u64);
            b.ua.handle_datagram(now, addr(PBX), text.replace('\n', "\r\n").as_bytes());
            b.ua.handle_timeout(now);
            while b.ua.poll_transmit().is_some() {
                answers += 1;
            }
            events(&mut b.ua);
        }
        b.net.now = ms(10_000);
        // Ten a second, and their copies where a final response to INVITE is repeated.
        assert!(answers <= 1_200, "{kind}: {answers} answers in 10 s");
        assert!(
            b.ua.transaction_count() <= 130,
            "{kind}: {}",
            b.ua.transaction_count()
        );
        let events = b.say(&incoming_invite("real", ""));
        assert!(
            matches!(&events[..], [UaEvent::Incoming { .. }]),
            "{kind}: {events:?}"
        );
    }
}

/// A proxy sends our own INVITE back to us, because what was called leads to our own contact.
#[test]
fn our_own_invite_that_comes_back_is_a_loop() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let text = format!(
        "INVITE sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKproxied\n{}Max-Forwards: 69\nFrom: {}\nTo: {}\n\
         Call-ID: {}\nCSeq: {}\nContact: {}\n\n",
        invite
            .headers
            .all("Via")
            .map(|via| format!("Via: {via}\n"))
            .collect::<String>(),
        invite.headers.get("From").unwrap(),
        invite.headers.get("To").unwrap(),
        invite.call_id().unwrap(),
        invite.headers.get("CSeq").unwrap(),
        invite.headers.get("Contact").unwrap(),
    );
    let events = b.say(&text);
    assert_eq!(refused(&events), [(482, "our own call comes back")]);
    assert_eq!(b.ua.call_count(), 1);
}
