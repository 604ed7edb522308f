//! Settings of a chain.

use crate::Rate;
use crate::agc::AgcConfig;
use crate::suppressor::SuppressorConfig;

/// What is done about echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EchoMode {
    /// Nothing.
    Off,
    /// It is cancelled; nothing is delayed.
    Linear,
    /// It is cancelled, and what is left is suppressed together with steady noise.
    #[default]
    Full,
}

/// What blocks a chain is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocks {
    /// Whole tens of milliseconds, which costs no delay. The first block of another length makes it [`Blocks::Any`], with a jump.
    #[default]
    Whole,
    /// Any number of samples: 10 ms of delay for their frames.
    Any,
}

/// Settings of a [`super::Chain`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainConfig {
    /// Sample rate of both directions. The howl guard works at 8 kHz only and is left out at 16 kHz.
    pub rate: Rate,
    /// What blocks it is given.
    pub blocks: Blocks,
    /// What is done about echo.
    pub echo: EchoMode,
    /// Longest echo path behind the bulk delay, ms; 10..=500.
    pub tail_ms: u32,
    /// Longest bulk delay that is looked for, removed and followed, ms; 20..=2000, or 0 for none.
    pub search_ms: u32,
    /// How far noise and residual echo are turned down.
    pub suppressor: SuppressorConfig,
    /// Gain towards the line, dB.
    pub to_line_db: f32,
    /// Gain towards the phone, dB; before the limiter, behind the AGC.
    pub to_phone_db: f32,
    /// Automatic gain towards the phone.
    pub agc: Option<AgcConfig>,
    /// Whether the direction of the quieter talker may be turned down when the measured loss leaves no other way.
    pub voice_switch: bool,
    /// Whether feedback is looked for in what goes to the line, and notched.
    pub howl_guard: bool,
}

impl Default for ChainConfig {
    fn default() -> ChainConfig {
        ChainConfig {
            rate: Rate::Hz8000,
            blocks: Blocks::Whole,
            echo: EchoMode::Full,
            tail_ms: 64,
            search_ms: 250,
            suppressor: SuppressorConfig::default(),
            to_line_db: 0.0,
            to_phone_db: 0.0,
            agc: None,
            voice_switch: true,
            howl_guard: true,
        }
    }
}
