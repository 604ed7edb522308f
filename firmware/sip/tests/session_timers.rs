//! Session timers (RFC 4028) in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::*;
use common::*;
use trubka_sip::message::{Message, Method};
use trubka_sip::*;

const CONTACT: (&str, &str) = ("Contact", "<sip:400@127.0.0.1:5060>");
const ALLOW: (&str, &str) = ("Allow", "INVITE, ACK, BYE, UPDATE");

fn options(session_expires_s: u32, session_refresher: SessionRefresher) -> AccountOptions {
    AccountOptions {
        session_expires_s,
        session_refresher,
        ..Default::default()
    }
}

fn bench(session_expires_s: u32, refresher: SessionRefresher) -> Bench {
    let mut b = Bench::new();
    b.ua.set_options(0, options(session_expires_s, refresher));
    b
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.headers.get(name)
}

/// A call of ours that the peer answers with these headers; its INVITE.
fn talk(b: &mut Bench, more: &[(&str, &str)]) -> (CallId, Message) {
    let (call, invite) = b.invite();
    let mut headers = vec![CONTACT];
    headers.extend(more);
    headers.push(("Content-Type", "application/sdp"));
    let events = b.reply(&invite, 200, &headers);
    assert!(
        matches!(events[..], [UaEvent::Answered { .. }]),
        "{events:?}"
    );
    b.pbx.take(&Method::ACK).unwrap();
    (call, invite)
}

/// A call of the peer with these headers; our 200.
fn called(b: &mut Bench, more: &str) -> (CallId, Message) {
    let events = b.say(&incoming_invite("1", more));
    let [UaEvent::Incoming { call, .. }] = events[..] else {
        panic!("{events:?}")
    };
    b.ua.answer(b.net.now, call, b"v=0 ours\r\n".to_vec());
    b.run(5);
    let ok = b.pbx.take_status(200).unwrap();
    let to = ok.headers.get("To").unwrap().to_owned();
    b.say(&format!(
        "ACK sip:42@{UA} SIP/2.0\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKack\nMax-Forwards: 70\n\
         From: <sip:400@127.0.0.1>;tag=f\nTo: {to}\nCall-ID: in\nCSeq: 5 ACK\nContent-Length: 0\n\n"
    ));
    (call, ok)
}

#[test]
fn our_invite_asks_for_the_set_interval() {
    let mut b = Bench::new();
    let (_, invite) = b.invite();
    assert_eq!(header(&invite, "Session-Expires"), Some("1800"));
    assert_eq!(
        header(&invite, "Supported").map(|s| s.contains("timer")),
        Some(true)
    );
    for (set, refresher, expected) in [
        (90, SessionRefresher::Local, Some("90;refresher=uac")),
        (7200, SessionRefresher::Remote, Some("7200;refresher=uas")),
        (1, SessionRefresher::Any, Some("90")),
        (100_000, SessionRefresher::Any, Some("7200")),
        (0, SessionRefresher::Local, None),
    ] {
        let (_, invite) = bench(set, refresher).invite();
        assert_eq!(header(&invite, "Session-Expires"), expected);
        let timer = header(&invite, "Supported").is_some_and(|s| s.contains("timer"));
        assert_eq!(timer, expected.is_some());
    }
}

#[test]
fn we_refresh_by_update_at_half_time_for_ever() {
    let mut b = bench(600, SessionRefresher::Local);
    let answer = [ALLOW, ("Session-Expires", "600;refresher=uac")];
    let (_, invite) = talk(&mut b, &answer);
    for _ in 0..20 {
        let start = b.net.now;
        assert_eq!(b.run(299_000), []);
        assert!(b.pbx.take(&Method::UPDATE).is_none());
        assert_eq!(b.run(1_010), []);
        let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
        assert!(update.body.is_empty() && update.content_type().is_none());
        assert_eq!(update.call_id(), invite.call_id());
        assert_eq!(
            header(&update, "Session-Expires"),
            Some("600;refresher=uac")
        );
        assert_eq!(b.reply(&update, 200, &answer), []);
        assert!(b.net.now - start < secs(301));
    }
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn a_peer_without_update_is_refreshed_by_reinvite_with_the_same_sdp() {
    let mut b = bench(90, SessionRefresher::Local);
    let (call, invite) = talk(&mut b, &[("Session-Expires", "90;refresher=uac")]);
    b.run(45_000);
    let (_, reinvite) = b.pbx.take(&Method::INVITE).unwrap();
    assert_eq!(reinvite.body, invite.body);
    assert!(reinvite.to_tag().is_some());
    // The answer is the old one: nobody has to know.
    let again = [CONTACT, ("Session-Expires", "90;refresher=uac")];
    assert_eq!(b.reply(&reinvite, 200, &again), []);
    assert!(b.pbx.take(&Method::ACK).is_some());
    // An answer that moved the peer's media is told.
    b.run(45_000);
    let (_, reinvite) = b.pbx.take(&Method::INVITE).unwrap();
    let mut moved = Message::response_to(&reinvite, 200, None);
    moved.headers.push("Session-Expires", "90;refresher=uac");
    moved.set_body("application/sdp", b"v=0 moved\r\n".to_vec());
    b.pbx.outbox.push((addr(UA), moved.to_bytes()));
    let sdp = Some(b"v=0 moved\r\n".to_vec());
    assert_eq!(b.run(5), [UaEvent::OfferAccepted { call, sdp }]);
}

#[test]
fn a_refused_update_is_followed_by_a_reinvite() {
    let mut b = bench(90, SessionRefresher::Local);
    talk(&mut b, &[ALLOW, ("Session-Expires", "90;refresher=uac")]);
    b.run(45_000);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    assert_eq!(b.reply(&update, 405, &[]), []);
    let (_, reinvite) = b.pbx.take(&Method::INVITE).unwrap();
    let ok = [CONTACT, ("Session-Expires", "90;refresher=uac")];
    assert_eq!(b.reply(&reinvite, 200, &ok), []);
    b.run(45_000);
    assert!(b.pbx.take(&Method::UPDATE).is_none());
    assert!(b.pbx.take(&Method::INVITE).is_some());
}

#[test]
fn a_failed_refresh_is_tried_again_and_a_lost_dialog_ends() {
    let mut b = bench(600, SessionRefresher::Local);
    talk(&mut b, &[ALLOW, ("Session-Expires", "600;refresher=uac")]);
    b.run(300_000);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    assert_eq!(b.reply(&update, 503, &[]), []);
    b.run(140_000);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    let events = b.reply(&update, 481, &[]);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.status == Some(481)));
    assert!(b.pbx.take(&Method::BYE).is_some());
}

#[test]
fn a_peer_that_stops_refreshing_gets_bye_before_expiry() {
    // Expiry minus the smaller of 32 s and a third.
    for (interval, end_s) in [(600_u64, 568_u64), (90, 60)] {
        let mut b = bench(interval as u32, SessionRefresher::Remote);
        let expires = format!("{interval};refresher=uas");
        talk(&mut b, &[ALLOW, ("Session-Expires", &expires)]);
        assert_eq!(b.run(end_s * 1000 - 100), []);
        assert!(b.pbx.take(&Method::UPDATE).is_none());
        let events = b.run(200);
        let [UaEvent::Ended { cause, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((cause.status, cause.by), (Some(408), EndedBy::Timeout));
        let (_, bye) = b.pbx.take(&Method::BYE).unwrap();
        assert!(header(&bye, "Reason").unwrap().contains("408"));
        b.reply(&bye, 200, &[]);
        assert_eq!(b.ua.call_count(), 0);
        b.run(40_000);
        assert_eq!((b.ua.transaction_count(), b.ua.next_deadline()), (0, None));
    }
}

#[test]
fn a_refresh_of_the_peer_moves_the_end() {
    let mut b = bench(90, SessionRefresher::Remote);
    let (_, invite) = talk(&mut b, &[ALLOW, ("Session-Expires", "90;refresher=uas")]);
    for cseq in 1..10 {
        assert_eq!(b.run(45_000), []);
        let more = "Supported: timer\nSession-Expires: 90;refresher=uac";
        assert_eq!(b.say(&b.in_dialog(&invite, "UPDATE", cseq, more)), []);
        let ok = b.pbx.take_status(200).unwrap();
        assert_eq!(header(&ok, "Session-Expires"), Some("90;refresher=uac"));
        assert_eq!(header(&ok, "Require"), Some("timer"));
    }
    assert!(matches!(b.run(60_000)[..], [UaEvent::Ended { .. }]));
}

#[test]
fn a_peer_without_timers_has_none() {
    let mut b = Bench::new();
    talk(&mut b, &[ALLOW]);
    assert_eq!(b.run(10 * 3600 * 1000), []);
    assert!(b.pbx.take(&Method::UPDATE).is_none());
    let mut b = Bench::new();
    let (_, ok) = called(&mut b, "");
    assert_eq!(header(&ok, "Session-Expires"), None);
    assert_eq!(b.run(3 * 3600 * 1000), [] as [UaEvent; 0]);
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn a_422_raises_the_interval_a_few_times() {
    let mut b = bench(90, SessionRefresher::Any);
    let (_, invite) = b.invite();
    let mut last = invite.clone();
    for (least, cseq) in [("120", 2), ("300", 3), ("900", 4)] {
        assert_eq!(b.reply(&last, 422, &[("Min-SE", least)]), []);
        let (_, next) = b.pbx.take(&Method::INVITE).unwrap();
        assert_eq!(header(&next, "Session-Expires"), Some(least));
        assert_eq!(header(&next, "Min-SE"), Some(least));
        assert_eq!(next.cseq().unwrap().0, cseq);
        assert_eq!(next.call_id(), invite.call_id());
        assert_eq!(next.body, invite.body);
        last = next;
    }
    let events = b.reply(&last, 422, &[("Min-SE", "1800")]);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.status == Some(422)));
    // Nor is a 422 obeyed that names nothing, or less than before.
    for least in ["", "x", "0", "4294967296", "99999999"] {
        let mut b = bench(90, SessionRefresher::Any);
        let (_, invite) = b.invite();
        let events = b.reply(&invite, 422, &[("Min-SE", least)]);
        assert!(matches!(events[..], [UaEvent::Ended { .. }]), "{least}");
    }
}

#[test]
fn a_422_to_a_refresh_raises_the_interval_too() {
    let mut b = bench(90, SessionRefresher::Local);
    talk(&mut b, &[ALLOW, ("Session-Expires", "90;refresher=uac")]);
    b.run(45_000);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    assert_eq!(b.reply(&update, 422, &[("Min-SE", "200")]), []);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    assert_eq!(
        header(&update, "Session-Expires"),
        Some("200;refresher=uac")
    );
    assert_eq!(header(&update, "Min-SE"), Some("200"));
    b.reply(&update, 200, &[("Session-Expires", "200;refresher=uac")]);
    assert_eq!(b.run(99_000), []);
    assert!(b.pbx.take(&Method::UPDATE).is_none());
    b.run(1_100);
    assert!(b.pbx.take(&Method::UPDATE).is_some());
}

#[test]
fn our_answer_follows_the_table_of_rfc_4028_9() {
    use SessionRefresher::{Any, Local, Remote};
    let timer = "Supported: timer";
    for (ours, choice, asked, expected, requires) in [
        (1800, Any, timer, Some("1800;refresher=uac"), true),
        (1800, Local, timer, Some("1800;refresher=uas"), false),
        (1800, Remote, timer, Some("1800;refresher=uac"), true),
        (
            1800,
            Any,
            "Supported: timer\nSession-Expires: 600",
            Some("600;refresher=uac"),
            true,
        ),
        (
            300,
            Any,
            "k: timer\nx: 600",
            Some("300;refresher=uac"),
            true,
        ),
        (
            300,
            Any,
            "k: timer\nx: 600\nMin-SE: 400",
            Some("400;refresher=uac"),
            true,
        ),
        (
            1800,
            Remote,
            "k: timer\nx: 600;refresher=uas",
            Some("600;refresher=uas"),
            false,
        ),
        (
            1800,
            Local,
            "k: timer\nx: 600;refresher=uac",
            Some("600;refresher=uac"),
            true,
        ),
        // A proxy asked, the caller knows nothing of timers.
        (
            1800,
            Any,
            "Session-Expires: 600",
            Some("600;refresher=uas"),
            false,
        ),
        (
            1800,
            Any,
            "Session-Expires: 60",
            Some("90;refresher=uas"),
            false,
        ),
        (
            1800,
            Any,
            "Require: timer\nx: 600",
            Some("600;refresher=uac"),
            true,
        ),
        (
            1800,
            Any,
            "k: timer\nSession-Expires: rubbish",
            Some("1800;refresher=uac"),
            true,
        ),
        (0, Any, "k: timer\nx: 600", None, false),
    ] {
        let mut b = bench(ours, choice);
        let (_, ok) = called(&mut b, asked);
        assert_eq!(header(&ok, "Session-Expires"), expected, "{asked}");
        assert_eq!(header(&ok, "Require") == Some("timer"), requires, "{asked}");
    }
}

#[test]
fn too_short_an_interval_gets_422() {
    let mut b = Bench::new();
    let events = b.say(&incoming_invite(
        "1",
        "Supported: timer\nSession-Expires: 60",
    ));
    assert_eq!(refused(&events), [(422, "session interval too small")]);
    let no = b.pbx.take_status(422).unwrap();
    assert_eq!(header(&no, "Min-SE"), Some("90"));
    assert_eq!(b.ua.call_count(), 0);
    // The same within a call, which goes on.
    let (_, invite) = b.talk();
    for (cseq, method) in [(1, "UPDATE"), (2, "INVITE")] {
        let more = "Contact: <sip:400@127.0.0.1:5060>\nSupported: timer\nSession-Expires: 89";
        let events = b.say(&b.in_dialog(&invite, method, cseq, more));
        assert_eq!(refused(&events), [(422, "session interval too small")]);
        let no = b.pbx.take_status(422).unwrap();
        assert_eq!(header(&no, "Min-SE"), Some("90"));
    }
    assert_eq!(b.ua.call_count(), 1);
}

#[test]
fn a_called_party_refreshes_and_ends_as_well() {
    let mut b = bench(90, SessionRefresher::Local);
    called(&mut b, "Supported: timer\nAllow: UPDATE");
    b.run(45_000);
    let (_, update) = b.pbx.take(&Method::UPDATE).unwrap();
    assert_eq!(header(&update, "Session-Expires"), Some("90;refresher=uac"));
    // Nobody answers: the dialog is gone.
    let events = b.run(33_000);
    assert!(matches!(&events[..], [UaEvent::Ended { cause, .. }] if cause.by == EndedBy::Timeout));
}

#[test]
fn an_absurd_answer_does_not_make_a_flood() {
    for expires in [
        "0;refresher=uac",
        "1;refresher=uac",
        "4294967295",
        "-1",
        ";",
    ] {
        let mut b = Bench::new();
        talk(&mut b, &[ALLOW, ("Session-Expires", expires)]);
        let before = b.net.log.len();
        b.run(9_900);
        assert_eq!(b.net.log.len(), before, "{expires}");
    }
}

/// Two user agents in a call with 90 s timers on a network that loses datagrams; `a` called.
struct Pair {
    net: Network,
    a: UserAgent,
    b: UserAgent,
}

impl Pair {
    const A: &str = "127.0.0.2:5060";
    const B: &str = "127.0.0.3:5060";

    fn talk(number: u64, refreshers: [SessionRefresher; 2]) -> (Self, CallId, CallId) {
        let mut pair = Self {
            net: Network::new(number),
            a: agent(Self::A, Self::B, false, number),
            b: agent(Self::B, Self::A, false, number + 1_000),
        };
        pair.a.set_options(0, options(90, refreshers[0]));
        pair.b.set_options(0, options(90, refreshers[1]));
        let call = pair.a.invite(pair.net.now, 0, call_to("42")).unwrap();
        let (_, b) = pair.run(10);
        let [UaEvent::Incoming { call: incoming, .. }] = b[..] else {
            panic!("{b:?}")
        };
        pair.b.answer(pair.net.now, incoming, b"v=0 b\r\n".to_vec());
        pair.run(10);
        (pair, call, incoming)
    }

    fn run(&mut self, for_ms: u64) -> (Vec<UaEvent>, Vec<UaEvent>) {
        let end = self.net.now + ms(for_ms);
        let nodes: &mut [(_, &mut dyn Node)] =
            &mut [(addr(Self::A), &mut self.a), (addr(Self::B), &mut self.b)];
        self.net.run(end, nodes);
        (events(&mut self.a), events(&mut self.b))
    }
}

#[test]
fn calls_last_on_a_lossy_network_and_end_on_a_dead_one() {
    use SessionRefresher::{Any, Local, Remote};
    let choices = [Any, Local, Remote];
    for number in 0..90 {
        let pair = [
            choices[number as usize % 3],
            choices[number as usize / 3 % 3],
        ];
        let (mut p, call, incoming) = Pair::talk(number, pair);
        p.net.loss_percent = 5;
        p.net.duplicate_percent = 10;
        p.net.delay_ms = (1, 600);
        // Offers of both sides in between, so that refreshes meet them.
        for round in 0..600 {
            if round % 70 == 0 {
                let _ = p.a.reinvite(p.net.now, call, b"v=0 a2\r\n".to_vec());
            }
            if round % 50 == 0 {
                let _ = p.b.update(p.net.now, incoming, b"v=0 b2\r\n".to_vec());
            }
            let (a, b) = p.run(2_000);
            for event in a.iter().chain(&b) {
                assert!(
                    !matches!(event, UaEvent::Ended { .. }),
                    "{number}: {event:?}"
                );
            }
            let now = p.net.now;
            for event in a {
                if let UaEvent::Offer { call, offer, .. } = event {
                    p.a.answer_offer(now, call, offer, b"v=0 a\r\n".to_vec());
                }
            }
            for event in b {
                if let UaEvent::Offer { call, offer, .. } = event {
                    p.b.answer_offer(now, call, offer, b"v=0 b\r\n".to_vec());
                }
            }
        }
        p.net.loss_percent = 100;
        let (a, b) = p.run(100_000);
        for events in [a, b] {
            let ended = events
                .iter()
                .filter(|e| matches!(e, UaEvent::Ended { .. }))
                .count();
            assert_eq!(ended, 1, "seed {number}: {events:?}");
        }
        p.run(100_000);
        for ua in [&p.a, &p.b] {
            assert_eq!(
                (ua.call_count(), ua.transaction_count()),
                (0, 0),
                "seed {number}"
            );
            assert_eq!(ua.next_deadline(), None, "seed {number}");
        }
    }
}
