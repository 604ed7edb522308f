//! From single keys to the opening keys.

use std::time::Duration;

/// A pause after which the keys pressed so far are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(6);

/// Recognises the opening keys in the stream of one call's keys and counts the wrong ones.
#[derive(Debug, Clone)]
pub struct DigitMatcher {
    code: Vec<char>,
    recent: Vec<char>,
    last: Option<Duration>,
    wrong: u32,
}

impl DigitMatcher {
    /// A matcher for `code`, a string of DTMF keys.
    pub fn new(code: &str) -> DigitMatcher {
        DigitMatcher {
            code: code.chars().collect(),
            recent: Vec::new(),
            last: None,
            wrong: 0,
        }
    }

    /// Takes one key; `true` when it completes the opening keys. Keys are consumed by a match, so
    /// that "99" pressed as three nines opens once.
    pub fn press(&mut self, now: Duration, key: char) -> bool {
        if self
            .last
            .is_some_and(|last| now.saturating_sub(last) > FORGET_AFTER)
        {
            self.forget();
        }
        self.last = Some(now);
        self.recent.push(key.to_ascii_uppercase());
        if self.recent == self.code {
            self.recent.clear();
            return true;
        }
        // Every key that no longer lies on the way to the code is a wrong one, so that a search
        // through all codes runs into the limit however the keys overlap.
        while !self.code.starts_with(&self.recent) {
            self.recent.remove(0);
            self.wrong = self.wrong.saturating_add(1);
        }
        false
    }

    fn forget(&mut self) {
        self.wrong = self.wrong.saturating_add(self.recent.len() as u32);
        self.recent.clear();
    }

    /// Wrong keys so far in this call.
    pub fn wrong(&self) -> u32 {
        self.wrong
    }
}

/// What one key costs of the credit, and how much credit there is: a dialler's burst of twenty
/// keys, and ten a second for ever, which is more than a hand can do.
const KEY_COST: Duration = Duration::from_millis(100);
const MOST_CREDIT: Duration = Duration::from_secs(2);

/// Keys faster than any hand or dialler are not taken: each would cost a record in the journal.
#[derive(Debug, Clone)]
pub(crate) struct KeyPace {
    credit: Duration,
    since: Duration,
}

impl KeyPace {
    pub(crate) fn new(now: Duration) -> KeyPace {
        KeyPace {
            credit: MOST_CREDIT,
            since: now,
        }
    }

    /// Whether a key at `now` is taken.
    pub(crate) fn takes(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.since);
        self.since = self.since.max(now);
        self.credit = self.credit.saturating_add(passed).min(MOST_CREDIT);
        match self.credit.checked_sub(KEY_COST) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_keys_is_taken_at_ten_a_second_and_a_dialler_at_once() {
        let mut pace = KeyPace::new(Duration::ZERO);
        let dialled = (0..20).filter(|n| pace.takes(Duration::from_millis(60 * n)));
        assert_eq!(dialled.count(), 20);
        let mut pace = KeyPace::new(Duration::ZERO);
        let flood = (0..10_000).filter(|n| pace.takes(Duration::from_millis(*n)));
        assert_eq!(flood.count(), 20 + 99);
    }

    fn press_all(matcher: &mut DigitMatcher, keys: &str) -> Vec<usize> {
        let press = |(at, key): (usize, char)| {
            matcher
                .press(Duration::from_millis(200 * at as u64), key)
                .then_some(at)
        };
        keys.chars().enumerate().filter_map(press).collect()
    }

    #[test]
    fn a_single_key_opens_at_each_press() {
        let mut matcher = DigitMatcher::new("9");
        assert_eq!(press_all(&mut matcher, "9599"), [0, 2, 3]);
        assert_eq!(matcher.wrong(), 1);
    }

    #[test]
    fn a_code_is_found_behind_wrong_keys_and_consumed_by_a_match() {
        assert_eq!(
            press_all(&mut DigitMatcher::new("12#"), "112#2#12#"),
            [3, 8]
        );
        assert_eq!(press_all(&mut DigitMatcher::new("99"), "999"), [1]);
    }

    #[test]
    fn a_pause_forgets_what_was_pressed() {
        let mut matcher = DigitMatcher::new("12");
        assert!(!matcher.press(Duration::from_secs(0), '1'));
        assert!(!matcher.press(Duration::from_secs(7), '2'));
        assert_eq!(matcher.wrong(), 2);
    }

    #[test]
    fn searching_all_codes_is_counted() {
        let mut matcher = DigitMatcher::new("7391");
        let mut now = Duration::ZERO;
        for code in 0..100 {
            for key in format!("{code:04}").chars() {
                now += Duration::from_millis(100);
                matcher.press(now, key);
            }
        }
        assert!(
            matcher.wrong() > 300,
            "{} wrong keys counted",
            matcher.wrong()
        );
    }
}
