//! A box at the switch: taps read the apartment, a crosspoint puts our circuit on its pair.

mod crosspoint;
mod levels;
mod reader;
mod taps;

pub use crosspoint::{BREAK_MS, Crosspoint};
pub use reader::{Address, Doubt, MatrixEvent, MatrixReader};
pub use taps::{Bus, ModuleTaps, SCAN_SAMPLES, SCANS_PER_BLOCK, TapBlock, TapLayout};
