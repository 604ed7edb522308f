//! RTP in and out (RFC 3550).

mod packet;
mod sender;
mod source;

pub(crate) use packet::{Packet, build};
pub(crate) use sender::AudioSender;
pub(crate) use source::{Arrival, Source};
