//! One TCP or TLS connection: opened or accepted, then carried until one side ends it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::certificate::not_after;
use super::fault::TlsFault;
use super::tls::Client;
use super::{LinkId, LinkNews};
use crate::input::{Inbox, Input};
use crate::sockets::mark;

/// How long a connection may take to come about, TLS included.
const OPEN_LIMIT: Duration = Duration::from_secs(4);
/// How long a message may take to leave, and bytes that were sent may stay without a sign of the
/// peer. A dead PBX is noticed this late at the latest.
const SEND_LIMIT: Duration = Duration::from_secs(6);
/// How long somebody who connected may say nothing.
const FIRST_WORDS: Duration = Duration::from_secs(10);
/// How long a connection may be silent. Keep-alives come far oftener.
const IDLE_LIMIT: Duration = Duration::from_secs(2 * 3600);
/// The kernel asks a silent peer this often whether it is there.
const PROBE_EVERY: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 16 * 1024;

/// How a connection comes about.
pub(crate) enum Opening {
    /// We open it, from this address, with packets of this mark.
    Outgoing {
        source: IpAddr,
        dscp: u8,
        client: Option<Client>,
    },
    /// Somebody opened it.
    Incoming {
        stream: TcpStream,
        dscp: u8,
        server: Option<Arc<ServerConfig>>,
    },
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opens the connection and carries it to its end, which is told.
pub(crate) async fn run(
    id: LinkId,
    opening: Opening,
    queue: mpsc::Receiver<Vec<u8>>,
    inbox: Inbox,
) {
    let incoming = matches!(opening, Opening::Incoming { .. });
    let opened = timeout(OPEN_LIMIT, open(id.peer, opening)).await;
    let end = match opened {
        Ok(Ok((stream, certificate_end))) => {
            let news = LinkNews::Up { certificate_end };
            if inbox.send(Input::Link { id, news }).await.is_err() {
                return;
            }
            let first = if incoming { FIRST_WORDS } else { IDLE_LIMIT };
            carry(id, stream, first, queue, &inbox).await
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    };
    let (fault, why) = match end {
        Ok(()) => (None, "the other side ended it".to_owned()),
        Err(error) => (TlsFault::within(&error), error.to_string()),
    };
    let news = LinkNews::Ended { fault, why };
    let _ = inbox.send(Input::Link { id, news }).await;
}

async fn open(
    peer: SocketAddr,
    opening: Opening,
) -> io::Result<(Box<dyn Stream>, Option<SystemTime>)> {
    match &opening {
        Opening::Outgoing { client, .. } => {
            let Some(client) = client.clone() else {
                return Ok((Box::new(connect(peer, opening).await?), None));
            };
            let stream = connect(peer, opening).await?;
            let connector = TlsConnector::from(client.config);
            let stream = connector.connect(client.name, stream).await?;
            let shown = stream.get_ref().1.peer_certificates();
            let end = shown.and_then(|chain| not_after(chain.first()?));
            Ok((Box::new(stream), end))
        }
        Opening::Incoming { server, .. } => {
            let server = server.clone();
            let stream = connect(peer, opening).await?;
            let Some(server) = server else {
                return Ok((Box::new(stream), None));
            };
            let stream = TlsAcceptor::from(server).accept(stream).await?;
            Ok((Box::new(stream), None))
        }
    }
}

/// The bare connection, with everything that is set on it.
async fn connect(peer: SocketAddr, opening: Opening) -> io::Result<TcpStream> {
    let stream = match opening {
        Opening::Outgoing { source, dscp, .. } => {
            let socket = match peer {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // Before anything leaves: the first packet counts as well.
            mark(&socket, peer.is_ipv6(), dscp);
            if !source.is_unspecified() && source.is_ipv4() == peer.is_ipv4() {
                socket.bind(SocketAddr::new(source, 0))?;
            }
            socket.connect(peer).await?
        }
        Opening::Incoming { stream, dscp, .. } => {
            mark(&stream, peer.is_ipv6(), dscp);
            stream
        }
    };
    tune(&stream)?;
    Ok(stream)
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let probes = TcpKeepalive::new()
        .with_time(PROBE_EVERY)
        .with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_tcp_user_timeout(Some(SEND_LIMIT))
}

/// Bytes in and messages out until one side has enough.
async fn carry(
    id: LinkId,
    stream: Box<dyn Stream>,
    mut patience: Duration,
    mut queue: mpsc::Receiver<Vec<u8>>,
    inbox: &Inbox,
) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let read = async {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = timeout(patience, reader.read(&mut buffer)).await??;
            if length == 0 {
                return Ok(());
            }
            patience = IDLE_LIMIT;
            let bytes = buffer.get(..length).unwrap_or_default().to_vec();
            let news = LinkNews::Bytes(bytes);
            if inbox.send(Input::Link { id, news }).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some(message) = queue.recv().await {
            timeout(SEND_LIMIT, async {
                writer.write_all(&message).await?;
                writer.flush().await
            })
            .await??;
        }
        // Nobody sends any more: what was queued is out, now the connection ends in order.
        timeout(SEND_LIMIT, writer.shutdown()).await?
    };
    tokio::select! {
        end = read => end,
        end = write => end,
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd as _, OwnedFd};

    use super::*;

    /// The mark of a connection, read from the kernel.
    fn class(stream: &TcpStream, ipv6: bool) -> u32 {
        let copy: OwnedFd = stream.as_fd().try_clone_to_owned().unwrap();
        let socket = socket2::Socket::from(copy);
        let class = match ipv6 {
            true => socket.tclass_v6(),
            false => socket.tos_v4(),
        };
        class.unwrap()
    }

    /// Both ways a connection comes about leave its packets marked.
    #[tokio::test]
    async fn connections_carry_the_configured_mark() {
        for (address, dscp) in [("127.0.0.1:0", 24), ("127.0.0.1:0", 0), ("[::1]:0", 46)] {
            let listener = tokio::net::TcpListener::bind(address).await.unwrap();
            let peer = listener.local_addr().unwrap();
            let opening = Opening::Outgoing {
                source: peer.ip(),
                dscp,
                client: None,
            };
            let (accepted, opened) = tokio::join!(listener.accept(), connect(peer, opening));
            let expected = u32::from(dscp) << 2;
            assert_eq!(class(&opened.unwrap(), peer.is_ipv6()), expected);
            let (stream, other) = accepted.unwrap();
            let incoming = Opening::Incoming {
                stream,
                dscp,
                server: None,
            };
            let stream = connect(other, incoming).await.unwrap();
            assert_eq!(class(&stream, other.is_ipv6()), expected);
        }
    }
}
