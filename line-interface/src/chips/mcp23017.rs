//! A port expander of 16 pins on I2C (MCP23017 class).

use embedded_hal::i2c::I2c;

use super::error::{ChipError, ChipErrorKind};
use super::map::Pins;

/// Registers of port A in the chip's power-on order (bank 0); port B follows each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Register {
    /// Direction, a set bit is an input.
    Direction = 0x00,
    /// Configuration.
    Config = 0x0a,
    /// Level at the pins.
    Pins = 0x12,
    /// Output latch.
    Latch = 0x14,
}

/// Every pin an input: the state after power-on, in which the board keeps everything off.
const ALL_INPUTS: u16 = 0xffff;

/// The expander with the pins that its board drives as outputs.
#[derive(Debug)]
pub struct Mcp23017<I> {
    i2c: I,
    address: u8,
    pins: Pins,
    latch: u16,
}

impl<I: I2c> Mcp23017<I> {
    /// An expander at an address, 0x20 to 0x27. Nothing is written yet.
    #[must_use]
    pub const fn new(i2c: I, address: u8, pins: Pins) -> Self {
        Self {
            i2c,
            address,
            pins,
            latch: pins.off,
        }
    }

    /// Its address.
    #[must_use]
    pub const fn address(&self) -> u8 {
        self.address
    }

    /// The latch with everything off.
    #[must_use]
    pub const fn off(&self) -> u16 {
        self.pins.off
    }

    /// Makes the driven pins outputs with everything off. The latch is written and read back while
    /// the pins are still inputs, so nothing is switched on on the way, whatever the latch held.
    ///
    /// # Errors
    /// When the chip does not answer, or does not keep what it is told.
    pub fn start(&mut self) -> Result<(), ChipError> {
        self.write(Register::Direction, ALL_INPUTS)?;
        self.write(Register::Latch, self.pins.off)?;
        self.latch = self.pins.off;
        if self.read(Register::Latch)? != self.latch
            || self.read(Register::Direction)? != ALL_INPUTS
        {
            return Err(self.wrong("it does not keep its registers"));
        }
        self.write(Register::Direction, self.direction())?;
        if self.read(Register::Direction)? != self.direction() {
            return Err(self.wrong("its pins do not become outputs"));
        }
        Ok(())
    }

    const fn direction(&self) -> u16 {
        !self.pins.outputs
    }

    /// Sets all outputs in one write of both ports.
    ///
    /// # Errors
    /// When the chip does not answer.
    pub fn set(&mut self, bits: u16) -> Result<(), ChipError> {
        self.write(Register::Latch, bits)?;
        self.latch = bits;
        Ok(())
    }

    /// What the outputs were last told.
    #[must_use]
    pub const fn latch(&self) -> u16 {
        self.latch
    }

    /// Looks whether the chip still is as it was told.
    ///
    /// # Errors
    /// [`ChipErrorKind::Reset`] when it fell back to inputs or lost its latch.
    pub fn check(&mut self) -> Result<(), ChipError> {
        let (direction, latch) = (self.read(Register::Direction)?, self.read(Register::Latch)?);
        if direction == self.direction() && latch == self.latch {
            return Ok(());
        }
        Err(ChipError::new(
            ChipErrorKind::Reset,
            format!(
                "port expander 0x{:02x}: direction {direction:04x}, latch {latch:04x}, was {:04x} and {:04x}",
                self.address,
                self.direction(),
                self.latch
            ),
        ))
    }

    /// Everything off, then all pins inputs. Both are tried even if one fails.
    ///
    /// # Errors
    /// The first failure.
    pub fn stop(&mut self) -> Result<(), ChipError> {
        self.latch = self.pins.off;
        let low = self.write(Register::Latch, self.pins.off);
        let inputs = self.write(Register::Direction, ALL_INPUTS);
        low.and(inputs)
    }

    fn wrong(&self, what: &str) -> ChipError {
        ChipError::new(
            ChipErrorKind::WrongChip,
            format!("port expander 0x{:02x}: {what}", self.address),
        )
    }

    fn write(&mut self, register: Register, bits: u16) -> Result<(), ChipError> {
        let [a, b] = bits.to_le_bytes();
        self.i2c
            .write(self.address, &[register as u8, a, b])
            .map_err(|e| ChipError::i2c(self.address, &e))
    }

    pub(super) fn read(&mut self, register: Register) -> Result<u16, ChipError> {
        let mut bits = [0; 2];
        self.i2c
            .write_read(self.address, &[register as u8], &mut bits)
            .map_err(|e| ChipError::i2c(self.address, &e))?;
        Ok(u16::from_le_bytes(bits))
    }
}
