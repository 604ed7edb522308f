//! One state machine per line, joined by the legs of calls.

mod early;
mod feature;
mod incoming;
mod outgoing;
mod replace;
mod talk;
mod transfer;

use std::collections::VecDeque;
use std::time::Duration;

use config::{Config, LocalTime, Route, Schedule, Unanswered};
use line_interface::{AddressDoubt, LineEvent};

use crate::access::Caller;
use crate::digits::{DigitMatcher, KeyPace};
use crate::door::Opening;
use crate::event::{Cause, Event};
use crate::leg::{Action, LegId, RecordId};

/// Why a call ended whose load the card's watchdog took off the line.
const OUTPUTS_DROPPED: &str = "the card's watchdog let go of the line";

/// What the controller needs to know of a line.
#[derive(Debug, Clone)]
pub struct LineSettings {
    /// Line name.
    pub name: String,
    /// Name of the panel for people.
    pub panel: String,
    /// The one apartment of a pair; other lines tell it with each call.
    pub apartment: Option<u16>,
    /// Apartments with a route whose visitors may come on this line.
    pub serves: Vec<u16>,
    /// Whether the visitor hears it when nobody answers.
    pub plays_failure: bool,
}

/// What the controller needs to know of an account.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// Its name.
    pub name: String,
    /// The box's own number there.
    pub extension: String,
    /// Hosts that are the account's own PBX, lower case.
    pub hosts: Vec<String>,
    /// How its PBX is named behind an extension; only where there are several.
    pub pbx: Option<String>,
}

/// What the controller needs to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Opening the door.
    pub door: config::Door,
    /// Limits of a call.
    pub call: config::Call,
    /// Who may call in and where calls may go.
    pub access: config::Access,
    /// Whether calls may go to addresses that are no account's PBX.
    pub direct_calls: bool,
    /// How long an opening waits for its journal record.
    pub open_wait: Duration,
    /// Accounts.
    pub accounts: Vec<AccountSettings>,
    /// Lines.
    pub lines: Vec<LineSettings>,
    /// Routes in the order of the file.
    pub routes: Vec<Route>,
    /// Parts of the week that routes refer to.
    pub schedules: Vec<Schedule>,
}

impl Settings {
    /// Takes the controller's part of the configuration.
    pub fn new(config: &Config) -> Settings {
        let line = |line: &config::Line| LineSettings {
            name: line.name.clone(),
            panel: line.panel.clone(),
            apartment: line.apartment(),
            serves: config
                .routes
                .iter()
                .map(|route| route.apartment)
                .filter(|apartment| line.serves(*apartment))
                .collect(),
            plays_failure: match config.call.unanswered {
                Unanswered::Tone => true,
                Unanswered::Leave => false,
                Unanswered::Auto => line.handset == config::Handset::Absent,
            },
        };
        let account = |(index, account): (usize, &config::Account)| AccountSettings {
            pbx: config::pbx_name(&config.accounts, index),
            name: account.name.clone(),
            extension: account.extension.clone(),
            hosts: [&account.domain, &account.registrar]
                .map(|host| host.host.to_ascii_lowercase())
                .to_vec(),
        };
        Settings {
            door: config.door.clone(),
            call: config.call.clone(),
            access: config.access.clone(),
            direct_calls: config.sip.direct_calls,
            open_wait: config.journal.open_wait,
            accounts: config.accounts.iter().enumerate().map(account).collect(),
            lines: config.lines.iter().map(line).collect(),
            routes: config.routes.clone(),
            schedules: config.schedules.clone(),
        }
    }

    /// Index of the route in force for an apartment.
    fn route_of(&self, apartment: Option<u16>, time: Option<LocalTime>) -> Option<usize> {
        config::route_at(&self.routes, &self.schedules, apartment?, time)
    }
}

/// One whom a visitor's call goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    address: String,
    /// How many redirections led to it.
    redirects: u8,
}

/// A call to one target.
#[derive(Debug, Clone)]
struct Fork {
    leg: LegId,
    target: Target,
    /// The account that carries it.
    account: usize,
    since: Duration,
    ringing: bool,
}

/// The phones that are called for a visitor who waits.
#[derive(Debug, Clone, Default)]
struct Calls {
    /// Calls under way.
    forks: Vec<Fork>,
    /// Targets not called yet.
    waiting: VecDeque<Target>,
    /// Addresses called so far, so that redirections cannot go round in circles.
    tried: Vec<String>,
    /// The line was taken for what a PBX plays before a phone answers.
    taken: bool,
    /// Whose it is.
    early: Option<LegId>,
}

/// Who talks with the visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Talker {
    /// The phone we called, as it is shown.
    Called(String),
    /// Who called in.
    Caller(Caller),
    /// A technician's test opening, without a phone.
    Technician,
}

impl Talker {
    fn shown(&self) -> &str {
        match self {
            Talker::Called(party) => party,
            Talker::Caller(caller) => caller.name(),
            Talker::Technician => "technician",
        }
    }
}

/// An answered call between a party and the line.
#[derive(Debug, Clone)]
struct Talk {
    leg: Option<LegId>,
    talker: Talker,
    since: Duration,
    digits: DigitMatcher,
    pace: KeyPace,
    locked: bool,
    opening: Option<Opening>,
    end_at: Option<Duration>,
    /// When the talk limit ends it. A transfer does not lengthen a visit.
    limit_at: Duration,
    /// The party passes the visitor on.
    transfer: Option<Transfer>,
}

/// A call to whom the visitor is to be passed on.
#[derive(Debug, Clone)]
struct Transfer {
    leg: LegId,
    target: String,
    /// The account that carries it.
    account: usize,
    since: Duration,
}

/// Where a line is.
#[derive(Debug, Clone)]
enum Phase {
    /// Nobody calls.
    Idle,
    /// The panel selected our pair; the ring rule is not met yet.
    Selected { since: Duration },
    /// It rings for an apartment without a route: the old handset has it, and we only watch.
    Unserved,
    /// The visitor waits; phones are being called, unless every target failed.
    Ringing { since: Duration, calls: Box<Calls> },
    /// Nobody answered and the visitor is told so, by the end of which the line is freed.
    Announcing { until: Duration },
    /// A party and the visitor talk through us.
    Talking(Box<Talk>),
    /// The old handset has the visitor.
    Handset,
    /// Our part is over; waiting for the line to be free. An opening that was authorised during
    /// the call is still carried out when its record is written, and then the line is left.
    Over { opening: Option<Opening> },
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Phase::Idle => "idle",
            Phase::Selected { .. } => "selected",
            Phase::Unserved => "unserved",
            Phase::Ringing { calls, .. } if calls.forks.is_empty() => "unanswered",
            Phase::Ringing { .. } => "ringing",
            Phase::Announcing { .. } => "announcing",
            Phase::Talking(_) => "talking",
            Phase::Handset => "handset",
            Phase::Over { .. } => "over",
        }
    }
}

/// A line as tools show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineView {
    /// Stable name of the phase: `idle`, `selected`, `unserved`, `ringing`, `unanswered`,
    /// `announcing`, `talking`, `handset`, `over`.
    pub phase: &'static str,
    /// The apartment of the call, or of the pair.
    pub apartment: Option<u16>,
    /// The party that rings or talks.
    pub party: Option<String>,
    /// Time in the phase, where it is measured.
    pub since: Option<Duration>,
}

/// Whose call is on a line, or was last.
#[derive(Debug, Clone, Default)]
struct Visit {
    apartment: Option<u16>,
    /// Index into [`Settings::routes`], of the route in force when the visitor rang; none for an
    /// apartment that nobody set up.
    route: Option<usize>,
    /// The apartment's name on the wires; empty on a pair.
    code: String,
}

/// The call controller.
#[derive(Debug)]
pub struct Controller {
    settings: Settings,
    phases: Vec<Phase>,
    visits: Vec<Visit>,
    /// Who was named while somebody else was on the line.
    next_visits: Vec<Option<Visit>>,
    actions: VecDeque<Action>,
    /// Local time and when it was told.
    clock: Option<(Duration, LocalTime)>,
    /// Do-not-disturb.
    dnd: bool,
    /// Calls that wait for a feature code.
    features: Vec<feature::FeatureCall>,
    next_leg: u64,
    next_record: u64,
    next_token: u64,
}

impl Controller {
    /// A controller with every line idle.
    pub fn new(settings: Settings) -> Controller {
        let phases: Vec<Phase> = settings.lines.iter().map(|_| Phase::Idle).collect();
        let visits = settings
            .lines
            .iter()
            .map(|line| Visit {
                apartment: line.apartment,
                route: settings.route_of(line.apartment, None),
                code: String::new(),
            })
            .collect();
        Controller {
            settings,
            next_visits: vec![None; phases.len()],
            phases,
            visits,
            actions: VecDeque::new(),
            clock: None,
            dnd: false,
            features: Vec::new(),
            next_leg: 0,
            next_record: 0,
            next_token: 0,
        }
    }

    /// The next order, oldest first.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Tells the local time. Told again whenever the clock on the wall is not what it would be by
    /// itself: after daylight saving, or when the system's clock was set. Until the first time
    /// schedules are off.
    pub fn set_local_time(&mut self, now: Duration, time: LocalTime) {
        self.clock = Some((now, time));
    }

    pub(super) fn local_time(&self, now: Duration) -> Option<LocalTime> {
        self.clock
            .map(|(told, time)| time.after(now.saturating_sub(told)))
    }

    /// A name for a leg that the gateway makes, such as an incoming call.
    pub fn new_leg(&mut self) -> LegId {
        self.next_leg += 1;
        LegId(self.next_leg)
    }

    /// The line as tools show it.
    pub fn view(&self, line: usize) -> Option<LineView> {
        let phase = self.phases.get(line)?;
        let (party, since) = match phase {
            Phase::Ringing { since, calls } => {
                let forks = calls.forks.iter();
                let names: Vec<String> = forks.map(|fork| self.shown(fork)).collect();
                let party = (!names.is_empty()).then(|| names.join(", "));
                (party, Some(*since))
            }
            Phase::Talking(talk) => (Some(talk.talker.shown().to_owned()), Some(talk.since)),
            Phase::Selected { since } => (None, Some(*since)),
            _ => (None, None),
        };
        Some(LineView {
            phase: phase.name(),
            apartment: self.visits[line].apartment,
            party,
            since,
        })
    }

    /// Takes an event of a line. Events of unknown lines are ignored.
    pub fn line_event(&mut self, now: Duration, line: usize, event: LineEvent) {
        if line >= self.phases.len() {
            return;
        }
        let name = self.line_name(line);
        match event {
            LineEvent::Addressed { code, apartment } => {
                let visit = Visit {
                    apartment,
                    route: self.settings.route_of(apartment, self.local_time(now)),
                    code: code.to_string(),
                };
                // Whoever is on the line keeps the route that he came with to the end.
                if self.is_visited(line) {
                    self.next_visits[line] = Some(visit);
                } else {
                    self.visits[line] = visit;
                }
            }
            LineEvent::Unclear { doubt, reading } => {
                let levels = match doubt {
                    AddressDoubt::Buses(_) => format!(
                        ": fed {:.2} V, lowest {:.2} V",
                        reading.volts, reading.handset_volts
                    ),
                    AddressDoubt::Pulses(_) => String::new(),
                };
                self.tell(Event::LineFault {
                    line: name,
                    kind: doubt.kind().name().to_owned(),
                    reading: format!("{}{levels}", doubt.name()),
                    hint: doubt.hint().to_owned(),
                });
            }
            LineEvent::Tone { tone } => self.tell(Event::PanelTone {
                line: name,
                tone: tone.name().to_owned(),
            }),
            LineEvent::CallDetected => {
                if matches!(self.phases[line], Phase::Idle) {
                    self.phases[line] = Phase::Selected { since: now };
                }
            }
            LineEvent::RingConfirmed => self.ring(now, line),
            LineEvent::PanelGaveUp => self.panel_left(now, line, "gave_up"),
            LineEvent::PanelEnded => self.panel_left(now, line, "ended"),
            LineEvent::OutputsDropped => self.visit_over(now, line, OUTPUTS_DROPPED),
            LineEvent::HandsetLifted => self.handset_lifted(now, line),
            LineEvent::HandsetReplaced if !matches!(self.phases[line], Phase::Unserved) => {
                let apartment = self.apartment(line);
                self.tell(Event::HandsetReplaced {
                    line: name,
                    apartment,
                });
            }
            LineEvent::HandsetReplaced => {}
            LineEvent::OffHookSettled => {
                if matches!(self.phases[line], Phase::Announcing { .. }) {
                    self.actions.push_back(Action::PlayFailure { line });
                }
            }
            LineEvent::DoorReleaseStarted { .. } => {
                self.tell(Event::DoorReleaseStarted { line: name })
            }
            LineEvent::DoorReleaseEnded { .. } => self.release_ended(now, line),
            LineEvent::DoorReleaseFailed { reason, .. } => {
                self.release_failed(line, reason.name().to_owned())
            }
            LineEvent::DoorButton => self.handset_button(line),
            LineEvent::Idle => {
                // A talk that outlives its line cannot be: end it before the line is free.
                self.end_talk(now, line, "line idle", false);
                self.drop_forks(now, line, "line idle");
                self.give_up_opening(line, "line idle");
                self.free(line);
                self.tell(Event::LineIdle { line: name });
            }
            LineEvent::Fault { kind, reading } => {
                let hint = kind.hint().to_owned();
                let kind = kind.name().to_owned();
                let reading = format!(
                    "{:.2} V, {:.1} mA, handset {:.2} V",
                    reading.volts, reading.milliamps, reading.handset_volts
                );
                self.tell(Event::LineFault {
                    line: name,
                    kind,
                    reading,
                    hint,
                });
            }
            LineEvent::FaultCleared { kind } => {
                let kind = kind.name().to_owned();
                self.tell(Event::LineFaultCleared { line: name, kind });
            }
        }
    }

    /// The card of the line is gone: whatever was up on it ends.
    pub fn line_lost(&mut self, now: Duration, line: usize) {
        if line < self.phases.len() {
            self.end_talk(now, line, "line card gone", false);
            self.drop_forks(now, line, "line card gone");
            self.give_up_opening(line, "line card gone");
            self.free(line);
        }
    }

    /// Whether a call is on the line whose route and apartment still count.
    fn is_visited(&self, line: usize) -> bool {
        match &self.phases[line] {
            Phase::Idle | Phase::Selected { .. } | Phase::Unserved => false,
            Phase::Over { opening } => opening.is_some(),
            Phase::Ringing { .. }
            | Phase::Announcing { .. }
            | Phase::Talking(_)
            | Phase::Handset => true,
        }
    }

    /// Nobody is on the line any more; who was named meanwhile is the next.
    fn free(&mut self, line: usize) {
        self.phases[line] = Phase::Idle;
        if let Some(next) = self.next_visits[line].take() {
            self.visits[line] = next;
        }
    }

    /// The box stops: whatever is up on the line ends in order, an authorised opening included.
    pub fn shutdown(&mut self, now: Duration) {
        self.drop_features("shutting down");
        for line in 0..self.phases.len() {
            self.end_announcement(line);
            self.drop_forks(now, line, "shutting down");
            self.leave_early(line);
            self.end_talk(now, line, "shutting down", true);
        }
    }

    /// The journal took, or could not take, a record. The door opens either way; what could not
    /// be written is the journal's to keep and to raise an alarm for.
    pub fn journal_done(&mut self, _now: Duration, record: RecordId) {
        for line in 0..self.phases.len() {
            let (opening, over) = match &mut self.phases[line] {
                Phase::Talking(talk) => (&mut talk.opening, false),
                Phase::Over { opening } => (opening, true),
                _ => continue,
            };
            let Some(waiting) = opening.as_mut().filter(|one| one.waits_for(record)) else {
                continue;
            };
            self.next_token += 1;
            let token = waiting.release(self.next_token);
            self.actions.push_back(Action::ReleaseDoor { line, token });
            if over {
                // The line completes the release before it hangs up.
                self.actions.push_back(Action::HangUpLine { line });
            }
        }
    }

    /// When [`Controller::handle_timeout`] wants to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        (0..self.phases.len())
            .filter_map(|line| self.line_deadline(line))
            .chain(self.features.iter().map(|feature| feature.deadline))
            .min()
    }

    fn line_deadline(&self, line: usize) -> Option<Duration> {
        match &self.phases[line] {
            Phase::Ringing { since, calls } => {
                let first = calls.forks.iter().map(|fork| fork.since).min()?;
                let target = first + self.target_timeout(line);
                Some(target.min(*since + self.settings.call.ring_limit))
            }
            Phase::Announcing { until } => Some(*until),
            Phase::Talking(talk) => {
                let opening = talk.opening.as_ref().and_then(Opening::deadline);
                let transfer = talk
                    .transfer
                    .as_ref()
                    .map(|transfer| transfer.since + self.target_timeout(line));
                [Some(talk.limit_at), talk.end_at, opening, transfer]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Phase::Over { opening } => opening.as_ref().and_then(Opening::deadline),
            _ => None,
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.feature_timeouts(now);
        for line in 0..self.phases.len() {
            if self
                .line_deadline(line)
                .is_some_and(|deadline| deadline <= now)
            {
                self.line_timeout(now, line);
            }
        }
    }

    fn line_timeout(&mut self, now: Duration, line: usize) {
        match &self.phases[line] {
            Phase::Ringing { since, .. } => {
                if now >= *since + self.settings.call.ring_limit {
                    self.drop_forks(now, line, "ring limit");
                    self.visit_failed(now, line, "ring limit");
                } else {
                    self.forks_timed_out(now, line);
                }
            }
            Phase::Announcing { .. } => self.sound_ended(line),
            Phase::Talking(talk) => {
                let waiting = talk.opening.as_ref().and_then(Opening::waiting);
                let transfer = talk.transfer.as_ref().map(|transfer| transfer.since);
                let target_timeout = self.target_timeout(line);
                if now >= talk.limit_at {
                    self.end_talk(now, line, "talk limit", true);
                } else if transfer.is_some_and(|since| now >= since + target_timeout) {
                    self.transfer_failed(now, line, 408, "no answer", true);
                } else if talk.end_at.is_some_and(|end| end <= now) {
                    self.end_talk(now, line, "door opened", true);
                } else if let Some(record) = waiting {
                    // The disk is late: the resident is not kept waiting for it.
                    self.journal_done(now, record);
                }
            }
            Phase::Over { opening } => {
                if let Some(record) = opening.as_ref().and_then(Opening::waiting) {
                    self.journal_done(now, record);
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, event: Event) {
        self.actions.push_back(Action::Tell(event));
    }

    fn record(&mut self, event: Event) -> RecordId {
        self.next_record += 1;
        let record = RecordId(self.next_record);
        self.actions.push_back(Action::Record { record, event });
        record
    }

    /// The route of the call on a line: the one in force when the visitor rang.
    pub fn route(&self, line: usize) -> Option<&Route> {
        self.settings.routes.get(self.visits.get(line)?.route?)
    }

    /// How long one target of the call on a line may ring.
    fn target_timeout(&self, line: usize) -> Duration {
        self.route(line)
            .map_or(Duration::ZERO, |route| route.target_timeout)
    }

    /// The apartment of the call on a line; 0 where the wires named none that is known.
    fn apartment(&self, line: usize) -> u16 {
        self.visits[line].apartment.unwrap_or(0)
    }

    fn line_name(&self, line: usize) -> String {
        self.settings.lines[line].name.clone()
    }

    /// The resident's own button while the old handset has the visitor: the panel opens by
    /// itself, we only keep the record.
    fn handset_button(&mut self, line: usize) {
        if matches!(self.phases[line], Phase::Unserved) {
            return;
        }
        let (name, apartment) = (self.line_name(line), self.apartment(line));
        self.record(Event::DoorOpened {
            line: name,
            apartment,
            party: "handset".into(),
            cause: Cause::Handset,
        });
    }
}
