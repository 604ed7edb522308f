//! WAV files: any width, any rate the resampler takes, one channel of several.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use dsp::resample::{RECORDING_RATES_HZ, Resampler};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::error::{AudioError, ErrorKind};

/// Longest recording taken, s.
const LONGEST_S: u64 = 2 * 3600;
/// Input samples converted at a time.
const PIECE: usize = 4096;

/// An open WAV file.
pub(super) struct Wav {
    reader: WavReader<BufReader<File>>,
    name: String,
}

impl Wav {
    pub(super) fn open(path: &Path) -> Result<Wav, AudioError> {
        let reader = WavReader::open(path).map_err(|error| AudioError::reading(path, &error))?;
        let name = path.display().to_string();
        let spec = reader.spec();
        if spec.sample_rate == 0 {
            return Err(AudioError::new(
                ErrorKind::Rate,
                format!("{name} says that it has 0 samples a second"),
                rates_hint(),
            ));
        }
        if reader.duration() == 0 {
            return Err(AudioError::new(
                ErrorKind::Empty,
                format!("{name} holds no samples"),
                "check that the recorder was stopped properly",
            ));
        }
        if u64::from(reader.duration()) > LONGEST_S * u64::from(spec.sample_rate) {
            return Err(AudioError::new(
                ErrorKind::TooLong,
                format!("{name} is longer than {} hours", LONGEST_S / 3600),
                "cut it into pieces",
            ));
        }
        Ok(Wav { reader, name })
    }

    pub(super) fn spec(&self) -> WavSpec {
        self.reader.spec()
    }

    /// Samples per channel.
    pub(super) fn frames(&self) -> u32 {
        self.reader.duration()
    }

    /// The index of the channel that the command line chose, from 1.
    pub(super) fn choose(&self, channel: Option<u16>) -> Result<usize, AudioError> {
        let channels = self.spec().channels;
        let chosen = match channel {
            None if channels == 1 => Some(1),
            other => other,
        };
        match chosen {
            Some(n) if (1..=channels).contains(&n) => Ok(usize::from(n - 1)),
            _ => Err(AudioError::new(
                ErrorKind::Usage,
                format!("{} has {channels} channel(s)", self.name),
                format!("choose one with --channel 1 to --channel {channels}"),
            )),
        }
    }

    /// Gives every frame, full scale at 1.0, to `take`.
    pub(super) fn each_frame(&mut self, take: impl FnMut(&[f32])) -> Result<(), AudioError> {
        let spec = self.spec();
        let full_scale = 2.0_f32.powi(i32::from(spec.bits_per_sample.clamp(1, 32)) - 1);
        let frames = self.frames();
        let done = match spec.sample_format {
            SampleFormat::Float => gather(self.reader.samples::<f32>(), spec.channels, take),
            SampleFormat::Int => {
                let scaled = |sample: Result<i32, _>| sample.map(|s| s as f32 / full_scale);
                gather(
                    self.reader.samples::<i32>().map(scaled),
                    spec.channels,
                    take,
                )
            }
        };
        done.map_err(|(got, error)| match error {
            hound::Error::Unsupported
            | hound::Error::InvalidSampleFormat
            | hound::Error::TooWide => AudioError::new(
                ErrorKind::Unsupported,
                format!("{}: samples of {} bits", self.name, spec.bits_per_sample),
                "PCM of 8, 16, 24 or 32 bits or float of 32 bits is read",
            ),
            error => AudioError::new(
                ErrorKind::Truncated,
                format!("{} ends after {got} of {frames} frames: {error}", self.name),
                "copy the file again, or repair its header: sox --ignore-length IN OUT.wav",
            ),
        })
    }

    /// One channel at 8 kHz, the delay of the conversion taken out.
    pub(super) fn at_8_khz(mut self, channel: Option<u16>) -> Result<Vec<f32>, AudioError> {
        let channel = self.choose(channel)?;
        let rate = self.spec().sample_rate;
        let mut converter = Converter::new(rate).ok_or_else(|| {
            AudioError::new(
                ErrorKind::Rate,
                format!("{} has {rate} samples a second", self.name),
                rates_hint(),
            )
        })?;
        self.each_frame(|frame| converter.push(frame.get(channel).copied().unwrap_or(0.0)))?;
        let wanted = u64::from(self.frames()) * 8000 / u64::from(rate);
        Ok(converter.finish(wanted as usize))
    }
}

/// Reads a channel of a file at 8 kHz.
pub(super) fn read(path: &Path, channel: Option<u16>) -> Result<Vec<f32>, AudioError> {
    Wav::open(path)?.at_8_khz(channel)
}

/// Writes 8 kHz, mono, 16 bit.
pub(super) fn write(path: &Path, samples: &[f32]) -> Result<(), AudioError> {
    let spec = WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let write = || {
        let mut wav = WavWriter::create(path, spec)?;
        for sample in samples {
            wav.write_sample(dsp::sample::to_i16(*sample))?;
        }
        wav.finalize()
    };
    write().map_err(|error| AudioError::writing(path, &error))
}

/// Puts interleaved samples together to frames; an error comes with the number of whole frames before it.
fn gather(
    samples: impl Iterator<Item = Result<f32, hound::Error>>,
    channels: u16,
    mut take: impl FnMut(&[f32]),
) -> Result<(), (u64, hound::Error)> {
    let mut frame = Vec::with_capacity(usize::from(channels));
    let mut count = 0;
    for sample in samples {
        let sample = sample.map_err(|error| (count, error))?;
        frame.push(if sample.is_finite() { sample } else { 0.0 });
        if frame.len() == usize::from(channels) {
            take(&frame);
            frame.clear();
            count += 1;
        }
    }
    Ok(())
}

struct Converter {
    resampler: Resampler,
    piece: Vec<f32>,
    converted: Vec<f32>,
    out: Vec<f32>,
}

impl Converter {
    fn new(rate: u32) -> Option<Converter> {
        let resampler = Resampler::for_recording(rate, 8000)?;
        let most = resampler.most_outputs(PIECE) + 1;
        Some(Converter {
            resampler,
            piece: Vec::with_capacity(PIECE),
            converted: vec![0.0; most],
            out: Vec::new(),
        })
    }

    fn push(&mut self, sample: f32) {
        self.piece.push(sample);
        if self.piece.len() == PIECE {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let count = self.resampler.process(&self.piece, &mut self.converted);
        self.out.extend(self.converted.iter().take(count));
        self.piece.clear();
    }

    fn finish(mut self, wanted: usize) -> Vec<f32> {
        let delay = (self.resampler.delay_ms() * 8.0).round() as usize;
        while self.out.len() < wanted + delay {
            self.piece.resize(PIECE, 0.0);
            self.flush();
        }
        self.out.drain(..delay);
        self.out.truncate(wanted);
        self.out
    }
}

fn rates_hint() -> String {
    let rates: Vec<String> = RECORDING_RATES_HZ.iter().map(u32::to_string).collect();
    format!("rates that are read: {}", rates.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch};
    use super::*;

    #[test]
    fn every_width_and_rate_gives_the_same_sound() {
        let scratch = Scratch::new("widths");
        let formats = [
            Format::Int8,
            Format::Int16,
            Format::Int24,
            Format::Int32,
            Format::Float,
        ];
        for rate in RECORDING_RATES_HZ {
            for format in formats {
                let step = std::f32::consts::TAU * 500.0 / rate as f32;
                let tone: Vec<f32> = (0..rate).map(|n| 0.5 * (step * n as f32).sin()).collect();
                let other = vec![0.9; tone.len()];
                let file = scratch.wav("tone.wav", rate, 2, format, &[other, tone]);
                let samples = read(&file, Some(2)).unwrap();
                assert_eq!(samples.len(), 8000, "{rate}");
                let coarse = if format == Format::Int8 { 0.01 } else { 0.003 };
                let error = (1000..7000)
                    .map(|n| {
                        let expected =
                            0.5 * (std::f32::consts::TAU * 500.0 * n as f32 / 8000.0).sin();
                        (samples[n] - expected).abs()
                    })
                    .fold(0.0, f32::max);
                // Half a sample at 8 kHz is the most that the rounded delay may shift.
                assert!(error < coarse + 0.1, "{rate} {format:?}: {error}");
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let scratch = Scratch::new("back");
        let path = scratch.path("a.wav");
        write(&path, &[0.0, 0.5, -0.5, 2.0, f32::NAN]).unwrap();
        let back = read(&path, None).unwrap();
        assert_eq!(back.len(), 5);
        assert!((back[1] - 0.5).abs() < 1e-3 && back[3] > 0.999 && back[4] == 0.0);
        let error = write(&scratch.path("no/such/folder.wav"), &[0.0]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unwritable);
    }
}
