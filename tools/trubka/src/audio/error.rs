//! What can be wrong with a recording.

use std::fmt;
use std::path::Path;

use dsp::wav::WavError;

use crate::exit::{FAILURE, Failed, USAGE};

const CONVERT: &str = "convert it, for example: sox IN -r 8000 -b 16 OUT.wav";

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// The file cannot be read.
    Unreadable,
    /// The file cannot be written.
    Unwritable,
    /// It is no WAV file.
    NotWav,
    /// A WAV file of a kind we do not read.
    Unsupported,
    /// There is no sound in it.
    Empty,
    /// The file ends before the sound its header promises.
    Truncated,
    /// A sample rate that cannot be converted.
    Rate,
    /// Longer than we take into memory.
    TooLong,
    /// The command line makes no sense with this file.
    Usage,
}

impl ErrorKind {
    fn name(self) -> &'static str {
        match self {
            ErrorKind::Unreadable => "cannot read",
            ErrorKind::Unwritable => "cannot write",
            ErrorKind::NotWav => "not a WAV file",
            ErrorKind::Unsupported => "unsupported WAV file",
            ErrorKind::Empty => "no sound",
            ErrorKind::Truncated => "truncated WAV file",
            ErrorKind::Rate => "sample rate",
            ErrorKind::TooLong => "too long",
            ErrorKind::Usage => "usage",
        }
    }
}

/// A failed `trubka audio`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AudioError {
    pub(super) kind: ErrorKind,
    pub(super) cause: String,
    pub(super) hint: String,
}

impl AudioError {
    pub(super) fn new(
        kind: ErrorKind,
        cause: impl Into<String>,
        hint: impl Into<String>,
    ) -> AudioError {
        AudioError {
            kind,
            cause: cause.into(),
            hint: hint.into(),
        }
    }

    /// What went wrong while `path` was being read.
    pub(super) fn reading(path: &Path, error: &WavError) -> AudioError {
        let cause = format!("{}: {error}", path.display());
        match error {
            WavError::Io(_) => AudioError::new(
                ErrorKind::Unreadable,
                cause,
                "check the name and the rights",
            ),
            WavError::NotWav(_) => AudioError::new(ErrorKind::NotWav, cause, CONVERT),
            WavError::Unsupported(_) => AudioError::new(
                ErrorKind::Unsupported,
                cause,
                format!("PCM, float, A-law and mu-law are read; {CONVERT}"),
            ),
            WavError::Truncated(_) => {
                AudioError::new(ErrorKind::Truncated, cause, "copy the file again")
            }
        }
    }

    /// What went wrong while `path` was being written.
    pub(super) fn writing(path: &Path, error: &hound::Error) -> AudioError {
        AudioError::new(
            ErrorKind::Unwritable,
            format!("{}: {error}", path.display()),
            "check the folder, its rights and the space left",
        )
    }
}

impl fmt::Display for AudioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\n    hint: {}",
            self.kind.name(),
            self.cause,
            self.hint
        )
    }
}

impl From<AudioError> for Failed {
    fn from(error: AudioError) -> Failed {
        let code = if error.kind == ErrorKind::Usage {
            USAGE
        } else {
            FAILURE
        };
        Failed::new(code, error.to_string())
    }
}
