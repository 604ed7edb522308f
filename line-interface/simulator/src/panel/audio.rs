//! What the panel puts on its wires, sample by sample.

use line_interface::SAMPLE_RATE_HZ;

/// What the panel does during one block.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PanelAudio {
    /// The pair is fed.
    pub(crate) fed: bool,
    /// Ring burst: the feed is switched as a square wave.
    pub(crate) ring: bool,
    /// The visitor hears that it rings.
    pub(crate) ring_back: bool,
    /// Microphone and loudspeaker are on.
    pub(crate) talk: bool,
    /// A tone on the line and in the loudspeaker.
    pub(crate) tone_hz: Option<f32>,
    /// What is left of the residual signal, 1 to 0; zero outside it.
    pub(crate) residual: f32,
}

/// A phase that wraps at 1.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Oscillator {
    phase: f32,
}

impl Oscillator {
    /// Next sample of a sine.
    pub(crate) fn sine(&mut self, hz: f32) -> f32 {
        let v = (self.phase * std::f32::consts::TAU).sin();
        self.advance(hz);
        v
    }

    /// Next sample of a square wave: the upper half or not.
    pub(crate) fn square(&mut self, hz: f32) -> bool {
        let v = self.phase < 0.5;
        self.advance(hz);
        v
    }

    fn advance(&mut self, hz: f32) {
        self.phase += hz / SAMPLE_RATE_HZ as f32;
        self.phase -= self.phase.floor();
    }
}
