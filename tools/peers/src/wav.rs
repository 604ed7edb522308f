//! Recordings: reading them, and telling whether somebody's speech is in them.

use crate::{Failure, failure::Doing, failure::ensure};
use std::path::Path;

/// One channel of 16-bit samples.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Samples per second.
    pub rate_hz: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// How well a piece of speech was found in a recording.
#[derive(Debug, Clone, Copy)]
pub struct Likeness {
    /// Correlation of the sound's course over time and frequency, -1 to 1. The same speech through a
    /// poor telephone line gives more than 0.7, other speech of the same language less than 0.4.
    pub correlation: f32,
    /// Where the speech starts in the recording, seconds.
    pub at_s: f32,
}

/// From this correlation on, speech counts as found.
pub const FOUND: f32 = 0.6;

/// Centres of the bands that are compared, Hz: the telephone band in parts.
const BANDS_HZ: [f32; 5] = [350.0, 600.0, 1000.0, 1600.0, 2400.0];
/// Frame of the comparison, seconds.
const FRAME_S: f32 = 0.02;
/// Frames of a piece that is compared as a whole: 1.6 s, which no other words fit by chance.
const PIECE: usize = 80;
/// So many frames a piece may lie off its place: 0.2 s.
const SHIFT: usize = 10;
/// Levels below this are silence to the comparison, dB of full scale.
const FLOOR_DB: f32 = -55.0;

impl Recording {
    /// Reads a PCM WAV file with one channel of 16 bits. A header with a wrong length, as in a file that is
    /// still written to, is read to the end of the file.
    ///
    /// # Errors
    /// When it is no such file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = std::fs::read(path).doing(|| format!("reading {}", path.display()))?;
        Self::parse(&bytes).map_err(|why| Failure::new(format!("{}: {why}", path.display())))
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
            return Err("not a WAV file");
        }
        let mut rest = bytes.get(12..).unwrap_or_default();
        let mut rate_hz = None;
        while let Some((header, after)) = rest.split_at_checked(8) {
            let length = header
                .get(4..)
                .and_then(|size| size.try_into().ok())
                .map_or(0, |size| u32::from_le_bytes(size) as usize);
            let body = after.get(..length).unwrap_or(after);
            match header.get(..4) {
                Some(b"fmt ") => {
                    let word = |at: usize| {
                        body.get(at..at + 2)
                            .and_then(|two| two.try_into().ok())
                            .map_or(0, u16::from_le_bytes)
                    };
                    if (word(0), word(2), word(14)) != (1, 1, 16) {
                        return Err("not PCM with one channel of 16 bits");
                    }
                    rate_hz = Some(u32::from(word(4)) | (u32::from(word(6)) << 16));
                }
                Some(b"data") => {
                    let body = if length == 0 { after } else { body };
                    let samples = body
                        .as_chunks::<2>()
                        .0
                        .iter()
                        .map(|two| i16::from_le_bytes(*two))
                        .collect();
                    let rate_hz = rate_hz.ok_or("data before format")?;
                    return Ok(Self { rate_hz, samples });
                }
                _ => {}
            }
            rest = after.get(length + length % 2..).unwrap_or_default();
        }
        Err("no data in it")
    }

    /// Writes it as a WAV file, for a listener.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let length = (self.samples.len() * 2) as u32;
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((length + 36).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16_u32.to_le_bytes());
        for word in [1_u16, 1] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.rate_hz.to_le_bytes());
        bytes.extend((self.rate_hz * 2).to_le_bytes());
        for word in [2_u16, 16] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(b"data");
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        std::fs::write(path, bytes).doing(|| format!("writing {}", path.display()))
    }

    /// Length, seconds.
    pub fn seconds(&self) -> f32 {
        self.samples.len() as f32 / self.rate_hz.max(1) as f32
    }

    /// Root mean square, dB of full scale.
    pub fn level_db(&self) -> f32 {
        let samples = self
            .samples
            .iter()
            .map(|sample| f32::from(*sample) / 32768.0);
        decibels(
            samples.map(|sample| sample * sample).sum(),
            self.samples.len(),
        )
    }

    /// Level of one frequency in a part of the recording, dB of full scale (Goertzel).
    pub fn tone_db(&self, hz: f32, from_s: f32, to_s: f32) -> f32 {
        let index = |s: f32| ((s * self.rate_hz as f32) as usize).min(self.samples.len());
        let part = self
            .samples
            .get(index(from_s)..index(to_s))
            .unwrap_or_default();
        let turn = 2.0 * (std::f32::consts::TAU * hz / self.rate_hz as f32).cos();
        let (mut one, mut two) = (0.0_f32, 0.0_f32);
        for sample in part {
            (one, two) = (turn * one - two + f32::from(*sample) / 32768.0, one);
        }
        let power = one * one + two * two - turn * one * two;
        let count = part.len().max(1);
        // A full-scale sine has power (count / 2)^2 here and is -3 dB as a level.
        decibels(power * 2.0 / count as f32, count)
    }

    /// Looks for speech in the recording, wherever it starts. It is compared piece by piece, and a piece may lie a little off its
    /// place: a machine that stands still for a moment makes a gap in a call's sound, after which all comes later.
    pub fn likeness(&self, speech: &Recording) -> Likeness {
        let wanted = speech.course();
        let here = self.course();
        let span = wanted.first().map_or(0, Vec::len);
        let places = here.first().map_or(0, Vec::len).saturating_sub(span);
        let mut best = Likeness {
            correlation: -1.0,
            at_s: 0.0,
        };
        let pieces: Vec<Vec<f32>> = (0..span.div_ceil(PIECE))
            .map(|piece| {
                let first = piece * PIECE;
                let wanted: Vec<&[f32]> = wanted
                    .iter()
                    .map(|band| {
                        band.get(first..(first + PIECE).min(span))
                            .unwrap_or_default()
                    })
                    .collect();
                (0..=places)
                    .map(|start| correlation(&wanted, &here, start + first))
                    .collect()
            })
            .collect();
        let count = pieces.len().max(1) as f32;
        let mut best_key = f32::MIN;
        for start in 0..=places {
            let nearby = start.saturating_sub(SHIFT)..=(start + SHIFT).min(places);
            let (mut sum, mut straight) = (0.0, 0.0);
            for places in &pieces {
                let near = places.get(nearby.clone()).unwrap_or_default();
                sum += near.iter().copied().fold(-1.0, f32::max);
                straight += places.get(start).copied().unwrap_or_default();
            }
            // Of places that are equally near, the one where most pieces lie.
            let key = (sum + straight / 20.0) / count;
            if key > best_key {
                best_key = key;
                best = Likeness {
                    correlation: sum / count,
                    at_s: start as f32 * FRAME_S,
                };
            }
        }
        best
    }

    /// How well 8 kHz `speech` is found in an 8 kHz recording; see [`FOUND`].
    pub fn likeness_of(speech: &[i16], recording: &[i16]) -> f32 {
        let at_8_khz = |samples: &[i16]| Recording {
            rate_hz: 8000,
            samples: samples.to_vec(),
        };
        at_8_khz(recording).likeness(&at_8_khz(speech)).correlation
    }

    /// Checks that the speech is in the recording; gives where.
    ///
    /// # Errors
    /// When it is not, with the figures.
    pub fn must_hold(&self, whose: &str, speech: &Recording) -> Result<Likeness, Failure> {
        let found = self.likeness(speech);
        ensure(found.correlation >= FOUND, || {
            format!(
                "{whose} speech is not in the recording of {:.1} s at {:.1} dBFS: best likeness {:.2} at {:.1} s, {FOUND} needed",
                self.seconds(),
                self.level_db(),
                found.correlation,
                found.at_s
            )
        })?;
        Ok(found)
    }

    /// Level of every band in every frame, dB.
    fn course(&self) -> Vec<Vec<f32>> {
        let frame = (self.rate_hz as f32 * FRAME_S).max(1.0) as usize;
        BANDS_HZ
            .iter()
            .map(|hz| {
                let filtered = band_pass(&self.samples, *hz, self.rate_hz as f32);
                filtered
                    .chunks_exact(frame)
                    .map(|part| decibels(part.iter().map(|s| s * s).sum(), frame).max(FLOOR_DB))
                    .collect()
            })
            .collect()
    }
}

fn decibels(sum_of_squares: f32, count: usize) -> f32 {
    10.0 * (sum_of_squares / count.max(1) as f32 + 1e-12).log10()
}

/// Second-order band-pass of constant peak gain, Q 2 (the well-known audio cookbook form).
fn band_pass(samples: &[i16], hz: f32, rate_hz: f32) -> Vec<f32> {
    let angle = std::f32::consts::TAU * hz / rate_hz;
    let alpha = angle.sin() / 4.0;
    let (b, a1, a2, scale) = (alpha, -2.0 * angle.cos(), 1.0 - alpha, 1.0 + alpha);
    let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
    samples
        .iter()
        .map(|sample| {
            let x = f32::from(*sample) / 32768.0;
            let y = (b * x - b * x2 - a1 * y1 - a2 * y2) / scale;
            (x2, x1, y2, y1) = (x1, x, y1, y);
            y
        })
        .collect()
}

/// Mean over the bands of the correlation of `wanted` with `here` from frame `start` on.
fn correlation(wanted: &[&[f32]], here: &[Vec<f32>], start: usize) -> f32 {
    let mut sum = 0.0;
    for (one, other) in wanted.iter().zip(here) {
        let part = other.get(start..).unwrap_or_default();
        let part = part.get(..one.len()).unwrap_or(part);
        let count = part.len().min(one.len()).max(1) as f32;
        let mean = |values: &[f32]| values.iter().sum::<f32>() / count;
        let whole = one.get(..part.len()).unwrap_or(one);
        let (mean_one, mean_two) = (mean(whole), mean(part));
        let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
        for (a, b) in whole.iter().zip(part) {
            both += (a - mean_one) * (b - mean_two);
            first += (a - mean_one).powi(2);
            second += (b - mean_two).powi(2);
        }
        sum += both / (first * second).sqrt().max(1e-6);
    }
    sum / wanted.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;
    use crate::speech::{Voice, make};

    fn tone(hz: f32, seconds: f32) -> Recording {
        let samples = (0..(8000.0 * seconds) as usize)
            .map(|n| (16384.0 * (std::f32::consts::TAU * hz * n as f32 / 8000.0).sin()) as i16)
            .collect();
        Recording {
            rate_hz: 8000,
            samples,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = Folder::new("wav").unwrap();
        let path = folder.join("tone.wav");
        let written = tone(440.0, 0.5);
        written.write(&path).unwrap();
        let read = Recording::read(&path).unwrap();
        assert_eq!((read.rate_hz, read.samples), (8000, written.samples));
        assert!(Recording::parse(b"RIFF....WAVE").is_err());
        assert!(Recording::parse(b"").is_err());
    }

    #[test]
    fn levels_of_a_tone() {
        let tone = tone(1000.0, 1.0);
        assert!((tone.level_db() + 9.03).abs() < 0.1, "{}", tone.level_db());
        assert!((tone.tone_db(1000.0, 0.0, 1.0) + 9.03).abs() < 0.3);
        assert!(tone.tone_db(1300.0, 0.0, 1.0) < -50.0);
    }

    #[test]
    fn own_speech_is_found_and_other_speech_is_not() {
        let folder = Folder::new("wav").unwrap();
        let visitor =
            Recording::read(&make(Voice::Visitor, &folder.join("v.wav")).unwrap()).unwrap();
        let resident =
            Recording::read(&make(Voice::Resident, &folder.join("r.wav")).unwrap()).unwrap();
        // A poor line: 1.3 s late, 20 dB down, noise, the other voice softly behind it.
        let mut noise = 12345_u32;
        let mut poor = vec![0_i16; 10_400];
        poor.extend(visitor.samples.iter().map(|sample| sample / 10));
        poor.extend(vec![0; 16_000]);
        for (n, sample) in poor.iter_mut().enumerate() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let echo = resident.samples.get(n).map_or(0, |other| other / 60);
            *sample = sample
                .saturating_add((noise >> 26) as i16 - 32)
                .saturating_add(echo);
        }
        let poor = Recording {
            rate_hz: 8000,
            samples: poor,
        };
        let own = poor.likeness(&visitor);
        let other = poor.likeness(&resident);
        eprintln!("own {own:?}, other {other:?}");
        assert!(own.correlation > 0.7, "{own:?}");
        assert!((own.at_s - 1.3).abs() < 0.05, "{own:?}");
        assert!(other.correlation < 0.4, "{other:?}");
        assert!(visitor.likeness(&resident).correlation < 0.4);
        // A call on a busy machine: gaps of up to 0.15 s, after which the rest comes later.
        let mut torn = Vec::new();
        for (at, piece) in visitor.samples.chunks(9_000).enumerate() {
            torn.extend(piece);
            torn.extend(vec![0; 400 * (at % 4)]);
        }
        let torn = Recording {
            rate_hz: 8000,
            samples: torn,
        };
        let (own, other) = (torn.likeness(&visitor), torn.likeness(&resident));
        eprintln!("torn: own {own:?}, other {other:?}");
        assert!(own.correlation > 0.7, "{own:?}");
        assert!(other.correlation < 0.45, "{other:?}");
    }
}
