//! A switch, listened to through its taps: the reader says which pair, the pair's own detectors the
//! rest.

use std::collections::VecDeque;

use super::pair::PairObserver;
use super::{LevelBook, Observation, Seen};
use crate::card::{BLOCK_MS, BLOCK_SAMPLES, SenseBlock};
use crate::line::Reading;
use crate::matrix::{Address, Bus, Doubt, MatrixEvent, MatrixReader, SCAN_SAMPLES, TapBlock};
use crate::profile::{DriveSide, Profile};
use crate::switch::{Cell, Switch};

/// The pair is read this many blocks behind the taps, so that it is known from its first moment.
const BEHIND: usize = 12;

/// Listens to all taps of a switch.
#[derive(Debug)]
pub struct MatrixObserver {
    reader: MatrixReader,
    side: DriveSide,
    pair: PairObserver,
    behind: VecDeque<Vec<[f32; BLOCK_SAMPLES]>>,
    block: TapBlock,
    /// The believed pair, and for how many blocks the delayed readings still belong to the last one.
    cell: Option<Cell>,
    now_ms: u64,
    seen: VecDeque<Seen>,
}

impl MatrixObserver {
    /// At rest.
    #[must_use]
    pub fn new(profile: Profile, switch: &Switch) -> Self {
        let reader = MatrixReader::new(&profile, switch);
        Self {
            block: TapBlock::new(reader.layout().taps()),
            reader,
            side: profile.matrix.sourced.value,
            pair: PairObserver::new(profile, true),
            behind: VecDeque::new(),
            cell: None,
            now_ms: 0,
            seen: VecDeque::new(),
        }
    }

    /// Order in which the taps are expected.
    #[must_use]
    pub const fn layout(&self) -> &crate::matrix::TapLayout {
        self.reader.layout()
    }

    /// Takes 10 ms of every tap at 8 kHz, in the order of the layout.
    pub fn handle_block(&mut self, taps: &[[f32; BLOCK_SAMPLES]]) {
        for (scan, sample) in SCAN_SAMPLES.iter().enumerate() {
            for (to, tap) in self.block.scan_mut(scan).iter_mut().zip(taps) {
                *to = tap.get(*sample).copied().unwrap_or(0.0);
            }
        }
        self.now_ms += BLOCK_MS;
        let began = |since_ms: u64| self.now_ms.saturating_sub(since_ms);
        match self.reader.handle_block(&self.block) {
            // A panel that leaves its pauses unfed selects the same pair for each burst.
            Some(MatrixEvent::Selected { cell, .. })
                if self.cell == Some(cell) && self.pair.in_call() => {}
            Some(MatrixEvent::Selected { cell, since_ms }) => {
                let t_ms = began(since_ms);
                self.push(t_ms, Observation::Cell { cell });
            }
            Some(MatrixEvent::Ambiguous {
                doubt,
                since_ms,
                reading,
            }) => {
                let t_ms = began(since_ms);
                let kind = if doubt == Doubt::BusShort {
                    "bus_short"
                } else {
                    "ambiguous"
                };
                let reading = Reading {
                    volts: reading.first().copied().unwrap_or(0.0),
                    milliamps: 0.0,
                    handset_volts: reading.get(1).copied().unwrap_or(0.0),
                };
                let hint = doubt.hint();
                self.push(
                    t_ms,
                    Observation::Fault {
                        kind,
                        reading,
                        hint,
                    },
                );
            }
            Some(MatrixEvent::Released) | None => {}
        }
        if let Address::Cell(cell) = self.reader.address() {
            self.cell = Some(cell);
        }
        self.behind.push_back(taps.to_vec());
        if self.behind.len() > BEHIND {
            self.next_pair_block();
        }
    }

    /// The recording ends.
    pub fn finish(&mut self) {
        while !self.behind.is_empty() {
            self.next_pair_block();
        }
        self.pair.finish();
        self.drain();
    }

    /// The next observation, not in order of time.
    pub fn poll(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// Levels of the selected pairs so far.
    #[must_use]
    pub const fn levels(&self) -> &LevelBook {
        self.pair.levels()
    }

    fn push(&mut self, t_ms: u64, what: Observation) {
        self.seen.push_back(Seen { t_ms, what });
    }

    fn next_pair_block(&mut self) {
        let Some(taps) = self.behind.pop_front() else {
            return;
        };
        let mut sense = SenseBlock::default();
        if let Some(cell) = self.cell {
            let layout = self.reader.layout();
            let tap = |bus, label| {
                layout
                    .index(cell.module, bus, label)
                    .and_then(|i| taps.get(i))
            };
            if let (Some(tens), Some(units)) =
                (tap(Bus::Tens, cell.tens), tap(Bus::Units, cell.units))
            {
                for (to, (t, u)) in sense.line_volts.iter_mut().zip(tens.iter().zip(units)) {
                    // At rest the bias of the sunk bus makes the difference negative: nothing fed.
                    *to = match self.side {
                        DriveSide::Tens => (t - u).max(0.0),
                        DriveSide::Units => (u - t).max(0.0),
                    };
                }
            }
        }
        self.pair.handle_block(&sense);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(seen) = self.pair.poll() {
            self.seen.push_back(seen);
        }
    }
}
