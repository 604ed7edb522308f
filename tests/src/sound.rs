//! Sound devices where there is no sound card: PCMs of ALSA's own plugins on named pipes, fed and
//! drained in real time by threads of the test.

use crate::failure::Doing;
use crate::folder::Folder;
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
