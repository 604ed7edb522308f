//! Signal processing on blocks of samples: tones, levels, concealment, resampling, echo.
//!
//! Everything here is a plain state machine: samples in, samples or findings out, no I/O, no clock, no allocation after
//! set-up. Unless said otherwise samples are at 8 kHz. `docs/reference/sound.md` gives the figures each part reaches and the
//! command that prints them.

pub mod concealment;
pub mod time_scale;
