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
mod spectra;
mod step;
mod suspicion;

pub use canceller::{EchoCanceller, EchoReport, EchoSettings};
pub use path::EchoPath;

use crate::Rate;
use crate::lanes::energy;
use crate::transform::Transform;

/// Samples per block, 10 ms at 8 kHz.
pub const BLOCK: usize = 80;

/// First-order emphasis of high frequencies: it flattens the spectrum of speech, so that all bins learn alike.
const EMPHASIS: f32 = 0.9;
/// Samples of the longest transform, two blocks at 16 kHz.
const MOST_WINDOW: usize = 320;
/// What is added to a mean of powers, so that it never decays to where numbers become subnormal and slow.
const LEAST: f32 = 1e-25;

/// Lengths that follow from the sample rate and the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// Samples of a block.
    block: usize,
    /// Samples of a transform.
    window: usize,
    /// Values of a spectrum.
    bins: usize,
    /// The same, filled up to whole groups of eight: two instructions for four values each.
    stride: usize,
    /// Blocks of the filter.
    partitions: usize,
    transform: Transform,
}

impl Shape {
    /// For echo paths of up to `tail_ms`, 10..=500, rounded up to whole blocks.
    fn new(rate: Rate, tail_ms: u32) -> Shape {
        let block = rate.block();
        Shape {
            block,
            window: 2 * block,
            bins: block + 1,
            stride: (block + 1).next_multiple_of(8),
            partitions: (tail_ms.clamp(10, 500) as usize).div_ceil(10),
            transform: match rate {
                Rate::Hz8000 => Transform::Short,
                Rate::Hz16000 => Transform::Long,
            },
        }
    }
}

/// Ends a decay before it becomes subnormal and slow.
fn settle(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}

/// Writes `from` without `what` to `out`; gives the energy of that.
fn differ(out: &mut [f32], from: &[f32], what: &[f32]) -> f32 {
    for ((slot, from), what) in out.iter_mut().zip(from).zip(what) {
        *slot = from - what;
    }
    energy(out)
}
