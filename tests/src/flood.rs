//! Requests of a stranger, so many a second.

use crate::failure::Doing;
use crate::{Failure, address::Address};
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A running flood from an address of its own; ended by [`Flood::stop`] or its drop.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    answered: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    _address: Address,
}

impl Flood {
    /// Sends `per_s` INVITEs a second to `target`:5060, each of another call.
    ///
    /// # Errors
    /// When no socket can be had.
    pub fn start(target: Ipv4Addr, per_s: u32) -> Result<Self, Failure> {
        let address = Address::take()?;
        let socket = UdpSocket::bind((address.ip(), 5060)).doing(|| "the flood's socket".into())?;
        socket.set_nonblocking(true)?;
        socket.connect((target, 5060))?;
        let stop = Arc::new(AtomicBool::new(false));
        let [sent, answered] = [0, 0].map(|count| Arc::new(AtomicU64::new(count)));
        let (own, ended, out, back) = (address.ip(), stop.clone(), sent.clone(), answered.clone());
        let thread = std::thread::spawn(move || {
            let began = Instant::now();
            let mut number = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                // What is due by now, at once: a sleep is never exact.
                let due = (began.elapsed().as_secs_f64() * f64::from(per_s)) as u64;
                while number < due {
                    number += 1;
                    if socket.send(invite(own, target, number).as_bytes()).is_ok() {
                        out.fetch_add(1, Ordering::Relaxed);
                    }
                }
                while socket.recv(&mut [0; 2048]).is_ok() {
                    back.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Ok(Self {
            stop,
            sent,
            answered,
            thread: Some(thread),
            _address: address,
        })
    }

    /// Ends it; how many requests went out and how many datagrams came back.
    pub fn stop(mut self) -> (u64, u64) {
        self.end();
        (
            self.sent.load(Ordering::Relaxed),
            self.answered.load(Ordering::Relaxed),
        )
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It panics never.
            let _ = thread.join();
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
}

fn invite(own: Ipv4Addr, target: Ipv4Addr, number: u64) -> String {
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {own}\r\ns=-\r\nc=IN IP4 {own}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
    );
    format!(
        "INVITE sip:100@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {own}:5060;branch=z9hG4bKflood{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:400@{target}>;tag={number}\r\nTo: <sip:100@{target}>\r\n\
         Call-ID: flood-{number}@{own}\r\nCSeq: 1 INVITE\r\nContact: <sip:400@{own}:5060>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    )
}
