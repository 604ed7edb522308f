//! Every timer and retransmission of RFC 3261, 6026, 3262 and 4028 by the clock, a row each; the table is
//! that of docs/reference/sip.md. Over UDP: over streams there are no copies, see `streams`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

struct Row {
    section: &'static str,
    what: &'static str,
    /// Milliseconds from what sets the timer.
    at: &'static [u64],
    measure: fn() -> Vec<u64>,
}

/// Copies of an INVITE, of a request, of a response to INVITE, of a reliable response.
const A: &[u64] = &[500, 1_500, 3_500, 7_500, 15_500, 31_500];
const E: &[u64] = &[
    500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
];

const TABLE: &[Row] = &[
    Row {
        section: "3261 17.1.1.2",
        what: "A: copies of INVITE",
        at: A,
        measure: || {
            copies("INVITE", |b| {
                drop(b.ua.invite(b.net.now, 0, call_to("400")))
            })
        },
    },
    Row {
        section: "3261 17.1.1.2",
        what: "B: INVITE given up",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            b.ua.invite(b.net.now, 0, call_to("400")).unwrap();
            vec![until(&mut b, |b, _| b.ua.call_count() == 0)]
        },
    },
    Row {
        section: "3261 16.6",
        what: "C: a proxy's alone; an INVITE that rings is not given up in ten minutes",
        at: &[],
        measure: || {
            let mut b = Bench::new();
            let (_, invite) = b.invite();
            b.reply(&invite, 180, &[]);
            assert_eq!(b.run(600_000), []);
            assert_eq!(b.ua.call_count(), 1);
            copies_sent(&b, "INVITE")
        },
    },
    Row {
        section: "3261 17.1.1.2",
        what: "D: a refused INVITE acknowledges copies of the refusal",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            let (_, invite) = b.invite();
            b.reply(&invite, 486, &[]);
            b.run(31_000);
            b.reply(&invite, 486, &[]);
            assert_eq!(b.net.sent(addr(UA), "ACK").len(), 2);
            vec![31_005 + 4 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "3261 17.1.2.2",
        what: "E: copies of other requests",
        at: E,
        measure: || copies("BYE", hang_up),
    },
    Row {
        section: "3261 17.1.2.2",
        what: "F: other requests given up",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            hang_up(&mut b);
            vec![until(&mut b, |b, _| b.ua.call_count() == 0)]
        },
    },
    Row {
        section: "3261 17.2.1",
        what: "G: copies of a refusal of INVITE",
        at: E,
        measure: || copies("SIP/2.0 486", refuse),
    },
    Row {
        section: "3261 17.2.1",
        what: "H: ACK of a refusal no longer waited for",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            refuse(&mut b);
            vec![until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "3261 17.2.1",
        what: "I: copies of that ACK absorbed",
        at: &[5_000],
        measure: || {
            let mut b = Bench::new();
            refuse(&mut b);
            b.run(5);
            let refusal = b.pbx.take_status(486).unwrap();
            let ack = incoming_invite("in", "Content-Length: 0")
                .replacen("INVITE", "ACK", 1)
                .replace("5 INVITE", "5 ACK")
                .replace(
                    &format!("To: <sip:42@{UA}>"),
                    &format!("To: {}", refusal.headers.get("To").unwrap()),
                );
            b.say(&ack);
            vec![4 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "3261 17.2.2",
        what: "J: copies of other requests get the answer again",
        at: &[32_000],
        measure: || {
            let (mut b, _, invite) = old_call();
            let text = b.in_dialog(&invite, "OPTIONS", 9, "");
            b.say(&text);
            b.run(31_000);
            b.say(&text);
            assert_eq!(b.net.sent(addr(UA), "SIP/2.0 200").len(), 2);
            vec![31_005 + 4 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "3261 17.1.2.2",
        what: "K: copies of answers to other requests absorbed",
        at: &[5_000],
        measure: || {
            let (mut b, call, _) = old_call();
            b.ua.send_info(b.net.now, call, "application/dtmf", b"1")
                .unwrap();
            b.run(5);
            let (_, info) = b.pbx.take(&Method::INFO).unwrap();
            b.reply(&info, 200, &[]);
            vec![4 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "6026 8.7",
        what: "L: copies of an answered INVITE absorbed",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            let ok = answer(&mut b);
            let ack = incoming_invite("ack", "Content-Length: 0")
                .replacen("INVITE", "ACK", 1)
                .replace("5 INVITE", "5 ACK")
                .replace(
                    &format!("To: <sip:42@{UA}>"),
                    &format!("To: {}", ok.headers.get("To").unwrap()),
                );
            let copy = incoming_invite("in", "Content-Length: 0");
            assert!(matches!(&b.say(&ack)[..], [UaEvent::Confirmed { .. }]));
            b.run(31_000);
            assert_eq!(b.say(&copy), []);
            assert_eq!(b.net.sent(addr(UA), "SIP/2.0 200").len(), 1);
            vec![31_015 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "6026 8.4",
        what: "M: copies of the 2xx to our INVITE acknowledged",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            let (_, invite) = b.invite();
            let contact = [("Contact", "<sip:400@127.0.0.1:5060>")];
            b.reply(&invite, 200, &contact);
            b.run(31_000);
            b.reply(&invite, 200, &contact);
            assert_eq!(b.net.sent(addr(UA), "ACK").len(), 2);
            vec![31_005 + 4 + until(&mut b, |b, _| b.ua.transaction_count() == 0)]
        },
    },
    Row {
        section: "3261 13.3.1.4",
        what: "copies of a 2xx without ACK",
        at: E,
        measure: || {
            copies("SIP/2.0 200", |b| {
                answer_now(b);
            })
        },
    },
    Row {
        section: "3261 13.3.1.4",
        what: "BYE when no ACK came",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            answer_now(&mut b);
            vec![until(&mut b, |b, _| {
                !b.net.sent(addr(UA), "BYE").is_empty()
            })]
        },
    },
    Row {
        section: "3261 13.3.1.1",
        what: "180 repeated, and the call refused at last",
        at: &[
            60_000, 120_000, 180_000, 240_000, 300_000, 360_000, 420_000, 480_000, 540_000, 600_000,
        ],
        measure: || {
            let mut b = Bench::new();
            let begin = b.net.now;
            let call = called(&mut b, "Content-Length: 0");
            b.ua.ring(b.net.now, call);
            b.run(700_000);
            let mut at = b.net.sent(addr(UA), "SIP/2.0 180");
            at.remove(0);
            at.truncate(9);
            at.extend(b.net.sent(addr(UA), "SIP/2.0 480").into_iter().take(1));
            // The INVITE came a millisecond later.
            at.iter()
                .map(|(at, _)| (*at - begin).as_millis() as u64 - 1)
                .collect()
        },
    },
    Row {
        section: "3261 9.1",
        what: "a CANCEL without effect ends the INVITE",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            let (call, invite) = b.invite();
            b.reply(&invite, 180, &[]);
            b.ua.hang_up(b.net.now, call, None);
            vec![until(&mut b, |b, _| b.ua.call_count() == 0)]
        },
    },
    Row {
        section: "3261 14.1",
        what: "a re-INVITE without final response ends the call",
        at: &[32_000],
        measure: || {
            let (mut b, call, _) = old_call();
            b.ua.reinvite(b.net.now, call, b"v=0".to_vec()).unwrap();
            b.run(5);
            let (_, invite) = b.pbx.take(&Method::INVITE).unwrap();
            b.reply(&invite, 100, &[]);
            let gone =
                |_: &Bench, e: &[UaEvent]| e.iter().any(|e| matches!(e, UaEvent::Ended { .. }));
            vec![4 + until(&mut b, gone)]
        },
    },
    Row {
        section: "3262 3",
        what: "copies of a reliable provisional response",
        at: A,
        measure: || copies("SIP/2.0 180", ring_reliably),
    },
    Row {
        section: "3262 3",
        what: "504 when no PRACK came",
        at: &[32_000],
        measure: || {
            let mut b = Bench::new();
            ring_reliably(&mut b);
            vec![until(&mut b, |b, _| {
                !b.net.sent(addr(UA), "SIP/2.0 504").is_empty()
            })]
        },
    },
    Row {
        section: "3262 4",
        what: "copies of PRACK",
        at: E,
        measure: || {
            copies("PRACK", |b| {
                let (_, invite) = b.invite();
                let more = [
                    ("Require", "100rel"),
                    ("RSeq", "1"),
                    ("Contact", "<sip:400@127.0.0.1:5060>"),
                ];
                b.reply(&invite, 183, &more);
            })
        },
    },
    Row {
        section: "4028 10",
        what: "refresh at half of 1800 s",
        at: &[900_000],
        measure: || {
            let mut b = timed_call("1800;refresher=uac");
            vec![4 + until(&mut b, |b, _| !b.net.sent(addr(UA), "UPDATE").is_empty())]
        },
    },
    Row {
        section: "4028 10",
        what: "BYE when the peer does not refresh 1800 s, 32 s before their end",
        at: &[1_768_000],
        measure: || unrefreshed("1800;refresher=uas"),
    },
    Row {
        section: "4028 10",
        what: "BYE when the peer does not refresh 90 s, a third before their end",
        at: &[60_000],
        measure: || unrefreshed("90;refresher=uas"),
    },
];

/// Runs millisecond by millisecond until something is so; how long that took.
fn until(b: &mut Bench, so: impl Fn(&Bench, &[UaEvent]) -> bool) -> u64 {
    let begin = b.net.now;
    loop {
        let events = b.run(1);
        let passed = (b.net.now - begin).as_millis() as u64;
        if so(b, &events) {
            return passed;
        }
        // Where nothing is due a leap costs less.
        let due = b.ua.next_deadline().map(|at| at.saturating_sub(b.net.now));
        if let Some(leap) = due.filter(|leap| *leap > ms(20)) {
            b.run(leap.as_millis() as u64 - 10);
        }
        assert!(passed < 2_000_000, "it never came");
    }
}

/// Times of the copies of a message after its first sending.
fn copies_sent(b: &Bench, start: &str) -> Vec<u64> {
    let sent = b.net.sent(addr(UA), start);
    let first = sent[0].0;
    let same = |m: &Message| m.headers.get("CSeq") == sent[0].1.headers.get("CSeq");
    let copies = sent.iter().skip(1).filter(|(_, m)| same(m));
    copies
        .map(|(at, _)| (*at - first).as_millis() as u64)
        .collect()
}

fn copies(start: &str, begin: impl Fn(&mut Bench)) -> Vec<u64> {
    let mut b = Bench::new();
    begin(&mut b);
    b.run(40_000);
    copies_sent(&b, start)
}

/// A call whose INVITE transaction is long over.
fn old_call() -> (Bench, CallId, Message) {
    let mut b = Bench::new();
    let (call, invite) = b.talk();
    b.run(40_000);
    assert_eq!(b.ua.transaction_count(), 0);
    (b, call, invite)
}

fn hang_up(b: &mut Bench) {
    let (call, _) = b.talk();
    b.ua.hang_up(b.net.now, call, None);
}

fn called(b: &mut Bench, headers: &str) -> CallId {
    match &b.say(&incoming_invite("in", headers))[..] {
        [UaEvent::Incoming { call, .. }] => *call,
        other => panic!("{other:?}"),
    }
}

fn refuse(b: &mut Bench) {
    let call = called(b, "Content-Length: 0");
    b.ua.reject(b.net.now, call, 486, None);
}

fn answer_now(b: &mut Bench) -> CallId {
    let call = called(b, "Content-Length: 0");
    b.ua.answer(b.net.now, call, b"v=0".to_vec());
    call
}

fn answer(b: &mut Bench) -> Message {
    answer_now(b);
    b.run(5);
    b.pbx.take_status(200).unwrap()
}

fn ring_reliably(b: &mut Bench) {
    let call = called(b, "Require: 100rel");
    b.ua.ring(b.net.now, call);
}

/// A call that was just answered with this Session-Expires.
fn timed_call(expires: &str) -> Bench {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    let more = [
        ("Contact", "<sip:400@127.0.0.1:5060>"),
        ("Allow", "INVITE, ACK, BYE, UPDATE"),
        ("Session-Expires", expires),
    ];
    b.reply(&invite, 200, &more);
    b
}

fn unrefreshed(expires: &str) -> Vec<u64> {
    let mut b = timed_call(expires);
    vec![4 + until(&mut b, |b, _| !b.net.sent(addr(UA), "BYE").is_empty())]
}

fn shown(at: &[u64]) -> String {
    let one = |ms: &u64| match ms % 1000 {
        0 => format!("{}", ms / 1000),
        rest => format!("{}.{}", ms / 1000, rest / 100),
    };
    at.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn line(row: &Row) -> String {
    let at = match row.at {
        [] => String::new(),
        at => format!(": {} s", shown(at)),
    };
    let (section, what) = (row.section, row.what);
    format!("| {section} | {what}{at} | `timers::every_timer_has_its_value` |")
}

#[test]
fn every_timer_has_its_value() {
    for row in TABLE {
        assert_eq!((row.measure)(), row.at, "{} {}", row.section, row.what);
    }
}

#[test]
fn the_reference_shows_every_timer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/sip.md");
    let document = std::fs::read_to_string(path).unwrap();
    let missing: Vec<String> = TABLE
        .iter()
        .map(line)
        .filter(|line| !document.contains(line))
        .collect();
    assert!(missing.is_empty(), "not there:\n{}", missing.join("\n"));
}

#[test]
fn after_491_the_owner_of_the_call_id_waits_longer() {
    for (outgoing, least, most) in [(true, 2_100, 4_000), (false, 0, 2_000)] {
        let mut waits = Vec::new();
        for number in 0..200 {
            let mut b = Bench::new();
            b.ua = agent(UA, PBX, false, number);
            let call = if outgoing {
                b.talk().0
            } else {
                let ok = answer(&mut b);
                let ack = incoming_invite("ack", "Content-Length: 0")
                    .replacen("INVITE", "ACK", 1)
                    .replace("5 INVITE", "5 ACK")
                    .replace(
                        &format!("To: <sip:42@{UA}>"),
                        &format!("To: {}", ok.headers.get("To").unwrap()),
                    );
                match &b.say(&ack)[..] {
                    [UaEvent::Confirmed { call }] => *call,
                    other => panic!("{other:?}"),
                }
            };
            b.ua.reinvite(b.net.now, call, b"v=0 new".to_vec()).unwrap();
            b.run(5);
            let (_, first) = b.pbx.take(&Method::INVITE).unwrap();
            b.pbx.reply(&first, addr(UA), 491, &[]);
            let at = b.net.now + ms(1);
            b.run(5_000);
            let later = |m: &Message| m.cseq().unwrap().0 > first.cseq().unwrap().0;
            let mut sent = b.net.sent(addr(UA), "INVITE").into_iter();
            let again = sent.find(|(_, m)| later(m)).unwrap();
            waits.push((again.0 - at).as_millis() as u64);
        }
        let (low, high) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
        assert!(low >= least && high <= most, "{outgoing}: {low} {high}");
        // And they are spread over all of it.
        let width = most - least;
        assert!(
            low < least + width / 10 && high > most - width / 10,
            "{low} {high}"
        );
    }
}
