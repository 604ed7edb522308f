//! Finding the bulk delay between what is played and its echo.
//!
//! A device, a network or a recording can delay the echo by more than the canceller's tail. The finder correlates the
//! microphone with the far end in the frequency domain, both whitened by their long-term spectra (Knapp and Carter 1976,
//! the SCOT weighting), over every delay of its range at once. It works in frames of four blocks, which costs a fraction of what
//! blocks would, and shares the work of a frame out among the four: a transform of the far end, one of the microphone, one step of
//! all correlations, and the delays of one part of the range. While nothing audible has been played it does nothing.

use realfft::num_complex::Complex32;

use crate::echo::BLOCK;
use crate::sample::{finite, largest, square_sum};
use crate::spectrum::Fft;

/// Samples of a frame, 40 ms.
const FRAME: usize = 4 * BLOCK;
const WINDOW: usize = 2 * FRAME;
const BINS: usize = FRAME + 1;

/// Frames of far-end sound that the correlation remembers, 4 s.
const MEMORY: f32 = 100.0;
/// Frames of far-end sound before anything counts, 0.5 s.
const LEAST: u32 = 13;
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

/// A spectrum with its parts apart, so that four bins are reckoned at once.
#[derive(Debug, Clone)]
struct Spectrum {
    re: [f32; BINS],
    im: [f32; BINS],
}

impl Spectrum {
    const EMPTY: Spectrum = Spectrum {
        re: [0.0; BINS],
        im: [0.0; BINS],
    };

    fn set(&mut self, from: &[Complex32]) {
        for ((re, im), x) in self.re.iter_mut().zip(&mut self.im).zip(from) {
            (*re, *im) = (x.re, x.im);
        }
    }
}

/// What the delays of one part of the range come to.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    /// The delay with the largest magnitude, and that.
    strongest: usize,
    peak: f32,
    /// Sum of the squares.
    squares: f32,
}

/// The strongest delay of the whole range, and how far it stands above the others.
#[derive(Debug, Clone, Copy)]
struct Peak {
    strongest: usize,
    height: f32,
    /// Root mean square of the delays that are not beside it.
    others: f32,
}

/// Finds the delay of the echo of `far` in `mic`. 8 kHz, blocks of 80 samples, delays to within one sample. It speaks after
/// half a second of far-end sound and as much again as its range.
#[derive(Debug, Clone)]
pub struct DelayFinder {
    fft: Fft,
    scratch: Vec<Complex32>,
    /// Far-end spectra, newest at `newest`; so many of them follow each other without a gap.
    far: Vec<Spectrum>,
    newest: usize,
    fresh: usize,
    /// The frame before and the one that is being collected.
    far_window: Vec<f32>,
    /// The microphone's stands in the second half, behind silence.
    mic_window: Vec<f32>,
    collected: usize,
    /// The frame before the one that is being collected is not known.
    torn: bool,
    last_far: f32,
    last_mic: f32,
    far_power: [f32; BINS],
    mic_power: [f32; BINS],
    /// The microphone's last frame, whitened.
    mic: Box<Spectrum>,
    cross: Vec<Spectrum>,
    /// Magnitude of the correlation at each delay.
    lags: Vec<f32>,
    parts: Vec<Part>,
    /// The part that is transformed next, and how many do not show the newest correlation.
    next: usize,
    stale: usize,
    /// Audible frames so far, and silent ones since the last of them.
    frames: u32,
    silent_for: usize,
    /// The last whole frame is to be correlated.
    due: bool,
}

impl DelayFinder {
    /// A finder for delays from 0 to `range_ms`, rounded up to whole blocks; 20..=2000 ms.
    pub fn new(range_ms: u32) -> DelayFinder {
        let range = (range_ms.clamp(20, 2000) as usize).div_ceil(10) * BLOCK;
        let partitions = range.div_ceil(FRAME);
        let empty = vec![Spectrum::EMPTY; partitions];
        DelayFinder {
            fft: Fft::new(WINDOW),
            scratch: vec![Complex32::default(); BINS],
            far: empty.clone(),
            newest: 0,
            fresh: partitions,
            far_window: vec![0.0; WINDOW],
            mic_window: vec![0.0; WINDOW],
            collected: 0,
            torn: false,
            last_far: 0.0,
            last_mic: 0.0,
            far_power: [0.0; BINS],
            mic_power: [0.0; BINS],
            mic: Box::new(Spectrum::EMPTY),
            cross: empty,
            lags: vec![0.0; range],
            parts: vec![Part::default(); partitions],
            next: 0,
            stale: 0,
            frames: 0,
            silent_for: 0,
            due: false,
        }
    }

    /// Takes what was played and what was heard at the same time. True when [`DelayFinder::find`] may tell something else than
    /// before.
    pub fn process(&mut self, far: &[f32; BLOCK], mic: &[f32; BLOCK]) -> bool {
        let mut news = false;
        match self.collected / BLOCK {
            0 if self.due => self.due = self.hear(),
            1 if self.due => self.correlate(),
            2 if self.stale > 0 => {
                self.transform();
                news = true;
            }
            _ => {}
        }
        let slots = FRAME + self.collected..FRAME + self.collected + BLOCK;
        emphasise(far, &mut self.last_far, &mut self.far_window[slots.clone()]);
        emphasise(mic, &mut self.last_mic, &mut self.mic_window[slots]);
        self.collected += BLOCK;
        if self.collected == FRAME {
            self.collected = 0;
            self.take_far();
        }
        news
    }

    /// Goes on after a gap in what it was given. What it knows stays.
    pub(crate) fn resume(&mut self) {
        self.collected = 0;
        self.torn = true;
        self.due = false;
    }

    /// Where the echo is; `None` while nothing stands out.
    pub fn find(&self) -> Option<BulkDelay> {
        let peak = self.peak()?;
        let confidence = peak.height / peak.others.max(1e-9);
        if peak.height <= 0.0 || confidence < LEAST_CONFIDENCE {
            return None;
        }
        let clear = (0.4 * peak.height).max(6.0 * peak.others);
        let earliest = peak.strongest.saturating_sub(RISE);
        let first = (earliest..=peak.strongest)
            .find(|lag| self.lags[*lag] >= clear)
            .unwrap_or(peak.strongest);
        Some(BulkDelay {
            first,
            strongest: peak.strongest,
            confidence: confidence.min(1e6),
        })
    }

    /// How far the strongest delay stands above the others, whether that is far enough or not; `None` before anything counts.
    pub(crate) fn strength(&self) -> Option<f32> {
        let peak = self.peak()?;
        Some((peak.height / peak.others.max(1e-9)).min(1e6))
    }

    fn peak(&self) -> Option<Peak> {
        // By then every delay has been transformed after the first half second.
        if self.frames < LEAST.saturating_add(self.far.len() as u32) {
            return None;
        }
        let first = self.parts.first()?;
        let best = self.parts.iter().fold(
            first,
            |best, part| if part.peak > best.peak { part } else { best },
        );
        let (from, to) = (
            best.strongest.saturating_sub(RISE),
            (best.strongest + RISE + 1).min(self.lags.len()),
        );
        let mut squares = 0.0;
        for (index, part) in self.parts.iter().enumerate() {
            let start = index * FRAME;
            let end = (start + FRAME).min(self.lags.len());
            if end <= from || start >= to {
                squares += part.squares;
            } else {
                squares += square_sum(&self.lags[start..from.max(start)]);
                squares += square_sum(&self.lags[to.min(end)..end]);
            }
        }
        let number = (self.lags.len() - (to - from)).max(1);
        Some(Peak {
            strongest: best.strongest,
            height: best.peak,
            others: (squares / number as f32).sqrt(),
        })
    }

    /// A frame is complete: its far end's spectrum.
    fn take_far(&mut self) {
        let energy = square_sum(&self.far_window[FRAME..]);
        // As loud as one audible block.
        let audible = energy > AUDIBLE * BLOCK as f32;
        if audible {
            // The echo of this frame comes within the range; what comes in its pauses is learned as well.
            self.frames = self.frames.saturating_add(1);
            self.silent_for = 0;
        } else {
            self.silent_for = self.silent_for.saturating_add(1);
        }
        let count = self.far.len();
        if self.torn {
            self.torn = false;
            self.fresh = 0;
        } else {
            self.newest = self.newest.checked_sub(1).unwrap_or(count - 1);
            self.fresh = (self.fresh + 1).min(count);
            let newest = &mut self.far[self.newest];
            if audible {
                self.fft.forward(&self.far_window, &mut self.scratch);
                newest.set(&self.scratch);
            } else {
                newest.clone_from(&Spectrum::EMPTY);
            }
            self.due = self.frames > 0 && self.silent_for <= count;
        }
        self.far_window.copy_within(FRAME.., 0);
    }

    /// The spectrum of what was heard, whitened by both long-term spectra. False when that was nothing.
    fn hear(&mut self) -> bool {
        if !self.mic_window[FRAME..].iter().any(|x| x.abs() > 1e-6) {
            return false;
        }
        self.fft.forward(&self.mic_window, &mut self.scratch);
        let weight = self.weight();
        let mic = &mut *self.mic;
        mic.set(&self.scratch);
        let far = &self.far[self.newest];
        for i in 0..BINS {
            let far = far.re[i] * far.re[i] + far.im[i] * far.im[i];
            let heard = mic.re[i] * mic.re[i] + mic.im[i] * mic.im[i];
            self.far_power[i] = followed(self.far_power[i], far, weight);
            self.mic_power[i] = followed(self.mic_power[i], heard, weight);
            let white = 1.0 / ((self.far_power[i] * self.mic_power[i]).sqrt() + 1e-9);
            mic.re[i] *= white;
            mic.im[i] *= white;
        }
        true
    }

    /// One step of every correlation whose far end is known.
    fn correlate(&mut self) {
        let weight = self.weight();
        let count = self.far.len();
        let mic = &*self.mic;
        for (partition, cross) in self.cross.iter_mut().enumerate().take(self.fresh) {
            let far = &self.far[(self.newest + partition) % count];
            for i in 0..BINS {
                let re = far.re[i] * mic.re[i] + far.im[i] * mic.im[i];
                let im = far.re[i] * mic.im[i] - far.im[i] * mic.re[i];
                cross.re[i] = settled(cross.re[i] + weight * (re - cross.re[i]));
                cross.im[i] = settled(cross.im[i] + weight * (im - cross.im[i]));
            }
        }
        self.due = false;
        self.stale = count;
    }

    /// Brings the delays of one part of the range up to date.
    fn transform(&mut self) {
        let cross = &self.cross[self.next];
        for ((slot, re), im) in self.scratch.iter_mut().zip(&cross.re).zip(&cross.im) {
            *slot = Complex32::new(*re, *im);
        }
        let mut both = [0.0; WINDOW];
        self.fft.inverse(&self.scratch, &mut both);
        // The microphone stands in the second half of its window, so the first half holds the delays without wrapping.
        let start = self.next * FRAME;
        let end = (start + FRAME).min(self.lags.len());
        let lags = &mut self.lags[start..end];
        for (slot, value) in lags.iter_mut().zip(&both) {
            *slot = value.abs();
        }
        let peak = largest(lags);
        let strongest = lags.iter().position(|lag| *lag >= peak).unwrap_or(0);
        self.parts[self.next] = Part {
            strongest: start + strongest,
            peak,
            squares: square_sum(lags),
        };
        self.next = (self.next + 1) % self.parts.len();
        self.stale -= 1;
    }

    /// Share of the newest frame in what is remembered.
    fn weight(&self) -> f32 {
        1.0 / (self.frames as f32).clamp(1.0, MEMORY)
    }
}

fn followed(mean: f32, value: f32, weight: f32) -> f32 {
    let next = mean + weight * (value - mean);
    if next > 1e-20 { next } else { 0.0 }
}

/// No subnormals, and nothing that an absurd input could leave behind for good.
fn settled(value: f32) -> f32 {
    if value.abs() > 1e-12 { value } else { 0.0 }
}

/// High frequencies raised, as speech has little there.
fn emphasise(samples: &[f32; BLOCK], last: &mut f32, out: &mut [f32]) {
    let clean = samples.map(|x| finite(x).clamp(-4.0, 4.0));
    let before = std::iter::once(&*last).chain(&clean);
    for ((slot, x), before) in out.iter_mut().zip(&clean).zip(before) {
        *slot = x - 0.9 * before;
    }
    *last = clean[BLOCK - 1];
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
