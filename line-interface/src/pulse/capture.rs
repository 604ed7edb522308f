//! The capture on a real box: a comparator on the wire feeds the data input of an SPI controller.
//!
//! The controller clocks at 1 MHz with DMA, so every bit is the wire's level for 1 us and no
//! processor has to be in time. The reset low of 200 ms leaves time to arm the transfer, and one
//! transfer covers the rest of the reset and the whole address, so no gap between transfers can
//! swallow a pulse.

use super::reader::{PulseEvent, PulseReader};

/// Clock of the capture: one bit each microsecond.
pub const CAPTURE_HZ: u32 = 1_000_000;
/// Length of one transfer: the rest of the reset, 255 pulses at 111 us with room for wide gaps, and
/// the end of the address.
pub const CAPTURE_BYTES: usize = 50_000;

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
