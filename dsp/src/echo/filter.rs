//! A partitioned filter in the frequency domain.

use super::Shape;
use super::far::FarEnd;
use super::spectra::{Spectra, View};

/// The weights of a filter.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    shape: Shape,
    weights: Spectra,
    /// The last spectrum of the echo.
    sum: Spectra,
    time: Vec<f32>,
}

impl Filter {
    pub(super) fn new(shape: Shape) -> Filter {
        Filter {
            shape,
            weights: Spectra::new(shape, shape.partitions),
            sum: Spectra::new(shape, 1),
            time: vec![0.0; shape.window],
        }
    }

    pub(super) fn clear(&mut self) {
        self.weights.clear();
    }

    pub(super) fn copy_from(&mut self, other: &Filter) {
        self.weights.copy_from(&other.weights);
    }

    pub(super) fn partition(&self, partition: usize) -> View<'_> {
        self.weights.view(partition)
    }

    pub(super) fn partition_mut(&mut self, partition: usize) -> (&mut [f32], &mut [f32]) {
        self.weights.view_mut(partition)
    }

    /// The echo that the filter expects in the newest block.
    pub(super) fn echo(&mut self, far: &FarEnd, out: &mut [f32]) {
        self.sum.clear();
        for partition in 0..self.shape.partitions {
            let (weights, far) = (self.weights.view(partition), far.spectrum(partition));
            let (sum_re, sum_im) = self.sum.view_mut(0);
            for (((((sum_re, sum_im), w_re), w_im), x_re), x_im) in sum_re
                .iter_mut()
                .zip(sum_im)
                .zip(weights.re)
                .zip(weights.im)
                .zip(far.re)
                .zip(far.im)
            {
                *sum_re += w_re * x_re - w_im * x_im;
                *sum_im += w_re * x_im + w_im * x_re;
            }
        }
        self.sum.signal(0, &mut self.time);
        // The first half is circular; the second is the block.
        out.copy_from_slice(&self.time[self.shape.block..]);
    }

    /// Spectrum of the last [`Filter::echo`], over two blocks.
    pub(super) fn echo_spectrum(&self) -> View<'_> {
        self.sum.view(0)
    }

    /// Adds to one partition what the error says about it: `step` in each bin times `share`.
    pub(super) fn step(
        &mut self,
        partition: usize,
        far: View<'_>,
        error: View<'_>,
        steps: &[f32],
        share: f32,
    ) {
        let (re, im) = self.weights.view_mut(partition);
        for ((((((w_re, w_im), x_re), x_im), e_re), e_im), step) in re
            .iter_mut()
            .zip(im)
            .zip(far.re)
            .zip(far.im)
            .zip(error.re)
            .zip(error.im)
            .zip(steps)
        {
            let step = step * share;
            *w_re += step * (x_re * e_re + x_im * e_im);
            *w_im += step * (x_re * e_im - x_im * e_re);
        }
    }

    /// Keeps a partition as long as a block: what circular convolution has put beyond is taken out.
    pub(super) fn constrain(&mut self, partition: usize) {
        self.weights.signal(partition, &mut self.time);
        self.time[self.shape.block..].fill(0.0);
        self.weights.transform(partition, &self.time);
    }

    /// The taps of the filter.
    pub(super) fn taps(&mut self, out: &mut [f32]) {
        for (partition, taps) in out.chunks_exact_mut(self.shape.block).enumerate() {
            self.weights.signal(partition, &mut self.time);
            taps.copy_from_slice(&self.time[..self.shape.block]);
        }
    }

    /// Replaces the taps; what is missing is zero.
    pub(super) fn set_taps(&mut self, taps: &[f32]) {
        for partition in 0..self.shape.partitions {
            self.time.fill(0.0);
            let from = partition * self.shape.block;
            for (slot, tap) in self
                .time
                .iter_mut()
                .zip(taps.iter().skip(from).take(self.shape.block))
            {
                *slot = *tap;
            }
            self.weights.transform(partition, &self.time);
        }
    }
}
