//! The peer passes a call on (RFC 3515): REFER, NOTIFY, and how both end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

fn refer(b: &mut Bench, invite: &Message, cseq: u32, headers: &str) -> Vec<UaEvent> {
    let text = b.in_dialog(invite, "REFER", cseq, headers);
    b.say(&text)
}

fn asked(events: &[UaEvent]) -> (String, Option<String>, Option<String>) {
    match events {
        [
            UaEvent::Transfer {
                target,
                replaces,
                referred_by,
                ..
            },
        ] => (target.clone(), replaces.clone(), referred_by.clone()),
        other => panic!("{other:?}"),
    }
}

/// The NOTIFYs that came: Event, Subscription-State and the fragment's first line.
fn notified(b: &mut Bench) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    while let Some((_, notify)) = b.pbx.take(&Method::NOTIFY) {
        let header = |name: &str| notify.headers.get(name).unwrap_or_default().to_owned();
        assert_eq!(header("Content-Type"), "message/sipfrag;version=2.0");
        assert!(!notify.contacts().is_empty());
        assert_eq!(notify.to_tag().as_deref(), Some("peer"));
        let body = String::from_utf8(notify.body.clone()).unwrap();
        let state = header("Subscription-State");
        let state = state.split(';').next().unwrap().to_owned();
        found.push((header("Event"), state, body.trim_end().to_owned()));
        b.reply(&notify, 200, &[]);
    }
    found
}

fn told(event: &str, state: &str, body: &str) -> (String, String, String) {
    (event.to_owned(), state.to_owned(), body.to_owned())
}

#[test]
fn a_transfer_is_accepted_and_told_to_its_end() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    let headers =
        "Refer-To: \"B\" <sip:401@127.0.0.1;user=phone>\nReferred-By: <sip:400@127.0.0.1>";
    let events = refer(&mut b, &invite, 3, headers);
    let wanted = "sip:401@127.0.0.1;user=phone".to_owned();
    assert_eq!(
        asked(&events),
        (wanted, None, Some("sip:400@127.0.0.1".to_owned()))
    );
    assert!(b.pbx.take_status(202).is_none(), "nobody said yes yet");
    b.ua.accept_transfer(b.net.now, call);
    b.run(5);
    let accepted = b.pbx.take_status(202).unwrap();
    assert!(!accepted.contacts().is_empty());
    assert_eq!(
        notified(&mut b),
        [told("refer", "active", "SIP/2.0 100 Trying")]
    );
    for status in [180, 180, 200, 200] {
        b.ua.transfer_progress(b.net.now, call, status);
        b.run(5);
    }
    let end = [
        told("refer", "active", "SIP/2.0 180 Ringing"),
        told("refer", "terminated", "SIP/2.0 200 OK"),
    ];
    assert_eq!(notified(&mut b), end);
    // A second one in the same call is told apart by its CSeq.
    asked(&refer(&mut b, &invite, 4, "Refer-To: sip:402@127.0.0.1"));
    b.ua.accept_transfer(b.net.now, call);
    b.ua.transfer_progress(b.net.now, call, 486);
    b.run(5);
    let end = [
        told("refer;id=4", "active", "SIP/2.0 100 Trying"),
        told("refer;id=4", "terminated", "SIP/2.0 486 Busy Here"),
    ];
    assert_eq!(notified(&mut b), end);
    assert_eq!(b.ua.call_count(), 1);
    b.run(40_000);
    assert_eq!(b.ua.transaction_count(), 0);
}

#[test]
fn a_refused_transfer_and_a_second_one_leave_the_call_up() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    asked(&refer(&mut b, &invite, 3, "Refer-To: <sip:9@evil>"));
    let second = refer(&mut b, &invite, 4, "Refer-To: <sip:9@evil>");
    assert_eq!(refused(&second), [(603, "a transfer is under way")]);
    b.ua.reject_transfer(b.net.now, call, 403);
    b.run(5);
    assert!(b.pbx.take_status(403).is_some());
    assert_eq!(notified(&mut b), []);
    // Progress of a transfer that is not there is told to nobody.
    b.ua.transfer_progress(b.net.now, call, 200);
    b.run(5);
    assert_eq!((notified(&mut b), b.ua.call_count()), (Vec::new(), 1));
}

#[test]
fn what_names_nobody_or_more_than_one_is_refused() {
    for headers in [
        "",
        "Refer-To: 401",
        "Refer-To: <>",
        "Refer-To: <sip:1@a>, <sip:2@a>",
        "Refer-To: <sip:1@a>\nRefer-To: <sip:2@a>",
        "Refer-To: <sip:1@a?Replaces=x>",
        "Refer-To: <sip:1@a?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2%0D%0AX-Evil%3A%201>",
        "Refer-To: <sip:1@a?Replaces=x%3Bto-tag%3D%3Bfrom-tag%3D2>",
    ] {
        let mut b = Bench::new();
        let (_, invite) = b.talk();
        let events = refer(&mut b, &invite, 3, headers);
        assert_eq!(refused(&events), [(400, "no usable Refer-To")], "{headers}");
        assert_eq!(events.len(), 1);
    }
}

#[test]
fn an_attended_transfer_names_the_call_to_be_replaced() {
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let headers = "Refer-To: <sip:401@127.0.0.1?Require=replaces&Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Route=%3Csip%3Aevil%3E>";
    let (target, replaces, _) = asked(&refer(&mut b, &invite, 3, headers));
    assert_eq!(target, "sip:401@127.0.0.1");
    assert_eq!(replaces.as_deref(), Some("a@b;to-tag=1;from-tag=2"));
}

#[test]
fn a_peer_that_wants_no_notify_or_refuses_it_gets_none() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>\nRefer-Sub: false");
    b.ua.accept_transfer(b.net.now, call);
    b.run(5);
    let accepted = b.pbx.take_status(202).unwrap();
    assert_eq!(accepted.headers.get("Refer-Sub"), Some("false"));
    b.ua.transfer_progress(b.net.now, call, 200);
    b.run(5);
    assert_eq!(notified(&mut b), []);
    for status in [481, 603] {
        let cseq = u32::from(status);
        refer(&mut b, &invite, cseq, "Refer-To: <sip:1@a>");
        b.ua.accept_transfer(b.net.now, call);
        b.run(5);
        let (_, notify) = b.pbx.take(&Method::NOTIFY).unwrap();
        b.reply(&notify, status, &[]);
        b.ua.transfer_progress(b.net.now, call, 180);
        b.ua.transfer_progress(b.net.now, call, 200);
        b.run(5);
        assert_eq!(notified(&mut b), [], "{status}");
        assert_eq!(b.ua.call_count(), 1, "the call goes on");
    }
}

#[test]
fn a_call_that_ends_answers_the_refer_and_forgets_it() {
    for by_peer in [true, false] {
        let mut b = Bench::new();
        let (call, invite) = b.talk();
        refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>");
        if by_peer {
            let bye = b.in_dialog(&invite, "BYE", 4, "");
            b.say(&bye);
        } else {
            b.ua.hang_up(b.net.now, call, None);
            b.run(5);
            let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
            b.reply(&bye, 200, &[]);
        }
        assert!(b.pbx.take_status(481).is_some(), "{by_peer}");
        b.ua.accept_transfer(b.net.now, call);
        b.ua.transfer_progress(b.net.now, call, 200);
        b.run(40_000);
        assert_eq!(notified(&mut b), []);
        assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
    }
}

#[test]
fn notify_is_repeated_authenticated_and_given_up() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>");
    b.ua.accept_transfer(b.net.now, call);
    b.run(1_600);
    let (_, first) = b.pbx.take(&Method::NOTIFY).unwrap();
    assert!(b.pbx.take(&Method::NOTIFY).is_some(), "repeated");
    while b.pbx.take(&Method::NOTIFY).is_some() {}
    let challenge = (
        "WWW-Authenticate",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
    );
    b.reply(&first, 401, &[challenge]);
    let (_, second) = b.pbx.take(&Method::NOTIFY).unwrap();
    assert!(second.headers.get("Authorization").is_some());
    // Nobody answers: the subscription is over, the call is not.
    b.run(40_000);
    while b.pbx.take(&Method::NOTIFY).is_some() {}
    b.ua.transfer_progress(b.net.now, call, 200);
    b.run(5);
    assert_eq!((notified(&mut b), b.ua.call_count()), (Vec::new(), 1));
}

#[test]
fn a_refer_from_elsewhere_or_before_the_answer_is_no_transfer() {
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let text = b.in_dialog(&invite, "REFER", 3, "Refer-To: <sip:1@a>");
    b.stranger
        .outbox
        .push((addr(UA), text.replace('\n', "\r\n").into_bytes()));
    assert!(
        !b.run(5)
            .iter()
            .any(|e| matches!(e, UaEvent::Transfer { .. }))
    );
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    b.reply(&invite, 180, &[]);
    let events = refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>");
    assert!(!events.iter().any(|e| matches!(e, UaEvent::Transfer { .. })));
    assert!(b.pbx.take_status(481).is_some());
}

#[test]
fn a_bye_follows_the_answer_to_the_last_notify() {
    // Answered, refused, challenged, or not at all.
    for how in [200, 481, 401, 0] {
        let mut b = Bench::new();
        let (call, invite) = b.talk();
        refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>");
        b.ua.accept_transfer(b.net.now, call);
        b.run(5);
        notified(&mut b);
        b.ua.transfer_progress(b.net.now, call, 200);
        b.ua.hang_up(b.net.now, call, Some("Q.850;cause=16"));
        let ended = b.run(300);
        assert!(
            matches!(&ended[..], [UaEvent::Ended { .. }]),
            "told at once"
        );
        assert!(b.pbx.take(&Method::BYE).is_none(), "{how}");
        let (_, notify) = b.pbx.take(&Method::NOTIFY).unwrap();
        // Within the call nothing is taken any more.
        let info = b.in_dialog(&invite, "INFO", 9, "Content-Type: application/dtmf\n\n9");
        assert_eq!(refused(&b.say(&info)), [(481, "the call is over")]);
        match how {
            401 => {
                let challenge = (
                    "WWW-Authenticate",
                    "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
                );
                b.reply(&notify, 401, &[challenge]);
                let (_, second) = b.pbx.take(&Method::NOTIFY).unwrap();
                assert!(b.pbx.take(&Method::BYE).is_none());
                b.reply(&second, 200, &[]);
            }
            0 => {
                b.run(4_500);
                assert!(b.pbx.take(&Method::BYE).is_none());
                b.run(400);
            }
            status => drop(b.reply(&notify, status, &[])),
        }
        let (_, bye) = b.pbx.take(&Method::BYE).expect("the BYE");
        assert_eq!(bye.headers.get("Reason"), Some("Q.850;cause=16"));
        assert!(bye.cseq().unwrap().0 > notify.cseq().unwrap().0);
        b.reply(&bye, 200, &[]);
        b.run(40_000);
        assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
    }
    // The end of the program waits for nothing, nor does a peer that hangs up himself.
    for by_peer in [false, true] {
        let mut b = Bench::new();
        let (call, invite) = b.talk();
        refer(&mut b, &invite, 3, "Refer-To: <sip:1@a>");
        b.ua.accept_transfer(b.net.now, call);
        b.ua.transfer_progress(b.net.now, call, 200);
        if by_peer {
            b.ua.hang_up(b.net.now, call, None);
            b.run(5);
            let bye = b.in_dialog(&invite, "BYE", 9, "");
            b.say(&bye);
            assert_eq!(b.ua.call_count(), 0);
        } else {
            b.ua.shutdown(b.net.now);
            b.run(5);
            assert!(b.pbx.take(&Method::BYE).is_some());
        }
        b.run(70_000);
        assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
    }
}
