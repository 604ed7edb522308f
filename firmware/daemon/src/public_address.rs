//! Our address as others see it through a NAT.

use std::net::SocketAddr;
use std::time::Duration;

use config::HostPort;
use media::{StunClient, StunOutcome};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::input::{Inbox, Input};

/// Port of RFC 5389.
const STUN_PORT: u16 = 3478;
/// Time between looks at the NAT.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What a STUN server told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outside {
    /// Where it sees our SIP socket.
    pub(crate) public: SocketAddr,
    /// Its own address, to ask again.
    pub(crate) server: SocketAddr,
}

/// Asks `server` from `socket`, whose reader does not run yet. `None`, with a word in the log, when there is no answer: the
/// box then works as if there was no NAT.
pub(crate) async fn from_outside(server: &HostPort, socket: &UdpSocket) -> Option<Outside> {
    let hint = "check sip.stun_server and the firewall; a PBX in the same network needs no STUN";
    let Some(address) = resolve(server).await else {
        tracing::warn!("the STUN server {server} has no address\n    hint: {hint}");
        return None;
    };
    match ask(address, socket).await {
        Some(StunOutcome::Mapped(public)) => {
            tracing::info!("seen from outside as {public}");
            Some(Outside {
                public,
                server: address,
            })
        }
        Some(StunOutcome::Refused(status)) => {
            tracing::warn!("the STUN server {server} refuses with {status}\n    hint: {hint}");
            None
        }
        Some(StunOutcome::Silent) | None => {
            tracing::warn!("the STUN server {server} does not answer\n    hint: {hint}");
            None
        }
    }
}

/// The first address of the server, or `None` when its name does not resolve now.
async fn resolve(server: &HostPort) -> Option<SocketAddr> {
    if let Some(address) = server.socket_addr(STUN_PORT) {
        return Some(address);
    }
    let port = server.port.unwrap_or(STUN_PORT);
    let found = tokio::net::lookup_host((server.host.as_str(), port)).await;
    found.ok()?.next()
}

/// Tells when the NAT shows another address than `known`.
pub(crate) async fn watch(server: HostPort, bound: SocketAddr, known: SocketAddr, inbox: Inbox) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        if has_moved(&server, bound, known).await
            && inbox.send(Input::OwnAddressChanged).await.is_err()
        {
            return;
        }
    }
}

/// Runs one question; `None` when there are no random numbers or the socket is broken.
async fn ask(server: SocketAddr, socket: &UdpSocket) -> Option<StunOutcome> {
    let mut transaction = [0; 12];
    getrandom::fill(&mut transaction).ok()?;
    let began = Instant::now();
    let mut client = StunClient::new(Duration::ZERO, server, transaction);
    let mut buffer = [0; 2048];
    while let Some(due) = client.next_deadline() {
        if let Some(request) = client.poll_transmit(began.elapsed()) {
            // What cannot be sent now may be sent at the next try.
            let _ = socket.send_to(&request, server).await;
        }
        let wait = due.saturating_sub(began.elapsed());
        let wait = wait.max(Duration::from_millis(1));
        if let Ok(Ok((length, source))) = timeout(wait, socket.recv_from(&mut buffer)).await {
            client.handle(source, &buffer[..length]);
        }
    }
    client.outcome()
}

/// Whether the NAT shows another address than `known` now. Asked from a socket of its own, whose port says nothing.
async fn has_moved(server: &HostPort, bound: SocketAddr, known: SocketAddr) -> bool {
    let Ok(socket) = UdpSocket::bind(SocketAddr::new(bound.ip(), 0)).await else {
        return false;
    };
    let Some(address) = resolve(server).await else {
        return false;
    };
    matches!(ask(address, &socket).await, Some(StunOutcome::Mapped(now)) if now.ip() != known.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that tells everybody the address `says`, after losing `loses` requests.
    async fn server(says: [u8; 4], loses: usize) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 200];
            let mut seen = 0;
            while let Ok((length, source)) = socket.recv_from(&mut buffer).await {
                seen += 1;
                if seen <= loses {
                    continue;
                }
                let mut answer = vec![1, 1, 0, 12];
                answer.extend(&buffer[4..length]);
                answer.extend([0, 1, 0, 8, 0, 1]);
                answer.extend(source.port().to_be_bytes());
                answer.extend(says);
                let _ = socket.send_to(&answer, source).await;
            }
        });
        address
    }

    fn host(address: SocketAddr) -> HostPort {
        HostPort::parse(&address.to_string()).unwrap()
    }

    #[tokio::test]
    async fn the_address_is_learned_although_a_request_is_lost() {
        let server = host(server([203, 0, 113, 7], 1).await);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let found = from_outside(&server, &socket).await.unwrap();
        let public = found.public;
        assert_eq!(host(found.server), server);
        assert_eq!(public.ip().to_string(), "203.0.113.7");
        assert_eq!(public.port(), socket.local_addr().unwrap().port());
        let bound = "127.0.0.1:0".parse().unwrap();
        assert!(!has_moved(&server, bound, public).await);
        let other = SocketAddr::from(([203, 0, 113, 8], 5060));
        assert!(has_moved(&server, bound, other).await);
    }

    #[tokio::test]
    async fn a_dead_server_is_given_up() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = host(nobody.local_addr().unwrap());
        assert_eq!(from_outside(&server, &socket).await, None);
    }
}
