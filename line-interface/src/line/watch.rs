//! What the line watches for outside a call of ours.

use super::{FaultKind, HandsetFitting, Line, LineEvent, LineState};
use crate::bands::Band;
use crate::card::BLOCK_MS;
use crate::profile::Handset;

/// Debounces what the bias shows on the handset side while the relay isolates it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BiasWatch {
    lifted_ms: u64,
    missing_ms: u64,
    short_ms: u64,
    on_hook_ms: u64,
}

/// A pair that is still fed this long after a burst is fed in the pauses.
const FED_PAUSE_MS: u64 = 50;
/// A missing or shorted handset is no hurry: this rides over plugging and bounce.
const BIAS_FAULT_MS: u64 = 500;

impl BiasWatch {
    pub(super) fn update(&mut self, handset: &Handset, volts: f32) {
        let count = |ms: u64, hit: bool| if hit { ms.saturating_add(BLOCK_MS) } else { 0 };
        let short = volts < handset.bias_short_max_volts.value;
        let on_hook = !short && volts < handset.bias_on_hook_max_volts.value;
        let missing = volts > handset.bias_missing_min_volts.value;
        self.short_ms = count(self.short_ms, short);
        self.on_hook_ms = count(self.on_hook_ms, on_hook);
        self.missing_ms = count(self.missing_ms, missing);
        self.lifted_ms = count(self.lifted_ms, !short && !on_hook && !missing);
    }

    pub(super) const fn lifted(&self, handset: &Handset) -> bool {
        self.lifted_ms >= handset.lift_ms.value
    }

    pub(super) const fn fault(&self) -> Option<FaultKind> {
        if self.missing_ms >= BIAS_FAULT_MS {
            Some(FaultKind::HandsetMissing)
        } else if self.short_ms >= BIAS_FAULT_MS {
            Some(FaultKind::HandsetShort)
        } else {
            None
        }
    }

    pub(super) const fn healthy(&self) -> bool {
        self.on_hook_ms >= BIAS_FAULT_MS || self.lifted_ms >= BIAS_FAULT_MS
    }
}

impl Line {
    pub(super) fn watch_idle(&mut self) {
        let fed = self.steady.band != Band::Idle
            && self.steady.ms >= self.profile.timing.selected_ms.value;
        if self.ring.ringing() || fed || self.line_fault().is_some() {
            self.seen_on_hook = false;
            self.not_lifted_seen = false;
            self.fed_pauses = false;
            self.emit(LineEvent::CallDetected);
            self.enter(LineState::Selected);
            self.watch_selected();
        }
    }

    pub(super) fn watch_selected(&mut self) {
        self.watch_hook();
        if self.ring.ringing() {
            self.emit(LineEvent::RingConfirmed);
            self.seen_on_hook = true;
            self.enter(LineState::Ringing);
            return;
        }
        if self.steady.reached(Band::OnHook, 2 * BLOCK_MS) {
            self.seen_on_hook = true;
        }
        if let Some(kind) = self.line_fault() {
            self.raise(kind);
            self.enter(LineState::Fault);
        } else if self.seen_on_hook && self.handset_lifted_on_line() {
            self.hand_over();
        } else if self
            .steady
            .reached(Band::Idle, self.profile.timing.panel_end_ms.value)
        {
            self.rest_again();
        }
    }

    /// A dead pair may be a pause between two bursts.
    pub(super) const fn pauses_unfed(&self) -> bool {
        self.bridging && !self.fed_pauses
    }

    fn watch_hook(&mut self) {
        self.not_lifted_seen |=
            self.fed.ms >= 2 * BLOCK_MS && !matches!(self.fed.band, Band::OffHook | Band::Idle);
    }

    pub(super) fn watch_ringing(&mut self) {
        self.watch_hook();
        self.fed_pauses |= self.ring.silent_ms() >= FED_PAUSE_MS
            && self.steady.band != Band::Idle
            && self.steady.ms >= FED_PAUSE_MS;
        let unfed_ms = if self.pauses_unfed() {
            self.profile.ring.hold_off_ms.value
        } else {
            self.profile.ring.idle_ends_ms.value
        };
        if self.reversed_ms >= self.profile.timing.fault_ms.value {
            // Swapped wires ring too, but no handset of ours could answer.
            self.emit(LineEvent::PanelGaveUp);
            self.raise(FaultKind::ReversedPolarity);
            self.enter(LineState::Fault);
        } else if self.handset_lifted_on_line() || self.handset_lifted_in_burst() {
            // Not every panel ends its burst for a lifted handset, so the bursts are read too.
            if !self.not_lifted_seen {
                // A panel that rings at once leaves no time for the fault of a pair that is only fed.
                self.raise(FaultKind::StuckOffHook);
            }
            self.hand_over();
        } else if !self.ring.ringing() || self.steady.reached(Band::Idle, unfed_ms) {
            self.emit(LineEvent::PanelGaveUp);
            self.leave();
        }
    }

    pub(super) fn watch_handset_call(&mut self) {
        let handset = &self.profile.handset;
        let replaced = self.steady.reached(Band::OnHook, handset.replace_ms.value);
        if self.steady.reached(Band::OnHook, handset.lift_ms.value) {
            self.back_on_hook = true;
        } else if self.steady.band == Band::OffHook {
            self.back_on_hook = false;
            self.button_held = false;
        }
        // A panel quicker than our debounce drops the line while we still watch the hook.
        let dropped = self
            .steady
            .reached(Band::Idle, self.profile.timing.panel_end_ms.value);
        if replaced || (dropped && self.back_on_hook) {
            self.emit(LineEvent::HandsetReplaced);
        }
        if replaced || dropped {
            self.leave();
        } else if !self.button_held
            && self
                .steady
                .reached(Band::Open, self.profile.handset.button_ms.value)
        {
            self.button_held = true;
            self.emit(LineEvent::DoorButton);
        }
    }

    pub(super) fn watch_fault(&mut self) {
        if self.fed_in_vain() {
            self.raise(FaultKind::ForeignVoltage);
        }
        let settled = self.profile.timing.fault_ms.value;
        let dead = self.reversed_ms == 0
            && !self.foreign.present()
            && self
                .steady
                .reached(Band::Idle, self.profile.timing.panel_end_ms.value);
        let vain = self.faults.contains(&FaultKind::ForeignVoltage);
        let healthy = self.reversed_ms == 0
            && (self.ring.ringing() || (!vain && self.steady.reached(Band::OnHook, settled)));
        if dead || healthy {
            // An unfed line proves nothing about the fault, yet the next call tells it again.
            for kind in [
                FaultKind::OpenPair,
                FaultKind::Short,
                FaultKind::ReversedPolarity,
                FaultKind::StuckOffHook,
                FaultKind::ForeignVoltage,
            ] {
                self.clear(kind);
            }
            if dead {
                self.rest_again();
            } else {
                self.enter(LineState::Selected);
                self.watch_selected();
            }
        }
    }

    pub(super) fn watch_lock_out(&mut self) {
        // A burst that began under the lock-out is the old call's: count it from anew afterwards.
        self.ring.reset();
        if self.in_state_for(self.profile.timing.lockout_ms.value) {
            self.rest_again();
        }
    }

    fn rest_again(&mut self) {
        // Nothing is known of the hook of an unfed pair; the next call tells it again.
        self.clear(FaultKind::StuckOffHook);
        self.ring.reset();
        self.drive = self.rest();
        self.enter(LineState::Idle);
        self.emit(LineEvent::Idle);
    }

    /// The old handset has the line from this block on.
    pub(super) fn hand_over(&mut self) {
        self.drive = self.rest();
        self.steady = super::Dwell::default();
        self.back_on_hook = false;
        self.button_held = false;
        self.hang_up_wanted = false;
        self.emit(LineEvent::HandsetLifted);
        self.enter(LineState::HandsetHasCall);
    }

    fn handset_lifted_on_line(&self) -> bool {
        self.fitting == HandsetFitting::Relayed
            && self
                .steady
                .reached(Band::OffHook, self.profile.handset.lift_ms.value)
    }

    fn handset_lifted_in_burst(&self) -> bool {
        self.fitting == HandsetFitting::Relayed
            && self
                .fed
                .reached(Band::OffHook, self.profile.handset.lift_ms.value)
    }

    /// A fault that keeps a fed line from carrying a call.
    fn line_fault(&self) -> Option<FaultKind> {
        let ms = self.profile.timing.fault_ms.value;
        if self.foreign.foreign(ms) || self.fed_in_vain() {
            Some(FaultKind::ForeignVoltage)
        } else if self.foreign.present() {
            // It also looks open or reversed; a moment later it is known.
            None
        } else if self.reversed_ms >= ms {
            Some(FaultKind::ReversedPolarity)
        } else if self.steady.reached(Band::Short, ms) {
            Some(FaultKind::Short)
        } else if self.steady.reached(Band::Open, ms) {
            Some(FaultKind::OpenPair)
        } else if !self.seen_on_hook && self.steady.reached(Band::OffHook, ms) {
            Some(FaultKind::StuckOffHook)
        } else {
            None
        }
    }
}
