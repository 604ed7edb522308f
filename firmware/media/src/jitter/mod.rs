//! The adaptive jitter buffer.

mod buffer;
mod slack;

pub(crate) use buffer::JitterBuffer;
