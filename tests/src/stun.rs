//! A small STUN server of our own, which may tell another port than the one it sees.

use crate::{Failure, address::Address};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running STUN server. Dropped, it ends.
#[derive(Debug)]
pub struct Stun {
    address: Address,
    asked: Arc<Mutex<Vec<SocketAddr>>>,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

const PORT: u16 = 3478;

impl Stun {
    /// Starts one at an address of its own that tells everybody the port that `shown` makes of his own.
    ///
    /// # Errors
    /// When there is no address.
    pub fn start(shown: fn(u16) -> u16) -> Result<Self, Failure> {
        let address = Address::take()?;
        let socket = UdpSocket::bind((address.ip(), PORT))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let asked = Arc::new(Mutex::new(Vec::new()));
        let end = Arc::new(AtomicBool::new(false));
        let (seen, ended) = (asked.clone(), end.clone());
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 600];
            while !ended.load(Ordering::Relaxed) {
                let Ok((length, source)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let Some(answer) = buffer.get(..length).and_then(|r| answer(r, source, shown))
                else {
                    continue;
                };
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(source);
                let _ = socket.send_to(&answer, source);
            }
        });
        Ok(Self {
            address,
            asked,
            end,
            thread: Some(thread),
        })
    }

    /// What `sip.stun_server` names.
    pub fn server(&self) -> SocketAddr {
        (self.address.ip(), PORT).into()
    }

    /// Who has asked so far.
    pub fn asked(&self) -> Vec<SocketAddr> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Stun {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A Binding success with XOR-MAPPED-ADDRESS (RFC 5389, 15.2).
fn answer(request: &[u8], source: SocketAddr, shown: fn(u16) -> u16) -> Option<Vec<u8>> {
    let header = request
        .get(..20)
        .filter(|header| header.starts_with(&[0, 1]))?;
    let IpAddr::V4(ip) = source.ip() else {
        return None;
    };
    let cookie = header.get(4..8)?;
    let mut answer = vec![1, 1, 0, 12];
    answer.extend_from_slice(header.get(4..)?);
    answer.extend_from_slice(&[0, 0x20, 0, 8, 0, 1]);
    let port = shown(source.port()).to_be_bytes();
    answer.extend(port.iter().zip(cookie).map(|(a, b)| a ^ b));
    answer.extend(ip.octets().iter().zip(cookie).map(|(a, b)| a ^ b));
    Some(answer)
}
