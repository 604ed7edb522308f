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

use realfft::num_complex::Complex32;

use crate::Rate;
use crate::echo::EchoReport;
use crate::frames::Frames;
use crate::sample::finite;
use crate::spectrum::Fft;

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
    edge: usize,
    fft: Fft,
    analysis: Vec<f32>,
    synthesis: Vec<f32>,
    input: Vec<f32>,
    echo_input: Vec<f32>,
    framed: Vec<f32>,
    spectrum: Vec<Complex32>,
    power: Vec<f32>,
    estimate: Vec<f32>,
    overlap: Vec<f32>,
    noise: Vec<f32>,
    smooth: Vec<f32>,
    minimum: Vec<f32>,
    next_minimum: Vec<f32>,
    echo: Vec<f32>,
    narrow: Vec<Leak>,
    wide: Vec<Leak>,
    /// Clean power over disturbance of the last block, for the decision-directed estimate.
    before: Vec<f32>,
    blocks: u32,
    random: u32,
    echo_share: f32,
    frames: Frames,
}

/// Regression of the output's power on the echo estimate's in one band: the part that rises and falls with it.
#[derive(Debug, Clone, Copy)]
struct Leak {
    out_mean: f32,
    echo_mean: f32,
    covariance: f32,
    variance: f32,
    loudest: f32,
    leakage: f32,
}

impl Leak {
    /// Weight of a block, 2 s.
    const WEIGHT: f32 = 0.005;
    /// A block this much stronger than the echo that is expected is the near end's and counts little...
    const STRANGE: f32 = 8.0;
    /// ...but at least this much: the path may have changed.
    const LEAST_TRUST: f32 = 0.1;

    fn new() -> Leak {
        Leak {
            out_mean: 0.0,
            echo_mean: 0.0,
            covariance: 0.0,
            variance: 0.0,
            loudest: 0.0,
            leakage: 1.0,
        }
    }

    fn follow(&mut self, out: f32, echo: f32) {
        self.loudest = (0.998 * self.loudest).max(echo);
        // Nothing is learned from pauses of the far end.
        if echo < 0.003 * self.loudest || echo < 1e-9 {
            return;
        }
        let expected = Leak::STRANGE * self.leakage * echo;
        let weight = Leak::WEIGHT * (expected / (out + 1e-12)).clamp(Leak::LEAST_TRUST, 1.0);
        let (o, e) = (out - self.out_mean, echo - self.echo_mean);
        self.out_mean += weight * o;
        self.echo_mean += weight * e;
        let scale = self.echo_mean.max(1e-12);
        let (o, e) = (o / scale, e / scale);
        self.covariance += weight * ((o * e).clamp(-4.0, 4.0) - self.covariance);
        self.variance += weight * ((e * e).min(20.0) - self.variance);
        self.leakage = (self.covariance / self.variance.max(1e-3)).clamp(1e-4, 1.0);
    }
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
        let edge = EDGE * block / 80;
        let (window, bins) = (2 * block, block + 1);
        let (analysis, synthesis) = windows(block, edge);
        let zeros = vec![0.0; bins];
        Suppressor {
            config,
            noise_floor: floor_of(config.noise_db),
            echo_floor: floor_of(config.echo_db),
            block,
            edge,
            fft: Fft::new(window),
            analysis,
            synthesis,
            input: vec![0.0; window],
            echo_input: vec![0.0; window],
            framed: vec![0.0; window],
            spectrum: vec![Complex32::default(); bins],
            power: zeros.clone(),
            estimate: zeros.clone(),
            overlap: vec![0.0; edge],
            noise: zeros.clone(),
            smooth: zeros.clone(),
            minimum: vec![f32::MAX; bins],
            next_minimum: vec![f32::MAX; bins],
            echo: zeros.clone(),
            narrow: vec![Leak::new(); bins.div_ceil(BAND)],
            wide: vec![Leak::new(); bins.div_ceil(BAND)],
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
        let fresh = self.block;
        self.input.copy_within(self.block.., 0);
        for (i, slot) in self.input[fresh..].iter_mut().enumerate() {
            *slot = finite(block.get(i).copied().unwrap_or(0.0)).clamp(-8.0, 8.0);
        }
        self.echo_share = 0.0;
        if let Some(report) = echo {
            self.echo_input.copy_within(self.block.., 0);
            for (slot, sample) in self.echo_input[fresh..].iter_mut().zip(&report.echo) {
                *slot = *sample;
            }
            product(&mut self.framed, &self.echo_input, &self.analysis);
            self.fft.forward(&self.framed, &mut self.spectrum);
            powers(&self.spectrum, &mut self.estimate);
        }
        product(&mut self.framed, &self.input, &self.analysis);
        self.fft.forward(&self.framed, &mut self.spectrum);
        powers(&self.spectrum, &mut self.power);
        let mut over = OVER;
        if let Some(report) = echo {
            self.follow_echo(&report.doubt);
            let (all, left) = (
                self.power.iter().sum::<f32>(),
                self.echo.iter().sum::<f32>(),
            );
            self.echo_share = (left / (all + 1e-10)).min(1.0);
            let beyond = (all / (left + 1e-10) - 1.0) / ALONE;
            over += OVER_ALONE * (1.0 - beyond).clamp(0.0, 1.0);
        }
        self.follow_noise();
        self.weigh(over);
        self.fft.inverse(&self.spectrum, &mut self.framed);
        let from = self.block - self.edge;
        for (slot, weight) in self.framed[from..].iter_mut().zip(&self.synthesis[from..]) {
            *slot *= weight;
        }
        for (slot, before) in self.framed[from..].iter_mut().zip(&self.overlap) {
            *slot += before;
        }
        for (slot, sample) in block.iter_mut().zip(&self.framed[from..from + self.block]) {
            *slot = *sample;
        }
        self.overlap
            .copy_from_slice(&self.framed[from + self.block..]);
    }

    /// Weighs the bins and fills the holes.
    fn weigh(&mut self, over: f32) {
        let comforts = self.config.comfort_noise && self.config.noise_db > 0.0;
        for i in 0..self.spectrum.len() {
            let power = self.power[i];
            let gain = self.gain(i, power, over);
            let bin = &mut self.spectrum[i];
            *bin *= gain;
            let (echo, noise) = (self.echo[i], self.noise[i]);
            if comforts && echo > 0.1 * noise {
                let wanted = self.noise_floor * noise * echo / (echo + noise + 1e-12);
                let missing = wanted - gain * gain * power;
                if missing > 0.0 {
                    self.random = self
                        .random
                        .wrapping_mul(1_664_525)
                        .wrapping_add(1_013_904_223);
                    // Eight directions are as good as all.
                    let direction = &DIRECTIONS[(self.random >> 29) as usize];
                    let amplitude = missing.sqrt();
                    bin.re += amplitude * direction.0;
                    bin.im += amplitude * direction.1;
                }
            }
        }
    }

    fn follow_echo(&mut self, doubt: &[f32]) {
        let bins = self.power.len();
        let whole = self.estimate.iter().sum::<f32>() / self.narrow.len() as f32;
        for (band, (narrow, wide)) in self.narrow.iter_mut().zip(&mut self.wide).enumerate() {
            let (mut out, mut echo) = (0.0, 0.0);
            for i in band * BAND..((band + 1) * BAND).min(bins) {
                out += (self.power[i] - self.noise[i]).max(0.0);
                echo += self.estimate[i];
            }
            narrow.follow(out, echo);
            wide.follow(out, whole);
        }
        for i in 0..bins {
            let below = self.estimate[i.saturating_sub(1)];
            let above = self.estimate[(i + 1).min(bins - 1)];
            let spread = self.estimate[i].max(SPREAD * below.max(above));
            let doubt = doubt.get(i).copied().unwrap_or(1.0);
            let leak = self.narrow[i / BAND].leakage.max(DOUBTED * doubt);
            let wide = WIDE * self.wide[i / BAND].leakage * whole / BAND as f32;
            self.echo[i] = (leak * spread).max(wide).max(DECAY * self.echo[i]);
            if self.echo[i] < 1e-15 {
                self.echo[i] = 0.0;
            }
        }
    }

    fn follow_noise(&mut self) {
        self.blocks = self.blocks.saturating_add(1);
        if self.blocks.is_multiple_of(MINIMUM_SPAN) {
            self.minimum.copy_from_slice(&self.next_minimum);
            self.next_minimum.copy_from_slice(&self.smooth);
        }
        // The first blocks are taken as noise, then the average gets slower.
        let first = self.blocks <= 20;
        for (i, power) in self.power.iter().enumerate() {
            self.smooth[i] += 0.2 * (power - self.smooth[i]);
            if self.smooth[i] < 1e-15 {
                self.smooth[i] = 0.0;
            }
            self.minimum[i] = self.minimum[i].min(self.smooth[i]);
            self.next_minimum[i] = self.next_minimum[i].min(self.smooth[i]);
            // Residual echo is no noise, and neither is what stands well above the minima.
            let quiet = self.smooth[i] < 4.0 * self.minimum[i] + 1e-12;
            let echo_free = self.echo[i] < 0.5 * power + 1e-12;
            if first || (quiet && echo_free) {
                let weight = (1.0 / self.blocks as f32).max(0.05);
                self.noise[i] += weight * (power - self.noise[i]);
                if self.noise[i] < 1e-15 {
                    self.noise[i] = 0.0;
                }
            } else if self.noise[i] > 8.0 * self.minimum[i] {
                // The first blocks were speech after all.
                self.noise[i] *= 0.97;
            }
        }
    }

    fn gain(&mut self, i: usize, power: f32, over: f32) -> f32 {
        let noise = if self.config.noise_db > 0.0 {
            self.noise[i]
        } else {
            0.0
        };
        let echo = if self.config.echo_db > 0.0 {
            over * self.echo[i]
        } else {
            0.0
        };
        let disturbance = noise + echo + 1e-10;
        let posterior = power / disturbance;
        // Under echo the estimate must fall quickly; in noise it may be slow, which keeps music out of it.
        let memory = 0.96 - 0.46 * echo / disturbance;
        let prior = memory * self.before[i] + (1.0 - memory) * (posterior - 1.0).max(0.0);
        let wiener = prior / (1.0 + prior);
        let clean = wiener * wiener * power;
        self.before[i] = (clean / disturbance).min(1e6);
        let floor = (noise * self.noise_floor + echo * self.echo_floor + 1e-10) / disturbance;
        wiener.max(floor.sqrt())
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
    10.0_f32.powf(-db.clamp(0.0, 60.0) / 10.0)
}

fn product(out: &mut [f32], a: &[f32], b: &[f32]) {
    for ((slot, a), b) in out.iter_mut().zip(a).zip(b) {
        *slot = a * b;
    }
}

fn powers(spectrum: &[Complex32], out: &mut [f32]) {
    for (slot, x) in out.iter_mut().zip(spectrum) {
        *slot = x.norm_sqr();
    }
}

/// Analysis and synthesis window: their product adds up to one when it is moved by a block.
fn windows(block: usize, edge: usize) -> (Vec<f32>, Vec<f32>) {
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
    (analysis, synthesis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::echo::BLOCK;
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
