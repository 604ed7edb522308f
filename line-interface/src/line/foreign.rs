//! Voltages that are not the panel's: too high, mains, moisture, a feed that never rings.

use super::{FaultKind, Line, LineState};
use crate::card::BLOCK_MS;
use crate::profile::FaultRule;
use crate::reading::BlockReading;

/// A panel that feeds a pair rings within seconds; a minute is something else.
const FED_IN_VAIN_MS: u64 = 60_000;

/// Debounces what is no signal.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ForeignWatch {
    foreign_ms: u64,
    leaking_ms: u64,
    dry_ms: u64,
    last: BlockReading,
    /// What shows it: the mean of a period, of mains its peak.
    volts: f32,
}

impl ForeignWatch {
    pub(super) fn update(&mut self, rule: &FaultRule, reading: &BlockReading) {
        // Two blocks are one period of 50 Hz.
        let mean = (reading.mean_volts + self.last.mean_volts) / 2.0;
        let low = reading.low_volts.min(self.last.low_volts);
        let high = reading.high_volts.max(self.last.high_volts);
        self.last = *reading;
        let count = |ms: u64, hit: bool| if hit { ms.saturating_add(BLOCK_MS) } else { 0 };
        let hum = rule.foreign_hum_volts.value;
        // A panel's own signals have one sign; hum on a pair at rest has both.
        let mains = low <= -hum && high >= hum && reading.tone_hz.is_none();
        self.volts = if mains { high.max(-low) } else { mean };
        self.foreign_ms = count(
            self.foreign_ms,
            mean.abs() >= rule.foreign_min_volts.value || mains,
        );
        let wet = mean >= rule.leakage_min_volts.value && reading.tone_hz.is_none();
        self.leaking_ms = count(self.leaking_ms, wet);
        self.dry_ms = count(self.dry_ms, !wet);
    }

    pub(super) const fn foreign(&self, ms: u64) -> bool {
        self.foreign_ms >= ms
    }

    /// The voltage that shows it.
    pub(super) const fn volts(&self) -> f32 {
        self.volts
    }

    pub(super) const fn present(&self) -> bool {
        self.foreign_ms > 0
    }
}

impl Line {
    pub(super) fn watch_leakage(&mut self) {
        let ms = self.profile.fault.leakage_ms.value;
        if self.state == LineState::Idle
            && self.foreign.leaking_ms >= ms
            && self.reading.mean_volts < self.profile.bands.on_hook_min_volts.value
        {
            self.raise(FaultKind::Leakage);
        } else if self.foreign.dry_ms >= ms || self.state != LineState::Idle {
            self.clear(FaultKind::Leakage);
        }
    }

    pub(super) fn fed_in_vain(&self) -> bool {
        matches!(self.state, LineState::Selected | LineState::Fault)
            && self.steady.band != crate::bands::Band::Idle
            && self.in_state_for(FED_IN_VAIN_MS)
    }
}
