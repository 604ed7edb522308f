//! The bulk delay of the echo: found, removed and followed.
//!
//! Once the answer stands it is looked after for a quarter of the time only. The whole of it comes back when the canceller's
//! loss falls, when the delay is no longer as clear as it was, or when another answer comes out.

use crate::Rate;
use crate::delay::DelayFinder;
use crate::echo::BLOCK;

/// The filter is given this much before the first arrival, samples at 8 kHz (2 ms).
const LEAD: usize = 16;
/// The delay is taken out again only when the echo begins this much later than the filter, samples at 8 kHz (10 ms)...
const LATE: usize = 80;
/// ...and put back when it begins less than this after it (0.5 ms).
const EARLY: usize = 4;
/// Answers of the finder, one every 40 ms, in which it must have been found in the same place: 0.3 s.
const STEADY: u32 = 8;
/// What counts as the same place, samples at 8 kHz (1 ms).
const SAME: usize = 8;

/// Answers that must be alike before the watch rests, 1.5 s...
const WATCH: u32 = 38;
/// ...and the blocks for which it does, 4.5 s.
const REST: u32 = 450;
/// Answers for which it does not rest after a sign of change, 8 s: by then the place before is forgotten.
const SHAKEN: u32 = 200;
/// Answers before it may be believed that there is nothing to be found, 6 s.
const IN_VAIN: u32 = 150;
/// While it watches, the strongest delay must not fall below this share of its strength, when there is one...
const WEAKER: f32 = 0.85;
/// ...and not rise above this, when there is none.
const STRONGER: f32 = 1.3;
/// A canceller that loses this much of its echo loss ends the rest, dB.
const WORSE_DB: f32 = 6.0;

/// Watches where the echo begins.
#[derive(Debug, Clone)]
pub(super) struct BulkWatch {
    rate: Rate,
    finder: DelayFinder,
    found: Option<usize>,
    steady: u32,
    /// Answers so far.
    answers: u32,
    /// Alike answers in a row, and the strength when they began.
    alike: u32,
    strength: f32,
    /// Answers until it may rest again.
    shaken: u32,
    /// Blocks still to rest, and the canceller's loss when that began.
    rest: u32,
    erle_db: f32,
}

impl BulkWatch {
    pub(super) fn new(rate: Rate, range_ms: u32) -> BulkWatch {
        BulkWatch {
            rate,
            finder: DelayFinder::new(range_ms),
            found: None,
            steady: 0,
            answers: 0,
            alike: 0,
            strength: 0.0,
            shaken: 0,
            rest: 0,
            erle_db: 0.0,
        }
    }

    /// Takes a block, the delay that is removed in samples of the rate, and the canceller's echo loss; gives another delay when
    /// that one no longer fits.
    pub(super) fn watch(
        &mut self,
        far: &[f32],
        mic: &[f32],
        removed: usize,
        erle_db: f32,
    ) -> Option<usize> {
        if self.rests(erle_db) {
            return None;
        }
        let news = self
            .finder
            .process(&self.at_8_khz(far), &self.at_8_khz(mic));
        if !news {
            return None;
        }
        let found = self.finder.find().map(|found| found.first);
        let factor = self.rate.block() / BLOCK;
        let now = removed / factor;
        let Some(found) = found else {
            let vain = self.found.is_none() && self.answers >= IN_VAIN;
            self.consider(vain, erle_db);
            return None;
        };
        let same = self
            .found
            .is_some_and(|before| before.abs_diff(found) <= SAME);
        self.steady = if same { self.steady + 1 } else { 0 };
        if !same {
            if self.found.is_some() {
                self.shaken = SHAKEN;
            }
            self.found = Some(found);
        }
        let fits = (now == 0 || found >= now + EARLY) && found < now + LEAD + LATE;
        self.consider(same && fits, erle_db);
        if fits || self.steady < STEADY {
            return None;
        }
        self.steady = 0;
        Some(found.saturating_sub(LEAD) * factor)
    }

    /// True while nothing is looked at.
    fn rests(&mut self, erle_db: f32) -> bool {
        if self.rest == 0 {
            return false;
        }
        self.rest = if erle_db < self.erle_db - WORSE_DB {
            0
        } else {
            self.rest - 1
        };
        if self.rest == 0 {
            self.finder.resume();
            self.alike = 0;
        }
        self.rest > 0
    }

    /// An answer came out; it is `settled` when it says the same as the one before and nothing has to be done about it.
    fn consider(&mut self, settled: bool, erle_db: f32) {
        self.answers = self.answers.saturating_add(1);
        self.shaken = self.shaken.saturating_sub(1);
        let Some(strength) = self.finder.strength() else {
            return;
        };
        if !settled || self.alike == 0 {
            self.alike = u32::from(settled);
            self.strength = strength;
            return;
        }
        self.alike += 1;
        if self.alike < WATCH {
            return;
        }
        self.alike = 0;
        let holds = match self.found {
            Some(_) => strength > WEAKER * self.strength,
            None => strength < STRONGER * self.strength,
        };
        if !holds && self.found.is_some() {
            self.shaken = SHAKEN;
        }
        if holds && self.shaken == 0 {
            self.rest = REST;
            self.erle_db = erle_db;
        }
    }

    /// Delay of the first clear part of the echo, ms.
    pub(super) fn delay_ms(&self) -> Option<f32> {
        self.found.map(|samples| samples as f32 / 8.0)
    }

    /// Pairs of samples become one; the finder does not mind what folds.
    fn at_8_khz(&self, samples: &[f32]) -> [f32; BLOCK] {
        if let (Rate::Hz8000, Ok(samples)) = (self.rate, samples.try_into()) {
            return samples;
        }
        let factor = self.rate.block() / BLOCK;
        std::array::from_fn(|i| {
            let part = samples
                .get(i * factor..(i + 1) * factor)
                .unwrap_or_default();
            part.iter().sum::<f32>() / factor as f32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: usize = 8000;

    /// Noise in syllables.
    fn babble(seconds: usize, seed: u32) -> Vec<f32> {
        let (mut state, mut low) = (seed, 0.0);
        (0..seconds * SECOND)
            .map(|n| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = (state >> 8) as f32 / 8_388_608.0 - 1.0;
                low += 0.3 * (noise - low);
                0.2 * low * (1.0 + (n as f32 / 1200.0).sin())
            })
            .collect()
    }

    /// A call in which the echo comes this late, in samples of the time, and what the watch did in it.
    struct Call {
        watch: BulkWatch,
        far: Vec<f32>,
        near: Vec<f32>,
        removed: usize,
        at: usize,
        looked: usize,
    }

    impl Call {
        fn new(seconds: usize) -> Call {
            Call {
                watch: BulkWatch::new(Rate::Hz8000, 250),
                far: babble(seconds, 3),
                near: babble(seconds, 99),
                removed: 0,
                at: 0,
                looked: 0,
            }
        }

        /// Goes on for this long with an echo this late, or none; the seconds after which the delay is removed and told.
        fn go(&mut self, seconds: usize, delay: Option<usize>, erle_db: f32) -> Option<f32> {
            let begin = self.at;
            let mut since = None;
            for n in (begin..begin + seconds * SECOND).step_by(BLOCK) {
                let far = &self.far[n..n + BLOCK];
                let mic: Vec<f32> = (n..n + BLOCK)
                    .map(|n| {
                        let from = delay.and_then(|delay| n.checked_sub(delay));
                        0.3 * from.map_or(0.0, |from| self.far[from]) + 0.2 * self.near[n]
                    })
                    .collect();
                if let Some(delay) = self.watch.watch(far, &mic, self.removed, erle_db) {
                    self.removed = delay;
                }
                self.looked += usize::from(self.watch.rest == 0);
                let found = self.watch.found;
                let right = found.zip(delay).is_some_and(|(a, b)| a.abs_diff(b) <= SAME);
                let reached = delay.is_some_and(|delay| {
                    (self.removed..self.removed + LEAD + LATE).contains(&delay)
                });
                since = if right && reached {
                    since.or(Some(n))
                } else {
                    None
                };
            }
            self.at += seconds * SECOND;
            since.map(|n| (n - begin) as f32 / SECOND as f32)
        }
    }

    #[test]
    fn a_delay_that_stands_is_looked_after_for_a_quarter_of_the_time() {
        for delay in [Some(20), Some(900), None] {
            let mut call = Call::new(70);
            call.go(10, delay, 20.0);
            call.looked = 0;
            call.go(60, delay, 20.0);
            let share = call.looked as f32 / 6000.0;
            assert!((0.2..0.3).contains(&share), "{delay:?}: {share}");
        }
    }

    #[test]
    fn a_delay_that_changes_is_followed_whether_the_canceller_notices_or_not() {
        for (before, after) in [(900, 1500), (1500, 300), (100, 1900), (1900, 100)] {
            let mut call = Call::new(60);
            let first = call.go(13, Some(before), 20.0);
            assert!(first.is_some_and(|s| s < 2.0), "{first:?}");
            assert!(call.watch.rest > 0, "it rests after 13 s");
            // Its loss falls at once.
            let told = call.go(20, Some(after), 3.0);
            assert!(told.is_some_and(|s| s < 3.5), "{before} {after}: {told:?}");
            call.go(7, Some(after), 20.0);
            let told = call.go(20, Some(before), 20.0);
            assert!(told.is_some_and(|s| s < 8.0), "{after} {before}: {told:?}");
        }
    }

    #[test]
    fn an_echo_that_begins_late_in_a_call_is_found() {
        // Wherever it is in its rest.
        for seconds in 24..30 {
            let mut call = Call::new(45);
            call.go(seconds, None, 0.0);
            let told = call.go(15, Some(1200), 0.0);
            assert!(told.is_some_and(|s| s < 8.0), "{seconds}: {told:?}");
        }
    }

    #[test]
    fn a_delay_that_changes_while_nobody_speaks_is_followed() {
        let mut call = Call::new(90);
        call.far[15 * SECOND..60 * SECOND].fill(0.0);
        call.go(15, Some(900), 20.0);
        // What is heard meanwhile says nothing about the echo.
        call.go(45, None, 20.0);
        assert_eq!(call.watch.found, Some(900));
        let told = call.go(30, Some(300), 20.0);
        assert!(told.is_some_and(|s| s < 8.0), "{told:?}");
    }
}
