//! Who talks.

use crate::sample::{finite, mean_square};

/// Mean square from which the far end counts as talking, about -55 dBFS.
const FAR_AUDIBLE: f32 = 3e-6;
/// Blocks that an echo may come behind its source, 150 ms.
const ECHO_BLOCKS: u32 = 15;
/// The near end must stand this far above its own noise, as a power ratio (9 dB)...
const OVER_NOISE: f32 = 8.0;
/// ...and this far above the echo that is left (6 dB).
const OVER_ECHO: f32 = 4.0;
/// Weakest noise floor, about -80 dBFS.
const QUIETEST: f32 = 1e-8;
/// How fast the noise floor climbs per block, about 3 dB a second.
const CLIMB: f32 = 1.007;

/// Who talks in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Talk {
    /// The far end talks, or its echo may still sound.
    pub far: bool,
    /// Something comes from the line that is neither its noise nor echo.
    pub near: bool,
}

/// Tells who talks. Blocks of 10 ms.
#[derive(Debug, Clone)]
pub struct TalkMeter {
    floor: f32,
    far_for: u32,
    near_for: u32,
}

impl Default for TalkMeter {
    fn default() -> Self {
        TalkMeter::new()
    }
}

impl TalkMeter {
    /// A meter that has heard nothing.
    pub fn new() -> TalkMeter {
        TalkMeter {
            floor: 1e-4,
            far_for: 0,
            near_for: 0,
        }
    }

    /// `far` is what was played, `near` what is left of the line behind the canceller, `echo_left` the mean square of the echo
    /// that may still be in it.
    pub fn judge(&mut self, far: &[f32], near: &[f32], echo_left: f32) -> Talk {
        self.judge_powers(mean_square(far), mean_square(near), echo_left)
    }

    /// The same of the mean squares of both.
    pub(crate) fn judge_powers(&mut self, far: f32, near: f32, echo_left: f32) -> Talk {
        if far > FAR_AUDIBLE {
            self.far_for = ECHO_BLOCKS;
        } else {
            self.far_for = self.far_for.saturating_sub(1);
        }
        // The floor follows down at once and up slowly, so that it stays at the noise between the words.
        self.floor = (self.floor * CLIMB).min(near.max(QUIETEST));
        let echo_left = finite(echo_left).max(0.0);
        if near > OVER_NOISE * self.floor && near > OVER_ECHO * echo_left {
            // Two blocks in a row, so that a click is no talker.
            self.near_for = (self.near_for + 1).min(20);
        } else {
            self.near_for = 0;
        }
        Talk {
            far: self.far_for > 0,
            near: self.near_for >= 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::BLOCK;

    #[test]
    fn noise_is_no_talker_and_a_voice_above_it_is() {
        let mut meter = TalkMeter::new();
        let silent = [0.0; BLOCK];
        let mut last = Talk::default();
        for _ in 0..100 {
            last = meter.judge(&silent, &[0.001; BLOCK], 0.0);
        }
        assert_eq!(last, Talk::default());
        for _ in 0..3 {
            last = meter.judge(&silent, &[0.05; BLOCK], 0.0);
        }
        assert!(last.near && !last.far);
        // The same as an echo that is expected.
        for _ in 0..3 {
            last = meter.judge(&[0.1; BLOCK], &[0.05; BLOCK], 0.05 * 0.05);
        }
        assert!(!last.near && last.far);
    }
}
