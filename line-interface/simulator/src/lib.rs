//! The electrical circuit of a line and the panel that drives it, solved sample by sample.
//!
//! A [`Simulation`] is one apartment pair: the panel with its source, ring driver, hybrid and lock,
//! the cable, the old handset, and the gateway's line card. The panel decides from the voltage on
//! its own wires only; its [`PanelEvent`]s are the verdicts that a test may believe.

mod acoustics;
mod circuit;
pub mod figures;
mod handset;
pub mod matrix;
mod model;
pub mod network;
mod panel;
mod pulse;
mod script;
mod setup;
mod simulation;
mod sound;

pub use handset::OldHandset;
pub use model::LineModel;
pub use panel::{DropCause, PanelError, PanelEvent, PanelSpec, PanelState, Stamped};
pub use pulse::{PulseSetup, PulseSignals, PulseSimulation};
pub use script::{Action, Anchor, Script, ScriptError, Step, parse_fault};
pub use setup::{Fault, Setup, SetupError};
pub use simulation::Simulation;
pub use sound::{SoundError, read_wav};
