//! The network between gateway and PBX, and the attacker's place in it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use phone::PhoneTransmit;
use trubka_gateway::Output;

use super::{Disk, GATEWAY_RTP, GATEWAY_SIP, PBX_SIP, PHONE_RTP, World, address};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    GatewaySip,
    GatewayRtp { slot: usize, rtcp: bool },
    PhoneSip,
    PhoneRtp { rtcp: bool },
}

#[derive(Debug, PartialEq, Eq)]
struct Flight {
    to: Port,
    source: SocketAddr,
    payload: Vec<u8>,
}

/// What becomes of a SIP message on its way.
pub(crate) enum Verdict {
    Pass,
    Lose,
    /// It gets through so much later.
    Hold(Duration),
    /// It does not get through; these come back to the gateway from the PBX's address instead.
    Reply(Vec<Vec<u8>>),
    /// The same, each so much later.
    ReplyLater(Vec<(Duration, Vec<u8>)>),
}

/// Sees every SIP message; `true` for one that the gateway sends.
pub(crate) type Watcher = Box<dyn FnMut(bool, &[u8]) -> Verdict>;

#[derive(Default)]
pub(crate) struct Network {
    air: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    flights: Vec<Option<Flight>>,
    sequence: u64,
    /// Every SIP message sent, `true` for the gateway's.
    pub(crate) sip: Vec<(Duration, bool, Vec<u8>)>,
    /// What the gateway sent to others than PBX and phone.
    pub(crate) to_strangers: Vec<(SocketAddr, Vec<u8>)>,
    /// The phone's last RTP packet, with the slot that it went to.
    pub(crate) last_phone_rtp: Option<(usize, Vec<u8>)>,
    pub(crate) gateway_rtp_packets: u64,
    /// Every RTP packet with the time it was sent, `true` for the gateway's, while it is `Some`.
    pub(crate) tap: Option<Vec<(Duration, bool, Vec<u8>)>>,
    /// Every RTP packet that reached the gateway, while it is `Some`.
    pub(crate) arrived: Option<Vec<(Duration, Vec<u8>)>>,
    pub(crate) watcher: Option<Watcher>,
}

impl Network {
    fn put(&mut self, at: Duration, to: Port, source: SocketAddr, payload: Vec<u8>) {
        self.sequence += 1;
        self.flights.push(Some(Flight {
            to,
            source,
            payload,
        }));
        self.air
            .push(Reverse((at, self.sequence, self.flights.len() - 1)));
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.air.peek().map(|Reverse((at, _, _))| *at)
    }

    fn take(&mut self, now: Duration) -> Option<Flight> {
        while self.next().is_some_and(|at| at <= now) {
            let Reverse((_, _, index)) = self.air.pop()?;
            if let Some(flight) = self.flights[index].take() {
                return Some(flight);
            }
        }
        if self.air.is_empty() {
            self.flights.clear();
        }
        None
    }
}

impl World {
    /// Puts a datagram on the network that arrives at once, whoever sent it.
    pub(crate) fn inject(&mut self, to: Port, source: &str, payload: Vec<u8>) {
        let now = self.now;
        self.network.put(now, to, address(source), payload);
        self.deliver();
    }

    fn send(&mut self, to: Port, source: SocketAddr, payload: Vec<u8>) {
        self.send_later(Duration::ZERO, to, source, payload);
    }

    fn send_later(&mut self, later: Duration, to: Port, source: SocketAddr, payload: Vec<u8>) {
        let weather = self.weather;
        let copies =
            u32::from(!self.chance(weather.loss)) + u32::from(self.chance(weather.duplicates));
        for _ in 0..copies {
            let extra = self.below(weather.jitter.as_micros() as u64 + 1);
            let at = self.now + later + weather.delay + Duration::from_micros(extra);
            self.network.put(at, to, source, payload.clone());
        }
    }

    fn send_sip(&mut self, from_gateway: bool, payload: Vec<u8>) {
        self.network
            .sip
            .push((self.now, from_gateway, payload.clone()));
        let verdict = match &mut self.network.watcher {
            Some(watcher) => watcher(from_gateway, &payload),
            None => Verdict::Pass,
        };
        let (to, source) = if from_gateway {
            (Port::PhoneSip, address(GATEWAY_SIP))
        } else {
            (Port::GatewaySip, address(PBX_SIP))
        };
        match verdict {
            Verdict::Pass => self.send(to, source, payload),
            Verdict::Lose => {}
            Verdict::Hold(time) => {
                let at = self.now + self.weather.delay + time;
                self.network.put(at, to, source, payload);
            }
            Verdict::Reply(replies) => {
                for reply in replies {
                    self.send(Port::GatewaySip, address(PBX_SIP), reply);
                }
            }
            Verdict::ReplyLater(replies) => {
                for (later, reply) in replies {
                    self.send_later(later, Port::GatewaySip, address(PBX_SIP), reply);
                }
            }
        }
    }

    pub(super) fn deliver(&mut self) {
        while let Some(flight) = self.network.take(self.now) {
            let (now, source) = (self.now, flight.source);
            match flight.to {
                Port::GatewaySip => self.gateway.handle_sip(now, source, &flight.payload),
                Port::GatewayRtp { slot, rtcp } => {
                    if let Some(arrived) = self.network.arrived.as_mut().filter(|_| !rtcp) {
                        arrived.push((now, flight.payload.clone()));
                    }
                    self.gateway
                        .handle_rtp(now, slot, rtcp, source, &flight.payload);
                }
                Port::PhoneSip if self.pbx_up => {
                    let begun = Instant::now();
                    self.phone.handle_sip(now, source, &flight.payload);
                    self.spent[1] += begun.elapsed();
                }
                Port::PhoneRtp { rtcp } if self.pbx_up => {
                    let begun = Instant::now();
                    self.phone.handle_rtp(now, rtcp, source, &flight.payload);
                    self.spent[1] += begun.elapsed();
                }
                _ => {}
            }
            self.collect();
        }
    }

    /// Carries out what gateway, phone and panel put out.
    pub(super) fn collect(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            self.carry_out(output);
        }
        while let Some(transmit) = self.phone.poll_transmit() {
            self.carry_phone(transmit);
        }
        while let Some(event) = self.phone.poll_event() {
            self.phone_events.push((self.now, event));
        }
        while let Some(stamped) = self.panel.poll_event() {
            self.verdicts.push((self.now, stamped.event));
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Sip(transmit) if transmit.destination == address(PBX_SIP) => {
                self.send_sip(true, transmit.payload);
            }
            Output::Sip(transmit) => self
                .network
                .to_strangers
                .push((transmit.destination, transmit.payload)),
            Output::Rtp {
                slot,
                rtcp,
                destination,
                payload,
            } => {
                let base = address(GATEWAY_RTP);
                let port = base.port() + 2 * slot as u16 + u16::from(rtcp);
                let to = address(PHONE_RTP);
                let to = SocketAddr::new(to.ip(), to.port() + u16::from(rtcp));
                self.network.gateway_rtp_packets += 1;
                if let Some(tap) = self.network.tap.as_mut().filter(|_| !rtcp) {
                    tap.push((self.now, true, payload.clone()));
                }
                if destination == to {
                    let source = SocketAddr::new(base.ip(), port);
                    self.send(Port::PhoneRtp { rtcp }, source, payload);
                } else {
                    self.network.to_strangers.push((destination, payload));
                }
            }
            Output::Record { record, event } => {
                if let Disk::TakesIn(delay) = self.disk {
                    self.records.push((self.now + delay, record));
                }
                self.promises.recorded(self.now, record, &event);
                self.journal.push((self.now, event.clone()));
                self.events.push((self.now, event));
            }
            Output::Event(event) => self.events.push((self.now, event)),
            Output::CloseStream { transport, peer } => {
                self.gateway.stream_closed(self.now, transport, peer);
            }
            Output::TestCallDone { .. } => {}
            Output::KeepEchoPath { apartment, path } => {
                self.echo_paths.insert(apartment, path);
            }
            Output::KeepDoNotDisturb { on } => self.kept.push(on),
        }
    }

    fn carry_phone(&mut self, transmit: PhoneTransmit) {
        match transmit {
            PhoneTransmit::Sip {
                destination,
                payload,
            } if destination == address(GATEWAY_SIP) => self.send_sip(false, payload),
            PhoneTransmit::Sip { .. } => {}
            PhoneTransmit::Rtp {
                destination,
                payload,
                ..
            } => {
                let offset = destination.port().wrapping_sub(address(GATEWAY_RTP).port());
                let rtcp = offset % 2 == 1;
                let slot = usize::from(offset / 2);
                let source = address(PHONE_RTP);
                let source = SocketAddr::new(source.ip(), source.port() + u16::from(rtcp));
                if let Some(tap) = self.network.tap.as_mut().filter(|_| !rtcp) {
                    tap.push((self.now, false, payload.clone()));
                }
                if !rtcp {
                    self.network.last_phone_rtp = Some((slot, payload.clone()));
                }
                self.send(Port::GatewayRtp { slot, rtcp }, source, payload);
            }
        }
    }
}
