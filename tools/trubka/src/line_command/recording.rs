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

/// Samples at full scale for longer than this are told.
const CLIPPED_MS: u64 = 5;

/// What a recording turned out to hold.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Length of what was there, and of what the header promised.
    pub(super) duration_ms: u64,
    promised_ms: u64,
    clipped_ms: u64,
    /// Samples that are no numbers.
    odd: u64,
    low: f32,
    high: f32,
}

impl Read {
    /// What makes its readings doubtful.
    pub(super) fn notes(&self, quiet: bool) -> Vec<String> {
        let mut notes = Vec::new();
        // A recorder that writes into a pipe leaves a length that nobody means.
        if self.promised_ms > self.duration_ms + 20 {
            notes.push(format!(
                "the file ends after {} ms of the {} ms that its header tells: copy it again if it was not recorded into a pipe",
                self.duration_ms, self.promised_ms
            ));
        }
        if self.clipped_ms >= CLIPPED_MS {
            notes.push(format!(
                "{} ms are at full scale, what is above was cut off: record with more range",
                self.clipped_ms
            ));
        }
        if self.odd > 0 {
            notes.push(format!(
                "{} samples are no numbers and were read as 0 V",
                self.odd
            ));
        }
        if quiet {
            notes.push(format!(
                "nothing happened: all readings lie between {:.2} and {:.2} V; check --full-scale-volts, the channel, and that the recorder is coupled by DC",
                self.low, self.high
            ));
        }
        notes
    }
}

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
        let reader = WavReader::open(path).map_err(|e| unread(path, &e))?;
        let spec = reader.spec();
        let widths: &[u16] = match spec.sample_format {
            SampleFormat::Float => &[32],
            SampleFormat::Int => &[8, 16, 24, 32],
        };
        if !widths.contains(&spec.bits_per_sample) {
            return Err(failed(
                FAILURE,
                format!("{name}: samples of {} bits", spec.bits_per_sample),
                CONVERT,
            ));
        }
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
                "1000 Hz to 4 MHz are read (44100 Hz is right for most), one channel for each tapped wire",
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
    ) -> Result<Read, Failed> {
        let promised_ms = u64::from(self.reader.duration()) * 1000 / u64::from(self.rate);
        let format = self.reader.spec().sample_format;
        let mut frame = vec![0.0_f32; self.channels];
        let mut resampler = Resampler::new(self.rate, self.channels);
        let (rate, scale) = (u64::from(self.rate), self.scale);
        let full = std::mem::take(&mut self.full_scale);
        let mut count = 0_u64;
        let mut read = Read {
            promised_ms,
            low: f32::INFINITY,
            high: f32::NEG_INFINITY,
            ..Read::default()
        };
        // The largest number of a width lies a step below its full scale.
        let top = match format {
            SampleFormat::Float => 1.0,
            SampleFormat::Int => 1.0 - 1.5 * scale,
        };
        let (mut clipped, mut clips) = (0_u64, false);
        let mut feed = |channel: usize, value: f32| {
            let volts = value * scale * full.get(channel).copied().unwrap_or(0.0);
            (read.low, read.high) = (read.low.min(volts), read.high.max(volts));
            clips |= (value * scale).abs() >= top;
            if let (Some(slot), Some(full)) = (frame.get_mut(channel), full.get(channel)) {
                *slot = value * scale * *full;
            }
            if channel + 1 == full.len() {
                raw(count * 1_000_000 / rate, &frame);
                resampler.push(&frame, &mut block);
                count += 1;
                clipped += u64::from(std::mem::take(&mut clips));
            }
        };
        let mut odd = 0;
        let channels = self.channels;
        match format {
            SampleFormat::Float => {
                for (i, v) in self
                    .reader
                    .samples::<f32>()
                    .map_while(Result::ok)
                    .enumerate()
                {
                    odd += u64::from(!v.is_finite());
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
                "record again; if the file is large its header is wrong: sox --ignore-length IN.wav OUT.wav",
            ));
        }
        read.odd = odd;
        read.duration_ms = count * 1000 / rate;
        read.clipped_ms = clipped * 1000 / rate;
        Ok(read)
    }
}

const CONVERT: &str =
    "PCM of 8, 16, 24 or 32 bits or float of 32 bits is read: sox IN.wav -b 16 -e signed OUT.wav";

fn unread(path: &Path, error: &hound::Error) -> Failed {
    let hint = match error {
        hound::Error::IoError(e) if e.kind() == std::io::ErrorKind::NotFound => {
            "check the name and the folder; a WAV file is needed"
        }
        hound::Error::IoError(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            "the file may not be read by this user"
        }
        hound::Error::Unsupported | hound::Error::InvalidSampleFormat | hound::Error::TooWide => {
            CONVERT
        }
        hound::Error::FormatError(what) if what.contains("bits per sample") => CONVERT,
        _ => "a WAV file is needed: sox in.flac out.wav",
    };
    failed(FAILURE, format!("{}: {error}", path.display()), hint)
}

/// Sample and hold, as the card's converter does: each sample at 8 kHz is what the recording holds at
/// that moment. A mean over 125 us would round off a ring above 1500 Hz until it looks like a whistle.
struct Resampler {
    rate: u64,
    /// Frames that came in and samples that went out.
    came: u64,
    went: u64,
    at: usize,
    blocks: Vec<[f32; BLOCK_SAMPLES]>,
}

impl Resampler {
    fn new(rate: u32, channels: usize) -> Self {
        Self {
            rate: u64::from(rate),
            came: 0,
            went: 0,
            at: 0,
            blocks: vec![[0.0; BLOCK_SAMPLES]; channels],
        }
    }

    fn push(&mut self, frame: &[f32], block: &mut impl FnMut(&[[f32; BLOCK_SAMPLES]])) {
        self.came += 1;
        while self.went * self.rate < self.came * u64::from(SAMPLE_RATE_HZ) {
            for (to, v) in self.blocks.iter_mut().zip(frame) {
                if let Some(slot) = to.get_mut(self.at) {
                    *slot = *v;
                }
            }
            self.went += 1;
            self.at += 1;
            if self.at == BLOCK_SAMPLES {
                self.at = 0;
                block(&self.blocks);
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

    #[test]
    fn a_square_wave_of_any_ring_frequency_keeps_its_shape() {
        let rule = line_interface::Profile::builtin("custom").unwrap().ring;
        for rate in [11_025, 22_050, 44_100, 48_000, 96_000, 192_000] {
            // Four samples a period is what a recording itself needs.
            let fits = |hz: &f64| hz * 4.0 <= f64::from(rate);
            for hz in [300.0, 1000.0, 1600.0, 2400.0, 3000.0]
                .into_iter()
                .filter(fits)
            {
                let mut r = Resampler::new(rate, 1);
                let (mut blocks, mut rings) = (0, 0);
                for i in 0..rate {
                    let up = (f64::from(i) * hz / f64::from(rate)).fract() < 0.5;
                    r.push(&[if up { 2.5 } else { 0.05 }], &mut |b| {
                        let sense = line_interface::SenseBlock {
                            line_volts: b[0],
                            ..Default::default()
                        };
                        let reading = line_interface::BlockReading::of(&sense);
                        blocks += 1;
                        rings += u32::from(line_interface::RingDetector::sounds(&rule, &reading));
                    });
                }
                assert_eq!((blocks, rings), (100, 100), "{hz} Hz at {rate}");
            }
        }
    }
}
