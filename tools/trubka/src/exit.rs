//! How commands fail: a message and one of the documented exit codes.

use std::fmt;

use control::{ClientError, FailureKind};

/// Something failed that has no code of its own.
pub(crate) const FAILURE: u8 = 1;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// The configuration has problems.
pub(crate) const CONFIG: u8 = 3;
/// A line is faulty.
pub(crate) const LINE_FAULT: u8 = 4;
/// No registration.
pub(crate) const NOT_REGISTERED: u8 = 5;
/// Hardware or daemon absent.
pub(crate) const ABSENT: u8 = 6;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failed {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failed {
        Failed {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ClientError> for Failed {
    fn from(error: ClientError) -> Failed {
        let code = match &error {
            ClientError::NoDaemon { .. } => ABSENT,
            ClientError::Broken(_) => FAILURE,
            ClientError::Failed(failure) => match failure.kind {
                FailureKind::Usage => USAGE,
                FailureKind::Config => CONFIG,
                FailureKind::NotFound | FailureKind::Refused | FailureKind::Internal => FAILURE,
            },
        };
        Failed::new(code, error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        Failed::new(FAILURE, error.to_string())
    }
}
