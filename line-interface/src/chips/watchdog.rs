//! The hardware watchdog: without edges on its pin it takes the supply from all relays and loads.

use std::time::Duration;

use embedded_hal::digital::OutputPin;

use super::error::{ChipError, ChipErrorKind};

/// Feeds the watchdog, and only as long as everything else works.
#[derive(Debug)]
pub struct Watchdog<P> {
    pin: P,
    high: bool,
    /// Without an edge for this long it may have let go, and it has.
    limits_ms: (u64, u64),
    fed: Option<Duration>,
}

impl<P: OutputPin> Watchdog<P> {
    /// A watchdog that has not been fed yet; it lets go at the earliest and at the latest so many
    /// milliseconds after an edge.
    #[must_use]
    pub const fn new(pin: P, limits_ms: (u64, u64)) -> Self {
        Self {
            pin,
            high: false,
            limits_ms,
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

    /// It held, and may have let go since.
    #[must_use]
    pub fn late(&self, now: Duration) -> bool {
        self.fed
            .is_some_and(|at| now.saturating_sub(at) >= Duration::from_millis(self.limits_ms.0))
    }

    /// The watchdog has let go, or never held.
    #[must_use]
    pub fn expired(&self, now: Duration) -> bool {
        self.fed
            .is_none_or(|at| now.saturating_sub(at) >= Duration::from_millis(self.limits_ms.1))
    }
}
