//! Real peers as plain processes, each on addresses of its own: a real Asterisk from Debian's
//! packages, speech, recordings. For the end-to-end tests and for `trubka demo --pbx asterisk`.
//!
//! Everything started here is ended when its owner is dropped, by process id. The logs of every
//! process are printed then, so the test runner shows them when a test fails.

pub mod address;
pub mod asterisk;
pub mod failure;
pub mod folder;
pub mod holders;
pub mod process;
pub mod speech;
pub mod wait;
pub mod wav;

pub use failure::{Failure, Outcome};
