//! Accounts behind proxies: Route, credentials for each that asks, addresses of ours by family and
//! transport, and what is given up in time for another account.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::time::Duration;
use trubka_sip::message::{Message, Method, read};
use trubka_sip::*;

const UA: &str = "127.0.0.2:5060";
const PROXY: &str = "127.0.0.1:5060";
const BACKUP: &str = "127.0.0.7:5060";

fn agent_with(options: AccountOptions) -> UserAgent {
    let mut ua = agent(UA, PROXY, true, 1);
    ua.set_options(0, options);
    ua.set_registrars(Duration::ZERO, 0, &[addr(PROXY), addr(BACKUP)]);
    let login = |at: &str, user: &str| ProxyLogin {
        address: addr(at),
        user: user.into(),
        password: format!("secret of {user}").into(),
    };
    ua.set_proxy_logins(0, vec![login(PROXY, "first"), login(BACKUP, "second")]);
    ua
}

fn one(ua: &mut UserAgent) -> (String, Message) {
    let all: Vec<Transmit> = std::iter::from_fn(|| ua.poll_transmit()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    (
        all[0].destination.to_string(),
        read(&all[0].payload).unwrap(),
    )
}

fn challenge(ua: &mut UserAgent, at: &str, request: &Message, status: u16, realm: &str) {
    let mut response = Message::response_to(request, status, Some("t"));
    let name = match status {
        401 => "WWW-Authenticate",
        _ => "Proxy-Authenticate",
    };
    let value = format!("Digest realm=\"{realm}\", nonce=\"{realm}-n\", qop=\"auth\"");
    response.headers.push(name, value);
    ua.handle_datagram(ms(5), addr(at), &response.to_bytes());
}

#[test]
fn an_outbound_proxy_is_named_in_a_route_wherever_the_request_goes() {
    let mut ua = agent_with(AccountOptions {
        outbound_proxy: true,
        ..Default::default()
    });
    ua.start(Duration::ZERO);
    let (to, register) = one(&mut ua);
    assert_eq!(to, PROXY);
    assert_eq!(
        register.headers.get("Route"),
        Some("<sip:127.0.0.1:5060;lr>")
    );
    ua.transport_failed(ms(1), addr(PROXY));
    ua.handle_timeout(ms(1));
    let (to, register) = one(&mut ua);
    assert_eq!(to, BACKUP);
    assert_eq!(
        register.headers.get("Route"),
        Some("<sip:127.0.0.7:5060;lr>")
    );
    // Without the setting there is none.
    let mut ua = agent_with(AccountOptions::default());
    ua.start(Duration::ZERO);
    assert_eq!(one(&mut ua).1.headers.get("Route"), None);
}

#[test]
fn proxy_and_registrar_each_get_their_own_credentials() {
    for (at, user) in [(PROXY, "first"), (BACKUP, "second")] {
        let mut ua = agent_with(AccountOptions::default());
        ua.start(Duration::ZERO);
        let (_, mut register) = one(&mut ua);
        if at == BACKUP {
            ua.transport_failed(ms(1), addr(PROXY));
            ua.handle_timeout(ms(1));
            register = one(&mut ua).1;
        }
        challenge(&mut ua, at, &register, 407, "proxy");
        let (to, register) = one(&mut ua);
        assert_eq!(to, at);
        let shown = register.headers.get("Proxy-Authorization").unwrap();
        assert!(shown.contains(&format!("username=\"{user}\"")), "{shown}");
        assert!(register.headers.get("Authorization").is_none());
        // Behind the proxy the registrar asks too; what the proxy got stays, counted up.
        challenge(&mut ua, at, &register, 401, "registrar");
        let (_, register) = one(&mut ua);
        let shown = register.headers.get("Proxy-Authorization").unwrap();
        assert!(shown.contains("nc=00000002"), "{shown}");
        let shown = register.headers.get("Authorization").unwrap();
        assert!(shown.contains("realm=\"registrar\"") && !shown.contains(user));
        // Asked once more by either, it is the end.
        challenge(&mut ua, at, &register, 407, "proxy");
        assert!(ua.poll_transmit().is_none());
    }
}

#[test]
fn with_another_account_standing_by_a_silent_invite_ends_after_three_seconds() {
    for (has_backup, ends_ms) in [(true, 3_000), (false, 32_000)] {
        let mut ua = agent(UA, PROXY, false, 1);
        ua.set_options(
            0,
            AccountOptions {
                has_backup,
                ..Default::default()
            },
        );
        let call = OutgoingCall {
            target: "400".into(),
            sdp_offer: b"v=0\r\n".to_vec(),
            ..Default::default()
        };
        ua.invite(ms(0), 0, call).unwrap();
        let invite = read(&ua.poll_transmit().unwrap().payload).unwrap();
        let mut ended = None;
        while let Some(now) = ua.next_deadline().filter(|now| *now <= secs(40)) {
            ua.handle_timeout(now);
            while let Some(event) = ua.poll_event() {
                if matches!(event, UaEvent::Ended { .. }) {
                    ended.get_or_insert(now);
                }
            }
            if has_backup && ended.is_some() {
                break;
            }
        }
        assert_eq!(ended, Some(ms(ends_ms)));
        // A late sign of life is taken back: nobody waits for it any more.
        while ua.poll_transmit().is_some() {}
        if has_backup {
            let ringing = Message::response_to(&invite, 180, Some("late")).to_bytes();
            ua.handle_datagram(ms(3_500), addr(PROXY), &ringing);
            assert_eq!(one(&mut ua).1.method(), Some(&Method::CANCEL));
        }
    }
}

#[test]
fn each_peer_is_told_the_address_of_its_family_and_transport() {
    let mut ua = agent(UA, PROXY, true, 1);
    ua.set_options(
        0,
        AccountOptions {
            transport: Transport::Tls,
            ..Default::default()
        },
    );
    ua.set_addresses(Addresses {
        ipv6: Some(addr("[::1]:5070")),
        tls_port: Some(5061),
    });
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    let contact = register.headers.get("Contact").unwrap();
    assert!(
        contact.contains("@127.0.0.2:5061;transport=tls"),
        "{contact}"
    );
    ua.set_registrars(ms(1), 0, &[addr("[::1]:5061")]);
    let all: Vec<Transmit> = std::iter::from_fn(|| ua.poll_transmit()).collect();
    let last = all.last().unwrap();
    assert_eq!(
        (last.source, last.destination),
        (addr("[::1]:5070"), addr("[::1]:5061"))
    );
    let register = read(&last.payload).unwrap();
    let contact = register.headers.get("Contact").unwrap();
    assert!(contact.contains("@[::1]:5061;transport=tls"), "{contact}");
}

#[test]
fn a_registrar_that_is_not_known_yet_gets_nothing_and_its_domain_neither() {
    let mut ua = agent(UA, PROXY, true, 1);
    ua.forget_registrars(0);
    ua.start(Duration::ZERO);
    assert!(ua.poll_transmit().is_none());
    assert!(matches!(
        ua.registration(0),
        RegistrationState::Failed { status: None, .. }
    ));
    ua.set_registrars(ms(10), 0, &[addr(BACKUP)]);
    assert_eq!(one(&mut ua).0, BACKUP);
}

#[test]
fn nobody_is_called_registered_beyond_the_granted_time() {
    let mut ua = agent(UA, PROXY, true, 1);
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    let mut ok = Message::response_to(&register, 200, Some("r"));
    ok.headers.push("Expires", "10");
    ua.handle_datagram(ms(0), addr(PROXY), &ok.to_bytes());
    let registered =
        |ua: &UserAgent| matches!(ua.registration(0), RegistrationState::Registered { .. });
    assert!(registered(&ua));
    // The refresh at about three quarters stays unanswered: it has until the end, and no longer.
    while let Some(now) = ua.next_deadline().filter(|now| *now < secs(10)) {
        ua.handle_timeout(now);
    }
    assert!(registered(&ua));
    ua.handle_timeout(secs(10));
    assert!(!registered(&ua));
}

/// The value of the digest in a request that follows, if one follows.
fn answer_of(ua: &mut UserAgent, header: &str) -> Option<String> {
    let mut all = std::iter::from_fn(|| ua.poll_transmit());
    let request = all.find(|t| !t.payload.starts_with(b"ACK"))?;
    let request = read(&request.payload).unwrap();
    request.headers.get(header).map(str::to_owned)
}

/// A registered account behind an outbound proxy, and its INVITE with the proxy's challenge answered. Proxy and PBX have one realm.
fn call_through_a_proxy_of_the_same_realm(realm: Option<&str>) -> (UserAgent, Message) {
    let config = config_with(
        UA,
        Account {
            realm: realm.map(str::to_owned),
            registrar: Some(addr(PROXY)),
            ..Account::new("42", "pbx.example", "secret")
        },
    );
    let mut ua = UserAgent::new(config, seed(1));
    ua.set_options(
        0,
        AccountOptions {
            outbound_proxy: true,
            ..Default::default()
        },
    );
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    challenge(&mut ua, PROXY, &register, 401, "house");
    let (_, register) = one(&mut ua);
    let mut ok = Message::response_to(&register, 200, Some("r"));
    ok.headers.push("Expires", "300");
    ua.handle_datagram(ms(6), addr(PROXY), &ok.to_bytes());
    let call = OutgoingCall {
        target: "400".into(),
        sdp_offer: b"v=0\r\n".to_vec(),
        ..Default::default()
    };
    ua.invite(ms(7), 0, call).unwrap();
    let (_, invite) = one(&mut ua);
    challenge(&mut ua, PROXY, &invite, 407, "house");
    let all: Vec<Transmit> = std::iter::from_fn(|| ua.poll_transmit()).collect();
    let invite = read(&all.last().unwrap().payload).unwrap();
    assert!(invite.headers.get("Proxy-Authorization").is_some());
    (ua, invite)
}

#[test]
fn behind_a_proxy_of_the_same_realm_a_second_challenge_is_answered_only_where_the_realm_is_named() {
    for (realm, answered) in [(None, false), (Some("house"), true)] {
        let (mut ua, invite) = call_through_a_proxy_of_the_same_realm(realm);
        challenge(&mut ua, PROXY, &invite, 401, "house");
        let answer = answer_of(&mut ua, "Authorization");
        assert_eq!(answer.is_some(), answered, "{realm:?}");
        // Nobody's own realm gets an answer in any case.
        let (mut ua, invite) = call_through_a_proxy_of_the_same_realm(realm);
        challenge(&mut ua, PROXY, &invite, 401, "of the phone");
        assert_eq!(answer_of(&mut ua, "Authorization"), None, "{realm:?}");
        assert_eq!(ua.counters().foreign_challenges, 1);
    }
}

#[test]
fn a_pinned_realm_leaves_the_proxys_own_login_alone() {
    let config = config_with(
        UA,
        Account {
            realm: Some("registrar".into()),
            registrar: Some(addr(PROXY)),
            ..Account::new("42", "pbx.example", "secret")
        },
    );
    let mut ua = UserAgent::new(config, seed(1));
    ua.set_options(
        0,
        AccountOptions {
            outbound_proxy: true,
            ..Default::default()
        },
    );
    let login = ProxyLogin {
        address: addr(PROXY),
        user: "first".into(),
        password: "edge".into(),
    };
    ua.set_proxy_logins(0, vec![login]);
    ua.start(Duration::ZERO);
    let (_, register) = one(&mut ua);
    challenge(&mut ua, PROXY, &register, 407, "edge");
    let (_, register) = one(&mut ua);
    let shown = register.headers.get("Proxy-Authorization").unwrap();
    assert!(shown.contains("username=\"first\""), "{shown}");
    challenge(&mut ua, PROXY, &register, 401, "someone");
    assert!(ua.poll_transmit().is_none(), "another realm is answered");
    assert_eq!(ua.counters().foreign_challenges, 1);
}
