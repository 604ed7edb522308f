//! An account with two registrar addresses: over to the second and back (RFC 3263 4.3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::time::Duration;
use trubka_sip::message::{Message, Method, read};
use trubka_sip::*;

const UA: &str = "127.0.0.2:5060";
const A: &str = "127.0.0.1:5060";
const B: &str = "127.0.0.7:5060";

fn switched(address: &str) -> UaEvent {
    UaEvent::RegistrarSwitched {
        account: 0,
        address: addr(address),
    }
}

fn two(register: bool) -> UserAgent {
    let mut ua = agent(UA, A, register, 1);
    ua.set_registrars(Duration::ZERO, 0, &[addr(A), addr(B)]);
    assert!(ua.poll_transmit().is_none());
    ua
}

/// Two registrars on a network.
struct Pair {
    net: Network,
    ua: UserAgent,
    a: Registrar,
    b: Registrar,
}

impl Pair {
    fn new(number: u64) -> Self {
        Self {
            net: Network::new(number),
            ua: two(true),
            a: Registrar::new(),
            b: Registrar::new(),
        }
    }

    fn run(&mut self, until: Duration) -> Vec<UaEvent> {
        let nodes: &mut [(_, &mut dyn Node)] = &mut [
            (addr(UA), &mut self.ua),
            (addr(A), &mut self.a),
            (addr(B), &mut self.b),
        ];
        self.net.run(until, nodes);
        events(&mut self.ua)
    }

    fn is_registered(&self) -> bool {
        matches!(
            self.ua.registration(0),
            RegistrationState::Registered { .. }
        )
    }
}

fn failures(events: &[UaEvent]) -> usize {
    let failed = |e: &&UaEvent| {
        matches!(
            e,
            UaEvent::Registration {
                state: RegistrationState::Failed { .. },
                ..
            }
        )
    };
    events.iter().filter(failed).count()
}

#[test]
fn registration_moves_to_the_second_address_and_back() {
    let mut p = Pair::new(1);
    p.a.down = true;
    p.ua.start(Duration::ZERO);
    let events = p.run(ms(3_100));
    assert_eq!(failures(&events), 0);
    assert!(p.is_registered());
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    assert_eq!((p.a.accepted.len(), p.b.accepted.len()), (0, 1));
    // While the first is down it is asked every half minute, and nothing else changes.
    let before = p.net.log.len();
    let events = p.run(secs(150));
    assert_eq!(events, []);
    let asked = p.net.log[before..].iter().filter(|m| m.2 == addr(A));
    let options = asked.filter(|m| m.3.starts_with(b"OPTIONS")).count();
    assert!((9..=18).contains(&options), "{options}");
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    p.a.down = false;
    let events = p.run(secs(190));
    assert_eq!(failures(&events), 0);
    assert_eq!(p.ua.active_registrar(0), Some(addr(A)));
    assert_eq!(p.a.accepted.len(), 1);
    assert!(p.is_registered());
}

#[test]
fn a_503_moves_at_once_and_a_403_does_not() {
    for (status, moves) in [(503, true), (403, false), (500, false)] {
        let mut p = Pair::new(1);
        p.a.status = Some(status);
        p.ua.start(Duration::ZERO);
        p.run(ms(20));
        assert_eq!(p.is_registered(), moves, "{status}");
        let expected = if moves { B } else { A };
        assert_eq!(p.ua.active_registrar(0), Some(addr(expected)), "{status}");
    }
}

#[test]
fn an_outage_of_all_is_told_and_ends_with_the_first_that_returns() {
    for first in [A, B] {
        let mut p = Pair::new(1);
        (p.a.down, p.b.down) = (true, true);
        p.ua.start(Duration::ZERO);
        assert!(failures(&p.run(secs(300))) > 0);
        assert!(!p.is_registered());
        for registrar in [A, B] {
            let there = p.net.log.iter().filter(|m| m.2 == addr(registrar));
            assert!(there.count() > 3, "{registrar}");
        }
        match first {
            A => p.a.down = false,
            _ => p.b.down = false,
        }
        p.run(secs(700));
        assert!(p.is_registered(), "{first}");
        assert_eq!(p.ua.active_registrar(0), Some(addr(first)));
    }
}

#[test]
fn an_outage_at_refresh_keeps_the_account_registered() {
    let mut p = Pair::new(1);
    p.ua.start(Duration::ZERO);
    p.run(secs(1));
    assert_eq!(p.ua.active_registrar(0), Some(addr(A)));
    p.a.down = true;
    let events = p.run(secs(300));
    assert_eq!(failures(&events), 0);
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    assert!(p.is_registered());
}

#[test]
fn lost_probes_move_the_account() {
    let mut account = Account::new("42", A, "secret");
    account.register = false;
    account.keepalive_s = 10;
    let config = UaConfig {
        local: addr(UA),
        advertised: None,
        user_agent: "test".into(),
        accounts: vec![account],
        allowed_sources: SourcePolicy::AccountsOnly,
    };
    let mut p = Pair::new(1);
    p.ua = UserAgent::new(config, seed(1));
    p.ua.set_registrars(Duration::ZERO, 0, &[addr(A), addr(B)]);
    p.a.down = true;
    p.ua.start(Duration::ZERO);
    let events = p.run(secs(45));
    assert_eq!(events, [switched(B)]);
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    p.b.down = true;
    let events = p.run(secs(200));
    assert!(events.contains(&UaEvent::PeerUnreachable { account: 0 }));
}

#[test]
fn random_outages_and_loss_never_leave_the_account_stuck() {
    for number in 0..100 {
        let mut p = Pair::new(number);
        p.net.loss_percent = 30;
        p.net.duplicate_percent = 10;
        p.net.delay_ms = (1, 400);
        p.ua.start(Duration::ZERO);
        let mut now = Duration::ZERO;
        for _ in 0..20 {
            now += secs(u64::from(5 + p.net.below(60)));
            (p.a.down, p.b.down) = (p.net.below(2) == 0, p.net.below(2) == 0);
            p.run(now);
        }
        (p.a.down, p.b.down, p.net.loss_percent) = (false, false, 0);
        p.run(now + secs(400));
        assert!(p.is_registered(), "seed {number}");
        assert_eq!(p.ua.active_registrar(0), Some(addr(A)), "seed {number}");
        p.ua.shutdown(p.net.now);
        p.run(now + secs(500));
        assert_eq!((p.ua.transaction_count(), p.ua.next_deadline()), (0, None));
    }
}

fn sent(ua: &mut UserAgent) -> Vec<Transmit> {
    std::iter::from_fn(|| ua.poll_transmit()).collect()
}

/// What was sent: where, and the message.
fn messages(ua: &mut UserAgent) -> Vec<(String, Message)> {
    let all = sent(ua).into_iter();
    all.map(|t| (t.destination.to_string(), read(&t.payload).unwrap()))
        .collect()
}

fn one(ua: &mut UserAgent) -> (String, Message) {
    let mut all = messages(ua);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn reply(ua: &mut UserAgent, at: u64, from: &str, request: &Message, status: u16) {
    let mut response = Message::response_to(request, status, Some("peer"));
    response
        .headers
        .push("Contact", format!("<sip:400@{from}>"));
    ua.handle_datagram(ms(at), addr(from), &response.to_bytes());
}

/// Runs all that is due until `end`, in order.
fn advance(ua: &mut UserAgent, end: u64) {
    while let Some(at) = ua.next_deadline().filter(|at| *at <= ms(end)) {
        ua.handle_timeout(at);
    }
}

#[test]
fn an_unanswered_invite_goes_to_the_next_address_after_three_seconds() {
    let mut ua = two(false);
    let call = ua.invite(ms(0), 0, call_to("400")).unwrap();
    let (to, first) = one(&mut ua);
    assert_eq!(to, A);
    advance(&mut ua, 2_999);
    assert!(
        messages(&mut ua)
            .iter()
            .all(|(to, m)| to == A && *m == first)
    );
    advance(&mut ua, 3_000);
    let (to, second) = one(&mut ua);
    assert_eq!(to, B);
    assert_eq!(
        (second.call_id(), second.cseq()),
        (first.call_id(), first.cseq())
    );
    assert_eq!(second.body, first.body);
    assert_ne!(second.top_via(), first.top_via());
    // The first one wakes up: it is cancelled, once, and ended if it answers all the same.
    reply(&mut ua, 3_100, A, &first, 180);
    let (to, cancel) = one(&mut ua);
    assert_eq!((to.as_str(), cancel.method()), (A, Some(&Method::CANCEL)));
    assert_eq!(cancel.top_via(), first.top_via());
    reply(&mut ua, 3_101, A, &first, 180);
    assert_eq!(messages(&mut ua), []);
    reply(&mut ua, 3_102, A, &cancel, 200);
    assert_eq!(events(&mut ua), [switched(B)]);
    reply(&mut ua, 3_200, B, &second, 200);
    assert_eq!(one(&mut ua).1.method(), Some(&Method::ACK));
    assert!(matches!(events(&mut ua)[..], [UaEvent::Answered { call: c, .. }] if c == call));
    reply(&mut ua, 3_300, A, &first, 200);
    let all = messages(&mut ua);
    let kinds: Vec<_> = all
        .iter()
        .map(|(to, m)| (to.as_str(), m.method().unwrap()))
        .collect();
    assert_eq!(kinds, [(A, &Method::ACK), (A, &Method::BYE)]);
    assert_eq!(events(&mut ua), []);
    assert_eq!(ua.call_count(), 1);
    // The next call goes to the second at once.
    ua.invite(ms(4_000), 0, call_to("401")).unwrap();
    assert_eq!(one(&mut ua).0, B);
}

#[test]
fn refused_connections_and_503_move_an_invite_at_once() {
    for status in [None, Some(503)] {
        let mut ua = two(false);
        ua.invite(ms(0), 0, call_to("400")).unwrap();
        let (_, first) = one(&mut ua);
        match status {
            None => ua.transport_failed(ms(1), addr(A)),
            Some(status) => reply(&mut ua, 1, A, &first, status),
        }
        let all = messages(&mut ua);
        let (to, second) = all.last().unwrap();
        assert_eq!((to.as_str(), second.method()), (B, Some(&Method::INVITE)));
        assert_eq!(events(&mut ua), [switched(B)]);
        // The second refuses too: that is the end.
        ua.transport_failed(ms(2), addr(B));
        let ended = events(&mut ua);
        assert!(
            matches!(&ended[..], [UaEvent::Ended { cause, .. }] if cause.by == EndedBy::Transport)
        );
        assert_eq!(ua.call_count(), 0);
    }
}

#[test]
fn a_ringing_call_a_hung_up_call_and_a_direct_call_stay_where_they_are() {
    let mut ua = two(false);
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    let (_, invite) = one(&mut ua);
    reply(&mut ua, 100, A, &invite, 180);
    let hung_up = ua.invite(ms(200), 0, call_to("401")).unwrap();
    ua.hang_up(ms(300), hung_up, None);
    ua.invite(ms(400), 0, call_to("sip:9@127.0.0.50")).unwrap();
    advance(&mut ua, 31_000);
    let all = messages(&mut ua);
    assert!(
        !all.is_empty() && all.iter().all(|(to, _)| to != B),
        "{all:?}"
    );
}

#[test]
fn with_nobody_there_a_call_ends_once() {
    let mut ua = two(false);
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    advance(&mut ua, 34_900);
    assert_eq!(events(&mut ua), [switched(B)]);
    advance(&mut ua, 35_000);
    let ended = events(&mut ua);
    assert!(matches!(&ended[..], [UaEvent::Ended { cause, .. }] if cause.status == Some(408)));
    advance(&mut ua, 100_000);
    assert_eq!(events(&mut ua), []);
    assert_eq!((ua.call_count(), ua.transaction_count()), (0, 0));
}

#[test]
fn over_tcp_a_lost_server_is_left_within_two_seconds() {
    let mut ua = two(true);
    let options = AccountOptions {
        transport: Transport::Tcp,
        ..Default::default()
    };
    ua.set_options(0, options);
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    let ok = Message::response_to(&register, 200, Some("r")).to_bytes();
    let verdict = ua.handle_stream(ms(1), Transport::Tcp, addr(A), &ok);
    assert_eq!(verdict, StreamVerdict::Keep);
    events(&mut ua);
    // The server dies: its connection ends, and a new one is refused.
    ua.stream_closed(ms(10_000), Transport::Tcp, addr(A));
    advance(&mut ua, 10_500);
    let (to, again) = one(&mut ua);
    assert_eq!((to.as_str(), again.method()), (A, Some(&Method::REGISTER)));
    ua.transport_failed(ms(10_501), addr(A));
    advance(&mut ua, 10_501);
    let (to, again) = one(&mut ua);
    assert_eq!((to.as_str(), again.method()), (B, Some(&Method::REGISTER)));
    ua.invite(ms(10_502), 0, call_to("400")).unwrap();
    assert_eq!(one(&mut ua).0, B);
    assert_eq!(failures(&events(&mut ua)), 0);
}

#[test]
fn every_address_is_trusted_and_challenged_for_and_no_other() {
    let mut ua = two(false);
    for (from, taken) in [(A, true), (B, true), ("127.0.0.8:5060", false)] {
        let options = format!(
            "OPTIONS sip:42@{UA} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKo\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:42@{UA}>\r\nCall-ID: {from}\r\n\
             CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        ua.handle_datagram(ms(0), addr(from), options.as_bytes());
        assert_eq!(!messages(&mut ua).is_empty(), taken, "{from}");
    }
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    one(&mut ua);
    ua.transport_failed(ms(1), addr(A));
    let (_, invite) = one(&mut ua);
    let mut no = Message::response_to(&invite, 401, Some("peer"));
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    no.headers.push("WWW-Authenticate", challenge);
    ua.handle_datagram(ms(2), addr(B), &no.to_bytes());
    let all = messages(&mut ua);
    let (to, again) = all.last().unwrap();
    assert_eq!(to, B);
    assert!(again.headers.get("Authorization").is_some());
}

#[test]
fn a_new_list_keeps_what_is_known_and_moves_only_if_it_must() {
    let mut p = Pair::new(1);
    p.a.down = true;
    p.ua.start(Duration::ZERO);
    p.run(secs(5));
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    p.ua.set_registrars(p.net.now, 0, &[addr(A), addr("127.0.0.9:5060"), addr(B)]);
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    p.ua.set_registrars(p.net.now, 0, &[]);
    assert_eq!(p.ua.active_registrar(0), Some(addr(B)));
    let seen = p.b.seen.len();
    p.ua.set_registrars(p.net.now, 0, &[addr(B), addr(B)]);
    p.run(secs(20));
    assert_eq!(p.b.seen.len(), seen);
    p.a.down = false;
    p.ua.set_registrar(p.net.now, 0, addr(A));
    p.run(secs(21));
    assert_eq!(p.ua.active_registrar(0), Some(addr(A)));
    assert_eq!(p.a.accepted.len(), 1);
}
