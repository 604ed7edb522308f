//! TCP and TLS connections to the PBXs: one for each peer, opened when there is something to send,
//! kept while it lives, replaced when it ends. What goes over them is the user agent's affair.

mod certificate;
mod connection;
mod fault;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use call::Event;
use config::{Config, SipTransport};
use sip::{StreamItem, StreamReader, Transport};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ServerConfig;

use crate::input::{Inbox, Input};
use crate::sockets::{BindError, mark};
use connection::Opening;
use fault::TlsFault;
use tls::Client;

/// Connections at once, and those that others opened.
const MAX_LINKS: usize = 192;
const MAX_ACCEPTED: usize = 96;
/// Connections that one address may open.
const MAX_ACCEPTED_OF_ONE: usize = 16;
/// Messages that wait for a connection; a peer that takes none for so long is given up.
const QUEUE: usize = 64;
/// Days before its end at which a certificate is told of.
const WARN_AT_DAYS: [i64; 4] = [30, 7, 1, 0];
/// How often the certificates are looked at.
const LOOK_AT_CERTIFICATES: Duration = Duration::from_secs(3600);

/// Names one connection for good; a later one to the same peer has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkId {
    pub(crate) transport: Transport,
    pub(crate) peer: SocketAddr,
    number: u64,
}

/// What a connection tells.
#[derive(Debug)]
pub(crate) enum LinkNews {
    /// It is there; the end of the certificate that the other side showed.
    Up { certificate_end: Option<SystemTime> },
    /// Bytes came.
    Bytes(Vec<u8>),
    /// It is gone, or could not be opened.
    Ended {
        fault: Option<TlsFault>,
        why: String,
    },
}

#[derive(Debug)]
struct Link {
    number: u64,
    queue: mpsc::Sender<Vec<u8>>,
    accepted: bool,
    /// Cuts what comes in into messages, for the trace.
    reader: StreamReader,
}

/// A certificate whose end is watched.
#[derive(Debug)]
struct Watched {
    whose: &'static str,
    account: String,
    end: SystemTime,
    /// Days left at the last warning.
    told: Option<i64>,
}

/// Every connection.
#[derive(Debug)]
pub(crate) struct Links {
    own: Vec<IpAddr>,
    /// Mark of our packets.
    dscp: u8,
    names: Vec<String>,
    /// TLS settings of each account that has TLS.
    clients: Vec<Option<Result<Client, TlsFault>>>,
    /// Addresses of each account's servers.
    servers: Vec<Vec<SocketAddr>>,
    server_tls: Option<Arc<ServerConfig>>,
    table: HashMap<(bool, SocketAddr), Link>,
    /// The fault of each account that was told last.
    told: Vec<Option<&'static str>>,
    watched: Vec<Watched>,
    tasks: JoinSet<()>,
    next: u64,
    inbox: Inbox,
    events: Vec<Event>,
}

/// The listening sockets; dropped, nobody can connect.
#[derive(Debug)]
pub(crate) struct Listeners {
    tcp: Vec<std::net::TcpListener>,
    tls: Option<std::net::TcpListener>,
}

impl Listeners {
    /// Binds TCP at the addresses of SIP, and TLS where it is wanted.
    pub(crate) fn bind(config: &Config) -> Result<Listeners, BindError> {
        let open = |address: SocketAddr| {
            listen(address, config.sip.dscp).map_err(|cause| BindError {
                protocol: "TCP",
                address,
                cause,
            })
        };
        let sip = &config.sip;
        Ok(Listeners {
            tcp: std::iter::once(sip.listen)
                .chain(sip.listen_ipv6)
                .map(open)
                .collect::<Result<_, _>>()?,
            tls: sip.tls_listen.map(open).transpose()?,
        })
    }
}

fn listen(address: SocketAddr, dscp: u8) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    // Connections of the last run may still linger in the kernel.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Answers to connections that others open are marked from the first packet on.
    mark(&socket, address.is_ipv6(), dscp);
    socket.bind(&address.into())?;
    socket.listen(64)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

impl Links {
    /// No connection yet. Files that cannot be used are told as events.
    pub(crate) fn new(config: &Config, own: &[IpAddr], inbox: Inbox) -> Links {
        let client = |account: &config::Account| {
            (account.transport == SipTransport::Tls).then(|| tls::client(account))
        };
        let mut links = Links {
            own: own.to_vec(),
            dscp: config.sip.dscp,
            names: config.accounts.iter().map(|a| a.name.clone()).collect(),
            clients: config.accounts.iter().map(client).collect(),
            servers: vec![Vec::new(); config.accounts.len()],
            server_tls: None,
            table: HashMap::new(),
            told: vec![None; config.accounts.len()],
            watched: Vec::new(),
            tasks: JoinSet::new(),
            next: 0,
            inbox,
            events: Vec::new(),
        };
        for account in 0..links.names.len() {
            if let Some(Some(Err(fault))) = links.clients.get(account).cloned() {
                links.tell_fault(account, &fault);
            }
        }
        if let (Some(identity), Some(_)) = (&config.sip.tls_identity, config.sip.tls_listen) {
            match tls::server(identity, config.sip.tls_listen_ca_file.as_deref()) {
                Ok(server) => links.server_tls = Some(server),
                Err(fault) => links.events.push(fault_event("", &fault)),
            }
        }
        let own = config
            .sip
            .tls_identity
            .iter()
            .map(|identity| ("", identity));
        let accounts = config.accounts.iter();
        let accounts = accounts.filter_map(|a| Some((a.name.as_str(), a.tls_identity.as_ref()?)));
        for (account, identity) in own.chain(accounts) {
            if let Some(end) = tls::own_end(identity) {
                links.watch("own", account, end);
            }
        }
        links
    }

    /// Takes connections of others, and has the certificates looked at from time to time.
    pub(crate) fn serve(&mut self, listeners: Listeners) {
        let Listeners { tcp, tls } = listeners;
        let tls = tls.filter(|_| self.server_tls.is_some());
        let tcp = tcp.into_iter().map(|listener| (Transport::Tcp, listener));
        for (transport, listener) in tcp.chain(tls.map(|l| (Transport::Tls, l))) {
            let inbox = self.inbox.clone();
            self.tasks.spawn(accept(transport, listener, inbox));
        }
        let inbox = self.inbox.clone();
        self.tasks.spawn(async move {
            loop {
                tokio::time::sleep(LOOK_AT_CERTIFICATES).await;
                if inbox.send(Input::LookAtCertificates).await.is_err() {
                    return;
                }
            }
        });
    }

    /// Ends everything.
    pub(crate) async fn shutdown(&mut self) {
        self.table.clear();
        self.tasks.shutdown().await;
    }

    /// The addresses of an account's servers, known from now on.
    pub(crate) fn set_servers(&mut self, account: usize, servers: &[SocketAddr]) {
        if let Some(known) = self.servers.get_mut(account) {
            *known = servers.to_vec();
        }
    }

    /// What there is to tell.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        (!self.events.is_empty()).then(|| self.events.remove(0))
    }

    /// Queues a message on the connection with its destination, which is opened if there is none.
    ///
    /// # Errors
    /// When there is no way: the caller tells the user agent that the connection ended.
    pub(crate) fn send(&mut self, transmit: sip::Transmit) -> Result<(), ()> {
        let (transport, peer) = (transmit.transport, transmit.destination);
        let key = (transport == Transport::Tls, peer);
        if !self.table.contains_key(&key) {
            // An answer whose connection is gone, or an empty line, is worth none of its own.
            let request = transmit.payload.iter().any(|byte| !b"\r\n".contains(byte))
                && !transmit.payload.starts_with(b"SIP/2.0 ");
            let keeps = transmit.payload == b"\r\n\r\n";
            if !request && !keeps {
                return Ok(());
            }
            self.open(transport, peer)?;
        }
        let link = self.table.get(&key).ok_or(())?;
        if link.queue.try_send(transmit.payload).is_err() {
            self.table.remove(&key);
            return Err(());
        }
        Ok(())
    }

    fn open(&mut self, transport: Transport, peer: SocketAddr) -> Result<(), ()> {
        let client = match transport {
            Transport::Tls => Some(self.client_for(peer).ok_or(())?),
            _ => None,
        };
        let family = |ip: &&IpAddr| ip.is_ipv4() == peer.is_ipv4();
        let unspecified = IpAddr::from([0, 0, 0, 0]);
        let source = self.own.iter().find(family).copied().unwrap_or(unspecified);
        let dscp = self.dscp;
        let opening = Opening::Outgoing {
            source,
            dscp,
            client,
        };
        self.start(transport, peer, opening, false).ok_or(())
    }

    fn start(
        &mut self,
        transport: Transport,
        peer: SocketAddr,
        opening: Opening,
        accepted: bool,
    ) -> Option<()> {
        if self.table.len() >= MAX_LINKS {
            return None;
        }
        self.next += 1;
        let id = LinkId {
            transport,
            peer,
            number: self.next,
        };
        let (queue, messages) = mpsc::channel(QUEUE);
        let link = Link {
            number: self.next,
            queue,
            accepted,
            reader: StreamReader::new(),
        };
        self.table.insert((transport == Transport::Tls, peer), link);
        // Finished tasks are let go here, so that their number stays that of the connections.
        while self.tasks.try_join_next().is_some() {}
        self.tasks
            .spawn(connection::run(id, opening, messages, self.inbox.clone()));
        Some(())
    }

    /// TLS settings towards a peer: those of the account whose server it is, else of one whose
    /// server has the same address, else of the first account with TLS.
    fn client_for(&self, peer: SocketAddr) -> Option<Client> {
        let account = self.account_at(peer);
        let usable = |client: &Option<Result<Client, TlsFault>>| client.clone()?.ok();
        match account {
            Some(account) => usable(self.clients.get(account)?),
            None => self.clients.iter().find_map(usable),
        }
    }

    fn account_at(&self, peer: SocketAddr) -> Option<usize> {
        let has_tls = |account: &usize| matches!(self.clients.get(*account), Some(Some(_)));
        let at = |fits: &dyn Fn(&SocketAddr) -> bool| {
            let mut all = self.servers.iter().enumerate();
            all.find(|(account, servers)| has_tls(account) && servers.iter().any(fits))
                .map(|(account, _)| account)
        };
        at(&|server| *server == peer).or_else(|| at(&|server| server.ip() == peer.ip()))
    }

    /// Takes a connection that somebody opened, within bounds.
    pub(crate) fn accept(&mut self, transport: Transport, peer: SocketAddr, stream: TcpStream) {
        let mut accepted = self.table.iter().filter(|(_, link)| link.accepted);
        let of_one = accepted
            .clone()
            .filter(|((_, other), _)| other.ip() == peer.ip());
        if of_one.count() >= MAX_ACCEPTED_OF_ONE || accepted.by_ref().count() >= MAX_ACCEPTED {
            return;
        }
        let server = match transport {
            Transport::Tls => self.server_tls.clone(),
            _ => None,
        };
        let dscp = self.dscp;
        let opening = Opening::Incoming {
            stream,
            dscp,
            server,
        };
        let _ = self.start(transport, peer, opening, true);
    }

    /// Whether the connection is the one in use with its peer; another one's news are stale.
    pub(crate) fn is_current(&self, id: LinkId) -> bool {
        let key = (id.transport == Transport::Tls, id.peer);
        self.table
            .get(&key)
            .is_some_and(|link| link.number == id.number)
    }

    /// Cuts bytes into messages for the trace.
    pub(crate) fn messages_in(&mut self, id: LinkId, bytes: &[u8], mut see: impl FnMut(&[u8])) {
        let key = (id.transport == Transport::Tls, id.peer);
        if let Some(link) = self.table.get_mut(&key) {
            let _ = link.reader.push(bytes, |item| {
                if let StreamItem::Message(message) = item {
                    see(&message);
                }
            });
        }
    }

    /// Lets a connection go once what is queued is out.
    pub(crate) fn close(&mut self, transport: Transport, peer: SocketAddr) {
        self.table.remove(&(transport == Transport::Tls, peer));
    }

    /// A connection came about.
    pub(crate) fn up(&mut self, id: LinkId, certificate_end: Option<SystemTime>) {
        let Some(account) = self
            .account_at(id.peer)
            .filter(|_| id.transport == Transport::Tls)
        else {
            return;
        };
        self.told[account] = None;
        if let Some(end) = certificate_end {
            let name = self.names[account].clone();
            self.watch("server", &name, end);
        }
    }

    /// A connection ended, or did not come about.
    pub(crate) fn ended(&mut self, id: LinkId, fault: Option<TlsFault>, why: &str) {
        tracing::debug!("connection with {} ended: {why}", id.peer);
        self.close(id.transport, id.peer);
        if let (Some(fault), Some(account)) = (fault, self.account_at(id.peer)) {
            self.tell_fault(account, &fault);
        }
    }

    /// Tells a fault once, until a connection comes about or another fault shows.
    fn tell_fault(&mut self, account: usize, fault: &TlsFault) {
        if self.told[account] == Some(fault.kind) {
            return;
        }
        self.told[account] = Some(fault.kind);
        self.events.push(fault_event(&self.names[account], fault));
    }

    fn watch(&mut self, whose: &'static str, account: &str, end: SystemTime) {
        let same = |w: &Watched| w.whose == whose && w.account == account;
        if !self.watched.iter().any(|w| same(w) && w.end == end) {
            self.watched.retain(|w| !same(w));
            self.watched.push(Watched {
                whose,
                account: account.to_owned(),
                end,
                told: None,
            });
        }
        self.look_at_certificates(SystemTime::now());
    }

    /// Tells of certificates that end soon: a month, a week and a day before, and at the end.
    pub(crate) fn look_at_certificates(&mut self, now: SystemTime) {
        for watched in &mut self.watched {
            let left_days = match watched.end.duration_since(now) {
                Ok(left) => i64::try_from(left.as_secs() / 86_400).unwrap_or(i64::MAX),
                Err(_) => -1,
            };
            let step = WARN_AT_DAYS
                .into_iter()
                .filter(|days| left_days < *days)
                .min();
            let Some(step) = step.filter(|step| watched.told.is_none_or(|told| *step < told))
            else {
                continue;
            };
            watched.told = Some(step);
            let hint = match watched.whose {
                "own" => "renew the file of tls_certificate_file, then run: trubka reload",
                _ => "have the PBX's certificate renewed",
            };
            self.events.push(Event::CertificateExpires {
                whose: watched.whose.to_owned(),
                account: watched.account.clone(),
                until: humantime::format_rfc3339_seconds(watched.end).to_string(),
                days_left: left_days.max(0),
                hint: hint.to_owned(),
            });
        }
    }
}

fn fault_event(account: &str, fault: &TlsFault) -> Event {
    Event::TlsFailed {
        account: account.to_owned(),
        kind: fault.kind.to_owned(),
        detail: fault.detail.clone(),
        hint: fault.hint.to_owned(),
    }
}

async fn accept(transport: Transport, listener: std::net::TcpListener, inbox: Inbox) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("cannot take connections: {error}");
            return;
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let news = Input::Connected {
                    transport,
                    peer,
                    stream,
                };
                if inbox.send(news).await.is_err() {
                    return;
                }
            }
            // Out of file descriptors, or a connection that was gone before it was taken.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
