//! How fast the filter may learn, bin by bin (Valin, "On adjusting the learning rate in frequency domain echo cancellation
//! with double-talk", 2007).
//!
//! The best step is the share of the error that is residual echo. That share is not known, but the residual echo rises and
//! falls with the echo estimate, while the near end does not: the part of the error's power that follows the power of the
//! echo estimate, the leakage, gives the residual echo in each bin.

use super::{LEAST, Shape};
use crate::lanes::Lanes;

/// Largest step in any bin.
const LARGEST: f32 = 0.5;

/// The estimate of the leakage and what follows from it.
#[derive(Debug, Clone)]
pub(super) struct StepControl {
    error_mean: Vec<f32>,
    echo_mean: Vec<f32>,
    covariance: f32,
    variance: f32,
    /// Share of the echo estimate's power that is still in the error.
    pub(super) leakage: f32,
    /// The filter has learned enough for the leakage to mean something.
    pub(super) adapted: bool,
    learned: f32,
    partitions: f32,
    window: f32,
}

/// Powers of one block.
pub(super) struct Powers<'a> {
    pub(super) error: &'a [f32],
    pub(super) echo: &'a [f32],
    /// Energies of error, echo estimate and far end in the block.
    pub(super) error_energy: f32,
    pub(super) echo_energy: f32,
    pub(super) far_energy: f32,
    /// Correlation of error and echo estimate in the block.
    pub(super) cross: f32,
}

impl StepControl {
    pub(super) fn new(shape: Shape) -> StepControl {
        StepControl {
            error_mean: vec![0.0; shape.stride],
            echo_mean: vec![0.0; shape.stride],
            covariance: 1.0,
            variance: 1.0,
            leakage: 1.0,
            adapted: false,
            learned: 0.0,
            partitions: shape.partitions as f32,
            window: shape.window as f32,
        }
    }

    /// As new, without new memory.
    pub(super) fn reset(&mut self) {
        self.error_mean.fill(0.0);
        self.echo_mean.fill(0.0);
        self.covariance = 1.0;
        self.variance = 1.0;
        self.leakage = 1.0;
        self.adapted = false;
        self.learned = 0.0;
    }

    /// The numerator of the step in each bin; the caller divides by the far end's power.
    pub(super) fn steps(&mut self, powers: &Powers<'_>, out: &mut [f32]) {
        self.update_leakage(powers);
        let error = powers.error_energy + 1e-9;
        if !self.adapted {
            self.first_steps(powers, error, out);
            return;
        }
        // Residual echo to error over all bins; the correlation of the two signals is a lower bound.
        let mut overall = (1e-4 * powers.far_energy + self.leakage * powers.echo_energy) / error;
        let correlated = powers.cross * powers.cross / (1e-9 + error * powers.echo_energy);
        overall = overall.max(correlated).min(LARGEST);
        for ((slot, error), echo) in out.iter_mut().zip(powers.error).zip(powers.echo) {
            let in_bin = self.leakage * echo / (error + 1e-9);
            let in_bin = if in_bin < LARGEST { in_bin } else { LARGEST };
            *slot = 0.7 * in_bin + 0.3 * overall;
        }
    }

    /// Until the echo estimate means something: a step by the level of the far end alone.
    fn first_steps(&mut self, powers: &Powers<'_>, error: f32, out: &mut [f32]) {
        let mut rate = 0.0;
        // Only with the far end above about -57 dBFS.
        if powers.far_energy > 2e-6 * self.window {
            rate = (0.25 * powers.far_energy).min(0.25 * error) / error;
        }
        out.fill(rate);
        self.learned += rate;
        if self.learned > self.partitions {
            self.adapted = true;
        }
    }

    fn update_leakage(&mut self, powers: &Powers<'_>) {
        let (mut covariance, mut variance) = (Lanes::ZERO, Lanes::ZERO);
        // The mean follows over about 0.35 s.
        let weight = 0.01;
        let least = Lanes::splat(LEAST);
        for (((error_mean, echo_mean), error), echo) in self
            .error_mean
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(self.echo_mean.as_chunks_mut().0)
            .zip(powers.error.as_chunks().0)
            .zip(powers.echo.as_chunks().0)
        {
            let error = Lanes(*error) - Lanes(*error_mean);
            let echo = Lanes(*echo) - Lanes(*echo_mean);
            covariance += error * echo;
            variance += echo * echo;
            *error_mean = (Lanes(*error_mean) + error * weight + least).0;
            *echo_mean = (Lanes(*echo_mean) + echo * weight + least).0;
        }
        let covariance = covariance.sum() + 1e-12;
        let variance = variance.sum() + 1e-12;
        let deviation = variance.sqrt();
        let projected = covariance / deviation;
        // The estimate moves only as fast as the echo is strong in the error.
        let share = powers.echo_energy / (powers.error_energy + 1e-9);
        let alpha = (0.02 * share).min(0.005);
        self.variance += alpha * (deviation - self.variance);
        self.covariance += alpha * (projected - self.covariance);
        self.variance = self.variance.max(1e-9);
        self.covariance = self.covariance.clamp(0.005 * self.variance, self.variance);
        self.leakage = self.covariance / self.variance;
    }
}
