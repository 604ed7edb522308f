//! Signal processing on blocks of samples: tones, levels, concealment, resampling, echo.
//!
//! Everything here is a plain state machine: samples in, samples or findings out, no I/O, no clock, no allocation after
//! set-up. Samples are `f32` with full scale at 1.0 and 8 kHz unless said otherwise; [`sample`] converts.
//! `docs/reference/sound.md` gives the figures each part reaches and the command that prints them.

pub mod agc;
pub mod chain;
pub mod concealment;
pub mod delay;
pub mod drift;
pub mod dtmf;
pub mod duplex;
pub mod echo;
mod frames;
pub mod howl;
mod lanes;
pub mod level;
pub mod resample;
pub mod sample;
#[cfg(feature = "sonora")]
pub mod sonora;
mod spectrum;
pub mod suppressor;
pub mod talk;
pub mod time_scale;
pub mod tone;
mod transform;
pub mod wav;

/// Sample rates of the processors that know more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rate {
    /// The line and G.711.
    #[default]
    Hz8000,
    /// Wide-band codecs and headsets.
    Hz16000,
}

impl Rate {
    /// The rate of this many samples a second.
    pub fn of_hz(hz: u32) -> Option<Rate> {
        match hz {
            8000 => Some(Rate::Hz8000),
            16_000 => Some(Rate::Hz16000),
            _ => None,
        }
    }

    /// Samples a second.
    pub fn hz(self) -> u32 {
        match self {
            Rate::Hz8000 => 8000,
            Rate::Hz16000 => 16_000,
        }
    }

    /// Samples of a millisecond.
    pub(crate) fn per_ms(self) -> f32 {
        self.hz() as f32 / 1000.0
    }

    /// Samples of a block of 10 ms.
    pub fn block(self) -> usize {
        self.hz() as usize / 100
    }
}

/// Sample rate of the line and of G.711, Hz.
pub const SAMPLE_RATE_HZ: f32 = 8000.0;
