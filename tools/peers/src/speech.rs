//! Speech for the tests, made when a test asks for it.

use crate::{Failure, process};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who speaks. The voices differ in pitch and words, so one can't be taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// The person at the street panel.
    Visitor,
    /// The person at the phone.
    Resident,
}

impl Voice {
    fn words(self) -> &'static str {
        match self {
            Voice::Visitor => {
                "Good afternoon, this is the courier with a parcel for apartment forty two, please open the door"
            }
            Voice::Resident => {
                "Hello, who is there? Yes, I am waiting for it, come up to the seventh floor, I open now"
            }
        }
    }
}

/// Makes a WAV of about five seconds, 8 kHz, one channel, 16 bits.
///
/// # Errors
/// When espeak-ng or sox is missing or fails.
pub fn make(voice: Voice, path: &Path) -> Result<PathBuf, Failure> {
    let raw = path.with_extension("22k.wav");
    let (variant, pitch) = match voice {
        Voice::Visitor => ("en+m3", "35"),
        Voice::Resident => ("en+f3", "70"),
    };
    process::run(
        Command::new("espeak-ng")
            .args(["-v", variant, "-p", pitch, "-s", "165", "-w"])
            .arg(&raw)
            .arg(voice.words()),
    )?;
    process::run(
        Command::new("sox")
            .arg(&raw)
            .args(["-r", "8000", "-c", "1", "-b", "16"])
            .arg(path)
            .args(["gain", "-n", "-6"]),
    )?;
    std::fs::remove_file(raw)?;
    Ok(path.to_owned())
}
