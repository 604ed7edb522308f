//! Everything that reaches the core but audio from the network, through one bounded queue.

use std::net::SocketAddr;

use call::{Event, RecordId};
use config::LocalTime;
use control::{Request, Response};
use line_interface::{CardInfo, DriveBlock, SenseBlock};
use tokio::sync::mpsc;

use crate::links::{LinkId, LinkNews};
use crate::names::Found;

/// Length of the queue. When it is full, datagrams wait in the kernel, whose buffers are bounded.
pub(crate) const QUEUE: usize = 512;

/// One block of a card on its way to the core and back, so that no block allocates.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) sense: Vec<SenseBlock>,
    pub(crate) drive: Vec<DriveBlock>,
}

/// Something that happened outside.
#[derive(Debug)]
pub(crate) enum Input {
    Sip {
        source: SocketAddr,
        payload: Vec<u8>,
    },
    /// News of a connection.
    Link {
        id: LinkId,
        news: LinkNews,
    },
    /// Somebody connected.
    Connected {
        transport: sip::Transport,
        peer: SocketAddr,
        stream: tokio::net::TcpStream,
    },
    /// The certificates are to be looked at again.
    LookAtCertificates,
    CardPresent {
        card: usize,
        info: CardInfo,
    },
    CardLost {
        card: usize,
        why: String,
    },
    Block {
        card: usize,
        exchange: Box<Exchange>,
        back: std::sync::mpsc::Sender<Box<Exchange>>,
    },
    JournalDone {
        record: RecordId,
    },
    JournalAlarm(Event),
    Command {
        request: Request,
        reply: mpsc::Sender<Response>,
    },
    /// An account's names were looked up.
    ServersFound {
        account: usize,
        found: Found,
    },
    /// The clock on the wall.
    LocalTime(LocalTime),
    /// The route to the PBX leaves from another address than at the start.
    OwnAddressChanged,
}

/// The way to the core.
pub(crate) type Inbox = mpsc::Sender<Input>;
