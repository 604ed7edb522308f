//! The audio ports: all RTP and RTCP sockets, read and written by the core's own thread.
//!
//! A call brings fifty packets a second and more, and nobody hears them before the next block of its line. So the thread is not
//! woken for each of them: the sockets stand in an epoll of their own, which is asked at each block, and besides
//!
//! - while little comes, when something comes: the runtime waits for that epoll as for a socket;
//! - while much comes, when nothing was read for [`PAUSE`], however much comes meanwhile.
//!
//! Each readable socket gives one datagram a pass, so that nobody who floods one of them keeps the others waiting.

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// Largest datagram that is read; a larger one is cut and then refused by its reader.
const LIMIT: usize = 2_048;
/// Sockets looked at in one pass.
const PASS: usize = 128;
/// Datagrams read before everything else has its turn.
const TURN: usize = 256;
/// So many datagrams in a [`WINDOW`] are much: the next are fetched after a pause. A dozen calls do not bring as many.
const MUCH: usize = 8;
const WINDOW: Duration = Duration::from_millis(10);
/// The pause; the runtime's timers make it up to a millisecond longer. A key press waits for it, sound does not: it is fetched at each
/// block.
const PAUSE: Duration = Duration::from_millis(2);

/// Where a datagram came in, and from whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) slot: usize,
    pub(crate) rtcp: bool,
    pub(crate) source: SocketAddr,
}

/// The epoll of the audio sockets, for the runtime to wait for.
#[derive(Debug, Clone)]
struct Ready(Arc<Epoll>);

impl AsRawFd for Ready {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

/// What makes the thread look at the sockets, besides the blocks.
#[derive(Debug)]
enum Wake {
    /// The next datagram.
    Datagram(AsyncFd<Ready>),
    /// The clock.
    Clock(Instant),
}

/// How much comes.
#[derive(Debug)]
struct Traffic {
    began: Instant,
    count: usize,
    /// Of the window before.
    before: usize,
}

impl Traffic {
    fn note(&mut self, now: Instant, datagrams: usize) {
        let age = now.saturating_duration_since(self.began);
        if age >= WINDOW {
            self.before = if age < 2 * WINDOW { self.count } else { 0 };
            self.count = 0;
            self.began = now;
        }
        self.count += datagrams;
    }

    fn is_much(&self) -> bool {
        self.count.max(self.before) >= MUCH
    }
}

/// All audio sockets.
pub(crate) struct AudioPorts {
    /// Slot by slot, in it one pair of RTP and RTCP of each family.
    sockets: Vec<UdpSocket>,
    /// Of the pairs of a slot, which are IPv6.
    families: Vec<bool>,
    ready: Ready,
    wake: Wake,
    traffic: Traffic,
    events: Vec<EpollEvent>,
    buffer: Box<[u8; LIMIT]>,
}

impl fmt::Debug for AudioPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was heard last stays out of it.
        let mut debug = f.debug_struct("AudioPorts");
        debug.field("sockets", &self.sockets.len());
        debug.field("wake", &self.wake).finish_non_exhaustive()
    }
}

impl AudioPorts {
    /// Watches these sockets, none of which may ever wait: slot by slot, in it RTP and RTCP of each family, of which `families`
    /// tells the IPv6 ones.
    ///
    /// # Errors
    /// The kernel's, when it has no more of what this needs.
    pub(crate) fn new(sockets: Vec<UdpSocket>, families: &[bool]) -> io::Result<AudioPorts> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (data, socket) in (0..).zip(&sockets) {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, data))?;
        }
        let ready = Ready(Arc::new(epoll));
        Ok(AudioPorts {
            sockets,
            families: families.to_vec(),
            wake: Wake::Datagram(wait_for(&ready)?),
            ready,
            traffic: Traffic {
                began: Instant::now(),
                count: 0,
                before: 0,
            },
            events: vec![EpollEvent::empty(); PASS],
            buffer: Box::new([0; LIMIT]),
        })
    }

    /// Waits until [`AudioPorts::read`] is worth a call.
    pub(crate) async fn wait(&self) {
        match &self.wake {
            Wake::Datagram(ready) => match ready.readable().await {
                // Before the sockets are read, so that nothing that comes meanwhile is missed.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Wake::Clock(at) => tokio::time::sleep_until(*at).await,
        }
    }

    /// Hands over what has come, socket by socket; what is left after [`TURN`] datagrams is for the next turn.
    pub(crate) fn read(&mut self, mut take: impl FnMut(Arrival, &[u8])) {
        let mut count = 0;
        let emptied = loop {
            let found = self.ready.0.wait(&mut self.events, EpollTimeout::ZERO);
            let found = found.unwrap_or(0);
            for event in self.events.iter().take(found) {
                let at = event.data() as usize;
                let Some(socket) = self.sockets.get(at) else {
                    continue;
                };
                // An error is that of an earlier datagram that somebody refused: with the call it is gone.
                if let Ok((length, source)) = socket.recv_from(&mut self.buffer[..]) {
                    let arrival = Arrival {
                        slot: at / (2 * self.families.len()),
                        rtcp: at % 2 == 1,
                        source,
                    };
                    take(arrival, self.buffer.get(..length).unwrap_or_default());
                }
            }
            count += found;
            if found == 0 {
                break true;
            }
            if count >= TURN {
                break false;
            }
        };
        self.sleep(count, emptied);
    }

    /// Sends at once; a datagram that the kernel cannot take is lost, as UDP may.
    pub(crate) fn send(&self, slot: usize, rtcp: bool, destination: SocketAddr, payload: &[u8]) {
        let mut families = self.families.iter();
        let Some(family) = families.position(|ipv6| *ipv6 == destination.is_ipv6()) else {
            return;
        };
        let at = 2 * (slot * self.families.len() + family) + usize::from(rtcp);
        if let Some(socket) = self.sockets.get(at) {
            let _ = socket.send_to(payload, destination);
        }
    }

    /// Chooses what wakes the thread next.
    fn sleep(&mut self, count: usize, emptied: bool) {
        let now = Instant::now();
        self.traffic.note(now, count);
        match &self.wake {
            _ if !emptied => self.wake = Wake::Clock(now),
            _ if self.traffic.is_much() => self.wake = Wake::Clock(now + PAUSE),
            Wake::Clock(at) if *at > now => {}
            Wake::Datagram(_) => {}
            Wake::Clock(_) => {
                self.wake = match wait_for(&self.ready) {
                    Ok(ready) => Wake::Datagram(ready),
                    Err(_) => Wake::Clock(now + PAUSE),
                }
            }
        }
    }
}

#[allow(
    deprecated,
    reason = "what replaces it is `unsafe`: the descriptor has to stay open and the same, as that of `Ready` does"
)]
fn wait_for(ready: &Ready) -> io::Result<AsyncFd<Ready>> {
    AsyncFd::with_interest(ready.clone(), Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many slots on one family.
    fn ports(slots: usize) -> (AudioPorts, Vec<SocketAddr>) {
        let socket = |_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let sockets: Vec<UdpSocket> = (0..2 * slots).map(socket).collect();
        let addresses = sockets.iter().map(|socket| socket.local_addr().unwrap());
        let addresses = addresses.collect();
        (AudioPorts::new(sockets, &[false]).unwrap(), addresses)
    }

    async fn looked(audio: &AudioPorts) {
        tokio::time::timeout(Duration::from_secs(60), audio.wait())
            .await
            .expect("nothing woke us");
    }

    #[tokio::test]
    async fn whatever_comes_is_heard_once_in_order_and_from_where_it_came() {
        let (mut audio, addresses) = ports(3);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let source = peer.local_addr().unwrap();
        let mut heard: Vec<Vec<u8>> = vec![Vec::new(); addresses.len()];
        // Now a trickle, then a torrent, then a trickle again: the reader changes its way with it.
        let mut sent: u8 = 0;
        for burst in [1, 1, 40, 40, 40, 1, 1, 3, 1] {
            for _ in 0..burst {
                for to in &addresses {
                    peer.send_to(&[sent], to).unwrap();
                }
                sent = sent.wrapping_add(1);
            }
            let wanted = usize::from(sent) * addresses.len();
            while heard.iter().map(Vec::len).sum::<usize>() < wanted {
                looked(&audio).await;
                audio.read(|arrival, payload| {
                    assert_eq!(arrival.source, source);
                    heard[2 * arrival.slot + usize::from(arrival.rtcp)].extend(payload);
                });
            }
            if burst == 1 {
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        let all: Vec<u8> = (0..sent).collect();
        assert!(heard.iter().all(|heard| *heard == all));
    }

    #[tokio::test]
    async fn a_flooded_socket_keeps_no_other_waiting() {
        let (mut audio, addresses) = ports(1);
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..200 {
            peer.send_to(&[0; 12], addresses[0]).unwrap();
        }
        peer.send_to(&[1; 12], addresses[1]).unwrap();
        let mut before = 0;
        let mut heard = false;
        while !heard {
            looked(&audio).await;
            audio.read(|arrival, _| {
                heard |= arrival.rtcp;
                before += usize::from(!heard);
            });
        }
        assert!(before <= 1, "{before} datagrams of the flood came first");
    }

    #[tokio::test]
    async fn a_torrent_is_fetched_in_turns_and_a_trickle_at_once() {
        let (mut audio, addresses) = ports(1);
        assert!(matches!(audio.wake, Wake::Datagram(_)));
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..MUCH {
            peer.send_to(&[0; 12], addresses[0]).unwrap();
        }
        looked(&audio).await;
        audio.read(|_, _| {});
        assert!(matches!(audio.wake, Wake::Clock(_)));
        tokio::time::sleep(3 * WINDOW).await;
        looked(&audio).await;
        audio.read(|_, _| {});
        assert!(matches!(audio.wake, Wake::Datagram(_)));
    }

    #[tokio::test]
    async fn a_packet_leaves_by_the_port_of_its_slot_and_family() {
        let socket = |address: &str| {
            let socket = UdpSocket::bind(address).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let listen = ["127.0.0.1:0", "127.0.0.1:0", "[::1]:0", "[::1]:0"];
        let sockets: Vec<UdpSocket> = [listen, listen].concat().into_iter().map(socket).collect();
        let addresses: Vec<SocketAddr> = sockets.iter().map(|s| s.local_addr().unwrap()).collect();
        let audio = AudioPorts::new(sockets, &[false, true]).unwrap();
        for (ipv6, peer) in [(false, "127.0.0.1:0"), (true, "[::1]:0")] {
            let peer = UdpSocket::bind(peer).unwrap();
            let destination = peer.local_addr().unwrap();
            for slot in 0..2 {
                for rtcp in [false, true] {
                    audio.send(slot, rtcp, destination, &[1]);
                    let (_, from) = peer.recv_from(&mut [0; 8]).unwrap();
                    let at = 4 * slot + 2 * usize::from(ipv6) + usize::from(rtcp);
                    assert_eq!(from, addresses[at]);
                }
            }
        }
    }
}
