//! A caller takes the place of the peer of a call of ours (RFC 3891).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

/// The Replaces value of the call that `invite` of ours made, `tag` being the peer's.
fn value(invite: &Message, tag: &str, more: &str) -> String {
    format!(
        "{};to-tag={};from-tag={tag}{more}",
        invite.call_id().unwrap(),
        invite.from_tag().unwrap()
    )
}

fn replaces(b: &mut Bench, value: &str) -> Vec<UaEvent> {
    let text = incoming_invite("rep", &format!("Require: replaces\nReplaces: {value}"));
    b.say(&text)
}

fn taken(events: &[UaEvent]) -> (CallId, Option<CallId>) {
    match events {
        [UaEvent::Incoming { call, replaces, .. }] => (*call, *replaces),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_that_is_up_is_named_and_both_end_as_they_should() {
    let mut b = Bench::new();
    let (old, invite) = b.talk();
    assert!(
        invite
            .headers
            .list("Supported")
            .any(|tag| tag == "replaces")
    );
    let (new, replaced) = taken(&replaces(&mut b, &value(&invite, "peer", "")));
    assert_eq!(replaced, Some(old));
    b.ua.answer(b.net.now, new, b"v=0 ours".to_vec());
    b.ua.hang_up(b.net.now, old, None);
    b.run(5);
    assert!(b.pbx.take_status(200).is_some());
    let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
    assert_eq!(bye.call_id(), invite.call_id());
    // The call is over: nobody else takes its place.
    let again = value(&invite, "peer", "");
    let text =
        incoming_invite("two", &format!("Replaces: {again}")).replace("Call-ID: in", "Call-ID: b");
    let over = "the call to be replaced is over";
    assert_eq!(refused(&b.say(&text)), [(603, over)]);
    b.reply(&bye, 200, &[]);
    let text = text
        .replace("z9hG4bKtwo", "z9hG4bKthree")
        .replace("Call-ID: b", "Call-ID: c");
    let unknown = "no such call to be replaced";
    assert_eq!(refused(&b.say(&text)), [(481, unknown)]);
}

#[test]
fn a_ringing_call_of_ours_can_be_picked_up_and_is_cancelled() {
    let mut b = Bench::new();
    let (old, invite) = b.invite();
    let wanted = value(&invite, "peer", ";early-only");
    assert_eq!(
        refused(&replaces(&mut b, &wanted)),
        [(481, "no such call to be replaced")],
        "nobody rings yet"
    );
    b.reply(&invite, 180, &[]);
    let text = incoming_invite("early", &format!("Replaces: {wanted}"));
    let text = text.replace("Call-ID: in", "Call-ID: early");
    let (new, replaced) = taken(&b.say(&text));
    assert_eq!(replaced, Some(old));
    b.ua.answer(b.net.now, new, b"v=0".to_vec());
    b.ua.hang_up(b.net.now, old, None);
    b.run(5);
    assert!(b.pbx.take(&Method::CANCEL).is_some());
}

#[test]
fn each_fault_has_its_status() {
    for (make, status) in [
        ("x", 400),
        ("x;to-tag=1", 400),
        ("x;to-tag=;from-tag=2", 400),
        ("x;to-tag=1;from-tag=2", 481),
    ] {
        let mut b = Bench::new();
        b.talk();
        assert_eq!(refused(&replaces(&mut b, make))[0].0, status, "{make}");
    }
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let early_only = value(&invite, "peer", ";early-only");
    assert_eq!(refused(&replaces(&mut b, &early_only))[0].0, 486);
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let foreign_tag = value(&invite, "else", "");
    assert_eq!(refused(&replaces(&mut b, &foreign_tag))[0].0, 481);
    for more in [
        "Replaces: a;to-tag=1;from-tag=2",
        "Join: a;to-tag=1;from-tag=2",
    ] {
        let mut b = Bench::new();
        let (_, invite) = b.talk();
        let two = format!("{}\n{more}", value(&invite, "peer", ""));
        assert_eq!(refused(&replaces(&mut b, &two))[0].0, 400, "{more}");
    }
    let mut b = Bench::new();
    let (_, invite) = b.talk();
    let text = b.in_dialog(&invite, "OPTIONS", 3, "Replaces: a;to-tag=1;from-tag=2");
    assert_eq!(refused(&b.say(&text))[0].0, 400);
}

#[test]
fn a_call_that_rings_here_is_not_taken_by_its_tags() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite("one", "Content-Length: 0"));
    let (call, _) = taken(&events);
    b.ua.ring(b.net.now, call);
    b.run(5);
    let rung = b.pbx.take_status(180).unwrap();
    let value = format!("in;to-tag={};from-tag=f", rung.to_tag().unwrap());
    let text = incoming_invite("two", &format!("Replaces: {value}"));
    let text = text.replace("Call-ID: in", "Call-ID: two");
    assert_eq!(
        refused(&b.say(&text)),
        [(481, "no such call to be replaced")]
    );
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn only_the_calls_own_peer_may_name_it() {
    let mut config = config_of(UA, PBX);
    config.accounts.push(config.accounts[0].clone());
    config.accounts[1].domain = STRANGER.into();
    let mut b = Bench::new();
    b.ua = UserAgent::new(config, seed(1));
    let (_, invite) = b.talk();
    let text = incoming_invite("rep", &format!("Replaces: {}", value(&invite, "peer", "")));
    let text = text.replace(PBX, STRANGER).replace('\n', "\r\n");
    b.stranger.outbox.push((addr(UA), text.into_bytes()));
    let why = "the call belongs to another peer";
    assert_eq!(refused(&b.run(5)), [(403, why)]);
    assert_eq!(b.ua.call_count(), 1);
}
