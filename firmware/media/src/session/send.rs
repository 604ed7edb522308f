//! RTP to the peer.

use std::time::Duration;

use super::{Phase, Session};
use crate::digits::EventClocks;
use crate::error::{MediaError, MediaErrorKind};
use crate::event::{MediaTransmit, TransmitKind};
use crate::rtp::{Packet, build};
use crate::{BLOCK_SAMPLES, Codec};

/// Time between packets to a peer that has been silent for too long.
const SPARSE: Duration = Duration::from_secs(1);

impl Session {
    /// 10 ms from the line. A packet leaves as soon as the packet time is full.
    pub fn push_audio(&mut self, now: Duration, samples: &[i16; BLOCK_SAMPLES]) {
        if self.phase != Phase::Started {
            return;
        }
        self.send_keys(now);
        if let Some(inband) = &mut self.inband {
            inband.sending(now, samples);
        }
        let target = self
            .negotiator
            .agreed()
            .filter(|agreed| agreed.may_send)
            .and_then(|agreed| Some((agreed.remote_rtp?, agreed.send.0, agreed.ptime_ms)));
        let Some((destination, payload_type, ptime_ms)) =
            target.filter(|_| !self.keys.is_playing())
        else {
            self.audio.skip(BLOCK_SAMPLES);
            return;
        };
        if self.is_sparse(now) {
            self.audio.skip(BLOCK_SAMPLES);
            return;
        }
        let ssrc = self.audio.ssrc;
        let marker = self.audio.marker;
        let sequence = self.audio.next_sequence();
        let Some(full) = self.audio.push(ptime_ms, samples) else {
            return;
        };
        let octets = full.payload.len();
        let payload = build(&Packet {
            payload_type,
            marker,
            sequence,
            timestamp: full.timestamp,
            ssrc,
            payload: full.payload,
        });
        if let Some(mut payload) = payload
            && self.vault.protect_rtp(&mut payload)
        {
            self.audio.sent(octets);
            self.audio.marker = false;
            self.stats.packets_sent += 1;
            self.stats.octets_sent += octets as u64;
            self.push_transmit(MediaTransmit {
                kind: TransmitKind::Rtp,
                destination,
                payload,
            });
            if self.is_peer_silent(now) {
                self.last_sparse = Some(now);
            }
        }
    }

    /// Queues a key press for sending as RFC 4733 events, 40..=5000 ms long.
    ///
    /// # Errors
    /// [`MediaError`] when it is no key, the call is not answered or on hold, the peer has no events, or the queue is full.
    pub fn send_digit(
        &mut self,
        now: Duration,
        digit: char,
        duration_ms: u32,
    ) -> Result<(), MediaError> {
        if self.phase != Phase::Started {
            return Err(MediaError::new(
                MediaErrorKind::NotStarted,
                format!("digit {digit:?}: the call is not answered"),
            ));
        }
        let agreed = self.negotiator.agreed();
        if agreed.is_none_or(|agreed| agreed.event_send.is_none()) {
            return Err(MediaError::new(
                MediaErrorKind::EventsNotNegotiated,
                format!("digit {digit:?}: the peer has not agreed to telephone-event"),
            ));
        }
        if agreed.is_none_or(|agreed| !agreed.may_send) {
            return Err(MediaError::new(
                MediaErrorKind::OnHold,
                format!("digit {digit:?}: the call is on hold"),
            ));
        }
        self.keys.push(digit, duration_ms)?;
        self.send_keys(now);
        Ok(())
    }

    /// Sends the event packets due at `now`.
    pub(super) fn send_keys(&mut self, now: Duration) {
        loop {
            let target = self
                .negotiator
                .agreed()
                .filter(|agreed| agreed.may_send)
                .and_then(|agreed| Some((agreed.remote_rtp?, agreed.event_send?)));
            let clocks = EventClocks {
                audio: self.audio.ticks(),
                event: target.map_or(1, |(_, (_, ticks))| ticks),
            };
            let polled = self.keys.poll(now, self.audio.timestamp(), clocks);
            let Some(event) = polled else { break };
            let Some((destination, (payload_type, _))) = target else {
                continue;
            };
            let payload = build(&Packet {
                payload_type,
                marker: event.marker,
                sequence: self.audio.next_sequence(),
                timestamp: event.timestamp,
                ssrc: self.audio.ssrc,
                payload: &event.payload,
            });
            if let Some(mut payload) = payload
                && self.vault.protect_rtp(&mut payload)
            {
                self.audio.sent(event.payload.len());
                self.stats.packets_sent += 1;
                self.stats.octets_sent += event.payload.len() as u64;
                self.push_transmit(MediaTransmit {
                    kind: TransmitKind::Rtp,
                    destination,
                    payload,
                });
            }
        }
    }

    /// The codec we send, once agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.negotiator.agreed().map(|agreed| agreed.send.1)
    }

    fn is_peer_silent(&self, now: Duration) -> bool {
        let limit = self.config.silent_peer_limit_ms;
        limit.is_some_and(|ms| now.saturating_sub(self.heard_any) >= Duration::from_millis(ms))
    }

    /// The peer has been silent for so long that only one packet a second goes out, and it is not time for one.
    fn is_sparse(&self, now: Duration) -> bool {
        self.is_peer_silent(now)
            && self
                .last_sparse
                .is_some_and(|last| now.saturating_sub(last) < SPARSE)
    }
}
