//! The newest samples of a stream.

/// Samples kept for the fit: the longest run and the longest erasure inside it.
pub(super) const HISTORY: usize = 1024;

/// The newest samples, [`HISTORY`] of them, in one piece.
#[derive(Debug, Clone)]
pub(super) struct History {
    samples: Box<[f32; 4 * HISTORY]>,
    end: usize,
}

impl History {
    pub(super) fn new() -> History {
        History {
            samples: Box::new([0.0; 4 * HISTORY]),
            end: HISTORY,
        }
    }

    /// Takes samples, at most [`HISTORY`] at once.
    pub(super) fn push(&mut self, part: &[f32]) {
        if self.end + part.len() > self.samples.len() {
            self.samples.copy_within(self.end - HISTORY..self.end, 0);
            self.end = HISTORY;
        }
        self.samples[self.end..self.end + part.len()].copy_from_slice(part);
        self.end += part.len();
    }

    /// The newest `length` samples, at most all.
    pub(super) fn last(&self, length: usize) -> &[f32] {
        &self.samples[self.end - length.min(HISTORY)..self.end]
    }
}
