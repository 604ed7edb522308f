//! What is known about the stream that comes in: sequence numbers, loss and jitter (RFC 3550, appendix A).

use std::time::Duration;

/// Largest forward jump that still counts as loss (RFC 3550, A.1).
const MAX_DROPOUT: u16 = 3000;
/// Furthest behind a reordered packet may be.
const MAX_MISORDER: u16 = 100;

/// Timestamps of a clock of 48 kHz as those of the line's 8 kHz, over every wrap of the counter.
#[derive(Debug, Default)]
pub(crate) struct LineTime {
    /// The last timestamp, and the same without its wraps.
    last: Option<(u32, i64)>,
}

impl LineTime {
    /// The timestamp by the line's clock, given one whose clock has `ticks` in a line sample.
    pub(crate) fn of(&mut self, timestamp: u32, ticks: u32) -> u32 {
        if ticks <= 1 {
            self.last = None;
            return timestamp;
        }
        let whole = match self.last {
            Some((last, whole)) => {
                let step = timestamp.wrapping_sub(last).cast_signed();
                whole.wrapping_add(i64::from(step))
            }
            None => i64::from(timestamp),
        };
        self.last = Some((timestamp, whole));
        whole.div_euclid(i64::from(ticks)) as u32
    }
}

/// How a packet stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    InOrder,
    Reordered,
    Duplicate,
}

/// Reception statistics of one SSRC.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) last_heard: Duration,
    base: u16,
    highest: u16,
    cycles: u32,
    received: u64,
    /// Gaps in the sequence numbers, however long.
    pub(crate) gaps: u64,
    /// Loss of the stretches before the counter jumped.
    lost_before: i64,
    expected_prior: u64,
    received_prior: u64,
    /// Bit n: the packet n before the highest has come.
    seen: u128,
    jump_to: Option<u16>,
    transit: Option<i64>,
    jitter_units: f64,
    /// Middle 32 bits of the NTP time in the last sender report, and when it came.
    pub(crate) last_report: Option<(u32, Duration)>,
    /// Turns its timestamps into those of the line.
    pub(crate) time: LineTime,
    /// Ticks of its clock in a line sample.
    pub(crate) ticks: u32,
}

impl Source {
    pub(crate) fn new(now: Duration, ssrc: u32, sequence: u16) -> Source {
        Source {
            ssrc,
            last_heard: now,
            base: sequence,
            highest: sequence.wrapping_sub(1),
            cycles: 0,
            received: 0,
            gaps: 0,
            lost_before: 0,
            expected_prior: 0,
            received_prior: 0,
            seen: 0,
            jump_to: None,
            transit: None,
            jitter_units: 0.0,
            last_report: None,
            time: LineTime::default(),
            ticks: 1,
        }
    }

    /// Takes the sequence number of a packet.
    pub(crate) fn arrived(&mut self, now: Duration, sequence: u16) -> Arrival {
        self.last_heard = now;
        self.received += 1;
        let ahead = sequence.wrapping_sub(self.highest);
        let behind = self.highest.wrapping_sub(sequence);
        if ahead != 0 && ahead < MAX_DROPOUT {
            self.jump_to = None;
            if sequence < self.highest && self.received > 1 {
                self.cycles += 1;
            }
            self.gaps += u64::from(ahead > 1);
            self.highest = sequence;
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            return Arrival::InOrder;
        }
        if behind <= MAX_MISORDER {
            let bit = 1_u128 << behind;
            if self.seen & bit != 0 {
                return Arrival::Duplicate;
            }
            self.seen |= bit;
            return Arrival::Reordered;
        }
        // Two packets in sequence at a new place: the peer restarted its counter.
        if self.jump_to == Some(sequence) {
            self.lost_before = self.lost();
            self.base = sequence.wrapping_sub(1);
            self.highest = sequence;
            self.cycles = 0;
            self.received = 2;
            self.lost_before += 2;
            self.seen = 0b11;
            self.expected_prior = 0;
            self.received_prior = 0;
            self.jump_to = None;
        } else {
            self.jump_to = Some(sequence.wrapping_add(1));
        }
        Arrival::InOrder
    }

    /// Takes the timestamp of an audio packet, by the line's clock, for the jitter (RFC 3550, A.8). Events keep one timestamp and are left out.
    pub(crate) fn timed(&mut self, now: Duration, timestamp: u32) {
        let arrival = (now.as_micros() * 8 / 1000) as i64;
        let transit = arrival.wrapping_sub(i64::from(timestamp));
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit - before).abs();
            // A jump of the timestamp is no jitter.
            if difference < 8000 {
                self.jitter_units += (difference as f64 - self.jitter_units) / 16.0;
            }
        }
    }

    fn expected(&self) -> u64 {
        u64::from(self.extended_highest()).saturating_sub(u64::from(self.base)) + 1
    }

    /// Highest sequence number with the count of its cycles above it.
    pub(crate) fn extended_highest(&self) -> u32 {
        (self.cycles << 16) | u32::from(self.highest)
    }

    /// Packets lost so far; duplicates make it smaller.
    pub(crate) fn lost(&self) -> i64 {
        if self.received == 0 {
            return self.lost_before;
        }
        self.lost_before + self.expected() as i64 - self.received as i64
    }

    /// Jitter in units of the stream's own clock.
    pub(crate) fn jitter_units(&self) -> u32 {
        (self.jitter_units * f64::from(self.ticks)) as u32
    }

    /// Jitter in ms.
    pub(crate) fn jitter_ms(&self) -> f32 {
        (self.jitter_units / 8.0) as f32
    }

    /// The 8-bit fraction lost since the last call (RFC 3550, A.3).
    pub(crate) fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected();
        let expected_interval = expected.saturating_sub(self.expected_prior);
        let received_interval = self.received.saturating_sub(self.received_prior);
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost = expected_interval.saturating_sub(received_interval);
        (lost << 8)
            .checked_div(expected_interval)
            .unwrap_or(0)
            .min(255) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn loss_survives_the_wrap_of_the_counter() {
        let mut source = Source::new(at(0), 1, 65530);
        for i in 0..20_u16 {
            if i != 3 && i != 9 {
                assert_eq!(
                    source.arrived(at(0), 65530_u16.wrapping_add(i)),
                    Arrival::InOrder
                );
            }
        }
        assert_eq!((source.lost(), source.gaps), (2, 2));
        assert_eq!(source.extended_highest(), 65536 + 13);
        assert_eq!(source.fraction_lost(), (2 * 256 / 20) as u8);
        assert_eq!(source.fraction_lost(), 0);
    }

    #[test]
    fn copies_and_reordering_are_told_apart() {
        let mut source = Source::new(at(0), 1, 10);
        let got: Vec<_> = [10, 12, 11, 11, 12, 13]
            .map(|seq| source.arrived(at(0), seq))
            .to_vec();
        use Arrival::{Duplicate, InOrder, Reordered};
        assert_eq!(
            got,
            [InOrder, InOrder, Reordered, Duplicate, Duplicate, InOrder]
        );
    }

    #[test]
    fn a_restarted_counter_is_no_loss() {
        let mut source = Source::new(at(0), 1, 100);
        for seq in (100..110).chain(40_000..40_010) {
            source.arrived(at(0), seq);
        }
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn a_clock_of_48_khz_is_followed_over_its_wraps() {
        let mut time = LineTime::default();
        let start = u32::MAX - 5000;
        let first = time.of(start, 6);
        for n in 1..200_000_u32 {
            let stamp = start.wrapping_add(n.wrapping_mul(960));
            assert_eq!(time.of(stamp, 6).wrapping_sub(first), n * 160);
            if n % 7 == 0 {
                // An overtaken packet does not disturb it.
                let before = time.of(stamp.wrapping_sub(1920), 6);
                assert_eq!(before.wrapping_sub(first), n * 160 - 320);
            }
        }
        assert_eq!(time.of(77, 1), 77);
    }

    #[test]
    fn jitter_follows_the_rfc() {
        let mut steady = Source::new(at(0), 1, 0);
        let mut shaky = Source::new(at(0), 1, 0);
        for i in 0..500_u32 {
            let t = u64::from(i) * 20;
            steady.timed(at(t), i * 160);
            shaky.timed(at(t + u64::from(i % 2) * 10), i * 160);
        }
        assert_eq!(steady.jitter_ms(), 0.0);
        assert!(
            (shaky.jitter_ms() - 10.0).abs() < 0.1,
            "{}",
            shaky.jitter_ms()
        );
    }
}
