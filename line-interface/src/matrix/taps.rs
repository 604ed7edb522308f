//! Taps on the buses of a switch: which one is which, and a block of their readings.

use crate::card::BLOCK_MS;
use crate::switch::Switch;

/// The converter scans all taps once a millisecond: enough for a hum of 50 Hz and for the halves of
/// a ring burst, and slow enough for one serial bus.
pub const SCANS_PER_BLOCK: usize = BLOCK_MS as usize;

/// The sample of the block at which each scan is taken: uneven, so that two blocks catch at least
/// three scans of the fed half of any ring from 250 to 3500 Hz (found by search, held by a test).
pub const SCAN_SAMPLES: [usize; SCANS_PER_BLOCK] = [4, 15, 22, 29, 35, 43, 48, 58, 66, 75];

/// A bus of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bus {
    /// `D` lines.
    Tens,
    /// `E` lines.
    Units,
}

/// Order of the taps: for each module its tens lines, then its units lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapLayout {
    modules: Vec<ModuleTaps>,
    taps: usize,
}

/// Taps of one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModuleTaps {
    /// Index of the first tens tap.
    pub tens_at: usize,
    /// Number of tens lines.
    pub tens: usize,
    /// Index of the first units tap.
    pub units_at: usize,
    /// Number of units lines.
    pub units: usize,
    /// Label of the first tens line.
    pub first_tens: u8,
    /// Label of the first units line.
    pub first_units: u8,
}

impl TapLayout {
    /// The layout for a switch.
    #[must_use]
    pub fn new(switch: &Switch) -> Self {
        let units = usize::from(switch.units.value);
        let mut at = 0;
        let modules = switch
            .module_tens
            .value
            .iter()
            .map(|tens| {
                let tens = usize::from(*tens);
                let module = ModuleTaps {
                    tens_at: at,
                    tens,
                    units_at: at + tens,
                    units,
                    first_tens: switch.first_tens.value,
                    first_units: switch.first_units(),
                };
                at += tens + units;
                module
            })
            .collect();
        Self { modules, taps: at }
    }

    /// Number of taps.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.taps
    }

    /// The modules, in order.
    #[must_use]
    pub fn modules(&self) -> &[ModuleTaps] {
        &self.modules
    }

    /// Index of a tap by module, bus and label.
    #[must_use]
    pub fn index(&self, module: u8, bus: Bus, label: u8) -> Option<usize> {
        let m = self.modules.get(usize::from(module))?;
        let (at, count, first) = match bus {
            Bus::Tens => (m.tens_at, m.tens, m.first_tens),
            Bus::Units => (m.units_at, m.units, m.first_units),
        };
        let i = usize::from(label.checked_sub(first)?);
        (i < count).then_some(at + i)
    }
}

/// Readings of all taps over 10 ms, scan after scan.
#[derive(Debug, Clone, PartialEq)]
pub struct TapBlock {
    volts: Vec<f32>,
    taps: usize,
}

impl TapBlock {
    /// A block of zeros.
    #[must_use]
    pub fn new(taps: usize) -> Self {
        Self {
            volts: vec![0.0; taps * SCANS_PER_BLOCK],
            taps,
        }
    }

    /// Number of taps.
    #[must_use]
    pub const fn taps(&self) -> usize {
        self.taps
    }

    /// One scan: a reading of each tap. An empty slice for a scan that does not exist.
    #[must_use]
    pub fn scan(&self, scan: usize) -> &[f32] {
        self.volts
            .get(scan * self.taps..(scan + 1) * self.taps)
            .unwrap_or_default()
    }

    /// One scan, to be filled.
    pub fn scan_mut(&mut self, scan: usize) -> &mut [f32] {
        self.volts
            .get_mut(scan * self.taps..(scan + 1) * self.taps)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ring_frequency_shows_its_fed_half() {
        for hz in (250..=3500).step_by(3) {
            for phase in 0..16 {
                let fed = (0..2 * SCANS_PER_BLOCK)
                    .filter(|scan| {
                        let sample = SCAN_SAMPLES[scan % SCANS_PER_BLOCK]
                            + scan / SCANS_PER_BLOCK * crate::card::BLOCK_SAMPLES;
                        let turns = sample as f64 * f64::from(hz) / 8000.0;
                        (turns + f64::from(phase) / 16.0).fract() < 0.5
                    })
                    .count();
                assert!(fed >= 3, "{hz} Hz, phase {phase}: {fed} scans");
            }
        }
    }
}
