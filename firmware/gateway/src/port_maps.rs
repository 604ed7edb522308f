//! How a NAT shows the ports that the next calls will use.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use media::PortMap;

use crate::Output;

/// Free slots whose ports are known at any time; so many calls begin at once on a box.
const KEPT: usize = 4;

/// The two sockets of each slot, RTP and RTCP.
#[derive(Debug, Default)]
pub(crate) struct PortMaps {
    slots: Vec<[PortMap; 2]>,
}

/// How a slot's sockets look from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: Option<SocketAddr>,
}

impl PortMaps {
    /// `count` slots asked of `server`.
    pub(crate) fn new(server: Option<SocketAddr>, count: usize, seed: [u8; 32]) -> PortMaps {
        let Some(server) = server else {
            return PortMaps::default();
        };
        let socket = |number: usize| {
            let mut own = seed;
            // Sessions change the first octets, see `new_session`; these are others.
            for (byte, part) in own.iter_mut().rev().zip((number + 1).to_le_bytes()) {
                *byte ^= part;
            }
            own[16] ^= 0x5a;
            PortMap::new(server, own)
        };
        let slot = |slot: usize| [socket(2 * slot), socket(2 * slot + 1)];
        PortMaps {
            slots: (0..count).map(slot).collect(),
        }
    }

    /// Whether there is no server, and never anything to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.slots.is_empty()
    }

    /// The slots that are asked about: the first free ones, which the next calls take.
    fn next_used<'a>(free: &'a [bool]) -> impl Iterator<Item = usize> + 'a {
        let free = free.iter().enumerate().filter(|(_, free)| **free);
        free.map(|(slot, _)| slot).take(KEPT)
    }

    /// Asks what is due.
    pub(crate) fn poll(&mut self, now: Duration, free: &[bool], outputs: &mut VecDeque<Output>) {
        for slot in PortMaps::next_used(free) {
            let Some(maps) = self.slots.get_mut(slot) else {
                continue;
            };
            for (map, rtcp) in maps.iter_mut().zip([false, true]) {
                if let Some(payload) = map.poll_transmit(now) {
                    outputs.push_back(Output::Rtp {
                        slot,
                        rtcp,
                        destination: map.server(),
                        payload,
                    });
                }
            }
        }
    }

    /// When [`PortMaps::poll`] wants to be called.
    pub(crate) fn next_deadline(&self, free: &[bool]) -> Option<Duration> {
        PortMaps::next_used(free)
            .filter_map(|slot| self.slots.get(slot))
            .flatten()
            .map(PortMap::next_deadline)
            .min()
    }

    /// Takes a datagram of a slot's socket; true when it was an answer of the server.
    pub(crate) fn handle(
        &mut self,
        now: Duration,
        (slot, rtcp): (usize, bool),
        source: SocketAddr,
        payload: &[u8],
    ) -> bool {
        let map = self.slots.get_mut(slot);
        map.and_then(|maps| maps.get_mut(usize::from(rtcp)))
            .is_some_and(|map| map.handle(now, source, payload))
    }

    /// How a slot's sockets look from outside.
    pub(crate) fn mapped(&self, now: Duration, slot: usize) -> Option<Mapped> {
        let [rtp, rtcp] = self.slots.get(slot)?;
        Some(Mapped {
            rtp: rtp.mapped(now)?,
            rtcp: rtcp.mapped(now),
        })
    }
}
