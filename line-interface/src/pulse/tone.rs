//! Ring, wrong code or door opened: told apart by frequency (line-facts 3).

use super::profile::PulseTone;
use crate::card::BLOCK_MS;
use crate::reading::BlockReading;

/// A tone of a pulse panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PanelTone {
    /// Ring.
    Ring,
    /// Wrong code.
    WrongCode,
    /// The door was opened.
    Opened,
}

impl PanelTone {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::WrongCode => "wrong_code",
            Self::Opened => "door_opened",
        }
    }
}

/// Follows blocks and reports a tone once it has lasted.
#[derive(Debug, Clone, Default)]
pub struct ToneReader {
    tone: Option<PanelTone>,
    ms: u64,
    gap: u64,
}

impl ToneReader {
    /// The tone that one block holds.
    #[must_use]
    pub fn classify(rule: &PulseTone, reading: &BlockReading) -> Option<PanelTone> {
        let hz = reading.tone_hz?;
        if reading.swing_volts < rule.min_swing_volts.value {
            return None;
        }
        let near = |want: f32| (hz / want - 1.0).abs() <= rule.tolerance.value;
        if near(rule.ring_hz.value) {
            Some(PanelTone::Ring)
        } else if near(rule.wrong_code_hz.value) {
            Some(PanelTone::WrongCode)
        } else if near(rule.opened_hz.value) {
            Some(PanelTone::Opened)
        } else {
            None
        }
    }

    /// Takes a block; returns a tone in the block in which it has lasted long enough.
    pub fn update(&mut self, rule: &PulseTone, reading: &BlockReading) -> Option<PanelTone> {
        let seen = Self::classify(rule, reading);
        if seen.is_some() && seen == self.tone {
            let before = self.ms;
            self.ms = self.ms.saturating_add(BLOCK_MS);
            self.gap = 0;
            let due = rule.minimum_ms.value;
            return (before < due && self.ms >= due).then_some(seen).flatten();
        }
        // One odd block inside a tone is a block that began or ended within a burst.
        self.gap += 1;
        if self.gap > 1 || self.tone.is_none() {
            self.tone = seen;
            self.ms = if seen.is_some() { BLOCK_MS } else { 0 };
            self.gap = 0;
        }
        None
    }

    /// A tone that has lasted long enough sounds now.
    #[must_use]
    pub fn sounding(&self, rule: &PulseTone) -> Option<PanelTone> {
        self.tone.filter(|_| self.ms >= rule.minimum_ms.value)
    }
}
