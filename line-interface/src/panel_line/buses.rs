//! A switch: the taps name the pair, the crosspoint puts our circuit on it.

use std::time::Duration;

use super::Verdict;
use crate::card::BLOCK_SAMPLES;
use crate::line::{AddressDoubt, FaultKind, Line, LineCode, LineEvent, LineState, Reading};
use crate::matrix::{
    Address, Bus, Crosspoint, MatrixEvent, MatrixReader, SCANS_PER_BLOCK, TapBlock,
};
use crate::profile::Profile;
use crate::switch::{Addressing, Cell};

/// Mean levels of one bus over the last block.
#[derive(Debug, Clone, PartialEq)]
pub struct BusLevels {
    /// Module, counted from 0.
    pub module: u8,
    /// Which bus.
    pub bus: Bus,
    /// Label of its first line.
    pub first: u8,
    /// Volts of each line.
    pub volts: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Buses {
    addressing: Addressing,
    fresh: MatrixReader,
    reader: MatrixReader,
    crosspoint: Crosspoint,
    /// The pair of the present or last call.
    cell: Option<Cell>,
    doubt: Option<FaultKind>,
    /// The panel has let go of the pair: we do so too until then, for our own input joins the two
    /// biased lines and the taps would show a pair that is half fed.
    released_until: Duration,
    last: TapBlock,
}

/// Both lines of a pair that nobody feeds: the bias of the sunk bus turns it round by more.
const UNFED_VOLTS: f32 = -0.3;
/// The taps rest again after this long.
const RELEASED: Duration = Duration::from_millis(150);

impl Buses {
    pub(super) fn new(profile: &Profile, addressing: Addressing) -> Self {
        let reader = MatrixReader::new(profile, addressing.switch());
        Self {
            last: TapBlock::new(reader.layout().taps()),
            fresh: reader.clone(),
            reader,
            addressing,
            crosspoint: Crosspoint::default(),
            cell: None,
            doubt: None,
            released_until: Duration::ZERO,
        }
    }

    pub(super) fn reset(&mut self) {
        self.reader = self.fresh.clone();
        self.crosspoint = Crosspoint::default();
        self.cell = None;
        self.doubt = None;
    }

    /// The contact that is closed.
    pub(super) const fn connected(&self) -> Option<Cell> {
        self.crosspoint.closed()
    }

    /// No readings of the taps.
    pub(super) fn blind(&mut self, now: Duration) -> Verdict {
        self.crosspoint.select(now, None);
        Verdict::default()
    }

    /// `pair` is what our circuit read on the pair that it was on.
    pub(super) fn update(
        &mut self,
        now: Duration,
        taps: &TapBlock,
        pair: &[f32; BLOCK_SAMPLES],
        line: &Line,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        if taps.taps() != self.reader.layout().taps() {
            return self.blind(now);
        }
        self.last.clone_from(taps);
        let before = self.crosspoint.closed();
        match self.reader.handle_block(taps) {
            Some(MatrixEvent::Selected { cell, .. }) => {
                self.certain(&mut verdict);
                let idle = line.status().state == LineState::Idle;
                if self.cell != Some(cell) && !idle {
                    verdict.over = true;
                }
                // The same pair again within a call is a pause of its ring.
                if self.cell != Some(cell) || idle {
                    self.cell = Some(cell);
                    verdict.told.push(LineEvent::Addressed {
                        code: LineCode::Cell(cell),
                        apartment: self.addressing.apartment(cell),
                    });
                }
            }
            Some(MatrixEvent::Ambiguous { doubt, reading, .. }) => {
                self.certain(&mut verdict);
                let doubt = AddressDoubt::Buses(doubt);
                self.doubt = Some(doubt.kind());
                let [fed, lowest, _] = reading;
                verdict.told.push(LineEvent::Unclear {
                    doubt,
                    reading: Reading {
                        volts: fed,
                        milliamps: 0.0,
                        handset_volts: lowest,
                    },
                });
                // Letting go of the pair in the middle of a call would look like the door button.
                verdict.leave = line.busy();
            }
            Some(MatrixEvent::Released) => self.certain(&mut verdict),
            None => {}
        }
        let mean = pair.iter().sum::<f32>() / BLOCK_SAMPLES as f32;
        if before.is_some() && mean < UNFED_VOLTS && !line.busy() {
            self.released_until = now + RELEASED;
        }
        let wanted = match self.reader.address() {
            Address::Cell(_) if now < self.released_until => None,
            Address::Cell(cell) => Some(cell),
            // A call of ours ends on its own pair, whatever the buses show meanwhile.
            Address::None | Address::Doubtful(_) if line.busy() && !verdict.over => self.cell,
            Address::None | Address::Doubtful(_) => None,
        };
        self.crosspoint.select(now, wanted);
        // The readings are of the pair that was closed while they were taken.
        verdict.open = before.is_some() && before == wanted;
        verdict
    }

    /// What was doubtful is not any more, or is doubtful for another reason.
    fn certain(&mut self, verdict: &mut Verdict) {
        if let Some(kind) = self.doubt.take() {
            verdict.told.push(LineEvent::FaultCleared { kind });
        }
    }

    pub(super) fn levels(&self) -> Vec<BusLevels> {
        let mean = |tap: usize| {
            let sum: f32 = (0..SCANS_PER_BLOCK)
                .filter_map(|scan| self.last.scan(scan).get(tap))
                .sum();
            sum / SCANS_PER_BLOCK as f32
        };
        let mut all = Vec::new();
        for (module, taps) in (0_u8..).zip(self.reader.layout().modules()) {
            for (bus, first, at, count) in [
                (Bus::Tens, taps.first_tens, taps.tens_at, taps.tens),
                (Bus::Units, taps.first_units, taps.units_at, taps.units),
            ] {
                all.push(BusLevels {
                    module,
                    bus,
                    first,
                    volts: (at..at + count).map(mean).collect(),
                });
            }
        }
        all
    }
}
