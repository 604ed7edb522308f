//! TCP and TLS at protocol level: framing for each connection, loss, and large requests.

use super::{TimerKey, UserAgent};
use crate::hop::Hop;
use crate::stream::StreamItem;
use crate::transaction::ClientTransaction;
use crate::{RegistrationState, Transport};
use std::net::SocketAddr;
use std::time::Duration;

/// Connections whose bytes are held at once.
const MAX_STREAMS: usize = 256;
/// Requests above this size do not go over UDP (RFC 3261 18.1.1), bytes.
pub(super) const MAX_UDP_REQUEST_BYTES: usize = 1_300;

/// What to do with a connection after [`UserAgent::handle_stream`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum StreamVerdict {
    /// Go on reading.
    Keep,
    /// Close it, and say so with [`UserAgent::stream_closed`].
    Close,
}

impl UserAgent {
    /// Says whether the owner of the sockets can connect over TCP: then requests of more than
    /// 1 300 bytes go over TCP instead of UDP (RFC 3261 18.1.1), and back to UDP if nobody listens
    /// there. Off at start.
    pub fn set_tcp_available(&mut self, available: bool) {
        self.tcp_available = available;
    }

    /// Whether a connection with `peer` is worth having. Asked when somebody opens one, a stranger is
    /// turned away before a TLS handshake or a place among the connections is spent on him.
    pub fn admit_stream(
        &mut self,
        now: Duration,
        transport: Transport,
        peer: SocketAddr,
    ) -> StreamVerdict {
        let hop = Hop::new(transport, peer);
        let key = (transport == Transport::Tls, peer);
        let why = if !self.is_trusted(hop) && !self.is_in_conversation(hop) {
            self.counters.stranger_datagrams += 1;
            "source is not allowed"
        } else if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(&key) {
            "too many connections"
        } else {
            return StreamVerdict::Keep;
        };
        self.report_refusal(now, hop, "stream".to_owned(), 0, why);
        StreamVerdict::Close
    }

    /// Takes bytes of a connection with `peer`, in any cut. Answers keep-alives (RFC 5626 3.5.1).
    /// A connection is to be closed if it is a stranger's or if nobody can tell where its next
    /// message begins; a bad message alone closes nothing. UDP is not a stream: nothing happens.
    pub fn handle_stream(
        &mut self,
        now: Duration,
        transport: Transport,
        peer: SocketAddr,
        bytes: &[u8],
    ) -> StreamVerdict {
        if !transport.is_reliable() {
            return StreamVerdict::Close;
        }
        let hop = Hop::new(transport, peer);
        let key = (transport == Transport::Tls, peer);
        if self.admit_stream(now, transport, peer) == StreamVerdict::Close {
            self.streams.remove(&key);
            return StreamVerdict::Close;
        }
        let mut reader = self.streams.remove(&key).unwrap_or_default();
        let mut items = Vec::new();
        let result = reader.push(bytes, |item| items.push(item));
        for item in items {
            match item {
                StreamItem::Message(message) => self.handle_message(now, transport, peer, &message),
                StreamItem::Ping => self.transmit(hop, b"\r\n".to_vec()),
                StreamItem::Pong => {
                    if self.crlf_answered(now, hop) {
                        reader.forget_line_break();
                    }
                }
            }
        }
        match result {
            Ok(()) => {
                self.streams.insert(key, reader);
                StreamVerdict::Keep
            }
            Err(error) => {
                self.counters.unreadable += 1;
                self.report_refusal(now, hop, "stream".to_owned(), 0, error.cause);
                StreamVerdict::Close
            }
        }
    }

    /// A connection ended, for whatever reason. Requests that wait for an answer over it fail at
    /// once (RFC 3261 8.1.3.1), calls go on over the next connection, and an account that
    /// registered over it registers again.
    pub fn stream_closed(&mut self, now: Duration, transport: Transport, peer: SocketAddr) {
        let hop = Hop::new(transport, peer);
        self.streams.remove(&(transport == Transport::Tls, peer));
        self.fail_requests(now, |destination| destination == hop);
        if self.shutting_down {
            return;
        }
        for account in 0..self.accounts.len() {
            if self.registrar(account) == Some(hop)
                && let Some(state) = self.accounts.get_mut(account)
            {
                // What the next connection ends at has to show anew that it answers.
                state.answers_crlf = false;
                state.crlf_sent = false;
            }
            let registered = self
                .accounts
                .get(account)
                .is_some_and(|s| matches!(s.state, RegistrationState::Registered { .. }));
            if registered && self.registrar(account) == Some(hop) {
                // Not all accounts of all boxes in the same moment.
                let wait = Duration::from_secs_f64(0.1 + 0.4 * self.fraction());
                self.timers
                    .set(TimerKey::Register(account), Some(now + wait));
            }
        }
    }

    /// Fails the requests that wait for an answer from where `hit` says.
    pub(super) fn fail_requests(&mut self, now: Duration, hit: impl Fn(Hop) -> bool) {
        let waiting = |c: &ClientTransaction<super::Owner>| c.is_waiting() && hit(c.destination);
        let failed: Vec<u64> = self
            .clients
            .iter()
            .filter(|(_, c)| waiting(c))
            .map(|(id, _)| *id)
            .collect();
        for id in failed {
            let Some(client) = self.clients.get_mut(&id) else {
                continue;
            };
            if client.fall_back_to_udp(now) {
                // RFC 3261 18.1.1: it was only too large, and nobody listens on TCP.
                let (destination, payload) = (client.destination, client.payload().to_vec());
                self.transmit(destination, payload);
                self.settle_client(id);
                continue;
            }
            client.terminate();
            let owner = client.owner;
            self.request_failed(now, owner, crate::EndedBy::Transport);
            self.settle_client(id);
        }
    }
}
