//! RTP from the peer.

use std::net::SocketAddr;
use std::time::Duration;

use rand_core::Rng;

use super::{Phase, Session};
use crate::MediaEvent;
use crate::digits::{EventPacket, Road, digit_of_code};
use crate::event::DigitSource;
use crate::rtp::{Arrival, Packet, Source};
use crate::srtp::Refused;

/// A new SSRC is followed once the current one has been silent for this long. While the honest stream runs, nobody can take
/// its place; a transfer at the PBX is followed after a pause nobody hears.
const SSRC_HANDOVER: Duration = Duration::from_millis(100);
/// Largest audio payload taken, samples (200 ms).
const MAX_PAYLOAD: usize = 1600;
/// Static payload type of comfort noise (RFC 3389).
const COMFORT_NOISE_PT: u8 = 13;
/// After an event packet no audio is expected for this long: events come every 50 ms at least.
const EVENT_HOLD: Duration = Duration::from_millis(60);

/// What a payload type stands for.
enum Content {
    Audio(crate::Codec),
    /// With the ticks of its clock in a line sample.
    Event(u32),
    ComfortNoise,
}

impl Session {
    /// A datagram from the RTP socket.
    ///
    /// It is taken only from the address and port of the peer's current description, only between the answer and the end of
    /// the call, only under the peer's key when the call is encrypted, and only with an agreed payload type; everything else
    /// is counted and dropped.
    pub fn handle_rtp(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        if !self.is_open() {
            return;
        }
        let Some(agreed) = self.negotiator.agreed() else {
            self.stats.dropped.before_start += 1;
            return;
        };
        if !is_same(agreed.remote_rtp, source) {
            self.stats.dropped.wrong_source += 1;
            return;
        }
        let mut clear = std::mem::take(&mut self.clear);
        match self.vault.open(now, false, payload, &mut clear) {
            Ok(packet) => self.receive_rtp(now, packet),
            Err(refused) => self.count_refused(refused),
        }
        self.clear = clear;
    }

    /// Counts what the keys did not let in.
    pub(super) fn count_refused(&mut self, refused: Refused) {
        let counts = &mut self.stats.dropped;
        match refused {
            Refused::Malformed => counts.bad_packet += 1,
            Refused::Forged => counts.forged += 1,
            Refused::Replayed => counts.replayed += 1,
        }
    }

    /// An RTP packet from the right place, decrypted.
    fn receive_rtp(&mut self, now: Duration, payload: &[u8]) {
        let Some(packet) = Packet::parse(payload) else {
            self.stats.dropped.bad_packet += 1;
            return;
        };
        let Some(content) = self.content_of(packet.payload_type) else {
            return;
        };
        let possible = match content {
            Content::Audio(codec) => codec.samples_in(packet.payload).is_some(),
            _ => !packet.payload.is_empty(),
        };
        if !possible || packet.payload.len() > MAX_PAYLOAD {
            self.stats.dropped.bad_packet += 1;
            return;
        }
        if !self.follow(now, &packet) {
            self.stats.dropped.wrong_ssrc += 1;
            return;
        }
        self.hear(now);
        self.stats.packets_received += 1;
        self.stats.octets_received += packet.payload.len() as u64;
        let Some(stream) = self.source.as_mut() else {
            return;
        };
        let arrival = stream.arrived(now, packet.sequence);
        match arrival {
            Arrival::Duplicate => self.stats.duplicates += 1,
            Arrival::Reordered => self.stats.reordered += 1,
            Arrival::InOrder => {}
        }
        match content {
            // Some phones do not count event packets, so a copy by number may be news; the receiver sorts them out.
            Content::Event(ticks) => self.receive_event(now, &packet, ticks),
            Content::Audio(codec) if arrival != Arrival::Duplicate => {
                if stream.ticks != codec.ticks() {
                    // The peer changed to a codec with another clock; its timestamps begin anew.
                    stream.ticks = codec.ticks();
                    self.jitter.restart();
                }
                let timestamp = stream.time.of(packet.timestamp, codec.ticks());
                stream.timed(now, timestamp);
                self.jitter.insert(now, timestamp, codec, packet.payload);
                self.heard_in = Some(codec);
            }
            Content::Audio(_) => {}
            Content::ComfortNoise => self.stats.dropped.comfort_noise += 1,
        }
    }

    /// Counts and refuses what comes outside the answered call.
    pub(super) fn is_open(&mut self) -> bool {
        match self.phase {
            Phase::Started => true,
            Phase::New => {
                self.stats.dropped.before_start += 1;
                false
            }
            Phase::Closed => {
                self.stats.dropped.after_close += 1;
                false
            }
        }
    }

    /// Something valid came from the peer.
    fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.heard_any = now;
        if self.timed_out {
            self.timed_out = false;
            self.push_event(MediaEvent::Resumed);
        }
    }

    fn content_of(&mut self, payload_type: u8) -> Option<Content> {
        let agreed = self.negotiator.agreed()?;
        if let Some((_, codec)) = agreed.receive.iter().find(|(pt, _)| *pt == payload_type) {
            return Some(Content::Audio(*codec));
        }
        let events = agreed.event_receive.iter();
        if let Some((_, ticks)) = events.copied().find(|(pt, _)| *pt == payload_type) {
            return Some(Content::Event(ticks));
        }
        // Where the peer uses the number for something else it means that.
        let free = !agreed.named_by_peer.contains(&payload_type);
        if payload_type == self.negotiator.own_event_pt() && free {
            if self.config.accept_unnegotiated_events {
                return Some(Content::Event(1));
            }
            self.stats.dropped.unnegotiated_event += 1;
            return None;
        }
        if payload_type == COMFORT_NOISE_PT {
            return Some(Content::ComfortNoise);
        }
        self.stats.dropped.wrong_pt += 1;
        None
    }

    /// Whether the packet belongs to the stream we follow, which changes only after a silence.
    fn follow(&mut self, now: Duration, packet: &Packet<'_>) -> bool {
        match &self.source {
            Some(source) if source.ssrc == packet.ssrc => return true,
            Some(source) => {
                if now.saturating_sub(source.last_heard) < SSRC_HANDOVER {
                    return false;
                }
                self.lost_before += source.lost();
                self.gaps_before += source.gaps;
                self.stats.ssrc_changes += 1;
                self.jitter.restart();
                self.presses.reset();
            }
            None => {}
        }
        if packet.ssrc == self.audio.ssrc {
            // RFC 3550, 8.2: the two of us drew the same number; say goodbye under it and draw again.
            self.send_bye(now);
            self.audio.ssrc = self.random.next_u32();
        }
        self.source = Some(Source::new(now, packet.ssrc, packet.sequence));
        true
    }

    fn receive_event(&mut self, now: Duration, packet: &Packet<'_>, ticks: u32) {
        // Presses are told apart by the line's clock. A sender that counts its events at 8 kHz beside sound at 48 may take either
        // clock for the timestamp; equal ones are equal by both.
        let timestamp = match self.source.as_mut() {
            Some(stream) if ticks > 1 => stream.time.of(packet.timestamp, ticks),
            _ => packet.timestamp,
        };
        let parsed = EventPacket::parse(packet.sequence, timestamp, packet.marker, packet.payload);
        let Some(mut event) = parsed else {
            self.stats.dropped.bad_packet += 1;
            return;
        };
        event.duration = (u32::from(event.duration) / ticks.max(1)) as u16;
        let Some(digit) = digit_of_code(event.code) else {
            self.stats.dropped.not_a_key += 1;
            return;
        };
        if !event.end {
            self.key_down_until = now + EVENT_HOLD;
        }
        if !self.presses.receive(now, event) {
            self.merger.still_down(now, digit);
            return;
        }
        let duration_ms = u32::from(event.duration) / 8;
        self.pressed(now, digit, Road::Rtp, DigitSource::Rfc4733, duration_ms);
    }
}

/// Whether a datagram comes from the expected address and port. A dual-stack socket shows IPv4 peers as mapped IPv6, and
/// IPv6 sockets add flow and scope numbers; none of that is part of the address in SDP.
pub(super) fn is_same(expected: Option<SocketAddr>, source: SocketAddr) -> bool {
    expected.is_some_and(|expected| {
        expected.port() == source.port()
            && expected.ip().to_canonical() == source.ip().to_canonical()
    })
}
