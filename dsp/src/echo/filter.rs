//! A partitioned filter in the frequency domain.

use super::far::FarEnd;
use super::spectra::{Spectra, View};
use super::{MOST_WINDOW, Shape};

/// The weights of a filter.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    shape: Shape,
    weights: Spectra,
    /// The last spectrum of the echo.
    sum: Spectra,
}

impl Filter {
    pub(super) fn new(shape: Shape) -> Filter {
        Filter {
            shape,
            weights: Spectra::new(shape, shape.partitions),
            sum: Spectra::new(shape, 1),
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

    /// The echo that the filter expects in the newest block. `window` is room for two blocks, here and below.
    pub(super) fn echo(&mut self, far: &FarEnd, window: &mut [f32], out: &mut [f32]) {
        self.sum.clear();
        if far.is_silent() {
            out.fill(0.0);
            return;
        }
        let (sum_re, sum_im) = self.sum.view_mut(0);
        let mut partition = 0;
        while partition < self.shape.partitions {
            // Two at a time, so that the sum goes through half as often. Twice the last one would be once too often.
            let (this, next) = (partition, partition + 1);
            if next < self.shape.partitions {
                let weights = [self.weights.view(this), self.weights.view(next)];
                add_two(
                    sum_re,
                    sum_im,
                    weights,
                    [far.spectrum(this), far.spectrum(next)],
                );
            } else {
                add(sum_re, sum_im, self.weights.view(this), far.spectrum(this));
            }
            partition += 2;
        }
        self.sum.signal(0, window);
        // The first half is circular; the second is the block.
        out.copy_from_slice(&window[self.shape.block..]);
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
        step(re, im, far, error, steps, share);
    }

    /// Keeps a partition as long as a block: what circular convolution has put beyond is taken out.
    pub(super) fn constrain(&mut self, partition: usize, window: &mut [f32]) {
        self.weights.signal(partition, window);
        window[self.shape.block..].fill(0.0);
        self.weights.transform(partition, window);
    }

    /// The partition other than the first whose turn it is; 0 if there is none.
    pub(super) fn turn(&self, turn: usize) -> usize {
        match self.shape.partitions - 1 {
            0 => 0,
            others => turn % others + 1,
        }
    }

    /// Constrains the first partition in every second turn, and the others by turns between.
    pub(super) fn constrain_in_turn(&mut self, turn: usize, window: &mut [f32]) {
        let partition = if turn.is_multiple_of(2) {
            0
        } else {
            self.turn(turn / 2)
        };
        self.constrain(partition, window);
    }

    /// The taps of the filter.
    pub(super) fn taps(&self, out: &mut [f32]) {
        let mut window = [0.0; MOST_WINDOW];
        let window = &mut window[..self.shape.window];
        for (partition, taps) in out.chunks_exact_mut(self.shape.block).enumerate() {
            self.weights.signal(partition, window);
            taps.copy_from_slice(&window[..self.shape.block]);
        }
    }

    /// Replaces the taps; what is missing is zero.
    pub(super) fn set_taps(&mut self, taps: &[f32]) {
        let mut window = [0.0; MOST_WINDOW];
        let window = &mut window[..self.shape.window];
        for partition in 0..self.shape.partitions {
            window.fill(0.0);
            let from = partition * self.shape.block;
            for (slot, tap) in window
                .iter_mut()
                .zip(taps.iter().skip(from).take(self.shape.block))
            {
                *slot = *tap;
            }
            self.weights.transform(partition, window);
        }
    }
}

// The loops below stand alone so that the compiler knows that what is written is not what is read.

#[inline(never)]
fn add(sum_re: &mut [f32], sum_im: &mut [f32], w: View<'_>, x: View<'_>) {
    for (((((sum_re, sum_im), w_re), w_im), x_re), x_im) in sum_re
        .iter_mut()
        .zip(sum_im)
        .zip(w.re)
        .zip(w.im)
        .zip(x.re)
        .zip(x.im)
    {
        *sum_re += w_re * x_re - w_im * x_im;
        *sum_im += w_re * x_im + w_im * x_re;
    }
}

#[inline(never)]
fn add_two(sum_re: &mut [f32], sum_im: &mut [f32], [v, w]: [View<'_>; 2], [x, y]: [View<'_>; 2]) {
    for (((((((((sum_re, sum_im), v_re), v_im), x_re), x_im), w_re), w_im), y_re), y_im) in sum_re
        .iter_mut()
        .zip(sum_im)
        .zip(v.re)
        .zip(v.im)
        .zip(x.re)
        .zip(x.im)
        .zip(w.re)
        .zip(w.im)
        .zip(y.re)
        .zip(y.im)
    {
        *sum_re += (v_re * x_re - v_im * x_im) + (w_re * y_re - w_im * y_im);
        *sum_im += (v_re * x_im + v_im * x_re) + (w_re * y_im + w_im * y_re);
    }
}

#[inline(never)]
fn step(
    w_re: &mut [f32],
    w_im: &mut [f32],
    x: View<'_>,
    error: View<'_>,
    steps: &[f32],
    share: f32,
) {
    for ((((((w_re, w_im), x_re), x_im), e_re), e_im), step) in w_re
        .iter_mut()
        .zip(w_im)
        .zip(x.re)
        .zip(x.im)
        .zip(error.re)
        .zip(error.im)
        .zip(steps)
    {
        let step = step * share;
        *w_re += step * (x_re * e_re + x_im * e_im);
        *w_im += step * (x_re * e_im - x_im * e_re);
    }
}
