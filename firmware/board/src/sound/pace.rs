//! Keeping the devices' own threads in time: those of a device that calls too often, and of one that wakes them without end.

use std::time::{Duration, Instant};

/// A device that slips, fails or calls without end is kept waiting for this long each time: its thread would otherwise take
/// a whole processor core until the device is given up.
pub(super) const BRAKE: Duration = Duration::from_millis(5);
/// A device may be ahead of our clock by this much: its buffers are filled at the start and after a slip.
const MOST_AHEAD: Duration = Duration::from_millis(500);
/// How often the processor time of a device's thread is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A thread that takes more than this share of the time spins. Its own work takes a hundredth.
const SPINS: f64 = 0.1;
/// The thread of a recorded device that makes it spin sleeps for this share of each block, once it has what was recorded: the
/// buffer takes two blocks more meanwhile. One that is played to cannot: it writes what it fetched only after the call, and resting
/// for half a block before that doubled the slips.
const REST: f64 = 0.9;
/// A call that comes within this share of a block after the last one has ended brings what had waited: the next is due.
const AT_ONCE: f64 = 0.02;

/// Whether a device keeps its rate. ALSA's `null` plug-in calls thousands of times too often, a sound server that has just
/// lost a device may for a while. ALSA's plug-in for PipeWire 0.3 leaves its descriptor readable when there is nothing: cpal's
/// thread then asks again and again until the next block, whatever period, buffer and least filling are set.
pub(super) struct Pace {
    rate_hz: u32,
    /// When the frames so far are over at the device's rate.
    until: Duration,
    /// When the last call ended.
    ended: Duration,
    /// Of a device whose thread may rest.
    spin: Option<Spin>,
}

impl Pace {
    /// For a device that is recorded; to be kept when what it brought has been taken.
    pub(super) fn of_capture(rate_hz: u32) -> Pace {
        Pace {
            spin: Some(Spin::default()),
            ..Pace::of_playback(rate_hz)
        }
    }

    /// For a device that is played to.
    pub(super) fn of_playback(rate_hz: u32) -> Pace {
        Pace {
            rate_hz,
            until: Duration::ZERO,
            ended: Duration::ZERO,
            spin: None,
        }
    }

    /// Counts the frames of a call; waits when the device is far ahead of our clock, or its thread
    /// spins between the calls.
    pub(super) fn keep(&mut self, began: Instant, frames: usize) {
        let now = began.elapsed();
        let length = Duration::from_secs_f64(frames as f64 / f64::from(self.rate_hz));
        self.until = self.until.max(now) + length;
        if self.until > now + MOST_AHEAD {
            std::thread::sleep(BRAKE.max(length.min(MOST_AHEAD)));
        } else if let Some(rest) = self.rest(now, length, thread_time) {
            std::thread::sleep(rest);
        }
        self.ended = began.elapsed();
    }

    /// How long the thread should sleep now; `used` tells its processor time.
    fn rest(
        &mut self,
        now: Duration,
        length: Duration,
        used: impl Fn() -> Option<Duration>,
    ) -> Option<Duration> {
        let waited = now.saturating_sub(self.ended) > length.mul_f64(AT_ONCE);
        let spins = self.spin.as_mut()?.look(now, used);
        (spins && waited).then(|| length.mul_f64(REST))
    }
}

/// Whether a thread spins. One that did once is taken to do so for good: at rest it cannot be told.
#[derive(Default)]
struct Spin {
    found: bool,
    /// When it was looked at last, and its processor time then.
    looked: Option<(Duration, Duration)>,
}

impl Spin {
    fn look(&mut self, now: Duration, used: impl Fn() -> Option<Duration>) -> bool {
        let due = self
            .looked
            .is_none_or(|(then, _)| now >= then.saturating_add(LOOK));
        if self.found || !due {
            return self.found;
        }
        let Some(used) = used() else { return false };
        if let Some((then, used_then)) = self.looked {
            let share = used.saturating_sub(used_then).as_secs_f64();
            self.found = share > SPINS * now.saturating_sub(then).as_secs_f64();
            if self.found {
                tracing::info!("a sound device wakes its thread without end: it rests in between");
            }
        }
        self.looked = Some((now, used));
        self.found
    }
}

/// Processor time of this thread so far, as the kernel's scheduler tells it.
fn thread_time() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = told.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: Duration = Duration::from_millis(10);

    #[test]
    fn a_device_that_calls_without_end_is_held_to_its_rate() {
        let began = Instant::now();
        let mut pace = Pace::of_playback(8000);
        for _ in 0..80 {
            pace.keep(began, 80);
        }
        // 80 calls of 10 ms, of which half a second may be ahead. A busy machine may be later, never earlier.
        assert!(began.elapsed() > Duration::from_millis(250));
    }

    #[test]
    fn a_device_at_its_rate_never_waits() {
        let took = (0..10).map(|_| {
            let began = Instant::now();
            Pace::of_capture(48_000).keep(began, 960);
            began.elapsed()
        });
        // A busy machine may stand still in one of them.
        assert!(took.min().unwrap() < Duration::from_millis(100));
    }

    /// Calls every 10 ms for three seconds by a thread that takes this share of the time; the rests of the last second.
    fn rests(mut pace: Pace, share: f64) -> usize {
        let rests = (0..300).map(|n| {
            let now = BLOCK * n;
            let rest = pace.rest(now, BLOCK, || Some(now.mul_f64(share)));
            pace.ended = now + rest.unwrap_or_default();
            rest
        });
        rests.skip(200).flatten().count()
    }

    #[test]
    fn a_thread_that_spins_sleeps_in_each_block_and_another_never() {
        assert_eq!(rests(Pace::of_capture(8000), 0.02), 0);
        assert_eq!(rests(Pace::of_capture(8000), 0.4), 100);
        assert_eq!(rests(Pace::of_playback(8000), 0.4), 0);
    }

    #[test]
    fn what_had_waited_is_fetched_without_a_rest() {
        let mut pace = Pace::of_capture(8000);
        pace.spin = Some(Spin {
            found: true,
            looked: None,
        });
        let none = || None;
        assert!(pace.rest(BLOCK, BLOCK, none).is_some());
        pace.ended = BLOCK * 3;
        assert_eq!(pace.rest(BLOCK * 3, BLOCK, none), None);
        pace.ended = BLOCK * 3;
        assert!(pace.rest(BLOCK * 4, BLOCK, none).is_some());
    }

    #[test]
    fn a_kernel_that_tells_nothing_is_no_spin() {
        let mut spin = Spin::default();
        assert!((0..10).all(|s| !spin.look(Duration::from_secs(s), || None)));
    }

    #[test]
    fn the_time_of_a_thread_is_told_here() {
        let before = thread_time().unwrap();
        let began = Instant::now();
        while thread_time().unwrap() <= before && began.elapsed() < Duration::from_secs(20) {
            std::hint::black_box(0);
        }
        assert!(thread_time().unwrap() > before);
    }
}
