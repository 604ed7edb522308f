//! Reliable provisional responses to a caller's INVITE (RFC 3262).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

const OFFER: &str = "Content-Type: application/sdp\nContent-Length: 7\n\nv=0 his";
const NO_BODY: &str = "Content-Length: 0";

/// A call that comes in with these headers and is not answered yet.
fn called(extension: &str, body: &str) -> (Bench, CallId) {
    let mut b = Bench::new();
    let text = incoming_invite("in", &format!("{extension}\n{body}"));
    let text = text.trim_end_matches('\n').to_owned();
    let text = if body == NO_BODY { text + "\n\n" } else { text };
    let events = b.say(&text);
    let [UaEvent::Incoming { call, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    let call = *call;
    (b, call)
}

/// Responses of that status that the caller got, with the times of their arrival.
fn responses(b: &mut Bench, status: u16) -> Vec<(u64, Message)> {
    let inbox = std::mem::take(&mut b.pbx.inbox);
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    for (at, source, message) in inbox {
        match message.status() {
            Some(one) if one == status => found.push((at.as_millis() as u64, message)),
            _ => rest.push((at, source, message)),
        }
    }
    b.pbx.inbox = rest;
    found
}

fn rseq(response: &Message) -> u32 {
    response.headers.get("RSeq").unwrap().parse().unwrap()
}

/// A request of the caller in the dialog that `response` made.
fn request(response: &Message, method: &str, cseq: u32, more: &str) -> String {
    let (head, body) = more.split_once("\n\n").unwrap_or((more, ""));
    let head = if head.is_empty() {
        String::new()
    } else {
        format!("{head}\n")
    };
    format!(
        "{method} sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bK{method}{cseq}\n\
         Max-Forwards: 70\nFrom: {}\nTo: {}\nCall-ID: in\nCSeq: {cseq} {method}\n{head}\
         Content-Length: {}\n\n{body}",
        response.headers.get("From").unwrap(),
        response.headers.get("To").unwrap(),
        body.len(),
    )
}

fn prack(response: &Message, cseq: u32, more: &str) -> String {
    let rack = format!("RAck: {} 5 INVITE", rseq(response));
    request(response, "PRACK", cseq, &format!("{rack}{more}"))
}

#[test]
fn copies_double_until_prack_and_the_call_goes_on() {
    let (mut b, call) = called("Require: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    let begin = b.net.now.as_millis() as u64;
    b.run(8_000);
    let rung = responses(&mut b, 180);
    let times: Vec<u64> = rung.iter().map(|(at, _)| at - begin - 1).collect();
    assert_eq!(times, [0, 500, 1500, 3500, 7500]);
    let first = &rung[0].1;
    assert_eq!(first.headers.get("Require"), Some("100rel"));
    assert!((1..1 << 31).contains(&rseq(first)));
    assert!(rung.iter().all(|(_, copy)| copy == first));
    let text = prack(first, 6, "");
    assert_eq!(b.say(&text), []);
    assert_eq!(responses(&mut b, 200).len(), 1);
    // The same PRACK again gets the same answer; no copy of the 180 comes any more.
    b.say(&text);
    assert_eq!(responses(&mut b, 200).len(), 1);
    b.run(20_000);
    assert_eq!(responses(&mut b, 180).len(), 0);
    b.ua.answer(b.net.now, call, b"v=0 ours".to_vec());
    b.run(5);
    let ok = responses(&mut b, 200).remove(0).1;
    assert_eq!(ok.body, b"v=0 ours");
    let ack = request(&ok, "ACK", 5, "");
    assert_eq!(b.say(&ack), [UaEvent::Confirmed { call }]);
    // The numbers of PRACK count in the call.
    let old = request(&ok, "OPTIONS", 6, "");
    assert_eq!(
        refused(&b.say(&old)),
        [(500, "CSeq is lower than the last one")]
    );
    let bye = request(&ok, "BYE", 7, "");
    assert!(matches!(&b.say(&bye)[..], [UaEvent::Ended { .. }]));
    b.run(40_000);
    assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
}

#[test]
fn without_prack_the_call_is_refused_after_64_t1() {
    let (mut b, call) = called("Supported: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    let begin = b.net.now.as_millis() as u64;
    let events = b.run(31_900);
    assert_eq!(events, []);
    // 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s: doubled without the limit that a 2xx has.
    assert_eq!(responses(&mut b, 180).len(), 7);
    let events = b.run(200);
    let [UaEvent::Ended { cause, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((cause.status, cause.by), (Some(504), EndedBy::Timeout));
    let refusal = responses(&mut b, 504);
    assert_eq!(refusal[0].0 - begin - 1, 32_000);
    b.run(40_000);
    assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
    assert_eq!(b.ua.next_deadline(), None);
}

#[test]
fn who_cannot_or_by_setting_need_not_gets_plain_responses() {
    for (extension, on, reliable) in [
        ("Supported: timer", true, false),
        ("Supported: 100rel", false, false),
        ("Supported: timer, 100REL", true, true),
        ("Require: 100rel", false, true),
    ] {
        let (mut b, call) = called(extension, OFFER);
        b.ua.set_options(
            0,
            AccountOptions {
                reliable_provisionals: on,
                ..Default::default()
            },
        );
        b.ua.ring(b.net.now, call);
        b.run(5);
        let rung = responses(&mut b, 180).remove(0).1;
        let has = rung.headers.get("RSeq").is_some();
        assert_eq!(has, reliable, "{extension} {on}");
    }
}

#[test]
fn only_the_prack_of_the_waiting_response_counts() {
    let (mut b, call) = called("Require: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    b.run(5);
    let rung = responses(&mut b, 180).remove(0).1;
    let number = rseq(&rung);
    let mut cseq = 6;
    for rack in [
        format!("{} 5 INVITE", number + 1),
        format!("{number} 4 INVITE"),
        format!("{number} 5 UPDATE"),
        format!("{number} 5 INVITE x"),
        "x".to_owned(),
        String::new(),
    ] {
        let text = request(&rung, "PRACK", cseq, &format!("RAck: {rack}"));
        let why = "no provisional response waits for this PRACK";
        assert_eq!(refused(&b.say(&text)), [(481, why)], "{rack}");
        cseq += 1;
    }
    // Not in this dialog, and with a number that was used.
    let stranger = prack(&rung, cseq, "").replace("tag=f", "tag=g");
    assert_eq!(refused(&b.say(&stranger)), [(481, "the call is not up")]);
    let used = prack(&rung, 6, "").replace("PRACK6", "PRACKagain");
    let why = "CSeq is lower than the last one";
    assert_eq!(refused(&b.say(&used)), [(500, why)]);
    assert_eq!(b.say(&prack(&rung, cseq, "")), []);
    let twice = prack(&rung, cseq + 1, "");
    assert_eq!(refused(&b.say(&twice))[0].0, 481);
}

#[test]
fn the_next_response_waits_for_the_prack_of_the_first() {
    let (mut b, call) = called("Supported: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    b.ua.ring_with_media(b.net.now, call, b"v=0 early".to_vec());
    b.ua.ring(b.net.now, call);
    b.run(5);
    let first = responses(&mut b, 180).remove(0).1;
    assert_eq!(responses(&mut b, 183).len(), 0);
    b.say(&prack(&first, 6, ""));
    b.run(5);
    // The newest status, with the description that waited.
    let second = responses(&mut b, 180).remove(0).1;
    assert_eq!(rseq(&second), rseq(&first) + 1);
    assert_eq!(second.body, b"v=0 early");
    b.say(&prack(&second, 7, ""));
    b.ua.answer(b.net.now, call, b"v=0 late".to_vec());
    b.run(5);
    let ok = responses(&mut b, 200).pop().unwrap().1;
    assert_eq!(ok.body, b"", "the answer was given already");
}

#[test]
fn the_2xx_waits_for_the_prack_of_a_description() {
    let (mut b, call) = called("Require: 100rel", OFFER);
    b.ua.ring_with_media(b.net.now, call, b"v=0 early".to_vec());
    b.ua.answer(b.net.now, call, b"v=0 early".to_vec());
    b.run(1_000);
    assert_eq!(responses(&mut b, 200).len(), 0);
    let early = responses(&mut b, 183);
    assert_eq!(early.len(), 2);
    b.say(&prack(&early[0].1, 6, ""));
    let methods: Vec<_> = responses(&mut b, 200)
        .iter()
        .map(|(_, m)| m.cseq().unwrap().1)
        .collect();
    assert_eq!(methods, [Method::PRACK, Method::INVITE]);
    // Without a description nothing waits, and a PRACK after the 200 is still taken.
    let (mut b, call) = called("Require: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    b.ua.answer(b.net.now, call, b"v=0 ours".to_vec());
    b.run(5);
    let rung = responses(&mut b, 180).remove(0).1;
    let ok = responses(&mut b, 200).remove(0).1;
    b.say(&request(&ok, "ACK", 5, ""));
    b.say(&prack(&rung, 6, ""));
    assert_eq!(responses(&mut b, 200).len(), 1);
    b.run(10_000);
    assert_eq!(responses(&mut b, 180).len(), 0);
}

#[test]
fn an_offer_of_ours_is_answered_in_the_prack() {
    let (mut b, call) = called("Require: 100rel", NO_BODY);
    b.ua.ring_with_media(b.net.now, call, b"v=0 offer".to_vec());
    b.run(5);
    let early = responses(&mut b, 183).remove(0).1;
    assert_eq!(early.body, b"v=0 offer");
    let text = prack(
        &early,
        6,
        "\nContent-Type: application/sdp\n\nv=0 his answer",
    );
    let sdp = b"v=0 his answer".to_vec();
    assert_eq!(b.say(&text), [UaEvent::AckSdp { call, sdp }]);
    b.ua.answer(b.net.now, call, b"v=0 offer".to_vec());
    b.run(5);
    let ok = responses(&mut b, 200).pop().unwrap().1;
    assert_eq!(ok.body, b"");
    let ack = request(&ok, "ACK", 5, "");
    assert_eq!(b.say(&ack), [UaEvent::Confirmed { call }]);
    // A caller without reliable responses cannot be given an offer early.
    let (mut b, call) = called("Supported: timer", NO_BODY);
    b.ua.ring_with_media(b.net.now, call, b"v=0 offer".to_vec());
    b.ua.answer(b.net.now, call, b"v=0 offer".to_vec());
    b.run(5);
    assert_eq!(responses(&mut b, 183).remove(0).1.body, b"");
    assert_eq!(responses(&mut b, 200).remove(0).1.body, b"v=0 offer");
}

#[test]
fn a_prack_may_offer_and_an_update_too_before_the_answer() {
    let (mut b, call) = called("Supported: 100rel", OFFER);
    let body = "\nContent-Type: application/sdp\n\nv=0 new";
    b.ua.ring(b.net.now, call);
    b.run(5);
    let rung = responses(&mut b, 180).remove(0).1;
    // His first offer has no answer yet.
    let update = request(&rung, "UPDATE", 6, body.trim_start());
    assert_eq!(
        refused(&b.say(&update)),
        [(500, "an earlier offer is open")]
    );
    // Without a description UPDATE only renews the Contact.
    let update = request(
        &rung,
        "UPDATE",
        7,
        "Contact: <sip:400@127.0.0.1:5090>\nSession-Expires: 90\nSupported: timer",
    );
    assert_eq!(b.say(&update), []);
    let ok = responses(&mut b, 200).remove(0).1;
    assert!(ok.headers.get("Session-Expires").is_none());
    b.say(&prack(&rung, 8, ""));
    b.ua.ring_with_media(b.net.now, call, b"v=0 early".to_vec());
    b.run(5);
    responses(&mut b, 200);
    let early = responses(&mut b, 183).remove(0).1;
    for (cseq, method) in [(9, "PRACK"), (10, "UPDATE")] {
        let text = match method {
            "PRACK" => prack(&early, cseq, body),
            _ => request(&early, method, cseq, body.trim_start()),
        };
        let events = b.say(&text);
        let [UaEvent::Offer { offer, sdp, .. }] = &events[..] else {
            panic!("{method}: {events:?}")
        };
        assert_eq!(sdp, b"v=0 new");
        assert_eq!(responses(&mut b, 200).len(), 0);
        b.ua.answer_offer(b.net.now, call, *offer, b"v=0 ours".to_vec());
        b.run(5);
        let ok = responses(&mut b, 200).remove(0).1;
        assert_eq!(ok.body, b"v=0 ours");
        assert!(ok.headers.get("Session-Expires").is_none(), "{method}");
    }
    b.ua.answer(b.net.now, call, Vec::new());
    b.run(5);
    let ok = responses(&mut b, 200).remove(0).1;
    b.say(&request(&ok, "ACK", 5, ""));
    b.ua.hang_up(b.net.now, call, None);
    b.run(5);
    let bye = b.net.sent(addr(UA), "BYE").remove(0).1;
    assert_eq!(bye.request_uri(), Some("sip:400@127.0.0.1:5090"));
}

#[test]
fn cancel_bye_and_refusal_end_the_copies() {
    for what in 0..3 {
        let (mut b, call) = called("Require: 100rel", OFFER);
        b.ua.ring_with_media(b.net.now, call, b"v=0 early".to_vec());
        b.run(5);
        let early = responses(&mut b, 183).remove(0).1;
        // An offer that nobody has answered yet.
        let body = "\nContent-Type: application/sdp\n\nv=0 new";
        assert_eq!(b.say(&prack(&early, 6, body)).len(), 1);
        b.ua.ring(b.net.now, call);
        b.run(5);
        let rung = responses(&mut b, 180).remove(0).1;
        let ended = match what {
            0 => {
                let cancel = incoming_invite("in", NO_BODY)
                    .replacen("INVITE", "CANCEL", 1)
                    .replace("5 INVITE", "5 CANCEL");
                b.say(&cancel)
            }
            1 => b.say(&request(&rung, "BYE", 7, "")),
            _ => {
                b.ua.reject(b.net.now, call, 486, None);
                b.run(5)
            }
        };
        let over = |e: &UaEvent| matches!(e, UaEvent::Ended { .. });
        assert_eq!(ended.iter().filter(|e| over(e)).count(), 1, "{what}");
        let status = if what < 2 { 487 } else { 486 };
        let refusal = responses(&mut b, status);
        assert!(!refusal.is_empty(), "{what}");
        let ack = request(&rung, "ACK", 5, "").replace("z9hG4bKACK5", "z9hG4bKin");
        b.say(&ack);
        b.run(60_000);
        assert_eq!(responses(&mut b, 180).len(), 0, "{what}");
        assert_eq!((b.ua.call_count(), b.ua.transaction_count()), (0, 0));
        assert_eq!(b.ua.next_deadline(), None);
    }
}

#[test]
fn early_requests_open_nothing() {
    let (mut b, call) = called("Require: 100rel", OFFER);
    b.ua.ring(b.net.now, call);
    b.run(5);
    let rung = responses(&mut b, 180).remove(0).1;
    for (cseq, method) in [(6, "INFO"), (7, "REFER"), (8, "INVITE")] {
        let more = match method {
            "INFO" => "Content-Type: application/dtmf-relay\n\nSignal=9",
            "REFER" => "Refer-To: <sip:1@a>\nContact: <sip:400@127.0.0.1>",
            _ => "Contact: <sip:400@127.0.0.1>",
        };
        let events = b.say(&request(&rung, method, cseq, more));
        assert_eq!(refused(&events), [(481, "the call is not up")], "{method}");
        assert_eq!(events.len(), 1, "{method}");
    }
}
