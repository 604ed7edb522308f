//! The outputs of the pair card: loads and relays of up to four lines on one expander.

use std::time::Duration;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::mcp23017::Mcp23017;
use super::watchdog::Watchdog;
use crate::card::{Drive, HandsetRelay, Load};

/// Lines of one expander: four bits each.
pub const LINES_PER_EXPANDER: usize = 4;
/// Bits of one line; a pull-down on the board keeps each off while its pin is an input.
const ON_HOOK: u16 = 0b0001;
const OFF_HOOK: u16 = 0b0010;
const RESIDUE: u16 = 0b0100;
const ISOLATE: u16 = 0b1000;

/// Expander and watchdog of a card. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct Board<I: I2c, P: OutputPin> {
    expander: Mcp23017<I>,
    watchdog: Watchdog<P>,
    running: bool,
}

impl<I: I2c, P: OutputPin> Board<I, P> {
    /// Starts the expander with everything off. The watchdog is fed only by the first exchange.
    ///
    /// # Errors
    /// [`ChipError`]; nothing is switched on then.
    pub fn start(mut expander: Mcp23017<I>, watchdog: Watchdog<P>) -> Result<Self, ChipError> {
        if let Err(e) = expander.start() {
            // Best effort: a chip that answers badly shall at least not drive its pins.
            let _ = expander.stop();
            return Err(e);
        }
        Ok(Self {
            expander,
            watchdog,
            running: true,
        })
    }

    /// Sets load and relay of every line, then feeds the watchdog. One write changes all lines at
    /// once, so no load is ever seen beside another one. The chip is looked at before: a chip that
    /// was reset is started anew with everything off, and the caller must begin again.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog is not fed then and lets go of everything soon.
    pub fn apply(&mut self, now: Duration, drives: &[Drive]) -> Result<(), ChipError> {
        if drives.len() > LINES_PER_EXPANDER {
            return Err(ChipError::new(
                ChipErrorKind::NoSuchChannel,
                format!("{} lines for an expander of four", drives.len()),
            ));
        }
        if let Err(e) = self.expander.check() {
            let _ = self.expander.start();
            return Err(e);
        }
        let bits = drives
            .iter()
            .rev()
            .fold(0, |all, drive| all << 4 | bits(*drive));
        if bits != self.expander.latch() {
            self.expander.set(bits)?;
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

const fn bits(drive: Drive) -> u16 {
    let load = match drive.load {
        Load::Off => 0,
        Load::OnHook => ON_HOOK,
        Load::OffHook => OFF_HOOK,
        Load::Residue => RESIDUE,
    };
    let relay = match drive.relay {
        HandsetRelay::Through => 0,
        HandsetRelay::Isolated => ISOLATE,
    };
    load | relay
}
