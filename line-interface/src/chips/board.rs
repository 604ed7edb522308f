//! The outputs of the card: loads, relay and settings of its line.

use std::time::Duration;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::map::{BoardMap, Switched};
use super::mcp23017::{Mcp23017, Register};
use super::sequence::Sequence;
use super::watchdog::Watchdog;
use crate::card::Drive;

/// Expander and watchdog of a card. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct Board<I: I2c, P: OutputPin> {
    map: &'static BoardMap,
    expander: Mcp23017<I>,
    watchdog: Watchdog<P>,
    sequence: Sequence,
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
            watchdog: Watchdog::new(pin, (map.watchdog_min_ms, map.watchdog_max_ms)),
            sequence: Sequence::new(map),
            running: true,
        })
    }

    /// Whether the parts of the matrix variant are on the card: it says so by a strap.
    ///
    /// # Errors
    /// [`ChipError`] when the expander does not answer.
    pub fn matrix_fitted(&mut self) -> Result<bool, ChipError> {
        let levels = self.expander.read(Register::Pins)?;
        let strap = self.map.contact("matrix_fitted");
        Ok(strap.is_some_and(|strap| (levels & strap.mask() == 0) == strap.active_low))
    }

    /// Moves loads and relay towards a drive, one step of [`Sequence`] a block, then feeds the
    /// watchdog. What moves in a block moves in one write, so no load is seen beside one that it
    /// must not stand beside. The chip is looked at before: a chip that was reset is started anew
    /// with everything off, and the caller must begin again.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog is not fed then and lets go of everything soon.
    pub fn apply(&mut self, now: Duration, drive: Drive) -> Result<(), ChipError> {
        let switched = self.sequence.next(drive);
        self.write(switched)?;
        self.watchdog.feed(now)
    }

    /// The next step towards a drive; for a card that switches more than load and relay.
    pub(super) fn step(&mut self, drive: Drive) -> Switched {
        self.sequence.next(drive)
    }

    /// Switches, without feeding the watchdog.
    pub(super) fn write(&mut self, switched: Switched) -> Result<(), ChipError> {
        if let Err(e) = self.expander.check() {
            // A chip that only did not answer still holds what it was told; the next block asks
            // again, and the watchdog ends it if none does.
            if e.kind == ChipErrorKind::Reset {
                let _ = self.expander.start();
                self.sequence.reset();
            }
            return Err(e);
        }
        let latch = self.map.latch_of(switched);
        if latch == self.expander.latch() {
            return Ok(());
        }
        self.expander.set(latch)
    }

    /// Everything off, whatever the chip still holds: inputs, the latch off, outputs again.
    pub(super) fn begin_anew(&mut self) -> Result<(), ChipError> {
        self.sequence.reset();
        self.expander.start()
    }

    /// So long after the last edge the watchdog may have let go.
    pub(super) fn is_late(&self, now: Duration) -> bool {
        self.watchdog.late(now)
    }

    /// What is switched on.
    pub(super) const fn switched(&self) -> Switched {
        self.sequence.now()
    }

    pub(super) fn feed(&mut self, now: Duration) -> Result<(), ChipError> {
        self.watchdog.feed(now)
    }

    /// Everything off; the watchdog is not fed any more.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog lets go of everything soon.
    pub fn stop(&mut self) -> Result<(), ChipError> {
        self.running = false;
        self.sequence.reset();
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
