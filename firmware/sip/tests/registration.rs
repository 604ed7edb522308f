//! Registration against a scripted registrar in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use trubka_sip::digest::Algorithm;
use trubka_sip::*;

const UA: &str = "127.0.0.2:5060";
const PBX: &str = "127.0.0.1:5060";

struct Setup {
    net: Network,
    ua: UserAgent,
    registrar: Registrar,
}

impl Setup {
    fn new(change: impl FnOnce(&mut Registrar, &mut Account)) -> Self {
        let mut registrar = Registrar::new();
        let mut account = Account::new("42", PBX, "secret");
        account.keepalive_s = 0;
        change(&mut registrar, &mut account);
        let config = UaConfig {
            local: addr(UA),
            advertised: None,
            user_agent: "test".into(),
            accounts: vec![account],
            allowed_sources: SourcePolicy::AccountsOnly,
        };
        let mut ua = UserAgent::new(config, seed(1));
        ua.start(Duration::ZERO);
        Self {
            net: Network::new(1),
            ua,
            registrar,
        }
    }

    fn run(&mut self, until: u64) -> Vec<UaEvent> {
        let nodes: &mut [(_, &mut dyn Node)] =
            &mut [(addr(UA), &mut self.ua), (addr(PBX), &mut self.registrar)];
        self.net.run(secs(until), nodes);
        events(&mut self.ua)
    }

    fn state(&self) -> RegistrationState {
        self.ua.registration(0)
    }
}

use std::time::Duration;

#[test]
fn registers_with_digest_and_refreshes_before_expiry() {
    let mut s = Setup::new(|_, _| {});
    let events = s.run(2);
    let states: Vec<_> = events
        .into_iter()
        .map(|e| match e {
            UaEvent::Registration { state, .. } => state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        states,
        [
            RegistrationState::Trying,
            RegistrationState::Registered { expires_s: 300 }
        ]
    );
    s.run(3000);
    let times: Vec<_> = s
        .registrar
        .accepted
        .iter()
        .map(|(t, _)| t.as_secs())
        .collect();
    assert!(times.len() > 10);
    for pair in times.windows(2) {
        assert!((200..=245).contains(&(pair[1] - pair[0])), "{times:?}");
    }
    // One challenge in all: the nonce is used again with a rising count.
    assert_eq!(
        s.registrar.counts,
        (1..=s.registrar.counts.len() as u32).collect::<Vec<_>>()
    );
    let ids: std::collections::BTreeSet<_> = s
        .registrar
        .seen
        .iter()
        .map(|(_, m)| (m.call_id().unwrap().to_owned(), m.from_tag().unwrap()))
        .collect();
    assert_eq!(ids.len(), 1, "Call-ID and From tag are stable");
    let cseqs: Vec<_> = s
        .registrar
        .seen
        .iter()
        .map(|(_, m)| m.cseq().unwrap().0)
        .collect();
    assert!(cseqs.windows(2).all(|w| w[1] == w[0] + 1), "{cseqs:?}");
}

#[test]
fn takes_the_expiry_of_its_own_binding() {
    let mut s = Setup::new(|r, _| r.contact_expires = Some(40));
    s.run(1);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 40 });
    s.run(200);
    assert!(s.registrar.accepted.len() >= 6);
}

#[test]
fn sha_256_is_used_if_offered_with_md5() {
    let mut s = Setup::new(|r, _| r.algorithms = vec![Algorithm::Md5, Algorithm::Sha256]);
    s.run(1);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 300 });
    let last = &s.registrar.seen.last().unwrap().1;
    assert!(
        last.headers
            .get("Authorization")
            .unwrap()
            .contains("algorithm=SHA-256")
    );
}

#[test]
fn a_stale_nonce_is_renewed() {
    let mut s = Setup::new(|_, _| {});
    s.run(1);
    s.registrar.nonce = "n2".into();
    s.run(400);
    assert_eq!(s.registrar.counts, [1, 1]);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 300 });
}

#[test]
fn min_expires_is_obeyed_once() {
    let mut s = Setup::new(|r, _| r.min_expires = 600);
    s.run(1);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 600 });
}

#[test]
fn a_wrong_password_is_not_hammered() {
    let mut s = Setup::new(|_, a| a.password = "other".into());
    let events = s.run(59);
    assert_eq!(s.registrar.seen.len(), 2);
    let Some(UaEvent::Registration {
        state:
            RegistrationState::Failed {
                status: Some(401),
                hint,
                retry_in_s,
                ..
            },
        ..
    }) = events.last()
    else {
        panic!("{events:?}")
    };
    assert!(hint.contains("password"));
    assert!(*retry_in_s >= 60);
    assert!(!format!("{events:?}").contains("other"));
}

#[test]
fn a_403_waits_longer() {
    let mut s = Setup::new(|r, _| r.status = Some(403));
    s.run(299);
    assert_eq!(s.registrar.seen.len(), 1);
    s.registrar.status = None;
    s.run(400);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 300 });
}

#[test]
fn a_registrar_that_returns_is_found_again() {
    let mut s = Setup::new(|r, _| r.down = true);
    s.run(100);
    assert!(matches!(
        s.state(),
        RegistrationState::Failed { status: None, .. } | RegistrationState::Trying
    ));
    s.registrar.down = false;
    s.run(100 + 130);
    assert_eq!(s.state(), RegistrationState::Registered { expires_s: 300 });
}

#[test]
fn probes_find_an_outage_and_register_at_once_after_it() {
    let mut s = Setup::new(|_, a| a.keepalive_s = 20);
    s.run(30);
    s.registrar.down = true;
    let events = s.run(100);
    assert!(
        events.contains(&UaEvent::PeerUnreachable { account: 0 }),
        "{events:?}"
    );
    s.registrar.down = false;
    let before = s.registrar.accepted.len();
    let events = s.run(115);
    assert!(events.contains(&UaEvent::PeerReachable { account: 0 }));
    assert_eq!(s.registrar.accepted.len(), before + 1);
}

#[test]
fn shutdown_unregisters() {
    let mut s = Setup::new(|_, _| {});
    s.run(1);
    s.ua.shutdown(secs(1));
    s.run(2);
    assert_eq!(s.registrar.accepted.last().unwrap().1, 0);
    assert!(s.ua.is_idle());
    s.run(1000);
    assert_eq!(s.registrar.accepted.len(), 2);
    assert_eq!(s.state(), RegistrationState::Unregistered);
}

#[test]
fn no_digest_for_another_realm_than_the_configured_one() {
    let mut s = Setup::new(|r, a| {
        a.realm = Some("pbx".into());
        r.realm = "evil".into();
    });
    s.run(50);
    assert!(
        s.registrar
            .seen
            .iter()
            .all(|(_, m)| m.headers.get("Authorization").is_none())
    );
    assert_eq!(s.ua.counters().foreign_challenges, 1);
}

#[test]
fn icmp_unreachable_fails_at_once() {
    let mut s = Setup::new(|r, _| r.down = true);
    s.run(0);
    s.ua.transport_failed(ms(5), addr(PBX));
    assert!(matches!(
        s.state(),
        RegistrationState::Failed { status: None, .. }
    ));
}

#[test]
fn loss_never_leaves_an_account_stuck() {
    for number in 0..200 {
        let mut s = Setup::new(|r, a| {
            r.contact_expires = Some(60);
            a.keepalive_s = 15;
        });
        s.net = Network::new(number);
        s.net.loss_percent = 10 + (number % 80) as u32;
        s.net.duplicate_percent = 20;
        s.net.delay_ms = (1, 700);
        s.run(1000);
        s.net.loss_percent = 0;
        s.run(1300);
        assert_eq!(
            s.state(),
            RegistrationState::Registered { expires_s: 60 },
            "{number}"
        );
        assert!(s.ua.transaction_count() <= 4, "{number}");
        let id = s.registrar.seen[0].1.call_id().unwrap().to_owned();
        let mut cseqs: Vec<_> = s
            .net
            .sent(addr(UA), "REGISTER")
            .iter()
            .filter(|(_, m)| m.call_id() == Some(&id))
            .map(|(_, m)| m.cseq().unwrap().0)
            .collect();
        cseqs.dedup();
        assert!(
            cseqs.windows(2).all(|w| w[0] < w[1]),
            "{number}: CSeq falls"
        );
    }
}
