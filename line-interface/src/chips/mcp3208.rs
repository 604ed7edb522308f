//! A converter of 12 bits with 8 channels on SPI (MCP3208 class).

use embedded_hal::spi::SpiDevice;

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

/// The converter.
#[derive(Debug)]
pub struct Mcp3208<S> {
    spi: S,
}

impl<S: SpiDevice> Mcp3208<S> {
    /// A converter behind a chip select. SPI mode 0, at most 1 MHz at 3.3 V.
    #[must_use]
    pub const fn new(spi: S) -> Self {
        Self { spi }
    }

    /// One conversion, 0 to 4095 counts.
    ///
    /// # Errors
    /// When the bus fails, or the null bit before the result is high: no converter drives the wire.
    pub fn read(&mut self, channel: u8) -> Result<u16, ChipError> {
        if channel >= CHANNELS {
            return Err(ChipError::new(
                ChipErrorKind::NoSuchChannel,
                format!("converter channel {channel}"),
            ));
        }
        // Start bit, single-ended, three bits of channel; the result follows a null bit.
        let mut frame = [0x06 | channel >> 2, channel << 6, 0];
        self.spi
            .transfer_in_place(&mut frame)
            .map_err(|e| ChipError::new(ChipErrorKind::BusStuck, format!("converter: {e:?}")))?;
        let [_, high, low] = frame;
        if high & 0x10 != 0 {
            return Err(ChipError::new(
                ChipErrorKind::NoAnswer,
                format!("converter channel {channel}: nothing drives the data line"),
            ));
        }
        Ok(u16::from(high & 0x0f) << 8 | u16::from(low))
    }
}
