//! Requests within a call: INFO, offers, challenges, methods that are refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::Method;
use trubka_sip::*;

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
    // Until the ACK brings the answer, the open offer is ours (RFC 3311 5.2).
    let glare = "Contact: <sip:400@127.0.0.1:5060>\nContent-Type: application/sdp\n\nv=0";
    let update = b.in_dialog(&invite, "UPDATE", 4, glare);
    let why = "an offer of ours is under way";
    assert_eq!(refused(&b.say(&update)), [(491, why)]);
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
    for (method, cseq, status) in [("REFER", 3, 400), ("MESSAGE", 4, 405), ("FOO", 5, 501)] {
        let text = b.in_dialog(&invite, method, cseq, "");
        assert_eq!(refused(&b.say(&text))[0].0, status);
        let answer = b.pbx.take_status(status).unwrap();
        assert_eq!(answer.headers.get("Allow").is_some(), status != 400);
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
        ("REFER", "Refer-To: <sip:9@a>", 603),
        ("BAR", "", 501),
        ("BYE", "", 481),
        ("OPTIONS", "Require: foo, 100rel, bar", 420),
    ] {
        b.say(&outside(method, more));
        let answer = b.pbx.take_status(status).unwrap();
        if status == 420 {
            assert_eq!(answer.headers.get("Unsupported"), Some("foo, bar"));
        }
    }
    b.say(&outside("OPTIONS", "Max-Forwards-X: 1"));
    let ok = b.pbx.take_status(200).unwrap();
    assert!(ok.headers.get("Allow").unwrap().contains("INVITE"));
    assert!(ok.to_tag().is_some());
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
