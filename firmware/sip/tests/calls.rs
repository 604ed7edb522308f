//! Calls between two user agents on a good network.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use trubka_sip::*;

const A: &str = "127.0.0.2:5060";
const B: &str = "127.0.0.3:5060";

struct Pair {
    net: Network,
    a: UserAgent,
    b: UserAgent,
}

impl Pair {
    fn new() -> Self {
        // Each is the other's PBX, so both are trusted.
        let (a, b) = (agent(A, B, false, 1), agent(B, A, false, 2));
        Self {
            net: Network::new(1),
            a,
            b,
        }
    }

    fn run(&mut self, for_ms: u64) -> (Vec<UaEvent>, Vec<UaEvent>) {
        let end = self.net.now + ms(for_ms);
        self.net
            .run(end, &mut [(addr(A), &mut self.a), (addr(B), &mut self.b)]);
        (events(&mut self.a), events(&mut self.b))
    }

    /// A calls B, B rings and answers.
    fn talk() -> (Self, CallId, CallId) {
        let mut pair = Self::new();
        let call = pair.a.invite(pair.net.now, 0, call_to("42")).unwrap();
        let (_, b) = pair.run(10);
        let incoming = incoming(&b);
        pair.b.answer(pair.net.now, incoming, b"v=0 b\r\n".to_vec());
        let (a, b) = pair.run(10);
        assert!(matches!(a[0], UaEvent::Answered { .. }), "{a:?}");
        assert_eq!(b, [UaEvent::Confirmed { call: incoming }]);
        (pair, call, incoming)
    }

    fn assert_clean(&mut self) {
        self.run(70_000);
        assert_eq!((self.a.call_count(), self.b.call_count()), (0, 0));
        assert_eq!(
            (self.a.transaction_count(), self.b.transaction_count()),
            (0, 0)
        );
    }
}

fn incoming(events: &[UaEvent]) -> CallId {
    match events {
        [UaEvent::Incoming { call, .. }] => *call,
        other => panic!("{other:?}"),
    }
}

fn ended(events: &[UaEvent]) -> (Option<u16>, EndedBy) {
    match events {
        [UaEvent::Ended { cause, .. }] => (cause.status, cause.by),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ring_answer_talk_hang_up() {
    let mut pair = Pair::new();
    let call = pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (_, b) = pair.run(10);
    let UaEvent::Incoming {
        call: at_b,
        account,
        accounts: _,
        from,
        asserted,
        to_user,
        request_user,
        source,
        sdp,
        replaces: None,
    } = &b[0]
    else {
        panic!("{b:?}")
    };
    assert_eq!(account, &Some(0));
    assert_eq!(asserted, &None);
    assert_eq!(
        (from.uri.as_str(), from.user.as_str()),
        ("sip:42@127.0.0.3", "42")
    );
    assert_eq!((to_user.as_str(), request_user.as_str()), ("42", "42"));
    assert_eq!(*source, addr(A));
    assert_eq!(sdp.as_deref(), Some(&b"v=0\r\n"[..]));
    pair.b.ring(pair.net.now, *at_b);
    let (a, _) = pair.run(10);
    assert_eq!(
        a,
        [UaEvent::Provisional {
            call,
            status: 180,
            sdp: None
        }]
    );
    pair.b.answer(pair.net.now, *at_b, b"v=0 b\r\n".to_vec());
    let (a, b) = pair.run(10);
    let UaEvent::Answered { sdp, .. } = &a[0] else {
        panic!("{a:?}")
    };
    assert_eq!(sdp.as_deref(), Some(&b"v=0 b\r\n"[..]));
    assert_eq!(b, [UaEvent::Confirmed { call: *at_b }]);
    pair.a.hang_up(
        pair.net.now,
        call,
        Some("Q.850;cause=16;text=\"door opened\""),
    );
    let (a, b) = pair.run(10);
    assert_eq!(ended(&a), (None, EndedBy::Local));
    assert_eq!(ended(&b), (None, EndedBy::Remote));
    let UaEvent::Ended { cause, .. } = &b[0] else {
        unreachable!()
    };
    assert_eq!(cause.reason, "door opened");
    pair.assert_clean();
}

#[test]
fn the_called_side_hangs_up() {
    let (mut pair, _, at_b) = Pair::talk();
    pair.b.hang_up(pair.net.now, at_b, None);
    let (a, b) = pair.run(10);
    assert_eq!(
        (ended(&a).1, ended(&b).1),
        (EndedBy::Remote, EndedBy::Local)
    );
    pair.assert_clean();
}

#[test]
fn cancel_while_ringing_gives_487() {
    let mut pair = Pair::new();
    let call = pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (_, b) = pair.run(10);
    pair.b.ring(pair.net.now, incoming(&b));
    pair.run(10);
    pair.a.hang_up(pair.net.now, call, None);
    let (a, b) = pair.run(10);
    assert_eq!(ended(&a), (Some(487), EndedBy::Local));
    assert_eq!(ended(&b), (Some(487), EndedBy::Remote));
    assert_eq!(pair.net.sent(addr(A), "CANCEL").len(), 1);
    assert_eq!(pair.net.sent(addr(B), "SIP/2.0 487").len(), 1);
    pair.assert_clean();
}

#[test]
fn cancel_crossing_200_is_followed_by_ack_and_bye() {
    let mut pair = Pair::new();
    let call = pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (_, b) = pair.run(10);
    let now = pair.net.now;
    pair.b.answer(now, incoming(&b), b"v=0\r\n".to_vec());
    pair.a.hang_up(now, call, None);
    let (a, b) = pair.run(20);
    assert_eq!(ended(&a).1, EndedBy::Local);
    assert_eq!(b.len(), 2, "{b:?}");
    assert!(matches!(b[1], UaEvent::Ended { .. }));
    assert_eq!(pair.net.sent(addr(A), "ACK").len(), 1);
    assert_eq!(pair.net.sent(addr(A), "BYE").len(), 1);
    pair.assert_clean();
}

#[test]
fn bye_crossing_bye() {
    let (mut pair, at_a, at_b) = Pair::talk();
    let now = pair.net.now;
    pair.a.hang_up(now, at_a, None);
    pair.b.hang_up(now, at_b, None);
    let (a, b) = pair.run(10);
    assert_eq!((ended(&a).1, ended(&b).1), (EndedBy::Local, EndedBy::Local));
    assert_eq!((pair.a.call_count(), pair.b.call_count()), (0, 0));
    pair.assert_clean();
}

#[test]
fn rejections_carry_status_and_reason() {
    let mut pair = Pair::new();
    pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (_, b) = pair.run(10);
    pair.b.reject(
        pair.net.now,
        incoming(&b),
        486,
        Some("Q.850;cause=17;text=\"in a call\""),
    );
    let (a, b) = pair.run(10);
    assert_eq!(ended(&b), (Some(486), EndedBy::Local));
    let UaEvent::Ended { cause, .. } = &a[0] else {
        panic!("{a:?}")
    };
    assert_eq!(
        (cause.status, cause.reason.as_str()),
        (Some(486), "in a call")
    );
    pair.assert_clean();
}

#[test]
fn no_answer_at_all_is_a_timeout_after_32_s() {
    let mut pair = Pair::new();
    pair.net.loss_percent = 100;
    pair.a.invite(ms(0), 0, call_to("42")).unwrap();
    let (a, _) = pair.run(31_999);
    assert_eq!(a, []);
    let (a, _) = pair.run(1);
    assert_eq!(ended(&a), (Some(408), EndedBy::Timeout));
    pair.assert_clean();
}

#[test]
fn reinvite_glare_is_solved_with_491() {
    let (mut pair, at_a, at_b) = Pair::talk();
    let now = pair.net.now;
    pair.a.reinvite(now, at_a, b"v=0 a2\r\n".to_vec()).unwrap();
    pair.b.reinvite(now, at_b, b"v=0 b2\r\n".to_vec()).unwrap();
    let mut accepted = 0;
    for _ in 0..10_000 {
        let (a, b) = pair.run(1);
        for (ua, events) in [(&mut pair.a, a), (&mut pair.b, b)] {
            for event in events {
                match event {
                    UaEvent::Offer { call, offer, .. } => {
                        ua.answer_offer(pair.net.now, call, offer, b"v=0 ok\r\n".to_vec());
                    }
                    UaEvent::OfferAccepted { .. } => accepted += 1,
                    UaEvent::Refused { status: 491, .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    assert_eq!(pair.net.sent(addr(A), "SIP/2.0 491").len(), 1);
    assert_eq!(pair.net.sent(addr(B), "SIP/2.0 491").len(), 1);
    assert_eq!(accepted, 2);
    pair.a.hang_up(pair.net.now, at_a, None);
    pair.assert_clean();
}

#[test]
fn update_and_refused_offers_leave_the_call_up() {
    let (mut pair, at_a, _) = Pair::talk();
    pair.a
        .update(pair.net.now, at_a, b"v=0 u\r\n".to_vec())
        .unwrap();
    let (_, b) = pair.run(10);
    let UaEvent::Offer { call, offer, sdp } = &b[0] else {
        panic!("{b:?}")
    };
    assert_eq!(sdp, b"v=0 u\r\n");
    pair.b.reject_offer(pair.net.now, *call, *offer, 488);
    let (a, _) = pair.run(10);
    assert_eq!(
        a,
        [UaEvent::OfferRejected {
            call: at_a,
            status: 488
        }]
    );
    pair.a
        .reinvite(pair.net.now, at_a, b"v=0 r\r\n".to_vec())
        .unwrap();
    let (_, b) = pair.run(10);
    let UaEvent::Offer { call, offer, .. } = &b[0] else {
        panic!("{b:?}")
    };
    pair.b.reject_offer(pair.net.now, *call, *offer, 488);
    let (a, _) = pair.run(10);
    assert_eq!(
        a,
        [UaEvent::OfferRejected {
            call: at_a,
            status: 488
        }]
    );
    pair.a.hang_up(pair.net.now, at_a, None);
    pair.assert_clean();
}

#[test]
fn info_goes_both_ways() {
    let (mut pair, at_a, at_b) = Pair::talk();
    let body = b"Signal=9\r\nDuration=160\r\n";
    pair.b
        .send_info(
            pair.net.now,
            at_b,
            "Application/DTMF-Relay; charset=x",
            body,
        )
        .unwrap();
    let (a, _) = pair.run(10);
    let expected = UaEvent::Info {
        call: at_a,
        source: addr(B),
        content_type: "application/dtmf-relay".into(),
        body: body.to_vec(),
    };
    assert_eq!(a, [expected]);
    pair.a.hang_up(pair.net.now, at_a, None);
    pair.assert_clean();
}

#[test]
fn an_invite_without_sdp_gets_our_offer_and_its_answer_in_the_ack_is_not_required() {
    let mut pair = Pair::new();
    let request = OutgoingCall {
        target: "42".into(),
        ..Default::default()
    };
    let call = pair.a.invite(ms(0), 0, request).unwrap();
    let (_, b) = pair.run(10);
    let UaEvent::Incoming {
        sdp: None,
        call: at_b,
        ..
    } = &b[0]
    else {
        panic!("{b:?}")
    };
    pair.b
        .answer(pair.net.now, *at_b, b"v=0 offer\r\n".to_vec());
    let (a, b) = pair.run(10);
    assert!(matches!(&a[0], UaEvent::Answered { sdp: Some(_), .. }));
    assert_eq!(b, [UaEvent::Confirmed { call: *at_b }]);
    pair.a.hang_up(pair.net.now, call, None);
    pair.assert_clean();
}

#[test]
fn shutdown_ends_everything() {
    let (mut pair, _, _) = Pair::talk();
    pair.a.shutdown(pair.net.now);
    let (a, b) = pair.run(10);
    assert_eq!(
        (ended(&a).1, ended(&b).1),
        (EndedBy::Local, EndedBy::Remote)
    );
    assert!(pair.a.is_idle());
    assert!(pair.a.invite(pair.net.now, 0, call_to("42")).is_err());
    pair.assert_clean();
}

#[test]
fn bad_targets_are_refused_with_a_hint() {
    let mut ua = agent(A, B, false, 1);
    for target in [
        "",
        "a b",
        "tel:1",
        "sip:",
        "sip:a@b?x=y",
        "sip:a@b\r\nRoute: x",
    ] {
        let error = ua.invite(ms(0), 0, call_to(target)).unwrap_err();
        assert_eq!(error.kind, UaErrorKind::BadTarget, "{target}");
        assert!(error.hint.contains("sip:400@host"));
    }
    assert_eq!(
        ua.invite(ms(0), 7, call_to("1")).unwrap_err().kind,
        UaErrorKind::NoAccount
    );
}

#[test]
fn addresses_of_a_redirection_are_told_by_their_q() {
    use common::bench::Bench;
    let contact =
        "<sip:1@a>;q=0.1, \"x, y\" <sip:2@b;transport=tcp>;q=0.9, sip:3@c, <sip:4@d>;q=zz";
    for (status, told) in [
        (
            302,
            &["sip:3@c", "sip:4@d", "sip:2@b;transport=tcp", "sip:1@a"][..],
        ),
        (
            300,
            &["sip:3@c", "sip:4@d", "sip:2@b;transport=tcp", "sip:1@a"],
        ),
        (305, &[]),
        (380, &[]),
        (486, &[]),
    ] {
        let mut b = Bench::new();
        let (_, invite) = b.invite();
        let events = b.reply(&invite, status, &[("Contact", contact)]);
        let [UaEvent::Ended { cause, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(cause.contacts, told, "{status}");
    }
}

#[test]
fn an_asserted_identity_counts_from_the_pbx_only() {
    use common::bench::{Bench, STRANGER, UA, incoming_invite};
    let identity = "P-Asserted-Identity: <tel:+49>, \"Flat\" <sip:200@127.0.0.1>";
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("a", identity));
    let [
        UaEvent::Incoming {
            asserted: Some(party),
            from,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (party.uri.as_str(), from.user.as_str()),
        ("sip:200@127.0.0.1", "400")
    );
    // A listed address that is not the PBX of an account may call, but asserts nothing.
    let mut b = Bench::new();
    let mut config = config_of(UA, "127.0.0.1:5060");
    config.allowed_sources = SourcePolicy::AccountsAnd(vec![addr(STRANGER).ip()]);
    b.ua = UserAgent::new(config, seed(1));
    let text = incoming_invite("b", identity).replace('\n', "\r\n");
    b.stranger.outbox.push((addr(UA), text.into_bytes()));
    let events = b.run(5);
    assert!(
        matches!(&events[..], [UaEvent::Incoming { asserted: None, .. }]),
        "{events:?}"
    );
}

#[test]
fn who_is_called_past_the_pbx_gets_our_own_address_and_the_pbx_its_domain() {
    let config = || {
        config_with(
            "127.0.0.2:5070",
            Account {
                registrar: Some(addr("127.0.0.1:5061")),
                ..Account::new("42", "pbx.example", "secret")
            },
        )
    };
    let pbx = ("pbx.example", "127.0.0.1:5061");
    for (target, (domain, to)) in [
        ("400", pbx),
        ("sip:400@pbx.example", pbx),
        // The PBX by its address is the PBX, whatever port it has.
        ("sip:400@127.0.0.1", pbx),
        ("sip:400@127.0.0.1:5061", pbx),
        ("sip:400@127.0.0.1:5080", ("127.0.0.2", "127.0.0.1:5080")),
        ("sip:400@127.0.0.9", ("127.0.0.2", "127.0.0.9:5060")),
    ] {
        let mut ua = UserAgent::new(config(), seed(1));
        assert_eq!(ua.goes_direct(0, target), domain == "127.0.0.2", "{target}");
        let call = OutgoingCall {
            target: target.into(),
            ..Default::default()
        };
        ua.invite(ms(0), 0, call).unwrap();
        let sent = ua.poll_transmit().unwrap();
        let invite = trubka_sip::message::read(&sent.payload).unwrap();
        assert_eq!(invite.from().unwrap().uri, format!("sip:42@{domain}"));
        assert_eq!(sent.destination, addr(to), "{target}");
    }
}
