//! The second echo engine, for comparison and for recordings of hard acoustic panels: sonora, the port of WebRTC's AEC3.
//!
//! It is built only with the feature `sonora` and runs in `trubka audio aec --engine sonora` and in `dsp/bench/compare`, not on calls: it
//! delays by 10.9 ms where the whole chain may take 8, lets double talk through at half the quality of our own chain, eats digits that
//! are pressed under speech, and needs a newer compiler than the rest (`dsp/tests/sonora.rs` holds the figures).

use ::sonora::config::{EchoCanceller, NoiseSuppression};
use ::sonora::{AudioProcessing, Config, StreamConfig};

use crate::Rate;
use crate::sample::finite;

/// One least significant bit of 16: without it the engine gets ten times slower while the far end is digital silence.
const DITHER: f32 = 1.0 / 32_768.0;

/// Echo canceller and noise suppression of sonora. Blocks of 10 ms.
pub struct SonoraEngine {
    engine: AudioProcessing,
    far: Vec<f32>,
    mic: Vec<f32>,
    out: Vec<f32>,
    odd: bool,
}

impl std::fmt::Debug for SonoraEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SonoraEngine")
            .field("block", &self.far.len())
            .finish_non_exhaustive()
    }
}

impl SonoraEngine {
    /// How much later the output comes, with and without noise suppression, ms (measured).
    pub const DELAY_MS: (f32, f32) = (16.9, 10.9);

    /// An engine that has heard nothing.
    pub fn new(rate: Rate, suppresses_noise: bool) -> SonoraEngine {
        let stream = StreamConfig::new(rate.hz(), 1);
        let config = Config {
            echo_canceller: Some(EchoCanceller::default()),
            noise_suppression: suppresses_noise.then(NoiseSuppression::default),
            ..Config::default()
        };
        let block = vec![0.0; rate.block()];
        SonoraEngine {
            engine: AudioProcessing::builder()
                .config(config)
                .capture_config(stream)
                .render_config(stream)
                .build(),
            far: block.clone(),
            mic: block.clone(),
            out: block,
            odd: false,
        }
    }

    /// Takes what goes to the loudspeaker and replaces `mic`; both are one block, what is missing is silence.
    pub fn process(&mut self, far: &[f32], mic: &mut [f32]) {
        for (i, slot) in self.far.iter_mut().enumerate() {
            self.odd = !self.odd;
            let dither = if self.odd { DITHER } else { -DITHER };
            *slot = finite(far.get(i).copied().unwrap_or(0.0)).clamp(-1.0, 1.0) + dither;
        }
        for (i, slot) in self.mic.iter_mut().enumerate() {
            *slot = finite(mic.get(i).copied().unwrap_or(0.0)).clamp(-1.0, 1.0);
        }
        // Hybrid echo arrives in the same block; not told so, the engine does not converge. The lengths fit by construction; what
        // it cannot process it leaves as it is.
        let _ = self
            .engine
            .process_render_f32(&[&self.far], &mut [&mut self.out]);
        let _ = self.engine.set_stream_delay_ms(0);
        self.out.copy_from_slice(&self.mic);
        let _ = self
            .engine
            .process_capture_f32(&[&self.mic], &mut [&mut self.out]);
        for (slot, sample) in mic.iter_mut().zip(&self.out) {
            *slot = finite(*sample);
        }
    }
}
