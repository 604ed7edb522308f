//! One user agent against a peer that says exactly what the test makes it say.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::net::SocketAddr;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

const UA: &str = "127.0.0.2:5060";
const PBX: &str = "127.0.0.1:5060";
const STRANGER: &str = "127.0.0.66:5060";

struct Bench {
    net: Network,
    ua: UserAgent,
    pbx: Script,
    stranger: Script,
}

impl Bench {
    fn new() -> Self {
        Self {
            net: Network::new(1),
            ua: agent(UA, PBX, false, 1),
            pbx: Script::default(),
            stranger: Script::default(),
        }
    }

    fn run(&mut self, for_ms: u64) -> Vec<UaEvent> {
        let end = self.net.now + ms(for_ms);
        let nodes: &mut [(SocketAddr, &mut dyn Node)] = &mut [
            (addr(UA), &mut self.ua),
            (addr(PBX), &mut self.pbx),
            (addr(STRANGER), &mut self.stranger),
        ];
        self.net.run(end, nodes);
        events(&mut self.ua)
    }

    fn say(&mut self, text: &str) -> Vec<UaEvent> {
        self.pbx
            .outbox
            .push((addr(UA), text.replace('\n', "\r\n").into_bytes()));
        self.run(5)
    }

    /// A calls out and gets the INVITE as the peer sees it.
    fn invite(&mut self) -> (CallId, Message) {
        let call = self.ua.invite(self.net.now, 0, call_to("400")).unwrap();
        self.run(5);
        (call, self.pbx.take(&Method::INVITE).unwrap().1)
    }

    fn reply(&mut self, request: &Message, status: u16, more: &[(&str, &str)]) -> Vec<UaEvent> {
        self.pbx.reply(request, addr(UA), status, more);
        self.run(5)
    }

    /// An answered outgoing call and its INVITE.
    fn talk(&mut self) -> (CallId, Message) {
        let (call, invite) = self.invite();
        self.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
        self.pbx.take(&Method::ACK).unwrap();
        (call, invite)
    }

    /// A request of the peer within the call of `invite`.
    fn in_dialog(&self, invite: &Message, method: &str, cseq: u32, more: &str) -> String {
        let body = more.split_once("\n\n").map_or(0, |(_, body)| body.len());
        let _ = body;
        let (head, body) = more.split_once("\n\n").unwrap_or((more, ""));
        let head = if head.is_empty() {
            String::new()
        } else {
            format!("{head}\n")
        };
        format!(
            "{method} sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{method}{cseq}\n\
             Max-Forwards: 70\nFrom: <sip:400@127.0.0.1>;tag=peer\nTo: {}\nCall-ID: {}\n\
             CSeq: {cseq} {method}\n{head}Content-Length: {}\n\n{body}",
            invite.headers.get("From").unwrap(),
            invite.call_id().unwrap(),
            body.len(),
        )
    }
}

fn incoming_invite(branch: &str, more: &str) -> String {
    format!(
        "INVITE sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{branch};rport\n\
         Max-Forwards: 70\nFrom: \"Concierge\" <sip:400@127.0.0.1>;tag=f\nTo: <sip:42@{UA}>\n\
         Call-ID: in\nCSeq: 5 INVITE\nContact: <sip:400@127.0.0.1:5060>\n{more}\n\n"
    )
}

fn refused(events: &[UaEvent]) -> Vec<(u16, &'static str)> {
    let pick = |e: &UaEvent| match e {
        UaEvent::Refused { status, why, .. } => Some((*status, *why)),
        _ => None,
    };
    events.iter().filter_map(pick).collect()
}

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
fn record_route_leads_requests_within_the_call() {
    let mut b = Bench::new();
    let (call, invite) = b.invite();
    let more = [
        ("Record-Route", "<sip:127.0.0.1:5060;lr>, <sip:10.0.0.1;lr>"),
        ("Contact", "<sip:400@10.0.0.7:5090>"),
    ];
    b.reply(&invite, 200, &more);
    b.ua.hang_up(b.net.now, call, None);
    b.run(5);
    // The route set of a caller is reversed: the last Record-Route is the nearest proxy.
    let sent = b.net.sent(addr(UA), "BYE");
    let bye = &sent[0].1;
    assert_eq!(bye.request_uri(), Some("sip:400@10.0.0.7:5090"));
    let routes: Vec<_> = bye.headers.all("Route").collect();
    assert_eq!(routes, ["<sip:10.0.0.1;lr>", "<sip:127.0.0.1:5060;lr>"]);
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
fn info_counts_once_per_cseq_and_gaps_are_legal() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    let info = |b: &Bench, cseq, media: &str| {
        b.in_dialog(
            &invite,
            "INFO",
            cseq,
            &format!("Content-Type: {media}\n\nSignal=9"),
        )
    };
    let text = info(&b, 10, "application/dtmf-relay");
    let events = b.say(&text);
    assert!(matches!(&events[..], [UaEvent::Info { call: c, .. }] if *c == call));
    assert_eq!(b.say(&text), [], "a retransmission");
    let other_way = text.replace("z9hG4bKINFO10", "z9hG4bKelse");
    assert_eq!(b.say(&other_way), [], "the same CSeq by another way");
    let text = info(&b, 14, "Application/DTMF ; a=b");
    assert!(
        matches!(&b.say(&text)[..], [UaEvent::Info { content_type, .. }] if content_type == "application/dtmf")
    );
    let text = info(&b, 12, "application/dtmf");
    assert_eq!(
        refused(&b.say(&text)),
        [(500, "CSeq is lower than the last one")]
    );
    let text = info(&b, 15, "text/plain");
    assert_eq!(refused(&b.say(&text)), [(415, "INFO body is no DTMF")]);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 200").len(), 4);
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
fn an_offerless_reinvite_gets_our_offer() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    let text = b.in_dialog(&invite, "INVITE", 3, "Contact: <sip:400@127.0.0.1:5060>");
    let events = b.say(&text);
    let [UaEvent::OfferlessReinvite { offer, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.answer_offer(b.net.now, call, offer, b"v=0 mine\r\n".to_vec());
    b.run(5);
    let ok = b.net.sent(addr(UA), "SIP/2.0 200").pop().unwrap().1;
    assert_eq!(ok.body, b"v=0 mine\r\n");
    let ack = b.in_dialog(
        &invite,
        "ACK",
        3,
        "Content-Type: application/sdp\n\nv=0 answer",
    );
    assert_eq!(
        b.say(&ack),
        [UaEvent::AckSdp {
            call,
            sdp: b"v=0 answer".to_vec()
        }]
    );
    b.run(10_000);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 200").len(), 1);
}

#[test]
fn a_second_reinvite_and_a_cancelled_one() {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    let sdp = "Contact: <sip:400@127.0.0.1:5060>\nContent-Type: application/sdp\n\nv=0";
    let first = b.in_dialog(&invite, "INVITE", 3, sdp);
    let events = b.say(&first);
    let [UaEvent::Offer { offer, .. }] = events[..] else {
        panic!("{events:?}")
    };
    let second = b.in_dialog(&invite, "INVITE", 4, sdp);
    assert_eq!(
        refused(&b.say(&second)),
        [(500, "an earlier offer is open")]
    );
    let cancel = first
        .replacen("INVITE", "CANCEL", 1)
        .replace("3 INVITE", "3 CANCEL");
    assert_eq!(b.say(&cancel), [UaEvent::OfferWithdrawn { call, offer }]);
    assert_eq!(b.net.sent(addr(UA), "SIP/2.0 487").len(), 1);
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn methods_that_are_not_taken_name_those_that_are() {
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    for (method, cseq, status) in [("REFER", 3, 603), ("MESSAGE", 4, 405), ("FOO", 5, 501)] {
        let text = b.in_dialog(&invite, method, cseq, "");
        assert_eq!(refused(&b.say(&text))[0].0, status);
        let answer = b.pbx.take_status(status).unwrap();
        assert_eq!(answer.headers.get("Allow").is_some(), status != 603);
    }
    let options = b.in_dialog(&invite, "OPTIONS", 6, "");
    assert_eq!(b.say(&options), []);
    assert!(
        b.pbx
            .take_status(200)
            .unwrap()
            .headers
            .get("Accept")
            .is_some()
    );
    let outside = |method: &str, more: &str| {
        incoming_invite("o", more)
            .replace("INVITE", method)
            .replace("Call-ID: in", "Call-ID: out")
    };
    for (method, more, status) in [
        ("SUBSCRIBE", "", 405),
        ("BAR", "", 501),
        ("BYE", "", 481),
        ("OPTIONS", "Require: 100rel, foo", 420),
    ] {
        b.say(&outside(method, more));
        let answer = b.pbx.take_status(status).unwrap();
        if status == 420 {
            assert_eq!(answer.headers.get("Unsupported"), Some("100rel, foo"));
        }
    }
    b.say(&outside("OPTIONS", "Max-Forwards-X: 1"));
    let ok = b.pbx.take_status(200).unwrap();
    assert!(ok.headers.get("Allow").unwrap().contains("INVITE"));
    assert!(ok.to_tag().is_some());
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
fn requests_within_a_call_are_authenticated_with_rising_nonce_count() {
    let mut b = Bench::new();
    let (call, _) = b.talk();
    let challenge = (
        "Proxy-Authenticate",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
    );
    b.ua.send_info(b.net.now, call, "application/dtmf", b"9")
        .unwrap();
    b.run(5);
    let (_, info) = b.pbx.take(&Method::INFO).unwrap();
    b.reply(&info, 407, &[challenge]);
    let (_, second) = b.pbx.take(&Method::INFO).unwrap();
    assert_eq!(second.cseq().unwrap().0, info.cseq().unwrap().0 + 1);
    assert_eq!(second.body, b"9");
    assert!(
        second
            .headers
            .get("Proxy-Authorization")
            .unwrap()
            .contains("nc=00000001")
    );
    b.reply(&second, 200, &[]);
    b.ua.hang_up(b.net.now, call, None);
    b.run(5);
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    assert_eq!(bye.cseq().unwrap().0, second.cseq().unwrap().0 + 1);
    b.reply(&bye, 407, &[challenge]);
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    assert!(
        bye.headers
            .get("Proxy-Authorization")
            .unwrap()
            .contains("nc=00000002")
    );
    b.reply(&bye, 200, &[]);
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
