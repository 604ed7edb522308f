//! The far end as the filters need it: late by the bulk delay, emphasised, in spectra.

use super::spectra::{Spectra, View};
use super::{EMPHASIS, MOST_WINDOW, Shape};
use crate::lanes::energy;

/// Energy of two blocks below which they count as silence, -140 dBFS: no sample of 16 bits is that small.
const SILENT: f32 = 1e-12;

/// The last spectra of the far end.
#[derive(Debug, Clone)]
pub(super) struct FarEnd {
    shape: Shape,
    /// One spectrum after the other, the newest at `newest`.
    spectra: Spectra,
    newest: usize,
    /// Spectra of silence in a row, up to the newest.
    silent: usize,
    /// Emphasised samples of the longest delay and the filter, a ring of whole blocks.
    history: Vec<f32>,
    next: usize,
    longest: usize,
    delay: usize,
    emphasis: f32,
}

impl FarEnd {
    /// `longest` is the longest bulk delay, samples.
    pub(super) fn new(shape: Shape, longest: usize) -> FarEnd {
        let blocks = longest.div_ceil(shape.block) + shape.partitions + 1;
        FarEnd {
            shape,
            spectra: Spectra::new(shape, shape.partitions),
            newest: 0,
            silent: shape.partitions,
            history: vec![0.0; blocks * shape.block],
            next: 0,
            longest,
            delay: 0,
            emphasis: 0.0,
        }
    }

    /// Takes the next block, which is whole and clean. `window` is room for two blocks.
    pub(super) fn push(&mut self, block: &[f32], window: &mut [f32]) {
        let slots = &mut self.history[self.next..self.next + self.shape.block];
        emphasise(block, &mut self.emphasis, slots);
        self.next = (self.next + self.shape.block) % self.history.len();
        self.newest = self
            .newest
            .checked_sub(1)
            .unwrap_or(self.shape.partitions - 1);
        let silent = self.transform(0, window);
        self.silent = if silent { self.silent + 1 } else { 0 }.min(self.shape.partitions);
    }

    /// Brings the spectrum of one partition up to date with the history; true if it is silence.
    fn transform(&mut self, partition: usize, window: &mut [f32]) -> bool {
        let back = self.delay + partition * self.shape.block + self.shape.window;
        let length = self.history.len();
        let start = (self.next + length - back.min(length)) % length;
        let first = (length - start).min(window.len());
        let (left, right) = window.split_at_mut(first);
        left.copy_from_slice(&self.history[start..start + first]);
        right.copy_from_slice(&self.history[..right.len()]);
        let at = self.at(partition);
        let silent = energy(window) < SILENT;
        if silent {
            let (re, im) = self.spectra.view_mut(at);
            re.fill(0.0);
            im.fill(0.0);
        } else {
            self.spectra.transform(at, window);
        }
        silent
    }

    fn at(&self, partition: usize) -> usize {
        let at = self.newest + partition;
        if at < self.shape.partitions {
            at
        } else {
            at - self.shape.partitions
        }
    }

    /// Samples that the far end is held back.
    pub(super) fn delay(&self) -> usize {
        self.delay
    }

    /// Holds the far end back by this many samples from now on, and as if it always had been.
    pub(super) fn set_delay(&mut self, delay: usize) {
        let mut window = [0.0; MOST_WINDOW];
        let window = &mut window[..self.shape.window];
        self.delay = delay.min(self.longest);
        self.silent = 0;
        for partition in (0..self.shape.partitions).rev() {
            let silent = self.transform(partition, window);
            self.silent = if silent { self.silent + 1 } else { 0 };
        }
    }

    /// Whether a filter meets nothing but silence, so that there is no echo.
    pub(super) fn is_silent(&self) -> bool {
        self.silent >= self.shape.partitions
    }

    /// The spectrum that partition `partition` of a filter meets.
    pub(super) fn spectrum(&self, partition: usize) -> View<'_> {
        self.spectra.view(self.at(partition))
    }
}

/// Raises high frequencies of a block; `last` is the sample before it.
pub(super) fn emphasise(block: &[f32], last: &mut f32, out: &mut [f32]) {
    let Some((slot, rest)) = out.split_first_mut() else {
        return;
    };
    let [first, .., end] = block else { return };
    *slot = first - EMPHASIS * *last;
    for (slot, pair) in rest.iter_mut().zip(block.windows(2)) {
        *slot = pair[1] - EMPHASIS * pair[0];
    }
    *last = *end;
}
