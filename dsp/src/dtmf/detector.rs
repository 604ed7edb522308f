//! Finding digits: a quick gate on overlapping blocks, then a strict test of the whole burst (signal-processing facts 1.4).
//!
//! Speech now and then looks like a digit for a block or two; what it never does is to hold two pure tones of constant
//! frequency and level for 34 ms with nothing else beside them. So a run of blocks that pass the gate is only a candidate.
//! Both frequencies are then measured over the whole run, two sinusoids fitted to it, and the digit is accepted only when
//! they explain all but a small share of the energy, keep their level through both halves, and are not two harmonics of one voice.
//!
//! A run goes on behind a short erasure. The sinusoids are then fitted to what came before and after it as one: the phases
//! must agree across the gap, which is as strict as the same number of samples in one piece.

use std::collections::VecDeque;
use std::f64::consts::{PI, TAU};

use super::fit::{CLIPPED, Fit, fit};
use super::front::{Bins, Front, HOP, Hop, times};
use super::history::{HISTORY, History};
use super::voice::is_voice;
use super::{HIGH_HZ, KEYS, LOW_HZ};
use crate::sample::{RMS_0_DBM0, dbm0_of_mean_square, finite, rms_of_dbm0};

/// Samples in a block, three hops.
const BLOCK: usize = 3 * HOP;
/// Looks that an erasure may take up inside a run: 51 ms, of which 8.5 are the length of a block.
const BRIDGED_LOOKS: u32 = 12;
/// Across an erasure the frequency measured from side to side may differ from that measured on the sides by this much,
/// radians per sample (1.5 Hz): more means that they are two sounds, not one.
const LARGEST_STEP: f64 = TAU * 1.5 / 8000.0;
/// Stands in the history for a sample that was erased; every fit leaves it out.
const ERASED: f32 = f32::INFINITY;
/// Looks without the tone after which a digit is over (25.5 ms).
const RELEASE_HOPS: u32 = 6;
/// Looks that erased sound may bridge inside a digit (170 ms, eight packets).
const ERASED_HOPS: u32 = 40;
/// Events waiting at most.
const MAX_EVENTS: usize = 32;
/// Relative deviation of each frequency that is accepted.
const FREQUENCY_TOLERANCE: f64 = 0.024;
/// The two relative deviations differ by at most this much. The standards ask for 1.5 or 1.8 % of either, 3.6 % apart; a voice
/// whose formants sit on the digit most often has its harmonics further apart (340 Hz: 680 and 1360 for 697 and 1336).
const LARGEST_SPREAD: f64 = 0.0362;
/// Twist limits, dB: the high group stronger (normal) and weaker (reverse). ITU-T Q.24 asks for 8 and 4.
const NORMAL_TWIST_DB: f64 = 8.5;
const REVERSE_TWIST_DB: f64 = 4.5;

/// Share of the energy by which the tones may miss what clipping has cut off. Of keys clipped by 3 to 9 dB none misses more than
/// 0.1 % once the whole stretch is tone; a clipped voice whose other samples look like a key misses 0.3 to 5 %.
const LARGEST_SHORTFALL: f64 = 0.0025;

/// What quantisation and the notches may take of a tone that lies at the lowest level.
const LEVEL_ERROR_DB: f64 = 0.2;

/// How strict a detector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtmfGrade {
    /// For dialling: digits from 40 ms at down to -38 dBm0 per tone, also over a dial tone.
    Dialling,
    /// For what opens a door: digits from 50 ms at down to -30 dBm0 per tone, nothing beside them.
    Door,
}

impl DtmfGrade {
    /// Looks in a row that must pass the gate.
    fn run(self) -> u32 {
        match self {
            DtmfGrade::Dialling => 6,
            DtmfGrade::Door => 9,
        }
    }

    /// Samples that the fit takes, 34 and 49 ms, and how many later than the newest they may lie. A digit of 50 ms holds 49 ms
    /// only where they lie right, and looks begin anywhere in it.
    fn samples(self) -> (usize, usize) {
        match self {
            DtmfGrade::Dialling => (BLOCK + 5 * HOP, 0),
            DtmfGrade::Door => (392, HOP),
        }
    }

    /// The same around an erasure, in whole hops.
    fn samples_bridged(self) -> usize {
        match self {
            DtmfGrade::Dialling => BLOCK + 5 * HOP,
            DtmfGrade::Door => BLOCK + 9 * HOP,
        }
    }

    fn least_dbm0(self) -> f32 {
        match self {
            DtmfGrade::Dialling => -38.0,
            DtmfGrade::Door => -30.0,
        }
    }
}

/// What a detector found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DtmfEvent {
    /// A digit has lasted long enough to be sure.
    Pressed {
        /// 0-9, `*`, `#`, A-D.
        digit: char,
        /// Level of the two tones together, dBm0.
        level_dbm0: f32,
        /// High group over low group, dB.
        twist_db: f32,
        /// Samples taken by the detector so far.
        at_sample: u64,
    },
    /// The digit has ended, about 25 ms ago.
    Released {
        /// The digit.
        digit: char,
        /// Samples taken by the detector so far.
        at_sample: u64,
    },
}

/// How many, and their angular frequencies.
type Tones = (usize, [f64; 4]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    row: usize,
    column: usize,
}

impl Key {
    fn digit(self) -> char {
        KEYS[self.row][self.column]
    }
}

/// What the strict test is made on.
struct Evidence<'a> {
    samples: &'a [f32],
    /// Whether erased samples lie within.
    bridged: bool,
}

enum Look {
    Tone(Key),
    Other,
    Erased,
}

/// Finds digits in one 8 kHz stream, in blocks of any size.
#[derive(Debug, Clone)]
pub struct DtmfDetector {
    grade: DtmfGrade,
    /// Energy over a block that each tone must have to be looked at.
    least_energy: f32,
    front: Front,
    /// The last three hops.
    parts: [Hop; 3],
    erased_parts: [bool; 3],
    erased_now: bool,
    turns: Bins,
    history: History,
    part: [f32; HOP],
    filled: usize,
    last_block: Bins,
    advance: [(f64, f64); 8],
    /// Looks since the candidate was first seen, those at an erasure included.
    run: u32,
    /// Looks at an erasure since the candidate was last seen.
    gap: u32,
    candidate: Option<Key>,
    pressed: Option<Key>,
    misses: u32,
    erased_hops: u32,
    samples: u64,
    events: VecDeque<DtmfEvent>,
}

impl DtmfDetector {
    /// A detector of this grade.
    pub fn new(grade: DtmfGrade) -> DtmfDetector {
        // 3 dB below the limit: the fit decides exactly.
        let least = rms_of_dbm0(grade.least_dbm0() - 3.0);
        DtmfDetector {
            grade,
            least_energy: least * least * BLOCK as f32,
            front: Front::new(),
            parts: [Hop::default(); 3],
            erased_parts: [false; 3],
            erased_now: false,
            turns: Front::turns(),
            history: History::new(),
            part: [0.0; HOP],
            filled: 0,
            last_block: Bins::default(),
            advance: [(0.0, 0.0); 8],
            run: 0,
            gap: 0,
            candidate: None,
            pressed: None,
            misses: 0,
            erased_hops: 0,
            samples: 0,
            events: VecDeque::with_capacity(MAX_EVENTS),
        }
    }

    /// Takes samples. `erased` says that they were made up for a lost packet: they neither start a digit nor end one, so a
    /// loss cannot split a digit into two.
    pub fn process(&mut self, samples: &[f32], erased: bool) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(HOP - self.filled));
            for (slot, sample) in self.part[self.filled..].iter_mut().zip(now) {
                *slot = finite(*sample).clamp(-4.0, 4.0);
            }
            self.filled += now.len();
            self.erased_now |= erased;
            self.samples += now.len() as u64;
            if self.filled == HOP {
                self.filled = 0;
                self.hop();
            }
            rest = later;
        }
    }

    /// The next finding.
    pub fn poll(&mut self) -> Option<DtmfEvent> {
        self.events.pop_front()
    }

    /// The digit that is down.
    pub fn pressed(&self) -> Option<char> {
        self.pressed.map(Key::digit)
    }

    fn hop(&mut self) {
        let hop = self.front.take(&mut self.part);
        self.parts = [self.parts[1], self.parts[2], hop];
        self.erased_parts.rotate_left(1);
        self.erased_parts[2] = self.erased_now;
        if self.erased_now {
            self.history.push(&[ERASED; HOP]);
        } else {
            self.history.push(&self.part);
        }
        self.erased_now = false;
        let block = self.block();
        match self.look(&block) {
            Look::Erased => {
                self.gap += 1;
                self.run = if self.run > 0 && self.gap <= BRIDGED_LOOKS {
                    self.run + 1
                } else {
                    0
                };
                self.erased_hops += 1;
                if self.erased_hops > ERASED_HOPS {
                    self.miss();
                }
            }
            Look::Tone(key) => {
                self.erased_hops = 0;
                self.tone(key, &block);
            }
            Look::Other => {
                self.erased_hops = 0;
                self.run = 0;
                self.miss();
            }
        }
        self.last_block = block;
    }

    /// The coefficients of the last three hops together, phase at the middle of the first.
    fn block(&self) -> Bins {
        let [first, second, third] = &self.parts;
        let later = second.bins.and(&self.turns, &third.bins);
        first.bins.and(&self.turns, &later)
    }

    /// The gate.
    fn look(&self, block: &Bins) -> Look {
        if self.erased_parts.contains(&true) {
            return Look::Erased;
        }
        let n = BLOCK as f32;
        let [first, second, third] = &self.parts;
        let sum = first.sum + second.sum + third.sum;
        let energy = first.squares + second.squares + third.squares - sum * sum / n;
        // Energy of a sine over the block whose coefficient this is.
        let mut power = [0.0; 8];
        for (i, slot) in power.iter_mut().enumerate() {
            *slot = 2.0 / n * (block.re[i] * block.re[i] + block.im[i] * block.im[i]);
        }
        let (row, row_rest) = strongest(&power[..4]);
        let (column, column_rest) = strongest(&power[4..]);
        let (low, high) = (power[row], power[4 + column]);
        let loud = low > self.least_energy && high > self.least_energy;
        // 7 dB over the rest of each group, and within relaxed twist.
        let peaks = low > 5.0 * row_rest && high > 5.0 * column_rest;
        let balanced = high < 12.0 * low && low < 6.0 * high;
        if loud && peaks && balanced && low + high >= 0.6 * energy {
            Look::Tone(Key { row, column })
        } else {
            Look::Other
        }
    }

    fn tone(&mut self, key: Key, block: &Bins) {
        if self.candidate == Some(key) && self.run > 0 {
            self.run = self.run.saturating_add(1);
            // The look before may have been at an erasure, and its phase means nothing.
            let lanes = [key.row, 4 + key.column];
            for lane in lanes.into_iter().filter(|_| self.gap == 0) {
                // The phase the tone gained since the last look, less what its nominal frequency gains.
                let gained = times(block.at(lane), conjugate(self.last_block.at(lane)));
                let beyond = times(gained, self.turns.at(lane));
                self.advance[lane].0 += f64::from(beyond.0);
                self.advance[lane].1 += f64::from(beyond.1);
            }
        } else {
            self.candidate = Some(key);
            self.run = 1;
            self.advance = [(0.0, 0.0); 8];
        }
        self.gap = 0;
        if self.pressed == Some(key) {
            self.misses = 0;
            return;
        }
        if let Some(evidence) = self.evidence()
            && let Some((level_dbm0, twist_db)) = self.verify(key, &evidence)
        {
            self.release();
            self.pressed = Some(key);
            self.misses = 0;
            let (digit, at_sample) = (key.digit(), self.samples);
            self.push(DtmfEvent::Pressed {
                digit,
                level_dbm0,
                twist_db,
                at_sample,
            });
            return;
        }
        self.miss();
    }

    fn miss(&mut self) {
        if self.pressed.is_some() {
            self.misses += 1;
            if self.misses >= RELEASE_HOPS {
                self.release();
            }
        }
    }

    fn release(&mut self) {
        if let Some(key) = self.pressed.take() {
            self.push(DtmfEvent::Released {
                digit: key.digit(),
                at_sample: self.samples,
            });
        }
    }

    fn push(&mut self, event: DtmfEvent) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }

    /// The stretch of the run that is put to the test, if it is long enough.
    fn evidence(&self) -> Option<Evidence<'_>> {
        if self.run < self.grade.run() {
            return None;
        }
        let (length, slack) = self.grade.samples();
        let newest = self.history.last(length + slack);
        if !newest.contains(&ERASED) {
            return Some(Evidence {
                samples: loudest(newest, length),
                bridged: false,
            });
        }
        self.bridged()
    }

    /// The newest stretch of the run that holds as many samples as the grade asks for, erased ones not counted.
    fn bridged(&self) -> Option<Evidence<'_>> {
        let longest = (BLOCK + (self.run as usize - 1).saturating_mul(HOP)).min(HISTORY);
        let wanted = self.grade.samples_bridged();
        let mut heard = 0;
        for length in (HOP..=longest).step_by(HOP) {
            // Hops are erased as a whole.
            if self.history.last(length).first() != Some(&ERASED) {
                heard += HOP;
            }
            if heard >= wanted {
                return Some(Evidence {
                    samples: self.history.last(length),
                    bridged: length > wanted,
                });
            }
        }
        None
    }

    /// The strict test of a stretch; gives level and twist.
    fn verify(&self, key: Key, evidence: &Evidence) -> Option<(f32, f32)> {
        let samples = evidence.samples;
        let nominal = [angle_of(LOW_HZ[key.row]), angle_of(HIGH_HZ[key.column])];
        let lanes = [key.row, 4 + key.column];
        let coarse: [f64; 2] = std::array::from_fn(|i| {
            let (re, im) = self.advance[lanes[i]];
            nominal[i] + im.atan2(re) / HOP as f64
        });
        let limit = clipping_limit(samples);
        let (first, second) = samples.split_at(samples.len() / 2);
        let tones = refine(first, second, coarse, limit)?;
        for (tone, nominal) in tones.iter().zip(nominal) {
            if (tone / nominal - 1.0).abs() > FREQUENCY_TOLERANCE {
                return None;
            }
        }
        if (tones[1] / nominal[1] - tones[0] / nominal[0]).abs() > LARGEST_SPREAD {
            return None;
        }
        let apart = |(tone, coarse): (&f64, f64)| (tone - coarse).abs() > LARGEST_STEP;
        if evidence.bridged && tones.iter().zip(coarse).any(apart) {
            return None;
        }
        let mut whole = fit(samples, &tones, limit)?;
        // Clipping removes what the limit left out, and quantisation weighs more on the rest.
        let allowed = if limit < CLIPPED { 0.06 } else { 0.045 };
        let mut known = (2, [tones[0], tones[1], 0.0, 0.0]);
        if whole.residual > allowed {
            (whole, known) = self.over_dial_tone(samples, tones, limit)?;
        }
        let halves = [fit(first, &tones, limit)?, fit(second, &tones, limit)?];
        // The extra tones of a dial tone disturb a half more than the whole.
        let steady = if whole.peak[2] > 0.0 { 3.0 } else { 1.75 };
        let unsteady = |i: usize| decibels(halves[0].peak[i], halves[1].peak[i]).abs() > steady;
        let twist = decibels(whole.peak[1], whole.peak[0]);
        let weakest = whole.peak[0].min(whole.peak[1]) / std::f64::consts::SQRT_2;
        let level = decibels(weakest, f64::from(RMS_0_DBM0));
        if unsteady(0)
            || unsteady(1)
            || !(-REVERSE_TWIST_DB..=NORMAL_TWIST_DB).contains(&twist)
            || level < f64::from(self.grade.least_dbm0()) - LEVEL_ERROR_DB
        {
            return None;
        }
        if limit < CLIPPED
            && whole.short_of(samples, known.1.get(..known.0)?, limit) > LARGEST_SHORTFALL
        {
            return None;
        }
        // Last, because it costs most.
        if is_voice(samples, known.1.get(..known.0)?, &whole, limit) {
            // One tone of a dial tone may lie on a harmonic: 440 Hz is the fourth of 110, of which 770 and 1209 are the seventh
            // and the eleventh.
            let known_tones = known.0;
            (whole, known) = self.over_dial_tone(samples, tones, limit)?;
            if known_tones > 2 || is_voice(samples, known.1.get(..known.0)?, &whole, limit) {
                return None;
            }
        }
        let mean_square = (whole.peak[0].powi(2) + whole.peak[1].powi(2)) / 2.0;
        Some((dbm0_of_mean_square(mean_square as f32), twist as f32))
    }

    /// The fit once more with the tones of a dial tone beside the digit. Only for dialling, and only when what they explain
    /// is weaker than the digit: speech does not keep a 425 Hz or a 350 + 440 Hz tone that pure.
    fn over_dial_tone(&self, samples: &[f32], tones: [f64; 2], limit: f32) -> Option<(Fit, Tones)> {
        if self.grade == DtmfGrade::Door {
            return None;
        }
        let with = |extra: &[f32]| {
            let mut all = [tones[0], tones[1], 0.0, 0.0];
            for (slot, hz) in all.iter_mut().skip(2).zip(extra) {
                *slot = angle_of(*hz);
            }
            let count = 2 + extra.len();
            Some((fit(samples, all.get(..count)?, limit)?, (count, all)))
        };
        let candidates = [with(&[425.0]), with(&[350.0, 440.0])];
        candidates.into_iter().flatten().find(|(fit, _)| {
            let loudest = fit.peak[2].max(fit.peak[3]);
            fit.residual < 0.03 && loudest < fit.peak[0].min(fit.peak[1])
        })
    }
}

/// Frequencies from the phase each tone gains between two halves, starting from a coarse estimate.
fn refine(first: &[f32], second: &[f32], coarse: [f64; 2], limit: f32) -> Option<[f64; 2]> {
    let a = fit(first, &coarse, limit)?;
    let b = fit(second, &coarse, limit)?;
    let gap = first.len() as f64;
    Some(std::array::from_fn(|i| {
        let expected = a.phase[i] + coarse[i] * gap;
        let error = (b.phase[i] - expected + PI).rem_euclid(TAU) - PI;
        coarse[i] + error / gap
    }))
}

/// The `length` samples side by side that hold the most energy; of equal ones the newest.
fn loudest(samples: &[f32], length: usize) -> &[f32] {
    let later = samples.len().saturating_sub(length);
    let square = |x: &f32| f64::from(*x) * f64::from(*x);
    // How much more the stretch that begins at each sample holds than the first.
    let (mut more, mut most, mut start) = (0.0, 0.0, 0);
    for (begin, (gone, come)) in samples.iter().zip(samples.iter().skip(length)).enumerate() {
        more += square(come) - square(gone);
        if more >= most {
            (most, start) = (more, begin + 1);
        }
    }
    let start = start.min(later);
    samples.get(start..start + length).unwrap_or(samples)
}

/// The magnitude from which samples count as clipped; far above everything when they are not.
fn clipping_limit(samples: &[f32]) -> f32 {
    let heard = || samples.iter().filter(|s| **s != ERASED);
    let peak = heard().fold(0.0_f32, |peak, s| peak.max(s.abs()));
    let flat = heard().filter(|s| s.abs() > 0.95 * peak).count();
    // Two sines together spend 2 to 4 % of the time this near to their peak.
    if flat * 100 > heard().count() * 9 {
        0.95 * peak
    } else {
        8.0
    }
}

/// Index of the largest value, and the largest of the others.
fn strongest(power: &[f32]) -> (usize, f32) {
    let mut best = 0;
    let mut rest = 0.0_f32;
    for (i, value) in power.iter().enumerate().skip(1) {
        if *value > power[best] {
            rest = rest.max(power[best]);
            best = i;
        } else {
            rest = rest.max(*value);
        }
    }
    (best, rest)
}

fn conjugate(a: (f32, f32)) -> (f32, f32) {
    (a.0, -a.1)
}

fn angle_of(hz: f32) -> f64 {
    TAU * f64::from(hz) / f64::from(crate::SAMPLE_RATE_HZ)
}

fn decibels(a: f64, b: f64) -> f64 {
    20.0 * (a.max(1e-9) / b.max(1e-9)).log10()
}
