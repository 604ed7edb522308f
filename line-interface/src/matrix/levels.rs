//! From two blocks of tap readings to one level for each tap.

use super::taps::{SCANS_PER_BLOCK, TapBlock};

/// Two blocks: one period of a 50 Hz hum.
const WINDOW: usize = 2 * SCANS_PER_BLOCK;
/// A line that moves by more than this within the window, and not with the others, is being chopped
/// by a ring burst. Above the noise, below any fed level.
const CHOPPED_VOLTS: f32 = 1.0;
/// So many scans of the fed half of a burst make a level.
const MIN_FED: usize = 3;

/// Levels of all taps over the last 20 ms.
#[derive(Debug, Clone)]
pub(crate) struct Levels {
    /// Scan-major ring of readings.
    window: Vec<f32>,
    taps: usize,
    blocks: usize,
    means: Vec<f32>,
    levels: Vec<f32>,
}

impl Levels {
    pub(crate) fn new(taps: usize) -> Self {
        Self {
            window: vec![0.0; WINDOW * taps],
            taps,
            blocks: 0,
            means: vec![0.0; taps],
            levels: vec![0.0; taps],
        }
    }

    /// Takes a block; `sourced` are the taps that the panel feeds. Returns the levels once the
    /// window is full.
    pub(crate) fn update(&mut self, block: &TapBlock, sourced: &[usize]) -> Option<&[f32]> {
        let half = self.blocks % 2;
        self.blocks += 1;
        for scan in 0..SCANS_PER_BLOCK {
            let to = (half * SCANS_PER_BLOCK + scan) * self.taps;
            if let Some(to) = self.window.get_mut(to..to + self.taps) {
                for (to, v) in to.iter_mut().zip(block.scan(scan)) {
                    *to = if v.is_finite() {
                        v.clamp(-100.0, 100.0)
                    } else {
                        0.0
                    };
                }
            }
        }
        if self.blocks < 2 || self.taps == 0 {
            return None;
        }
        self.means.fill(0.0);
        for scan in self.window.chunks_exact(self.taps) {
            for (m, v) in self.means.iter_mut().zip(scan) {
                *m += v / WINDOW as f32;
            }
        }
        self.levels.copy_from_slice(&self.means);
        // A burst of which too little was seen says nothing new.
        self.take_chopped(sourced).then_some(&*self.levels)
    }

    /// In a ring burst the panel feeds half of the time: only those scans show the address.
    fn take_chopped(&mut self, sourced: &[usize]) -> bool {
        // The quietest line sits at the panel's own ground: what it shows is hum and noise that
        // all taps share.
        let Some(reference) = self
            .means
            .iter()
            .enumerate()
            .min_by(|a, b| a.1.total_cmp(b.1))
            .map(|(i, _)| i)
        else {
            return false;
        };
        let read = |scan: &[f32], tap: usize| {
            scan.get(tap).copied().unwrap_or(0.0) - scan.get(reference).copied().unwrap_or(0.0)
        };
        let (mut middle, mut range, mut chopped) = (0.0, CHOPPED_VOLTS, None);
        for tap in sourced {
            let (low, high) = self.window.chunks_exact(self.taps).fold(
                (f32::INFINITY, f32::NEG_INFINITY),
                |(l, h), scan| {
                    let v = read(scan, *tap);
                    (l.min(v), h.max(v))
                },
            );
            if high - low > range {
                (range, middle, chopped) = (high - low, (high + low) / 2.0, Some(*tap));
            }
        }
        let Some(tap) = chopped else { return true };
        let fed = self
            .window
            .chunks_exact(self.taps)
            .filter(|scan| read(scan, tap) > middle)
            .count();
        if fed < MIN_FED {
            return false;
        }
        let ground = self.means.get(reference).copied().unwrap_or(0.0);
        self.levels.fill(0.0);
        for scan in self.window.chunks_exact(self.taps) {
            if read(scan, tap) > middle {
                for (i, level) in self.levels.iter_mut().enumerate() {
                    *level += (read(scan, i) + ground) / fed as f32;
                }
            }
        }
        true
    }
}
