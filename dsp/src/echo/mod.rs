//! Cancelling the echo of the far end.
//!
//! [`EchoCanceller`] is the linear part: it delays nothing and leaves the near end as it is, digits included, so digits are
//! looked for on its output. [`crate::suppressor`] takes away what a linear filter cannot.
//!
//! ```text
//! far -> bulk delay -> spectra --+--> scout: fast, wrong in double talk (step) ----+
//!                                |                                                 | better for long (control)
//! mic ---------------------------+--> filter: slow, heard (kalman) <---------------+
//!                                                  |
//!                                                  +--> worse than nothing (control): all over again
//! ```

mod bend;
mod bulk;
mod canceller;
mod control;
mod far;
mod filter;
mod kalman;
mod path;
mod step;

pub use canceller::{EchoCanceller, EchoReport, EchoSettings};
pub use path::EchoPath;

use crate::Rate;

/// Samples per block, 10 ms at 8 kHz.
pub const BLOCK: usize = 80;

/// Lengths that follow from the sample rate and the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Samples of a block.
    block: usize,
    /// Samples of a transform.
    window: usize,
    /// Values of a spectrum.
    bins: usize,
    /// Blocks of the filter.
    partitions: usize,
}

impl Shape {
    /// For echo paths of up to `tail_ms`, 10..=500, rounded up to whole blocks.
    fn new(rate: Rate, tail_ms: u32) -> Shape {
        let block = rate.block();
        Shape {
            block,
            window: 2 * block,
            bins: block + 1,
            partitions: (tail_ms.clamp(10, 500) as usize).div_ceil(10),
        }
    }
}

/// Ends a decay before it becomes subnormal and slow.
fn settle(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum()
}
