//! How many requests outside calls one address may send.

use super::UserAgent;
use crate::hop::Hop;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// Requests a second unless set otherwise.
const DEFAULT_PER_SECOND: u32 = 50;
/// Refusals a second of requests that belong to no call: a server transaction of each INVITE among them lasts 32 s, and together with
/// those of requests that are taken they have to leave room in the table.
const REFUSALS_PER_SECOND: u32 = 10;
/// Addresses remembered; only the PBXs and listed addresses ever come here, so more are others.
const MOST_SOURCES: usize = 64;
/// So many seconds' worth of requests may come at once.
const BURST_S: f64 = 2.0;

/// A bucket of tokens for each address.
#[derive(Debug)]
pub(super) struct RequestLimit {
    per_second: f64,
    sources: BTreeMap<IpAddr, (f64, Duration)>,
}

impl Default for RequestLimit {
    fn default() -> Self {
        Self {
            per_second: f64::from(DEFAULT_PER_SECOND),
            sources: BTreeMap::new(),
        }
    }
}

impl RequestLimit {
    /// The limit of refusals.
    pub(super) fn of_refusals() -> Self {
        Self {
            per_second: f64::from(REFUSALS_PER_SECOND),
            sources: BTreeMap::new(),
        }
    }

    /// Whether a request of `source` at `now` is taken.
    pub(super) fn takes(&mut self, now: Duration, source: IpAddr) -> bool {
        let most = self.per_second * BURST_S;
        if !self.sources.contains_key(&source) && self.sources.len() >= MOST_SOURCES {
            // Who has been quiet long enough to have a full bucket needs none.
            let rate = self.per_second;
            self.sources.retain(|_, (tokens, at)| {
                *tokens + now.saturating_sub(*at).as_secs_f64() * rate < most
            });
            if self.sources.len() >= MOST_SOURCES {
                return false;
            }
        }
        let (tokens, at) = self.sources.entry(source).or_insert((most, now));
        let filled = *tokens + now.saturating_sub(*at).as_secs_f64() * self.per_second;
        *tokens = filled.min(most);
        *at = now.max(*at);
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

impl UserAgent {
    /// Whether a request that belongs to no call, or cannot be read, is answered at all: whoever writes the PBX's address into
    /// datagrams shall neither fill our tables nor have us write to the PBX as fast as he likes.
    pub(super) fn may_refuse(&mut self, now: Duration, source: Hop) -> bool {
        let may = self.refusal_limit.takes(now, source.ip());
        if !may {
            self.counters.flooded += 1;
        }
        may
    }

    /// Sets how many requests outside calls are taken from one address each second in the long
    /// run; twice that may come at once. The default is 50.
    pub fn set_request_limit(&mut self, per_second: u32) {
        self.request_limit.per_second = f64::from(per_second.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    #[test]
    fn a_burst_is_taken_and_a_flood_is_cut_to_its_rate() {
        let mut limit = RequestLimit::default();
        let flood = (0..60_000_u64).filter(|n| limit.takes(Duration::from_millis(*n), ip(1)));
        let taken = flood.count();
        assert!((3_090..=3_101).contains(&taken), "{taken}");
        // Another address is not touched by it.
        assert!(limit.takes(Duration::from_secs(60), ip(2)));
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_is_quiet() {
        let mut limit = RequestLimit::default();
        for n in 0..=255 {
            limit.takes(Duration::ZERO, ip(n));
        }
        assert_eq!(limit.sources.len(), MOST_SOURCES);
        assert!(limit.takes(Duration::from_secs(5), ip(200)));
        assert_eq!(limit.sources.len(), 1);
    }
}
