//! Drivers of the reference card's chips over `embedded-hal` 1.0: converter, port expander,
//! watchdog, and the order in which the board's outputs are switched.

mod board;
mod card;
mod crosspoint;
mod error;
mod map;
mod mcp23017;
mod mcp3208;
mod mux;
mod sampler;
mod scan;
mod sequence;
mod watchdog;

pub use board::Board;
pub use card::{MatrixCard, PairCard};
pub use crosspoint::CrosspointBoard;
pub use error::{ChipError, ChipErrorKind};
pub use map::{BoardMap, Contact, Measure, Pins, Switched};
pub use mcp3208::{AdcScale, Conversions, Frame, Mcp3208};
pub use mcp23017::{Mcp23017, Register};
pub use mux::{MuxMap, TapMux};
pub use sampler::{Readings, Sampler, Supplies, TAP_SELECT_MS, TapVisit};
pub use scan::{TapScan, VISITS_PER_BLOCK};
pub use sequence::Sequence;
pub use watchdog::Watchdog;
