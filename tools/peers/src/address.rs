//! Loopback addresses that no other test uses at the same time.
//!
//! The whole of 127.0.0.0/8 is this machine. Tests run in parallel processes, so an address is taken by
//! binding a socket on it that nobody else needs and holding that socket.

use crate::{Failure, holders};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// The port whose socket says "taken"; no peer in the tests uses it, and the system chooses it for nobody.
const CLAIM_PORT: u16 = 19_999;
/// The address on which sockets say that ports of 127.0.0.1 are taken.
const CLAIM_IP: Ipv4Addr = Ipv4Addr::new(127, 70, 255, 254);
/// How far below a port the socket lies that says "taken": a peer that opens the port on every address at once
/// must not collide with that.
const CLAIM_BELOW: u16 = 10_000;
/// Ports are handed out from here on: above the sound of Asterisk (20000 to 20199) and of the bench of whole
/// calls (20000 to 21999), below that of the gateways (from 30000). A peer that opens its sound on every
/// address at once, as baresip does, collides with a port that anybody has on any of them.
const FIRST_PORT: u16 = 22_000;
/// So often a peer that finds its ports in use is started on others.
const TRIES: usize = 4;
/// So many tens of ports there are.
const TENS: u32 = 790;
/// Addresses are handed out from 127.71.0.0/16.
const BLOCK: u32 = 0x7F47_0000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback address of one's own until it is dropped.
#[derive(Debug)]
pub struct Address {
    ip: Ipv4Addr,
    _claim: UdpSocket,
}

impl Address {
    /// Takes an address nobody has.
    ///
    /// # Errors
    /// When a thousand addresses in a row are taken.
    pub fn take() -> Result<Self, Failure> {
        for _ in 0..1000 {
            let count = NEXT.fetch_add(1, Ordering::Relaxed);
            // Processes start at points far from each other, so they seldom meet.
            let start = std::process::id().wrapping_mul(0x9E37_79B1) >> 16;
            let host = start.wrapping_add(count) & 0xFFFF;
            // The .0 and .255 of each /24 look odd in logs and to some peers.
            if matches!(host & 0xFF, 0 | 0xFF) {
                continue;
            }
            let ip = Ipv4Addr::from(BLOCK | host);
            if let Ok(claim) = UdpSocket::bind((ip, CLAIM_PORT)) {
                return Ok(Self { ip, _claim: claim });
            }
        }
        Err(Failure::new("no free loopback address in 127.71.0.0/16"))
    }

    /// The address.
    pub fn ip(&self) -> Ipv4Addr {
        self.ip
    }
}

/// Ten ports in a row on 127.0.0.1, for peers that can live nowhere else, until it is dropped.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    _claim: UdpSocket,
}

impl Ports {
    /// Takes ports nobody has.
    ///
    /// # Errors
    /// When there are none.
    pub fn take() -> Result<Self, Failure> {
        let start = std::process::id().wrapping_mul(0x9E37_79B1) >> 16;
        for step in 0..TENS {
            // 7 and 790 have no common factor: every ten is tried once.
            let first = FIRST_PORT + ((start.wrapping_add(step * 7) % TENS) * 10) as u16;
            let claim = UdpSocket::bind((CLAIM_IP, first - CLAIM_BELOW));
            if let Ok(claim) = claim
                && (first..first + 10).all(free_on_every_address)
            {
                return Ok(Self {
                    first,
                    _claim: claim,
                });
            }
        }
        Err(Failure::new("no ten free ports on 127.0.0.1"))
    }

    /// Starts a peer on ports nobody has, and once more on others when it finds them in use after all: somebody may take
    /// one between the look and the start.
    ///
    /// # Errors
    /// When there are no ports, when `start` fails for another reason, or when it was tried often enough.
    pub fn start_on<T>(
        mut start: impl FnMut(&Self) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        // Kept, so that the same ones are not handed out again.
        let mut in_use = Vec::new();
        loop {
            let ports = Self::take()?;
            match start(&ports) {
                Ok(started) => return Ok((ports, started)),
                Err(failure) if in_use.len() < TRIES && says_in_use(&failure.to_string()) => {
                    let holders = holders::of_ports(ports.first..ports.first + 10);
                    eprintln!(
                        "{failure}
trying other ports; these have: {holders}"
                    );
                    in_use.push(ports);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The first of the ten.
    pub fn first(&self) -> u16 {
        self.first
    }
}

/// Whether a program says that it did not get an address or port.
#[must_use]
pub fn says_in_use(words: &str) -> bool {
    let words = words.to_lowercase();
    ["already in use", "eaddrinuse"]
        .iter()
        .any(|sign| words.contains(sign))
}

fn free_on_every_address(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ip.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ports_are_free_on_every_address_and_differ_while_held() {
        let held: Vec<_> = (0..40).map(|_| Ports::take().unwrap()).collect();
        let different: HashSet<_> = held.iter().map(Ports::first).collect();
        assert_eq!(different.len(), held.len());
        assert!(
            held.iter()
                .all(|ports| (22_000..=29_890).contains(&ports.first()))
        );
    }

    #[test]
    fn a_port_somebody_has_on_another_address_is_not_handed_out() {
        let elsewhere = Address::take().unwrap();
        let ports = Ports::take().unwrap();
        let first = ports.first();
        let _other = UdpSocket::bind((elsewhere.ip(), first + 4)).unwrap();
        drop(ports);
        // A process begins its search at the same ports every time.
        assert_ne!(Ports::take().unwrap().first(), first);
    }

    #[test]
    fn a_peer_that_finds_its_ports_in_use_is_started_on_others() {
        let mut tried = Vec::new();
        let (ports, ()) = Ports::start_on(|ports| {
            tried.push(ports.first());
            match tried.len() {
                1 | 2 => Err(Failure::new("bind: Address already in use")),
                _ => Ok(()),
            }
        })
        .unwrap();
        assert_eq!(tried.len(), 3);
        assert_eq!(tried.last(), Some(&ports.first()));
        tried.sort_unstable();
        tried.dedup();
        assert_eq!(tried.len(), 3, "the same ports again: {tried:?}");
        let other = Ports::start_on(|_| -> Result<(), Failure> { Err(Failure::new("no file")) });
        assert_eq!(other.unwrap_err().to_string(), "no file");
        let never = |_: &Ports| -> Result<(), Failure> { Err(Failure::new("EADDRINUSE")) };
        assert!(Ports::start_on(never).is_err());
    }

    #[test]
    fn addresses_differ_while_held() {
        let held: Vec<_> = (0..600).map(|_| Address::take().unwrap()).collect();
        let different: HashSet<_> = held.iter().map(Address::ip).collect();
        assert_eq!(different.len(), held.len());
        assert!(different.iter().all(|ip| ip.is_loopback()));
    }
}
