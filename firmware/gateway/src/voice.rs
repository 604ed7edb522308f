//! What happens to the sound between the line and the phone.
//!
//! On a two-wire line our own signal comes back: the hybrid lets a part of it through, and the
//! panel's loudspeaker reaches its microphone. [`dsp::chain`] takes it out; here it is only set up
//! and fed.

use config::EchoControl;
use dsp::chain::{Chain, ChainConfig, ChainStatus, EchoMode};
use dsp::echo::BLOCK;
use dsp::sample;

/// Sound processing of one line. It outlives a call: the next one on the same pair starts with
/// the echo path that the last one has learned.
#[derive(Debug)]
pub(crate) struct Voice {
    chain: Chain,
}

impl Voice {
    /// A chain as the configuration wants it.
    pub(crate) fn new(media: &config::Media) -> Voice {
        let chain = ChainConfig {
            echo: match media.echo_control {
                EchoControl::Full => EchoMode::Full,
                EchoControl::Linear => EchoMode::Linear,
                EchoControl::Off => EchoMode::Off,
            },
            tail_ms: media.echo_tail_ms,
            ..ChainConfig::default()
        };
        Voice {
            chain: Chain::new(chain),
        }
    }

    /// Takes what goes to the line in the coming block, and makes it what the line shall play.
    pub(crate) fn play(&mut self, audio: &mut [i16; BLOCK]) {
        let mut far = audio.map(sample::to_f32);
        self.chain.play(&mut far);
        *audio = far.map(sample::to_i16);
    }

    /// Takes what came from the line and gives what the phone shall hear.
    pub(crate) fn hear(&mut self, audio: &[i16; BLOCK]) -> [i16; BLOCK] {
        let mut near = audio.map(sample::to_f32);
        self.chain.hear(&mut near);
        near.map(sample::to_i16)
    }

    /// Echo, levels and mode as they are now.
    pub(crate) fn status(&self) -> ChainStatus {
        self.chain.status()
    }
}
