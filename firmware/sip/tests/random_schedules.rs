//! Thousands of random calls over a network that loses, duplicates and reorders, in virtual time:
//! every call ends once on both sides and nothing is left in the tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use rand_core::Rng;
use std::collections::BTreeMap;
use std::time::Duration;
use trubka_sip::*;

const A: &str = "127.0.0.2:5060";
const B: &str = "127.0.0.3:5060";

/// A user of the agent that does anything at any time.
struct User {
    ua: UserAgent,
    /// Calls and whether `Ended` came.
    calls: BTreeMap<CallId, bool>,
    todo: Vec<(Duration, Action)>,
    infos: BTreeMap<CallId, Vec<Vec<u8>>>,
    info_sent: u32,
    by: BTreeMap<CallId, EndCause>,
    answered: u32,
}

#[derive(Debug, Clone)]
enum Action {
    Ring(CallId),
    Early(CallId),
    Answer(CallId),
    Reject(CallId, u16),
    HangUp(CallId),
    Info(CallId),
    Reinvite(CallId),
    Update(CallId),
    AnswerOffer(CallId, OfferId),
    RejectOffer(CallId, OfferId),
}

impl User {
    fn new(ua: UserAgent) -> Self {
        Self {
            ua,
            calls: BTreeMap::new(),
            todo: Vec::new(),
            infos: BTreeMap::new(),
            info_sent: 0,
            by: BTreeMap::new(),
            answered: 0,
        }
    }

    fn plan(&mut self, net: &mut Network, within_ms: u32, action: Action) {
        let at = net.now + ms(u64::from(net.below(within_ms)));
        self.todo.push((at, action));
    }

    fn react(&mut self, net: &mut Network) {
        while let Some(event) = self.ua.poll_event() {
            if let Some(call) = call_of(&event) {
                let over = self.calls.entry(call).or_insert(false);
                assert!(!*over, "event after Ended: {event:?}");
            }
            match event {
                UaEvent::Incoming { call, .. } => {
                    if net.below(2) == 0 {
                        self.plan(net, 500, Action::Ring(call));
                        self.plan(net, 3000, Action::Early(call));
                    }
                    match net.below(10) {
                        0 => self.plan(net, 4000, Action::Reject(call, 486)),
                        1 => self.plan(net, 4000, Action::HangUp(call)),
                        _ => self.plan(net, 6000, Action::Answer(call)),
                    }
                }
                UaEvent::Answered { call, .. } | UaEvent::Confirmed { call } => {
                    self.answered += 1;
                    for _ in 0..net.below(3) {
                        self.plan(net, 8000, Action::Info(call));
                        self.plan(net, 8000, Action::Reinvite(call));
                        self.plan(net, 8000, Action::Update(call));
                    }
                    let within = 1 + net.below(20_000);
                    self.plan(net, within, Action::HangUp(call));
                }
                UaEvent::Offer { call, offer, .. } | UaEvent::OfferlessReinvite { call, offer } => {
                    match net.below(4) {
                        0 => self.plan(net, 3000, Action::RejectOffer(call, offer)),
                        _ => self.plan(net, 3000, Action::AnswerOffer(call, offer)),
                    }
                }
                UaEvent::Info { call, body, .. } => {
                    let seen = self.infos.entry(call).or_default();
                    assert!(!seen.contains(&body), "an INFO was reported twice");
                    seen.push(body);
                }
                UaEvent::Ended { call, cause } => {
                    self.calls.insert(call, true);
                    self.by.insert(call, cause);
                }
                _ => {}
            }
        }
    }

    fn act(&mut self, now: Duration) {
        self.todo.sort_by_key(|(at, _)| *at);
        while self.todo.first().is_some_and(|(at, _)| *at <= now) {
            let (_, action) = self.todo.remove(0);
            let sdp = b"v=0\r\n".to_vec();
            match action {
                Action::Ring(c) => self.ua.ring(now, c),
                Action::Early(c) => self.ua.ring_with_media(now, c, sdp),
                Action::Answer(c) => self.ua.answer(now, c, sdp),
                Action::Reject(c, status) => self.ua.reject(now, c, status, None),
                Action::HangUp(c) => self.ua.hang_up(now, c, None),
                Action::Info(c) => {
                    self.info_sent += 1;
                    let body = format!("Signal={}", self.info_sent);
                    let _ = self
                        .ua
                        .send_info(now, c, "application/dtmf-relay", body.as_bytes());
                }
                Action::Reinvite(c) => drop(self.ua.reinvite(now, c, sdp)),
                Action::Update(c) => drop(self.ua.update(now, c, sdp)),
                Action::AnswerOffer(c, o) => self.ua.answer_offer(now, c, o, sdp),
                Action::RejectOffer(c, o) => self.ua.reject_offer(now, c, o, 488),
            }
        }
    }
}

fn call_of(event: &UaEvent) -> Option<CallId> {
    match event {
        UaEvent::Incoming { call, .. }
        | UaEvent::Provisional { call, .. }
        | UaEvent::Answered { call, .. }
        | UaEvent::Confirmed { call }
        | UaEvent::AckSdp { call, .. }
        | UaEvent::Offer { call, .. }
        | UaEvent::OfferlessReinvite { call, .. }
        | UaEvent::OfferWithdrawn { call, .. }
        | UaEvent::OfferAccepted { call, .. }
        | UaEvent::OfferRejected { call, .. }
        | UaEvent::Info { call, .. }
        | UaEvent::Ended { call, .. } => Some(*call),
        _ => None,
    }
}

/// One schedule; returns how many calls were answered.
fn schedule(number: u64, loss: u32, calls: u32) -> u32 {
    let mut net = Network::new(number);
    net.loss_percent = loss;
    net.duplicate_percent = net.rng.next_u32() % 30;
    net.delay_ms = (1, 1 + net.rng.next_u32() % 900);
    let mut a = User::new(agent(A, B, false, number));
    let mut b = User::new(agent(B, A, false, number + 1_000_000));
    for _ in 0..calls {
        let user = if net.below(2) == 0 { &mut a } else { &mut b };
        let mut request = call_to("42");
        if net.below(4) == 0 {
            request.sdp_offer.clear();
        }
        let call = user.ua.invite(net.now, 0, request).unwrap();
        user.calls.insert(call, false);
        let within = [300, 3000, 15_000][net.below(3) as usize];
        if net.below(2) == 0 {
            user.plan(&mut net, within, Action::HangUp(call));
        }
        // An unanswered call is not waited for longer than a visitor would.
        user.todo.push((net.now + secs(60), Action::HangUp(call)));
    }
    net.collect(&mut [(addr(A), &mut a.ua), (addr(B), &mut b.ua)]);
    let end = secs(1200);
    loop {
        let plans = a.todo.iter().chain(&b.todo).map(|(at, _)| *at).min();
        let next = {
            let nodes: &mut [(_, &mut dyn Node)] =
                &mut [(addr(A), &mut a.ua), (addr(B), &mut b.ua)];
            net.next(nodes).into_iter().chain(plans).min()
        };
        let Some(at) = next.filter(|at| *at <= end) else {
            break;
        };
        net.step(
            at.max(net.now),
            &mut [(addr(A), &mut a.ua), (addr(B), &mut b.ua)],
        );
        a.act(net.now);
        b.act(net.now);
        a.react(&mut net);
        b.react(&mut net);
        net.collect(&mut [(addr(A), &mut a.ua), (addr(B), &mut b.ua)]);
    }
    for (name, user) in [("a", &a), ("b", &b)] {
        let open: Vec<_> = user.calls.iter().filter(|(_, over)| !**over).collect();
        assert!(
            open.is_empty(),
            "schedule {number}: {name} has open calls {open:?}"
        );
        assert_eq!(
            user.ua.call_count(),
            0,
            "schedule {number}: {name} leaks calls"
        );
        assert_eq!(
            user.ua.transaction_count(),
            0,
            "schedule {number}: {name} leaks transactions"
        );
        assert_eq!(
            user.ua.next_deadline(),
            None,
            "schedule {number}: {name} has timers left"
        );
    }
    a.answered + b.answered
}

#[test]
fn every_call_ends_on_a_reordering_network() {
    let answered: u32 = (0..4000).map(|n| schedule(n, 0, 1 + (n % 3) as u32)).sum();
    assert!(answered > 6000, "{answered}");
}

#[test]
fn every_call_ends_on_a_lossy_network() {
    let answered: u32 = (10_000..16_000)
        .map(|n| schedule(n, (n % 40) as u32, 2))
        .sum();
    assert!(answered > 6000, "{answered}");
}

#[test]
fn every_call_ends_on_a_dead_network() {
    for number in 20_000..20_100 {
        schedule(number, 95, 3);
    }
}
