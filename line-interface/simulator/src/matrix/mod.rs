//! A switch with its handsets, one or two panels, and the gateway's taps and crosspoint.

mod buses;
mod fault;
mod simulation;

pub use buses::{BusParts, Buses, Fitted};
pub use fault::BusFault;
pub use simulation::{MatrixSetup, MatrixSimulation};
