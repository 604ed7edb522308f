//! The gateway core: lines, call controller, SIP user agent and media sessions joined, without
//! I/O. Readings, datagrams and `now` go in; drives, datagrams, records and events come out. The
//! daemon and the virtual-time tests drive the very same object.

mod accounts;
mod actions;
mod echo_paths;
mod figures;
mod headset;
mod leg;
mod line_slot;
mod media_side;
mod plan;
mod port_maps;
mod service;
mod sip_side;
mod snapshot;
mod sounds;
mod test_call;
mod voice;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use call::{Cause, Controller, Event, LegId, RecordId, Refusal, Settings};
use config::{Config, LocalTime};
use line_interface::{CardInfo, DriveBlock, LinePlan, SenseBlock};
use sip::{CallId, UserAgent};

pub use accounts::SipServer;
pub use headset::HeadsetMode;
pub use plan::line_plan;
pub use snapshot::UnderWay;

use accounts::{AccountSlot, Placed};
use leg::Leg;
use line_slot::LineSlot;
use sounds::Player;

/// What the core needs besides the configuration.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The checked configuration, passwords filled in.
    pub config: Config,
    /// Profile, switch and addresses of each line, in the order of the configuration.
    pub plans: Vec<LinePlan>,
    /// Server addresses of each account, best first, in the order of the configuration.
    pub registrars: Vec<Vec<SipServer>>,
    /// Address under which SIP reaches us.
    pub sip_local: SocketAddr,
    /// Address under which others see our SIP socket, when a NAT changes it; its IP address goes into SDP too.
    pub public: Option<SocketAddr>,
    /// The server that tells how a NAT shows the ports of audio, when there is a NAT.
    pub stun_server: Option<SocketAddr>,
    /// The same as `sip_local` for IPv6, beside an IPv4 address.
    pub sip_local_ipv6: Option<SocketAddr>,
    /// RTP addresses under which audio reaches us; RTCP is one port above each.
    pub rtp_local: Vec<SocketAddr>,
    /// The same for IPv6; empty without.
    pub rtp_local_ipv6: Vec<SocketAddr>,
    /// Seed of everything that must not be guessed.
    pub seed: [u8; 32],
}

/// Something for the outside to carry out.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Sip(sip::Transmit),
    /// Close a connection whose peer does not answer, then call [`Gateway::stream_closed`].
    CloseStream {
        /// TCP or TLS.
        transport: sip::Transport,
        /// Its other end.
        peer: SocketAddr,
    },
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
    /// Keep an echo path over a restart; see [`Gateway::restore_echo_paths`].
    KeepEchoPath {
        /// The apartment.
        apartment: u16,
        /// What was learned of its echo path.
        path: dsp::echo::EchoPath,
    },
    /// Do-not-disturb was switched: keep it over a restart.
    KeepDoNotDisturb {
        /// Whether it is on.
        on: bool,
    },
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
    /// The lines of each card: a block of one card leaves those of the others alone.
    lines_of: Vec<Arc<[usize]>>,
    controller: Controller,
    ua: UserAgent,
    legs: BTreeMap<LegId, Leg>,
    calls: HashMap<CallId, LegId>,
    /// The last state told of each account.
    registrations: Vec<&'static str>,
    rtp_local: Vec<SocketAddr>,
    rtp_local_ipv6: Vec<SocketAddr>,
    /// Address to write into SDP, when it is not that of `rtp_local`.
    public: Option<std::net::IpAddr>,
    port_maps: port_maps::PortMaps,
    echo_paths: BTreeMap<u16, dsp::echo::EchoPath>,
    account_slots: Vec<AccountSlot>,
    placed: HashMap<LegId, Placed>,
    slot_of: Vec<Option<LegId>>,
    /// How often a slot was given away, so that each session gets a seed of its own.
    sessions: u64,
    seed: [u8; 32],
    /// What a visitor hears whom nobody answers, 8 000 samples a second.
    failure_sound: Arc<[i16]>,
    outputs: VecDeque<Output>,
    headset: Option<headset::Headset>,
    due: Cell<Due>,
}

/// When the controller, a leg or a question to a NAT is due: looking at all of them for each block and packet would cost the square
/// of the calls. Sound that comes only puts deadlines off, so what is remembered may be early and is never late; whatever else
/// happens is pumped, and forgets it.
#[derive(Clone, Copy)]
enum Due {
    Unknown,
    Known(Option<Duration>),
}

/// What a technician does about a card that cannot carry a line.
const MISFIT_HINT: &str = "check card, channel, topology and switch of the [[line]]";

#[derive(Debug, Default)]
struct CardSlot {
    present: bool,
    detail: String,
    /// When its last block came.
    last_block: Option<Duration>,
    /// The last time that blocks stayed away for longer than [`STOOD_STILL`].
    stood: Duration,
    /// Its watchdog holds. A card begins without.
    holds: bool,
}

/// A gap between two blocks that is no mere lateness.
const STOOD_STILL: Duration = Duration::from_millis(50);
const DROPPED_HINT: &str = "the gateway got no time for its line card: look at the box's load, memory (is it swapping?) and storage, and at what else runs on it";

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
        let mut ua = UserAgent::new(
            sip_side::ua_config(
                &setup.config,
                &setup.registrars,
                setup.sip_local,
                setup.public,
            ),
            setup.seed,
        );
        accounts::set_up(&mut ua, &setup);
        let Setup {
            config,
            plans,
            rtp_local,
            rtp_local_ipv6,
            public,
            stun_server,
            seed,
            ..
        } = setup;
        let controller = Controller::new(Settings::new(&config));
        ua.set_request_limit(config.access.requests_per_second);
        let lines: Vec<LineSlot> = config
            .lines
            .iter()
            .zip(plans)
            .map(|(line, plan)| LineSlot::new(line, plan, &config.media))
            .collect();
        let lines_of_card = |card| {
            let of_card = |line: &usize| config.lines[*line].card == card;
            (0..lines.len()).filter(of_card).collect()
        };
        let away = || CardSlot {
            detail: "not there yet".into(),
            ..CardSlot::default()
        };
        Gateway {
            lines_of: (0..config.cards.len()).map(lines_of_card).collect(),
            lines,
            cards: config.cards.iter().map(|_| away()).collect(),
            controller,
            ua,
            legs: BTreeMap::new(),
            calls: HashMap::new(),
            registrations: vec!["unregistered"; config.accounts.len()],
            slot_of: vec![None; rtp_local.len()],
            port_maps: port_maps::PortMaps::new(stun_server, rtp_local.len(), seed),
            rtp_local,
            rtp_local_ipv6,
            public: public.map(|public| public.ip()),
            echo_paths: BTreeMap::new(),
            account_slots: vec![AccountSlot::default(); config.accounts.len()],
            placed: HashMap::new(),
            sessions: 0,
            seed,
            failure_sound: sounds::failure().into(),
            outputs: VecDeque::new(),
            headset: None,
            due: Cell::new(Due::Unknown),
            config,
        }
    }

    /// Starts registering.
    pub fn start(&mut self, now: Duration) {
        self.ua.start(now);
        self.ask_for_ports(now);
        self.pump(now);
    }

    /// Asks how the NAT shows the ports of the next calls.
    fn ask_for_ports(&mut self, now: Duration) {
        if self.port_maps.is_idle() {
            return;
        }
        let free = self.free_slots();
        self.port_maps.poll(now, &free, &mut self.outputs);
    }

    fn next_question(&self) -> Option<Duration> {
        if self.port_maps.is_idle() {
            return None;
        }
        self.port_maps.next_deadline(&self.free_slots())
    }

    fn free_slots(&self) -> Vec<bool> {
        self.slot_of.iter().map(Option::is_none).collect()
    }

    /// Tells the local time: at start, and whenever the clock on the wall jumps.
    pub fn set_local_time(&mut self, now: Duration, time: LocalTime) {
        self.controller.set_local_time(now, time);
        self.due.set(Due::Unknown);
    }

    /// Plays this to a visitor whom nobody answers, instead of the tone: 8 000 samples a second,
    /// 20 s at the most.
    pub fn set_failure_sound(&mut self, mut samples: Vec<i16>) {
        samples.truncate(sounds::MOST_SAMPLES);
        self.failure_sound = samples.into();
    }

    /// Sets do-not-disturb as it was before a restart.
    pub fn restore_do_not_disturb(&mut self, on: bool) {
        self.controller.restore_do_not_disturb(on);
    }

    /// Whether do-not-disturb is on.
    pub fn do_not_disturb(&self) -> bool {
        self.controller.do_not_disturb()
    }

    /// Switches do-not-disturb; `by` is `cli` or `console`.
    pub fn set_do_not_disturb(&mut self, now: Duration, on: bool, by: &str) {
        self.controller.set_do_not_disturb(on, by);
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
        if self.port_maps.handle(now, (slot, rtcp), source, payload) {
            return;
        }
        let leg = self.slot_of.get(slot).copied().flatten();
        if let Some(leg) = leg.and_then(|leg| self.legs.get_mut(&leg)) {
            if rtcp {
                leg.session.handle_rtcp(now, source, payload);
            } else {
                leg.session.handle_rtp(now, source, payload);
            }
            // Sound that only fills a jitter buffer concerns nobody else: looking at every line and leg for each packet
            // of each call would cost the square of the calls.
            if leg.session.has_events() {
                self.pump(now);
            } else {
                leg.collect(&mut self.outputs);
            }
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
            ..CardSlot::default()
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
        for index in 0..self.lines.len() {
            let slot = &self.lines[index];
            if let Some(misfit) = slot.misfit.clone().filter(|_| slot.card == card) {
                self.tell(Event::LineFault {
                    line: self.config.lines[index].name.clone(),
                    kind: "card_misfit".to_owned(),
                    reading: misfit,
                    hint: MISFIT_HINT.to_owned(),
                });
            }
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

    /// Tells once when the watchdog of a card that held lets go.
    fn watch_card(&mut self, now: Duration, card: usize, holds: bool) {
        let Some(slot) = self.cards.get_mut(card) else {
            return;
        };
        let gap = now.saturating_sub(slot.last_block.replace(now).unwrap_or(now));
        if gap > STOOD_STILL {
            slot.stood = gap;
        }
        let held = std::mem::replace(&mut slot.holds, holds);
        if holds {
            // Blocks that waited while we stood still come one after another.
            if gap >= STOOD_STILL / 10 && gap <= STOOD_STILL {
                slot.stood = Duration::ZERO;
            }
        } else if held {
            let stood_ms = slot.stood.as_millis() as u64;
            let card = self.config.cards[card].name.clone();
            self.tell(Event::OutputsDropped {
                card,
                stood_ms,
                hint: DROPPED_HINT.to_owned(),
            });
        }
    }

    /// One 10 ms block of readings of every line of a card; fills the drive for the next block.
    pub fn handle_block(
        &mut self,
        now: Duration,
        card: usize,
        sense: &[SenseBlock],
        drive: &mut [DriveBlock],
    ) {
        self.watch_card(now, card, sense.iter().all(|line| line.applied.is_some()));
        let Some(lines) = self.lines_of.get(card).cloned() else {
            return;
        };
        let mut happened = false;
        for index in &*lines {
            let slot = &mut self.lines[*index];
            if let Some(sense) = sense.get(slot.channel).filter(|_| slot.present) {
                slot.line.handle_block(now, sense);
                slot.last = line_slot::Reading::of(sense);
                slot.muted = slot.is_muted(now, &sense.audio);
            }
            happened |= slot.line.has_events();
        }
        if happened {
            self.pump(now);
        }
        let (mut pressed, mut plays) = (false, false);
        // Both directions of a line together: what the processing of one left in the processor's caches serves the other.
        for index in &*lines {
            let slot = &mut self.lines[*index];
            let mut leg = slot.joined.and_then(|leg| self.legs.get_mut(&leg));
            let mut headset = Gateway::headset_on(&mut self.headset, *index);
            if let Some(sense) = sense.get(slot.channel).filter(|_| slot.present) {
                slot.hear(now, sense, leg.as_deref_mut(), headset.as_deref_mut());
            }
            if let Some(block) = drive.get_mut(slot.channel) {
                slot.play(now, block, leg.as_deref_mut(), headset);
            }
            if let Some(leg) = leg {
                pressed |= leg.session.has_events();
                leg.collect(&mut self.outputs);
            }
            plays |= slot.player.is_some();
        }
        self.watch_headset(now);
        if plays {
            self.end_sounds(now, card);
        }
        // A key that was found in the sound just played opens now, not with the next block.
        if pressed {
            self.pump(now);
        }
    }

    /// Tells the controller of sounds that are over.
    fn end_sounds(&mut self, now: Duration, card: usize) {
        let mut ended = false;
        for (index, slot) in self.lines.iter_mut().enumerate() {
            if slot.card == card && slot.player.as_ref().is_some_and(Player::is_over) {
                slot.player = None;
                self.controller.sound_ended(index);
                ended = true;
            }
        }
        if ended {
            self.pump(now);
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
        let due = match self.due.get() {
            Due::Known(due) => due,
            Due::Unknown => {
                let legs = self.legs.values().filter_map(Leg::next_deadline).min();
                let controller = self.controller.next_deadline();
                let all = [controller, legs, self.next_question()];
                let due = all.into_iter().flatten().min();
                self.due.set(Due::Known(due));
                due
            }
        };
        [due, self.ua.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.ua.handle_timeout(now);
        self.controller.handle_timeout(now);
        for leg in self.legs.values_mut() {
            leg.session.handle_timeout(now);
        }
        self.ask_for_ports(now);
        self.run_test_calls(now);
        self.run_services(now);
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
        self.due.set(Due::Unknown);
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

    /// Hands the events of all lines to the controller; tells whether there was one.
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
        self.collect_dead_streams();
        while let Some(transmit) = self.ua.poll_transmit() {
            self.outputs.push_back(Output::Sip(transmit));
        }
        for leg in self.legs.values_mut() {
            leg.collect(&mut self.outputs);
        }
    }
}
