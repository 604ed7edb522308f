//! Why a capture cannot be read.

/// Kind of a [`CaptureError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureErrorKind {
    /// The bytes could not be had.
    Input,
    /// This is no capture, or none of a form that is known.
    Form,
    /// A capture whose inside contradicts itself.
    Damaged,
}

/// Why a capture cannot be read, or not further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureError {
    /// Kind.
    pub kind: CaptureErrorKind,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl CaptureError {
    pub(crate) fn form(cause: impl Into<String>) -> CaptureError {
        CaptureError {
            kind: CaptureErrorKind::Form,
            cause: cause.into(),
            hint: "give a file of tcpdump (-w), Wireshark or trace.pcap of trubkad",
        }
    }

    pub(crate) fn damaged(cause: impl Into<String>) -> CaptureError {
        CaptureError {
            kind: CaptureErrorKind::Damaged,
            cause: cause.into(),
            hint: "what stands before this place was shown; copy the file anew, in binary",
        }
    }
}

impl From<std::io::Error> for CaptureError {
    fn from(error: std::io::Error) -> CaptureError {
        CaptureError {
            kind: CaptureErrorKind::Input,
            cause: error.to_string(),
            hint: "does the file exist, and may you read it?",
        }
    }
}

impl std::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n    hint: {}", self.cause, self.hint)
    }
}

impl std::error::Error for CaptureError {}
