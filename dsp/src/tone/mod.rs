//! Making and finding tones.

mod generator;
mod goertzel;

pub use generator::{Cadence, ToneGenerator};
pub use goertzel::GoertzelBank;
