//! Drivers of the reference card's chips over `embedded-hal` 1.0: converter, port expander,
//! watchdog, and the order in which the board's outputs are switched.

mod board;
mod crosspoint;
mod error;
mod map;
mod mcp23017;
mod mcp3208;
mod watchdog;

pub use board::Board;
pub use crosspoint::CrosspointBoard;
pub use error::{ChipError, ChipErrorKind};
pub use map::{BoardMap, Contact, Measure, Pins};
pub use mcp3208::{AdcScale, Mcp3208};
pub use mcp23017::{Mcp23017, Register};
pub use watchdog::Watchdog;
