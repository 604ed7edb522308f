//! The one error of the harness: a sentence that says what was expected and what came.

use std::sync::atomic::{AtomicBool, Ordering};

/// What a test function returns.
pub type Outcome = Result<(), Failure>;

static ANY: AtomicBool = AtomicBool::new(false);

/// Something did not happen as the test needs it.
pub struct Failure(String);

impl Failure {
    /// Notes a failure; folders of this process are then kept for a look at them.
    pub fn new(what: impl Into<String>) -> Self {
        ANY.store(true, Ordering::Relaxed);
        Self(what.into())
    }

    /// Whether this test process has failed: a failure was made or a thread is panicking.
    pub fn happened() -> bool {
        ANY.load(Ordering::Relaxed) || std::thread::panicking()
    }
}

// The test runner prints an error by `Debug`; the sentence is for people.
impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("input/output: {error}"))
    }
}

/// Fails with the sentence unless the condition holds.
pub fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(sentence()))
    }
}

/// Adds to an input/output error what was being done.
pub trait Doing<T> {
    /// Turns the error into a [`Failure`] that starts with `what`.
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("{}: {error}", what())))
    }
}
