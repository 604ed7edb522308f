//! The contacts of the crosspoint on expanders: one tens line and one units line, or none.

use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::mcp23017::Mcp23017;

/// Lines of one expander.
const LINES: usize = 16;

/// Expanders of both buses, 16 lines each. Dropping it, also in a panic, opens everything.
#[derive(Debug)]
pub struct CrosspointBoard<I: I2c> {
    tens: Vec<Mcp23017<I>>,
    units: Vec<Mcp23017<I>>,
    closed: Option<(usize, usize)>,
    /// A chip has failed: what its contacts do is not known until it has opened them.
    doubtful: bool,
}

impl<I: I2c> CrosspointBoard<I> {
    /// Starts all expanders with every contact open.
    ///
    /// # Errors
    /// The first [`ChipError`]; every expander has been tried then.
    pub fn start(tens: Vec<Mcp23017<I>>, units: Vec<Mcp23017<I>>) -> Result<Self, ChipError> {
        let mut board = Self {
            tens,
            units,
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
    /// [`ChipError`]; every contact has been told to open then.
    pub fn connect(&mut self, pair: Option<(usize, usize)>) -> Result<(), ChipError> {
        let done = self.each(Mcp23017::check).and_then(|()| {
            if pair == self.closed && !self.doubtful {
                return Ok(());
            }
            self.each(|chip| chip.set(0))?;
            self.closed = None;
            self.each(Mcp23017::check)?;
            self.doubtful = false;
            let Some((tens, units)) = pair else {
                return Ok(());
            };
            close(&mut self.units, units)?;
            close(&mut self.tens, tens)?;
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
        self.tens
            .iter_mut()
            .chain(&mut self.units)
            .map(act)
            .fold(Ok(()), Result::and)
    }
}

fn close<I: I2c>(chips: &mut [Mcp23017<I>], line: usize) -> Result<(), ChipError> {
    chips
        .get_mut(line / LINES)
        .ok_or_else(|| {
            ChipError::new(
                ChipErrorKind::NoSuchChannel,
                format!("line {line} of the crosspoint"),
            )
        })?
        .set(1 << (line % LINES))
}

impl<I: I2c> Drop for CrosspointBoard<I> {
    fn drop(&mut self) {
        let _ = self.each(Mcp23017::stop);
    }
}
