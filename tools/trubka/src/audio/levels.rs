//! `trubka audio levels`.

use std::fmt::Write as _;
use std::path::Path;

use dsp::sample::dbm0_of_mean_square;
use serde_json::{Value, json};

use super::error::AudioError;
use super::tenth;
use super::wav::Wav;

/// A frame counts as active down to this far below the active level (ITU-T P.56, method B; without its 200 ms of hangover).
const MARGIN_DB: f32 = 15.9;
/// Frames below this are silence whatever the rest is.
const SILENCE_DBM0: f32 = -70.0;

/// What one channel holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Levels {
    /// 1 for the first.
    pub(super) channel: u16,
    /// Over everything.
    pub(super) rms_dbm0: f32,
    /// Over what is not pause.
    pub(super) active_dbm0: Option<f32>,
    /// Share that is not pause, %.
    pub(super) active_percent: f32,
    /// What a tenth of the frames stays below.
    pub(super) noise_dbm0: f32,
    /// Largest sample; 0 for full scale.
    pub(super) peak_dbfs: f32,
    /// Samples at full scale.
    pub(super) clipped: u64,
    /// Mean, % of full scale.
    pub(super) offset_percent: f32,
}

/// Gathers one channel.
#[derive(Debug, Default)]
struct Gathering {
    sum: f64,
    energy: f64,
    count: u64,
    peak: f32,
    clipped: u64,
    frame: f64,
    in_frame: u32,
    /// Mean squares of frames of 20 ms.
    frames: Vec<f32>,
}

impl Gathering {
    fn take(&mut self, sample: f32, frame_length: u32) {
        let x = f64::from(sample);
        self.sum += x;
        self.energy += x * x;
        self.count += 1;
        self.peak = self.peak.max(sample.abs());
        self.clipped += u64::from(sample.abs() >= 0.999);
        self.frame += x * x;
        self.in_frame += 1;
        if self.in_frame >= frame_length {
            self.end_frame();
        }
    }

    fn end_frame(&mut self) {
        if self.in_frame > 0 {
            self.frames
                .push((self.frame / f64::from(self.in_frame)) as f32);
        }
        self.frame = 0.0;
        self.in_frame = 0;
    }

    fn levels(mut self, channel: u16) -> Levels {
        self.end_frame();
        let count = self.count.max(1) as f64;
        let mut frames: Vec<f32> = self
            .frames
            .iter()
            .map(|x| dbm0_of_mean_square(*x))
            .collect();
        frames.sort_by(f32::total_cmp);
        let (active_dbm0, active) = active(&frames);
        Levels {
            channel,
            rms_dbm0: dbm0_of_mean_square((self.energy / count) as f32),
            active_dbm0,
            active_percent: 100.0 * active as f32 / frames.len().max(1) as f32,
            noise_dbm0: frames.get(frames.len() / 10).copied().unwrap_or(-120.0),
            peak_dbfs: 20.0 * self.peak.max(1e-6).log10(),
            clipped: self.clipped,
            offset_percent: (100.0 * self.sum / count) as f32,
        }
    }
}

/// The active level of frames sorted by level, and how many are active.
fn active(sorted_dbm0: &[f32]) -> (Option<f32>, usize) {
    let mut threshold = SILENCE_DBM0;
    let mut result = (None, 0);
    // Each round the threshold can only rise; it settles after a few.
    for _ in 0..20 {
        let from = sorted_dbm0.partition_point(|level| *level < threshold);
        let above = sorted_dbm0.get(from..).unwrap_or_default();
        if above.is_empty() {
            return result;
        }
        let power: f64 = above
            .iter()
            .map(|level| 10.0_f64.powf(f64::from(*level) / 10.0))
            .sum();
        let level = (10.0 * (power / above.len() as f64).log10()) as f32;
        result = (Some(level), above.len());
        let next = (level - MARGIN_DB).max(SILENCE_DBM0);
        if next <= threshold {
            return result;
        }
        threshold = next;
    }
    result
}

/// Every channel of a file, or one; and its frames.
pub(super) fn measure(wav: Wav, channel: Option<u16>) -> Result<(Vec<Levels>, u64), AudioError> {
    let spec = wav.spec();
    let chosen = channel.map(|_| wav.choose(channel)).transpose()?;
    let frame_length = (spec.rate_hz / 50).max(1);
    let mut channels: Vec<Gathering> = (0..spec.channels).map(|_| Gathering::default()).collect();
    let frames = wav.each_frame(|frame| {
        for (channel, sample) in channels.iter_mut().zip(frame) {
            channel.take(*sample, frame_length);
        }
    })?;
    let levels = channels
        .into_iter()
        .zip(1..)
        .map(|(gathering, channel)| gathering.levels(channel))
        .filter(|levels| chosen.is_none_or(|index| usize::from(levels.channel) == index + 1))
        .collect();
    Ok((levels, frames))
}

pub(super) fn run(file: &Path, channel: Option<u16>, json: bool) -> Result<String, AudioError> {
    let wav = Wav::open(file)?;
    let spec = wav.spec();
    let (levels, frames) = measure(wav, channel)?;
    let seconds = frames as f64 / f64::from(spec.rate_hz);
    if json {
        let channels: Vec<Value> = levels.iter().map(as_json).collect();
        let object = json!({
            "duration_ms": (seconds * 1000.0).round(), "rate_hz": spec.rate_hz,
            "bits": spec.bits, "channels": channels,
        });
        return Ok(format!("{object:#}\n"));
    }
    let mut text = format!(
        "{seconds:.2} s, {} Hz, {} bits, {} channel(s)\n",
        spec.rate_hz, spec.bits, spec.channels
    );
    for one in &levels {
        let active = one
            .active_dbm0
            .map_or("none".to_owned(), |db| format!("{db:.1} dBm0"));
        let _ = write!(
            text,
            "channel {}\n  level     {:.1} dBm0\n  active    {active}, {:.0} % of the time\n  \
             noise     {:.1} dBm0\n  peak      {:.1} dBFS, {} sample(s) clipped\n  \
             offset    {:.2} %\n",
            one.channel,
            one.rms_dbm0,
            one.active_percent,
            one.noise_dbm0,
            one.peak_dbfs,
            one.clipped,
            one.offset_percent
        );
    }
    Ok(text)
}

fn as_json(levels: &Levels) -> Value {
    json!({
        "channel": levels.channel,
        "rms_dbm0": tenth(levels.rms_dbm0),
        "active_dbm0": levels.active_dbm0.map(tenth),
        "active_percent": tenth(levels.active_percent),
        "noise_dbm0": tenth(levels.noise_dbm0),
        "peak_dbfs": tenth(levels.peak_dbfs),
        "clipped_samples": levels.clipped,
        "offset_percent": tenth(levels.offset_percent),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Format, Scratch};
    use super::*;

    fn tone(rate: u32, dbm0: f32) -> Vec<f32> {
        let peak = dsp::sample::sine_peak_of_dbm0(dbm0);
        let step = std::f32::consts::TAU * 1000.0 / rate as f32;
        (0..rate).map(|n| peak * (step * n as f32).sin()).collect()
    }

    #[test]
    fn level_activity_and_noise_are_read() {
        let scratch = Scratch::new("levels");
        for rate in [8000, 44_056, 48_000] {
            // A second of a loud tone, three of a faint one.
            let mut sound = tone(rate, -10.0);
            (0..3).for_each(|_| sound.extend(tone(rate, -60.0)));
            let offset: Vec<f32> = sound.iter().map(|s| s + 0.1).collect();
            let clipped: Vec<f32> = sound.iter().map(|s| (s * 20.0).clamp(-1.0, 1.0)).collect();
            let sounds = [sound, offset, clipped];
            let file = scratch.wav("a.wav", rate, 3, Format::Int16, &sounds);
            let got = measure(Wav::open(&file).unwrap(), None).unwrap().0;
            assert_eq!(got.len(), 3);
            let near = |a: f32, b: f32| (a - b).abs() < 0.2;
            assert!(near(got[0].rms_dbm0, -16.0), "{got:?}");
            assert!(near(got[0].active_dbm0.unwrap(), -10.0), "{got:?}");
            assert!(
                near(got[0].active_percent, 25.0) && near(got[0].noise_dbm0, -60.0),
                "{got:?}"
            );
            assert!(
                near(got[0].peak_dbfs, -13.14) && got[0].clipped == 0,
                "{got:?}"
            );
            assert!(near(got[1].offset_percent, 10.0) && near(got[0].offset_percent, 0.0));
            assert!(got[2].clipped > u64::from(rate) / 2 && near(got[2].peak_dbfs, 0.0));
        }
    }

    #[test]
    fn silence_has_no_active_level() {
        let scratch = Scratch::new("silence");
        let file = scratch.wav("a.wav", 8000, 1, Format::Int16, &[vec![0.0; 8001]]);
        let text = run(&file, Some(1), true).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["channels"][0]["active_dbm0"], Value::Null);
        assert_eq!(value["channels"][0]["rms_dbm0"], -120.0);
        assert_eq!(value["duration_ms"], 1000.0);
    }
}
