//! Reading the visitor's words.

use std::fmt;
use std::io::Read;

use line_interface::SAMPLE_RATE_HZ;

/// Longest recording that is taken: ten minutes.
const MAX_SAMPLES: u32 = 600 * SAMPLE_RATE_HZ;

/// A recording that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoundError {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for SoundError {}

const HINT: &str = "convert it: sox in.wav -r 8000 -c 1 -b 16 out.wav";

/// Reads a WAV file of 8000 Hz, one channel, 16 bit, at most ten minutes.
///
/// # Errors
/// [`SoundError`] with the command that converts other files.
pub fn read_wav(reader: impl Read) -> Result<Vec<i16>, SoundError> {
    let bad = |cause: String| SoundError { cause, hint: HINT };
    let mut wav = hound::WavReader::new(reader).map_err(|e| bad(format!("no WAV file: {e}")))?;
    let spec = wav.spec();
    if spec.sample_rate != SAMPLE_RATE_HZ
        || spec.channels != 1
        || spec.bits_per_sample != 16
        || spec.sample_format != hound::SampleFormat::Int
    {
        return Err(bad(format!(
            "{} Hz, {} channels, {} bit; 8000 Hz, one channel, 16 bit is needed",
            spec.sample_rate, spec.channels, spec.bits_per_sample
        )));
    }
    if wav.duration() > MAX_SAMPLES {
        return Err(bad("longer than ten minutes".to_owned()));
    }
    wav.samples::<i16>()
        .collect::<Result<_, _>>()
        .map_err(|e| bad(format!("broken WAV file: {e}")))
}
