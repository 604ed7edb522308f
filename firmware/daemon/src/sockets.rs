//! The UDP sockets: SIP, and a pair for each audio slot. All are bound before the first message
//! leaves, so that a port in use is told at the start and not in the middle of a call.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use crate::input::{Inbox, Input};

/// Largest datagram that is read; a larger one is cut and then refused by its reader.
const DATAGRAM_LIMIT: usize = 65_535;
const RTP_LIMIT: usize = 2_048;

/// A socket that could not be bound.
#[derive(Debug)]
pub(crate) struct BindError {
    pub(crate) address: SocketAddr,
    pub(crate) cause: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cannot open UDP {}: {}\n    hint: another program may use the port, or the address is not this machine's",
            self.address, self.cause
        )
    }
}

/// Every socket of the gateway.
#[derive(Debug)]
pub(crate) struct Sockets {
    sip: Socket,
    /// RTP and RTCP of each slot.
    rtp: Vec<(Socket, Socket)>,
}

/// One socket with two handles: the reader waits in the runtime, the sender goes straight to the
/// kernel, which takes a datagram without any wait or knows at once why not.
#[derive(Debug)]
struct Socket {
    reader: Arc<UdpSocket>,
    sender: std::net::UdpSocket,
}

/// Binds a socket whose packets carry the mark `dscp`.
fn bind(address: SocketAddr, dscp: u8) -> Result<Socket, BindError> {
    let open = || {
        let sender = std::net::UdpSocket::bind(address)?;
        mark(&sender, address.is_ipv6(), dscp);
        sender.set_nonblocking(true)?;
        let reader = Arc::new(UdpSocket::from_std(sender.try_clone()?)?);
        Ok(Socket { reader, sender })
    };
    open().map_err(|cause| BindError { address, cause })
}

/// Marks what leaves by a socket (RFC 2474). A system that does not allow it carries the sound all the same.
pub(crate) fn mark<'a>(socket: impl Into<SockRef<'a>>, ipv6: bool, dscp: u8) {
    let class = u32::from(dscp & 63) << 2;
    let socket = socket.into();
    let marked = if ipv6 {
        // A socket for both families marks IPv4 by the other option; one that is for IPv6 only has none.
        let _ = socket.set_tos_v4(class);
        socket.set_tclass_v6(class)
    } else {
        socket.set_tos_v4(class)
    };
    if let Err(error) = marked {
        tracing::warn!("packets are not marked with DSCP {dscp}: {error}");
    }
}

impl Sockets {
    /// Binds all of them.
    pub(crate) fn bind(
        listen: SocketAddr,
        media: IpAddr,
        ports: &[u16],
        (sip_dscp, media_dscp): (u8, u8),
    ) -> Result<Sockets, BindError> {
        let sip = bind(listen, sip_dscp)?;
        let mut rtp = Vec::new();
        for port in ports {
            let pair = (
                bind(SocketAddr::new(media, *port), media_dscp)?,
                bind(SocketAddr::new(media, port + 1), media_dscp)?,
            );
            rtp.push(pair);
        }
        Ok(Sockets { sip, rtp })
    }

    /// The SIP socket, before its reader runs.
    pub(crate) fn sip(&self) -> &UdpSocket {
        &self.sip.reader
    }

    /// Starts a reader for each socket; dropping the set ends them.
    pub(crate) fn read_into(&self, inbox: &Inbox) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        readers.spawn(read_sip(self.sip.reader.clone(), inbox.clone()));
        for (slot, (rtp, rtcp)) in self.rtp.iter().enumerate() {
            readers.spawn(read_rtp(rtp.reader.clone(), slot, false, inbox.clone()));
            readers.spawn(read_rtp(rtcp.reader.clone(), slot, true, inbox.clone()));
        }
        readers
    }

    /// Sends a SIP message.
    ///
    /// # Errors
    /// What the kernel knows at once, such as a missing route; not that its buffer is full.
    pub(crate) fn send_sip(&self, destination: SocketAddr, payload: &[u8]) -> io::Result<()> {
        match self.sip.sender.send_to(payload, destination) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends at once; a datagram that the kernel cannot take is lost, as UDP may.
    pub(crate) fn send_rtp(
        &self,
        slot: usize,
        rtcp: bool,
        destination: SocketAddr,
        payload: &[u8],
    ) {
        if let Some(pair) = self.rtp.get(slot) {
            let socket = if rtcp { &pair.1 } else { &pair.0 };
            let _ = socket.sender.send_to(payload, destination);
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

async fn read_rtp(socket: Arc<UdpSocket>, slot: usize, rtcp: bool, inbox: Inbox) {
    let mut buffer = [0; RTP_LIMIT];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                let payload = buffer[..length].to_vec();
                if inbox
                    .send(Input::Rtp {
                        slot,
                        rtcp,
                        source,
                        payload,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
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
            let class = SockRef::from(&socket.sender).tos_v4().unwrap();
            assert_eq!(class, u32::from(dscp) << 2);
        }
    }
}
