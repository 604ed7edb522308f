//! The pair card as a [`LineCard`].

use std::time::Instant;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use line_interface::chips::{BoardMap, Conversions, PairCard};
use line_interface::{CardError, CardInfo, DriveBlock, LineCard, LineKind, SenseBlock};

use crate::sampling::{Last, Sampling, first_look};
use crate::sound::Port;
use crate::{chip_error, only_line};

/// Chips, readings and sound put together. Dropping it, also in a panic, switches everything off.
#[derive(Debug)]
pub struct BoardCard<I: I2c, P: OutputPin> {
    outputs: PairCard<I, P>,
    sampling: Sampling,
    sound: Option<Port>,
    began: Instant,
    last: Last,
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
        let (sampler, last) = first_look(converter, clock_hz, map)?;
        let outputs = PairCard::start(i2c, watchdog, map).map_err(|error| chip_error(&error))?;
        let sampling = Sampling::start(sampler)?;
        Ok(Self {
            outputs,
            sampling,
            sound,
            began: Instant::now(),
            last: Last::new(last),
        })
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
        let (drive, sense) = only_line(drive, sense)?;
        let now = self.began.elapsed();
        self.outputs
            .exchange(now, &self.last.readings.supplies, drive.drive)
            .map_err(|error| chip_error(&error))?;
        if let Some(sound) = &self.sound {
            sound.play(&drive.audio);
        }
        self.last.receive(&self.sampling)?;
        self.last.readings.fill(sense);
        sense.applied = self.outputs.applied(&self.last.readings.supplies);
        match &self.sound {
            Some(sound) => sound.hear(&mut sense.audio),
            None => sense.audio.fill(0),
        }
        Ok(())
    }
}
