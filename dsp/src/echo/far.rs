//! The far end as the filters need it: late by the bulk delay, emphasised, in spectra.

use realfft::num_complex::Complex32;

use super::Shape;
use crate::sample::finite;
use crate::spectrum::Fft;

/// First-order emphasis of high frequencies: it flattens the spectrum of speech, so that all bins learn alike.
pub(super) const EMPHASIS: f32 = 0.9;

/// The last spectra of the far end.
#[derive(Debug, Clone)]
pub(super) struct FarEnd {
    shape: Shape,
    /// One spectrum after the other, the newest at `newest`.
    spectra: Vec<Complex32>,
    newest: usize,
    /// Emphasised samples of the longest delay and the filter, a ring.
    history: Vec<f32>,
    next: usize,
    delay: usize,
    emphasis: f32,
    window: Vec<f32>,
}

impl FarEnd {
    /// `longest` is the longest bulk delay, samples.
    pub(super) fn new(shape: Shape, longest: usize) -> FarEnd {
        FarEnd {
            shape,
            spectra: vec![Complex32::default(); shape.partitions * shape.bins],
            newest: 0,
            history: vec![0.0; longest + (shape.partitions + 1) * shape.block],
            next: 0,
            delay: 0,
            emphasis: 0.0,
            window: vec![0.0; shape.window],
        }
    }

    /// Takes the next block; what is missing of it is silence.
    pub(super) fn push(&mut self, far: &[f32], fft: &mut Fft) {
        for i in 0..self.shape.block {
            let x = finite(far.get(i).copied().unwrap_or(0.0)).clamp(-4.0, 4.0);
            self.history[self.next] = x - EMPHASIS * self.emphasis;
            self.emphasis = x;
            self.next = (self.next + 1) % self.history.len();
        }
        self.newest = self
            .newest
            .checked_sub(1)
            .unwrap_or(self.shape.partitions - 1);
        self.transform(0, fft);
    }

    /// Brings the spectrum of one partition up to date with the history.
    fn transform(&mut self, partition: usize, fft: &mut Fft) {
        let back = self.delay + partition * self.shape.block + self.shape.window;
        let length = self.history.len();
        let start = (self.next + length - back.min(length)) % length;
        for (i, slot) in self.window.iter_mut().enumerate() {
            *slot = self.history[(start + i) % length];
        }
        let at = (self.newest + partition) % self.shape.partitions * self.shape.bins;
        fft.forward(&self.window, &mut self.spectra[at..at + self.shape.bins]);
    }

    /// Samples that the far end is held back.
    pub(super) fn delay(&self) -> usize {
        self.delay
    }

    /// Holds the far end back by this many samples from now on, and as if it always had been.
    pub(super) fn set_delay(&mut self, delay: usize, fft: &mut Fft) {
        let most = self.history.len() - (self.shape.partitions + 1) * self.shape.block;
        self.delay = delay.min(most);
        for partition in 0..self.shape.partitions {
            self.transform(partition, fft);
        }
    }

    /// The spectrum that partition `partition` of a filter meets.
    pub(super) fn spectrum(&self, partition: usize) -> &[Complex32] {
        let at = (self.newest + partition) % self.shape.partitions * self.shape.bins;
        &self.spectra[at..at + self.shape.bins]
    }
}
