//! A whole building in virtual time: panel, line, gateway, network, PBX and phone.

mod forge;
mod headset;
mod network;
mod options;
mod promises;
mod story;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use call::{Event, RecordId};
use line_interface::switch::Cell;
use line_interface::{CardInfo, Drive, DriveBlock, SenseBlock};
use line_simulation::{Fault, LineModel, PanelEvent};
use phone::{Phone, PhoneConfig, PhoneEvent};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use trubka_gateway::{Gateway, Setup, SipServer, line_plan};

pub(crate) use forge::{Dialog, EventPacket, outside_request};
pub(crate) use network::{Port, Verdict};
pub(crate) use options::{Disk, Options, Topology, Weather, answers, never_answers, presses};
use promises::Promises;

pub(crate) const BLOCK: Duration = Duration::from_millis(10);
pub(crate) const GATEWAY_SIP: &str = "127.77.0.1:5060";
pub(crate) const PBX_SIP: &str = "127.77.0.2:5060";
pub(crate) const GATEWAY_RTP: &str = "127.77.0.1:16384";
pub(crate) const PHONE_RTP: &str = "127.77.0.2:4000";
/// Somebody who has no business here.
pub(crate) const STRANGER: &str = "127.77.0.66:5060";

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) gateway: Gateway,
    pub(crate) panel: Box<dyn LineModel>,
    pub(crate) phone: Phone,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) journal: Vec<(Duration, Event)>,
    pub(crate) verdicts: Vec<(Duration, PanelEvent)>,
    pub(crate) phone_events: Vec<(Duration, PhoneEvent)>,
    pub(crate) heard_by_visitor: Vec<i16>,
    /// What our codec played to the line and what it heard in the same time, while sound is kept.
    pub(crate) line_played: Vec<i16>,
    pub(crate) line_heard: Vec<i16>,
    /// What do-not-disturb was to be kept as, oldest first.
    pub(crate) kept: Vec<bool>,
    pub(crate) echo_paths: std::collections::BTreeMap<u16, dsp::echo::EchoPath>,
    pub(crate) weather: Weather,
    pub(crate) disk: Disk,
    pub(crate) pbx_up: bool,
    pub(crate) card_up: bool,
    /// The card's watchdog holds.
    pub(crate) card_holds: bool,
    pub(crate) drive: DriveBlock,
    pub(crate) network: network::Network,
    pub(crate) promises: Promises,
    phone_config: PhoneConfig,
    /// Without checks the bench sees the gateway's own time.
    pub(crate) checking: bool,
    /// Wall time spent in the simulated panel and line, and in phone and PBX.
    pub(crate) spent: [Duration; 2],
    pub(crate) topology: Topology,
    keep_sound: bool,
    headset: headset::Headset,
    sense: SenseBlock,
    next_block: Duration,
    records: Vec<(Duration, RecordId)>,
    random: ChaCha12Rng,
}

impl World {
    pub(crate) fn new(options: Options) -> World {
        let config = options.config();
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&options.seed.to_le_bytes());
        let rtp: SocketAddr = address(GATEWAY_RTP);
        let slots: Vec<SocketAddr> = (0..4)
            .map(|slot| SocketAddr::new(rtp.ip(), rtp.port() + 2 * slot))
            .collect();
        let promises = Promises::new(&config, options.handset);
        // Every account's server is known by its address.
        let server = |account: &config::Account| SipServer {
            address: account.registrar.socket_addr(5060).unwrap(),
            backup: false,
        };
        let registrars = config.accounts.iter().map(|one| vec![server(one)]);
        let registrars = registrars.collect();
        let setup = Setup {
            plans: config
                .lines
                .iter()
                .map(|line| line_plan(&config, line, |_| unreachable!()).unwrap())
                .collect(),
            registrars,
            sip_local: address(GATEWAY_SIP),
            public: None,
            stun_server: None,
            sip_local_ipv6: None,
            rtp_local: slots,
            rtp_local_ipv6: Vec::new(),
            seed,
            config,
        };
        let panel = options.building(seed);
        let phone_config = PhoneConfig {
            sip_local: address(PBX_SIP),
            rtp_local: address(PHONE_RTP),
            extension: "400".into(),
            gateway: "600".into(),
            password: options.password.into(),
            algorithms: options.algorithms,
            script: options.phone,
            seed: seed.map(|byte| byte ^ 0x55),
            encryption: options.phone_encryption,
            codecs: options.phone_codecs,
        };
        let mut world = World {
            now: Duration::ZERO,
            gateway: Gateway::new(setup),
            panel,
            phone: Phone::new(phone_config.clone()),
            events: Vec::new(),
            journal: Vec::new(),
            verdicts: Vec::new(),
            phone_events: Vec::new(),
            heard_by_visitor: Vec::new(),
            line_played: Vec::new(),
            line_heard: Vec::new(),
            kept: Vec::new(),
            echo_paths: std::collections::BTreeMap::new(),
            weather: options.weather,
            disk: options.disk,
            pbx_up: true,
            card_up: false,
            card_holds: true,
            drive: DriveBlock::default(),
            network: network::Network::default(),
            promises,
            phone_config,
            checking: true,
            spent: [Duration::ZERO; 2],
            topology: options.topology,
            keep_sound: options.keep_sound,
            headset: headset::Headset::default(),
            sense: SenseBlock::default(),
            next_block: BLOCK,
            records: Vec::new(),
            random: ChaCha12Rng::from_seed(seed),
        };
        world.return_card();
        world.gateway.start(Duration::ZERO);
        world.collect();
        world
    }

    pub(crate) fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.random.next_u32() % 1000 < per_mille
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.random.next_u64() % limit.max(1)
    }

    /// The card's watchdog releases everything; the gateway learns of the loss at once.
    pub(crate) fn lose_card(&mut self) {
        if std::mem::replace(&mut self.card_up, false) {
            self.drive = DriveBlock::default();
            self.gateway.card_lost(self.now, 0, "unplugged");
            self.collect();
            let status = &self.gateway.line_statuses()[0];
            assert_eq!((&*status.load, &*status.relay), ("off", "through"));
        }
    }

    pub(crate) fn return_card(&mut self) {
        if !std::mem::replace(&mut self.card_up, true) {
            let info = CardInfo {
                name: "virtual".into(),
                lines: vec![self.panel.kind()],
            };
            self.gateway.card_present(self.now, 0, &info);
            self.collect();
        }
    }

    /// The gateway gets no time while the world goes on: the card's watchdog lets go after 100 ms,
    /// sooner than any real one, blocks wait and then come all at once, and after 2.5 s the
    /// card cuts the gateway off.
    pub(crate) fn stall(&mut self, time: Duration) {
        let end = self.now + time;
        let mut waiting = Vec::new();
        let mut silent_ms = 0;
        self.drive.audio.fill(0);
        while self.next_block <= end {
            self.next_block += BLOCK;
            if silent_ms >= 100 || !self.card_up {
                self.card_holds = false;
                self.drive = DriveBlock::default();
            }
            silent_ms += 10;
            self.panel.step(&self.drive, &mut self.sense);
            self.panel.heard_by_visitor();
            if !self.card_holds {
                self.sense.applied = None;
            }
            if self.card_up && waiting.len() < 250 {
                waiting.push(self.sense.clone());
            }
        }
        self.now = end;
        self.promises.stalled(end, silent_ms > 100);
        let cut_off = waiting.len() == 250;
        for sense in waiting {
            let mut drive = [self.drive];
            let sense = std::slice::from_ref(&sense);
            self.gateway.handle_block(end, 0, sense, &mut drive);
            self.drive = drive[0];
            self.collect();
        }
        if cut_off {
            self.lose_card();
            self.return_card();
        }
        self.check_promises(true);
    }

    /// The PBX comes up anew and knows neither registrations nor calls.
    pub(crate) fn restart_pbx(&mut self) {
        self.phone_config.seed[31] = self.phone_config.seed[31].wrapping_add(1);
        self.phone = Phone::new(self.phone_config.clone());
        self.pbx_up = true;
    }

    /// The old handset goes up or down.
    pub(crate) fn lift(&mut self) {
        self.panel.lift_handset();
        self.promises.lifted(self.now, self.panel.panel_state());
    }

    pub(crate) fn replace(&mut self) {
        self.panel.replace_handset();
        self.promises.replaced();
    }

    /// Something breaks on the wires.
    pub(crate) fn break_line(&mut self, fault: Fault) {
        self.panel.inject(fault);
        self.promises.broken(true);
        // To the panel a broken wire looks like a pressed button; nobody can help that.
        if matches!(fault, Fault::RiserOpen | Fault::Open | Fault::Reversed) {
            self.promises.without_key += 1;
        }
    }

    pub(crate) fn mend_line(&mut self) {
        self.panel.clear_faults();
        self.promises.broken(false);
    }

    /// The resident holds or releases the old handset's button.
    pub(crate) fn hold_button(&mut self, down: bool) {
        self.promises.button(down);
        self.panel.press_handset_button(down);
    }

    /// Advances by the smallest step that something wants.
    pub(crate) fn step(&mut self) {
        let mut next = self.next_block;
        let record = self.records.iter().map(|(at, _)| *at).min();
        let deadlines = [
            record,
            self.network.next(),
            self.gateway.next_deadline(),
            self.phone.next_deadline().filter(|_| self.pbx_up),
        ];
        for at in deadlines.into_iter().flatten() {
            next = next.min(at);
        }
        self.now = self.now.max(next);
        self.deliver();
        self.write_records();
        if self
            .gateway
            .next_deadline()
            .is_some_and(|at| at <= self.now)
        {
            self.gateway.handle_timeout(self.now);
        }
        self.collect();
        if self.pbx_up && self.phone.next_deadline().is_some_and(|at| at <= self.now) {
            let begun = Instant::now();
            self.phone.handle_timeout(self.now);
            self.spent[1] += begun.elapsed();
        }
        self.collect();
        let block = self.now >= self.next_block;
        if block {
            self.block();
        }
        self.collect();
        if self.checking {
            self.check_promises(block);
        }
    }

    fn write_records(&mut self) {
        let now = self.now;
        if !self.records.iter().any(|(at, _)| *at <= now) {
            return;
        }
        let records = std::mem::take(&mut self.records);
        let (due, later): (Vec<_>, Vec<_>) = records.into_iter().partition(|(at, _)| *at <= now);
        self.records = later;
        for (_, record) in due {
            self.promises.written(record);
            self.gateway.journal_done(now, record);
            self.collect();
        }
    }

    fn block(&mut self) {
        self.next_block += BLOCK;
        if !self.card_up {
            self.drive = DriveBlock::default();
        }
        self.card_holds |= self.drive.drive == Drive::SAFE;
        let driven = if self.card_holds {
            self.drive
        } else {
            DriveBlock::default()
        };
        let begun = Instant::now();
        self.panel.step(&driven, &mut self.sense);
        if !self.card_holds {
            self.sense.applied = None;
        }
        self.spent[0] += begun.elapsed();
        let heard = self.panel.heard_by_visitor();
        if self.keep_sound {
            self.heard_by_visitor.extend(heard);
            self.line_played.extend(self.drive.audio);
            self.line_heard.extend(self.sense.audio);
        }
        if self.card_up {
            let mut drive = [self.drive];
            self.headset.before(&mut self.gateway);
            self.gateway
                .handle_block(self.now, 0, std::slice::from_ref(&self.sense), &mut drive);
            self.drive = drive[0];
            self.headset.after(&self.gateway);
        }
    }

    /// The pair of the switch that the crosspoint is on.
    pub(crate) fn connected(&self) -> Option<Cell> {
        self.drive.connect
    }

    pub(crate) fn driven(&self) -> Drive {
        self.drive.drive
    }

    /// What the card's codec heard in the last block.
    #[allow(dead_code, reason = "the bench asks for it")]
    pub(crate) fn sensed(&self) -> &[i16; 80] {
        &self.sense.audio
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
}
