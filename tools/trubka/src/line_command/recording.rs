//! A WAV file of any usual width and rate as volts at 8 kHz.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use hound::{SampleFormat, WavReader};
use line_interface::{BLOCK_SAMPLES, SAMPLE_RATE_HZ};

use super::failed;
use crate::exit::{FAILURE, Failed};

/// Channels of one recording: all taps of the largest switch.
const MAX_CHANNELS: u16 = 512;

/// An open recording.
pub(super) struct Recording {
    reader: WavReader<BufReader<File>>,
    rate: u32,
    channels: usize,
    scale: f32,
    /// Volts, or milliamps of a current channel, at full scale.
    full_scale: Vec<f32>,
}

impl Recording {
    pub(super) fn open(path: &Path, full_scale: f32) -> Result<Self, Failed> {
        let name = path.display();
        let hint = "a WAV file is needed: sox in.flac out.wav";
        let reader =
            WavReader::open(path).map_err(|e| failed(FAILURE, format!("{name}: {e}"), hint))?;
        let spec = reader.spec();
        if spec.channels == 0
            || spec.channels > MAX_CHANNELS
            || !(1000..=4_000_000).contains(&spec.sample_rate)
        {
            return Err(failed(
                FAILURE,
                format!(
                    "{name}: {} channels at {} Hz",
                    spec.channels, spec.sample_rate
                ),
                "8000 Hz or more, one channel for each tapped wire",
            ));
        }
        let scale = match spec.sample_format {
            SampleFormat::Float => 1.0,
            SampleFormat::Int => 1.0 / (1_u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32,
        };
        Ok(Self {
            rate: spec.sample_rate,
            channels: usize::from(spec.channels),
            scale,
            full_scale: vec![full_scale; usize::from(spec.channels)],
            reader,
        })
    }

    pub(super) const fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) const fn channels(&self) -> usize {
        self.channels
    }

    pub(super) fn duration_ms(&self) -> u64 {
        u64::from(self.reader.duration()) * 1000 / u64::from(self.rate)
    }

    /// Another full scale for one channel.
    pub(super) fn scale_channel(&mut self, channel: usize, full_scale: f32) {
        if let Some(slot) = self.full_scale.get_mut(channel) {
            *slot = full_scale;
        }
    }

    /// Calls `raw` with every frame at its own rate and `block` with every 10 ms at 8 kHz. A file
    /// that is cut off counts up to where it ends.
    pub(super) fn run(
        mut self,
        mut raw: impl FnMut(u64, &[f32]),
        mut block: impl FnMut(&[[f32; BLOCK_SAMPLES]]),
    ) -> Result<(), Failed> {
        let format = self.reader.spec().sample_format;
        let mut frame = vec![0.0_f32; self.channels];
        let mut resampler = Resampler::new(self.rate, self.channels);
        let (rate, scale) = (u64::from(self.rate), self.scale);
        let full = std::mem::take(&mut self.full_scale);
        let mut count = 0_u64;
        let mut feed = |channel: usize, value: f32| {
            if let (Some(slot), Some(full)) = (frame.get_mut(channel), full.get(channel)) {
                *slot = value * scale * full;
            }
            if channel + 1 == full.len() {
                raw(count * 1_000_000 / rate, &frame);
                resampler.push(&frame, &mut block);
                count += 1;
            }
        };
        let channels = self.channels;
        match format {
            SampleFormat::Float => {
                for (i, v) in self
                    .reader
                    .samples::<f32>()
                    .map_while(Result::ok)
                    .enumerate()
                {
                    feed(i % channels, if v.is_finite() { v } else { 0.0 });
                }
            }
            SampleFormat::Int => {
                for (i, v) in self
                    .reader
                    .samples::<i32>()
                    .map_while(Result::ok)
                    .enumerate()
                {
                    feed(i % channels, v as f32);
                }
            }
        }
        if count == 0 {
            return Err(failed(
                FAILURE,
                "the recording holds no samples",
                "record again",
            ));
        }
        Ok(())
    }
}

/// Area-weighted: each sample at 8 kHz is the mean of what the recording holds over its 125 us. DC
/// and the halves of a ring keep their levels.
struct Resampler {
    step: f64,
    /// How much of the present output sample is filled, 0 to 1.
    filled: f64,
    sums: Vec<f64>,
    at: usize,
    blocks: Vec<[f32; BLOCK_SAMPLES]>,
}

impl Resampler {
    fn new(rate: u32, channels: usize) -> Self {
        Self {
            step: f64::from(SAMPLE_RATE_HZ) / f64::from(rate),
            filled: 0.0,
            sums: vec![0.0; channels],
            at: 0,
            blocks: vec![[0.0; BLOCK_SAMPLES]; channels],
        }
    }

    fn push(&mut self, frame: &[f32], block: &mut impl FnMut(&[[f32; BLOCK_SAMPLES]])) {
        let mut left = self.step;
        while left > 1e-9 {
            let part = left.min(1.0 - self.filled);
            for (sum, v) in self.sums.iter_mut().zip(frame) {
                *sum += part * f64::from(*v);
            }
            self.filled += part;
            left -= part;
            if self.filled > 1.0 - 1e-9 {
                for (to, sum) in self.blocks.iter_mut().zip(&mut self.sums) {
                    if let Some(slot) = to.get_mut(self.at) {
                        *slot = *sum as f32;
                    }
                    *sum = 0.0;
                }
                self.filled = 0.0;
                self.at += 1;
                if self.at == BLOCK_SAMPLES {
                    self.at = 0;
                    block(&self.blocks);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_keeps_levels_and_time() {
        for rate in [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 4000] {
            let mut r = Resampler::new(rate, 1);
            let mut out = Vec::new();
            for i in 0..rate {
                let v = if i < rate / 2 { 2.5 } else { 6.4 };
                r.push(&[v], &mut |b| out.extend_from_slice(&b[0]));
            }
            assert!((7920..=8000).contains(&out.len()), "{rate}: {}", out.len());
            assert!((out[100] - 2.5).abs() < 1e-4 && (out[7000] - 6.4).abs() < 1e-4);
            let step = out.iter().position(|v| *v > 4.0).unwrap();
            assert!((3998..=4002).contains(&step), "{rate}: {step}");
        }
    }
}
