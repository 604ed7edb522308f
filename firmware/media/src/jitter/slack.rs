//! How much time packets have to spare.

use std::time::Duration;

/// Parts the memory is divided into; the oldest is dropped as a whole.
const PARTS: usize = 8;

/// Remembers the least time, in samples, between the arrival of a packet and the moment it is due, over the last seconds.
/// Whatever is left of that above the margin is delay nobody needs.
#[derive(Debug)]
pub(crate) struct Slack {
    least: [Option<i32>; PARTS],
    part: usize,
    part_length: Duration,
    part_started: Option<Duration>,
    filled: usize,
}

impl Slack {
    pub(crate) fn new(memory_ms: u32) -> Slack {
        Slack {
            least: [None; PARTS],
            part: 0,
            part_length: Duration::from_millis(
                u64::from(memory_ms.clamp(400, 60_000)) / PARTS as u64,
            ),
            part_started: None,
            filled: 0,
        }
    }

    /// A packet came `samples` before it was due; negative when it came too late.
    pub(crate) fn note(&mut self, now: Duration, samples: i32) {
        let started = *self.part_started.get_or_insert(now);
        if now.saturating_sub(started) >= self.part_length {
            self.part = (self.part + 1) % PARTS;
            self.part_started = Some(now);
            self.filled = (self.filled + 1).min(PARTS);
            if let Some(least) = self.least.get_mut(self.part) {
                *least = None;
            }
        }
        if let Some(least) = self.least.get_mut(self.part) {
            *least = Some(least.map_or(samples, |known| known.min(samples)));
        }
    }

    /// The least of the memory, once it has been filled.
    pub(crate) fn least(&self) -> Option<i32> {
        if self.filled < PARTS {
            return None;
        }
        self.least.iter().flatten().min().copied()
    }

    /// The play-out moved: every packet remembered would now have `samples` more (or less) to spare.
    pub(crate) fn shift(&mut self, samples: i32) {
        for least in self.least.iter_mut().flatten() {
            *least = least.saturating_add(samples);
        }
    }

    /// Starts over.
    pub(crate) fn reset(&mut self) {
        self.least = [None; PARTS];
        self.part_started = None;
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_is_known_after_a_full_memory_and_forgotten_after_another() {
        let mut slack = Slack::new(4000);
        let at = |slack: &mut Slack, ms: u64| {
            slack.note(Duration::from_millis(ms), if ms == 1000 { 8 } else { 80 });
        };
        for ms in (0..4000).step_by(20) {
            at(&mut slack, ms);
        }
        assert_eq!(slack.least(), None);
        at(&mut slack, 4000);
        assert_eq!(slack.least(), Some(8));
        slack.shift(-4);
        assert_eq!(slack.least(), Some(4));
        for ms in (4020..6000).step_by(20) {
            at(&mut slack, ms);
        }
        assert_eq!(slack.least(), Some(76));
    }
}
