//! WAV files: any width, any rate the resampler takes, one channel of several.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use dsp::resample::Resampler;
use dsp::wav::{WavError, WavReader, WavSpec};
use hound::{SampleFormat, WavWriter};

use super::error::{AudioError, ErrorKind};

/// Longest recording taken, s.
const LONGEST_S: u64 = 2 * 3600;
/// Input samples converted at a time.
const PIECE: usize = 4096;
const RATES: &str =
    "rates of 1000 to 384000 are read, above 50000 round ones: sox IN -r 8000 OUT.wav";

/// An open WAV file.
pub(super) struct Wav {
    reader: WavReader<BufReader<File>>,
    name: String,
}

impl Wav {
    pub(super) fn open(path: &Path) -> Result<Wav, AudioError> {
        let file =
            File::open(path).map_err(|error| AudioError::reading(path, &WavError::Io(error)))?;
        let reader = WavReader::new(BufReader::new(file))
            .map_err(|error| AudioError::reading(path, &error))?;
        let name = path.display().to_string();
        if reader.spec().rate_hz == 0 {
            return Err(AudioError::new(
                ErrorKind::Rate,
                format!("{name} says that it has 0 samples a second"),
                RATES,
            ));
        }
        let wav = Wav { reader, name };
        if let Some(frames) = wav.reader.frames() {
            wav.check_length(frames)?;
        }
        Ok(wav)
    }

    pub(super) fn spec(&self) -> WavSpec {
        self.reader.spec()
    }

    fn longest(&self) -> u64 {
        LONGEST_S * u64::from(self.spec().rate_hz)
    }

    fn check_length(&self, frames: u64) -> Result<(), AudioError> {
        check_length(&self.name, frames, self.longest())
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
                if channels == 1 {
                    "leave --channel out".to_owned()
                } else {
                    format!("choose one with --channel 1 to --channel {channels}")
                },
            )),
        }
    }

    /// Gives every frame, full scale at 1.0, to `take`; returns how many there are.
    pub(super) fn each_frame(self, mut take: impl FnMut(&[f32])) -> Result<u64, AudioError> {
        let (name, longest, promised) = (self.name.clone(), self.longest(), self.reader.frames());
        let mut left = longest + 1;
        let done = self.reader.each_frame(|frame| {
            take(frame);
            left -= 1;
            left > 0
        });
        match done {
            Ok(frames) => check_length(&name, frames, longest).map(|()| frames),
            Err(WavError::Truncated(got)) => Err(AudioError::new(
                ErrorKind::Truncated,
                format!(
                    "{name} ends after {got} of {} frames",
                    promised.unwrap_or(got)
                ),
                "copy the file again, or repair its header: sox --ignore-length IN OUT.wav",
            )),
            Err(error) => Err(AudioError::reading(Path::new(&name), &error)),
        }
    }

    /// One channel at 8 kHz, the delay of the conversion taken out.
    pub(super) fn at_8_khz(self, channel: Option<u16>) -> Result<Vec<f32>, AudioError> {
        let channel = self.choose(channel)?;
        let rate = self.spec().rate_hz;
        let mut converter = Converter::new(rate).ok_or_else(|| {
            AudioError::new(
                ErrorKind::Rate,
                format!("{} has {rate} samples a second", self.name),
                RATES,
            )
        })?;
        let frames =
            self.each_frame(|frame| converter.push(frame.get(channel).copied().unwrap_or(0.0)))?;
        // Half a sample at the end makes a whole one: a recording of one sample has one.
        let wanted = (frames * 8000).div_ceil(u64::from(rate));
        Ok(converter.finish(wanted as usize))
    }
}

/// That there is something, and not too much.
fn check_length(name: &str, frames: u64, longest: u64) -> Result<(), AudioError> {
    if frames == 0 {
        return Err(AudioError::new(
            ErrorKind::Empty,
            format!("{name} holds no samples"),
            "check that the recorder was stopped properly",
        ));
    }
    if frames > longest {
        return Err(AudioError::new(
            ErrorKind::TooLong,
            format!("{name} is longer than {} hours", LONGEST_S / 3600),
            "cut it into pieces: sox IN OUT.wav trim 0 1:00:00",
        ));
    }
    Ok(())
}

/// Reads a channel of a file at 8 kHz.
pub(super) fn read(path: &Path, channel: Option<u16>) -> Result<Vec<f32>, AudioError> {
    Wav::open(path)?.at_8_khz(channel)
}

/// Writes 8 kHz, mono, 16 bit.
pub(super) fn write(path: &Path, samples: &[f32]) -> Result<(), AudioError> {
    let spec = hound::WavSpec {
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

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch};
    use super::*;
    use dsp::resample::RECORDING_RATES_HZ;

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
