//! Taking away steady noise and what a linear echo canceller leaves, bin by bin.
//!
//! Frames of 20 ms, half overlapped, root-Hann windows: the output is one block (10 ms) late. Each bin is weighted by the
//! share of its power that is neither noise nor residual echo (Wiener), with the decision-directed estimate of Ephraim and
//! Malah (1984) against musical noise. The noise floor is followed through speech by its minima (Martin 2001, in the short
//! form of Cohen 2003).

use realfft::num_complex::Complex32;

use crate::echo::{BLOCK, EchoReport};
use crate::sample::finite;
use crate::spectrum::Fft;

const WINDOW: usize = 2 * BLOCK;
const BINS: usize = BLOCK + 1;
/// Blocks in one half of the minimum search, 0.6 s.
const MINIMUM_SPAN: u32 = 60;

/// How far a [`Suppressor`] goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SuppressorConfig {
    /// Most that steady noise is turned down, dB; 0 leaves it.
    pub noise_db: f32,
    /// Most that residual echo is turned down, dB; 0 leaves it.
    pub echo_db: f32,
}

impl Default for SuppressorConfig {
    fn default() -> Self {
        SuppressorConfig {
            noise_db: 15.0,
            echo_db: 40.0,
        }
    }
}

/// Noise and residual echo suppression of one stream. 8 kHz, blocks of 80 samples, 10 ms of delay.
#[derive(Debug, Clone)]
pub struct Suppressor {
    config: SuppressorConfig,
    fft: Fft,
    window: [f32; WINDOW],
    input: [f32; WINDOW],
    overlap: [f32; BLOCK],
    noise: [f32; BINS],
    smooth: [f32; BINS],
    minimum: [f32; BINS],
    next_minimum: [f32; BINS],
    echo: [f32; BINS],
    /// Clean power over disturbance of the last block, for the decision-directed estimate.
    before: [f32; BINS],
    blocks: u32,
}

impl Suppressor {
    /// How much later the output comes, ms.
    pub const DELAY_MS: f32 = 10.0;

    /// A suppressor that has heard nothing.
    pub fn new(config: SuppressorConfig) -> Suppressor {
        Suppressor {
            config,
            fft: Fft::new(WINDOW),
            window: root_hann(),
            input: [0.0; WINDOW],
            overlap: [0.0; BLOCK],
            noise: [0.0; BINS],
            smooth: [0.0; BINS],
            minimum: [f32::MAX; BINS],
            next_minimum: [f32::MAX; BINS],
            echo: [0.0; BINS],
            before: [0.0; BINS],
            blocks: 0,
        }
    }

    /// Replaces `block` by the cleaned block before it. `echo` is what the canceller said about the same block, if there is
    /// one.
    pub fn process(&mut self, block: &mut [f32; BLOCK], echo: Option<&EchoReport>) {
        self.input.copy_within(BLOCK.., 0);
        for (slot, sample) in self.input.iter_mut().skip(BLOCK).zip(block.iter()) {
            *slot = finite(*sample).clamp(-8.0, 8.0);
        }
        let framed: [f32; WINDOW] = std::array::from_fn(|i| self.input[i] * self.window[i]);
        let mut spectrum = [Complex32::default(); BINS];
        self.fft.forward(&framed, &mut spectrum);
        let power = spectrum.map(|x| x.norm_sqr());
        self.follow_echo(echo);
        self.follow_noise(&power);
        for i in 0..BINS {
            spectrum[i] *= self.gain(i, power[i]);
        }
        let mut out = [0.0; WINDOW];
        self.fft.inverse(&spectrum, &mut out);
        for i in 0..BLOCK {
            block[i] = self.overlap[i] + out[i] * self.window[i];
            self.overlap[i] = out[BLOCK + i] * self.window[BLOCK + i];
        }
    }

    fn follow_echo(&mut self, echo: Option<&EchoReport>) {
        for i in 0..BINS {
            let left = echo.map_or(0.0, |echo| echo.leakage * echo.echo[i]);
            // The tail of the room beyond the filter dies away slowly.
            self.echo[i] = left.max(0.35 * self.echo[i]);
            if self.echo[i] < 1e-15 {
                self.echo[i] = 0.0;
            }
        }
    }

    fn follow_noise(&mut self, power: &[f32; BINS]) {
        self.blocks = self.blocks.saturating_add(1);
        if self.blocks.is_multiple_of(MINIMUM_SPAN) {
            self.minimum = self.next_minimum;
            self.next_minimum = self.smooth;
        }
        // The first blocks are taken as noise, then the average gets slower.
        let first = self.blocks <= 20;
        for (i, power) in power.iter().enumerate() {
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

    fn gain(&mut self, i: usize, power: f32) -> f32 {
        let noise = if self.config.noise_db > 0.0 {
            self.noise[i]
        } else {
            0.0
        };
        let echo = if self.config.echo_db > 0.0 {
            2.0 * self.echo[i]
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
        let floor_power =
            (noise * floor_of(self.config.noise_db) + echo * floor_of(self.config.echo_db) + 1e-10)
                / disturbance;
        wiener.max(floor_power.sqrt())
    }
}

/// Power ratio of a floor of this many dB.
fn floor_of(db: f32) -> f32 {
    10.0_f32.powf(-db.clamp(0.0, 60.0) / 10.0)
}

/// The square root of a Hann window: twice applied and half overlapped it adds up to one.
pub(crate) fn root_hann() -> [f32; WINDOW] {
    std::array::from_fn(|n| (std::f32::consts::PI * (n as f32 + 0.5) / WINDOW as f32).sin())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    #[test]
    fn with_nothing_to_take_away_it_is_a_delay_of_one_block() {
        let mut suppressor = Suppressor::new(SuppressorConfig {
            noise_db: 0.0,
            echo_db: 0.0,
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
            assert!((heard[n + BLOCK] - tone[n]).abs() < 1e-3, "sample {n}");
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
