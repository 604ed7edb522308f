//! Telling one key press from the next in a stream of RFC 4733 packets.
//!
//! RFC 4733 marks a press by one RTP timestamp, a marker on its first packet and three end packets. Phones in the field
//! break each of these rules, and the network drops, copies and reorders packets, so no single mark is relied on:
//!
//! * the same timestamp is the same press, unless a fresh marker starts over after an end;
//! * another timestamp is the same press when the packet merely carries the press on: a sender whose timestamp drifts with
//!   every packet, an end packet repeated with a new timestamp, the next segment of a press longer than 8.19 s;
//! * a packet older than the newest one by sequence number belongs to the press whose time it touches.
//!
//! Everything else is a new press. Two presses of a human hand or a dialler start at least 60 ms apart.

use std::time::Duration;

/// Presses remembered, so that late copies of their packets are recognised.
const REMEMBERED: usize = 8;
/// A press is forgotten this long after its last packet.
const FORGET_AFTER: Duration = Duration::from_secs(20);
/// Two presses of one key cannot start closer together than this: 40 ms of key and 20 ms of pause, in timestamp units.
const LEAST_PERIOD: i32 = 480;
/// Silence between two updates of one press that still counts as the same press when its timestamp drifts.
const LONGEST_UPDATE_GAP: Duration = Duration::from_millis(200);
/// Packets this far behind the newest are reordered; further behind, the counter has jumped.
const REORDER_WINDOW: i16 = 100;
/// The gap below which two stretches of time are one press, in timestamp units (15 ms).
const TOUCHING: i32 = 120;

/// The fields of one event packet that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventPacket {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) code: u8,
    pub(crate) end: bool,
    /// Timestamp units the key has been down.
    pub(crate) duration: u16,
}

impl EventPacket {
    /// Reads an event payload (RFC 4733, 2.3): event, end bit, reserved bit, volume, duration. Longer payloads are taken;
    /// only the first event counts.
    pub(crate) fn parse(
        sequence: u16,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Option<EventPacket> {
        let [code, flags, high, low, ..] = *payload else {
            return None;
        };
        let duration = u16::from_be_bytes([high, low]);
        Some(EventPacket {
            sequence,
            timestamp,
            marker,
            code,
            end: flags & 0x80 != 0,
            duration,
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Press {
    code: u8,
    first_timestamp: u32,
    last_timestamp: u32,
    last_sequence: u16,
    last_duration: u16,
    ended: bool,
    last_seen: Duration,
}

/// The presses of one RTP source.
#[derive(Debug, Default)]
pub(crate) struct EventReceiver {
    presses: Vec<Press>,
}

impl EventReceiver {
    /// Takes a packet; true when it starts a press.
    pub(crate) fn receive(&mut self, now: Duration, packet: EventPacket) -> bool {
        self.presses
            .retain(|press| now.saturating_sub(press.last_seen) < FORGET_AFTER);
        // Newest first: a packet is far more likely to belong to the press in progress.
        if let Some(press) = self
            .presses
            .iter_mut()
            .rev()
            .find(|press| press.owns(now, &packet))
        {
            press.update(now, &packet);
            return false;
        }
        if self.presses.len() == REMEMBERED {
            self.presses.remove(0);
        }
        self.presses.push(Press {
            code: packet.code,
            first_timestamp: packet.timestamp,
            last_timestamp: packet.timestamp,
            last_sequence: packet.sequence,
            last_duration: packet.duration,
            ended: packet.end,
            last_seen: now,
        });
        true
    }

    /// Forgets everything: another source speaks now.
    pub(crate) fn reset(&mut self) {
        self.presses.clear();
    }
}

/// `a - b` on the circle of timestamps.
fn after(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

impl Press {
    fn owns(&self, now: Duration, packet: &EventPacket) -> bool {
        if packet.code != self.code {
            return false;
        }
        let sequence_step = packet.sequence.wrapping_sub(self.last_sequence) as i16;
        let older = sequence_step < 0 && sequence_step > -REORDER_WINDOW;
        let shrunk = packet.duration < self.last_duration;
        if packet.timestamp == self.last_timestamp || packet.timestamp == self.first_timestamp {
            // A sender whose clock stands still between presses: a fresh marker with a fresh duration.
            let starts_over =
                self.ended && packet.marker && !packet.end && sequence_step > 0 && shrunk;
            return !starts_over;
        }
        if older {
            return self.touches(packet);
        }
        let step = after(packet.timestamp, self.last_timestamp);
        if step <= 0 {
            // Newer by number but older by time: only sound as part of what is already known.
            return !self.ended && self.touches(packet);
        }
        if self.continues(packet, step) {
            return true;
        }
        if shrunk || now.saturating_sub(self.last_seen) > LONGEST_UPDATE_GAP {
            return false;
        }
        let grown = i32::from(packet.duration) - i32::from(self.last_duration);
        if self.ended {
            // The end repeated with a drifting timestamp.
            return packet.end
                && grown <= step
                && step <= LEAST_PERIOD
                && step < i32::from(self.last_duration) + 80;
        }
        // The timestamp drifts with the updates: it and the duration grow by the same amount, or it moves by less than any
        // second press could.
        // The duration of an end packet lags by one update.
        let lag = if packet.end { 160 } else { 80 };
        !packet.marker && ((-80..=lag).contains(&(step - grown)) || step <= LEAST_PERIOD)
    }

    /// The next segment of a press longer than a duration field can say (RFC 4733, 2.5.1.3).
    fn continues(&self, packet: &EventPacket, step: i32) -> bool {
        let full = i32::from(self.last_duration);
        !packet.marker && !self.ended && full >= 0xf000 && (step - full).abs() <= 1600
    }

    /// Whether the packet's stretch of time meets the one covered so far.
    fn touches(&self, packet: &EventPacket) -> bool {
        let packet_end = packet.timestamp.wrapping_add(u32::from(packet.duration));
        let press_end = self
            .last_timestamp
            .wrapping_add(u32::from(self.last_duration));
        after(packet_end, self.first_timestamp) >= -TOUCHING
            && after(packet.timestamp, press_end) <= TOUCHING
    }

    fn update(&mut self, now: Duration, packet: &EventPacket) {
        self.last_seen = now;
        self.ended |= packet.end;
        let step = packet.sequence.wrapping_sub(self.last_sequence) as i16;
        if step >= 0 || step <= -REORDER_WINDOW {
            self.last_sequence = packet.sequence;
        }
        let moved = after(packet.timestamp, self.last_timestamp);
        if moved > 0 {
            self.last_timestamp = packet.timestamp;
            self.last_duration = packet.duration;
        } else if moved == 0 {
            self.last_duration = self.last_duration.max(packet.duration);
        } else if after(packet.timestamp, self.first_timestamp) < 0 {
            self.first_timestamp = packet.timestamp;
        }
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
