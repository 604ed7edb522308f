//! A call of ours: off-hook, the door, hanging up, and giving the line back.

use std::time::Duration;

use super::watch::BiasWatch;
use super::{DoorFailure, FaultKind, HandsetFitting, Line, LineEvent, LineState, Release};
use crate::bands::Band;
use crate::card::{BLOCK_MS, Drive, HandsetRelay, Load};
use crate::profile::DoorManner;

/// The relay's travel and the first charge of the handset cable: the bias is not read before.
const BIAS_GUARD_MS: u64 = 30;
/// A steady tone of this length is the panel sounding; shorter ones are voices.
const SOUNDING_MS: u64 = 50;
/// Weakest tone on a talking line that counts as the panel sounding.
const SOUNDING_VOLTS: f32 = 0.3;
/// The settle time never waits longer than this for a tone or a band.
const SETTLE_EXTRA_MS: u64 = 3000;

impl Line {
    pub(super) fn begin_call(&mut self) {
        self.drive = self.in_place(Load::OffHook);
        self.answered_unfed = self.pauses_unfed() && self.tracker.band() == Band::Idle;
        self.bias = BiasWatch::default();
        self.steady = super::Dwell::default();
        self.tone_at = self.now;
        self.tone_ms = 0;
        self.pending = None;
        self.releasing = None;
        self.hang_up_wanted = false;
        self.enter(LineState::Answering);
    }

    pub(super) fn watch_call(&mut self) {
        if self.handset_lifted_behind_relay() {
            self.fail_door(DoorFailure::HandsetLifted);
            self.hand_over();
            return;
        }
        self.answered_unfed &= self.tracker.band() == Band::Idle;
        // The next burst shows the panel our load; until then a dead pair is the pause that it was.
        let unfed_ms = if self.answered_unfed {
            self.profile.ring.hold_off_ms.value
        } else {
            self.profile.timing.panel_end_ms.value
        };
        if self.state != LineState::HangingUp && self.steady.reached(Band::Idle, unfed_ms) {
            self.fail_door(DoorFailure::PanelEnded);
            self.emit(LineEvent::PanelEnded);
            self.leave();
            return;
        }
        self.listen_for_tone();
        match self.state {
            LineState::Answering => self.settle(),
            LineState::Talking => self.talk(),
            LineState::DoorRelease => self.door(),
            LineState::HangingUp if self.in_state_for(self.profile.timing.on_hook_ms.value) => {
                self.leave();
            }
            _ => {}
        }
    }

    /// The one way out of a call: nothing of ours on the line, then the lock-out.
    pub(super) fn leave(&mut self) {
        self.drive = self.rest();
        self.pending = None;
        self.releasing = None;
        self.hang_up_wanted = false;
        self.ring.reset();
        self.enter(LineState::LockOut);
    }

    pub(super) fn fail_door(&mut self, reason: DoorFailure) {
        for release in [self.releasing.take(), self.pending.take()]
            .into_iter()
            .flatten()
        {
            self.emit(LineEvent::DoorReleaseFailed {
                token: release.token,
                reason,
            });
        }
    }

    pub(super) fn hang_up_when_free(&mut self) {
        let busy = self.pending.is_some() || self.state == LineState::DoorRelease;
        if self.hang_up_wanted && !busy {
            self.drive = self.in_place(Load::OnHook);
            self.enter(LineState::HangingUp);
        }
    }

    fn in_place(&self, load: Load) -> Drive {
        let relay = match self.fitting {
            HandsetFitting::Relayed => HandsetRelay::Isolated,
            HandsetFitting::Absent => HandsetRelay::Through,
        };
        Drive { load, relay }
    }

    fn handset_lifted_behind_relay(&mut self) -> bool {
        // A block that was read before the relay moved shows the line there, not the handset.
        if self.drive.relay != HandsetRelay::Isolated
            || self.applied.relay != HandsetRelay::Isolated
            || (self.state == LineState::Answering && !self.in_state_for(BIAS_GUARD_MS))
        {
            return false;
        }
        self.bias
            .update(&self.profile.handset, self.reading.handset_volts);
        if let Some(kind) = self.bias.fault() {
            self.raise(kind);
        } else if self.bias.healthy() {
            self.clear(FaultKind::HandsetMissing);
            self.clear(FaultKind::HandsetShort);
        }
        self.bias.lifted(&self.profile.handset)
    }

    fn listen_for_tone(&mut self) {
        let tone = self.reading.tone_hz.is_some() && self.reading.swing_volts >= SOUNDING_VOLTS;
        self.tone_ms = if tone {
            self.tone_ms.saturating_add(BLOCK_MS)
        } else {
            0
        };
        if self.tone_ms >= SOUNDING_MS {
            self.tone_at = self.now;
        }
    }

    fn settle(&mut self) {
        let settle = self.profile.timing.off_hook_settle_ms.value;
        let quiet = self.now.saturating_sub(self.tone_at.max(self.since));
        let late = self.in_state_for(settle.saturating_add(SETTLE_EXTRA_MS));
        let loaded = self.steady.band == Band::OffHook;
        if late && !loaded && self.steady.band == Band::Open {
            self.raise(FaultKind::OpenPair);
        }
        if late || (loaded && quiet >= Duration::from_millis(settle)) {
            self.emit(LineEvent::OffHookSettled);
            self.enter(LineState::Talking);
            self.talk();
        }
    }

    fn talk(&mut self) {
        let Some(release) = self.pending else {
            self.hang_up_when_free();
            return;
        };
        let door = &self.profile.door;
        let sounding = door.not_while_sounding.value
            && self.now.saturating_sub(self.tone_at) < Duration::from_millis(2 * SOUNDING_MS);

        let waited = self.now.saturating_sub(release.asked.max(self.since));
        if sounding && waited < Duration::from_millis(door.sounding_wait_max_ms.value) {
            return;
        }
        let load = match door.manner.value {
            DoorManner::Residue => Load::Residue,
            DoorManner::FullBreak => Load::Off,
        };
        self.pending = None;
        self.releasing = Some(release);
        self.drive = self.in_place(load);
        self.enter(LineState::DoorRelease);
        self.emit(LineEvent::DoorReleaseStarted {
            token: release.token,
        });
    }

    fn door(&mut self) {
        if let Some(Release { token, .. }) = self.releasing {
            if self.in_state_for(self.profile.door.release_ms.value) {
                self.releasing = None;
                self.drive = self.in_place(Load::OffHook);
                self.enter(LineState::DoorRelease);
                self.emit(LineEvent::DoorReleaseEnded { token });
            }
        } else if self.in_state_for(self.profile.door.restore_ms.value) {
            self.enter(LineState::Talking);
            self.talk();
        }
    }
}
