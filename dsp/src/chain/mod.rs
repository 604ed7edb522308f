//! The sound of one call between the line and the phone, everything in its order.
//!
//! [`Chain::play`] takes what the phone says on its way to the line, [`Chain::hear`] what the line says on its way to the
//! phone. Both take blocks of any size up to 500 ms, first `play` and then `hear` with what was recorded while that block
//! sounded. Cut in any other way the same sound gives the same bits; only the voice switch, which leads from one direction to the
//! other, closes the way to the line as much later as the blocks are longer.
//!
//! ```text
//! phone -> gain -> voice switch -> mute -> howl notches -> limiter -> line
//!                                                             |
//! phone <- limiter <- mute <- gain <- AGC <- switch <- suppressor <- canceller <- line
//!                                                                        |
//!                                                      Chain::linear: for digits and tones
//! ```
//!
//! Nothing allocates after set-up and the same input gives the same bits. The delay is that of the suppressor and of the limiter
//! ([`Chain::delay_ms`]), and 10 ms more where blocks are not whole tens of milliseconds ([`Blocks`]).

mod alone;
mod config;
mod played;
mod status;

pub use config::{Blocks, ChainConfig, EchoMode};
pub use status::{ChainStatus, Duplex};

use alone::AloneMeter;

use crate::Rate;
use crate::agc::Agc;
use crate::duplex::VoiceSwitch;
use crate::echo::{EchoCanceller, EchoPath, EchoSettings};
use crate::frames::Frames;
use crate::howl::HowlGuard;
use crate::level::{Gain, LevelMeter, Limiter, Ramp};
use crate::sample::{bounded, mean_square};
use crate::suppressor::Suppressor;
use crate::talk::TalkMeter;
use played::Played;

/// Magnitude at which both directions are limited, -1 dBFS.
const LIMIT: f32 = 0.89;
/// How fast a limiter lets go, ms.
const RELEASE_MS: f32 = 80.0;
/// Time constant of the meters, ms.
const METER_MS: f32 = 125.0;

/// Longest block, ms; longer ones are taken in pieces.
const LONGEST_MS: usize = 500;

/// The sound processing of one call: blocks of any size, full scale at 1.0.
#[derive(Debug, Clone)]
pub struct Chain {
    config: ChainConfig,
    canceller: Option<EchoCanceller>,
    suppressor: Option<Suppressor>,
    agc: Option<Agc>,
    talk: TalkMeter,
    switch: VoiceSwitch,
    howl: Option<HowlGuard>,
    to_line: Direction,
    to_phone: Direction,
    from_line: LevelMeter,
    /// What the line has played and `hear` has not met yet, and the frame of it that belongs to what is heard.
    played: Played,
    far: Vec<f32>,
    /// What comes from the line, cut into frames.
    frames: Frames,
    /// Whether blocks have been, or may be, other than whole frames.
    any: bool,
    frame: Vec<f32>,
    linear: Vec<f32>,
    status: ChainStatus,
    alone: AloneMeter,
}

/// What both directions have.
#[derive(Debug, Clone)]
struct Direction {
    gain: Gain,
    mute: Ramp,
    limiter: Limiter,
    meter: LevelMeter,
}

impl Direction {
    fn new(rate: Rate, gain_db: f32) -> Direction {
        Direction {
            gain: Gain::at(rate, gain_db),
            mute: Ramp::at(rate),
            limiter: Limiter::at(rate, LIMIT, RELEASE_MS),
            meter: LevelMeter::at(rate, METER_MS),
        }
    }

    /// Everything behind the gain.
    fn finish(&mut self, block: &mut [f32]) {
        self.mute.process(block);
        self.limiter.process(block);
        self.meter.process(block);
    }
}

impl Chain {
    /// A chain that has heard nothing.
    pub fn new(config: ChainConfig) -> Chain {
        let cancels = config.echo != EchoMode::Off;
        let suppresses = config.echo == EchoMode::Full;
        let (rate, frame) = (config.rate, config.rate.block());
        Chain {
            canceller: cancels.then(|| {
                EchoCanceller::with(EchoSettings {
                    rate: config.rate,
                    tail_ms: config.tail_ms,
                    search_ms: config.search_ms,
                })
            }),
            suppressor: suppresses.then(|| Suppressor::at(config.rate, config.suppressor)),
            agc: config.agc.map(|agc| Agc::at(rate, agc)),
            talk: TalkMeter::new(),
            switch: VoiceSwitch::at(rate),
            howl: (config.howl_guard && config.rate == Rate::Hz8000).then(HowlGuard::new),
            to_line: Direction::new(rate, config.to_line_db),
            to_phone: Direction::new(rate, config.to_phone_db),
            from_line: LevelMeter::at(rate, METER_MS),
            played: Played::new(LONGEST_MS / 10 * frame, frame),
            far: vec![0.0; frame],
            frames: Frames::new(frame),
            any: config.blocks == Blocks::Any,
            frame: vec![0.0; frame],
            linear: Vec::with_capacity((LONGEST_MS / 10 + 1) * frame),
            status: ChainStatus::default(),
            alone: AloneMeter::default(),
            config,
        }
    }

    /// The settings that it was made with.
    pub fn config(&self) -> &ChainConfig {
        &self.config
    }

    /// Treats `block`, what the phone says, in place: afterwards it is what the line must play, and what the canceller takes
    /// for the source of the echo in the next [`Chain::hear`].
    pub fn play(&mut self, block: &mut [f32]) {
        clean(block);
        self.to_line.gain.process(block);
        self.switch.to_line(block);
        if let Some(howl) = &mut self.howl {
            howl.process(block);
        }
        self.to_line.finish(block);
        self.played.push(block);
    }

    /// Treats `block`, what was recorded from the line while the last block of [`Chain::play`] sounded, in place: afterwards it
    /// is what the phone shall hear. Where less was played than was recorded, the line played silence; of what was played
    /// before the last block and never heard of, nothing is expected back.
    pub fn hear(&mut self, block: &mut [f32]) {
        self.linear.clear();
        let frame = self.frames.length();
        self.any |= !block.len().is_multiple_of(frame);
        for piece in block.chunks_mut(LONGEST_MS / 10 * frame) {
            self.hear_piece(piece);
        }
    }

    fn hear_piece(&mut self, piece: &mut [f32]) {
        clean(piece);
        self.played.meet(self.frames.waiting(), piece.len());
        if self.any {
            let mut frames = std::mem::take(&mut self.frames);
            frames.process(piece, |frame| self.hear_frame(frame));
            self.frames = frames;
        } else {
            for frame in piece.chunks_exact_mut(self.far.len()) {
                self.hear_frame(frame);
            }
        }
    }

    /// One frame of 10 ms from the line.
    fn hear_frame(&mut self, block: &mut [f32]) {
        self.played.take(&mut self.far);
        self.from_line.process(block);
        let (mut echo_share, mut echo) = (0.0, 0.0);
        let mic = mean_square(block);
        if let Some(canceller) = &mut self.canceller {
            let report = canceller.process(&self.far, block);
            echo = mean_square(&report.echo);
            self.status.echo_delay_ms = report.delay_ms;
            self.frame.copy_from_slice(block);
            if let Some(suppressor) = &mut self.suppressor {
                suppressor.process(block, Some(report));
                echo_share = suppressor.echo_share();
            } else {
                echo_share = 10.0_f32.powf(-report.erle_db / 10.0).min(1.0);
            }
        } else {
            self.frame.copy_from_slice(block);
        }
        let (far, near) = (mean_square(&self.far), mean_square(&self.frame));
        let talk = self.talk.judge_powers(far, near, echo_share * near);
        self.alone.take(mic, near, echo, talk.near);
        if self.linear.len() + self.frame.len() <= self.linear.capacity() {
            self.linear.extend_from_slice(&self.frame);
        }
        if self.config.voice_switch {
            self.switch.judge_powers(far, mean_square(block));
        }
        self.switch.to_phone(block);
        if let Some(agc) = &mut self.agc {
            agc.process(block, talk);
        }
        self.to_phone.gain.process(block);
        self.to_phone.finish(block);
    }

    /// What became ready in the last [`Chain::hear`] behind the linear canceller and before anything that could harm a digit: the
    /// block itself, or what whole frames it brought to their end.
    pub fn linear(&self) -> &[f32] {
        &self.linear
    }

    /// The echo path that was learned, to be kept until the next call on the same line; `None` while there is none worth it.
    pub fn path(&mut self) -> Option<EchoPath> {
        self.canceller.as_mut().and_then(EchoCanceller::path)
    }

    /// Starts from a path that was kept.
    pub fn start_from(&mut self, path: &EchoPath) {
        if let Some(canceller) = &mut self.canceller {
            canceller.start_from(path);
        }
    }

    /// Changes the gain towards the line, dB; it is reached within about 20 ms.
    pub fn set_to_line_db(&mut self, db: f32) {
        self.to_line.gain.set_db(db);
    }

    /// Changes the gain towards the phone, dB; it is reached within about 20 ms.
    pub fn set_to_phone_db(&mut self, db: f32) {
        self.to_phone.gain.set_db(db);
    }

    /// Silences or opens the direction to the line, without a click.
    pub fn mute_to_line(&mut self, muted: bool) {
        self.to_line.mute.set_open(!muted);
    }

    /// Silences or opens the direction to the phone, without a click.
    pub fn mute_to_phone(&mut self, muted: bool) {
        self.to_phone.mute.set_open(!muted);
    }

    /// Push-to-talk: `Some(true)` opens the line's direction only, `Some(false)` the phone's only, `None` both.
    pub fn push_to_talk(&mut self, pressed: Option<bool>) {
        self.mute_to_line(pressed == Some(false));
        self.mute_to_phone(pressed == Some(true));
    }

    /// How long the way from the line to the phone is, ms. It is 10 ms longer from the first block on that is no whole number of
    /// frames, and from the start with [`Blocks::Any`]. The other way, with the limiter only, it is 0.75 ms.
    pub fn delay_ms(&self) -> f32 {
        let suppressor = self
            .suppressor
            .as_ref()
            .map_or(0.0, |_| Suppressor::DELAY_MS);
        let frames = if self.any { 10.0 } else { 0.0 };
        suppressor + frames + Limiter::DELAY_MS
    }

    /// What is known at the moment.
    pub fn status(&self) -> ChainStatus {
        ChainStatus {
            erle_db: self.alone.erle_db(),
            duplex: if self.switch.is_half() {
                Duplex::Half
            } else {
                Duplex::Full
            },
            agc_db: self.agc.as_ref().map_or(0.0, Agc::gain_db),
            from_line_dbm0: self.from_line.dbm0(),
            to_phone_dbm0: self.to_phone.meter.dbm0(),
            to_line_dbm0: self.to_line.meter.dbm0(),
            echo_loss_db: self.switch.loss_db(),
            ..self.status
        }
    }
}

/// Numbers, and none beyond 18 dB over full scale.
fn clean(block: &mut [f32]) {
    block.iter_mut().for_each(|s| *s = bounded(*s));
}
