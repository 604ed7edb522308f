//! The filter that is heard: a Kalman filter in each bin (Enzner and Vary 2006, partitioned by Kuech et al. 2014).
//!
//! Beside each weight stands how much doubt there is about it. A step is as large as the doubt is against everything else in
//! the microphone, so a filter that has learned for some seconds hardly moves when the near end talks. The path is taken to
//! stand still ([`KEEP`] is nearly 1); when it does not, the scout says so and the doubt is raised.

use realfft::num_complex::Complex32;

use super::far::FarEnd;
use super::filter::Filter;
use super::{Shape, settle};

/// How much of a weight's square is still believed in a block later: the path drifts by -50 dB in a block.
const KEEP: f32 = 0.999_99;
/// Doubt about a weight of which nothing is known.
const UNKNOWN: f32 = 0.3;
/// Weight of the past in the power of what is not echo.
const NEAR_MEMORY: f32 = 0.9;
/// Weight of a block in what is told about the doubt, 100 ms.
const TOLD: f32 = 0.1;

/// Doubt about every weight, and the powers it is weighed against.
#[derive(Debug, Clone)]
pub(super) struct Kalman {
    shape: Shape,
    doubt: Vec<f32>,
    /// Power of what is not echo.
    near: Vec<f32>,
    /// Power of the echo that the doubt leaves in this block.
    left: Vec<f32>,
    scale: Vec<f32>,
    doubtful_echo: Vec<f32>,
    echo: Vec<f32>,
}

impl Kalman {
    pub(super) fn new(shape: Shape) -> Kalman {
        Kalman {
            shape,
            doubt: vec![UNKNOWN; shape.partitions * shape.bins],
            near: vec![0.0; shape.bins],
            left: vec![0.0; shape.bins],
            scale: vec![0.0; shape.bins],
            doubtful_echo: vec![0.0; shape.bins],
            echo: vec![0.0; shape.bins],
        }
    }

    pub(super) fn reset(&mut self) {
        self.reset_to(UNKNOWN);
    }

    /// Forgets what was known of the filter, and doubts each weight that much.
    pub(super) fn reset_to(&mut self, doubt: f32) {
        self.doubt.fill(doubt);
    }

    /// The filter was replaced by one of which this share of the echo's power may be wrong.
    pub(super) fn doubt_at_least(&mut self, filter: &Filter, share: f32) {
        let bins = self.shape.bins;
        for (partition, doubt) in self.doubt.chunks_exact_mut(bins).enumerate() {
            let weights = filter.partition(partition);
            let mean = weights.iter().map(Complex32::norm_sqr).sum::<f32>() / bins as f32;
            for (doubt, weight) in doubt.iter_mut().zip(weights) {
                *doubt = doubt.max(0.5 * share * (mean + weight.norm_sqr()) + 1e-6);
            }
        }
    }

    /// Forgets what was known of the filter, which was replaced by one of which this share may be wrong.
    pub(super) fn restart(&mut self, filter: &Filter, share: f32) {
        self.doubt.fill(0.0);
        self.doubt_at_least(filter, share);
    }

    /// Works out how much of the echo the doubt leaves in this block, for [`Kalman::left`] and [`Kalman::learn`].
    pub(super) fn weigh(&mut self, far: &FarEnd) {
        let bins = self.shape.bins;
        self.left.fill(0.0);
        for (partition, doubt) in self.doubt.chunks_exact(bins).enumerate() {
            for ((slot, doubt), x) in self.left.iter_mut().zip(doubt).zip(far.spectrum(partition)) {
                *slot += doubt * (x.re * x.re + x.im * x.im);
            }
        }
    }

    /// Power of the echo that the doubt leaves in this block, bin by bin.
    pub(super) fn left(&self) -> &[f32] {
        &self.left
    }

    /// One step of the filter, behind [`Kalman::weigh`]. `other` is what the doubt about another filter leaves in the same error.
    pub(super) fn learn(
        &mut self,
        filter: &mut Filter,
        far: &FarEnd,
        error: &[Complex32],
        other: &[f32],
    ) {
        let bins = self.shape.bins;
        for (i, now) in error.iter().map(Complex32::norm_sqr).enumerate().take(bins) {
            self.near[i] = settle(NEAR_MEMORY * self.near[i] + (1.0 - NEAR_MEMORY) * now);
            self.doubtful_echo[i] += TOLD * (self.left[i] - self.doubtful_echo[i]);
            let echo = filter.echo_spectrum()[i].norm_sqr();
            self.echo[i] += TOLD * (echo - self.echo[i]);
            if self.echo[i] < 1e-15 {
                self.echo[i] = 0.0;
            }
            if self.doubtful_echo[i] < 1e-15 {
                self.doubtful_echo[i] = 0.0;
            }
            self.scale[i] = 1.0 / (self.left[i] + other[i] + 2.0 * self.near[i].max(now) + 1e-7);
        }
        let keep = KEEP * KEEP;
        for (partition, doubt) in self.doubt.chunks_exact_mut(bins).enumerate() {
            let weights = filter.partition_mut(partition);
            let spectrum = far.spectrum(partition);
            for (i, (x, e)) in spectrum.iter().zip(error).enumerate() {
                let step = doubt[i] * self.scale[i];
                weights[i].re += step * (x.re * e.re + x.im * e.im);
                weights[i].im += step * (x.re * e.im - x.im * e.re);
                let power = x.re * x.re + x.im * x.im;
                let left = (1.0 - 0.5 * step * power) * doubt[i];
                let w = weights[i].re * weights[i].re + weights[i].im * weights[i].im;
                doubt[i] = (keep * left + (1.0 - keep) * w).max(1e-12);
            }
        }
    }

    /// Share of the echo's power that the doubt leaves, bin by bin.
    pub(super) fn tell(&self, out: &mut [f32]) {
        for ((slot, doubtful), echo) in out.iter_mut().zip(&self.doubtful_echo).zip(&self.echo) {
            *slot = (doubtful / (echo + 1e-9)).min(1.0);
        }
    }
}
