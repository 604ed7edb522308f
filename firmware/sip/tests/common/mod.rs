//! A network in virtual time that loses, delays, duplicates and reorders datagrams, and a
//! registrar with digest.
#![allow(dead_code, unreachable_pub)]

pub mod bench;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use trubka_sip::digest::{Algorithm, Expected, Verdict, verify};
use trubka_sip::message::{Message, Method, read};
use trubka_sip::*;

pub fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn seed(number: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    seed
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Anything with an address on the virtual network.
pub trait Node {
    fn receive(&mut self, now: Duration, source: SocketAddr, payload: &[u8]);
    fn send(&mut self) -> Option<(SocketAddr, Vec<u8>)>;
    fn deadline(&self) -> Option<Duration> {
        None
    }
    fn timeout(&mut self, _now: Duration) {}
}

impl Node for UserAgent {
    fn receive(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        self.handle_datagram(now, source, payload);
    }
    fn send(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        self.poll_transmit().map(|t| (t.destination, t.payload))
    }
    fn deadline(&self) -> Option<Duration> {
        self.next_deadline()
    }
    fn timeout(&mut self, now: Duration) {
        self.handle_timeout(now);
    }
}

pub struct Network {
    pub now: Duration,
    pub rng: ChaCha12Rng,
    pub loss_percent: u32,
    pub duplicate_percent: u32,
    pub delay_ms: (u32, u32),
    serial: u64,
    flight: BTreeMap<(Duration, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    /// Everything that was sent: time, from, to, bytes.
    pub log: Vec<(Duration, SocketAddr, SocketAddr, Vec<u8>)>,
}

impl Network {
    pub fn new(number: u64) -> Self {
        Self {
            now: Duration::ZERO,
            rng: ChaCha12Rng::from_seed(seed(number)),
            loss_percent: 0,
            duplicate_percent: 0,
            delay_ms: (1, 1),
            serial: 0,
            flight: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    pub fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit.max(1)
    }

    fn put(&mut self, from: SocketAddr, to: SocketAddr, payload: Vec<u8>) {
        self.log.push((self.now, from, to, payload.clone()));
        if self.below(100) < self.loss_percent {
            return;
        }
        let copies = 1 + u32::from(self.below(100) < self.duplicate_percent);
        for _ in 0..copies {
            let spread = self.delay_ms.1 - self.delay_ms.0 + 1;
            let delay = self.delay_ms.0 + self.below(spread);
            self.serial += 1;
            let at = self.now + ms(u64::from(delay));
            self.flight
                .insert((at, self.serial), (from, to, payload.clone()));
        }
    }

    /// Collects what the nodes want to send.
    pub fn collect(&mut self, nodes: &mut [(SocketAddr, &mut dyn Node)]) {
        for (address, node) in nodes.iter_mut() {
            while let Some((to, payload)) = node.send() {
                self.put(*address, to, payload);
            }
        }
    }

    /// Time of the next thing that happens.
    pub fn next(&self, nodes: &[(SocketAddr, &mut dyn Node)]) -> Option<Duration> {
        let flight = self.flight.keys().next().map(|(at, _)| *at);
        nodes
            .iter()
            .filter_map(|(_, n)| n.deadline())
            .chain(flight)
            .min()
    }

    /// Moves to `at` and lets everything due happen.
    pub fn step(&mut self, at: Duration, nodes: &mut [(SocketAddr, &mut dyn Node)]) {
        assert!(at >= self.now);
        self.now = at;
        while let Some(key) = self.flight.keys().next().copied().filter(|(t, _)| *t <= at) {
            let (from, to, payload) = self.flight.remove(&key).unwrap();
            for (address, node) in nodes.iter_mut().filter(|(a, _)| *a == to) {
                let _ = address;
                node.receive(at, from, &payload);
            }
        }
        for (_, node) in nodes.iter_mut() {
            if node.deadline().is_some_and(|d| d <= at) {
                node.timeout(at);
            }
        }
        self.collect(nodes);
    }

    /// Runs until `end`.
    pub fn run(&mut self, end: Duration, nodes: &mut [(SocketAddr, &mut dyn Node)]) {
        self.collect(nodes);
        while let Some(at) = self.next(nodes).filter(|at| *at <= end) {
            self.step(at.max(self.now), nodes);
        }
        self.now = end;
    }

    /// Messages from `from` whose first line starts with `start`.
    pub fn sent(&self, from: SocketAddr, start: &str) -> Vec<(Duration, Message)> {
        let hit = |m: &&(Duration, SocketAddr, SocketAddr, Vec<u8>)| {
            m.1 == from && m.3.starts_with(start.as_bytes())
        };
        self.log
            .iter()
            .filter(hit)
            .map(|m| (m.0, read(&m.3).unwrap()))
            .collect()
    }
}

/// A peer driven by the test: it keeps what it received and sends what it is given.
#[derive(Default)]
pub struct Script {
    pub inbox: Vec<(Duration, SocketAddr, Message)>,
    pub outbox: Vec<(SocketAddr, Vec<u8>)>,
}

impl Script {
    pub fn reply(&mut self, request: &Message, to: SocketAddr, status: u16, more: &[(&str, &str)]) {
        let mut response = Message::response_to(request, status, Some("peer"));
        for (name, value) in more {
            response.headers.push(name.to_string(), value);
        }
        self.outbox.push((to, response.to_bytes()));
    }

    pub fn take(&mut self, method: &Method) -> Option<(SocketAddr, Message)> {
        let index = self
            .inbox
            .iter()
            .position(|(_, _, m)| m.method() == Some(method))?;
        let (_, source, message) = self.inbox.remove(index);
        Some((source, message))
    }

    pub fn take_status(&mut self, status: u16) -> Option<Message> {
        let index = self
            .inbox
            .iter()
            .position(|(_, _, m)| m.status() == Some(status))?;
        Some(self.inbox.remove(index).2)
    }
}

impl Node for Script {
    fn receive(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        self.inbox.push((now, source, read(payload).unwrap()));
    }
    fn send(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        (!self.outbox.is_empty()).then(|| self.outbox.remove(0))
    }
}

/// A registrar with digest: user 42, password "secret".
pub struct Registrar {
    pub nonce: String,
    pub algorithms: Vec<Algorithm>,
    pub realm: String,
    pub min_expires: u32,
    /// Granted time in Contact;expires; `None`: in Expires.
    pub contact_expires: Option<u32>,
    pub down: bool,
    pub status: Option<u16>,
    pub seen: Vec<(Duration, Message)>,
    pub accepted: Vec<(Duration, u32)>,
    pub counts: Vec<u32>,
    out: Vec<(SocketAddr, Vec<u8>)>,
}

impl Registrar {
    pub fn new() -> Self {
        Self {
            nonce: "n1".into(),
            algorithms: vec![Algorithm::Md5],
            realm: "pbx".into(),
            min_expires: 0,
            contact_expires: None,
            down: false,
            status: None,
            seen: Vec::new(),
            accepted: Vec::new(),
            counts: Vec::new(),
            out: Vec::new(),
        }
    }

    fn challenge(&self, response: &mut Message, stale: bool) {
        for algorithm in &self.algorithms {
            let value = format!(
                "Digest realm=\"{}\", nonce=\"{}\", qop=\"auth,auth-int\", algorithm={}{}",
                self.realm,
                self.nonce,
                algorithm.token(),
                if stale { ", stale=true" } else { "" }
            );
            response.headers.push("WWW-Authenticate", value);
        }
    }

    fn answer(&mut self, now: Duration, request: &Message) -> Message {
        let respond = |status| Message::response_to(request, status, Some("reg"));
        if request.method() == Some(&Method::OPTIONS) {
            return respond(200);
        }
        if let Some(status) = self.status {
            return respond(status);
        }
        let expected = Expected {
            username: "42",
            password: "secret",
            realm: &self.realm,
            nonce: &self.nonce,
            algorithms: &self.algorithms,
            allow_without_qop: false,
        };
        match verify(request, "Authorization", &expected) {
            Verdict::Accepted { nonce_count } => {
                self.counts.push(nonce_count);
                let expires: u32 = request.headers.get("Expires").unwrap().parse().unwrap();
                if expires > 0 && expires < self.min_expires {
                    let mut response = respond(423);
                    response
                        .headers
                        .push("Min-Expires", self.min_expires.to_string());
                    return response;
                }
                self.accepted.push((now, expires));
                let mut response = respond(200);
                let contact = request.headers.get("Contact").unwrap();
                match self.contact_expires {
                    Some(granted) => {
                        response
                            .headers
                            .push("Contact", "<sip:42@10.0.0.9:5060>;expires=7");
                        response
                            .headers
                            .push("Contact", format!("{contact};expires={granted}"));
                    }
                    None => {
                        response.headers.push("Contact", contact);
                        response.headers.push("Expires", expires.to_string());
                    }
                }
                response
            }
            verdict => {
                let mut response = respond(401);
                self.challenge(&mut response, verdict == Verdict::OtherNonce);
                response
            }
        }
    }
}

impl Node for Registrar {
    fn receive(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        // A keep-alive of CRLF gets no answer over UDP.
        if payload == b"\r\n\r\n" {
            return;
        }
        let request = read(payload).unwrap();
        if self.down || request.method().is_none() {
            return;
        }
        self.seen.push((now, request.clone()));
        let response = self.answer(now, &request);
        self.out.push((source, response.to_bytes()));
    }
    fn send(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        (!self.out.is_empty()).then(|| self.out.remove(0))
    }
}

/// A user agent with one account at `registrar`, seeded by `number`.
pub fn agent(local: &str, registrar: &str, register: bool, number: u64) -> UserAgent {
    let mut config = config_of(local, registrar);
    config.accounts[0].register = register;
    UserAgent::new(config, seed(number))
}

pub fn config_of(local: &str, registrar: &str) -> UaConfig {
    let mut account = Account::new("42", registrar, "secret");
    account.register = false;
    account.keepalive_s = 0;
    config_with(local, account)
}

pub fn config_with(local: &str, account: Account) -> UaConfig {
    UaConfig {
        local: addr(local),
        advertised: None,
        user_agent: "test".into(),
        accounts: vec![account],
        allowed_sources: SourcePolicy::AccountsOnly,
    }
}

pub fn events(ua: &mut UserAgent) -> Vec<UaEvent> {
    std::iter::from_fn(|| ua.poll_event()).collect()
}

pub fn call_to(target: &str) -> OutgoingCall {
    OutgoingCall {
        target: target.into(),
        sdp_offer: b"v=0\r\n".to_vec(),
        ..Default::default()
    }
}
