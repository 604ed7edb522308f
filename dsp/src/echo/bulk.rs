//! The bulk delay of the echo: found, removed and followed.

use crate::Rate;
use crate::delay::DelayFinder;
use crate::echo::BLOCK;

/// The filter is given this much before the first arrival, samples at 8 kHz (2 ms).
const LEAD: usize = 16;
/// The delay is taken out again only when the echo begins this much later than the filter, samples at 8 kHz (10 ms)...
const LATE: usize = 80;
/// ...and put back when it begins less than this after it (0.5 ms).
const EARLY: usize = 4;
/// Blocks for which it must have been found in the same place, 0.3 s.
const STEADY: u32 = 30;
/// What counts as the same place, samples at 8 kHz (1 ms).
const SAME: usize = 8;

/// Watches where the echo begins.
#[derive(Debug, Clone)]
pub(super) struct BulkWatch {
    rate: Rate,
    finder: DelayFinder,
    found: Option<usize>,
    steady: u32,
}

impl BulkWatch {
    pub(super) fn new(rate: Rate, range_ms: u32) -> BulkWatch {
        BulkWatch {
            rate,
            finder: DelayFinder::new(range_ms),
            found: None,
            steady: 0,
        }
    }

    /// Takes a block; gives another delay when the one that is removed no longer fits. All in samples of the rate.
    pub(super) fn watch(&mut self, far: &[f32], mic: &[f32], removed: usize) -> Option<usize> {
        self.finder
            .process(&self.at_8_khz(far), &self.at_8_khz(mic));
        let found = self.finder.find()?.first;
        let same = self
            .found
            .is_some_and(|before| before.abs_diff(found) <= SAME);
        self.steady = if same { self.steady + 1 } else { 0 };
        if !same {
            self.found = Some(found);
        }
        let factor = self.rate.block() / BLOCK;
        let now = removed / factor;
        let fits = (now == 0 || found >= now + EARLY) && found < now + LEAD + LATE;
        if fits || self.steady < STEADY {
            return None;
        }
        self.steady = 0;
        Some(found.saturating_sub(LEAD) * factor)
    }

    /// Delay of the first clear part of the echo, ms.
    pub(super) fn delay_ms(&self) -> Option<f32> {
        self.found.map(|samples| samples as f32 / 8.0)
    }

    /// Pairs of samples become one; the finder does not mind what folds.
    fn at_8_khz(&self, samples: &[f32]) -> [f32; BLOCK] {
        let factor = self.rate.block() / BLOCK;
        std::array::from_fn(|i| {
            let part = samples
                .get(i * factor..(i + 1) * factor)
                .unwrap_or_default();
            part.iter().sum::<f32>() / factor as f32
        })
    }
}
