//! An echo path that was learned, to be kept between calls.

use crate::Rate;

/// A filter that a canceller has learned, as its taps: what is stored for an apartment and given to the next call's canceller.
#[derive(Debug, Clone, PartialEq)]
pub struct EchoPath {
    pub(super) rate: Rate,
    /// Samples before the first tap.
    pub(super) delay: usize,
    pub(super) taps: Vec<f32>,
}

impl EchoPath {
    /// A path from its taps, `delay` samples late. Taps that are no numbers count as zero.
    pub fn new(rate: Rate, delay: usize, taps: Vec<f32>) -> EchoPath {
        let mut taps = taps;
        for tap in &mut taps {
            *tap = crate::sample::finite(*tap).clamp(-16.0, 16.0);
        }
        EchoPath { rate, delay, taps }
    }

    /// The sample rate it was learned at.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Samples before the first tap.
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// The impulse response behind the delay.
    pub fn taps(&self) -> &[f32] {
        &self.taps
    }

    /// Echo return loss of the path, dB: what a white signal loses on it.
    pub fn loss_db(&self) -> f32 {
        let gain: f32 = self.taps.iter().map(|t| t * t).sum();
        -10.0 * gain.max(1e-12).log10()
    }
}
