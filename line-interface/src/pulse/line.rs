//! The call on a pulse line: our addresses, answer, door, hang up.

use std::collections::VecDeque;
use std::time::Duration;

use super::profile::PulseProfile;
use super::reader::PulseEvent;
use super::tone::{PanelTone, ToneReader};
use crate::card::{BLOCK_MS, Drive, HandsetRelay, Load, SenseBlock};
use crate::line::{LineError, LineErrorKind};
use crate::reading::BlockReading;

/// Where a pulse line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PulseState {
    /// Nothing of ours.
    Idle,
    /// One of our addresses was called; a ring must follow.
    Addressed,
    /// It rings for us.
    Ringing,
    /// We are off-hook.
    Talking,
    /// The load is away for the door, or just back.
    DoorRelease,
    /// Our on-hook load ends the call.
    HangingUp,
}

/// What happened on a pulse line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PulseLineEvent {
    /// The panel called one of our addresses.
    CallDetected {
        /// Which.
        address: u16,
    },
    /// It rings for us.
    RingConfirmed {
        /// For which address.
        address: u16,
    },
    /// Ringing ended unanswered.
    PanelGaveUp,
    /// Door commands may go out.
    OffHookSettled,
    /// The panel ended the call.
    PanelEnded,
    /// The load is away.
    DoorReleaseStarted {
        /// The caller's token.
        token: u64,
    },
    /// The load is back.
    DoorReleaseEnded {
        /// The caller's token.
        token: u64,
    },
    /// The panel ended the call before or in the release.
    DoorReleaseFailed {
        /// The caller's token.
        token: u64,
    },
    /// The panel plays a tone.
    Tone {
        /// Which.
        tone: PanelTone,
    },
    /// Ready for the next call.
    Idle,
}

/// A pulse line with the addresses that this box owns.
#[derive(Debug)]
pub struct PulseLine {
    profile: PulseProfile,
    addresses: Vec<u16>,
    state: PulseState,
    since: Duration,
    now: Duration,
    address: u16,
    tones: ToneReader,
    quiet_ms: u64,
    low_ms: u64,
    settled: bool,
    pending: Option<u64>,
    away: Option<u64>,
    hang_up_wanted: bool,
    drive: Drive,
    events: VecDeque<PulseLineEvent>,
}

/// Events kept for a caller that does not drain them.
const MAX_EVENTS: usize = 256;
/// A box owns at most every address of a line.
const MAX_ADDRESSES: usize = 255;

impl PulseLine {
    /// At rest. Addresses beyond the 255th are dropped.
    #[must_use]
    pub fn new(profile: PulseProfile, mut addresses: Vec<u16>) -> Self {
        addresses.truncate(MAX_ADDRESSES);
        Self {
            profile,
            addresses,
            state: PulseState::Idle,
            since: Duration::ZERO,
            now: Duration::ZERO,
            address: 0,
            tones: ToneReader::default(),
            quiet_ms: 0,
            low_ms: 0,
            settled: false,
            pending: None,
            away: None,
            hang_up_wanted: false,
            drive: Drive::SAFE,
            events: VecDeque::new(),
        }
    }

    /// What the pulse reader saw.
    pub fn handle_pulses(&mut self, now: Duration, event: PulseEvent) {
        self.now = self.now.max(now);
        // Any new selection ends the old one, also our own (line-facts 3: the second low).
        if self.state != PulseState::Idle {
            self.end();
        }
        if let PulseEvent::Address { address, .. } = event
            && self.addresses.contains(&address)
        {
            self.address = address;
            self.low_ms = 0;
            self.quiet_ms = 0;
            self.tones = ToneReader::default();
            self.enter(PulseState::Addressed);
            self.emit(PulseLineEvent::CallDetected { address });
        }
    }

    /// Takes the readings of the last 10 ms.
    pub fn handle_block(&mut self, now: Duration, sense: &SenseBlock) {
        self.now = self.now.max(now);
        let reading = BlockReading::of(sense);
        let sounded = self.tones.update(&self.profile.tone, &reading);
        if let Some(tone) = sounded {
            self.emit(PulseLineEvent::Tone { tone });
        }
        let rings = self.tones.sounding(&self.profile.tone) == Some(PanelTone::Ring);
        self.quiet_ms = if rings {
            0
        } else {
            self.quiet_ms.saturating_add(BLOCK_MS)
        };
        let low = reading.tone_hz.is_none()
            && reading.mean_volts <= self.profile.level.low_max_volts.value;
        self.low_ms = if low {
            self.low_ms.saturating_add(BLOCK_MS)
        } else {
            0
        };
        let t = &self.profile.timing;
        match self.state {
            PulseState::Idle => {}
            PulseState::Addressed if rings => {
                self.enter(PulseState::Ringing);
                let address = self.address;
                self.emit(PulseLineEvent::RingConfirmed { address });
            }
            PulseState::Addressed if self.aged(t.ring_wait_ms.value) => self.end(),
            PulseState::Ringing
                if self.quiet_ms >= t.hold_off_ms.value || self.low_ms >= t.panel_end_ms.value =>
            {
                self.end();
            }
            PulseState::Talking | PulseState::DoorRelease | PulseState::HangingUp
                if self.low_ms >= t.panel_end_ms.value =>
            {
                self.end();
            }
            PulseState::Talking => self.talk(),
            PulseState::DoorRelease => self.door(),
            PulseState::HangingUp if self.aged(t.on_hook_ms.value) => self.end(),
            _ => {}
        }
    }

    /// Goes off-hook.
    ///
    /// # Errors
    /// When nothing rings for us.
    pub fn answer(&mut self, now: Duration) -> Result<(), LineError> {
        self.now = self.now.max(now);
        match self.state {
            PulseState::Addressed | PulseState::Ringing => {}
            PulseState::Idle => return Err(LineError::of(LineErrorKind::NoCall)),
            PulseState::HangingUp => return Err(LineError::of(LineErrorKind::LockOut)),
            _ => return Err(LineError::of(LineErrorKind::AlreadyAnswered)),
        }
        self.settled = false;
        self.load(Load::OffHook);
        self.enter(PulseState::Talking);
        Ok(())
    }

    /// Presses the door button as soon as the panel can see it.
    ///
    /// # Errors
    /// When we are not in a call or a release is pending.
    pub fn release_door(&mut self, now: Duration, token: u64) -> Result<(), LineError> {
        self.now = self.now.max(now);
        if !matches!(self.state, PulseState::Talking | PulseState::DoorRelease)
            || self.hang_up_wanted
        {
            return Err(LineError::of(LineErrorKind::NoCall));
        }
        if self.pending.is_some() || self.away.is_some() {
            return Err(LineError::of(LineErrorKind::DoorBusy));
        }
        self.pending = Some(token);
        Ok(())
    }

    /// Ends our call, after a release that was accepted before.
    pub fn hang_up(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if matches!(self.state, PulseState::Talking | PulseState::DoorRelease) {
            self.hang_up_wanted = true;
        }
    }

    /// The card is gone.
    pub fn card_lost(&mut self, now: Duration) {
        self.now = self.now.max(now);
        if self.state != PulseState::Idle {
            self.end();
        }
    }

    /// What the card shall do.
    #[must_use]
    pub const fn drive(&self) -> Drive {
        self.drive
    }

    /// Where the line stands.
    #[must_use]
    pub const fn state(&self) -> PulseState {
        self.state
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<PulseLineEvent> {
        self.events.pop_front()
    }

    fn talk(&mut self) {
        if !self.settled {
            if self.aged(self.profile.timing.off_hook_settle_ms.value) {
                self.settled = true;
                self.emit(PulseLineEvent::OffHookSettled);
            }
            return;
        }
        if let Some(token) = self.pending.take() {
            self.away = Some(token);
            self.load(Load::Off);
            self.enter(PulseState::DoorRelease);
            self.emit(PulseLineEvent::DoorReleaseStarted { token });
        } else if self.hang_up_wanted {
            self.load(Load::OnHook);
            self.enter(PulseState::HangingUp);
        }
    }

    fn door(&mut self) {
        let door = &self.profile.door;
        if let Some(token) = self.away {
            if self.aged(door.release_ms.value) {
                self.away = None;
                self.load(Load::OffHook);
                self.enter(PulseState::DoorRelease);
                self.emit(PulseLineEvent::DoorReleaseEnded { token });
            }
        } else if self.aged(door.restore_ms.value) {
            self.enter(PulseState::Talking);
        }
    }

    /// The one way out: nothing of ours on the wire.
    fn end(&mut self) {
        for token in [self.away.take(), self.pending.take()]
            .into_iter()
            .flatten()
        {
            self.emit(PulseLineEvent::DoorReleaseFailed { token });
        }
        match self.state {
            PulseState::Ringing => self.emit(PulseLineEvent::PanelGaveUp),
            PulseState::Talking | PulseState::DoorRelease => self.emit(PulseLineEvent::PanelEnded),
            _ => {}
        }
        self.drive = Drive::SAFE;
        self.hang_up_wanted = false;
        self.enter(PulseState::Idle);
        self.emit(PulseLineEvent::Idle);
    }

    fn load(&mut self, load: Load) {
        self.drive = Drive {
            load,
            relay: HandsetRelay::Through,
        };
    }

    fn aged(&self, ms: u64) -> bool {
        self.now.saturating_sub(self.since) >= Duration::from_millis(ms)
    }

    fn enter(&mut self, state: PulseState) {
        self.state = state;
        self.since = self.now;
    }

    fn emit(&mut self, event: PulseLineEvent) {
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
