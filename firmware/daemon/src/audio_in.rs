//! Audio from the network: all RTP and RTCP sockets, read by the core's own thread.
//!
//! A call brings fifty packets a second and more, and nobody hears them before the next block of its line. So the thread is not
//! woken for each of them: the sockets stand in an epoll of their own, which is asked at each block, and besides
//!
//! - while little comes, when something comes: the runtime waits for that epoll as for a socket;
//! - while much comes, after a pause of [`PAUSE`], however much comes meanwhile.
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
/// So many datagrams in a [`WINDOW`] are much: the next are fetched after a pause. A dozen calls do not get there.
const MUCH: usize = 8;
const WINDOW: Duration = Duration::from_millis(10);
/// The pause; the runtime's timers make it up to a millisecond longer. A key press waits for it, sound does not: it is fetched at each
/// block.
const PAUSE: Duration = Duration::from_millis(1);

/// One socket, and whose it is.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) slot: usize,
    pub(crate) rtcp: bool,
    pub(crate) socket: Arc<UdpSocket>,
}

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
pub(crate) struct AudioIn {
    ports: Vec<Port>,
    ready: Ready,
    wake: Wake,
    traffic: Traffic,
    events: Vec<EpollEvent>,
    buffer: Box<[u8; LIMIT]>,
}

impl fmt::Debug for AudioIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was heard last stays out of it.
        let mut debug = f.debug_struct("AudioIn");
        debug.field("ports", &self.ports.len());
        debug.field("wake", &self.wake).finish_non_exhaustive()
    }
}

impl AudioIn {
    /// Watches these sockets, none of which may ever wait.
    ///
    /// # Errors
    /// The kernel's, when it has no more of what this needs.
    pub(crate) fn new(ports: Vec<Port>) -> io::Result<AudioIn> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (data, port) in (0..).zip(&ports) {
            epoll.add(&*port.socket, EpollEvent::new(EpollFlags::EPOLLIN, data))?;
        }
        let ready = Ready(Arc::new(epoll));
        Ok(AudioIn {
            ports,
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

    /// Waits until [`AudioIn::read`] is worth a call.
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
                let Some(port) = self.ports.get(event.data() as usize) else {
                    continue;
                };
                // An error is that of an earlier datagram that somebody refused: with the call it is gone.
                if let Ok((length, source)) = port.socket.recv_from(&mut self.buffer[..]) {
                    let (slot, rtcp) = (port.slot, port.rtcp);
                    let arrival = Arrival { slot, rtcp, source };
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

    /// Chooses what wakes the thread next.
    fn sleep(&mut self, count: usize, emptied: bool) {
        let now = Instant::now();
        self.traffic.note(now, count);
        match &self.wake {
            _ if !emptied => self.wake = Wake::Clock(now),
            // A look at a block does not put off the next look by the clock.
            Wake::Clock(at) if *at > now => {}
            _ if self.traffic.is_much() => self.wake = Wake::Clock(now + PAUSE),
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

    fn ports(count: usize) -> (Vec<Port>, Vec<SocketAddr>) {
        let ports: Vec<Port> = (0..count)
            .map(|slot| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_nonblocking(true).unwrap();
                Port {
                    slot,
                    rtcp: slot % 2 == 1,
                    socket: Arc::new(socket),
                }
            })
            .collect();
        let addresses = ports.iter().map(|port| port.socket.local_addr().unwrap());
        let addresses = addresses.collect();
        (ports, addresses)
    }

    async fn looked(audio: &AudioIn) {
        tokio::time::timeout(Duration::from_secs(5), audio.wait())
            .await
            .expect("nothing woke us");
    }

    #[tokio::test]
    async fn whatever_comes_is_heard_once_in_order_and_from_where_it_came() {
        let (ports, addresses) = ports(6);
        let mut audio = AudioIn::new(ports).unwrap();
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
                    assert_eq!(arrival.rtcp, arrival.slot % 2 == 1);
                    heard[arrival.slot].extend(payload);
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
        let (ports, addresses) = ports(2);
        let mut audio = AudioIn::new(ports).unwrap();
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
                heard |= arrival.slot == 1;
                before += usize::from(!heard);
            });
        }
        assert!(before <= 1, "{before} datagrams of the flood came first");
    }

    #[tokio::test]
    async fn a_torrent_is_fetched_in_turns_and_a_trickle_at_once() {
        let (ports, addresses) = ports(1);
        let mut audio = AudioIn::new(ports).unwrap();
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
}
