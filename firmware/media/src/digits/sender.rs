//! Sending key presses as RFC 4733 events.

use std::collections::VecDeque;
use std::time::Duration;

use super::code_of_digit;
use crate::error::{MediaError, MediaErrorKind};

/// Digits waiting at most.
const MAX_QUEUE: usize = 64;
/// Time between updates, ms and timestamp units (RFC 4733, 2.5.1.2 has it follow the audio's packet time).
const UPDATE_MS: u64 = 20;
const UPDATE_UNITS: u32 = 160;
/// End packets (RFC 4733, 2.5.1.4).
const END_PACKETS: u32 = 3;
/// Volume field, -dBm0.
const VOLUME: u8 = 10;
/// Quiet after the last end packet before the next digit, ms: with the repeated ends the pause is 100 ms, twice what
/// ETSI ES 201 235-3 asks of a pause.
const PAUSE_MS: u64 = 60;

/// The clocks that a press is told by, in ticks of a line sample: 1 at 8 kHz, 6 at 48 kHz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventClocks {
    /// Of the timestamps, which are those of the sound.
    pub(crate) audio: u32,
    /// Of the durations, as the peer named it with the payload type.
    pub(crate) event: u32,
}

/// One event packet to put into RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutgoingEvent {
    pub(crate) marker: bool,
    pub(crate) timestamp: u32,
    pub(crate) payload: [u8; 4],
}

#[derive(Debug)]
struct Playing {
    code: u8,
    timestamp: u32,
    /// Updates before the first end packet.
    updates: u32,
    sent: u32,
    next: Duration,
}

/// Queue and timing of outgoing key presses.
#[derive(Debug, Default)]
pub(crate) struct EventSender {
    queue: VecDeque<(u8, u32)>,
    playing: Option<Playing>,
    not_before: Duration,
    last_end: Option<u32>,
}

impl EventSender {
    /// Queues a digit.
    pub(crate) fn push(&mut self, digit: char, duration_ms: u32) -> Result<(), MediaError> {
        let code = code_of_digit(digit).ok_or_else(|| {
            MediaError::new(MediaErrorKind::NotADigit, format!("{digit:?} is no key"))
        })?;
        if self.queue.len() >= MAX_QUEUE {
            return Err(MediaError::new(
                MediaErrorKind::QueueFull,
                format!("{MAX_QUEUE} digits are waiting"),
            ));
        }
        // The first update already says 20 ms, so n updates and the ends say n + 1 intervals.
        self.queue.push_back((code, duration_ms.clamp(40, 5000)));
        Ok(())
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.playing = None;
    }

    /// A key is down right now: no audio may be sent.
    pub(crate) fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// When [`EventSender::poll`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        match &self.playing {
            Some(playing) => Some(playing.next),
            None if self.queue.is_empty() => None,
            None => Some(self.not_before),
        }
    }

    /// The packet due at `now`, if any; `audio_timestamp` is the timestamp the next audio packet would have.
    pub(crate) fn poll(
        &mut self,
        now: Duration,
        audio_timestamp: u32,
        clocks: EventClocks,
    ) -> Option<OutgoingEvent> {
        if self.playing.is_none() && now >= self.not_before {
            let (code, duration_ms) = self.queue.pop_front()?;
            // The field of the duration ends after 8.19 s at 8 kHz, and after 1.36 s at 48 kHz.
            let duration_ms = duration_ms.min(8000 / clocks.event);
            let timestamp = self.start_timestamp(audio_timestamp, clocks.audio);
            let updates = (duration_ms.div_ceil(UPDATE_MS as u32)).max(2);
            self.playing = Some(Playing {
                code,
                timestamp,
                updates,
                sent: 0,
                next: now,
            });
        }
        let playing = self
            .playing
            .as_mut()
            .filter(|playing| now >= playing.next)?;
        let end = playing.sent >= playing.updates;
        let units = UPDATE_UNITS * (playing.sent + 1).min(playing.updates);
        let duration = u16::try_from(units * clocks.event).unwrap_or(u16::MAX);
        let duration = duration.to_be_bytes();
        let packet = OutgoingEvent {
            marker: playing.sent == 0,
            timestamp: playing.timestamp,
            payload: [
                playing.code,
                if end { 0x80 | VOLUME } else { VOLUME },
                duration[0],
                duration[1],
            ],
        };
        playing.sent += 1;
        // A late caller does not catch up in one burst.
        let update = Duration::from_millis(UPDATE_MS);
        let scheduled = playing.next + update;
        playing.next = if scheduled > now {
            scheduled
        } else {
            now + update
        };
        if playing.sent >= playing.updates + END_PACKETS {
            self.last_end = Some(playing.timestamp.wrapping_add(units * clocks.audio));
            self.not_before = now + Duration::from_millis(PAUSE_MS);
            self.playing = None;
        }
        Some(packet)
    }

    /// The audio timestamp, unless no audio has been pushed since the last digit: two digits never share a timestamp.
    fn start_timestamp(&self, audio_timestamp: u32, ticks: u32) -> u32 {
        let pause_units = (PAUSE_MS * 8) as u32 * ticks;
        match self.last_end.map(|end| end.wrapping_add(pause_units)) {
            Some(least) if (audio_timestamp.wrapping_sub(least) as i32) < 0 => least,
            _ => audio_timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: EventClocks = EventClocks { audio: 1, event: 1 };

    fn drain(
        sender: &mut EventSender,
        audio_timestamp: u32,
        clocks: EventClocks,
    ) -> Vec<(u64, OutgoingEvent)> {
        let mut out = Vec::new();
        while let Some(due) = sender.next_deadline() {
            while let Some(event) = sender.poll(due, audio_timestamp, clocks) {
                out.push((due.as_millis() as u64, event));
            }
        }
        out
    }

    #[test]
    fn a_press_is_eight_updates_and_three_ends_on_one_timestamp() {
        let mut sender = EventSender::default();
        sender.push('9', 160).unwrap();
        let sent = drain(&mut sender, 5000, USUAL);
        assert_eq!(sent.len(), 11);
        for (i, (t, event)) in sent.iter().enumerate() {
            assert_eq!(*t, 20 * i as u64);
            assert_eq!(event.timestamp, 5000);
            assert_eq!(event.marker, i == 0);
            assert_eq!(event.payload[0], 9);
            assert_eq!(event.payload[1] & 0x80 != 0, i >= 8);
            let duration = u16::from_be_bytes([event.payload[2], event.payload[3]]);
            assert_eq!(duration, 160 * (i as u16 + 1).min(8));
        }
    }

    #[test]
    fn digits_follow_each_other_with_a_pause_and_new_timestamps_even_without_audio() {
        let mut sender = EventSender::default();
        for digit in "1#".chars() {
            sender.push(digit, 100).unwrap();
        }
        let sent = drain(&mut sender, 77, USUAL);
        let starts: Vec<_> = sent.iter().filter(|(_, event)| event.marker).collect();
        assert_eq!(starts.len(), 2);
        assert_eq!(starts[1].1.payload[0], 11);
        assert_eq!(starts[1].1.timestamp, 77 + 800 + 480);
        assert_eq!(starts[1].0, 5 * 20 + 2 * 20 + 60);
    }

    #[test]
    fn a_clock_of_48_khz_counts_six_times_as_fast_and_a_long_press_fits_its_field() {
        let fast = EventClocks { audio: 6, event: 6 };
        let mut sender = EventSender::default();
        sender.push('5', 160).unwrap();
        sender.push('6', 5000).unwrap();
        let sent = drain(&mut sender, 9000, fast);
        let durations: Vec<u16> = sent
            .iter()
            .map(|(_, event)| u16::from_be_bytes([event.payload[2], event.payload[3]]))
            .collect();
        assert_eq!(durations[..3], [960, 1920, 2880]);
        assert!(durations.iter().all(|duration| *duration < u16::MAX));
        let starts: Vec<_> = sent.iter().filter(|(_, event)| event.marker).collect();
        assert_eq!(starts[1].1.timestamp, 9000 + 6 * (1280 + 480));
        // A peer with events at 8 kHz beside sound at 48: its own clock for durations, that of the sound for timestamps.
        let mut sender = EventSender::default();
        sender.push('7', 100).unwrap();
        let mixed = EventClocks { audio: 6, event: 1 };
        let sent = drain(&mut sender, 9000, mixed);
        assert_eq!(sent[0].1.payload, [7, 10, 0, 160]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_the_queue_is_bounded() {
        let mut sender = EventSender::default();
        assert_eq!(
            sender.push('x', 100).unwrap_err().kind,
            MediaErrorKind::NotADigit
        );
        for _ in 0..MAX_QUEUE {
            sender.push('d', 100).unwrap();
        }
        assert_eq!(
            sender.push('1', 100).unwrap_err().kind,
            MediaErrorKind::QueueFull
        );
    }
}
