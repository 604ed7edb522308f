//! The four transaction state machines (RFC 3261 17, RFC 6026), each one a value with deadlines.

mod client;
mod server;

pub(crate) use client::{ClientTimer, ClientTransaction, OnResponse};
pub(crate) use server::{ServerTimer, ServerTransaction};

use std::time::Duration;

/// Round-trip estimate (RFC 3261 17.1.1.1).
pub(crate) const T1: Duration = Duration::from_millis(500);
/// Longest retransmission interval of non-INVITE requests and INVITE responses.
pub(crate) const T2: Duration = Duration::from_secs(4);
/// Longest life of a message in the network.
pub(crate) const T4: Duration = Duration::from_secs(5);
/// 64*T1: timers B, F, H, J, L, M.
pub(crate) const T1X64: Duration = Duration::from_secs(32);
