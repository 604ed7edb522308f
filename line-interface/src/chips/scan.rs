//! In which order the taps are visited, and what the visits make of a block of taps.
//!
//! The card has one converter for all bus lines, so it sees one at a time. Hum moves all lines
//! alike; it drops out because a line is visited again an odd number of 10 ms later, in the
//! opposite phase of 50 Hz, and only the mean of the two counts.

use super::sampler::TapVisit;
use crate::matrix::{Bus, SCANS_PER_BLOCK, TapBlock, TapLayout};

/// Visits in each 10 ms: a tap needs a millisecond to settle, and the converter reads the tap channel
/// once a millisecond beside the line.
pub const VISITS_PER_BLOCK: usize = 2;
/// A line that moves by more than this during a visit is being chopped by a ring burst: what the
/// visit caught says nothing, the line keeps what was seen before.
const CHOPPED_VOLTS: f32 = 0.8;

/// The order of the visits and what they showed.
#[derive(Debug, Clone)]
pub struct TapScan {
    lines: Vec<(Bus, usize)>,
    /// Visits from one visit to a line to its next.
    round: usize,
    visit: usize,
    /// The last two visits to each line.
    seen: Vec<[f32; 2]>,
    /// Visits that counted, up to two.
    counted: Vec<u8>,
}

impl TapScan {
    /// A scan of the taps of a switch, in the order of [`TapLayout`]; `None` when the switch has
    /// more than one module, which one card cannot tap.
    #[must_use]
    pub fn new(layout: &TapLayout) -> Option<Self> {
        let [module] = layout.modules() else {
            return None;
        };
        let tens = (0..module.tens).map(|line| (Bus::Tens, line));
        let units = (0..module.units).map(|line| (Bus::Units, line));
        let lines: Vec<_> = tens.chain(units).collect();
        let blocks = lines.len().div_ceil(VISITS_PER_BLOCK).max(1);
        // An odd number of blocks: the next visit meets the hum the other way up.
        let blocks = blocks + usize::from(blocks % 2 == 0);
        Some(Self {
            seen: vec![[0.0; 2]; lines.len()],
            counted: vec![0; lines.len()],
            round: blocks * VISITS_PER_BLOCK,
            visit: 0,
            lines,
        })
    }

    /// The line to select for a visit of the coming block, 0 or 1; lines count from 0. Where a round
    /// is longer than there are lines, none.
    #[must_use]
    pub fn line(&self, turn: usize) -> Option<(Bus, usize)> {
        let visit = (self.visit + turn) % self.round.max(1);
        self.lines.get(visit).copied()
    }

    /// Takes what the next visit in turn showed, or that it failed.
    pub fn take(&mut self, visit: Option<TapVisit>) {
        let at = self.visit;
        self.visit = (at + 1) % self.round.max(1);
        let Some(visit) = visit.filter(|visit| visit.range_volts <= CHOPPED_VOLTS) else {
            return;
        };
        if let (Some(seen), Some(counted)) = (self.seen.get_mut(at), self.counted.get_mut(at)) {
            *seen = [seen[1], visit.volts];
            *counted = (*counted + 1).min(2);
        }
    }

    /// Forgets what was seen, for example when the card was reset.
    pub fn clear(&mut self) {
        self.visit = 0;
        self.counted.fill(0);
    }

    /// The taps as they stand, once every line was seen twice: every scan of the block alike.
    pub fn fill(&self, block: &mut TapBlock) -> bool {
        if self.counted.iter().any(|counted| *counted < 2) {
            return false;
        }
        for scan in 0..SCANS_PER_BLOCK {
            for (to, [a, b]) in block.scan_mut(scan).iter_mut().zip(&self.seen) {
                *to = (a + b) / 2.0;
            }
        }
        true
    }
}
