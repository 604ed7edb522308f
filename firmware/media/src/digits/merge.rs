//! One key press that comes by several ways is one digit.

use std::collections::VecDeque;
use std::time::Duration;

/// Presses remembered.
const REMEMBERED: usize = 16;
/// How long after a press by one method its twin by another may come. An INFO may be retransmitted twice over a poor
/// network (RFC 3261: 0.5 s, then 1 s), and some phones send it when the key is released.
const WINDOW: Duration = Duration::from_millis(2000);

/// The roads of a key press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Rtp,
    Info,
    /// Tones in the sound.
    Sound,
}

impl Road {
    fn bit(self) -> u8 {
        match self {
            Road::Rtp => 1,
            Road::Info => 2,
            Road::Sound => 4,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Press {
    digit: char,
    /// The roads by which it has come.
    roads: u8,
    last_seen: Duration,
}

/// Joins presses of the same key that come by different roads, oldest first, each press at most once by each road. Two
/// presses by the same road are never merged.
#[derive(Debug, Default)]
pub(crate) struct Merger {
    presses: VecDeque<Press>,
}

impl Merger {
    /// Takes a press; true when it is to be reported, false when it is the twin of one already reported.
    pub(crate) fn press(&mut self, now: Duration, digit: char, road: Road) -> bool {
        self.presses
            .retain(|press| now.saturating_sub(press.last_seen) <= WINDOW);
        let twin = self
            .presses
            .iter_mut()
            .find(|press| press.digit == digit && press.roads & road.bit() == 0);
        if let Some(twin) = twin {
            twin.roads |= road.bit();
            return false;
        }
        if self.presses.len() == REMEMBERED {
            self.presses.pop_front();
        }
        self.presses.push_back(Press {
            digit,
            roads: road.bit(),
            last_seen: now,
        });
        true
    }

    /// The newest press of `digit` by RTP is still down: its INFO may come after its end.
    pub(crate) fn still_down(&mut self, now: Duration, digit: char) {
        if let Some(press) = self
            .presses
            .iter_mut()
            .rev()
            .find(|press| press.digit == digit && press.roads & Road::Rtp.bit() != 0)
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
    fn one_press_by_all_three_ways_is_one_digit() {
        use Road::{Info, Rtp, Sound};
        for roads in [[Rtp, Sound, Info], [Sound, Info, Rtp], [Info, Rtp, Sound]] {
            let mut merger = Merger::default();
            let told = roads.map(|road| merger.press(ms(100), '9', road));
            assert_eq!(told, [true, false, false]);
            assert!(merger.press(ms(500), '9', roads[1]));
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
        for road in [Road::Rtp, Road::Info, Road::Sound] {
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
