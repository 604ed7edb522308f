//! Why a line cannot be learned.

use std::fmt;

use config::Problem;
use control::ClientError;
use line_interface::learn::Refusal;

/// Why a line cannot be learned; every kind comes with a hint.
#[derive(Debug)]
pub enum LearnError {
    /// The daemon does not answer, or not well.
    Client(ClientError),
    /// The configuration does not fit.
    Config(Vec<Problem>),
    /// A file cannot be read or written, or makes no sense.
    File {
        /// What is wrong.
        cause: String,
        /// What to do.
        hint: String,
    },
    /// The readings carry no profile.
    Refused(Vec<Refusal>),
    /// No readings come.
    Silent {
        /// The line.
        line: String,
    },
}

impl fmt::Display for LearnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Config(problems) => {
                let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("\n"))
            }
            Self::File { cause, hint } => write!(f, "{cause}\n    hint: {hint}"),
            Self::Refused(reasons) => {
                f.write_str("nothing is proposed")?;
                for reason in reasons {
                    write!(f, "\n{}\n    hint: {}", reason.cause, reason.hint)?;
                }
                Ok(())
            }
            Self::Silent { line } => write!(
                f,
                "no readings of line {line} come\n    hint: is its line card there? see: trubka doctor"
            ),
        }
    }
}

impl std::error::Error for LearnError {}

impl From<ClientError> for LearnError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}
