//! One end of a transport: what carries messages, and the address at the other end.

use crate::Transport;
use std::net::{IpAddr, SocketAddr};

/// A transport and the address at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

impl Hop {
    pub(crate) fn new(transport: Transport, address: SocketAddr) -> Self {
        Self { transport, address }
    }

    pub(crate) fn udp(address: SocketAddr) -> Self {
        Self::new(Transport::Udp, address)
    }

    pub(crate) fn ip(self) -> IpAddr {
        self.address.ip()
    }

    /// True if what came from here may be from `expected`. The port of a stream says nothing,
    /// since whoever connects takes a random one, but its address cannot be forged; a datagram's
    /// can, so there the port has to be right as well. What is expected over TLS comes over TLS.
    pub(crate) fn may_be(self, expected: Self) -> bool {
        if expected.transport == Transport::Tls && self.transport != Transport::Tls {
            return false;
        }
        if self.transport.is_reliable() {
            self.ip() == expected.ip()
        } else {
            self.address == expected.address
        }
    }
}
