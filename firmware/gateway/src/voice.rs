//! What happens to the sound between the line and the phone.
//!
//! On a two-wire line our own signal comes back: the hybrid lets a part of it through, and the
//! panel's loudspeaker reaches its microphone. The canceller takes out what it can predict, the
//! suppressor what is left of it, and the phone hears the visitor.

use config::EchoControl;
use dsp::echo::{BLOCK, EchoCanceller};
use dsp::sample;
use dsp::suppressor::{Suppressor, SuppressorConfig};

/// Sound processing of one line. It outlives a call: the next one on the same pair starts with
/// the echo path that the last one has learned.
#[derive(Debug)]
pub(crate) struct Voice {
    canceller: Option<EchoCanceller>,
    suppressor: Option<Suppressor>,
    /// What the line plays while the next block is read.
    far: [f32; BLOCK],
    erle_db: f32,
}

impl Voice {
    /// A chain as the configuration wants it.
    pub(crate) fn new(media: &config::Media) -> Voice {
        let cancels = media.echo_control != EchoControl::Off;
        let suppresses = media.echo_control == EchoControl::Full;
        Voice {
            canceller: cancels.then(|| EchoCanceller::new(media.echo_tail_ms)),
            suppressor: suppresses.then(|| Suppressor::new(SuppressorConfig::default())),
            far: [0.0; BLOCK],
            erle_db: 0.0,
        }
    }

    /// Takes what goes to the line in the coming block.
    pub(crate) fn play(&mut self, audio: &[i16; BLOCK]) {
        for (far, sample) in self.far.iter_mut().zip(audio) {
            *far = sample::to_f32(*sample);
        }
    }

    /// Takes what came from the line and gives what the phone shall hear.
    pub(crate) fn hear(&mut self, audio: &[i16; BLOCK]) -> [i16; BLOCK] {
        let mut near = audio.map(sample::to_f32);
        let Some(canceller) = &mut self.canceller else {
            return *audio;
        };
        let report = canceller.process(&self.far, &mut near);
        self.erle_db = report.erle_db;
        if let Some(suppressor) = &mut self.suppressor {
            suppressor.process(&mut near, Some(report));
        }
        near.map(sample::to_i16)
    }

    /// How much of the echo the linear part takes away, in decibels; 0 until it is known.
    pub(crate) fn erle_db(&self) -> f32 {
        self.erle_db
    }
}
