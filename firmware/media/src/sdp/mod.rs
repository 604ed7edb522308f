//! Offer and answer for one audio stream (RFC 3264 over RFC 8866).

mod cleaner;
mod local;
mod negotiator;
mod remote;

pub(crate) use negotiator::Negotiator;
