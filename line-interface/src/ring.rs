//! Tells the panel's ringing from everything else on the wires (line-facts 1.6).

use crate::card::BLOCK_MS;
use crate::profile::RingRule;
use crate::reading::BlockReading;

/// Blocks without the tone that one burst may hold: a warble changes its pitch inside a block.
const BRIDGED_BLOCKS: u64 = 1;

/// Follows blocks of readings and knows whether the panel rings.
#[derive(Debug, Clone, Default)]
pub struct RingDetector {
    burst_ms: u64,
    gap_blocks: u64,
    silent_ms: u64,
    confirmed: bool,
}

impl RingDetector {
    /// The block holds a signal that a panel rings with.
    #[must_use]
    pub fn sounds(rule: &RingRule, reading: &BlockReading) -> bool {
        reading.swing_volts >= rule.min_swing_volts.value
            && reading.fill >= rule.min_fill.value
            && reading.tone_hz.is_some_and(|hz| {
                (rule.min_frequency_hz.value..=rule.max_frequency_hz.value).contains(&hz)
            })
    }

    /// Takes the next block.
    pub fn update(&mut self, rule: &RingRule, reading: &BlockReading) {
        if Self::sounds(rule, reading) {
            self.burst_ms = self.burst_ms.saturating_add(BLOCK_MS);
            self.gap_blocks = 0;
            if self.burst_ms >= rule.minimum_ms.value {
                self.confirmed = true;
            }
        } else {
            self.gap_blocks = self.gap_blocks.saturating_add(1);
            if self.gap_blocks > BRIDGED_BLOCKS {
                self.burst_ms = 0;
            }
        }
        // A click inside a pause is no ring and must not stretch it: only a whole burst does.
        if self.burst_ms >= rule.minimum_ms.value {
            self.silent_ms = 0;
        } else {
            self.silent_ms = self.silent_ms.saturating_add(BLOCK_MS);
        }
        if self.silent_ms >= rule.hold_off_ms.value {
            self.confirmed = false;
        }
    }

    /// The ring rule is met and the hold-off has not run out since the last burst.
    #[must_use]
    pub const fn ringing(&self) -> bool {
        self.confirmed
    }

    /// Milliseconds since the last burst that met the rule.
    #[must_use]
    pub const fn silent_ms(&self) -> u64 {
        self.silent_ms
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn tone(swing_volts: f32, hz: f32) -> BlockReading {
        BlockReading {
            swing_volts,
            fill: 0.9,
            tone_hz: Some(hz),
            ..BlockReading::default()
        }
    }

    #[test]
    fn the_rule_is_met_in_the_block_that_completes_it_and_the_pause_is_bridged() {
        for name in Profile::builtin_names() {
            let rule = Profile::builtin(name).unwrap().ring;
            let mut ring = RingDetector::default();
            for block in 1..=5 {
                ring.update(&rule, &tone(2.4, 1000.0));
                assert_eq!(ring.ringing(), block * BLOCK_MS >= rule.minimum_ms.value);
            }
            // The burst itself bridges one block, so the silence starts one block later.
            let pause = rule.hold_off_ms.value / BLOCK_MS;
            for _ in 0..pause {
                ring.update(&rule, &BlockReading::default());
                assert!(ring.ringing(), "{name}");
            }
            ring.update(&rule, &BlockReading::default());
            assert!(!ring.ringing(), "{name}");
        }
    }

    #[test]
    fn short_weak_low_and_broken_signals_never_meet_the_rule() {
        let rule = Profile::builtin("vizit").unwrap().ring;
        let mut ring = RingDetector::default();
        for i in 0..10_000_u32 {
            let reading = match i % 6 {
                0..=3 => tone(2.4, 1000.0),
                _ => BlockReading::default(),
            };
            ring.update(&rule, &reading);
            ring.update(&rule, &tone(0.5, 1000.0));
            ring.update(&rule, &tone(5.0, 120.0));
            assert!(!ring.ringing());
        }
    }
}
