//! Requests and responses: one JSON object a line over the local socket.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest line that either side accepts, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// A command for the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen by the asker; every response to the request carries it.
    pub id: u64,
    /// Words of a command of the table.
    pub command: String,
    /// Positional arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
}

/// Why a command failed, for exit codes and scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The request makes no sense.
    Usage,
    /// A line, account or record that does not exist.
    NotFound,
    /// The command is not possible now.
    Refused,
    /// The configuration has problems.
    Config,
    /// Something failed that should not.
    Internal,
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Kind of the failure.
    pub kind: FailureKind,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: String,
}

impl Failure {
    /// A failure with its hint.
    pub fn new(kind: FailureKind, cause: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure {
            kind,
            cause: cause.into(),
            hint: hint.into(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n    hint: {}", self.cause, self.hint)
    }
}

/// What the daemon sends back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The answer, whose form the command decides; see [`crate::reply`].
    Done {
        /// Id of the request.
        id: u64,
        /// The answer.
        result: Value,
    },
    /// One event of a running `events` command.
    Event {
        /// Id of the request.
        id: u64,
        /// The event with its time.
        event: Value,
    },
    /// The command failed.
    Failed {
        /// Id of the request; 0 when the request could not be read.
        id: u64,
        /// Why.
        failure: Failure,
    },
}
