//! The matrix variant as a [`LineCard`]: taps, crosspoint and the circuit of the connected pair.

use std::time::{Duration, Instant};

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use line_interface::chips::{
    BoardMap, Conversions, MatrixCard, TAP_SELECT_MS, TapMux, TapScan, VISITS_PER_BLOCK,
};
use line_interface::matrix::{ModuleTaps, TapBlock, TapLayout};
use line_interface::switch::Cell;
use line_interface::{
    AddressSense, BLOCK_MS, CardError, CardErrorKind, CardInfo, DriveBlock, DriveSide, LineCard,
    LineKind, SenseBlock,
};

use crate::sampling::{Last, Sampling, first_look};
use crate::sound::Port;
use crate::{chip_error, only_line};

/// What the card is wired to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchWires {
    /// The taps.
    pub layout: TapLayout,
    /// The bus that the panel feeds.
    pub side: DriveSide,
}

/// Chips, readings and sound put together. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct MatrixBoardCard<I: I2c, P: OutputPin> {
    outputs: MatrixCard<I, P>,
    mux: TapMux<I>,
    scan: TapScan,
    taps: TapBlock,
    module: ModuleTaps,
    tap_count: usize,
    sampling: Sampling,
    sound: Option<Port>,
    began: Instant,
    last: Last,
}

impl<I: I2c, P: OutputPin> MatrixBoardCard<I, P> {
    /// Looks whether the chips are there and starts them with everything off; `bus` gives a handle
    /// of the I2C bus for each chip.
    ///
    /// # Errors
    /// [`CardError`] of the first chip that is not what it should be, or a switch that is too big
    /// for one card.
    pub fn start<C>(
        mut bus: impl FnMut() -> I,
        watchdog: P,
        (converter, clock_hz): (C, u32),
        wires: &SwitchWires,
        sound: Option<Port>,
    ) -> Result<Self, CardError>
    where
        C: Conversions + Send + 'static,
    {
        let map = BoardMap::reference().map_err(|error| chip_error(&error))?;
        let module = wires.layout.modules().first().copied();
        let (Some(scan), Some(module)) = (TapScan::new(&wires.layout), module) else {
            return Err(CardError {
                kind: CardErrorKind::LineCount,
                cause: format!(
                    "the switch has {} modules, the board has taps for one",
                    wires.layout.modules().len()
                ),
                hint: "one board serves one module: set modules = 1 at the [[line]], or use a board for each",
            });
        };
        if module.tens > map.tens.len() || module.units > map.units.len() {
            return Err(CardError {
                kind: CardErrorKind::LineCount,
                cause: format!(
                    "the switch has {} x {} lines, the board {} x {}",
                    module.tens,
                    module.units,
                    map.tens.len(),
                    map.units.len()
                ),
                hint: "choose the right switch at the [[line]]",
            });
        }
        let (sampler, last) = first_look(converter, clock_hz, map)?;
        let chips = |error| chip_error(&error);
        let mux = TapMux::start(bus(), map).map_err(chips)?;
        let outputs = MatrixCard::start(bus, watchdog, wires.side, map).map_err(chips)?;
        Ok(Self {
            outputs,
            mux,
            scan,
            taps: TapBlock::new(wires.layout.taps()),
            module,
            tap_count: wires.layout.taps(),
            sampling: Sampling::start(sampler)?,
            sound,
            began: Instant::now(),
            last: Last::new(last),
        })
    }

    /// Puts the next tap on the converter; `false` when it was too late, or a chip did not answer:
    /// then the visit does not count.
    fn select(&mut self, turn: usize) -> bool {
        let wanted = self.scan.line(turn);
        let done = self.mux.select(wanted).and_then(|()| self.mux.check());
        let since = self.last.at.elapsed().as_secs_f32() * 1000.0;
        let begin = (turn * BLOCK_MS as usize / VISITS_PER_BLOCK) as f32;
        done.is_ok() && wanted.is_some() && (begin..begin + TAP_SELECT_MS).contains(&since)
    }

    /// Lines of a pair, counted from 0.
    fn lines(&self, cell: Cell) -> Option<(usize, usize)> {
        let tens = usize::from(cell.tens.checked_sub(self.module.first_tens)?);
        let units = usize::from(cell.units.checked_sub(self.module.first_units)?);
        let there = cell.module == 0 && tens < self.module.tens && units < self.module.units;
        there.then_some((tens, units))
    }
}

impl<I: I2c + Send, P: OutputPin + Send> LineCard for MatrixBoardCard<I, P> {
    fn info(&self) -> CardInfo {
        CardInfo {
            name: "line-card, matrix".to_owned(),
            lines: vec![LineKind::Matrix {
                taps: u16::try_from(self.tap_count).unwrap_or(u16::MAX),
            }],
        }
    }

    fn exchange(
        &mut self,
        drive: &[DriveBlock],
        sense: &mut [SenseBlock],
    ) -> Result<(), CardError> {
        let (drive, sense) = only_line(drive, sense)?;
        let first = self.select(0);
        let connect = drive.connect.and_then(|cell| self.lines(cell));
        self.outputs
            .exchange(
                self.began.elapsed(),
                &self.last.readings.supplies,
                connect,
                drive.drive,
            )
            .map_err(|error| chip_error(&error))?;
        if let Some(sound) = &self.sound {
            sound.play(&drive.audio);
        }
        let half = Duration::from_millis(BLOCK_MS / VISITS_PER_BLOCK as u64);
        std::thread::sleep((self.last.at + half).saturating_duration_since(Instant::now()));
        let second = self.select(1);
        self.last.receive(&self.sampling)?;
        for (turn, counts) in [first, second].into_iter().enumerate() {
            let visit = counts.then(|| self.last.readings.tap_visit(turn));
            self.scan.take(visit);
        }
        if self.outputs.connected().is_some() {
            self.last.readings.fill(sense);
        } else {
            // Nothing is behind the terminals: what they read is nobody's.
            *sense = SenseBlock::default();
        }
        sense.applied = self.outputs.applied(&self.last.readings.supplies);
        if sense.applied.is_none() {
            // The taps' bias has gone too.
            self.scan.clear();
        }
        sense.address = if self.scan.fill(&mut self.taps) {
            AddressSense::Taps(self.taps.clone())
        } else {
            AddressSense::Taps(TapBlock::new(self.tap_count))
        };
        match &self.sound {
            Some(sound) => sound.hear(&mut sense.audio),
            None => sense.audio.fill(0),
        }
        Ok(())
    }
}
