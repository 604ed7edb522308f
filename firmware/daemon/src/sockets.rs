//! The UDP sockets: SIP, and a pair for each audio slot. All are bound before the first message
//! leaves, so that a port in use is told at the start and not in the middle of a call.
//!
//! SIP is read by tasks of the runtime, audio by [`AudioPorts`]: a task for each of its sockets would be woken for each packet.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::audio_ports::AudioPorts;
use crate::input::{Inbox, Input};

/// Largest datagram that is read; a larger one is cut and then refused by its reader.
const DATAGRAM_LIMIT: usize = 65_535;

const NOWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// A socket that could not be bound.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) protocol: &'static str,
    pub(crate) address: SocketAddr,
    pub(crate) cause: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cannot open {} {}: {}\n    hint: another program may use the port, or the address is not this machine's",
            self.protocol, self.address, self.cause
        )
    }
}

/// Every socket of the gateway.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// One, or one of each family.
    sip: Vec<SipSocket>,
    /// RTP and RTCP of each slot.
    pub(crate) audio: AudioPorts,
}

/// One socket with two handles: the reader waits in the runtime, the sender goes straight to the
/// kernel, which takes a datagram without any wait or knows at once why not.
#[derive(Debug)]
struct SipSocket {
    reader: Arc<UdpSocket>,
    sender: std::net::UdpSocket,
    ipv6: bool,
}

/// Binds a socket whose packets carry the mark `dscp`; its calls never wait.
fn bind(address: SocketAddr, dscp: u8) -> Result<std::net::UdpSocket, BindError> {
    let open = || {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        if address.is_ipv6() {
            // IPv4 has a socket of its own.
            socket.set_only_v6(true)?;
        }
        mark(&socket, address.is_ipv6(), dscp);
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        Ok(std::net::UdpSocket::from(socket))
    };
    open().map_err(|cause| failed(address, cause))
}

fn bind_sip(address: SocketAddr, dscp: u8) -> Result<SipSocket, BindError> {
    let sender = bind(address, dscp)?;
    let reader = sender.try_clone().and_then(UdpSocket::from_std);
    Ok(SipSocket {
        reader: Arc::new(reader.map_err(|cause| failed(address, cause))?),
        sender,
        ipv6: address.is_ipv6(),
    })
}

fn failed(address: SocketAddr, cause: io::Error) -> BindError {
    BindError {
        protocol: "UDP",
        address,
        cause,
    }
}

/// Marks what leaves by a socket (RFC 2474). A system that does not allow it carries the sound all the same.
pub(crate) fn mark<'a>(socket: impl Into<SockRef<'a>>, ipv6: bool, dscp: u8) {
    let class = u32::from(dscp & 63) << 2;
    let socket = socket.into();
    let marked = if ipv6 {
        socket.set_tclass_v6(class)
    } else {
        socket.set_tos_v4(class)
    };
    if let Err(error) = marked {
        tracing::warn!("packets are not marked with DSCP {dscp}: {error}");
    }
}

impl Sockets {
    /// Binds all of them; SIP carries the first mark, audio the second.
    pub(crate) fn bind(
        listen: &[SocketAddr],
        ports: &[u16],
        (sip_dscp, media_dscp): (u8, u8),
    ) -> Result<Sockets, BindError> {
        let sip = listen.iter().map(|address| bind_sip(*address, sip_dscp));
        let sip = sip.collect::<Result<_, _>>()?;
        let mut audio = Vec::new();
        for port in ports {
            for media in listen {
                for port in [*port, port + 1] {
                    audio.push(bind(SocketAddr::new(media.ip(), port), media_dscp)?);
                }
            }
        }
        let families: Vec<bool> = listen.iter().map(SocketAddr::is_ipv6).collect();
        let watched = AudioPorts::new(audio, &families);
        let audio = watched.map_err(|cause| BindError {
            protocol: "audio ports of UDP",
            address: listen.first().copied().unwrap_or(NOWHERE),
            cause,
        })?;
        Ok(Sockets { sip, audio })
    }

    /// The first SIP socket, before its reader runs.
    pub(crate) fn sip(&self) -> Option<&UdpSocket> {
        self.sip.first().map(|socket| &*socket.reader)
    }

    /// Starts a reader for each SIP socket; dropping the set ends them.
    pub(crate) fn read_into(&self, inbox: &Inbox) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        for sip in &self.sip {
            readers.spawn(read_sip(sip.reader.clone(), inbox.clone()));
        }
        readers
    }

    /// Sends a SIP message.
    ///
    /// # Errors
    /// What the kernel knows at once, such as a missing route; not that its buffer is full.
    pub(crate) fn send_sip(&self, destination: SocketAddr, payload: &[u8]) -> io::Result<()> {
        let family = |socket: &&SipSocket| socket.ipv6 == destination.is_ipv6();
        let Some(socket) = self.sip.iter().find(family) else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        match socket.sender.send_to(payload, destination) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

async fn read_sip(socket: Arc<UdpSocket>, inbox: Inbox) {
    let mut buffer = vec![0; DATAGRAM_LIMIT];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                let payload = buffer[..length].to_vec();
                if inbox.send(Input::Sip { source, payload }).await.is_err() {
                    return;
                }
            }
            // An ICMP error of an earlier datagram; the next read goes on.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_carry_the_configured_mark() {
        for (address, dscp) in [("127.0.0.1:0", 46), ("127.0.0.1:0", 24), ("127.0.0.1:0", 0)] {
            let socket = bind(address.parse().unwrap(), dscp).unwrap();
            let class = SockRef::from(&socket).tos_v4().unwrap();
            assert_eq!(class, u32::from(dscp) << 2);
        }
    }
}
