//! Two sessions and the network between them, in virtual time.

#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use trubka_media::{MediaEvent, MediaTransmit, Session, SessionConfig, TransmitKind};

pub const TICK: Duration = Duration::from_micros(500);

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([127, 77, 0, host], port))
}

/// A share of 0..1 from a generator.
pub fn unit(random: &mut ChaCha12Rng) -> f64 {
    f64::from(random.next_u32()) / 4_294_967_296.0
}

/// What a network does to packets, one way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions {
    pub delay_ms: f64,
    /// Added to the delay, uniform in 0..jitter; packets may overtake each other.
    pub jitter_ms: f64,
    pub loss: f64,
    pub copies: f64,
    /// Share of packets held back by 25 ms, so that the next one overtakes them.
    pub reorder: f64,
    /// From..to, ms: packets sent in this stretch all arrive at its end.
    pub spike: Option<(u64, u64)>,
}

pub struct Network {
    pub conditions: Conditions,
    random: ChaCha12Rng,
    flying: Vec<(Duration, SocketAddr, MediaTransmit)>,
    pub sent: u64,
}

impl Network {
    pub fn new(conditions: Conditions, seed: u8) -> Network {
        let random = ChaCha12Rng::from_seed([seed; 32]);
        Network {
            conditions,
            random,
            flying: Vec::new(),
            sent: 0,
        }
    }

    pub fn send(&mut self, now: Duration, source: SocketAddr, transmit: MediaTransmit) {
        self.sent += 1;
        if unit(&mut self.random) < self.conditions.loss {
            return;
        }
        let copies = if unit(&mut self.random) < self.conditions.copies {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let mut delay = self.conditions.delay_ms;
            delay += unit(&mut self.random) * self.conditions.jitter_ms;
            if unit(&mut self.random) < self.conditions.reorder {
                delay += 25.0;
            }
            let mut at = now + Duration::from_secs_f64(delay / 1000.0);
            if let Some((from, to)) = self.conditions.spike
                && now >= ms(from)
                && now < ms(to)
            {
                at = at.max(ms(to));
            }
            self.flying.push((at, source, transmit.clone()));
        }
    }

    fn arrived(&mut self, now: Duration) -> Vec<(SocketAddr, MediaTransmit)> {
        let mut due: Vec<_> = self
            .flying
            .extract_if(.., |(at, _, _)| *at <= now)
            .collect();
        due.sort_by_key(|(at, _, _)| *at);
        due.into_iter()
            .map(|(_, source, transmit)| (source, transmit))
            .collect()
    }
}

/// One side of a call.
pub struct Side {
    pub session: Session,
    pub address: SocketAddr,
    pub events: Vec<(Duration, MediaEvent)>,
    /// Everything pulled, 10 ms blocks one after the other.
    pub heard: Vec<i16>,
    pub pulls: Vec<Duration>,
    /// Offset of this side's 10 ms clock.
    pub phase: Duration,
    /// Length of this side's 10 ms, to make its clock run fast or slow.
    pub block: Duration,
    next_block: Duration,
    pushed: u64,
    /// Gives sample `n` since the start.
    pub voice: fn(u64) -> i16,
    /// Counts of payload types sent.
    pub sent: Vec<(Duration, MediaTransmit)>,
}

impl Side {
    pub fn new(config: SessionConfig, seed: u8) -> Side {
        let address = config.rtp_local;
        Side {
            session: Session::new(config, [seed; 32]),
            address,
            events: Vec::new(),
            heard: Vec::new(),
            pulls: Vec::new(),
            phase: Duration::ZERO,
            block: ms(10),
            next_block: Duration::ZERO,
            pushed: 0,
            voice: |_| 0,
            sent: Vec::new(),
        }
    }

    pub fn digits(&self) -> String {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                MediaEvent::Digit { digit, .. } => Some(*digit),
                _ => None,
            })
            .collect()
    }
}

pub struct Call {
    pub a: Side,
    pub b: Side,
    pub to_a: Network,
    pub to_b: Network,
    pub now: Duration,
}

impl Call {
    /// An answered call between two default sessions.
    pub fn new(conditions: Conditions, seed: u8) -> Call {
        let a = Side::new(SessionConfig::new(address(1, 4000)), seed);
        let b = Side::new(SessionConfig::new(address(2, 6000)), seed.wrapping_add(1));
        Call::between(a, b, conditions, seed)
    }

    pub fn between(a: Side, b: Side, conditions: Conditions, seed: u8) -> Call {
        let mut call = Call {
            a,
            b,
            to_a: Network::new(conditions, seed ^ 0x55),
            to_b: Network::new(conditions, seed ^ 0xaa),
            now: Duration::ZERO,
        };
        call.negotiate();
        call.a.session.start(call.now);
        call.b.session.start(call.now);
        call.a.next_block = call.a.phase;
        call.b.next_block = call.b.phase;
        call
    }

    pub fn negotiate(&mut self) {
        let offer = self.a.session.create_offer();
        let answer = self.b.session.answer_offer(self.now, &offer).unwrap();
        self.a.session.accept_answer(self.now, &answer).unwrap();
    }

    pub fn run_until(&mut self, end: Duration) {
        while self.now < end {
            self.step();
        }
    }

    pub fn step(&mut self) {
        self.now += TICK;
        let now = self.now;
        for (side, network) in [(&mut self.a, &mut self.to_a), (&mut self.b, &mut self.to_b)] {
            for (source, transmit) in network.arrived(now) {
                match transmit.kind {
                    TransmitKind::Rtp => side.session.handle_rtp(now, source, &transmit.payload),
                    TransmitKind::Rtcp => side.session.handle_rtcp(now, source, &transmit.payload),
                }
            }
        }
        for (side, network) in [(&mut self.a, &mut self.to_b), (&mut self.b, &mut self.to_a)] {
            while side.next_block <= now {
                let samples = std::array::from_fn(|i| (side.voice)(side.pushed + i as u64));
                side.pushed += 80;
                side.session.push_audio(now, &samples);
                let mut out = [0; 80];
                side.session.pull_audio(now, &mut out);
                side.pulls.push(now);
                side.heard.extend_from_slice(&out);
                side.next_block += side.block;
            }
            if side.session.next_deadline().is_some_and(|due| due <= now) {
                side.session.handle_timeout(now);
            }
            while let Some(transmit) = side.session.poll_transmit() {
                let source = match transmit.kind {
                    TransmitKind::Rtp => side.address,
                    TransmitKind::Rtcp => {
                        SocketAddr::new(side.address.ip(), side.address.port() + 1)
                    }
                };
                side.sent.push((now, transmit.clone()));
                network.send(now, source, transmit);
            }
            while let Some(event) = side.session.poll_event() {
                side.events.push((now, event));
            }
        }
    }
}

/// A plain RTP packet.
pub fn rtp(
    pt: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut out = vec![0x80, pt | if marker { 0x80 } else { 0 }];
    out.extend(sequence.to_be_bytes());
    out.extend(timestamp.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    out.extend(payload);
    out
}

/// A voice-like signal: 125 Hz with harmonics and a slow swell.
pub fn voice(n: u64) -> i16 {
    let t = n as f64 / 8000.0;
    let swell = 0.6 + 0.4 * (std::f64::consts::TAU * 3.0 * t).sin();
    let wave: f64 = [(1.0, 1.0), (2.0, 0.6), (3.0, 0.8), (4.0, 0.3), (7.0, 0.2)]
        .iter()
        .map(|(harmonic, weight)| weight * (std::f64::consts::TAU * 125.0 * harmonic * t).sin())
        .sum();
    (wave * swell * 4000.0) as i16
}
