//! The line state machine: readings and commands in, drive and events out.
//!
//! Every path out of a call of ours goes through [`Line::leave`], which sets the drive back; no
//! other state may hold an off-hook or residue load.

mod event;
mod foreign;
mod in_call;
mod watch;

use std::collections::VecDeque;
use std::time::Duration;

use crate::bands::{Band, BandTracker};
use crate::card::{BLOCK_MS, Drive, HandsetRelay, Load, SenseBlock};
use crate::profile::Profile;
use crate::reading::BlockReading;
use crate::ring::RingDetector;

pub use event::{
    AddressDoubt, DoorFailure, FaultKind, HandsetFitting, LineCode, LineError, LineErrorKind,
    LineEvent, LineState, LineStatus, Reading,
};

/// Events kept for a caller that does not drain them; older ones are dropped.
const MAX_EVENTS: usize = 256;

/// How long the line has been in one band, in whole blocks.
#[derive(Debug, Clone, Copy, Default)]
struct Dwell {
    band: Band,
    ms: u64,
}

impl Dwell {
    fn update(&mut self, band: Band) {
        if band == self.band {
            self.ms = self.ms.saturating_add(BLOCK_MS);
        } else {
            *self = Self { band, ms: BLOCK_MS };
        }
    }

    fn reached(&self, band: Band, ms: u64) -> bool {
        self.band == band && self.ms >= ms
    }
}

/// The door release asked for or under way.
#[derive(Debug, Clone, Copy)]
struct Release {
    token: u64,
    asked: Duration,
}

/// One line.
#[derive(Debug)]
pub struct Line {
    profile: Profile,
    fitting: HandsetFitting,
    state: LineState,
    /// When the state began.
    since: Duration,
    now: Duration,
    drive: Drive,
    /// Load and relay as the last block was read with them.
    applied: Drive,
    tracker: BandTracker,
    reading: BlockReading,
    ring: RingDetector,
    /// Dwell over all blocks that are not ring bursts.
    steady: Dwell,
    /// Dwell over all blocks, by the fed level where a ring burst chops the line.
    fed: Dwell,
    /// Milliseconds of reversed voltage.
    reversed_ms: u64,
    /// What is no signal of the panel.
    foreign: foreign::ForeignWatch,
    /// An on-hook handset was seen since the pair was selected.
    seen_on_hook: bool,
    /// The fed pair was seen other than with a lifted handset since it was selected.
    not_lifted_seen: bool,
    /// This panel keeps the pair fed between its bursts: then a dead pair is the end of the ring.
    /// Nothing is documented about it, and detectors in the field bridge seconds (line-facts 1.6).
    fed_pauses: bool,
    /// Pauses may be unfed at all: not where a name, or a reset, tells when a call is over.
    bridging: bool,
    /// A phone answered in such a pause, and the panel has not fed the pair since.
    answered_unfed: bool,
    /// The handset looked on-hook when last seen in its own call.
    back_on_hook: bool,
    /// The handset's door button is held.
    button_held: bool,
    /// Consecutive milliseconds the bias shows a lifted, a missing, a shorted handset.
    bias: watch::BiasWatch,
    /// When the panel's tone was last heard in this call.
    tone_at: Duration,
    tone_ms: u64,
    pending: Option<Release>,
    /// The load is away for this release; `None` while it is being restored.
    releasing: Option<Release>,
    hang_up_wanted: bool,
    faults: Vec<FaultKind>,
    events: VecDeque<LineEvent>,
}

impl Line {
    /// A line at rest.
    #[must_use]
    pub fn new(profile: Profile, handset: HandsetFitting) -> Self {
        let mut line = Self {
            profile,
            fitting: handset,
            state: LineState::Idle,
            since: Duration::ZERO,
            now: Duration::ZERO,
            drive: Drive::SAFE,
            applied: Drive::SAFE,
            tracker: BandTracker::default(),
            reading: BlockReading::default(),
            ring: RingDetector::default(),
            steady: Dwell::default(),
            fed: Dwell::default(),
            reversed_ms: 0,
            foreign: foreign::ForeignWatch::default(),
            seen_on_hook: false,
            not_lifted_seen: false,
            fed_pauses: false,
            bridging: false,
            answered_unfed: false,
            back_on_hook: false,
            button_held: false,
            bias: watch::BiasWatch::default(),
            tone_at: Duration::ZERO,
            tone_ms: 0,
            pending: None,
            releasing: None,
            hang_up_wanted: false,
            faults: Vec::new(),
            events: VecDeque::new(),
        };
        line.drive = line.rest();
        line
    }

    /// Takes the readings of the last 10 ms; call it for every block.
    pub fn handle_block(&mut self, now: Duration, sense: &SenseBlock) {
        self.advance(now);
        let Some(applied) = sense.applied else {
            // What the wires show now is the consequence of our own outputs.
            self.outputs_dropped();
            return;
        };
        self.applied = applied;
        self.reading = BlockReading::of(sense);
        let band = self.tracker.update(
            &self.profile,
            self.reading.level_volts,
            self.reading.milliamps,
        );
        self.fed.update(band);
        if !self.reading.chopped {
            self.steady.update(band);
        } else if self.steady.band == Band::Idle {
            // A burst is fed: the dead line before it is over.
            self.steady = Dwell::default();
        }
        self.reversed_ms = if self.reading.mean_volts < -self.profile.bands.idle_max_volts.value {
            self.reversed_ms.saturating_add(BLOCK_MS)
        } else {
            0
        };
        self.ring.update(&self.profile.ring, &self.reading);
        self.foreign.update(&self.profile.fault, &self.reading);
        self.watch_leakage();
        if self.drive == Drive::SAFE {
            // After a lost card came back the fitting's own resting load returns with the first block.
            self.restore_rest();
        }
        match self.state {
            LineState::Idle => self.watch_idle(),
            LineState::Selected => self.watch_selected(),
            LineState::Ringing => self.watch_ringing(),
            LineState::HandsetHasCall => self.watch_handset_call(),
            LineState::Fault => self.watch_fault(),
            LineState::LockOut => self.watch_lock_out(),
            LineState::Answering
            | LineState::Talking
            | LineState::DoorRelease
            | LineState::HangingUp => self.watch_call(),
        }
    }

    /// Takes the line: isolates the old handset and goes off-hook.
    ///
    /// # Errors
    /// When no unanswered call is on the line.
    pub fn answer(&mut self, now: Duration) -> Result<(), LineError> {
        self.advance(now);
        match self.state {
            LineState::Selected | LineState::Ringing => {}
            LineState::Idle => return Err(LineError::new(LineErrorKind::NoCall)),
            LineState::LockOut | LineState::HangingUp => {
                return Err(LineError::new(LineErrorKind::LockOut));
            }
            LineState::HandsetHasCall => return Err(LineError::new(LineErrorKind::HandsetHasCall)),
            LineState::Fault => return Err(LineError::new(LineErrorKind::Faulty)),
            LineState::Answering | LineState::Talking | LineState::DoorRelease => {
                return Err(LineError::new(LineErrorKind::AlreadyAnswered));
            }
        }
        self.begin_call();
        Ok(())
    }

    /// Ends our call: on-hook for the profile's time, then nothing of ours, then the lock-out.
    /// A door release that was accepted before is completed first. Without a call it does nothing.
    pub fn hang_up(&mut self, now: Duration) {
        self.advance(now);
        match self.state {
            LineState::Answering | LineState::Talking | LineState::DoorRelease => {
                self.hang_up_wanted = true;
                self.hang_up_when_free();
            }
            _ => {}
        }
    }

    /// Presses the door button as soon as the panel can see it.
    ///
    /// # Errors
    /// When we are not in a call, are hanging up, or a release is pending.
    pub fn release_door(&mut self, now: Duration, token: u64) -> Result<(), LineError> {
        self.advance(now);
        match self.state {
            LineState::Answering | LineState::Talking | LineState::DoorRelease => {}
            LineState::HandsetHasCall => return Err(LineError::new(LineErrorKind::HandsetHasCall)),
            _ => return Err(LineError::new(LineErrorKind::NoCall)),
        }
        if self.hang_up_wanted {
            return Err(LineError::new(LineErrorKind::NoCall));
        }
        if self.pending.is_some() || self.releasing.is_some() {
            return Err(LineError::new(LineErrorKind::DoorBusy));
        }
        self.pending = Some(Release {
            token,
            asked: self.now,
        });
        Ok(())
    }

    /// The card is gone: its watchdog has released everything, so the state starts anew.
    /// What was going on is reported as ended.
    pub fn card_lost(&mut self, now: Duration) {
        self.advance(now);
        self.start_anew(DoorFailure::CardLost);
        self.drive = Drive::SAFE;
    }

    /// The card's watchdog has let go of all outputs, since nothing reached it in time. Where
    /// something of ours was on the line its call is over: to the panel the load has gone, and a
    /// load that came back now would complete the door button. Where nothing was, the old handset
    /// never noticed, and all goes on when the readings are good again.
    fn outputs_dropped(&mut self) {
        // A door release by a full break, in the place of a handset, drives nothing at all.
        let loaded = self.drive != Drive::SAFE || self.busy();
        self.drive = Drive::SAFE;
        self.applied = Drive::SAFE;
        if !loaded {
            return;
        }
        let visited = self.state == LineState::Ringing || self.busy();
        self.fail_door(DoorFailure::OutputsDropped);
        if visited {
            self.emit(LineEvent::OutputsDropped);
        }
        if visited || matches!(self.state, LineState::Selected) {
            self.leave();
            self.drive = Drive::SAFE;
        }
    }

    /// The panel has left this call for certain, because it names another one. What was going on
    /// is reported as ended, and the line is ready at once: no lock-out, for the name guards the
    /// next call.
    pub fn deselected(&mut self, now: Duration) {
        self.advance(now);
        self.start_anew(DoorFailure::PanelEnded);
    }

    /// Another apartment's figures for the call that is to come. Only a line at rest takes them.
    pub fn use_profile(&mut self, profile: &Profile) {
        if self.state == LineState::Idle {
            self.profile.clone_from(profile);
        }
    }

    fn start_anew(&mut self, why: DoorFailure) {
        self.fail_door(why);
        match self.state {
            LineState::Ringing => self.emit(LineEvent::PanelGaveUp),
            LineState::Answering
            | LineState::Talking
            | LineState::DoorRelease
            | LineState::HangingUp => self.emit(LineEvent::PanelEnded),
            _ => {}
        }
        let was_idle = self.state == LineState::Idle;
        for kind in std::mem::take(&mut self.faults) {
            self.emit(LineEvent::FaultCleared { kind });
        }
        let (profile, fitting) = (self.profile.clone(), self.fitting);
        let events = std::mem::take(&mut self.events);
        *self = Self {
            events,
            now: self.now,
            since: self.now,
            bridging: self.bridging,
            ..Self::new(profile, fitting)
        };
        if !was_idle {
            self.emit(LineEvent::Idle);
        }
    }

    /// Takes a pair that goes dead after a burst as a pause of the ring, for as long as the profile's
    /// hold-off, until the panel has shown that it feeds its pauses.
    #[must_use]
    pub const fn bridging_unfed_pauses(mut self) -> Self {
        self.bridging = true;
        self
    }

    /// What the card shall do during the next block.
    #[must_use]
    pub const fn drive(&self) -> Drive {
        self.drive
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<LineEvent> {
        self.events.pop_front()
    }

    /// The profile in use.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The last block's reading.
    #[must_use]
    pub const fn reading(&self) -> &BlockReading {
        &self.reading
    }

    /// Faults that stand at the moment.
    #[must_use]
    pub fn faults(&self) -> &[FaultKind] {
        &self.faults
    }

    /// A call of ours is on the line, or just ends: something of ours may load it.
    #[must_use]
    pub const fn busy(&self) -> bool {
        matches!(
            self.state,
            LineState::Answering
                | LineState::Talking
                | LineState::DoorRelease
                | LineState::HangingUp
        )
    }

    /// A snapshot.
    #[must_use]
    pub const fn status(&self) -> LineStatus {
        LineStatus {
            state: self.state,
            volts: self.reading.mean_volts,
            milliamps: self.reading.milliamps,
            handset_volts: self.reading.handset_volts,
            band: self.tracker.band(),
            drive: self.drive,
        }
    }

    /// When the present state ends by itself, if it does. Blocks drive the line; this only informs.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let t = &self.profile.timing;
        let ms = match self.state {
            LineState::Answering => t.off_hook_settle_ms.value,
            LineState::HangingUp => t.on_hook_ms.value,
            LineState::LockOut => t.lockout_ms.value,
            LineState::DoorRelease if self.releasing.is_some() => {
                self.profile.door.release_ms.value
            }
            LineState::DoorRelease => self.profile.door.restore_ms.value,
            _ => return None,
        };
        Some(self.since.saturating_add(Duration::from_millis(ms)))
    }

    /// Time never runs backwards inside a line, whatever the caller's clock does.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    fn in_state_for(&self, ms: u64) -> bool {
        self.now.saturating_sub(self.since) >= Duration::from_millis(ms)
    }

    fn enter(&mut self, state: LineState) {
        self.state = state;
        self.since = self.now;
    }

    fn emit(&mut self, event: LineEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The drive outside a call of ours.
    const fn rest(&self) -> Drive {
        match self.fitting {
            HandsetFitting::Relayed => Drive::SAFE,
            // Without a handset the panel finds our on-hook load, or it refuses to call.
            HandsetFitting::Absent => Drive {
                load: Load::OnHook,
                relay: HandsetRelay::Through,
            },
        }
    }

    fn restore_rest(&mut self) {
        if !self.busy() {
            self.drive = self.rest();
        }
    }

    fn raise(&mut self, kind: FaultKind) {
        if !self.faults.contains(&kind) {
            self.faults.push(kind);
            let volts = match kind {
                FaultKind::ForeignVoltage if self.foreign.present() => self.foreign.volts(),
                FaultKind::StuckOffHook => self.reading.level_volts,
                _ => self.reading.mean_volts,
            };
            let reading = Reading {
                volts,
                milliamps: self.reading.milliamps,
                handset_volts: self.reading.handset_volts,
            };
            self.emit(LineEvent::Fault { kind, reading });
        }
    }

    fn clear(&mut self, kind: FaultKind) {
        if let Some(at) = self.faults.iter().position(|k| *k == kind) {
            self.faults.remove(at);
            self.emit(LineEvent::FaultCleared { kind });
        }
    }
}
