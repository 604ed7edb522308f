//! Sending digits as tones.

use std::collections::VecDeque;

use super::{HIGH_HZ, LOW_HZ, row_and_column};
use crate::tone::{Cadence, ToneGenerator};

/// Digits waiting at most.
const MAX_QUEUE: usize = 64;

/// Longest digit and longest pause, ms.
const LONGEST_MS: u32 = 60_000;

/// Plays queued digits one after the other.
#[derive(Debug, Clone)]
pub struct DtmfGenerator {
    queue: VecDeque<char>,
    playing: Option<(ToneGenerator, usize)>,
    on_ms: u32,
    off_ms: u32,
    low_dbm0: f32,
    high_dbm0: f32,
}

impl DtmfGenerator {
    /// `on_ms` and `off_ms` per digit, 1 to 60 000; the levels of the two groups in dBm0 (ETSI ES 201 235-2 has the high one 2 dB up).
    pub fn new(on_ms: u32, off_ms: u32, low_dbm0: f32, high_dbm0: f32) -> DtmfGenerator {
        DtmfGenerator {
            queue: VecDeque::with_capacity(MAX_QUEUE),
            playing: None,
            on_ms: on_ms.clamp(1, LONGEST_MS),
            off_ms: off_ms.clamp(1, LONGEST_MS),
            low_dbm0,
            high_dbm0,
        }
    }

    /// Queues a digit. False when it is none of the sixteen or the queue is full.
    pub fn push(&mut self, digit: char) -> bool {
        let fits = row_and_column(digit).is_some() && self.queue.len() < MAX_QUEUE;
        if fits {
            self.queue.push_back(digit);
        }
        fits
    }

    /// Whether something is still to be played.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some() || !self.queue.is_empty()
    }

    /// Writes the next samples; silence when nothing is queued.
    pub fn fill(&mut self, mut out: &mut [f32]) {
        while !out.is_empty() {
            if self.playing.is_none() {
                self.playing = self.queue.pop_front().and_then(|digit| self.start(digit));
            }
            let Some((generator, left)) = &mut self.playing else {
                out.fill(0.0);
                return;
            };
            let count = out.len().min(*left);
            let (now, later) = out.split_at_mut(count);
            generator.fill(now);
            *left -= count;
            if *left == 0 {
                self.playing = None;
            }
            out = later;
        }
    }

    fn start(&self, digit: char) -> Option<(ToneGenerator, usize)> {
        let (row, column) = row_and_column(digit)?;
        let tones = [
            (LOW_HZ[row], self.low_dbm0),
            (HIGH_HZ[column], self.high_dbm0),
        ];
        let cadence = Cadence {
            on_ms: self.on_ms,
            off_ms: self.off_ms,
        };
        Some((
            ToneGenerator::new(tones, cadence),
            (self.on_ms + self.off_ms) as usize * 8,
        ))
    }
}
