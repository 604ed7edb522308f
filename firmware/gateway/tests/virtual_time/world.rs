//! A whole building in virtual time: panel, line, gateway, network, PBX and phone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use call::{Event, RecordId};
use config::Config;
use line_interface::{CardInfo, DriveBlock, Profile, SenseBlock};
use line_simulation::{PanelEvent, Script as VisitorScript, Simulation};
use phone::{Algorithm, Phone, PhoneConfig, PhoneEvent, PhoneTransmit, Script};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use trubka_gateway::{Gateway, Output, Setup};

pub(crate) const BLOCK: Duration = Duration::from_millis(10);
pub(crate) const GATEWAY_SIP: &str = "127.77.0.1:5060";
pub(crate) const PBX_SIP: &str = "127.77.0.2:5060";
pub(crate) const GATEWAY_RTP: &str = "127.77.0.1:16384";
pub(crate) const PHONE_RTP: &str = "127.77.0.2:4000";

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// How the network treats datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Up to so much is added at random, which reorders.
    pub(crate) jitter: Duration,
    /// Per mille.
    pub(crate) loss: u32,
    /// Per mille.
    pub(crate) duplicates: u32,
}

/// How the disk treats records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    TakesIn(Duration),
    /// Never answers.
    Stuck,
}

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

pub(crate) struct Options {
    pub(crate) brand: &'static str,
    pub(crate) phone: Script,
    pub(crate) weather: Weather,
    pub(crate) disk: Disk,
    pub(crate) seed: u64,
    /// Lines added to the end of the configuration.
    pub(crate) config: &'static str,
    /// Keys of the route.
    pub(crate) route: &'static str,
    pub(crate) visitor: VisitorScript,
    pub(crate) algorithms: Vec<Algorithm>,
    /// Spread of the parts of panel and handset, 0 for nominal ones.
    pub(crate) spread: f32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            brand: "vizit",
            phone: Script::answer_and_press(ms(400), seconds(3), '9'),
            weather: Weather {
                delay: ms(1),
                ..Weather::default()
            },
            disk: Disk::TakesIn(ms(5)),
            seed: 1,
            config: "",
            route: "",
            visitor: VisitorScript::default(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            spread: 0.0,
        }
    }
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) gateway: Gateway,
    pub(crate) panel: Simulation,
    pub(crate) phone: Phone,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) journal: Vec<(Duration, Event)>,
    pub(crate) verdicts: Vec<(Duration, PanelEvent)>,
    pub(crate) phone_events: Vec<(Duration, PhoneEvent)>,
    pub(crate) heard_by_visitor: Vec<i16>,
    pub(crate) weather: Weather,
    pub(crate) disk: Disk,
    pub(crate) pbx_up: bool,
    pub(crate) card_up: bool,
    pub(crate) drive: DriveBlock,
    pub(crate) sent_by_gateway: Vec<(Duration, Vec<u8>)>,
    sense: SenseBlock,
    next_block: Duration,
    air: BinaryHeap<Reverse<(Duration, u64, usize)>>,
    flights: Vec<Option<Flight>>,
    records: Vec<(Duration, RecordId)>,
    sequence: u64,
    random: ChaCha12Rng,
}

pub(crate) fn config(options: &Options) -> Config {
    let text = format!(
        "[sip]\nlisten = \"{GATEWAY_SIP}\"\n\
         [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"{PBX_SIP}\"\npassword = \"secret\"\n\
         [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
         [[line]]\nname = \"apt42\"\ncard = \"card\"\nprofile = \"{}\"\napartment = 42\n\
         [[route]]\napartment = 42\ntargets = [\"400\"]\n{}\n\
         {}",
        options.brand, options.route, options.config
    );
    Config::parse(&text, "world.toml").unwrap_or_else(|problems| {
        panic!(
            "{}",
            problems
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    pub(crate) fn new(options: Options) -> World {
        let config = config(&options);
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&options.seed.to_le_bytes());
        let rtp: SocketAddr = address(GATEWAY_RTP);
        let slots: Vec<SocketAddr> = (0..4)
            .map(|slot| SocketAddr::new(rtp.ip(), rtp.port() + 2 * slot))
            .collect();
        let setup = Setup {
            profiles: config
                .lines
                .iter()
                .map(|line| Profile::builtin(&line.profile).unwrap())
                .collect(),
            registrars: vec![Some(address(PBX_SIP))],
            sip_local: address(GATEWAY_SIP),
            rtp_local: slots,
            seed,
            config,
        };
        let mut panel = line_simulation::Setup::brand(options.brand).unwrap();
        panel.seed = seed;
        if options.spread > 0.0 {
            panel = panel.spread(seed, options.spread);
        }
        let phone = Phone::new(PhoneConfig {
            sip_local: address(PBX_SIP),
            rtp_local: address(PHONE_RTP),
            extension: "400".into(),
            gateway: "600".into(),
            password: "secret".into(),
            algorithms: options.algorithms,
            script: options.phone,
            seed: seed.map(|byte| byte ^ 0x55),
        });
        let mut world = World {
            now: Duration::ZERO,
            gateway: Gateway::new(setup),
            panel: Simulation::new(panel, options.visitor).unwrap(),
            phone,
            events: Vec::new(),
            journal: Vec::new(),
            verdicts: Vec::new(),
            phone_events: Vec::new(),
            heard_by_visitor: Vec::new(),
            weather: options.weather,
            disk: options.disk,
            pbx_up: true,
            card_up: true,
            drive: DriveBlock::default(),
            sent_by_gateway: Vec::new(),
            sense: SenseBlock::default(),
            next_block: BLOCK,
            air: BinaryHeap::new(),
            flights: Vec::new(),
            records: Vec::new(),
            sequence: 0,
            random: ChaCha12Rng::from_seed(seed),
        };
        world.gateway.card_present(
            Duration::ZERO,
            0,
            &CardInfo {
                name: "virtual".into(),
                lines: 1,
            },
        );
        world.gateway.start(Duration::ZERO);
        world.collect();
        world
    }

    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        self.random.next_u32() % 1000 < per_mille
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.random.next_u64() % limit.max(1)
    }

    fn send(&mut self, to: Port, source: SocketAddr, payload: Vec<u8>) {
        let weather = self.weather;
        let copies =
            u32::from(!self.chance(weather.loss)) + u32::from(self.chance(weather.duplicates));
        for _ in 0..copies {
            let extra = self.below(weather.jitter.as_micros() as u64 + 1);
            let at = self.now + weather.delay + Duration::from_micros(extra);
            self.inject_at(at, to, source, payload.clone());
        }
    }

    /// Puts a datagram on the network that arrives at `at`, whoever sent it.
    pub(crate) fn inject_at(
        &mut self,
        at: Duration,
        to: Port,
        source: SocketAddr,
        payload: Vec<u8>,
    ) {
        self.sequence += 1;
        self.flights.push(Some(Flight {
            to,
            source,
            payload,
        }));
        self.air
            .push(Reverse((at, self.sequence, self.flights.len() - 1)));
    }

    /// Advances by the smallest step that something wants.
    pub(crate) fn step(&mut self) {
        let mut next = self.next_block;
        let record = self.records.iter().map(|(at, _)| *at).min();
        let flight = self.air.peek().map(|Reverse((at, _, _))| *at);
        let deadlines = [
            record,
            flight,
            self.gateway.next_deadline(),
            self.phone.next_deadline().filter(|_| self.pbx_up),
        ];
        for at in deadlines.into_iter().flatten() {
            next = next.min(at);
        }
        self.now = self.now.max(next);
        self.deliver();
        if self
            .gateway
            .next_deadline()
            .is_some_and(|at| at <= self.now)
        {
            self.gateway.handle_timeout(self.now);
        }
        self.collect();
        if self.pbx_up && self.phone.next_deadline().is_some_and(|at| at <= self.now) {
            self.phone.handle_timeout(self.now);
        }
        self.collect();
        if self.now >= self.next_block {
            self.block();
        }
        self.collect();
    }

    fn block(&mut self) {
        self.next_block += BLOCK;
        self.panel.step(&self.drive, &mut self.sense);
        let heard: Vec<i16> = self.panel.heard_by_visitor().collect();
        self.heard_by_visitor.extend(heard);
        if self.card_up {
            let mut drive = [self.drive];
            self.gateway
                .handle_block(self.now, 0, std::slice::from_ref(&self.sense), &mut drive);
            self.drive = drive[0];
        } else {
            self.drive = DriveBlock::default();
        }
    }

    fn deliver(&mut self) {
        while self
            .air
            .peek()
            .is_some_and(|Reverse((at, _, _))| *at <= self.now)
        {
            let Some(Reverse((_, _, index))) = self.air.pop() else {
                break;
            };
            let Some(flight) = self.flights[index].take() else {
                continue;
            };
            let (now, source) = (self.now, flight.source);
            match flight.to {
                Port::GatewaySip => self.gateway.handle_sip(now, source, &flight.payload),
                Port::GatewayRtp { slot, rtcp } => {
                    self.gateway
                        .handle_rtp(now, slot, rtcp, source, &flight.payload)
                }
                Port::PhoneSip if self.pbx_up => {
                    self.phone.handle_sip(now, source, &flight.payload)
                }
                Port::PhoneRtp { rtcp } if self.pbx_up => {
                    self.phone.handle_rtp(now, rtcp, source, &flight.payload)
                }
                _ => {}
            }
            self.collect();
        }
        if self.air.is_empty() {
            self.flights.clear();
        }
        let due: Vec<RecordId> = self
            .records
            .iter()
            .filter(|(at, _)| *at <= self.now)
            .map(|(_, record)| *record)
            .collect();
        self.records.retain(|(at, _)| *at > self.now);
        for record in due {
            self.gateway.journal_done(self.now, record);
        }
    }

    fn collect(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Sip(transmit) => {
                    self.sent_by_gateway
                        .push((self.now, transmit.payload.clone()));
                    if transmit.destination == address(PBX_SIP) {
                        self.send(Port::PhoneSip, address(GATEWAY_SIP), transmit.payload);
                    }
                }
                Output::Rtp {
                    slot,
                    rtcp,
                    payload,
                    ..
                } => {
                    let base = address(GATEWAY_RTP);
                    let port = base.port() + 2 * slot as u16 + u16::from(rtcp);
                    self.send(
                        Port::PhoneRtp { rtcp },
                        SocketAddr::new(base.ip(), port),
                        payload,
                    );
                }
                Output::Record { record, event } => {
                    if let Disk::TakesIn(delay) = self.disk {
                        self.records.push((self.now + delay, record));
                    }
                    self.journal.push((self.now, event.clone()));
                    self.events.push((self.now, event));
                }
                Output::Event(event) => self.events.push((self.now, event)),
                Output::TestCallDone { .. } => {}
            }
        }
        while let Some(transmit) = self.phone.poll_transmit() {
            match transmit {
                PhoneTransmit::Sip {
                    destination,
                    payload,
                } if destination == address(GATEWAY_SIP) => {
                    self.send(Port::GatewaySip, address(PBX_SIP), payload);
                }
                PhoneTransmit::Sip { .. } => {}
                PhoneTransmit::Rtp {
                    destination,
                    payload,
                    ..
                } => {
                    let offset = destination.port().wrapping_sub(address(GATEWAY_RTP).port());
                    let source = address(PHONE_RTP);
                    let rtcp = offset % 2 == 1;
                    let source = SocketAddr::new(source.ip(), source.port() + u16::from(rtcp));
                    self.send(
                        Port::GatewayRtp {
                            slot: usize::from(offset / 2),
                            rtcp,
                        },
                        source,
                        payload,
                    );
                }
            }
        }
        while let Some(event) = self.phone.poll_event() {
            self.phone_events.push((self.now, event));
        }
        while let Some(stamped) = self.panel.poll_event() {
            self.verdicts.push((self.now, stamped.event));
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Runs until the condition holds; panics with the story when it does not within `limit`.
    pub(crate) fn run_until(
        &mut self,
        what: &str,
        limit: Duration,
        mut done: impl FnMut(&World) -> bool,
    ) {
        let end = self.now + limit;
        while !done(self) {
            assert!(
                self.now < end,
                "waited {limit:?} for: {what}\n{}",
                self.story()
            );
            self.step();
        }
    }

    pub(crate) fn happened(&self, name: &str) -> usize {
        self.events
            .iter()
            .filter(|(_, event)| event.name() == name)
            .count()
    }

    pub(crate) fn saw(&self, verdict: PanelEvent) -> usize {
        self.verdicts
            .iter()
            .filter(|(_, event)| *event == verdict)
            .count()
    }

    pub(crate) fn time_of(&self, name: &str) -> Option<Duration> {
        self.events
            .iter()
            .find(|(_, event)| event.name() == name)
            .map(|(at, _)| *at)
    }

    pub(crate) fn phase(&self) -> String {
        self.gateway.line_statuses()[0].phase.clone()
    }

    pub(crate) fn wait_registered(&mut self) {
        self.run_until("registration", seconds(40), |world| {
            world.gateway.account_statuses()[0].state == "registered"
        });
    }

    /// Everything that happened, for the message of a failed test.
    pub(crate) fn story(&self) -> String {
        let mut lines: Vec<(Duration, String)> = Vec::new();
        lines.extend(
            self.events
                .iter()
                .map(|(at, event)| (*at, format!("gateway {event:?}"))),
        );
        lines.extend(
            self.verdicts
                .iter()
                .map(|(at, event)| (*at, format!("panel   {event:?}"))),
        );
        lines.extend(
            self.phone_events
                .iter()
                .map(|(at, event)| (*at, format!("phone   {event:?}"))),
        );
        lines.sort_by_key(|(at, _)| *at);
        let status = &self.gateway.line_statuses()[0];
        let text: Vec<String> = lines
            .iter()
            .map(|(at, line)| format!("{:>9.3} {line}", at.as_secs_f64()))
            .collect();
        format!("{}\nnow {:?}: {status:?}", text.join("\n"), self.now)
    }
}
