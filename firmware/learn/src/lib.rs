//! Learning a live line with a technician in front of it.
//!
//! A [`Session`] follows the readings of one line through the daemon's control socket, lets the
//! guide of `line_interface::learn` measure them, and says line by line (80 columns) what to do next.
//! At the end a [`Plan`] holds the files that would change, as a diff; nothing is written before
//! [`Plan::write`]. Command line and serial console are both made of this. It loads nothing: the
//! readings are taken by the way while the box goes on with its work.

mod diff;
mod error;
mod plan;
mod session;

pub use diff::diff;
pub use error::LearnError;
pub use plan::{Plan, Target, today};
pub use session::Session;
