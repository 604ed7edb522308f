//! The one table of commands and the words of the control protocol: the CLI, the serial console
//! and the local socket all speak through this crate. See docs/reference/control.md.

mod client;
pub mod figures;
pub mod render;
pub mod reply;
pub mod table;
mod wire;

pub use client::{Client, ClientError};
pub use wire::{Failure, FailureKind, MAX_LINE, Request, Response};
