//! Cancelling the echo of the far end.
//!
//! [`EchoCanceller`] is the linear part: it delays nothing and leaves the near end as it is, digits included, so digits are
//! looked for on its output. [`crate::suppressor`] takes away what a linear filter cannot.

mod canceller;
mod control;
mod step;

pub use canceller::{EchoCanceller, EchoReport};

/// Samples per block, 10 ms at 8 kHz.
pub const BLOCK: usize = 80;
const WINDOW: usize = 2 * BLOCK;
const BINS: usize = BLOCK + 1;

/// Ends a decay before it becomes subnormal and slow.
fn settle(value: f32) -> f32 {
    if value.abs() < 1e-20 { 0.0 } else { value }
}
