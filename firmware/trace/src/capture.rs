//! SIP messages out of a capture.

use std::collections::VecDeque;
use std::io::Read;

use crate::CaptureError;
use crate::fragments::Fragments;
use crate::link::{self, Carried};
use crate::pcap::PcapReader;
use crate::sighting::{Carrier, Sighting, begins_like_sip};
use crate::streams::{Segment, Streams};

/// What a capture held besides messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Frames read.
    pub frames: u64,
    /// Frames whose link type is not known.
    pub unknown_links: u64,
    /// Directions of TCP connections that are encrypted.
    pub encrypted_streams: u64,
}

/// Reads SIP messages out of a capture: Ethernet with and without VLAN tags, Linux cooked, loopback and
/// raw frames; IPv4 and IPv6 with fragments; UDP and TCP on any port.
pub struct Capture<R> {
    reader: PcapReader<R>,
    fragments: Fragments,
    streams: Streams,
    ready: VecDeque<Sighting>,
    leftovers: Leftovers,
}

impl<R> std::fmt::Debug for Capture<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture")
            .field("leftovers", &self.leftovers)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Capture<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When the input cannot be read or is no capture.
    pub fn new(input: R) -> Result<Capture<R>, CaptureError> {
        Ok(Capture {
            reader: PcapReader::new(input)?,
            fragments: Fragments::default(),
            streams: Streams::default(),
            ready: VecDeque::new(),
            leftovers: Leftovers::default(),
        })
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// When the input cannot be read or contradicts itself.
    pub fn next_message(&mut self) -> Result<Option<Sighting>, CaptureError> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            let Some(frame) = self.reader.next_frame()? else {
                return Ok(None);
            };
            self.leftovers.frames += 1;
            let known = matches!(
                frame.link,
                0 | 1 | 12 | 14 | 101 | 108 | 113 | 228 | 229 | 276
            );
            self.leftovers.unknown_links += u64::from(!known);
            let carried = link::ip_of(frame.link, &frame.bytes)
                .and_then(|packet| link::carried(packet, &mut self.fragments));
            match carried {
                Some(Carried::Udp { from, to, payload }) if begins_like_sip(&payload) => {
                    let carrier = Carrier::Udp;
                    let seen = Sighting::new(frame.at, from, to, carrier, &payload);
                    return Ok(Some(seen));
                }
                Some(Carried::Tcp {
                    from,
                    to,
                    sequence,
                    syn,
                    ends,
                    payload,
                }) => {
                    let ready = &mut self.ready;
                    let segment = Segment {
                        from,
                        to,
                        sequence,
                        syn,
                        ends,
                        payload,
                    };
                    self.streams.take(segment, &mut |message| {
                        let carrier = Carrier::Tcp;
                        ready.push_back(Sighting::new(frame.at, from, to, carrier, &message));
                    });
                }
                _ => {}
            }
        }
    }

    /// What the capture held besides messages, so far.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers {
            encrypted_streams: self.streams.encrypted,
            ..self.leftovers
        }
    }
}
