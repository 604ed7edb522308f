//! Deadlines by key: at most one per key, earliest first.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A set of deadlines with one entry per key.
#[derive(Debug)]
pub(crate) struct Timers<K: Ord + Copy> {
    by_time: BTreeSet<(Duration, K)>,
    by_key: BTreeMap<K, Duration>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_key: BTreeMap::new(),
        }
    }

    /// Sets, moves or (with `None`) removes the deadline of `key`.
    pub(crate) fn set(&mut self, key: K, at: Option<Duration>) {
        if let Some(old) = self.by_key.remove(&key) {
            self.by_time.remove(&(old, key));
        }
        if let Some(at) = at {
            self.by_key.insert(key, at);
            self.by_time.insert((at, key));
        }
    }

    /// Everything that has a deadline.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.by_key.keys()
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one key whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.remove(&(at, key));
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline_and_the_earliest_comes_first() {
        let mut timers = Timers::new();
        let s = Duration::from_secs;
        timers.set(1, Some(s(5)));
        timers.set(2, Some(s(3)));
        timers.set(1, Some(s(1)));
        assert_eq!(timers.next(), Some(s(1)));
        assert_eq!(timers.pop_due(s(0)), None);
        assert_eq!(timers.pop_due(s(4)), Some(1));
        assert_eq!(timers.pop_due(s(4)), Some(2));
        timers.set(3, Some(s(9)));
        timers.set(3, None);
        assert_eq!(timers.next(), None);
    }
}
