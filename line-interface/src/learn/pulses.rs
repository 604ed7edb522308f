//! Measuring a pulse line: how the panel counts out an address, and the wire of the called handset.
//!
//! From its address to the next reset the wire is the called handset's, and a pair: the measurer of
//! pairs does the rest. In between it is shown a line at rest, for a pulse line rests at a voltage.

use crate::observe::LevelRange;
use crate::reading::BlockReading;

/// A low of this length is a reset, whatever the panel (line-facts 3: 200 ms); a ring's are 0.5 ms.
const RESET_MS: u64 = 100;
/// Below this the wire is low, above that it is not: a called handset on its hook reads more, so its
/// ring's pauses are no reset.
const LOW_VOLTS: f32 = 1.0;
const RISEN_VOLTS: f32 = 1.3;
/// Blocks of a low at either end that belong to its edges.
const EDGE_BLOCKS: u64 = 2;
/// After a reset the wire is no line at rest for this long: pulses, and the way of the capture.
const COUNTING_MS: u64 = 400;
/// A tone of this many blocks is one that the panel plays.
const TONE_BLOCKS: usize = 8;
const TONE_SWING_VOLTS: f32 = 0.5;
/// A high this long after a reset ends what was counted out (line-facts 3: 2 to 4 ms).
const OVER_US: u32 = 10_000;
/// Figures kept of each kind.
const KEPT: usize = 4096;

/// What a pulse line showed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PulseBook {
    /// The wire within a reset.
    pub low: LevelRange,
    /// The wire while nobody calls.
    pub rest: LevelRange,
    /// Lengths of resets, microseconds.
    pub resets_us: Vec<u32>,
    /// From the end of a reset to the first pulse.
    pub firsts_us: Vec<u32>,
    /// Widths of pulses.
    pub widths_us: Vec<u32>,
    /// Highs between two pulses.
    pub gaps_us: Vec<u32>,
    /// Lows, and highs within a pulse, that are too short to be pulses.
    pub spikes_us: Vec<u32>,
    /// Lows that are too long to be pulses.
    pub long_us: Vec<u32>,
    /// Tones of a lifted handset: what the panel plays when the door opens.
    pub opened_hz: Vec<f32>,
    /// Tones of selections that nobody answered: a ring, or what says that the code is wrong.
    pub unanswered_hz: Vec<f32>,
}

fn keep<T>(to: &mut Vec<T>, from: impl IntoIterator<Item = T>) {
    let free = KEPT.saturating_sub(to.len());
    to.extend(from.into_iter().take(free));
}

impl PulseBook {
    /// Takes what another recording of the same line showed.
    pub fn merge(&mut self, other: &Self) {
        self.low.merge(&other.low);
        self.rest.merge(&other.rest);
        for (to, from) in [
            (&mut self.resets_us, &other.resets_us),
            (&mut self.firsts_us, &other.firsts_us),
            (&mut self.widths_us, &other.widths_us),
            (&mut self.gaps_us, &other.gaps_us),
            (&mut self.spikes_us, &other.spikes_us),
            (&mut self.long_us, &other.long_us),
        ] {
            keep(to, from.iter().copied());
        }
        keep(&mut self.opened_hz, other.opened_hz.iter().copied());
        keep(&mut self.unanswered_hz, other.unanswered_hz.iter().copied());
    }

    /// A selection ended unanswered, and this was its tone.
    pub(super) fn unanswered(&mut self, hz: f32) {
        keep(&mut self.unanswered_hz, [hz]);
    }

    /// Takes the runs behind a reset and gives the number of pulses. The middle one of all lows
    /// tells how wide a pulse is on this line; nothing of a profile is asked.
    pub(crate) fn count(&mut self, runs: &[u32]) -> u16 {
        let [reset, first, rest @ ..] = runs else {
            return 0;
        };
        // From here on: low, high, low, high...
        let end = rest
            .iter()
            .skip(1)
            .step_by(2)
            .position(|high| *high >= OVER_US)
            .map_or(rest.len(), |at| 2 * at + 1);
        let counted = rest.get(..end).unwrap_or_default();
        let mut lows: Vec<u32> = counted.iter().copied().step_by(2).collect();
        // What the panel rings with behind an address is no pulse.
        lows.retain(|low| *low < OVER_US / 50);
        lows.sort_unstable();
        let Some(middle) = lows.get(lows.len() / 2).copied().filter(|us| *us > 0) else {
            return 0;
        };
        keep(&mut self.resets_us, [*reset]);
        let mut pulses = 0_u16;
        let mut high = *first;
        for pair in counted.chunks(2) {
            let low = pair.first().copied().unwrap_or(0);
            let next = pair.get(1).copied().unwrap_or(0);
            if low < middle.div_ceil(2) {
                keep(&mut self.spikes_us, [low]);
                high += low + next;
                continue;
            }
            if low > 3 * middle {
                keep(&mut self.long_us, [low]);
            } else {
                keep(&mut self.widths_us, [low]);
            }
            if pulses == 0 {
                keep(&mut self.firsts_us, [high]);
            } else {
                keep(&mut self.gaps_us, [high]);
                // A pulse that a spike has cut in two looks like two of them.
                if high < middle.div_ceil(2) {
                    keep(&mut self.spikes_us, [high]);
                }
            }
            pulses = pulses.saturating_add(1);
            high = next;
        }
        pulses
    }
}

/// Follows the wire, and tells when it is the called handset's.
#[derive(Debug, Default)]
pub(super) struct PulseWatch {
    pub(super) book: PulseBook,
    called: bool,
    /// A reset has ended what was before it.
    pub(super) ended: bool,
    low_ms: u64,
    held: Option<f32>,
    rest_held: Option<f32>,
    rest_blocks: u64,
    counting_ms: u64,
    tone: Vec<f32>,
}

impl PulseWatch {
    /// Takes 10 ms, and the runs of a capture that was completed in them. Gives what a pair would
    /// have shown, and the number of pulses of an address.
    pub(super) fn handle(
        &mut self,
        reading: &BlockReading,
        runs: &[u32],
        lifted: bool,
    ) -> (BlockReading, Option<u16>) {
        let mut address = None;
        if !runs.is_empty() {
            let count = self.book.count(runs);
            self.ended |= self.called;
            self.called = count > 0;
            self.counting_ms = 0;
            address = Some(count).filter(|count| *count > 0);
        }
        self.follow_low(reading);
        self.follow_tone(reading, lifted);
        self.counting_ms = self.counting_ms.saturating_sub(10);
        if self.called {
            return (*reading, address);
        }
        if self.low_ms == 0 && self.counting_ms == 0 && reading.tone_hz.is_none() {
            // The first and the last block of a rest are partly what is beside it.
            let held = self.rest_held.replace(reading.mean_volts);
            if let Some(volts) = held.filter(|_| self.rest_blocks >= 2) {
                self.book.rest.add(volts);
            }
            self.rest_blocks += 1;
        } else {
            (self.rest_held, self.rest_blocks) = (None, 0);
        }
        // Only the noise of what is no line of anybody's.
        let resting = BlockReading {
            low_volts: reading.low_volts - reading.mean_volts,
            high_volts: reading.high_volts - reading.mean_volts,
            ..BlockReading::default()
        };
        let quiet = self.low_ms == 0 && self.counting_ms == 0;
        (
            if quiet {
                resting
            } else {
                BlockReading::default()
            },
            address,
        )
    }

    fn follow_low(&mut self, reading: &BlockReading) {
        let low = self.book.rest.blocks > 0 && reading.high_volts < LOW_VOLTS;
        if !low {
            if self.low_ms >= RESET_MS {
                self.counting_ms = COUNTING_MS;
            }
            (self.low_ms, self.held) = (0, None);
            return;
        }
        self.low_ms += 10;
        if let Some(volts) = self.held.take().filter(|_| self.low_ms > EDGE_BLOCKS * 10) {
            self.book.low.add(volts);
        }
        self.held = Some(reading.mean_volts);
        if self.low_ms >= RESET_MS {
            self.ended |= self.called;
            self.called = false;
        }
    }

    /// What the panel plays into a lifted handset: the mean of the inner blocks.
    fn follow_tone(&mut self, reading: &BlockReading, lifted: bool) {
        let hz = reading
            .tone_hz
            .filter(|_| lifted && self.called && reading.swing_volts >= TONE_SWING_VOLTS);
        if let Some(hz) = hz {
            if self.tone.len() < 2 * KEPT {
                self.tone.push(hz);
            }
            return;
        }
        let tone = std::mem::take(&mut self.tone);
        if tone.len() >= TONE_BLOCKS
            && let Some(inner) = tone.get(1..tone.len() - 1)
        {
            let mean = inner.iter().sum::<f32>() / inner.len() as f32;
            // A voice is never so steady.
            if inner.iter().all(|hz| (hz / mean - 1.0).abs() < 0.02) {
                keep(&mut self.book.opened_hz, [mean]);
            }
        }
    }
}

/// Makes runs out of samples of a recorded wire, for [`super::Guide::handle_pulses`]: lows and highs
/// in turn, beginning with the low of a reset.
#[derive(Debug, Default)]
pub struct WireRuns {
    /// A whole run under way, and since when.
    high: bool,
    since_us: u64,
    runs: Vec<u32>,
}

impl WireRuns {
    /// One sample. Gives the runs behind a reset once a long high has ended them.
    pub fn sample(&mut self, at_us: u64, volts: f32) -> Option<Vec<u32>> {
        let high = volts > if self.high { LOW_VOLTS } else { RISEN_VOLTS };
        let run = at_us.saturating_sub(self.since_us);
        if high != self.high {
            (self.high, self.since_us) = (high, at_us);
            let us = u32::try_from(run).unwrap_or(u32::MAX);
            // It was low, and long: a reset begins a new count.
            if high && run >= RESET_MS * 1000 {
                self.runs = vec![us];
            } else if !self.runs.is_empty() && self.runs.len() < KEPT {
                self.runs.push(us);
            }
            return None;
        }
        let over = high && run >= u64::from(OVER_US) && !self.runs.is_empty();
        over.then(|| {
            let mut runs = std::mem::take(&mut self.runs);
            runs.push(OVER_US);
            runs
        })
    }
}
