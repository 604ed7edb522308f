//! A small name server of our own: A, AAAA, SRV and NAPTR records from a list, over UDP and TCP.

use crate::{Failure, Outcome, address::Address};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a name has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An address.
    Address(IpAddr),
    /// Priority, weight, port, target.
    Srv(u16, u16, u16, &'static str),
    /// Order, preference, service, replacement; the flag is `s`.
    Naptr(u16, u16, &'static str, &'static str),
}

impl Record {
    fn number(&self) -> u16 {
        match self {
            Self::Address(IpAddr::V4(_)) => 1,
            Self::Address(IpAddr::V6(_)) => 28,
            Self::Srv(..) => 33,
            Self::Naptr(..) => 35,
        }
    }

    fn data(&self) -> Vec<u8> {
        let words =
            |list: &[u16]| -> Vec<u8> { list.iter().flat_map(|w| w.to_be_bytes()).collect() };
        match self {
            Self::Address(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Self::Address(IpAddr::V6(ip)) => ip.octets().to_vec(),
            Self::Srv(priority, weight, port, target) => {
                [words(&[*priority, *weight, *port]), name(target)].concat()
            }
            Self::Naptr(order, preference, service, replacement) => {
                let text = |t: &str| [&[t.len() as u8], t.as_bytes()].concat();
                let texts = [text("s"), text(service), text("")].concat();
                [words(&[*order, *preference]), texts, name(replacement)].concat()
            }
        }
    }
}

/// The name in the form of the wire.
fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.trim_end_matches('.').split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

type Records = Arc<Mutex<Vec<(String, Record)>>>;

/// What a server knows, and how it says it.
#[derive(Debug, Default)]
struct Knowledge {
    records: Records,
    /// Answers over UDP say that they are too long, and are empty.
    truncates: bool,
    /// Questions that came over TCP.
    over_tcp: AtomicUsize,
}

/// A running name server. Dropped, it ends.
#[derive(Debug)]
pub struct Dns {
    address: Address,
    knowledge: Arc<Knowledge>,
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Its port.
const PORT: u16 = 5353;
/// Seconds for which an answer holds.
const TTL_S: u32 = 5;

impl Dns {
    /// Starts one at an address of its own that knows nothing.
    ///
    /// # Errors
    /// When there is no address.
    pub fn start() -> Result<Self, Failure> {
        Self::with(false)
    }

    /// Starts one whose answers do not fit into a datagram: over UDP it only says so (RFC 1035, 4.2.1).
    ///
    /// # Errors
    /// As [`Dns::start`].
    pub fn start_truncating() -> Result<Self, Failure> {
        Self::with(true)
    }

    fn with(truncates: bool) -> Result<Self, Failure> {
        let address = Address::take()?;
        let socket = UdpSocket::bind((address.ip(), PORT))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let listener = TcpListener::bind((address.ip(), PORT))?;
        listener.set_nonblocking(true)?;
        let knowledge = Arc::new(Knowledge {
            truncates,
            ..Knowledge::default()
        });
        let end = Arc::new(AtomicBool::new(false));
        let (known, ended) = (knowledge.clone(), end.clone());
        let udp = std::thread::spawn(move || serve(&socket, &known, &ended));
        let (known, ended) = (knowledge.clone(), end.clone());
        let tcp = std::thread::spawn(move || serve_streams(&listener, &known, &ended));
        Ok(Self {
            address,
            knowledge,
            end,
            threads: vec![udp, tcp],
        })
    }

    /// How many questions came over TCP.
    pub fn over_tcp(&self) -> usize {
        self.knowledge.over_tcp.load(Ordering::Relaxed)
    }

    /// What `sip.dns_servers` names.
    pub fn server(&self) -> SocketAddr {
        (self.address.ip(), PORT).into()
    }

    /// Adds a record.
    pub fn add(&self, name: &str, record: Record) {
        let records = &self.knowledge.records;
        let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push((name.to_lowercase(), record));
    }

    /// Adds an IPv4 address.
    pub fn add_host(&self, name: &str, ip: Ipv4Addr) {
        self.add(name, Record::Address(ip.into()));
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Answers one connection after another.
fn serve_streams(listener: &TcpListener, known: &Knowledge, end: &AtomicBool) {
    while !end.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                // A peer that goes away in between is no fault of ours.
                let _ = serve_stream(stream, known, end);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Questions and answers with their lengths in front (RFC 1035, 4.2.2), until the peer has enough.
fn serve_stream(mut stream: TcpStream, known: &Knowledge, end: &AtomicBool) -> Outcome {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    while !end.load(Ordering::Relaxed) {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut query)?;
        known.over_tcp.fetch_add(1, Ordering::Relaxed);
        let Some(answer) = answer(&query, &known.records) else {
            return Ok(());
        };
        stream.write_all(&(answer.len() as u16).to_be_bytes())?;
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// The answer without its records, with the mark that there are more than fit.
fn truncated(mut answer: Vec<u8>) -> Vec<u8> {
    let question = answer.iter().skip(12).position(|byte| *byte == 0);
    answer.truncate(12 + question.unwrap_or(0) + 5);
    answer[2] |= 2;
    answer[7] = 0;
    answer
}

fn serve(socket: &UdpSocket, known: &Knowledge, end: &AtomicBool) {
    let mut buffer = [0; 1500];
    while !end.load(Ordering::Relaxed) {
        let Ok((length, source)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        if let Some(answer) = buffer
            .get(..length)
            .and_then(|query| answer(query, &known.records))
        {
            let answer = match known.truncates {
                true => truncated(answer),
                false => answer,
            };
            let _: Outcome = socket
                .send_to(&answer, source)
                .map(drop)
                .map_err(Failure::from);
        }
    }
}

fn answer(query: &[u8], records: &Records) -> Option<Vec<u8>> {
    let mut at = 12;
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*query.get(at)?);
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let wanted = labels.join(".");
    let number = u16::from_be_bytes(query.get(at + 1..at + 3)?.try_into().ok()?);
    let question = query.get(12..at + 5)?;
    let records = records.lock().unwrap_or_else(PoisonError::into_inner);
    let mut of_name = records
        .iter()
        .filter(|(name, _)| *name == wanted)
        .peekable();
    let known = of_name.peek().is_some();
    let found: Vec<&Record> = of_name
        .map(|(_, record)| record)
        .filter(|record| record.number() == number)
        .collect();
    let mut out = query.get(..2)?.to_vec();
    // An authoritative answer; names that are not there do not exist.
    out.extend_from_slice(&[0x85, if known { 0x80 } else { 0x83 }]);
    out.extend_from_slice(&[0, 1, 0, found.len() as u8, 0, 0, 0, 0]);
    out.extend_from_slice(question);
    for record in found {
        let data = record.data();
        out.extend_from_slice(&[0xc0, 12]);
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&TTL_S.to_be_bytes());
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&data);
    }
    Some(out)
}
