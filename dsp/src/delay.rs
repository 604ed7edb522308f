//! Finding the bulk delay between what is played and its echo.
//!
//! A device, a network or a recording can delay the echo by more than the canceller's tail. The finder correlates the
//! microphone with the far end in the frequency domain, both whitened by their long-term spectra (Knapp and Carter 1976,
//! the SCOT weighting), over every delay of its range at once. Each block costs the same: one step of all correlations and
//! the transform of one of them.

use realfft::num_complex::Complex32;

use crate::echo::BLOCK;
use crate::sample::finite;
use crate::spectrum::Fft;

const WINDOW: usize = 2 * BLOCK;
const BINS: usize = BLOCK + 1;
type Spectrum = [Complex32; BINS];

/// Blocks of far-end sound that the correlation remembers, 4 s.
const MEMORY: f32 = 400.0;
/// Blocks of far-end sound before anything counts, 0.5 s.
const LEAST: u32 = 50;
/// Mean square of the emphasised far end from which a block counts, about -60 dBFS.
const AUDIBLE: f32 = 1e-6;
/// The peak must stand this far above the root mean square of the other delays.
const LEAST_CONFIDENCE: f32 = 9.0;
/// Sound may come this many samples before the strongest part of it, 32 ms.
const RISE: usize = 256;

/// Where the echo is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BulkDelay {
    /// Samples at 8 kHz from the far end to the first clear part of the echo.
    pub first: usize,
    /// Samples to its strongest part.
    pub strongest: usize,
    /// How far the strongest part stands above the other delays: their root mean square is 1. Below 9 nothing is reported.
    pub confidence: f32,
}

/// Finds the delay of the echo of `far` in `mic`. 8 kHz, blocks of 80 samples, delays to within one sample. It speaks after
/// half a second of far-end sound and as much again as its range.
#[derive(Debug, Clone)]
pub struct DelayFinder {
    fft: Fft,
    /// Far-end spectra, newest at `newest`.
    far: Vec<Spectrum>,
    newest: usize,
    far_window: [f32; WINDOW],
    emphasis_far: f32,
    emphasis_mic: f32,
    far_power: [f32; BINS],
    mic_power: [f32; BINS],
    cross: Vec<Spectrum>,
    /// Magnitude of the correlation at each delay.
    lags: Vec<f32>,
    next: usize,
    blocks: u32,
}

impl DelayFinder {
    /// A finder for delays from 0 to `range_ms`, rounded up to whole blocks; 20..=2000 ms.
    pub fn new(range_ms: u32) -> DelayFinder {
        let partitions = (range_ms.clamp(20, 2000) as usize).div_ceil(10);
        let empty = vec![[Complex32::default(); BINS]; partitions];
        DelayFinder {
            fft: Fft::new(WINDOW),
            far: empty.clone(),
            newest: 0,
            far_window: [0.0; WINDOW],
            emphasis_far: 0.0,
            emphasis_mic: 0.0,
            far_power: [0.0; BINS],
            mic_power: [0.0; BINS],
            cross: empty,
            lags: vec![0.0; partitions * BLOCK],
            next: 0,
            blocks: 0,
        }
    }

    /// Takes what was played and what was heard at the same time.
    pub fn process(&mut self, far: &[f32; BLOCK], mic: &[f32; BLOCK]) {
        let count = self.far.len();
        self.newest = self.newest.checked_sub(1).unwrap_or(count - 1);
        self.far_window.copy_within(BLOCK.., 0);
        let mut mic_window = [0.0; WINDOW];
        for i in 0..BLOCK {
            self.far_window[BLOCK + i] = emphasise(far[i], &mut self.emphasis_far);
            mic_window[BLOCK + i] = emphasise(mic[i], &mut self.emphasis_mic);
        }
        self.fft
            .forward(&self.far_window, &mut self.far[self.newest]);
        let energy: f32 = self.far_window[BLOCK..].iter().map(|x| x * x).sum();
        let heard = mic_window.iter().any(|x| x.abs() > 1e-6);
        if energy > AUDIBLE * BLOCK as f32 {
            // The echo of this block comes within the range; what comes in its pauses is learned as well.
            self.blocks = self.blocks.saturating_add(1);
        }
        if self.blocks > 0 && heard {
            self.correlate(&mic_window);
        }
        self.transform();
    }

    /// Where the echo is; `None` while nothing stands out.
    pub fn find(&self) -> Option<BulkDelay> {
        // By then every delay has been transformed after the first half second.
        if self.blocks < LEAST.saturating_add(self.far.len() as u32) {
            return None;
        }
        let strongest =
            (0..self.lags.len()).max_by(|a, b| self.lags[*a].total_cmp(&self.lags[*b]))?;
        let peak = self.lags[strongest];
        let beside = |lag: &usize| lag.abs_diff(strongest) > RISE;
        let others = (0..self.lags.len()).filter(beside);
        let (sum, number) = others.fold((0.0_f32, 0_u32), |(sum, number), lag| {
            (sum + self.lags[lag] * self.lags[lag], number + 1)
        });
        let rms = (sum / number.max(1) as f32).sqrt();
        let confidence = peak / rms.max(1e-9);
        if peak <= 0.0 || confidence < LEAST_CONFIDENCE {
            return None;
        }
        let clear = (0.4 * peak).max(6.0 * rms);
        let earliest = strongest.saturating_sub(RISE);
        let first = (earliest..=strongest)
            .find(|lag| self.lags[*lag] >= clear)
            .unwrap_or(strongest);
        Some(BulkDelay {
            first,
            strongest,
            confidence: confidence.min(1e6),
        })
    }

    /// One step of every correlation.
    fn correlate(&mut self, mic_window: &[f32; WINDOW]) {
        let mut mic = [Complex32::default(); BINS];
        self.fft.forward(mic_window, &mut mic);
        let weight = 1.0 / (self.blocks as f32).min(MEMORY);
        for (i, mic) in mic.iter_mut().enumerate() {
            let far = self.far[self.newest][i].norm_sqr();
            follow(&mut self.far_power[i], far, weight);
            follow(&mut self.mic_power[i], mic.norm_sqr(), weight);
            *mic /= (self.far_power[i] * self.mic_power[i]).sqrt() + 1e-9;
        }
        let count = self.far.len();
        for (partition, cross) in self.cross.iter_mut().enumerate() {
            let far = &self.far[(self.newest + partition) % count];
            for ((slot, x), m) in cross.iter_mut().zip(far).zip(&mic) {
                let value = *slot + (x.conj() * m - *slot) * weight;
                // No subnormals, and nothing that an absurd input could leave behind for good.
                *slot = if value.norm_sqr() > 1e-24 && value.is_finite() {
                    value
                } else {
                    Complex32::default()
                };
            }
        }
    }

    /// Brings the delays of one partition up to date.
    fn transform(&mut self) {
        let mut both = [0.0; WINDOW];
        self.fft.inverse(&self.cross[self.next], &mut both);
        // The microphone stands in the second half of its window, so the first half holds the delays without wrapping.
        let start = self.next * BLOCK;
        for (slot, value) in self.lags[start..start + BLOCK].iter_mut().zip(&both) {
            *slot = value.abs();
        }
        self.next = (self.next + 1) % self.cross.len();
    }
}

fn follow(mean: &mut f32, value: f32, weight: f32) {
    *mean += weight * (value - *mean);
    if mean.is_nan() || *mean < 1e-20 {
        *mean = 0.0;
    }
}

/// High frequencies raised, as speech has little there.
fn emphasise(sample: f32, last: &mut f32) -> f32 {
    let x = finite(sample).clamp(-4.0, 4.0);
    let out = x - 0.9 * *last;
    *last = x;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((state >> 8) as f32 / 8_388_608.0 - 1.0) * 0.1
            })
            .collect()
    }

    /// Noise in syllables through a low-pass: as unlike white noise as speech.
    fn babble(count: usize, seed: u32) -> Vec<f32> {
        let mut low = 0.0;
        noise(count, seed)
            .iter()
            .enumerate()
            .map(|(n, x)| {
                low += 0.2 * (x - low);
                low * (1.0 + (n as f32 / 1200.0).sin())
            })
            .collect()
    }

    fn find(far: &[f32], mic: &[f32], range_ms: u32) -> Option<BulkDelay> {
        let mut finder = DelayFinder::new(range_ms);
        for (far, mic) in far.chunks_exact(BLOCK).zip(mic.chunks_exact(BLOCK)) {
            finder.process(far.try_into().unwrap(), mic.try_into().unwrap());
        }
        finder.find()
    }

    fn delayed(far: &[f32], delay: usize, gain: f32) -> Vec<f32> {
        (0..far.len())
            .map(|n| n.checked_sub(delay).map_or(0.0, |at| gain * far[at]))
            .collect()
    }

    #[test]
    fn every_delay_is_found_to_the_sample() {
        let far = babble(5 * 8000, 1);
        for delay in [0, 1, 79, 80, 81, 400, 1237, 3999] {
            let found = find(&far, &delayed(&far, delay, 0.5), 500).unwrap();
            assert_eq!((found.first, found.strongest), (delay, delay), "{found:?}");
        }
    }

    #[test]
    fn it_is_found_under_a_louder_talker() {
        let far = babble(10 * 8000, 2);
        let near = babble(10 * 8000, 77);
        let echo = delayed(&far, 2345, 0.3);
        let mic: Vec<f32> = echo.iter().zip(&near).map(|(a, b)| a + b).collect();
        assert_eq!(find(&far, &mic, 500).unwrap().strongest, 2345);
    }

    #[test]
    fn the_first_arrival_comes_before_a_stronger_reflection() {
        let far = babble(5 * 8000, 3);
        let direct = delayed(&far, 800, 0.3);
        let reflection = delayed(&far, 960, 0.5);
        let mic: Vec<f32> = direct.iter().zip(&reflection).map(|(a, b)| a + b).collect();
        let found = find(&far, &mic, 500).unwrap();
        assert_eq!((found.first, found.strongest), (800, 960));
    }

    #[test]
    fn without_an_echo_nothing_is_found() {
        for seed in 10..20 {
            let far = babble(10 * 8000, seed);
            assert_eq!(find(&far, &babble(10 * 8000, seed + 100), 500), None);
        }
        assert_eq!(find(&[0.0; 8000], &[0.0; 8000], 500), None);
    }

    #[test]
    fn a_changed_delay_is_followed() {
        let far = babble(30 * 8000, 4);
        let mut mic = delayed(&far, 500, 0.5);
        let later = delayed(&far, 1700, 0.5);
        mic[80_000..].copy_from_slice(&later[80_000..]);
        assert_eq!(find(&far, &mic, 300).unwrap().strongest, 1700);
    }

    #[test]
    fn nonsense_does_not_stay() {
        let mut finder = DelayFinder::new(300);
        for bad in [f32::NAN, f32::INFINITY, f32::MAX, -1.0, f32::MIN_POSITIVE] {
            for _ in 0..50 {
                finder.process(&[bad; BLOCK], &[bad; BLOCK]);
            }
        }
        let far = babble(20 * 8000, 5);
        let mic = delayed(&far, 900, 0.5);
        for (far, mic) in far.chunks_exact(BLOCK).zip(mic.chunks_exact(BLOCK)) {
            finder.process(far.try_into().unwrap(), mic.try_into().unwrap());
        }
        assert_eq!(finder.find().unwrap().strongest, 900);
    }
}
