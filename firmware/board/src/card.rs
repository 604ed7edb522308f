//! The pair card as a [`LineCard`].

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use line_interface::chips::{BoardMap, Conversions, PairCard, Readings, Sampler};
use line_interface::{
    CardError, CardErrorKind, CardInfo, DriveBlock, LineCard, LineKind, SenseBlock,
};

use crate::chip_error;
use crate::sampling::Sampling;
use crate::sound::Port;

/// Without readings for so long the card is lost; less than the watchdog waits, so that it is told
/// before the watchdog lets go.
const SILENCE: Duration = Duration::from_millis(300);
/// Blocks that the converter may fail in a row.
const BAD_BLOCKS: u32 = 10;

/// Chips, readings and sound put together. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct BoardCard<I: I2c, P: OutputPin> {
    outputs: PairCard<I, P>,
    sampling: Sampling,
    sound: Option<Port>,
    began: Instant,
    last: Readings,
    bad_blocks: u32,
}

impl<I: I2c, P: OutputPin> BoardCard<I, P> {
    /// Looks whether the chips are there and starts them with everything off.
    ///
    /// # Errors
    /// [`CardError`] of the first chip that is not what it should be.
    pub fn start<C>(
        i2c: I,
        watchdog: P,
        converter: C,
        clock_hz: u32,
        sound: Option<Port>,
    ) -> Result<Self, CardError>
    where
        C: Conversions + Send + 'static,
    {
        let map = BoardMap::reference().map_err(|error| chip_error(&error))?;
        let mut sampler = Sampler::new(converter, clock_hz, map);
        let last = sampler.read().map_err(|error| chip_error(&error))?.clone();
        let sound_supplies = last.supplies.check();
        sound_supplies.map_err(|error| chip_error(&error))?;
        let outputs = PairCard::start(i2c, watchdog, map).map_err(|error| chip_error(&error))?;
        let sampling = Sampling::start(sampler).map_err(|error| CardError {
            kind: CardErrorKind::Lost,
            cause: format!("no thread for the converter: {error}"),
            hint: "the computer is out of threads or memory: look at what else runs on it",
        })?;
        Ok(Self {
            outputs,
            sampling,
            sound,
            began: Instant::now(),
            last,
            bad_blocks: 0,
        })
    }

    fn receive(&mut self) -> Result<(), CardError> {
        let silent = |cause: String| CardError {
            kind: CardErrorKind::Timeout,
            cause,
            hint: "the converter's thread got no time or the SPI driver hangs: look at the load and the kernel's log",
        };
        match self.sampling.blocks.recv_timeout(SILENCE) {
            Ok(Ok(readings)) => {
                self.last = readings;
                self.bad_blocks = 0;
            }
            Ok(Err(error)) => {
                self.bad_blocks += 1;
                if self.bad_blocks >= BAD_BLOCKS {
                    return Err(chip_error(&error));
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                return Err(silent(format!(
                    "no readings for {} ms",
                    SILENCE.as_millis()
                )));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(silent("the converter's thread ended".to_owned()));
            }
        }
        Ok(())
    }
}

impl<I: I2c + Send, P: OutputPin + Send> LineCard for BoardCard<I, P> {
    fn info(&self) -> CardInfo {
        CardInfo {
            name: "line-card, pair".to_owned(),
            lines: vec![LineKind::Pair],
        }
    }

    fn exchange(
        &mut self,
        drive: &[DriveBlock],
        sense: &mut [SenseBlock],
    ) -> Result<(), CardError> {
        let ([drive], [sense]) = (drive, sense) else {
            return Err(CardError {
                kind: CardErrorKind::LineCount,
                cause: "the board carries one line".to_owned(),
                hint: "channel of the [[line]] must be 0",
            });
        };
        let now = self.began.elapsed();
        self.outputs
            .exchange(now, &self.last.supplies, drive.drive)
            .map_err(|error| chip_error(&error))?;
        if let Some(sound) = &self.sound {
            sound.play(&drive.audio);
        }
        self.receive()?;
        self.last.fill(sense);
        match &self.sound {
            Some(sound) => sound.hear(&mut sense.audio),
            None => sense.audio.fill(0),
        }
        Ok(())
    }
}
