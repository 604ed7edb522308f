//! The capture on a real box: a comparator on the wire feeds the data input of an SPI controller.
//!
//! The controller clocks at 1 MHz with DMA, so every bit is the wire's level for 1 us and no
//! processor has to be in time. The reset low of 200 ms leaves time to arm the transfer, and one
//! transfer covers the rest of the reset and the whole address, so no gap between transfers can
//! swallow a pulse.

use super::profile::PulseAddress;
use super::reader::{PulseEvent, PulseReader};
use crate::card::PulseBurst;

/// Clock of the capture: one bit each microsecond.
pub const CAPTURE_HZ: u32 = 1_000_000;
/// Length of one transfer: up to 100 ms of the reset, and the 60 ms within which the panel has
/// counted out any address before it rings (line-facts 3).
pub const CAPTURE_BYTES: usize = 20_000;

/// Turns captured bits into edges for a [`PulseReader`].
#[derive(Debug, Clone)]
pub struct Capture {
    reader: PulseReader,
    high: bool,
    bits: u64,
}

impl Capture {
    /// A capture whose first bit is at `start_us`.
    #[must_use]
    pub const fn new(reader: PulseReader, start_us: u64) -> Self {
        Self {
            reader,
            high: true,
            bits: start_us,
        }
    }

    /// Reads a whole burst: a reset and the address or the rejection behind it, or nothing where
    /// the low before it was no reset.
    #[must_use]
    pub fn read(rule: &PulseAddress, burst: &PulseBurst) -> Vec<PulseEvent> {
        let begin = u64::from(burst.low_us);
        let mut capture = Self::new(PulseReader::new(rule.clone()), begin);
        capture.fell(0);
        capture.bytes(&burst.bits)
    }

    /// The GPIO that arms the transfer saw the wire fall at this time.
    pub fn fell(&mut self, at_us: u64) {
        self.reader.edge(at_us, false);
        self.high = false;
    }

    /// Takes captured bytes, first bit first in time; a set bit is a high wire.
    pub fn bytes(&mut self, bytes: &[u8]) -> Vec<PulseEvent> {
        let mut events = Vec::new();
        for byte in bytes {
            let same = if self.high { 0xff } else { 0 };
            if *byte == same {
                self.bits += 8;
                events.extend(self.reader.advance(self.bits));
                continue;
            }
            for bit in (0..8).rev() {
                let high = byte >> bit & 1 == 1;
                if high != self.high {
                    self.high = high;
                    events.extend(self.reader.edge(self.bits, high));
                }
                self.bits += 1;
            }
        }
        events
    }
}
