//! The session: inputs, outputs and deadlines in one place.

mod receive;
mod reports;
mod send;

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

use crate::digits::{EventReceiver, EventSender, InbandReceiver, Merger, Road, parse_info};
use crate::error::{MediaError, MediaErrorKind, SdpError};
use crate::event::{DigitSource, MediaEvent, MediaTransmit};
use crate::jitter::JitterBuffer;
use crate::quality::{CallQuality, burst_ratio};
use crate::rtp::{AudioSender, Source};
use crate::sdp::Negotiator;
use crate::srtp::Vault;
use crate::stats::{DigitMode, MediaStats};
use crate::{BLOCK_SAMPLES, Codec, InbandKeys, SessionConfig};

/// Packets before the sound is judged, about a second.
const LEAST_FOR_QUALITY: u64 = 50;
/// Events and datagrams waiting at most; a caller that never polls costs no more memory than this.
const MAX_QUEUE: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Started,
    Closed,
}

/// The media of one call. See the [crate] documentation for how to drive it.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    random: ChaCha12Rng,
    negotiator: Negotiator,
    vault: Vault,
    /// The last packet that was decrypted; kept to spare an allocation.
    clear: Vec<u8>,
    phase: Phase,
    held: bool,
    /// Where RTP came from by the last description.
    peer: Option<std::net::SocketAddr>,
    source: Option<Source>,
    jitter: JitterBuffer,
    presses: EventReceiver,
    merger: Merger,
    /// The detector of tones, while they are keys.
    inband: Option<InbandReceiver>,
    /// Until when the peer holds a key down, as far as is known.
    key_down_until: Duration,
    audio: AudioSender,
    keys: EventSender,
    /// When RTP was last heard, or when it began to be expected.
    heard: Duration,
    /// The same for RTP and RTCP together.
    heard_any: Duration,
    timed_out: bool,
    /// The last packet sent while the peer has been silent for long.
    last_sparse: Option<Duration>,
    next_report: Option<Duration>,
    reported_packets: u32,
    stats: MediaStats,
    lost_before: i64,
    /// Gaps in the sequence numbers of earlier streams.
    gaps_before: u64,
    /// What the last sound came in.
    heard_in: Option<Codec>,
    events: VecDeque<MediaEvent>,
    transmits: VecDeque<MediaTransmit>,
}

impl Session {
    /// A session that has neither offered nor started. `seed` must be unpredictable: SSRC, first sequence number, first
    /// timestamp (RFC 3550, 5.1) and the keys of SRTP come from it.
    pub fn new(mut config: SessionConfig, seed: [u8; 32]) -> Session {
        let mut random = ChaCha12Rng::from_seed(seed);
        // RFC 3550, 6.5: an SDES item has at most 255 octets.
        while config.cname.len() > 255 {
            config.cname.pop();
        }
        let negotiator = Negotiator::new(&config, &mut random);
        Session {
            negotiator,
            vault: Vault::new(),
            clear: Vec::new(),
            phase: Phase::New,
            held: false,
            peer: None,
            source: None,
            jitter: JitterBuffer::new(&config.jitter),
            presses: EventReceiver::default(),
            merger: Merger::default(),
            inband: None,
            key_down_until: Duration::ZERO,
            audio: AudioSender::new(
                random.next_u32(),
                // In the lower half (RFC 3711, 3.3.1): who misses the first packets of an encrypted stream shall not miss a
                // wrap of the counter with them.
                random.next_u32() as u16 & 0x7fff,
                random.next_u32(),
            ),
            keys: EventSender::default(),
            heard: Duration::ZERO,
            heard_any: Duration::ZERO,
            timed_out: false,
            last_sparse: None,
            next_report: None,
            reported_packets: 0,
            stats: MediaStats::default(),
            lost_before: 0,
            gaps_before: 0,
            heard_in: None,
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            config,
            random,
        }
    }

    /// An offer for our audio stream; its answer goes to [`Session::accept_answer`].
    pub fn create_offer(&mut self) -> Vec<u8> {
        self.negotiator.create_offer()
    }

    /// Takes the answer to our last offer. A further answer to the same offer (the final one after an early one, or another
    /// branch of a forked call) replaces the first.
    ///
    /// # Errors
    /// [`SdpError`] when it cannot be used; what was in force before stays in force.
    pub fn accept_answer(&mut self, now: Duration, sdp: &[u8]) -> Result<(), SdpError> {
        self.negotiator.accept_answer(sdp)?;
        self.agreed_changed(now);
        Ok(())
    }

    /// The peer refused our offer as a whole (an error response to a re-INVITE): what was in force before stays in force.
    pub fn withdraw_offer(&mut self) {
        self.negotiator.withdraw_offer();
    }

    /// Answers the peer's first or a later offer (hold, resume, a new address).
    ///
    /// # Errors
    /// [`SdpError`], whose [`kind`](SdpError::kind) gives the SIP status; what was in force before stays in force.
    pub fn answer_offer(&mut self, now: Duration, sdp: &[u8]) -> Result<Vec<u8>, SdpError> {
        let answer = self.negotiator.answer_offer(sdp)?;
        self.agreed_changed(now);
        Ok(answer)
    }

    fn agreed_changed(&mut self, now: Duration) {
        let Some(agreed) = self.negotiator.agreed() else {
            return;
        };
        self.vault.set(now, agreed.keys.as_ref());
        let wants_tones = match self.config.inband_keys {
            InbandKeys::Off => false,
            InbandKeys::WithoutEvents => agreed.event_receive.is_empty(),
            InbandKeys::Always => true,
        };
        if !wants_tones {
            self.inband = None;
        } else if self.inband.is_none() {
            self.inband = Some(InbandReceiver::new());
        }
        let moved = agreed.remote_rtp != self.peer;
        self.peer = agreed.remote_rtp;
        let on = !agreed.may_send;
        let events = agreed.event_send.is_some();
        self.audio.set_codec(agreed.send.1, agreed.wishes);
        if on != self.held {
            self.held = on;
            self.push_event(MediaEvent::Hold { on });
        }
        // Keys of before a hold must not come out after it, out of their context.
        if !events || on {
            self.keys.clear();
        }
        if moved {
            // What came from the old place can come no more: the next stream is followed from its first packet.
            self.forget_source();
        }
        // A new description restarts the clock of the timeout: the stream may come from elsewhere now. A silence that was told of
        // before has been the other stream's.
        self.timed_out = false;
        self.heard = now;
        self.heard_any = now;
    }

    /// The stream followed so far is over.
    fn forget_source(&mut self) {
        if let Some(stream) = self.source.take() {
            self.lost_before += stream.lost();
            self.gaps_before += stream.gaps;
            self.jitter.restart();
            self.presses.reset();
        }
    }

    /// 10 ms for the line, concealed where nothing came.
    pub fn pull_audio(&mut self, now: Duration, out: &mut [i16; BLOCK_SAMPLES]) {
        if self.phase != Phase::Started {
            out.fill(0);
            return;
        }
        let pause = now < self.key_down_until;
        self.jitter.pull(now, pause, out);
        let made_up = self.jitter.made_up;
        let found = self
            .inband
            .as_mut()
            .and_then(|inband| inband.received(now, out, made_up));
        if let Some(digit) = found {
            self.pressed(now, digit, Road::Sound, DigitSource::Inband, 0);
        }
    }

    /// Reports a press unless it is the twin of one that came another way.
    fn pressed(
        &mut self,
        now: Duration,
        digit: char,
        road: Road,
        via: DigitSource,
        duration_ms: u32,
    ) {
        if self.merger.press(now, digit, road) {
            self.stats.digits += 1;
            self.push_event(MediaEvent::Digit {
                digit,
                via,
                duration_ms,
            });
        } else {
            self.stats.digits_merged += 1;
        }
    }

    /// The body of a SIP INFO. A press that also comes as an RTP event is reported once.
    ///
    /// # Errors
    /// [`MediaError`] when there is no key in it or the call is not answered.
    pub fn info_digit(
        &mut self,
        now: Duration,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), MediaError> {
        match self.phase {
            Phase::Started => {}
            Phase::New => self.stats.dropped.before_start += 1,
            Phase::Closed => self.stats.dropped.after_close += 1,
        }
        if self.phase != Phase::Started {
            return Err(MediaError::new(
                MediaErrorKind::NotStarted,
                "an INFO outside an answered call",
            ));
        }
        let (digit, via, duration_ms) =
            parse_info(content_type, body).inspect_err(|_| self.stats.dropped.not_a_key += 1)?;
        self.pressed(now, digit, Road::Info, via, duration_ms);
        Ok(())
    }

    /// The call is answered: media may flow from now on.
    pub fn start(&mut self, now: Duration) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Started;
        self.heard = now;
        self.heard_any = now;
        self.next_report = Some(now + crate::rtcp::interval(&mut self.random, true));
    }

    /// The call is over: queues an RTCP BYE and ignores everything from now on.
    pub fn close(&mut self, now: Duration) {
        if self.phase == Phase::Started {
            self.send_bye(now);
        }
        self.phase = Phase::Closed;
        self.keys.clear();
        self.next_report = None;
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.phase != Phase::Started {
            return;
        }
        self.send_keys(now);
        if self.next_report.is_some_and(|due| now >= due) {
            self.send_report(now);
            self.next_report = Some(now + crate::rtcp::interval(&mut self.random, false));
        }
        if self.silence_deadline().is_some_and(|due| now >= due) {
            self.timed_out = true;
            self.push_event(MediaEvent::Timeout);
        }
    }

    /// When [`Session::handle_timeout`] has to be called.
    pub fn next_deadline(&self) -> Option<Duration> {
        if self.phase != Phase::Started {
            return None;
        }
        [
            self.keys.next_deadline(),
            self.next_report,
            self.silence_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the peer's silence has to be reported.
    fn silence_deadline(&self) -> Option<Duration> {
        let expects = self
            .negotiator
            .agreed()
            .is_some_and(|agreed| agreed.expects);
        let limit = self
            .config
            .rtp_timeout_ms
            .filter(|_| expects && !self.timed_out)?;
        Some(self.heard + Duration::from_millis(limit))
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<MediaTransmit> {
        self.transmits.pop_front()
    }

    /// Whether [`Session::poll_event`] has something to give.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<MediaEvent> {
        self.events.pop_front()
    }

    /// The counters.
    pub fn stats(&self) -> MediaStats {
        let agreed = self.negotiator.agreed();
        let counters = self.jitter.counters;
        let mut stats = MediaStats {
            codec: agreed.map(|agreed| agreed.send.1),
            encryption: self.vault.suite(),
            ptime_ms: agreed.map_or(0, |agreed| agreed.ptime_ms),
            lost: self.lost_before + self.source.as_ref().map_or(0, Source::lost),
            jitter_ms: self.source.as_ref().map_or(0.0, Source::jitter_ms),
            late: counters.late,
            concealed_ms: counters.concealed_ms,
            played_ms: counters.pulled * 10,
            digit_mode: match (&self.inband, agreed) {
                (_, Some(agreed)) if !agreed.event_receive.is_empty() => DigitMode::Rfc4733,
                (Some(_), _) => DigitMode::Inband,
                _ => DigitMode::Info,
            },
            inband_echoes: self.inband.as_ref().map_or(0, |inband| inband.echoes),
            shortened_ms: counters.shortened_samples / 8,
            held_ms: self.jitter.held_ms(),
            ..self.stats
        };
        let gaps = self.gaps_before + self.source.as_ref().map_or(0, |source| source.gaps);
        stats.mos = quality_of(&stats, self.heard_in, gaps).map(|quality| quality.mos());
        stats
    }

    fn push_event(&mut self, event: MediaEvent) {
        if self.events.len() < MAX_QUEUE {
            self.events.push_back(event);
        }
    }

    fn push_transmit(&mut self, transmit: MediaTransmit) {
        // Old sound is worth less than new sound.
        if self.transmits.len() == MAX_QUEUE {
            self.transmits.pop_front();
        }
        self.transmits.push_back(transmit);
    }
}

/// What the counters say about the sound we hear; `None` until something can be said.
fn quality_of(stats: &MediaStats, heard: Option<Codec>, gaps: u64) -> Option<CallQuality> {
    // Copies count as received and hide as many losses.
    let lost = stats.lost.saturating_add_unsigned(stats.duplicates).max(0) as u64 + stats.late;
    let expected = stats
        .packets_received
        .saturating_add_signed(stats.lost)
        .max(lost);
    if expected < LEAST_FOR_QUALITY {
        return None;
    }
    let network_ms = stats.rtt_ms.unwrap_or(0.0) / 2.0;
    Some(CallQuality {
        codec: heard?,
        delay_ms: network_ms + (stats.ptime_ms + stats.held_ms) as f32,
        loss: lost as f32 / expected as f32,
        burst_ratio: burst_ratio(lost, expected, gaps + stats.late),
    })
}
