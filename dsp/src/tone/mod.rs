//! Making and finding tones.

mod detector;
mod generator;
mod goertzel;

pub use detector::{ToneDetector, ToneEvent, ToneSpec};
pub use generator::{Cadence, ToneGenerator};
pub use goertzel::GoertzelBank;
