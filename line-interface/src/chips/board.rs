//! The outputs of the pair card: load and relay of its line.

use std::time::Duration;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;

use super::error::ChipError;
use super::map::BoardMap;
use super::mcp23017::Mcp23017;
use super::watchdog::Watchdog;
use crate::card::Drive;

/// Expander and watchdog of a card. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct Board<I: I2c, P: OutputPin> {
    map: &'static BoardMap,
    expander: Mcp23017<I>,
    watchdog: Watchdog<P>,
    running: bool,
}

impl<I: I2c, P: OutputPin> Board<I, P> {
    /// Starts the expander with everything off. The watchdog is fed only by the first exchange.
    ///
    /// # Errors
    /// [`ChipError`]; nothing is switched on then.
    pub fn start(i2c: I, pin: P, map: &'static BoardMap) -> Result<Self, ChipError> {
        let address = map.line_expander();
        let mut expander = Mcp23017::new(i2c, address, map.pins(address));
        if let Err(e) = expander.start() {
            // Best effort: a chip that answers badly shall at least not drive its pins.
            let _ = expander.stop();
            return Err(e);
        }
        Ok(Self {
            map,
            expander,
            watchdog: Watchdog::new(pin, map.watchdog_max_ms),
            running: true,
        })
    }

    /// Sets load and relay, then feeds the watchdog. One write changes both at once, so no load is
    /// ever seen beside another one. The chip is looked at before: a chip that was reset is started
    /// anew with everything off, and the caller must begin again.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog is not fed then and lets go of everything soon.
    pub fn apply(&mut self, now: Duration, drive: Drive) -> Result<(), ChipError> {
        if let Err(e) = self.expander.check() {
            let _ = self.expander.start();
            return Err(e);
        }
        let latch = self.map.latch(drive);
        if latch != self.expander.latch() {
            self.expander.set(latch)?;
        }
        self.watchdog.feed(now)
    }

    /// Everything off; the watchdog is not fed any more.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog lets go of everything soon.
    pub fn stop(&mut self) -> Result<(), ChipError> {
        self.running = false;
        self.expander.stop()
    }
}

impl<I: I2c, P: OutputPin> Drop for Board<I, P> {
    fn drop(&mut self) {
        if self.running {
            let _ = self.stop();
        }
    }
}
