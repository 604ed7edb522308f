//! RTCP: reports, their timing, and what the peer's reports say (RFC 3550, 6).

mod reader;
mod writer;

pub(crate) use reader::read;
pub(crate) use writer::{ReceptionBlock, SenderInfo, bye, report};

use std::time::Duration;

use rand_core::Rng;

/// Least interval between reports (RFC 3550, 6.2); the first comes after half of it.
const LEAST_INTERVAL: Duration = Duration::from_secs(5);
/// Compensation for timer reconsideration, e - 3/2 (RFC 3550, 6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

/// `now` as an NTP timestamp. The epoch is the session's own, which RFC 3550, 6.4.1 allows a sender without wall clock.
pub(crate) fn ntp(now: Duration) -> u64 {
    (now.as_secs() << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle 32 bits of an NTP timestamp.
pub(crate) fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// Time until the next report: 0.5..1.5 of the interval, divided by the compensation (RFC 3550, 6.3.1). Two members and a
/// 64 kbit/s codec never need more than the least interval.
pub(crate) fn interval(random: &mut impl Rng, first: bool) -> Duration {
    let base = if first {
        LEAST_INTERVAL / 2
    } else {
        LEAST_INTERVAL
    };
    let factor = 0.5 + f64::from(random.next_u32()) / (f64::from(u32::MAX) + 1.0);
    base.mul_f64(factor / COMPENSATION)
}
