//! A converter of 12 bits with 8 channels on SPI (MCP3208 class).

use embedded_hal::spi::{Operation, SpiDevice};

use super::error::{ChipError, ChipErrorKind};

/// From counts to volts at the terminals, through divider and offset of the board.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdcScale {
    /// Volts at the terminals for one count.
    pub volts_per_count: f32,
    /// Counts at 0 V: above 0 where the board shifts the level to read negative voltages too.
    pub zero_counts: f32,
}

impl AdcScale {
    /// Volts of a reading.
    #[must_use]
    pub fn volts(&self, counts: u16) -> f32 {
        (f32::from(counts) - self.zero_counts) * self.volts_per_count
    }
}

/// Channels of one converter.
const CHANNELS: u8 = 8;

/// Bytes of one conversion.
pub type Frame = [u8; 3];

/// A bus that carries conversions one after the other, chip select released behind each. Every SPI
/// device of `embedded-hal` is one; a bus that can do a whole block in one call should be one by
/// itself, for a call each costs more than the conversion.
pub trait Conversions {
    /// What goes wrong on it.
    type Error: std::fmt::Debug;

    /// Exchanges every frame in place and waits the pause of the same index, in microseconds,
    /// behind it.
    ///
    /// # Errors
    /// When the bus fails.
    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> Result<(), Self::Error>;
}

impl<S: SpiDevice> Conversions for S {
    type Error = S::Error;

    fn exchange(&mut self, frames: &mut [Frame], pauses_us: &[u16]) -> Result<(), S::Error> {
        let pauses = pauses_us.iter().chain(std::iter::repeat(&0));
        for (frame, pause) in frames.iter_mut().zip(pauses) {
            let pause_ns = u32::from(*pause) * 1000;
            self.transaction(&mut [
                Operation::TransferInPlace(frame),
                Operation::DelayNs(pause_ns),
            ])?;
        }
        Ok(())
    }
}

/// The converter.
#[derive(Debug)]
pub struct Mcp3208<S> {
    bus: S,
    frames: Vec<Frame>,
}

impl<S: Conversions> Mcp3208<S> {
    /// A converter behind a chip select. SPI mode 0, at most 1 MHz at 3.3 V.
    #[must_use]
    pub const fn new(bus: S) -> Self {
        Self {
            bus,
            frames: Vec::new(),
        }
    }

    /// One conversion, 0 to 4095 counts.
    ///
    /// # Errors
    /// When the bus fails, or the null bit before the result is high: no converter drives the wire.
    pub fn read(&mut self, channel: u8) -> Result<u16, ChipError> {
        let mut counts = [0];
        self.burst(&[channel], &[0], &mut counts)?;
        let [counts] = counts;
        Ok(counts)
    }

    /// Many conversions in a row, each with its pause behind it, in microseconds.
    ///
    /// # Errors
    /// As [`Mcp3208::read`].
    pub fn burst(
        &mut self,
        channels: &[u8],
        pauses_us: &[u16],
        counts: &mut [u16],
    ) -> Result<(), ChipError> {
        self.frames.clear();
        for channel in channels {
            if *channel >= CHANNELS {
                return Err(ChipError::new(
                    ChipErrorKind::NoSuchChannel,
                    format!("converter channel {channel}"),
                ));
            }
            // Start bit, single-ended, three bits of channel; the result follows a null bit.
            self.frames.push([0x06 | channel >> 2, channel << 6, 0]);
        }
        self.bus
            .exchange(&mut self.frames, pauses_us)
            .map_err(|e| ChipError::new(ChipErrorKind::BusStuck, format!("converter: {e:?}")))?;
        for ((frame, channel), counts) in self.frames.iter().zip(channels).zip(counts) {
            let [_, high, low] = *frame;
            if high & 0x10 != 0 {
                return Err(ChipError::new(
                    ChipErrorKind::NoAnswer,
                    format!("converter channel {channel}: nothing drives the data line"),
                ));
            }
            *counts = u16::from(high & 0x0f) << 8 | u16::from(low);
        }
        Ok(())
    }
}
