//! One key press that comes by RTP and by INFO is one digit.

use std::collections::VecDeque;
use std::time::Duration;

/// Presses remembered.
const REMEMBERED: usize = 16;
/// How long after a press by one method its twin by the other may come. An INFO may be retransmitted twice over a poor
/// network (RFC 3261: 0.5 s, then 1 s), and some phones send it when the key is released.
const WINDOW: Duration = Duration::from_millis(2000);

/// The two roads of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Rtp,
    Info,
}

#[derive(Debug, Clone, Copy)]
struct Press {
    digit: char,
    road: Road,
    last_seen: Duration,
}

/// Pairs presses of the same key that come by different roads, oldest first, each press at most once. Two presses by the
/// same road are never merged.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    unpaired: VecDeque<Press>,
}

impl Merger {
    /// Takes a press; true when it is to be reported, false when it is the twin of one already reported.
    pub(crate) fn press(&mut self, now: Duration, digit: char, road: Road) -> bool {
        self.unpaired
            .retain(|press| now.saturating_sub(press.last_seen) <= WINDOW);
        let twin = self
            .unpaired
            .iter()
            .position(|press| press.digit == digit && press.road != road);
        if let Some(index) = twin {
            self.unpaired.remove(index);
            return false;
        }
        if self.unpaired.len() == REMEMBERED {
            self.unpaired.pop_front();
        }
        self.unpaired.push_back(Press {
            digit,
            road,
            last_seen: now,
        });
        true
    }

    /// The newest press of `digit` by RTP is still down: its INFO may come after its end.
    pub(crate) fn still_down(&mut self, now: Duration, digit: char) {
        if let Some(press) = self
            .unpaired
            .iter_mut()
            .rev()
            .find(|press| press.digit == digit && press.road == Road::Rtp)
        {
            press.last_seen = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn one_press_both_ways_is_one_digit_whichever_comes_first() {
        for (first, second) in [(Road::Rtp, Road::Info), (Road::Info, Road::Rtp)] {
            let mut merger = Merger::default();
            assert!(merger.press(ms(0), '9', first));
            assert!(!merger.press(ms(300), '9', second));
            // The pair is used up: the next press counts again, and is one again.
            assert!(merger.press(ms(500), '9', first));
            assert!(!merger.press(ms(510), '9', second));
        }
    }

    #[test]
    fn two_quick_presses_both_ways_are_two_digits() {
        let mut merger = Merger::default();
        assert!(merger.press(ms(0), '9', Road::Rtp));
        assert!(merger.press(ms(100), '9', Road::Rtp));
        assert!(!merger.press(ms(150), '9', Road::Info));
        assert!(!merger.press(ms(250), '9', Road::Info));
    }

    #[test]
    fn one_road_never_merges_with_itself() {
        for road in [Road::Rtp, Road::Info] {
            let mut merger = Merger::default();
            assert!((0..40).all(|i| merger.press(ms(i * 60), '9', road)));
        }
    }

    #[test]
    fn different_keys_and_late_twins_are_digits_of_their_own() {
        let mut merger = Merger::default();
        assert!(merger.press(ms(0), '9', Road::Rtp));
        assert!(merger.press(ms(10), '8', Road::Info));
        assert!(merger.press(ms(2011), '9', Road::Info));
    }

    #[test]
    fn an_info_at_the_release_of_a_long_press_is_its_twin() {
        let mut merger = Merger::default();
        assert!(merger.press(ms(0), '9', Road::Rtp));
        for t in (0..2500).step_by(20) {
            merger.still_down(ms(t), '9');
        }
        assert!(!merger.press(ms(2600), '9', Road::Info));
    }
}
