//! Between the media sessions and the controller.

use std::time::Duration;

use call::LegId;
use media::{Codec, JitterConfig, MediaEvent, Session, SessionConfig};

use crate::Gateway;
use crate::leg::Leg;

impl Gateway {
    /// Remembers a leg under both its names.
    pub(crate) fn keep_leg(&mut self, id: LegId, leg: Leg) {
        self.calls.insert(leg.call, id);
        self.legs.insert(id, leg);
    }

    /// A media session on a free pair of ports, and the index of the pair.
    pub(crate) fn new_session(&mut self, id: LegId) -> Option<(usize, Session)> {
        let slot = self.slot_of.iter().position(Option::is_none)?;
        self.slot_of[slot] = Some(id);
        self.sessions += 1;
        let mut seed = self.seed;
        for (byte, count) in seed.iter_mut().zip(self.sessions.to_le_bytes()) {
            *byte ^= count;
        }
        let media = &self.config.media;
        let codec = |codec: &config::Codec| match codec {
            config::Codec::Pcma => Codec::Pcma,
            config::Codec::Pcmu => Codec::Pcmu,
        };
        let config = SessionConfig {
            codecs: media.codecs.iter().map(codec).collect(),
            ptime_ms: media.ptime_ms,
            telephone_event_pt: media.telephone_event_payload_type,
            rtp_timeout_ms: Some(self.config.call.rtp_timeout.as_millis() as u64),
            jitter: JitterConfig::default(),
            ..SessionConfig::new(self.rtp_local[slot])
        };
        Some((slot, Session::new(config, seed)))
    }

    pub(crate) fn drain_media(&mut self, now: Duration) -> bool {
        let mut events = Vec::new();
        for (id, leg) in &mut self.legs {
            while let Some(event) = leg.session.poll_event() {
                events.push((*id, event));
            }
        }
        let busy = !events.is_empty();
        for (id, event) in events {
            match event {
                MediaEvent::Digit { digit, via, .. } => {
                    self.test_call_digit(id, digit);
                    self.controller.leg_digit(now, id, digit, via.name());
                }
                MediaEvent::Timeout => {
                    self.controller.leg_media_lost(now, id);
                    self.test_call_silent(id);
                }
                MediaEvent::Resumed | MediaEvent::Hold { .. } => {}
            }
        }
        busy
    }
}
