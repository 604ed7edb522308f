//! The contacts of the crosspoint on expanders: one tens line and one units line, or none.

use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::map::{BoardMap, Contact};
use super::mcp23017::Mcp23017;

/// Expanders of both buses. Dropping it, also in a panic, opens everything.
#[derive(Debug)]
pub struct CrosspointBoard<I: I2c> {
    map: &'static BoardMap,
    chips: Vec<Mcp23017<I>>,
    closed: Option<(usize, usize)>,
    /// A chip has failed: what its contacts do is not known until it has opened them.
    doubtful: bool,
}

impl<I: I2c> CrosspointBoard<I> {
    /// Starts all expanders with every contact open; `bus` gives a handle of the I2C bus for each.
    ///
    /// # Errors
    /// The first [`ChipError`]; every expander has been tried then.
    pub fn start(mut bus: impl FnMut() -> I, map: &'static BoardMap) -> Result<Self, ChipError> {
        let chip = |address: u8| Mcp23017::new(bus(), address, map.pins(address));
        let mut board = Self {
            map,
            chips: map.crosspoint_expanders().into_iter().map(chip).collect(),
            closed: None,
            doubtful: false,
        };
        board.each(Mcp23017::start)?;
        Ok(board)
    }

    /// Closes the contacts of one pair (lines count from 0), or opens all. The caller keeps the time
    /// between two pairs (see [`crate::matrix::Crosspoint`]); here the order is kept: everything
    /// opens and is read back before anything closes.
    ///
    /// # Errors
    /// [`ChipError`]; every contact has been told to open then. A chip that does not hear it keeps
    /// what it had closed, so the caller must let the watchdog reset the card.
    pub fn connect(&mut self, pair: Option<(usize, usize)>) -> Result<(), ChipError> {
        let done = self.each(Mcp23017::check).and_then(|()| {
            if pair == self.closed && !self.doubtful {
                return Ok(());
            }
            self.each(|chip| chip.set(chip.off()))?;
            self.closed = None;
            self.each(Mcp23017::check)?;
            self.doubtful = false;
            let Some((tens, units)) = pair else {
                return Ok(());
            };
            let (map, chips) = (self.map, &mut self.chips);
            close(chips, &map.units, units)?;
            close(chips, &map.tens, tens)?;
            self.closed = pair;
            Ok(())
        });
        if done.is_err() {
            // A chip that was reset is made an output again, with everything open.
            let _ = self.each(Mcp23017::start);
            self.doubtful = true;
            self.closed = None;
        }
        done
    }

    /// Whether every contact is known to be open.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.closed.is_none() && !self.doubtful
    }

    /// The pair whose contacts are closed.
    #[must_use]
    pub const fn closed(&self) -> Option<(usize, usize)> {
        self.closed
    }

    /// Every chip is tried; the first error is told.
    fn each(
        &mut self,
        act: impl Fn(&mut Mcp23017<I>) -> Result<(), ChipError>,
    ) -> Result<(), ChipError> {
        self.chips.iter_mut().map(act).fold(Ok(()), Result::and)
    }
}

/// Closes one contact of a bus and leaves what its chip has closed of the other bus.
fn close<I: I2c>(chips: &mut [Mcp23017<I>], bus: &[Contact], line: usize) -> Result<(), ChipError> {
    let found = bus.get(line).and_then(|contact| {
        let chip = chips
            .iter_mut()
            .find(|chip| chip.address() == contact.expander)?;
        Some((contact, chip))
    });
    let Some((contact, chip)) = found else {
        let cause = format!("line {line} of the crosspoint");
        return Err(ChipError::new(ChipErrorKind::NoSuchChannel, cause));
    };
    let on = if contact.active_low {
        chip.latch() & !contact.mask()
    } else {
        chip.latch() | contact.mask()
    };
    chip.set(on)
}

impl<I: I2c> Drop for CrosspointBoard<I> {
    fn drop(&mut self) {
        let _ = self.each(Mcp23017::stop);
    }
}
