//! The session: inputs, outputs and deadlines in one place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::error::{MediaError, MediaErrorKind, SdpError};
use crate::event::{MediaEvent, MediaTransmit};
use crate::sdp::Negotiator;
use crate::stats::MediaStats;
use crate::{BLOCK_SAMPLES, SessionConfig};

/// The media of one call. See the [crate] documentation for how to drive it.
#[derive(Debug)]
pub struct Session {
    negotiator: Negotiator,
    started: bool,
    stats: MediaStats,
    events: VecDeque<MediaEvent>,
    transmits: VecDeque<MediaTransmit>,
}

impl Session {
    /// A session that has neither offered nor started. `seed` must be unpredictable: SSRC, first sequence number and first
    /// timestamp come from it (RFC 3550, 5.1).
    pub fn new(config: SessionConfig, seed: [u8; 32]) -> Session {
        let mut random = ChaCha12Rng::from_seed(seed);
        Session {
            negotiator: Negotiator::new(&config, random.next_u64()),
            started: false,
            stats: MediaStats::default(),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
        }
    }

    /// An offer for our audio stream; its answer goes to [`Session::accept_answer`].
    pub fn create_offer(&mut self) -> Vec<u8> {
        self.negotiator.create_offer()
    }

    /// Takes the answer to our last offer.
    ///
    /// # Errors
    /// [`SdpError`] when it cannot be used; what was in force before stays in force.
    pub fn accept_answer(&mut self, _now: Duration, sdp: &[u8]) -> Result<(), SdpError> {
        self.negotiator.accept_answer(sdp)
    }

    /// Answers the peer's first or a later offer (hold, resume, a new address).
    ///
    /// # Errors
    /// [`SdpError`], whose [`kind`](SdpError::kind) gives the SIP status; what was in force before stays in force.
    pub fn answer_offer(&mut self, _now: Duration, sdp: &[u8]) -> Result<Vec<u8>, SdpError> {
        self.negotiator.answer_offer(sdp)
    }

    /// A datagram from the RTP socket.
    pub fn handle_rtp(&mut self, _now: Duration, _source: SocketAddr, _payload: &[u8]) {
        self.stats.dropped.before_start += 1;
    }

    /// A datagram from the RTCP socket.
    pub fn handle_rtcp(&mut self, _now: Duration, _source: SocketAddr, _payload: &[u8]) {
        self.stats.dropped.before_start += 1;
    }

    /// 10 ms from the line. A packet leaves as soon as the packet time is full.
    pub fn push_audio(&mut self, _now: Duration, _samples: &[i16; BLOCK_SAMPLES]) {}

    /// 10 ms for the line, concealed where nothing came.
    pub fn pull_audio(&mut self, _now: Duration, out: &mut [i16; BLOCK_SAMPLES]) {
        out.fill(0);
    }

    /// Queues a key press for sending as RFC 4733 events, 40..=5000 ms long.
    ///
    /// # Errors
    /// [`MediaError`] when it is no key, the call is not answered, the peer has no events, or the queue is full.
    pub fn send_digit(
        &mut self,
        _now: Duration,
        digit: char,
        _duration_ms: u32,
    ) -> Result<(), MediaError> {
        Err(MediaError::new(
            MediaErrorKind::NotStarted,
            format!("digit {digit}: the call is not answered"),
        ))
    }

    /// The body of a SIP INFO. A press that also comes as an RTP event is reported once.
    ///
    /// # Errors
    /// [`MediaError`] when there is no key in it.
    pub fn info_digit(
        &mut self,
        _now: Duration,
        content_type: &str,
        _body: &[u8],
    ) -> Result<(), MediaError> {
        Err(MediaError::new(
            MediaErrorKind::UnsupportedContent,
            content_type.to_owned(),
        ))
    }

    /// The call is answered: media may flow from now on.
    pub fn start(&mut self, _now: Duration) {
        self.started = true;
    }

    /// The call is over: queues an RTCP BYE and ignores everything from now on.
    pub fn close(&mut self, _now: Duration) {
        self.started = false;
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, _now: Duration) {}

    /// When [`Session::handle_timeout`] has to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<MediaTransmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// The counters.
    pub fn stats(&self) -> MediaStats {
        self.stats
    }
}
