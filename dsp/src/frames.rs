//! Blocks of any length for what works in frames.

/// Cuts a stream into frames and gives the treated frames back exactly one frame later, whatever the blocks are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frames {
    /// Up to `filled` the frame that is being collected, behind it what is left of the one before.
    frame: Vec<f32>,
    filled: usize,
}

impl Frames {
    /// Frames of this many samples, at least one; the first one out is silence.
    pub(crate) fn new(length: usize) -> Frames {
        Frames {
            frame: vec![0.0; length.max(1)],
            filled: 0,
        }
    }

    /// Samples of a frame.
    pub(crate) fn length(&self) -> usize {
        self.frame.len()
    }

    /// Samples that wait for the rest of their frame.
    pub(crate) fn waiting(&self) -> usize {
        self.filled
    }

    /// Replaces `samples` by those of a frame before; every frame that is full goes through `treat`.
    pub(crate) fn process(&mut self, samples: &mut [f32], mut treat: impl FnMut(&mut [f32])) {
        let mut rest = samples;
        while !rest.is_empty() {
            let room = self.frame.len() - self.filled;
            let (now, later) = rest.split_at_mut(rest.len().min(room));
            self.frame[self.filled..self.filled + now.len()].swap_with_slice(now);
            self.filled += now.len();
            if self.filled == self.frame.len() {
                self.filled = 0;
                treat(&mut self.frame);
            }
            rest = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_blocks_give_the_same_frames_one_frame_later() {
        let sound: Vec<f32> = (0..1000).map(|n| n as f32).collect();
        for size in [1, 7, 10, 33, 1000] {
            let mut frames = Frames::new(10);
            let mut out = sound.clone();
            let mut first = Vec::new();
            for block in out.chunks_mut(size) {
                frames.process(block, |frame| {
                    first.push(frame[0]);
                    frame.iter_mut().for_each(|s| *s = -*s);
                });
            }
            assert!(first.iter().zip(0..).all(|(a, n)| *a == (10 * n) as f32));
            assert_eq!((first.len(), frames.waiting()), (100, 0));
            assert!(out[..10].iter().all(|s| *s == 0.0));
            assert!(out[10..].iter().zip(&sound).all(|(a, b)| *a == -*b));
        }
    }
}
