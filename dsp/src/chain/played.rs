//! What the line has played, until what was recorded meanwhile comes in.

use std::collections::VecDeque;

/// A queue that never grows: samples played, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Played {
    samples: VecDeque<f32>,
    longest: usize,
    /// Samples of the last block.
    last: usize,
}

impl Played {
    /// For blocks of up to `longest` samples, met in frames of `frame`.
    pub(super) fn new(longest: usize, frame: usize) -> Played {
        Played {
            samples: VecDeque::with_capacity(2 * longest + 2 * frame),
            longest,
            last: 0,
        }
    }

    /// A block is played. Of a longer one than any may be, the end counts.
    pub(super) fn push(&mut self, block: &[f32]) {
        let block = block
            .get(block.len().saturating_sub(self.longest)..)
            .unwrap_or_default();
        let room = self.samples.capacity().min(2 * self.longest) - block.len();
        let over = self.samples.len().saturating_sub(room);
        self.samples.drain(..over);
        self.samples.extend(block);
        self.last = block.len();
    }

    /// `count` samples were recorded, and `waiting` before them that have not been taken. What was played before the last block and
    /// is not met by now never will be; what is missing is silence.
    pub(super) fn meet(&mut self, waiting: usize, count: usize) {
        let most = waiting + count.max(self.last);
        let over = self.samples.len().saturating_sub(most);
        let from = waiting.min(self.samples.len() - over);
        self.samples.drain(from..from + over);
        let missing = (waiting + count).saturating_sub(self.samples.len());
        self.samples.extend(std::iter::repeat_n(0.0, missing));
    }

    /// The oldest samples.
    pub(super) fn take(&mut self, frame: &mut [f32]) {
        let count = frame.len().min(self.samples.len());
        let (now, missing) = frame.split_at_mut(count);
        let (first, second) = self.samples.as_slices();
        let (a, b) = now.split_at_mut(count.min(first.len()));
        a.copy_from_slice(&first[..a.len()]);
        b.copy_from_slice(&second[..b.len()]);
        missing.fill(0.0);
        self.samples.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(played: &mut Played, count: usize) -> Vec<f32> {
        let mut out = vec![9.0; count];
        played.meet(0, count);
        played.take(&mut out);
        out
    }

    #[test]
    fn what_is_recorded_meets_what_was_played_last() {
        let mut played = Played::new(10, 2);
        played.push(&[1.0, 2.0, 3.0, 4.0]);
        // In two halves, then more than was played.
        assert_eq!(taken(&mut played, 2), [1.0, 2.0]);
        assert_eq!(taken(&mut played, 2), [3.0, 4.0]);
        assert_eq!(taken(&mut played, 2), [0.0, 0.0]);
        // Played twice, heard once: the last one.
        played.push(&[5.0, 6.0]);
        played.push(&[7.0, 8.0]);
        assert_eq!(taken(&mut played, 2), [7.0, 8.0]);
        // Played twice, heard at once.
        played.push(&[5.0, 6.0]);
        played.push(&[7.0, 8.0]);
        assert_eq!(taken(&mut played, 4), [5.0, 6.0, 7.0, 8.0]);
    }

    #[test]
    fn it_never_grows() {
        let mut played = Played::new(10, 2);
        let room = played.samples.capacity();
        for n in 0..50 {
            played.push(&vec![n as f32; n % 25]);
            if n % 7 == 0 {
                played.meet(1, 3);
            }
        }
        played.push(&[]);
        played.push(&[1.0; 100]);
        assert_eq!(taken(&mut played, 10), [1.0; 10]);
        assert_eq!(played.samples.capacity(), room);
    }
}
