//! The UDP sockets: SIP, and a pair for each audio slot. All are bound before the first message
//! leaves, so that a port in use is told at the start and not in the middle of a call.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

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
    pub(crate) sip: Arc<UdpSocket>,
    /// RTP and RTCP of each slot.
    rtp: Vec<(Arc<UdpSocket>, Arc<UdpSocket>)>,
}

async fn bind(address: SocketAddr) -> Result<Arc<UdpSocket>, BindError> {
    UdpSocket::bind(address)
        .await
        .map(Arc::new)
        .map_err(|cause| BindError { address, cause })
}

impl Sockets {
    /// Binds all of them.
    pub(crate) async fn bind(
        listen: SocketAddr,
        media: IpAddr,
        ports: &[u16],
    ) -> Result<Sockets, BindError> {
        let sip = bind(listen).await?;
        let mut rtp = Vec::new();
        for port in ports {
            let pair = (
                bind(SocketAddr::new(media, *port)).await?,
                bind(SocketAddr::new(media, port + 1)).await?,
            );
            rtp.push(pair);
        }
        Ok(Sockets { sip, rtp })
    }

    /// Starts a reader for each socket; dropping the set ends them.
    pub(crate) fn read_into(&self, inbox: &Inbox) -> JoinSet<()> {
        let mut readers = JoinSet::new();
        let (socket, sip_inbox) = (self.sip.clone(), inbox.clone());
        readers.spawn(read_sip(socket, sip_inbox));
        for (slot, (rtp, rtcp)) in self.rtp.iter().enumerate() {
            readers.spawn(read_rtp(rtp.clone(), slot, false, inbox.clone()));
            readers.spawn(read_rtp(rtcp.clone(), slot, true, inbox.clone()));
        }
        readers
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
            let _ = socket.try_send_to(payload, destination);
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
