//! In which order the taps are visited, and what the visits make of a block of taps.
//!
//! The card has one converter for all bus lines, so it sees one at a time. Hum moves all lines
//! alike; it drops out because a line is visited again an odd number of 10 ms later, in the
//! opposite phase of 50 Hz, and only the mean of the two counts.
//!
//! Between calls the lines are visited in turn, one of each bus in every block. When a panel selects a
//! pair, its two lines move; the visit that meets one of them begins a search: every line is visited
//! anew at once, twice in neighbouring blocks, or only once where the hum, which is known from the
//! time of rest, is small beside what the levels have to be told by.

use super::sampler::TapVisit;
use crate::matrix::{Bus, SCANS_PER_BLOCK, TapBlock, TapLayout};

/// Visits in each 10 ms: a tap needs a millisecond to settle, and the converter reads the tap channel
/// once a millisecond beside the line.
pub const VISITS_PER_BLOCK: usize = 2;
/// A line that moves by more than this during a visit is being chopped by a ring burst: what the
/// visit caught says nothing, the line keeps what was seen before.
const CHOPPED_VOLTS: f32 = 0.8;
/// A line that reads so far from its mean has moved; more where hum moves it.
const MOVED_VOLTS: f32 = 0.5;
/// With less hum than this one visit tells a level: sunk, floating and fed lines lie 1 V and more apart.
const LITTLE_HUM_VOLTS: f32 = 0.15;
/// Rounds in which nothing moved, before a line that moves is worth a search: in a talk they always do.
const QUIET_ROUNDS: usize = 2;

/// The order of the visits and what they showed.
#[derive(Debug, Clone)]
pub struct TapScan {
    /// Lines in the order of [`TapLayout`].
    lines: Vec<(Bus, usize)>,
    /// Their numbers in the order of the visits: one of each bus in turn.
    order: Vec<usize>,
    /// Visits from one visit to a line to its next.
    round: usize,
    visit: usize,
    /// The last two visits to each line.
    seen: Vec<[f32; 2]>,
    /// Visits that counted, up to two.
    counted: Vec<u8>,
    /// What each line counts as.
    shown: Vec<f32>,
    /// Visits since a line moved.
    quiet: usize,
    /// Largest hum at rest, volts.
    hum_volts: f32,
    search: Option<Search>,
}

/// Every line anew, after one has moved.
#[derive(Debug, Clone)]
struct Search {
    /// Lines that are still to be visited, in turn.
    left: Vec<usize>,
    /// The lines of this block are visited in the next block again.
    again: bool,
    /// Each line's visits of this search.
    found: Vec<Vec<f32>>,
    /// Visits that a line needs.
    needed: usize,
    /// The lines of the present block.
    block: [Option<usize>; VISITS_PER_BLOCK],
    turn: usize,
    /// Visits that failed; a search that finds nothing ends.
    failed: usize,
}

impl Search {
    fn new(order: &[usize], lines: usize, needed: usize) -> Self {
        let mut search = Self {
            left: order.to_vec(),
            again: false,
            found: vec![Vec::new(); lines],
            needed,
            block: [None; VISITS_PER_BLOCK],
            turn: 0,
            failed: 0,
        };
        search.next_block();
        search
    }

    fn next_block(&mut self) {
        self.turn = 0;
        if std::mem::take(&mut self.again) {
            return;
        }
        for slot in &mut self.block {
            *slot = (!self.left.is_empty()).then(|| self.left.remove(0));
        }
        self.again = self.needed > 1;
    }

    /// Takes the next visit in turn; `true` when every line was found.
    fn take(&mut self, volts: Option<f32>) -> bool {
        let line = self.block.get(self.turn).copied().flatten();
        self.turn += 1;
        if let Some(line) = line {
            match volts {
                Some(volts) => {
                    if let Some(found) = self.found.get_mut(line) {
                        found.push(volts);
                    }
                }
                None => self.failed += 1,
            }
        }
        if self.turn < VISITS_PER_BLOCK {
            return false;
        }
        // A pair of visits in which one failed says nothing: once more, at the end.
        if !self.again {
            for line in self.block.iter().flatten() {
                if let Some(found) = self.found.get_mut(*line).filter(|f| f.len() < self.needed) {
                    found.clear();
                    self.left.push(*line);
                }
            }
        }
        self.next_block();
        self.block.iter().all(Option::is_none)
    }
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
        let mut order: Vec<usize> = (0..lines.len()).collect();
        order.sort_by_key(|at| lines.get(*at).map(|(bus, line)| (*line, *bus == Bus::Tens)));
        let blocks = lines.len().div_ceil(VISITS_PER_BLOCK).max(1);
        // An odd number of blocks: the next visit meets the hum the other way up.
        let blocks = blocks + usize::from(blocks % 2 == 0);
        Some(Self {
            seen: vec![[0.0; 2]; lines.len()],
            counted: vec![0; lines.len()],
            shown: vec![0.0; lines.len()],
            round: blocks * VISITS_PER_BLOCK,
            visit: 0,
            quiet: 0,
            hum_volts: f32::INFINITY,
            search: None,
            order,
            lines,
        })
    }

    /// The line to select for a visit of the coming block, 0 or 1; lines count from 0. Where a round
    /// is longer than there are lines, none.
    #[must_use]
    pub fn line(&self, turn: usize) -> Option<(Bus, usize)> {
        let at = match &self.search {
            Some(search) => search.block.get(turn).copied().flatten(),
            None => {
                let visit = (self.visit + turn) % self.round.max(1);
                self.order.get(visit).copied()
            }
        };
        at.and_then(|at| self.lines.get(at)).copied()
    }

    /// Takes what the next visit in turn showed, or that it failed. Both visits of a block are taken
    /// before the lines of the next one are asked for.
    pub fn take(&mut self, visit: Option<TapVisit>) {
        let visit = visit.filter(|visit| visit.range_volts <= CHOPPED_VOLTS);
        if let Some(search) = &mut self.search {
            let over = search.take(visit.map(|visit| visit.volts));
            // Under a ring burst nothing is found: the usual way goes on from what was seen before.
            let vain = search.failed > 2 * self.lines.len();
            if over {
                self.found();
            } else if vain {
                self.search = None;
                self.quiet = 0;
            }
            return;
        }
        let turn = self.visit;
        self.visit = (turn + 1) % self.round.max(1);
        self.quiet = self.quiet.saturating_add(1);
        let at = self.order.get(turn).copied();
        if let (Some(at), Some(visit)) = (at, visit) {
            self.see(at, visit.volts);
        }
        if self.quiet >= QUIET_ROUNDS * self.round && self.visit == 0 {
            let spread = self.seen.iter().map(|[a, b]| (a - b).abs() / 2.0);
            self.hum_volts = spread.fold(0.0, f32::max);
        }
        // A search begins with a block; the hum is known only from a time in which nothing moved.
        let ends_block = self.visit.is_multiple_of(VISITS_PER_BLOCK);
        if ends_block && self.quiet < VISITS_PER_BLOCK && self.hum_volts.is_finite() {
            let needed = if self.hum_volts <= LITTLE_HUM_VOLTS {
                1
            } else {
                2
            };
            self.search = Some(Search::new(&self.order, self.lines.len(), needed));
            self.hum_volts = f32::INFINITY;
        }
    }

    fn see(&mut self, at: usize, volts: f32) {
        let (Some(seen), Some(counted)) = (self.seen.get_mut(at), self.counted.get_mut(at)) else {
            return;
        };
        let known = *counted == 2;
        let mean = (seen[0] + seen[1]) / 2.0;
        let hum = if self.hum_volts.is_finite() {
            self.hum_volts
        } else {
            0.0
        };
        if known && (volts - mean).abs() > MOVED_VOLTS + 1.2 * hum {
            // The other line of the block moves with the first.
            if (VISITS_PER_BLOCK..QUIET_ROUNDS * self.round).contains(&self.quiet) {
                self.hum_volts = f32::INFINITY;
            }
            self.quiet = 0;
            if self.hum_volts.is_finite() {
                // What is shown stays whole until the search has found every line.
                return;
            }
        }
        *seen = [seen[1], volts];
        *counted = (*counted + 1).min(2);
        if *counted == 2
            && let Some(shown) = self.shown.get_mut(at)
        {
            *shown = (seen[0] + seen[1]) / 2.0;
        }
    }

    /// Every line was found anew.
    fn found(&mut self) {
        let Some(search) = self.search.take() else {
            return;
        };
        let lines = self.seen.iter_mut().zip(&mut self.shown);
        for ((seen, shown), found) in lines.zip(&search.found) {
            if let (Some(first), Some(last)) = (found.first(), found.last()) {
                *seen = [*first, *last];
                *shown = (first + last) / 2.0;
            }
        }
        self.counted.fill(2);
        self.visit = 0;
        self.quiet = 0;
    }

    /// Forgets what was seen, for example when the card was reset.
    pub fn clear(&mut self) {
        self.visit = 0;
        self.quiet = 0;
        self.hum_volts = f32::INFINITY;
        self.search = None;
        self.counted.fill(0);
    }

    /// The taps as they stand, once every line was seen twice: every scan of the block alike.
    pub fn fill(&self, block: &mut TapBlock) -> bool {
        if self.counted.iter().any(|counted| *counted < 2) {
            return false;
        }
        for scan in 0..SCANS_PER_BLOCK {
            for (to, shown) in block.scan_mut(scan).iter_mut().zip(&self.shown) {
                *to = *shown;
            }
        }
        true
    }
}
