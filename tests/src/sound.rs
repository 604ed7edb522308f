//! Sound devices where there is no sound card: PCMs of ALSA's own plugins on named pipes, fed and
//! drained in real time by threads of the test.

use crate::failure::Doing;
use crate::folder::Folder;
use crate::wav::Recording;
use crate::{Failure, process};
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Rate of the pipes, Hz.
pub const RATE_HZ: u32 = 48_000;
/// Channels of the pipes; the line is on the second.
pub const CHANNELS: usize = 2;

const BLOCK: Duration = Duration::from_millis(10);

/// Level of a full-scale sine, dBm0 (G.711, A-law).
#[allow(clippy::approx_constant, reason = "no circle is meant")]
pub const FULL_SCALE_DBM0: f64 = 3.14;

/// Level of a tone in the last `seconds` of a recording, dBm0; `None` while it is shorter. It is looked for in pieces of 100 ms:
/// two clocks that are being joined move it by some hertz, which counts as the tone; 30 Hz beside it do not.
#[must_use]
pub fn tone_dbm0(recording: &Recording, hz: f64, seconds: f64) -> Option<f64> {
    let piece = recording.rate_hz as usize / 10;
    let count = ((seconds * 10.0) as usize).max(1);
    let start = recording.samples.len().checked_sub(piece * count)?;
    let last = recording.samples.get(start..)?;
    let mean_square = last
        .chunks_exact(piece)
        .map(|samples| tone_peak(samples, hz / f64::from(recording.rate_hz)).powi(2))
        .sum::<f64>()
        / count as f64;
    Some(10.0 * mean_square.max(1e-18).log10() + FULL_SCALE_DBM0)
}

/// Peak of a tone of so many turns a sample, of full scale.
fn tone_peak(samples: &[i16], turns: f64) -> f64 {
    let (mut sine, mut cosine, mut weight) = (0.0, 0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        // A Hann window: a strong tone beside this one does not leak into it.
        let hann = (std::f64::consts::PI * n as f64 / samples.len() as f64)
            .sin()
            .powi(2);
        let phase = std::f64::consts::TAU * turns * n as f64;
        sine += hann * f64::from(*sample) * phase.sin();
        cosine += hann * f64::from(*sample) * phase.cos();
        weight += hann;
    }
    2.0 * sine.hypot(cosine) / weight / 32_768.0
}

/// PCMs `street` (recorded) and `speaker` (played to) on pipes in a folder.
#[derive(Debug)]
pub struct Pipes {
    stop: Arc<AtomicBool>,
    paused: Arc<AtomicBool>,
    heard: Arc<Mutex<Vec<[i16; CHANNELS]>>>,
}

impl Pipes {
    /// Makes the pipes and their `asound.conf`, feeds a tone of 1 kHz and `peak` to the second
    /// channel of `street` and one of 300 Hz to the first, and keeps what `speaker` is played.
    ///
    /// # Errors
    /// When a pipe or the file cannot be made.
    pub fn start(folder: &Folder, peak: i16) -> Result<Self, Failure> {
        let (input, output) = (folder.join("street.pipe"), folder.join("speaker.pipe"));
        for pipe in [&input, &output] {
            process::run(Command::new("mkfifo").arg(pipe))?;
        }
        let config = format!(
            "</usr/share/alsa/alsa.conf>\n\
             pcm.street {{ type file slave.pcm \"null\" file \"/dev/null\" infile \"{}\" format \"raw\" hint {{ show on description \"street\" }} }}\n\
             pcm.speaker {{ type file slave.pcm \"null\" file \"{}\" format \"raw\" hint {{ show on description \"speaker\" }} }}\n\
             pcm.nothing {{ type null hint {{ show on description \"nothing\" }} }}\n",
            input.display(),
            output.display()
        );
        folder.write("asound.conf", &config)?;
        let pipes = Self {
            stop: Arc::default(),
            paused: Arc::default(),
            heard: Arc::default(),
        };
        // Opened for both directions a pipe is there at once and outlives its other end.
        let open = |path: &Path| {
            std::fs::File::options()
                .read(true)
                .write(true)
                .open(path)
                .doing(|| format!("opening {}", path.display()))
        };
        let (mut into, mut out) = (open(&input)?, open(&output)?);
        let (stop, paused) = (pipes.stop.clone(), pipes.paused.clone());
        std::thread::spawn(move || {
            let mut at = 0_u64;
            let mut due = Instant::now();
            while !stop.load(Ordering::Relaxed) {
                if paused.load(Ordering::Relaxed) {
                    due = Instant::now();
                } else if into.write_all(&tones(&mut at, peak)).is_err() {
                    return;
                }
                due = (due + BLOCK).max(Instant::now() - 5 * BLOCK);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        let (stop, heard) = (pipes.stop.clone(), pipes.heard.clone());
        std::thread::spawn(move || {
            let mut block = vec![0; RATE_HZ as usize / 100 * CHANNELS * 2];
            let mut due = Instant::now();
            while !stop.load(Ordering::Relaxed) && out.read_exact(&mut block).is_ok() {
                if let Ok(mut heard) = heard.lock() {
                    heard.extend(block.chunks_exact(2 * CHANNELS).map(|frame| {
                        [0, 1].map(|c| i16::from_le_bytes([frame[2 * c], frame[2 * c + 1]]))
                    }));
                }
                due = (due + BLOCK).max(Instant::now() - 5 * BLOCK);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        Ok(pipes)
    }

    /// The street falls silent and stands still: its device brings nothing, not even silence.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// Everything that the speaker was played so far.
    pub fn heard(&self) -> Vec<[i16; CHANNELS]> {
        self.heard
            .lock()
            .map(|heard| heard.clone())
            .unwrap_or_default()
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        // The threads may wait for the other end of their pipe; they end with it or with the test.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The next 10 ms: 300 Hz on the first channel, 1 kHz on the second.
fn tones(at: &mut u64, peak: i16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..RATE_HZ / 100 {
        for hz in [300.0, 1000.0] {
            let turns = *at as f64 * hz / f64::from(RATE_HZ);
            let value = f64::from(peak) * (std::f64::consts::TAU * turns.fract()).sin();
            bytes.extend((value as i16).to_le_bytes());
        }
        *at += 1;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_of_a_tone_is_that_tones_alone() {
        let samples = (0..8000)
            .map(|n| {
                let tone = |hz: f64, peak: f64| {
                    peak * (std::f64::consts::TAU * hz * f64::from(n) / 8000.0).sin()
                };
                (tone(1000.0, 3276.8) + tone(700.0, 16_384.0)) as i16
            })
            .collect();
        let recording = Recording {
            rate_hz: 8000,
            samples,
        };
        let level = |hz| tone_dbm0(&recording, hz, 0.5).unwrap_or(f64::NAN);
        assert!((level(1000.0) + 16.86).abs() < 0.1, "{}", level(1000.0));
        assert!((level(700.0) + 2.88).abs() < 0.1, "{}", level(700.0));
        assert!(level(1200.0) < -60.0, "{}", level(1200.0));
        assert_eq!(tone_dbm0(&recording, 1000.0, 1.5), None);
    }
}
