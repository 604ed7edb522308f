//! Reliable provisional responses to our INVITE (RFC 3262).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

/// A reliable 183 of the fork `tag` with SDP.
fn reliable(invite: &Message, tag: &str, rseq: &str) -> Vec<u8> {
    let mut response = Message::response_to(invite, 183, Some(tag));
    response.headers.push("Require", "100rel");
    response.headers.push("RSeq", rseq);
    response.headers.push("Contact", "<sip:400@127.0.0.1:5060>");
    response.set_body("application/sdp", b"v=0 early\r\n".to_vec());
    response.to_bytes()
}

fn send(b: &mut Bench, invite: &Message, tag: &str, rseq: &str) -> usize {
    b.pbx.outbox.push((addr(UA), reliable(invite, tag, rseq)));
    let is_183 = |e: &&UaEvent| matches!(e, UaEvent::Provisional { status: 183, .. });
    b.run(5).iter().filter(is_183).count()
}

fn pracks(b: &mut Bench) -> Vec<(String, u32)> {
    let next = || b.pbx.take(&Method::PRACK).map(|(_, m)| m);
    std::iter::from_fn(next)
        .map(|m| {
            (
                m.headers.get("RAck").unwrap().to_owned(),
                m.cseq().unwrap().0,
            )
        })
        .collect()
}

#[test]
fn reliable_responses_get_prack_in_order() {
    let mut b = Bench::new();
    let (call, invite) = b.invite();
    assert!(invite.headers.list("Supported").any(|tag| tag == "100rel"));
    assert_eq!(send(&mut b, &invite, "peer", "776655"), 1);
    let (_, prack) = b.pbx.take(&Method::PRACK).unwrap();
    assert_eq!(prack.headers.get("RAck"), Some("776655 1 INVITE"));
    assert_eq!(prack.request_uri(), Some("sip:400@127.0.0.1:5060"));
    assert_eq!(prack.to_tag().as_deref(), Some("peer"));
    assert_eq!(prack.call_id(), invite.call_id());
    assert_eq!(prack.cseq().unwrap().0, 2);
    b.reply(&prack, 200, &[]);
    assert_eq!(send(&mut b, &invite, "peer", "776656"), 1);
    assert_eq!(pracks(&mut b), [("776656 1 INVITE".to_owned(), 3)]);
    b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    let (_, ack) = b.pbx.take(&Method::ACK).unwrap();
    assert_eq!(ack.cseq().unwrap().0, 1);
    b.ua.hang_up(b.net.now, call, None);
    b.run(5);
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    assert_eq!(bye.cseq().unwrap().0, 4);
}

#[test]
fn copies_and_gaps_are_not_acknowledged() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    assert_eq!(send(&mut b, &invite, "peer", "1"), 1);
    assert_eq!(pracks(&mut b).len(), 1);
    for rseq in ["1", "0", "3", "4294967295"] {
        assert_eq!(send(&mut b, &invite, "peer", rseq), 0, "{rseq}");
        assert_eq!(pracks(&mut b), [], "{rseq}");
    }
    assert_eq!(send(&mut b, &invite, "peer", "2"), 1);
    assert_eq!(pracks(&mut b).len(), 1);
    // The last number there is cannot be followed.
    assert_eq!(send(&mut b, &invite, "end", "4294967295"), 1);
    assert_eq!(send(&mut b, &invite, "end", "0"), 0);
    // Without a readable RSeq it is an ordinary response.
    pracks(&mut b);
    for rseq in ["", "-1", "4294967296"] {
        assert_eq!(send(&mut b, &invite, "odd", rseq), 1, "{rseq}");
    }
    assert_eq!(pracks(&mut b), []);
}

#[test]
fn forks_have_their_own_order_and_a_limit() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    for fork in 0..20 {
        let taken = send(&mut b, &invite, &format!("fork{fork}"), "5");
        assert_eq!(taken, usize::from(fork < 8), "{fork}");
    }
    assert_eq!(pracks(&mut b).len(), 8);
    assert_eq!(send(&mut b, &invite, "fork3", "6"), 1);
    assert_eq!(pracks(&mut b), [("6 1 INVITE".to_owned(), 3)]);
}

#[test]
fn prack_is_retransmitted_and_authenticated() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    send(&mut b, &invite, "peer", "1");
    b.run(1_600);
    let (_, prack) = b.pbx.take(&Method::PRACK).unwrap();
    assert_eq!(pracks(&mut b).len(), 2);
    let challenge = (
        "WWW-Authenticate",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"",
    );
    b.reply(&prack, 401, &[challenge]);
    let (_, second) = b.pbx.take(&Method::PRACK).unwrap();
    assert!(second.headers.get("Authorization").is_some());
    assert_eq!(second.headers.get("RAck"), Some("1 1 INVITE"));
    assert_eq!(second.cseq().unwrap().0, 3);
    b.reply(&second, 200, &[]);
    b.run(10_000);
    assert_eq!(pracks(&mut b), []);
    // Nobody answers a PRACK: the call is not lost for that.
    send(&mut b, &invite, "peer", "2");
    assert_eq!(b.run(40_000), []);
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn without_an_offer_or_by_setting_nothing_is_announced() {
    let mut b = Bench::new();
    let call = OutgoingCall {
        target: "400".into(),
        ..Default::default()
    };
    b.ua.invite(b.net.now, 0, call).unwrap();
    b.ua.set_options(
        0,
        AccountOptions {
            reliable_provisionals: false,
            ..Default::default()
        },
    );
    b.ua.invite(b.net.now, 0, call_to("401")).unwrap();
    b.run(5);
    for _ in 0..2 {
        let (_, invite) = b.pbx.take(&Method::INVITE).unwrap();
        assert!(!invite.headers.list("Supported").any(|tag| tag == "100rel"));
    }
}

#[test]
fn the_answer_of_a_reliable_response_counts_when_the_2xx_has_none() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    send(&mut b, &invite, "other", "7");
    send(&mut b, &invite, "peer", "1");
    let events = b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    let [UaEvent::Answered { sdp, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(sdp.as_deref(), Some(&b"v=0 early\r\n"[..]));
    // What an unreliable response said may change in the 2xx, so that it does not count.
    let (_, invite) = b.invite();
    let mut early = Message::response_to(&invite, 183, Some("peer"));
    early.set_body("application/sdp", b"v=0 early\r\n".to_vec());
    b.pbx.outbox.push((addr(UA), early.to_bytes()));
    b.run(5);
    let events = b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    assert!(matches!(&events[..], [UaEvent::Answered { sdp: None, .. }]));
}

#[test]
fn an_update_in_an_early_dialog_is_answered() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let bare = b.in_dialog(&invite, "UPDATE", 3, "Contact: <sip:400@127.0.0.1:5077>");
    assert_eq!(refused(&b.say(&bare)), [(481, "the call is not up")]);
    send(&mut b, &invite, "peer", "1");
    let bare = b.in_dialog(&invite, "UPDATE", 4, "Contact: <sip:400@127.0.0.1:5077>");
    assert_eq!(b.say(&bare), []);
    assert!(b.pbx.take_status(200).is_some());
    let offer = b.in_dialog(&invite, "UPDATE", 5, "Content-Type: application/sdp\n\nv=0");
    let why = "the INVITE is not answered yet";
    assert_eq!(refused(&b.say(&offer)), [(491, why)]);
    let old = b.in_dialog(&invite, "UPDATE", 4, "Contact: <sip:400@127.0.0.1>");
    let old = old.replace("UPDATE4", "UPDATEagain");
    assert_eq!(refused(&b.say(&old))[0].0, 500);
    // The numbers count on in the call.
    b.reply(&invite, 200, &[("Contact", "<sip:400@127.0.0.1:5060>")]);
    let used = b.in_dialog(&invite, "OPTIONS", 5, "");
    assert_eq!(refused(&b.say(&used))[0].0, 500);
    let next = b.in_dialog(&invite, "OPTIONS", 6, "");
    assert_eq!(b.say(&next), []);
}

/// 183 of the fork `tag` with a description, not reliable; how many descriptions were told.
fn describes(b: &mut Bench, invite: &Message, tag: &str, sdp: &str) -> usize {
    let mut response = Message::response_to(invite, 183, Some(tag));
    response.set_body("application/sdp", sdp.as_bytes().to_vec());
    b.pbx.outbox.push((addr(UA), response.to_bytes()));
    let told = |e: &&UaEvent| matches!(e, UaEvent::Provisional { sdp: Some(_), .. });
    b.run(5).iter().filter(told).count()
}

#[test]
fn a_description_is_told_when_it_is_news_and_not_without_end() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    assert_eq!(describes(&mut b, &invite, "a", "v=0 a\r\n"), 1);
    assert_eq!(describes(&mut b, &invite, "b", "v=0 b\r\n"), 1);
    // 18x is repeated each minute; that is no reason to go back to the first phone.
    assert_eq!(describes(&mut b, &invite, "a", "v=0 a\r\n"), 0);
    assert_eq!(describes(&mut b, &invite, "a", "v=0 other\r\n"), 1);
    assert_eq!(send(&mut b, &invite, "c", "5"), 1);
    // Eight phones at most, and sixteen descriptions of them all.
    let more = (0..20).map(|n| describes(&mut b, &invite, &format!("fork{n}"), "v=0 x\r\n"));
    assert_eq!(more.sum::<usize>(), 5);
    let more = (0..20).map(|n| describes(&mut b, &invite, "a", &format!("v=0 {n}\r\n")));
    assert_eq!(more.sum::<usize>(), 16 - 9);
    // The answer counts in any case.
    let mut ok = Message::response_to(&invite, 200, Some("fork19"));
    ok.headers.push("Contact", "<sip:400@127.0.0.1:5060>");
    ok.set_body("application/sdp", b"v=0 x\r\n".to_vec());
    b.pbx.outbox.push((addr(UA), ok.to_bytes()));
    let answered = |e: &&UaEvent| matches!(e, UaEvent::Answered { sdp: Some(_), .. });
    assert_eq!(b.run(5).iter().filter(answered).count(), 1);
}
