//! Signal processing on blocks of samples: tones, levels, concealment, resampling, echo.
//!
//! Everything here is a plain state machine: samples in, samples or findings out, no I/O, no clock, no allocation after
//! set-up. Samples are `f32` with full scale at 1.0 and 8 kHz unless said otherwise; [`sample`] converts.
//! `docs/reference/sound.md` gives the figures each part reaches and the command that prints them.

pub mod agc;
pub mod chain;
pub mod concealment;
pub mod delay;
pub mod dtmf;
pub mod duplex;
pub mod echo;
pub mod howl;
pub mod level;
pub mod resample;
pub mod sample;
mod spectrum;
pub mod suppressor;
pub mod talk;
pub mod time_scale;
pub mod tone;

/// Sample rate of the line and of G.711, Hz.
pub const SAMPLE_RATE_HZ: f32 = 8000.0;
