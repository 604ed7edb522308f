//! Counts the address pulses from the edges of the wire.

use super::profile::PulseAddress;

/// What the edges said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PulseEvent {
    /// A reset was seen; an address follows.
    Reset,
    /// The panel called this address.
    Address {
        /// 1 to 255.
        address: u16,
        /// When the wire rose after the reset.
        at_us: u64,
    },
    /// What followed the reset was no address.
    Rejected {
        /// Why.
        why: PulseDoubt,
        /// When the wire rose after the reset.
        at_us: u64,
    },
}

/// Why pulses are no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PulseDoubt {
    /// No pulse followed the reset.
    NoPulse,
    /// More pulses than the largest address.
    TooMany,
    /// A low too long for a pulse and too short for a reset.
    BadPulse,
}

impl PulseDoubt {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoPulse => "no_pulse",
            Self::TooMany => "too_many",
            Self::BadPulse => "bad_pulse",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for a reset.
    Waiting,
    /// After the rise of a reset.
    Counting { since: u64, count: u16, last: u64 },
}

/// Follows the edges of one wire. Times are microseconds since an arbitrary moment.
#[derive(Debug, Clone)]
pub struct PulseReader {
    rule: PulseAddress,
    state: State,
    /// The level after the glitch filter, and since when.
    high: bool,
    since_us: u64,
    /// An edge that has not yet stood long enough.
    fresh: Option<(u64, bool)>,
    now_us: u64,
}

impl PulseReader {
    /// A reader of a resting wire.
    #[must_use]
    pub const fn new(rule: PulseAddress) -> Self {
        Self {
            rule,
            state: State::Waiting,
            high: true,
            since_us: 0,
            fresh: None,
            now_us: 0,
        }
    }

    /// An edge: from now on the wire is high or low. Time must not run backwards; if it does, the
    /// edge counts as of now.
    pub fn edge(&mut self, at_us: u64, high: bool) -> Option<PulseEvent> {
        let event = self.advance(at_us);
        let at_us = self.now_us;
        match self.fresh {
            // Back within the filter's time: a glitch, as if nothing had been.
            Some((_, fresh)) if fresh != high => self.fresh = None,
            Some(_) => {}
            None if high != self.high => self.fresh = Some((at_us, high)),
            None => {}
        }
        event
    }

    /// Time passes without an edge. At most one event is due for each call; call it at least every
    /// 2 ms of signal, or with every edge.
    pub fn advance(&mut self, now_us: u64) -> Option<PulseEvent> {
        self.now_us = self.now_us.max(now_us);
        if let Some((at, high)) = self.fresh
            && self.now_us.saturating_sub(at) >= self.rule.glitch_max_us.value
        {
            self.fresh = None;
            let before = at.saturating_sub(self.since_us);
            // An end that was due before this edge comes first.
            let ended = if self.high { self.ended(at) } else { None };
            self.high = high;
            self.since_us = at;
            return ended.or_else(|| if high { self.rise(at, before) } else { None });
        }
        if self.high && self.fresh.is_none() {
            return self.ended(self.now_us);
        }
        None
    }

    /// The wire rose after a low of `low_us`.
    fn rise(&mut self, at: u64, low_us: u64) -> Option<PulseEvent> {
        let reset = self.rule.reset_min_ms.value * 1000..=self.rule.reset_max_ms.value * 1000;
        let pulse = self.rule.pulse_min_us.value..=self.rule.pulse_max_us.value;
        if reset.contains(&low_us) {
            self.state = State::Counting {
                since: at,
                count: 0,
                last: at,
            };
            return Some(PulseEvent::Reset);
        }
        let State::Counting { since, count, .. } = self.state else {
            return None;
        };
        if pulse.contains(&low_us) {
            self.state = State::Counting {
                since,
                // One more than the largest is enough to know.
                count: count.saturating_add(1),
                last: at,
            };
            None
        } else if low_us < self.rule.pulse_min_us.value {
            None
        } else {
            self.state = State::Waiting;
            Some(PulseEvent::Rejected {
                why: PulseDoubt::BadPulse,
                at_us: since,
            })
        }
    }

    /// The wire has been high until `at`: is the address over?
    fn ended(&mut self, at: u64) -> Option<PulseEvent> {
        let State::Counting { since, count, last } = self.state else {
            return None;
        };
        let wait = if count == 0 {
            self.rule.first_pulse_max_us.value
        } else {
            self.rule.end_us.value
        };
        if at.saturating_sub(last) < wait {
            return None;
        }
        self.state = State::Waiting;
        Some(if count == 0 {
            PulseEvent::Rejected {
                why: PulseDoubt::NoPulse,
                at_us: since,
            }
        } else if u64::from(count) > self.rule.largest.value {
            PulseEvent::Rejected {
                why: PulseDoubt::TooMany,
                at_us: since,
            }
        } else {
            PulseEvent::Address {
                address: count,
                at_us: since,
            }
        })
    }
}
