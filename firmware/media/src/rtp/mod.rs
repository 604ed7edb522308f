//! Filled by the next commits of this crate.
