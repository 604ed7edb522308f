//! Recordings for the tests.

use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Format {
    Int8,
    Int16,
    Int24,
    Int32,
    Float,
}

/// A folder of its own that goes away with the test.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new(name: &str) -> Scratch {
        let folder = format!("trubka-audio-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Scratch(folder)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes one vector a channel.
    pub(super) fn wav(
        &self,
        name: &str,
        rate: u32,
        channels: u16,
        format: Format,
        sound: &[Vec<f32>],
    ) -> PathBuf {
        let path = self.path(name);
        write(&path, rate, channels, format, sound);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, rate: u32, channels: u16, format: Format, sound: &[Vec<f32>]) {
    let (bits, sample_format) = match format {
        Format::Int8 => (8, SampleFormat::Int),
        Format::Int16 => (16, SampleFormat::Int),
        Format::Int24 => (24, SampleFormat::Int),
        Format::Int32 => (32, SampleFormat::Int),
        Format::Float => (32, SampleFormat::Float),
    };
    let spec = WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format,
    };
    let mut wav = WavWriter::create(path, spec).unwrap();
    let full_scale = 2.0_f64.powi(i32::from(bits) - 1) - 1.0;
    for n in 0..sound[0].len() {
        for channel in sound {
            if format == Format::Float {
                wav.write_sample(channel[n]).unwrap();
            } else {
                let value = (f64::from(channel[n]) * full_scale).round() as i32;
                wav.write_sample(value).unwrap();
            }
        }
    }
    wav.finalize().unwrap();
}

/// Half a second of silence, then digits, then half a second of silence, 8 kHz.
pub(super) fn digits(keys: &str, on_ms: u32, off_ms: u32) -> Vec<f32> {
    let mut generator = dsp::dtmf::DtmfGenerator::new(on_ms, off_ms, -12.0, -10.0);
    for key in keys.chars() {
        assert!(generator.push(key));
    }
    let length = keys.len() * (on_ms + off_ms) as usize * 8;
    let mut out = vec![0.0; 8000 + length];
    generator.fill(&mut out[4000..]);
    out
}

/// Something between noise and speech: syllables of low-pass noise, -20 dBFS or so.
pub(super) fn babble(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut low = 0.0;
    (0..count)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let x = (state >> 8) as f32 / 8_388_608.0 - 1.0;
            low += 0.3 * (x - low);
            0.4 * low * (1.0 + (n as f32 / 1200.0).sin())
        })
        .collect()
}
