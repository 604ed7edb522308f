//! Keeping track of how a NAT shows one of our sockets: asked again before the NAT forgets, so that an offer never waits.

use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::{StunClient, StunOutcome};

/// Pause between questions. NATs forget after 30 s at the soonest that is met in the field (RFC 4787, 4.3 asks for 120).
const ASK_EVERY: Duration = Duration::from_secs(25);
/// Pause after a server that says nothing or refuses.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How long an answer is believed: the pause and the tries of one question.
const GOOD_FOR: Duration = Duration::from_secs(33);

/// One socket behind a NAT, without I/O: sends what [`PortMap::poll_transmit`] gives from that socket to the server, and takes what
/// comes back.
#[derive(Debug)]
pub struct PortMap {
    server: SocketAddr,
    random: ChaCha12Rng,
    question: Option<StunClient>,
    next: Duration,
    mapped: Option<(SocketAddr, Duration)>,
}

impl PortMap {
    /// A socket of which nothing is known. `seed` must be unpredictable, and another one for each socket.
    pub fn new(server: SocketAddr, seed: [u8; 32]) -> PortMap {
        PortMap {
            server,
            random: ChaCha12Rng::from_seed(seed),
            question: None,
            next: Duration::ZERO,
            mapped: None,
        }
    }

    /// The server to send to.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// The next request, when one is due.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.question.is_none() && now >= self.next {
            let mut transaction = [0; 12];
            self.random.fill_bytes(&mut transaction);
            self.question = Some(StunClient::new(now, self.server, transaction));
        }
        let question = self.question.as_mut()?;
        let request = question.poll_transmit(now);
        if question.outcome().is_some() {
            self.conclude(now);
        }
        request
    }

    /// When [`PortMap::poll_transmit`] wants to be called.
    pub fn next_deadline(&self) -> Duration {
        let question = self.question.as_ref();
        question
            .and_then(StunClient::next_deadline)
            .unwrap_or(self.next)
    }

    /// Takes a datagram that came on the socket; true when it was the server's answer.
    pub fn handle(&mut self, now: Duration, source: SocketAddr, datagram: &[u8]) -> bool {
        let question = self.question.as_mut();
        let taken = question.is_some_and(|question| question.handle(source, datagram));
        if taken {
            self.conclude(now);
        }
        taken
    }

    fn conclude(&mut self, now: Duration) {
        let outcome = self.question.take().and_then(|question| question.outcome());
        self.next = now + AFTER_FAILURE;
        if let Some(StunOutcome::Mapped(public)) = outcome {
            self.mapped = Some((public, now));
            self.next = now + ASK_EVERY;
        }
    }

    /// Where the outside sees the socket; `None` when that is not known, or was too long ago.
    pub fn mapped(&self, now: Duration) -> Option<SocketAddr> {
        let (public, at) = self.mapped?;
        (now.saturating_sub(at) < GOOD_FOR).then_some(public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn server() -> SocketAddr {
        ([127, 0, 0, 9], 3478).into()
    }

    /// The answer to a request: `public`, plainly.
    fn answer(request: &[u8], public: [u8; 6]) -> Vec<u8> {
        let mut answer = vec![1, 1, 0, 12];
        answer.extend(&request[4..20]);
        answer.extend([0, 1, 0, 8, 0, 1, public[4], public[5]]);
        answer.extend(&public[..4]);
        answer
    }

    #[test]
    fn the_port_is_known_and_asked_for_again_before_it_is_forgotten() {
        let mut map = PortMap::new(server(), [7; 32]);
        assert_eq!(map.mapped(at(0)), None);
        let mut numbers = std::collections::HashSet::new();
        for round in 0..10_u8 {
            let now = map.next_deadline();
            assert_eq!(now, at(25 * u64::from(round)));
            let request = map.poll_transmit(now).unwrap();
            assert!(numbers.insert(request[8..20].to_vec()), "a number twice");
            let public = [203, 0, 113, 7, 0x40, round];
            assert!(!map.handle(
                now,
                ([127, 0, 0, 8], 3478).into(),
                &answer(&request, public)
            ));
            assert!(map.handle(now, server(), &answer(&request, public)));
            let expected = SocketAddr::from(([203, 0, 113, 7], 0x4000 + u16::from(round)));
            assert_eq!(map.mapped(now), Some(expected));
        }
    }

    #[test]
    fn a_server_that_falls_silent_is_not_believed_for_long() {
        let mut map = PortMap::new(server(), [7; 32]);
        let request = map.poll_transmit(at(0)).unwrap();
        map.handle(at(0), server(), &answer(&request, [203, 0, 113, 7, 1, 1]));
        let mut asked = 0;
        while map.next_deadline() < at(70) {
            asked += u32::from(map.poll_transmit(map.next_deadline()).is_some());
        }
        // Four tries of one question, then a minute's rest.
        assert_eq!(asked, 4);
        assert!(map.mapped(at(32)).is_some());
        assert_eq!(map.mapped(at(33)), None);
    }
}
