//! A partitioned filter in the frequency domain.

use realfft::num_complex::Complex32;

use super::Shape;
use super::far::FarEnd;
use crate::spectrum::Fft;

/// The weights of a filter.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    shape: Shape,
    weights: Vec<Complex32>,
    /// The last spectrum of the echo.
    sum: Vec<Complex32>,
    time: Vec<f32>,
}

impl Filter {
    pub(super) fn new(shape: Shape) -> Filter {
        Filter {
            shape,
            weights: vec![Complex32::default(); shape.partitions * shape.bins],
            sum: vec![Complex32::default(); shape.bins],
            time: vec![0.0; shape.window],
        }
    }

    pub(super) fn clear(&mut self) {
        self.weights.fill(Complex32::default());
    }

    pub(super) fn copy_from(&mut self, other: &Filter) {
        self.weights.copy_from_slice(&other.weights);
    }

    pub(super) fn partition(&self, partition: usize) -> &[Complex32] {
        let at = partition * self.shape.bins;
        &self.weights[at..at + self.shape.bins]
    }

    pub(super) fn partition_mut(&mut self, partition: usize) -> &mut [Complex32] {
        let at = partition * self.shape.bins;
        &mut self.weights[at..at + self.shape.bins]
    }

    /// The echo that the filter expects in the newest block.
    pub(super) fn echo(&mut self, far: &FarEnd, fft: &mut Fft, out: &mut [f32]) {
        self.sum.fill(Complex32::default());
        for partition in 0..self.shape.partitions {
            let at = partition * self.shape.bins;
            let weights = &self.weights[at..at + self.shape.bins];
            for ((slot, w), x) in self
                .sum
                .iter_mut()
                .zip(weights)
                .zip(far.spectrum(partition))
            {
                slot.re += w.re * x.re - w.im * x.im;
                slot.im += w.re * x.im + w.im * x.re;
            }
        }
        fft.inverse(&self.sum, &mut self.time);
        // The first half is circular; the second is the block.
        out.copy_from_slice(&self.time[self.shape.block..]);
    }

    /// Spectrum of the last [`Filter::echo`], over two blocks.
    pub(super) fn echo_spectrum(&self) -> &[Complex32] {
        &self.sum
    }

    /// Keeps a partition as long as a block: what circular convolution has put beyond is taken out.
    pub(super) fn constrain(&mut self, partition: usize, fft: &mut Fft) {
        let at = partition * self.shape.bins;
        let weights = &mut self.weights[at..at + self.shape.bins];
        fft.inverse(weights, &mut self.time);
        self.time[self.shape.block..].fill(0.0);
        fft.forward(&self.time, weights);
    }

    /// The taps of the filter.
    pub(super) fn taps(&mut self, fft: &mut Fft, out: &mut [f32]) {
        for (partition, taps) in out.chunks_exact_mut(self.shape.block).enumerate() {
            let at = partition * self.shape.bins;
            fft.inverse(&self.weights[at..at + self.shape.bins], &mut self.time);
            taps.copy_from_slice(&self.time[..self.shape.block]);
        }
    }

    /// Replaces the taps; what is missing is zero.
    pub(super) fn set_taps(&mut self, fft: &mut Fft, taps: &[f32]) {
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
            let at = partition * self.shape.bins;
            fft.forward(&self.time, &mut self.weights[at..at + self.shape.bins]);
        }
    }
}
