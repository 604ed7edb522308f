//! Client transactions (RFC 3261 17.1, RFC 6026 8.4).

use super::{T1, T1X64, T2, T4};
use crate::Transport;
use crate::hop::Hop;
use crate::message::{Message, Method};
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calling (INVITE) or Trying.
    Calling,
    Proceeding,
    Completed,
    /// INVITE got 2xx (RFC 6026).
    Accepted,
    Terminated,
}

/// What to do with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnResponse {
    /// Tell the user of the transaction.
    Deliver,
    /// Send the ACK of [`ClientTransaction::ack`], then tell the user.
    AckAndDeliver,
    /// Send the ACK again; the user knows already.
    AckAgain,
    /// Nothing.
    Ignore,
}

/// What to do when a deadline is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientTimer {
    Nothing,
    Retransmit,
    /// No final response came (timer B or F).
    TimedOut,
    /// The transaction is over (timer D, K or M).
    Terminated,
}

/// One client transaction; `O` names whom it works for.
pub(crate) struct ClientTransaction<O> {
    pub(crate) request: Message,
    pub(crate) destination: Hop,
    pub(crate) owner: O,
    /// Challenges already answered for this request: 401, and 407.
    pub(crate) auth_attempts: [u8; 2],
    /// ACKs sent for 2xx by To tag, to be repeated when the 2xx is (RFC 3261 13.2.2.4).
    pub(crate) acks: Vec<(String, Hop, Vec<u8>)>,
    /// Longest wait after a provisional response to INVITE. None for a ringing phone; a re-INVITE
    /// has one, since nobody would ever give it up with CANCEL.
    pub(crate) proceeding_limit: Option<Duration>,
    payload: Vec<u8>,
    invite: bool,
    /// Went over TCP for its size only.
    too_large_for_udp: bool,
    /// CANCEL was sent although nobody waits for the answer any more.
    pub(crate) cancelled: bool,
    /// Timer B or F as it would be without `give_up_at`.
    full_timeout: Duration,
    state: State,
    retransmit_at: Option<Duration>,
    interval: Duration,
    timeout_at: Option<Duration>,
}

impl<O> ClientTransaction<O> {
    /// The caller sends [`Self::payload`] at once.
    pub(crate) fn new(request: Message, destination: Hop, owner: O, now: Duration) -> Self {
        let payload = request.to_bytes();
        let invite = request.method() == Some(&Method::INVITE);
        Self {
            request,
            destination,
            owner,
            auth_attempts: [0; 2],
            acks: Vec::new(),
            proceeding_limit: None,
            payload,
            invite,
            too_large_for_udp: false,
            cancelled: false,
            full_timeout: now + T1X64,
            state: State::Calling,
            retransmit_at: (!destination.transport.is_reliable()).then(|| now + T1),
            interval: T1,
            timeout_at: Some(now + T1X64),
        }
    }

    /// Shortens the wait for any answer.
    pub(crate) fn give_up_at(&mut self, at: Duration) {
        if self.is_waiting() {
            self.timeout_at = Some(self.timeout_at.map_or(at, |known| known.min(at)));
        }
    }

    /// No more copies; an answer is still taken.
    pub(crate) fn stop_retransmitting(&mut self) {
        self.retransmit_at = None;
    }

    /// Sends a request that is too large for UDP over TCP (RFC 3261 18.1.1). Before the first
    /// sending only.
    pub(crate) fn go_over_tcp(&mut self) {
        if self.destination.transport == Transport::Udp {
            self.too_large_for_udp = true;
            self.move_to(Transport::Tcp);
            self.retransmit_at = None;
        }
    }

    /// Nobody took the large request over TCP: UDP after all. False if it is not such a request.
    pub(crate) fn fall_back_to_udp(&mut self, now: Duration) -> bool {
        let falls = std::mem::take(&mut self.too_large_for_udp) && self.state == State::Calling;
        if falls {
            self.move_to(Transport::Udp);
            self.retransmit_at = Some(now + self.interval);
        }
        falls
    }

    fn move_to(&mut self, transport: Transport) {
        let (old, new) = (self.destination.transport.via_name(), transport.via_name());
        self.destination.transport = transport;
        if let Some(via) = self.request.headers.get("Via") {
            let via = via.replacen(&format!("/{old} "), &format!("/{new} "), 1);
            self.request.headers.set("Via", via);
        }
        self.payload = self.request.to_bytes();
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    /// True until a final response came.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        match (self.retransmit_at, self.timeout_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The machine's end without waiting, for example after a transport error.
    pub(crate) fn terminate(&mut self) {
        self.state = State::Terminated;
        self.retransmit_at = None;
        self.timeout_at = None;
    }

    pub(crate) fn on_response(&mut self, now: Duration, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Calling | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                if self.invite {
                    self.retransmit_at = None;
                    self.timeout_at = self.proceeding_limit.map(|limit| now + limit);
                } else {
                    // Somebody is there: no hurry.
                    self.timeout_at = Some(self.full_timeout);
                    if self.retransmit_at.is_some() {
                        self.interval = T2;
                    }
                }
                OnResponse::Deliver
            }
            (State::Calling | State::Proceeding, 200..=299) if self.invite => {
                self.finish(State::Accepted, now + T1X64);
                OnResponse::Deliver
            }
            (State::Calling | State::Proceeding, _) if self.invite => {
                let wait = if self.destination.transport.is_reliable() {
                    Duration::ZERO
                } else {
                    T1X64
                };
                self.finish(State::Completed, now + wait);
                OnResponse::AckAndDeliver
            }
            (State::Calling | State::Proceeding, _) => {
                let wait = if self.destination.transport.is_reliable() {
                    Duration::ZERO
                } else {
                    T4
                };
                self.finish(State::Completed, now + wait);
                OnResponse::Deliver
            }
            (State::Accepted, 200..=299) => OnResponse::Deliver,
            (State::Completed, 300..=699) if self.invite => OnResponse::AckAgain,
            _ => OnResponse::Ignore,
        }
    }

    fn finish(&mut self, state: State, until: Duration) {
        self.state = state;
        self.retransmit_at = None;
        self.timeout_at = Some(until);
    }

    pub(crate) fn on_timer(&mut self, now: Duration) -> ClientTimer {
        if self.timeout_at.is_some_and(|at| at <= now) {
            let waiting = self.is_waiting();
            self.terminate();
            return if waiting {
                ClientTimer::TimedOut
            } else {
                ClientTimer::Terminated
            };
        }
        if self.retransmit_at.is_some_and(|at| at <= now) {
            if self.state == State::Calling {
                self.interval *= 2;
                if !self.invite {
                    self.interval = self.interval.min(T2);
                }
            }
            self.retransmit_at = Some(now + self.interval);
            return ClientTimer::Retransmit;
        }
        ClientTimer::Nothing
    }

    /// ACK of a non-2xx final response: same branch, To of the response (RFC 3261 17.1.1.3).
    pub(crate) fn ack(&self, response: &Message) -> Vec<u8> {
        let mut ack = self.derived(Method::ACK);
        if let Some(to) = response.headers.get("To") {
            ack.headers.set("To", to);
        }
        ack.to_bytes()
    }

    /// A request of the same branch and CSeq number: ACK or CANCEL (RFC 3261 9.1, 17.1.1.3).
    pub(crate) fn derived(&self, method: Method) -> Message {
        let mut message =
            Message::request(method.clone(), self.request.request_uri().unwrap_or(""));
        if let Some(via) = self.request.headers.list("Via").next() {
            message.headers.push("Via", via);
        }
        message
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        for name in ["From", "To", "Call-ID"] {
            message
                .headers
                .push(name, self.request.headers.get(name).unwrap_or(""));
        }
        let cseq = self.request.cseq().map_or(0, |(number, _)| number);
        message.headers.push("CSeq", format!("{cseq} {method}"));
        for route in self.request.headers.all("Route") {
            message.headers.push("Route", route);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transaction(method: Method) -> ClientTransaction<()> {
        let destination = Hop::udp("127.0.0.1:5060".parse().unwrap());
        let request = Message::request(method, "sip:a@b");
        ClientTransaction::new(request, destination, (), Duration::ZERO)
    }

    /// Times of all retransmissions, ms, and how it ended.
    fn run(tx: &mut ClientTransaction<()>) -> (Vec<u128>, ClientTimer, u128) {
        let mut sent = Vec::new();
        loop {
            let now = tx.deadline().unwrap();
            match tx.on_timer(now) {
                ClientTimer::Retransmit => sent.push(now.as_millis()),
                ClientTimer::Nothing => {}
                end => return (sent, end, now.as_millis()),
            }
        }
    }

    #[test]
    fn timers_a_and_b() {
        let (sent, end, at) = run(&mut transaction(Method::INVITE));
        assert_eq!(sent, [500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!((end, at), (ClientTimer::TimedOut, 32_000));
    }

    #[test]
    fn timers_e_and_f() {
        let (sent, end, at) = run(&mut transaction(Method::OPTIONS));
        assert_eq!(
            sent,
            [
                500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500
            ]
        );
        assert_eq!((end, at), (ClientTimer::TimedOut, 32_000));
    }

    #[test]
    fn a_provisional_stops_invite_retransmission_and_slows_others() {
        let mut invite = transaction(Method::INVITE);
        assert_eq!(invite.on_response(Duration::ZERO, 100), OnResponse::Deliver);
        assert_eq!(invite.deadline(), None);
        let mut options = transaction(Method::OPTIONS);
        options.on_response(Duration::ZERO, 100);
        let (sent, ..) = run(&mut options);
        assert_eq!(sent, [500, 4500, 8500, 12500, 16500, 20500, 24500, 28500]);
    }

    #[test]
    fn timers_d_k_and_m() {
        let s = Duration::from_secs;
        let mut refused = transaction(Method::INVITE);
        assert_eq!(refused.on_response(s(1), 486), OnResponse::AckAndDeliver);
        assert_eq!(refused.on_response(s(2), 486), OnResponse::AckAgain);
        assert_eq!(refused.on_response(s(2), 200), OnResponse::Ignore);
        assert_eq!(run(&mut refused), (vec![], ClientTimer::Terminated, 33_000));
        let mut answered = transaction(Method::INVITE);
        assert_eq!(answered.on_response(s(1), 200), OnResponse::Deliver);
        assert_eq!(answered.on_response(s(2), 200), OnResponse::Deliver);
        assert_eq!(answered.on_response(s(2), 486), OnResponse::Ignore);
        assert_eq!(
            run(&mut answered),
            (vec![], ClientTimer::Terminated, 33_000)
        );
        let mut bye = transaction(Method::BYE);
        assert_eq!(bye.on_response(s(1), 200), OnResponse::Deliver);
        assert_eq!(bye.on_response(s(2), 200), OnResponse::Ignore);
        assert_eq!(run(&mut bye), (vec![], ClientTimer::Terminated, 6_000));
    }
}
