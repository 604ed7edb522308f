//! The one error of the harness: a sentence that says what was expected and what came.

use std::sync::atomic::{AtomicUsize, Ordering};

/// What a test function returns.
pub type Outcome = Result<(), Failure>;

/// Failures that somebody holds: what a wait asked in vain and dropped again is none.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Something did not happen as the test needs it.
pub struct Failure(String);

impl Failure {
    /// Notes a failure; folders that are dropped while it lives are kept for a look at them.
    pub fn new(what: impl Into<String>) -> Self {
        HELD.fetch_add(1, Ordering::Relaxed);
        Self(what.into())
    }

    /// Whether this test process has failed: a failure is on its way out or a thread is panicking.
    pub fn happened() -> bool {
        HELD.load(Ordering::Relaxed) > 0 || std::thread::panicking()
    }
}

impl Drop for Failure {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Folder;

    #[test]
    fn a_folder_is_kept_for_a_failure_that_goes_out_and_not_for_one_that_was_passed_over() {
        let asked = || -> Result<(), Failure> { Err(Failure::new("not yet")) };
        let passed = || -> Result<std::path::PathBuf, Failure> {
            let folder = Folder::new("passed")?;
            assert!(asked().is_err());
            Ok(folder.path().to_owned())
        };
        assert!(!passed().unwrap().exists());
        let mut path = std::path::PathBuf::new();
        let mut failed = || -> Outcome {
            let folder = Folder::new("failed")?;
            folder.path().clone_into(&mut path);
            asked()
        };
        let failure = failed();
        assert!(path.exists());
        drop(failure);
        std::fs::remove_dir_all(path).unwrap();
    }
}
