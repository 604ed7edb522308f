//! Server transactions (RFC 3261 17.2, RFC 6026 8.7). A 2xx to INVITE is retransmitted here too,
//! until the ACK is reported (RFC 3261 13.3.1.4).

use super::{T1, T1X64, T2, T4};
use crate::hop::Hop;
use crate::message::{Message, Method};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Trying or Proceeding.
    Proceeding,
    Completed,
    Confirmed,
    /// INVITE was answered 2xx (RFC 6026).
    Accepted,
    Terminated,
}

/// What to do when a deadline is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServerTimer {
    Nothing,
    /// Send the last response again.
    Retransmit,
    /// No ACK came to our 2xx within 64*T1: the call has to be ended with BYE.
    NoAck,
    /// The transaction is over.
    Terminated,
}

/// One server transaction.
pub(crate) struct ServerTransaction {
    pub(crate) request: Message,
    /// Where responses go.
    pub(crate) destination: Hop,
    /// Call this transaction belongs to.
    pub(crate) call: Option<u64>,
    /// Keys under which it is indexed.
    pub(crate) key: String,
    pub(crate) merge_key: Option<String>,
    last_response: Option<Vec<u8>>,
    invite: bool,
    acked: bool,
    state: State,
    retransmit_at: Option<Duration>,
    interval: Duration,
    timeout_at: Option<Duration>,
}

impl ServerTransaction {
    pub(crate) fn new(request: Message, destination: Hop, key: String) -> Self {
        let invite = request.method() == Some(&Method::INVITE);
        Self {
            request,
            destination,
            call: None,
            key,
            merge_key: None,
            last_response: None,
            invite,
            acked: false,
            state: State::Proceeding,
            retransmit_at: None,
            interval: T1,
            timeout_at: None,
        }
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// True until a final response was sent.
    pub(crate) fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        match (self.retransmit_at, self.timeout_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Takes a response the caller sends. False if a final one was sent before.
    pub(crate) fn respond(&mut self, now: Duration, status: u16, payload: Vec<u8>) -> bool {
        if self.state != State::Proceeding {
            return false;
        }
        self.last_response = Some(payload);
        if status < 200 {
            return true;
        }
        let reliable = self.destination.transport.is_reliable();
        self.timeout_at = Some(now + T1X64);
        self.state = State::Completed;
        match (self.invite, status) {
            (true, 200..=299) => {
                self.state = State::Accepted;
                // 2xx is retransmitted whatever the transport: proxies lie between.
                self.retransmit_at = Some(now + T1);
            }
            (true, _) => self.retransmit_at = (!reliable).then(|| now + T1),
            (false, _) if reliable => self.timeout_at = Some(now),
            (false, _) => {}
        }
        true
    }

    /// The request came again: what to send, if anything.
    pub(crate) fn on_retransmission(&self) -> Option<&[u8]> {
        match self.state {
            State::Proceeding | State::Completed => self.last_response.as_deref(),
            // RFC 6026 7.1: absorbed; the 2xx has its own timer.
            State::Accepted | State::Confirmed | State::Terminated => None,
        }
    }

    /// ACK to a non-2xx final response.
    pub(crate) fn on_ack(&mut self, now: Duration) {
        if self.invite && self.state == State::Completed {
            self.state = State::Confirmed;
            self.retransmit_at = None;
            let wait = if self.destination.transport.is_reliable() {
                Duration::ZERO
            } else {
                T4
            };
            self.timeout_at = Some(now + wait);
        }
    }

    /// ACK to our 2xx. True the first time.
    pub(crate) fn on_ack_of_2xx(&mut self) -> bool {
        let first = self.state == State::Accepted && !self.acked;
        self.acked |= first;
        if first {
            self.retransmit_at = None;
        }
        first
    }

    /// Stops the 2xx because the call is over (BYE came before the ACK).
    pub(crate) fn stop_2xx(&mut self) {
        self.on_ack_of_2xx();
    }

    pub(crate) fn last_response(&self) -> Option<&[u8]> {
        self.last_response.as_deref()
    }

    pub(crate) fn on_timer(&mut self, now: Duration) -> ServerTimer {
        if self.timeout_at.is_some_and(|at| at <= now) {
            let no_ack = self.state == State::Accepted && !self.acked;
            self.state = State::Terminated;
            self.retransmit_at = None;
            self.timeout_at = None;
            return if no_ack {
                ServerTimer::NoAck
            } else {
                ServerTimer::Terminated
            };
        }
        if self.retransmit_at.is_some_and(|at| at <= now) {
            self.interval = (self.interval * 2).min(T2);
            self.retransmit_at = Some(now + self.interval);
            return ServerTimer::Retransmit;
        }
        ServerTimer::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(method: Method) -> ServerTransaction {
        let destination = Hop::udp("127.0.0.1:5060".parse().unwrap());
        let request = Message::request(method, "sip:a@b");
        ServerTransaction::new(request, destination, String::new())
    }

    fn run(tx: &mut ServerTransaction) -> (Vec<u128>, ServerTimer, u128) {
        let mut sent = Vec::new();
        loop {
            let now = tx.deadline().unwrap();
            match tx.on_timer(now) {
                ServerTimer::Retransmit => sent.push(now.as_millis()),
                ServerTimer::Nothing => {}
                end => return (sent, end, now.as_millis()),
            }
        }
    }

    #[test]
    fn a_2xx_is_sent_until_the_ack_or_for_64_t1() {
        let mut tx = transaction(Method::INVITE);
        assert!(tx.respond(Duration::ZERO, 200, vec![1]));
        let times = [
            500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500,
        ];
        assert_eq!(run(&mut tx), (times.to_vec(), ServerTimer::NoAck, 32_000));
        let mut tx = transaction(Method::INVITE);
        tx.respond(Duration::ZERO, 200, vec![1]);
        assert!(tx.on_ack_of_2xx());
        assert!(!tx.on_ack_of_2xx());
        assert_eq!(run(&mut tx), (vec![], ServerTimer::Terminated, 32_000));
    }

    #[test]
    fn timers_g_h_i_and_j() {
        let mut tx = transaction(Method::INVITE);
        tx.respond(Duration::ZERO, 486, vec![1]);
        assert_eq!(tx.on_retransmission(), Some(&[1][..]));
        let (sent, end, at) = run(&mut tx);
        assert_eq!((sent.len(), end, at), (10, ServerTimer::Terminated, 32_000));
        let mut tx = transaction(Method::INVITE);
        tx.respond(Duration::ZERO, 486, vec![1]);
        tx.on_ack(Duration::from_secs(1));
        assert_eq!(tx.on_retransmission(), None);
        assert_eq!(run(&mut tx), (vec![], ServerTimer::Terminated, 6_000));
        let mut tx = transaction(Method::BYE);
        tx.respond(Duration::ZERO, 200, vec![1]);
        assert!(!tx.respond(Duration::ZERO, 500, vec![2]));
        assert_eq!(run(&mut tx), (vec![], ServerTimer::Terminated, 32_000));
    }
}
