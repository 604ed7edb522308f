//! The gateway core: lines, call controller, SIP user agent and media sessions joined, without
//! I/O. Readings, datagrams and `now` go in; drives, datagrams, records and events come out. The
//! daemon and the virtual-time tests drive the very same object.

mod actions;
mod figures;
mod leg;
mod line_slot;
mod media_side;
mod plan;
mod sip_side;
mod snapshot;
mod test_call;
mod voice;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use call::{Cause, Controller, Event, LegId, RecordId, Refusal, Settings};
use config::Config;
use line_interface::{BLOCK_SAMPLES, CardInfo, Drive, DriveBlock, LinePlan, SenseBlock};
use sip::{CallId, UserAgent};

pub use plan::line_plan;

use leg::Leg;
use line_slot::LineSlot;

/// What the core needs besides the configuration.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The checked configuration, passwords filled in.
    pub config: Config,
    /// Profile, switch and addresses of each line, in the order of the configuration.
    pub plans: Vec<LinePlan>,
    /// Registrar address of each account, resolved, in the order of the configuration.
    pub registrars: Vec<Option<SocketAddr>>,
    /// Address under which SIP reaches us.
    pub sip_local: SocketAddr,
    /// Address under which others see our SIP socket, when a NAT changes it; its IP address goes into SDP too.
    pub public: Option<SocketAddr>,
    /// RTP addresses under which audio reaches us; RTCP is one port above each.
    pub rtp_local: Vec<SocketAddr>,
    /// Seed of everything that must not be guessed.
    pub seed: [u8; 32],
}

/// Something for the outside to carry out.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Sip(sip::Transmit),
    /// Send an RTP or RTCP packet.
    Rtp {
        /// Index into [`Setup::rtp_local`].
        slot: usize,
        /// Whether it leaves from the RTCP port.
        rtcp: bool,
        /// Where to.
        destination: SocketAddr,
        /// The packet.
        payload: Vec<u8>,
    },
    /// Write the record durably, then call [`Gateway::journal_done`].
    Record {
        /// Names the record.
        record: RecordId,
        /// What to write.
        event: Event,
    },
    /// Tell the world.
    Event(Event),
    /// A test call is over.
    TestCallDone {
        /// As returned by [`Gateway::test_call`].
        leg: LegId,
        /// The report.
        report: control::reply::TestCall,
    },
}

/// The gateway core.
pub struct Gateway {
    config: Config,
    lines: Vec<LineSlot>,
    cards: Vec<CardSlot>,
    controller: Controller,
    ua: UserAgent,
    legs: BTreeMap<LegId, Leg>,
    calls: HashMap<CallId, LegId>,
    /// The last state told of each account.
    registrations: Vec<&'static str>,
    rtp_local: Vec<SocketAddr>,
    /// Address to write into SDP, when it is not that of `rtp_local`.
    public: Option<std::net::IpAddr>,
    slot_of: Vec<Option<LegId>>,
    /// How often a slot was given away, so that each session gets a seed of its own.
    sessions: u64,
    seed: [u8; 32],
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct CardSlot {
    present: bool,
    detail: String,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway")
            .field("lines", &self.lines)
            .field("legs", &self.legs)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway at rest. [`Gateway::start`] sets it going.
    pub fn new(setup: Setup) -> Gateway {
        let Setup {
            config,
            plans,
            registrars,
            sip_local,
            public,
            rtp_local,
            seed,
        } = setup;
        let controller = Controller::new(Settings::new(&config));
        let ua = UserAgent::new(
            sip_side::ua_config(&config, &registrars, sip_local, public),
            seed,
        );
        let lines = config
            .lines
            .iter()
            .zip(plans)
            .map(|(line, plan)| LineSlot::new(line, plan, &config.media))
            .collect();
        let away = || CardSlot {
            present: false,
            detail: "not there yet".into(),
        };
        Gateway {
            lines,
            cards: config.cards.iter().map(|_| away()).collect(),
            controller,
            ua,
            legs: BTreeMap::new(),
            calls: HashMap::new(),
            registrations: vec!["unregistered"; config.accounts.len()],
            slot_of: vec![None; rtp_local.len()],
            rtp_local,
            public: public.map(|public| public.ip()),
            sessions: 0,
            seed,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Starts registering.
    pub fn start(&mut self, now: Duration) {
        self.ua.start(now);
        self.pump(now);
    }

    /// Leaves every line, ends every call and takes back the registrations. Outputs keep coming
    /// until [`Gateway::is_quiet`].
    pub fn shutdown(&mut self, now: Duration) {
        self.controller.shutdown(now);
        self.pump(now);
        self.ua.shutdown(now);
        self.pump(now);
    }

    /// Whether nothing is left of any call, neither at the PBX nor on a line.
    pub fn is_quiet(&self) -> bool {
        self.ua.call_count() == 0 && !self.lines.iter().any(LineSlot::in_call)
    }

    /// The address of an account's registrar became known or changed.
    pub fn registrar_resolved(&mut self, now: Duration, account: usize, address: SocketAddr) {
        self.ua.set_registrar(now, account, address);
        self.pump(now);
    }

    /// Whether no registration is left at any PBX.
    pub fn is_unregistered(&self) -> bool {
        (0..self.config.accounts.len()).all(|account| {
            !matches!(
                self.ua.registration(account),
                sip::RegistrationState::Registered { .. } | sip::RegistrationState::Trying
            )
        })
    }

    /// A datagram came on the SIP socket.
    pub fn handle_sip(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        self.ua.handle_datagram(now, source, payload);
        self.pump(now);
    }

    /// The network refused a SIP datagram to `destination`.
    pub fn sip_unreachable(&mut self, now: Duration, destination: SocketAddr) {
        self.ua.transport_failed(now, destination);
        self.pump(now);
    }

    /// A datagram came on an RTP (or RTCP) socket.
    pub fn handle_rtp(
        &mut self,
        now: Duration,
        slot: usize,
        rtcp: bool,
        source: SocketAddr,
        payload: &[u8],
    ) {
        let leg = self.slot_of.get(slot).copied().flatten();
        if let Some(leg) = leg.and_then(|leg| self.legs.get_mut(&leg)) {
            if rtcp {
                leg.session.handle_rtcp(now, source, payload);
            } else {
                leg.session.handle_rtp(now, source, payload);
            }
            self.pump(now);
        }
    }

    /// A line card is there. `info` tells how many lines it carries.
    pub fn card_present(&mut self, now: Duration, card: usize, info: &CardInfo) {
        let Some(slot) = self.cards.get_mut(card) else {
            return;
        };
        let detail = line_slot::describe(info);
        *slot = CardSlot {
            present: true,
            detail: detail.clone(),
        };
        let name = self.config.cards[card].name.clone();
        self.tell(Event::LineCard {
            card: name,
            present: true,
            detail,
        });
        for slot in self.lines.iter_mut().filter(|slot| slot.card == card) {
            slot.misfit = line_slot::misfit(info, slot.channel, slot.line.kind());
            slot.present = slot.misfit.is_none();
        }
        self.pump(now);
    }

    /// A line card is gone: every call on it ends, the lines are in their safe state.
    pub fn card_lost(&mut self, now: Duration, card: usize, why: &str) {
        let Some(slot) = self.cards.get_mut(card) else {
            return;
        };
        let was_present = std::mem::replace(&mut slot.present, false);
        let changed = slot.detail != why;
        slot.detail = why.to_owned();
        for line in 0..self.lines.len() {
            if self.lines[line].card == card {
                self.lines[line].card_lost(now);
                self.controller.line_lost(now, line);
            }
        }
        if was_present || changed {
            let name = self.config.cards[card].name.clone();
            self.tell(Event::LineCard {
                card: name,
                present: false,
                detail: why.to_owned(),
            });
        }
        self.pump(now);
    }

    /// One 10 ms block of readings of every line of a card; fills the drive for the next block.
    pub fn handle_block(
        &mut self,
        now: Duration,
        card: usize,
        sense: &[SenseBlock],
        drive: &mut [DriveBlock],
    ) {
        for index in 0..self.lines.len() {
            let slot = &mut self.lines[index];
            if slot.card == card
                && slot.present
                && let Some(sense) = sense.get(slot.channel)
            {
                slot.line.handle_block(now, sense);
                slot.last = line_slot::Reading::of(sense);
                let muted = slot.is_muted(now, &sense.audio);
                if let Some(leg) = slot.joined.and_then(|leg| self.legs.get_mut(&leg)) {
                    let audio = if muted {
                        [0; BLOCK_SAMPLES]
                    } else {
                        slot.voice.hear(&sense.audio)
                    };
                    leg.session.push_audio(now, &audio);
                }
            }
        }
        self.pump(now);
        for slot in self.lines.iter_mut().filter(|slot| slot.card == card) {
            let Some(block) = drive.get_mut(slot.channel) else {
                continue;
            };
            block.audio.fill(0);
            if !slot.present {
                (block.drive, block.connect) = (Drive::SAFE, None);
                continue;
            }
            (block.drive, block.connect) = (slot.line.drive(), slot.line.connect());
            if let Some(leg) = slot.joined.and_then(|leg| self.legs.get_mut(&leg)) {
                leg.session.pull_audio(now, &mut block.audio);
                slot.voice.play(&mut block.audio);
            }
        }
    }

    /// The journal took, or could not take, a record.
    pub fn journal_done(&mut self, now: Duration, record: RecordId) {
        self.controller.journal_done(now, record);
        self.pump(now);
    }

    /// A technician's test opening.
    ///
    /// # Errors
    /// Why the door stays shut; the refusal is recorded.
    pub fn door_test(&mut self, now: Duration, line: usize, cause: Cause) -> Result<(), Refusal> {
        let done = self.controller.door_test(now, line, cause);
        self.pump(now);
        done
    }

    /// The line of that name.
    pub fn line_named(&self, name: &str) -> Option<usize> {
        self.config.lines.iter().position(|line| line.name == name)
    }

    /// When [`Gateway::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        let legs = self.legs.values().filter_map(Leg::next_deadline).min();
        [
            self.controller.next_deadline(),
            self.ua.next_deadline(),
            legs,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ua.handle_timeout(now);
        self.controller.handle_timeout(now);
        for leg in self.legs.values_mut() {
            leg.session.handle_timeout(now);
        }
        self.run_test_calls(now);
        self.pump(now);
    }

    /// The next thing to carry out, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Moves events between the cores until all is quiet.
    fn pump(&mut self, now: Duration) {
        // Each round hands on what the last one caused; a call causes a handful of rounds. The
        // bound keeps a fault in one core from hanging the whole.
        for _ in 0..64 {
            let mut busy = false;
            busy |= self.drain_lines(now);
            busy |= self.drain_sip(now);
            busy |= self.drain_media(now);
            while let Some(action) = self.controller.poll_action() {
                self.carry_out(now, action);
                busy = true;
            }
            if !busy {
                break;
            }
        }
        self.collect_transmits();
    }

    fn drain_lines(&mut self, now: Duration) -> bool {
        let mut busy = false;
        for index in 0..self.lines.len() {
            while let Some(event) = self.lines[index].line.poll_event() {
                busy = true;
                self.lines[index].note(&event);
                self.controller.line_event(now, index, event);
            }
        }
        busy
    }

    fn collect_transmits(&mut self) {
        while let Some(transmit) = self.ua.poll_transmit() {
            self.outputs.push_back(Output::Sip(transmit));
        }
        for leg in self.legs.values_mut() {
            leg.collect(&mut self.outputs);
        }
    }
}
