//! Taking away steady noise and what a linear echo canceller leaves, bin by bin.
//!
//! The analysis window is 20 ms long, the synthesis window 17 ms, and both fall within 7 ms, which is all the delay there is
//! (Mauler and Martin 2007). Each bin is weighted by the share of its power that is neither noise nor residual echo (Wiener),
//! with the decision-directed estimate of Ephraim and Malah (1984) against musical noise. The noise floor is followed through
//! speech by its minima (Martin 2001, in the short form of Cohen 2003).
//!
//! How much echo is left has three causes, and the largest counts: the doubt about the filter, which the canceller tells; what
//! the filter cannot model though it rises and falls with the echo estimate in the same band (a path longer than the filter);
//! and what rises and falls with the whole echo (a loudspeaker that distorts). The last two are learned by regression.

use std::sync::LazyLock;

use crate::Rate;
use crate::echo::{BLOCK, EchoReport};
use crate::frames::Frames;
use crate::sample::{bounded, sum};
use crate::transform::Transform;

/// Delay, and length of the falling edge, in eighths of a millisecond.
const EDGE: usize = 56;
/// Bins of 50 Hz in a band in which the leakage is learned.
const BAND: usize = 5;
/// Blocks in one half of the minimum search, 0.6 s.
const MINIMUM_SPAN: u32 = 60;
/// How far the doubt about the filter is exceeded: it is right on average, not in each block.
const DOUBTED: f32 = 2.0;
/// Share of the whole echo's regression that counts.
const WIDE: f32 = 0.7;
/// Echo that is left in a neighbouring bin spreads by this share.
const SPREAD: f32 = 0.3;
/// The tail of the room beyond the filter dies away by this factor in a block.
const DECAY: f32 = 0.35;
/// Residual echo counts this many times, so that what rises above its mean is caught...
const OVER: f32 = 2.0;
/// ...and so many times more in a block in which there is hardly anything else...
const OVER_ALONE: f32 = 20.0;
/// ...which is when the block is less than this many times as strong.
const ALONE: f32 = 5.0;

/// How far a [`Suppressor`] goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuppressorConfig {
    /// Most that steady noise is turned down, dB; 0 leaves it.
    pub noise_db: f32,
    /// Most that residual echo is turned down, dB; 0 leaves it.
    pub echo_db: f32,
    /// Whether noise takes the place of echo that was turned down below it, so that the line does not sound dead.
    pub comfort_noise: bool,
}

impl Default for SuppressorConfig {
    fn default() -> Self {
        SuppressorConfig {
            noise_db: 15.0,
            echo_db: 40.0,
            comfort_noise: true,
        }
    }
}

/// Noise and residual echo suppression of one stream. Blocks of 10 ms and 7 ms of delay; [`Suppressor::stream`] takes blocks of any
/// size, 10 ms later.
#[derive(Debug, Clone)]
pub struct Suppressor {
    config: SuppressorConfig,
    noise_floor: f32,
    echo_floor: f32,
    block: usize,
    bins: usize,
    edge: usize,
    windows: &'static Windows,
    transform: Transform,
    /// The blocks before: what came in, and the echo estimate.
    input: Vec<f32>,
    echo_input: Vec<f32>,
    overlap: Vec<f32>,
    noise: Vec<f32>,
    smooth: Vec<f32>,
    minimum: Vec<f32>,
    next_minimum: Vec<f32>,
    echo: Vec<f32>,
    narrow: Leaks,
    wide: Leaks,
    /// Clean power over disturbance of the last block, for the decision-directed estimate.
    before: Vec<f32>,
    blocks: u32,
    random: u32,
    echo_share: f32,
    frames: Frames,
}

/// Most samples of a window, bins and bands: those of 16 kHz.
const MOST_WINDOW: usize = 320;
const MOST_BINS: usize = MOST_WINDOW / 2 + 1;
const MOST_BANDS: usize = MOST_BINS.div_ceil(BAND);

/// What a block is worked out in. It lives on the stack, which all calls share: so it is always near the processor.
struct Work {
    framed: [f32; MOST_WINDOW],
    /// The spectrum, its parts apart.
    re: [f32; MOST_BINS],
    im: [f32; MOST_BINS],
    power: [f32; MOST_BINS],
    /// The same of the echo estimate.
    estimate: [f32; MOST_BINS],
    /// What each bin is multiplied with, and what comfort noise is missing in it; before that the shares of echo that leak.
    gains: [f32; MOST_BINS],
    missing: [f32; MOST_BINS],
}

impl Work {
    fn new() -> Work {
        Work {
            framed: [0.0; MOST_WINDOW],
            re: [0.0; MOST_BINS],
            im: [0.0; MOST_BINS],
            power: [0.0; MOST_BINS],
            estimate: [0.0; MOST_BINS],
            gains: [0.0; MOST_BINS],
            missing: [0.0; MOST_BINS],
        }
    }
}

/// Regression of the output's power on the echo estimate's in each band: the part that rises and falls with it.
#[derive(Debug, Clone)]
struct Leaks {
    out_mean: Vec<f32>,
    echo_mean: Vec<f32>,
    covariance: Vec<f32>,
    variance: Vec<f32>,
    loudest: Vec<f32>,
    leakage: Vec<f32>,
}

impl Leaks {
    /// Weight of a block, 2 s.
    const WEIGHT: f32 = 0.005;
    /// A block this much stronger than the echo that is expected is the near end's and counts little...
    const STRANGE: f32 = 8.0;
    /// ...but at least this much: the path may have changed.
    const LEAST_TRUST: f32 = 0.1;

    fn new(bands: usize) -> Leaks {
        let zeros = vec![0.0; bands];
        Leaks {
            out_mean: zeros.clone(),
            echo_mean: zeros.clone(),
            covariance: zeros.clone(),
            variance: zeros.clone(),
            loudest: zeros,
            leakage: vec![1.0; bands],
        }
    }

    /// Takes the powers of a block. Without branches, so that four bands are reckoned at once.
    fn follow(&mut self, out: &[f32], echo: &[f32]) {
        let bands = self.leakage.len().min(out.len()).min(echo.len());
        let (out, echo) = (&out[..bands], &echo[..bands]);
        let (out_mean, echo_mean) = (&mut self.out_mean[..bands], &mut self.echo_mean[..bands]);
        let (covariance, variance) = (&mut self.covariance[..bands], &mut self.variance[..bands]);
        let (loudest, leakage) = (&mut self.loudest[..bands], &mut self.leakage[..bands]);
        for i in 0..bands {
            loudest[i] = larger(0.998 * loudest[i], echo[i]);
            // Nothing is learned from pauses of the far end.
            let pauses = (echo[i] < 0.003 * loudest[i]) | (echo[i] < 1e-9);
            let expected = Leaks::STRANGE * leakage[i] * echo[i];
            let trust = (expected / (out[i] + 1e-12)).clamp(Leaks::LEAST_TRUST, 1.0);
            let weight = if pauses { 0.0 } else { Leaks::WEIGHT * trust };
            let (o, e) = (out[i] - out_mean[i], echo[i] - echo_mean[i]);
            out_mean[i] += weight * o;
            echo_mean[i] += weight * e;
            let scale = 1.0 / larger(echo_mean[i], 1e-12);
            let (o, e) = (o * scale, e * scale);
            covariance[i] += weight * ((o * e).clamp(-4.0, 4.0) - covariance[i]);
            variance[i] += weight * (smaller(e * e, 20.0) - variance[i]);
            let leaks = (covariance[i] / larger(variance[i], 1e-3)).clamp(1e-4, 1.0);
            leakage[i] = if pauses { leakage[i] } else { leaks };
        }
    }
}

/// The larger of two numbers, the second if the first is none; unlike `f32::max` it is a single instruction.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two numbers.
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// Ends a decay before it becomes subnormal and slow.
fn settled(power: f32) -> f32 {
    if power < 1e-15 { 0.0 } else { power }
}

impl Suppressor {
    /// How much later the output comes, ms.
    pub const DELAY_MS: f32 = EDGE as f32 / 8.0;

    /// A suppressor at 8 kHz that has heard nothing.
    pub fn new(config: SuppressorConfig) -> Suppressor {
        Suppressor::at(Rate::Hz8000, config)
    }

    /// A suppressor that has heard nothing.
    pub fn at(rate: Rate, config: SuppressorConfig) -> Suppressor {
        let block = rate.block();
        let edge = edge_of(rate);
        let bins = block + 1;
        let (windows, transform): (&'static Windows, _) = match rate {
            Rate::Hz8000 => (&NARROW, Transform::Short),
            Rate::Hz16000 => (&WIDE_BAND, Transform::Long),
        };
        let zeros = vec![0.0; bins];
        let bands = bins.div_ceil(BAND);
        Suppressor {
            config,
            noise_floor: floor_of(config.noise_db),
            echo_floor: floor_of(config.echo_db),
            block,
            bins,
            edge,
            windows,
            transform,
            input: vec![0.0; block],
            echo_input: vec![0.0; block],
            overlap: vec![0.0; edge],
            noise: zeros.clone(),
            smooth: zeros.clone(),
            minimum: vec![f32::MAX; bins],
            next_minimum: vec![f32::MAX; bins],
            echo: zeros.clone(),
            narrow: Leaks::new(bands),
            wide: Leaks::new(bands),
            before: zeros,
            blocks: 0,
            random: 1,
            echo_share: 0.0,
            frames: Frames::new(block),
        }
    }

    /// Share of the last block's power that is taken for echo, 0 to 1.
    pub fn echo_share(&self) -> f32 {
        self.echo_share
    }

    /// Replaces `samples`, a block of any size of a stream without echo, by the cleaned sound of 17 ms before.
    pub fn stream(&mut self, samples: &mut [f32]) {
        let mut frames = std::mem::take(&mut self.frames);
        frames.process(samples, |frame| self.process(frame, None));
        self.frames = frames;
    }

    /// Replaces `block` by the cleaned sound of 7 ms before. `echo` is what the canceller said about the same block, if there is
    /// one.
    pub fn process(&mut self, block: &mut [f32], echo: Option<&EchoReport>) {
        let mut work = Work::new();
        self.echo_share = 0.0;
        if let Some(report) = echo {
            let fresh = &report.echo[..report.echo.len().min(self.block)];
            self.analyse(fresh, true, &mut work);
            powers(&work.re[..self.bins], &work.im, &mut work.estimate);
        }
        let count = self.block.min(block.len());
        let given = &mut block[..count];
        given.iter_mut().for_each(|s| *s = bounded(*s));
        self.analyse(given, false, &mut work);
        powers(&work.re[..self.bins], &work.im, &mut work.power);
        let mut over = OVER;
        if let Some(report) = echo {
            self.follow_echo(&report.doubt, &mut work);
            let (all, left) = (sum(&work.power[..self.bins]), sum(&self.echo));
            self.echo_share = (left / (all + 1e-10)).min(1.0);
            let beyond = (all / (left + 1e-10) - 1.0) / ALONE;
            over += OVER_ALONE * (1.0 - beyond).clamp(0.0, 1.0);
        }
        self.follow_noise(&work);
        self.weigh(over, &mut work);
        let framed = &mut work.framed[..2 * self.block];
        work.im[0] = 0.0;
        work.im[self.bins - 1] = 0.0;
        self.transform.inverse(&work.re, &work.im, framed);
        let from = self.block - self.edge;
        let ready = &mut framed[from..];
        for (slot, weight) in ready.iter_mut().zip(&self.windows.synthesis[from..]) {
            *slot *= weight;
        }
        for (slot, before) in ready.iter_mut().zip(&self.overlap) {
            *slot += before;
        }
        let (now, later) = ready.split_at(self.block);
        given.copy_from_slice(&now[..given.len()]);
        self.overlap.copy_from_slice(later);
    }

    /// The spectrum of the block before and the fresh one; what is missing of that is silence.
    fn analyse(&mut self, fresh: &[f32], is_echo: bool, work: &mut Work) {
        let before = if is_echo {
            &mut self.echo_input
        } else {
            &mut self.input
        };
        let framed = &mut work.framed[..2 * self.block];
        let (first, second) = self.windows.analysis.split_at(self.block);
        product(framed, before, first);
        let (kept, missing) = before.split_at_mut(fresh.len());
        kept.copy_from_slice(fresh);
        missing.fill(0.0);
        product(&mut framed[self.block..], before, second);
        self.transform.forward(framed, &mut work.re, &mut work.im);
    }

    /// Weighs the bins and fills the holes.
    fn weigh(&mut self, over: f32, work: &mut Work) {
        self.reckon_gains(over, work);
        let bins = self.bins;
        let (re, im) = (&mut work.re[..bins], &mut work.im[..bins]);
        let (power, gains) = (&work.power[..bins], &work.gains[..bins]);
        for ((re, im), gain) in re.iter_mut().zip(&mut *im).zip(gains) {
            *re *= gain;
            *im *= gain;
        }
        if !self.config.comfort_noise || self.config.noise_db <= 0.0 {
            return;
        }
        let (echo, noise) = (&self.echo[..bins], &self.noise[..bins]);
        let missing = &mut work.missing[..bins];
        for i in 0..bins {
            let share = echo[i] / (echo[i] + noise[i] + 1e-12);
            let wanted = self.noise_floor * noise[i] * share;
            let lacks = wanted - gains[i] * gains[i] * power[i];
            missing[i] = if echo[i] > 0.1 * noise[i] { lacks } else { 0.0 };
        }
        for ((re, im), missing) in re.iter_mut().zip(im).zip(missing) {
            if *missing > 0.0 {
                self.random = self
                    .random
                    .wrapping_mul(1_664_525)
                    .wrapping_add(1_013_904_223);
                // Eight directions are as good as all.
                let direction = &DIRECTIONS[(self.random >> 29) as usize];
                let amplitude = missing.sqrt();
                *re += amplitude * direction.0;
                *im += amplitude * direction.1;
            }
        }
    }

    fn follow_echo(&mut self, doubt: &[f32], work: &mut Work) {
        let bins = self.bins;
        let bands = self.narrow.leakage.len();
        let (power, estimate) = (&work.power[..bins], &work.estimate[..bins]);
        let whole = sum(estimate) / bands as f32;
        let mut outs = [0.0; MOST_BANDS];
        let mut echoes = [0.0; MOST_BANDS];
        let powers = power.chunks(BAND).zip(self.noise.chunks(BAND));
        for (((out, echo), (power, noise)), estimate) in outs
            .iter_mut()
            .zip(&mut echoes)
            .zip(powers)
            .zip(estimate.chunks(BAND))
        {
            let above = |(power, noise): (&f32, &f32)| larger(power - noise, 0.0);
            *out = power.iter().zip(noise).map(above).sum();
            *echo = estimate.iter().sum();
        }
        self.narrow.follow(&outs, &echoes);
        self.wide.follow(&outs, &[whole; MOST_BANDS]);
        // Of each bin: what leaks of its own band, and what of all.
        let (leaks, wide) = (&mut work.gains[..bins], &mut work.missing[..bins]);
        let bands = leaks.chunks_mut(BAND).zip(wide.chunks_mut(BAND));
        let leakages = self.narrow.leakage.iter().zip(&self.wide.leakage);
        for ((leaks, wide), (narrow_leaks, wide_leaks)) in bands.zip(leakages) {
            leaks.fill(*narrow_leaks);
            wide.fill(WIDE * wide_leaks * whole / BAND as f32);
        }
        let (told, untold) = leaks.split_at_mut(doubt.len().min(bins));
        for (leak, doubt) in told.iter_mut().zip(doubt) {
            *leak = larger(DOUBTED * doubt, *leak);
        }
        untold.fill(DOUBTED);
        let echo = &mut self.echo[..bins];
        for i in 1..bins - 1 {
            let beside = larger(estimate[i - 1], estimate[i + 1]);
            let spread = larger(estimate[i], SPREAD * beside);
            let left = larger(leaks[i] * spread, wide[i]);
            echo[i] = settled(larger(left, DECAY * echo[i]));
        }
        for (i, beside) in [(0, 1), (bins - 1, bins - 2)] {
            let spread = larger(estimate[i], SPREAD * estimate[beside]);
            let left = larger(leaks[i] * spread, wide[i]);
            echo[i] = settled(larger(left, DECAY * echo[i]));
        }
    }

    fn follow_noise(&mut self, work: &Work) {
        self.blocks = self.blocks.saturating_add(1);
        if self.blocks.is_multiple_of(MINIMUM_SPAN) {
            self.minimum.copy_from_slice(&self.next_minimum);
            self.next_minimum.copy_from_slice(&self.smooth);
        }
        // The first blocks are taken as noise, then the average gets slower.
        let first = self.blocks <= 20;
        let weight = (1.0 / self.blocks as f32).max(0.05);
        let bins = self.bins;
        let (power, echo) = (&work.power[..bins], &self.echo[..bins]);
        let (smooth, noise) = (&mut self.smooth[..bins], &mut self.noise[..bins]);
        let (minimum, next) = (&mut self.minimum[..bins], &mut self.next_minimum[..bins]);
        for i in 0..bins {
            smooth[i] = settled(smooth[i] + 0.2 * (power[i] - smooth[i]));
            minimum[i] = smaller(minimum[i], smooth[i]);
            next[i] = smaller(next[i], smooth[i]);
            // Residual echo is no noise, and neither is what stands well above the minima.
            let quiet = smooth[i] < 4.0 * minimum[i] + 1e-12;
            let echo_free = echo[i] < 0.5 * power[i] + 1e-12;
            let learned = settled(noise[i] + weight * (power[i] - noise[i]));
            // The first blocks may have been speech after all.
            let fallen = if noise[i] > 8.0 * minimum[i] {
                0.97
            } else {
                1.0
            } * noise[i];
            noise[i] = if first | (quiet & echo_free) {
                learned
            } else {
                fallen
            };
        }
    }

    fn reckon_gains(&mut self, over: f32, work: &mut Work) {
        let noise_counts = if self.config.noise_db > 0.0 { 1.0 } else { 0.0 };
        let echo_counts = if self.config.echo_db > 0.0 { over } else { 0.0 };
        let (noise_floor, echo_floor) = (self.noise_floor, self.echo_floor);
        let bins = self.bins;
        let (power, gains) = (&work.power[..bins], &mut work.gains[..bins]);
        let (all_noise, all_echo) = (&self.noise[..bins], &self.echo[..bins]);
        let before = &mut self.before[..bins];
        for i in 0..bins {
            let (noise, echo) = (noise_counts * all_noise[i], echo_counts * all_echo[i]);
            let share = 1.0 / (noise + echo + 1e-10);
            let posterior = power[i] * share;
            // Under echo the estimate must fall quickly; in noise it may be slow, which keeps music out of it.
            let memory = 0.96 - 0.46 * echo * share;
            let prior = memory * before[i] + (1.0 - memory) * larger(posterior - 1.0, 0.0);
            let wiener = prior / (1.0 + prior);
            before[i] = smaller(wiener * wiener * posterior, 1e6);
            let floor = (noise * noise_floor + echo * echo_floor + 1e-10) * share;
            gains[i] = larger(wiener, floor.sqrt());
        }
    }
}

const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
const DIRECTIONS: [(f32, f32); 8] = [
    (1.0, 0.0),
    (HALF, HALF),
    (0.0, 1.0),
    (-HALF, HALF),
    (-1.0, 0.0),
    (-HALF, -HALF),
    (0.0, -1.0),
    (HALF, -HALF),
];

/// Power ratio of a floor of this many dB.
fn floor_of(db: f32) -> f32 {
    let db = if db.is_nan() { 0.0 } else { db };
    10.0_f32.powf(-db.clamp(0.0, 60.0) / 10.0)
}

fn product(out: &mut [f32], a: &[f32], b: &[f32]) {
    for ((slot, a), b) in out.iter_mut().zip(a).zip(b) {
        *slot = a * b;
    }
}

fn powers(re: &[f32], im: &[f32], out: &mut [f32]) {
    for ((slot, re), im) in out.iter_mut().zip(re).zip(im) {
        *slot = re * re + im * im;
    }
}

/// Analysis and synthesis window: their product adds up to one when it is moved by a block.
#[derive(Debug)]
struct Windows {
    analysis: Vec<f32>,
    synthesis: Vec<f32>,
}

/// Those of both rates, which all calls share.
static NARROW: LazyLock<Windows> = LazyLock::new(|| windows(Rate::Hz8000));
static WIDE_BAND: LazyLock<Windows> = LazyLock::new(|| windows(Rate::Hz16000));

fn edge_of(rate: Rate) -> usize {
    EDGE * rate.block() / BLOCK
}

fn windows(rate: Rate) -> Windows {
    let (block, edge) = (rate.block(), edge_of(rate));
    let half_pi = std::f32::consts::FRAC_PI_2;
    let rise = 2 * block - edge;
    let falling = |n: usize| (half_pi * ((n - rise) as f32 + 0.5) / edge as f32).cos();
    let analysis: Vec<f32> = (0..2 * block)
        .map(|n| {
            if n < rise {
                (half_pi * (n as f32 + 0.5) / rise as f32).sin()
            } else {
                falling(n)
            }
        })
        .collect();
    let first = block - edge;
    let synthesis = analysis
        .iter()
        .enumerate()
        .map(|(n, analysis)| {
            let wanted = if n < first {
                0.0
            } else if n < first + edge {
                (half_pi * ((n - first) as f32 + 0.5) / edge as f32)
                    .sin()
                    .powi(2)
            } else if n < rise {
                1.0
            } else {
                falling(n).powi(2)
            };
            wanted / analysis
        })
        .collect();
    Windows {
        analysis,
        synthesis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    #[test]
    fn with_nothing_to_take_away_it_is_a_delay_of_7_ms() {
        let mut suppressor = Suppressor::new(SuppressorConfig {
            noise_db: 0.0,
            echo_db: 0.0,
            comfort_noise: false,
        });
        let mut tone = [0.0; 8000];
        ToneGenerator::sine(700.0, -10.0).fill(&mut tone);
        let mut heard = Vec::new();
        for chunk in tone.chunks_exact(BLOCK) {
            let mut block: [f32; BLOCK] = chunk.try_into().unwrap();
            suppressor.process(&mut block, None);
            heard.extend(block);
        }
        for n in 200..7900 {
            assert!((heard[n + EDGE] - tone[n]).abs() < 1e-3, "sample {n}");
        }
    }

    #[test]
    fn nonsense_does_not_stay() {
        let mut suppressor = Suppressor::new(SuppressorConfig::default());
        for _ in 0..10 {
            suppressor.process(&mut [f32::NAN; BLOCK], None);
            suppressor.process(&mut [f32::INFINITY; BLOCK], None);
        }
        let mut block = [0.0; BLOCK];
        for _ in 0..200 {
            block = [0.01; BLOCK];
            suppressor.process(&mut block, None);
        }
        assert!(block.iter().all(|s| s.is_finite() && s.abs() < 1.0));
    }
}
