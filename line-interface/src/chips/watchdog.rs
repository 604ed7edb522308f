//! The hardware watchdog: without edges on its pin it takes the supply from all relays and loads.

use std::time::Duration;

use embedded_hal::digital::OutputPin;

use super::error::{ChipError, ChipErrorKind};

/// The watchdog lets go when its pin has not changed for this long (as the virtual card does).
pub const FEED_LIMIT_MS: u64 = 100;

/// Feeds the watchdog, and only as long as everything else works.
#[derive(Debug)]
pub struct Watchdog<P> {
    pin: P,
    high: bool,
    fed: Option<Duration>,
}

impl<P: OutputPin> Watchdog<P> {
    /// A watchdog that has not been fed yet.
    #[must_use]
    pub const fn new(pin: P) -> Self {
        Self {
            pin,
            high: false,
            fed: None,
        }
    }

    /// Turns the pin over. Call it once in a block in which every chip answered.
    ///
    /// # Errors
    /// When the pin cannot be set.
    pub fn feed(&mut self, now: Duration) -> Result<(), ChipError> {
        self.high = !self.high;
        let set = if self.high {
            self.pin.set_high()
        } else {
            self.pin.set_low()
        };
        set.map_err(|e| ChipError::new(ChipErrorKind::Pin, format!("watchdog: {e:?}")))?;
        self.fed = Some(now);
        Ok(())
    }

    /// The watchdog has let go, or never held.
    #[must_use]
    pub fn expired(&self, now: Duration) -> bool {
        self.fed
            .is_none_or(|at| now.saturating_sub(at) >= Duration::from_millis(FEED_LIMIT_MS))
    }
}
