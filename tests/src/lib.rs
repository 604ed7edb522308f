//! What the end-to-end tests are made of: real peers as child processes, each on addresses of
//! its own, and plain means to look at what they did.
//!
//! A test is a function that returns [`Outcome`]. It starts an [`asterisk::Asterisk`], a
//! [`gateway::Gateway`] (the line simulator and the daemon), and then looks only at what the outside
//! sees: the simulator's verdicts, the daemon's journal and status, the PBX's own channels and
//! recordings. Nothing here links the product's crates: the tests know the product as a user does.
//!
//! Everything started here is ended when its owner is dropped, by process id. The logs of every
//! process are printed then, so the test runner shows them when a test fails.

pub mod baresip;
pub mod certificates;
pub mod dns;
pub mod flood;
pub mod gateway;
pub mod kamailio;
pub mod linphone;
pub mod pipewire;
pub mod process_cost;
pub mod rtp;
pub mod scripted;
pub mod sipp;
pub mod sound;
pub mod stun;

pub use peers::{Failure, Outcome, address, asterisk, failure, folder, process, speech, wait, wav};
