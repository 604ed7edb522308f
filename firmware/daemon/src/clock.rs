//! The one place that reads clocks.

use std::time::{Duration, Instant, SystemTime};

/// Time since the start of the daemon, as the cores count it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// The instant at which `now` will read `at`.
    pub(crate) fn instant(self, at: Duration) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.0 + at)
    }
}

/// UTC time of day, RFC 3339 with milliseconds.
pub(crate) fn wall_time() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
