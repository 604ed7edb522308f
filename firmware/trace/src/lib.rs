//! SIP as it went over the network, for people who look for a fault: messages out of captures,
//! captures out of messages, and ladders of 80 columns. Owns no file, socket or clock.
//!
//! [`Capture`] reads what tcpdump, Wireshark or the daemon wrote and gives [`Sighting`]s; the daemon
//! makes them itself while it runs. [`Ladder`] and [`raw`] show them, [`Filter`] chooses among them.
//! A [`Sighting`] never holds a secret: its only constructor takes them out.

mod capture;
mod error;
mod filter;
mod fragments;
mod ladder;
mod link;
mod packet;
mod pcap;
mod sighting;
mod streams;
mod text;

pub use capture::{Capture, Leftovers};
pub use error::{CaptureError, CaptureErrorKind};
pub use filter::Filter;
pub use ladder::Ladder;
pub use packet::udp_packet;
pub use pcap::{Frame, PcapReader, file_header, record};
pub use sighting::{Carrier, Sighting, Summary, What};
pub use text::{WIDTH, raw};
