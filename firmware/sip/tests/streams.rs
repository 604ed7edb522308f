//! TCP and TLS at protocol level: framing, no retransmission, connection loss, large requests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::bench::{PBX, STRANGER, UA};
use common::*;
use std::time::Duration;
use trubka_sip::message::{Message, Method, read};
use trubka_sip::*;

/// Where the PBX connects to us from.
const BACK: &str = "127.0.0.1:40123";

fn tcp_agent(transport: Transport, register: bool) -> UserAgent {
    let mut ua = agent(UA, PBX, register, 1);
    let options = AccountOptions {
        transport,
        ..Default::default()
    };
    ua.set_options(0, options);
    ua
}

fn sent(ua: &mut UserAgent) -> Vec<Transmit> {
    std::iter::from_fn(|| ua.poll_transmit()).collect()
}

fn one(ua: &mut UserAgent) -> (Transmit, Message) {
    let mut all = sent(ua);
    assert_eq!(all.len(), 1, "{all:?}");
    let transmit = all.remove(0);
    let message = read(&transmit.payload).unwrap();
    (transmit, message)
}

fn reply(request: &Message, status: u16, more: &[(&'static str, &str)]) -> Vec<u8> {
    let mut response = Message::response_to(request, status, Some("peer"));
    for (name, value) in more {
        response.headers.push(*name, value);
    }
    response.to_bytes()
}

fn feed(ua: &mut UserAgent, at: u64, peer: &str, bytes: &[u8]) -> StreamVerdict {
    ua.handle_stream(ms(at), Transport::Tcp, addr(peer), bytes)
}

fn invite(branch: &str) -> String {
    format!(
        "INVITE sip:42@{UA} SIP/2.0\r\nVia: SIP/2.0/TCP {PBX};branch=z9hG4bK{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:400@127.0.0.1>;tag=f\r\nTo: <sip:42@{UA}>\r\n\
         Call-ID: in{branch}\r\nCSeq: 5 INVITE\r\nContact: <sip:400@{PBX};transport=tcp>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// An answered call of the PBX over a connection of its own; our 200.
fn called(ua: &mut UserAgent) -> (CallId, Message) {
    assert_eq!(
        feed(ua, 0, BACK, invite("a").as_bytes()),
        StreamVerdict::Keep
    );
    let [UaEvent::Incoming { call, .. }] = events(ua)[..] else {
        panic!()
    };
    ua.answer(ms(0), call, b"v=0\r\n".to_vec());
    let ok = read(&sent(ua).pop().unwrap().payload).unwrap();
    let ack = format!(
        "ACK sip:42@{UA} SIP/2.0\r\nVia: SIP/2.0/TCP {PBX};branch=z9hG4bKack\r\n\
         Max-Forwards: 70\r\nFrom: <sip:400@127.0.0.1>;tag=f\r\nTo: {}\r\nCall-ID: ina\r\n\
         CSeq: 5 ACK\r\nContent-Length: 0\r\n\r\n",
        ok.headers.get("To").unwrap()
    );
    let _ = feed(ua, 1, BACK, ack.as_bytes());
    assert_eq!(events(ua), [UaEvent::Confirmed { call }]);
    (call, ok)
}

#[test]
fn requests_name_their_transport_and_are_not_repeated() {
    for (transport, word, param) in [
        (Transport::Tcp, "SIP/2.0/TCP ", ";transport=tcp>"),
        (Transport::Tls, "SIP/2.0/TLS ", ";transport=tls>"),
    ] {
        let mut ua = tcp_agent(transport, true);
        ua.start(Duration::ZERO);
        let (transmit, register) = one(&mut ua);
        assert_eq!(
            (transmit.transport, transmit.destination),
            (transport, addr(PBX))
        );
        assert!(register.headers.get("Via").unwrap().starts_with(word));
        assert!(register.headers.get("Contact").unwrap().ends_with(param));
        ua.handle_timeout(ms(4_900));
        assert!(sent(&mut ua).is_empty());
        events(&mut ua);
        ua.handle_timeout(ms(5_000));
        let failed = |e: &UaEvent| {
            matches!(
                e,
                UaEvent::Registration {
                    state: RegistrationState::Failed { .. },
                    ..
                }
            )
        };
        assert!(events(&mut ua).iter().any(failed));
    }
}

#[test]
fn answers_in_any_cut_register_the_account() {
    for cut in [1, 13, 4096] {
        let mut ua = tcp_agent(Transport::Tcp, true);
        ua.start(Duration::ZERO);
        let (_, register) = one(&mut ua);
        let contact = register.headers.get("Contact").unwrap().to_owned();
        let answer = reply(&register, 200, &[("Contact", &contact), ("Expires", "120")]);
        for part in answer.chunks(cut) {
            assert_eq!(feed(&mut ua, 1, PBX, part), StreamVerdict::Keep);
        }
        let state = ua.registration(0);
        assert_eq!(
            state,
            RegistrationState::Registered { expires_s: 120 },
            "{cut}"
        );
    }
}

#[test]
fn answers_go_back_on_the_connection_and_requests_to_the_contact() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    let (call, ok) = called(&mut ua);
    let contact = ok.headers.get("Contact").unwrap();
    assert!(contact.ends_with(";transport=tcp>"), "{contact}");
    let _ = feed(&mut ua, 2, BACK, invite("b").as_bytes());
    let (trying, _) = one(&mut ua);
    assert_eq!(
        (trying.transport, trying.destination),
        (Transport::Tcp, addr(BACK))
    );
    ua.hang_up(ms(3), call, None);
    let (bye, message) = one(&mut ua);
    assert_eq!(
        (bye.transport, bye.destination),
        (Transport::Tcp, addr(PBX))
    );
    assert_eq!(message.method(), Some(&Method::BYE));
    assert!(
        message
            .headers
            .get("Via")
            .unwrap()
            .starts_with("SIP/2.0/TCP ")
    );
}

#[test]
fn a_2xx_is_repeated_over_tcp_but_a_refusal_is_not() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    for (branch, status, copies) in [("a", 200, 1), ("b", 486, 0)] {
        let _ = feed(&mut ua, 0, BACK, invite(branch).as_bytes());
        let [UaEvent::Incoming { call, .. }] = events(&mut ua)[..] else {
            panic!()
        };
        match status {
            200 => ua.answer(ms(0), call, b"v=0\r\n".to_vec()),
            _ => ua.reject(ms(0), call, status, None),
        }
        sent(&mut ua);
        ua.handle_timeout(ms(600));
        assert_eq!(sent(&mut ua).len(), copies, "{status}");
        if status == 200 {
            ua = tcp_agent(Transport::Tcp, false);
        }
    }
}

#[test]
fn one_bad_message_closes_nothing_and_calls_go_on() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    let (_, ok) = called(&mut ua);
    let to = ok.headers.get("To").unwrap();
    let unknown = invite("c").replace("INVITE", "FOO");
    let twice = invite("d").replace("Max-Forwards: 70", "Max-Forwards: 70\r\nCSeq: 5 INVITE");
    let version = invite("e").replacen("SIP/2.0\r\n", "SIP/7.0\r\n", 1);
    let bad = format!("rubbish\r\nContent-Length: 4\r\n\r\n\r\n\r\n{unknown}{twice}{version}");
    let bye = format!(
        "BYE sip:42@{UA} SIP/2.0\r\nVia: SIP/2.0/TCP {PBX};branch=z9hG4bKbye\r\n\
         Max-Forwards: 70\r\nFrom: <sip:400@127.0.0.1>;tag=f\r\nTo: {to}\r\nCall-ID: ina\r\n\
         CSeq: 6 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    assert_eq!(
        feed(&mut ua, 2, BACK, (bad + &bye).as_bytes()),
        StreamVerdict::Keep
    );
    let statuses: Vec<_> = sent(&mut ua)
        .iter()
        .map(|t| String::from_utf8_lossy(&t.payload[8..11]).into_owned())
        .collect();
    assert_eq!(statuses, ["501", "400", "505", "200"]);
    assert!(
        events(&mut ua)
            .iter()
            .any(|e| matches!(e, UaEvent::Ended { .. }))
    );
}

#[test]
fn lost_framing_closes_after_a_400_and_calls_survive_it() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    let (call, _) = called(&mut ua);
    let bad = invite("c").replace("Content-Length: 0", "Content-Length: -5");
    assert_eq!(feed(&mut ua, 2, BACK, bad.as_bytes()), StreamVerdict::Close);
    assert!(one(&mut ua).0.payload.starts_with(b"SIP/2.0 400"));
    ua.stream_closed(ms(3), Transport::Tcp, addr(BACK));
    assert_eq!(ua.call_count(), 1);
    // The next connection starts afresh and may carry the same call.
    ua.send_info(ms(4), call, "application/dtmf-relay", b"Signal=1")
        .unwrap();
    let (_, info) = one(&mut ua);
    let answer = reply(&info, 200, &[]);
    assert_eq!(feed(&mut ua, 5, PBX, &answer), StreamVerdict::Keep);
    assert_eq!((ua.call_count(), ua.counters().stray_responses), (1, 0));
}

#[test]
fn keep_alives_are_answered_and_strangers_closed() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    assert_eq!(feed(&mut ua, 0, PBX, b"\r\n"), StreamVerdict::Keep);
    assert!(sent(&mut ua).is_empty());
    assert_eq!(feed(&mut ua, 1, PBX, b"\r\n"), StreamVerdict::Keep);
    let pong = sent(&mut ua).pop().unwrap();
    assert_eq!(
        (pong.destination, pong.payload),
        (addr(PBX), b"\r\n".to_vec())
    );
    // Before a word is said, and so before TLS costs anything.
    for transport in [Transport::Tcp, Transport::Tls] {
        let admitted = |ua: &mut UserAgent, peer| ua.admit_stream(ms(2), transport, addr(peer));
        assert_eq!(admitted(&mut ua, BACK), StreamVerdict::Keep);
        assert_eq!(admitted(&mut ua, STRANGER), StreamVerdict::Close);
    }
    assert_eq!(ua.counters().stranger_datagrams, 2);
    let verdict = feed(&mut ua, 2, STRANGER, invite("x").as_bytes());
    assert_eq!(verdict, StreamVerdict::Close);
    assert!(sent(&mut ua).is_empty());
    assert_eq!(ua.call_count(), 0);
}

#[test]
fn connections_are_bounded() {
    let mut ua = tcp_agent(Transport::Tcp, false);
    let kept = (1..=1_000)
        .filter(|port| {
            let peer = format!("127.0.0.1:{}", 10_000 + port);
            feed(&mut ua, 0, &peer, b"INVITE ") == StreamVerdict::Keep
        })
        .count();
    assert_eq!(kept, 256);
    ua.stream_closed(ms(1), Transport::Tcp, addr("127.0.0.1:10001"));
    assert_eq!(feed(&mut ua, 2, BACK, b"INVITE "), StreamVerdict::Keep);
}

#[test]
fn a_lost_connection_fails_its_requests_and_registers_again() {
    let mut ua = tcp_agent(Transport::Tcp, true);
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    let _ = feed(&mut ua, 1, PBX, &reply(&register, 200, &[]));
    let call = ua.invite(ms(2), 0, call_to("400")).unwrap();
    sent(&mut ua);
    events(&mut ua);
    ua.stream_closed(ms(3), Transport::Tcp, addr(PBX));
    let ended = |e: &UaEvent| matches!(e, UaEvent::Ended { call: c, cause } if *c == call && cause.by == EndedBy::Transport);
    assert!(events(&mut ua).iter().any(ended));
    ua.handle_timeout(ms(600));
    assert_eq!(one(&mut ua).1.method(), Some(&Method::REGISTER));
    // Nobody listens: told at once, and tried again later.
    ua.transport_failed(ms(601), addr(PBX));
    assert!(matches!(
        ua.registration(0),
        RegistrationState::Failed { .. }
    ));
}

#[test]
fn an_account_over_tls_takes_nothing_in_the_clear() {
    let mut ua = tcp_agent(Transport::Tls, false);
    assert_eq!(
        feed(&mut ua, 0, BACK, invite("a").as_bytes()),
        StreamVerdict::Close
    );
    ua.handle_datagram(ms(1), addr(PBX), invite("b").as_bytes());
    assert_eq!((sent(&mut ua).len(), ua.call_count()), (0, 0));
    let text = invite("c").replace("TCP", "TLS");
    let verdict = ua.handle_stream(ms(2), Transport::Tls, addr(BACK), text.as_bytes());
    assert_eq!((verdict, ua.call_count()), (StreamVerdict::Keep, 1));
    // The Contact asks for TCP: the call stays on TLS.
    let incoming = |e: &UaEvent| match e {
        UaEvent::Incoming { call, .. } => Some(*call),
        _ => None,
    };
    let call = events(&mut ua).iter().find_map(incoming).unwrap();
    ua.answer(ms(3), call, b"v=0\r\n".to_vec());
    assert!(sent(&mut ua).iter().all(|t| t.transport == Transport::Tls));
}

#[test]
fn large_requests_go_over_tcp_and_back_to_udp_if_nobody_listens() {
    let mut large = call_to("400");
    large.sdp_offer = vec![b'v'; 1_400];
    let mut ua = agent(UA, PBX, false, 1);
    ua.invite(ms(0), 0, large.clone()).unwrap();
    assert_eq!(one(&mut ua).0.transport, Transport::Udp);
    let mut ua = agent(UA, PBX, false, 1);
    ua.set_tcp_available(true);
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    assert_eq!(one(&mut ua).0.transport, Transport::Udp);
    ua.invite(ms(0), 0, large).unwrap();
    let (transmit, invite) = one(&mut ua);
    assert_eq!(transmit.transport, Transport::Tcp);
    assert_eq!(invite.top_via().unwrap().transport, "TCP");
    ua.stream_closed(ms(100), Transport::Tcp, addr(PBX));
    let (transmit, again) = one(&mut ua);
    assert_eq!(transmit.transport, Transport::Udp);
    assert_eq!(again.top_via().unwrap().transport, "UDP");
    assert_eq!(
        again.top_via().unwrap().branch(),
        invite.top_via().unwrap().branch()
    );
    ua.handle_timeout(ms(600));
    assert!(!sent(&mut ua).is_empty());
    // A challenge over TCP is answered: it is still the registrar.
    let mut large = call_to("401");
    large.sdp_offer = vec![b'v'; 1_400];
    ua.invite(ms(700), 0, large).unwrap();
    let (_, invite) = one(&mut ua);
    let challenge = "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"";
    let _ = feed(
        &mut ua,
        701,
        PBX,
        &reply(&invite, 401, &[("WWW-Authenticate", challenge)]),
    );
    let methods: Vec<_> = sent(&mut ua)
        .iter()
        .map(|t| (t.transport, read(&t.payload).unwrap()))
        .map(|(t, m)| {
            (
                t,
                m.method().unwrap().clone(),
                m.headers.get("Authorization").is_some(),
            )
        })
        .collect();
    let expected = [
        (Transport::Tcp, Method::ACK, false),
        (Transport::Tcp, Method::INVITE, true),
    ];
    assert_eq!(methods, expected);
}

#[test]
fn empty_lines_keep_a_connection_and_find_it_dead() {
    let mut account = Account::new("42", PBX, "secret");
    account.keepalive_s = 30;
    account.expires_s = 3_600;
    let config = UaConfig {
        local: addr(UA),
        advertised: None,
        user_agent: "test".into(),
        accounts: vec![account],
        allowed_sources: SourcePolicy::AccountsOnly,
    };
    let mut ua = UserAgent::new(config, seed(1));
    let options = AccountOptions {
        transport: Transport::Tcp,
        keepalive: Keepalive::Crlf,
        ..Default::default()
    };
    ua.set_options(0, options);
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    let ok = Message::response_to(&register, 200, Some("r")).to_bytes();
    assert_eq!(stream(&mut ua, 1, &ok), StreamVerdict::Keep);
    events(&mut ua);
    // A peer that never answers an empty line is not called dead for it.
    let mut now = 0;
    for _ in 0..4 {
        now += 30_000;
        ua.handle_timeout(ms(now));
        assert_eq!(pings(&mut ua), 1, "{now}");
    }
    assert_eq!(ua.poll_dead_stream(), None);
    // One that does, is, when it stops.
    assert_eq!(stream(&mut ua, now + 5, b"\r\n"), StreamVerdict::Keep);
    for answered in [true, true, false, false] {
        now += 30_000;
        ua.handle_timeout(ms(now));
        assert_eq!(pings(&mut ua), 1, "{now}");
        assert_eq!(ua.poll_dead_stream(), None);
        if answered {
            assert_eq!(stream(&mut ua, now + 5, b"\r\n"), StreamVerdict::Keep);
            assert!(ua.poll_transmit().is_none(), "an answer is not answered");
        }
    }
    ua.handle_timeout(ms(now + 30_000));
    let dead = ua.poll_dead_stream();
    assert_eq!(dead, Some((Transport::Tcp, addr(PBX))));
    assert!(events(&mut ua).contains(&UaEvent::PeerUnreachable { account: 0 }));
}

/// Empty lines of a keep-alive among what is sent; registrations go by.
fn pings(ua: &mut UserAgent) -> usize {
    let mut found = 0;
    while let Some(transmit) = ua.poll_transmit() {
        found += usize::from(transmit.payload == b"\r\n\r\n");
    }
    found
}

fn stream(ua: &mut UserAgent, now: u64, bytes: &[u8]) -> StreamVerdict {
    ua.handle_stream(ms(now), Transport::Tcp, addr(PBX), bytes)
}
