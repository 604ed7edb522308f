//! Waiting that ends: every wait has a limit and a sentence for when it is over.

use crate::{Failure, Outcome};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);
/// What a wait that promises nothing is given beyond its usual time: a busy machine may stand still for many seconds,
/// and patience costs nothing when all goes well.
const PATIENCE: Duration = Duration::from_secs(40);

/// Asks again and again until `check` has an answer. `what` completes "no ... within N s". `usual` is what it takes at most
/// on a machine with nothing else to do; it is waited for much longer. What is promised in time is checked by [`promised`].
///
/// # Errors
/// When even that is over, or at once when `check` itself fails.
pub fn until<T>(
    what: &str,
    usual: Duration,
    check: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    ask(what, usual + PATIENCE, check)
}

/// As [`until_true`] with a limit that is the point of the check: nothing is given beyond it.
///
/// # Errors
/// When the limit is over, or at once when `check` itself fails.
pub fn promised(
    what: &str,
    limit: Duration,
    mut check: impl FnMut() -> Result<bool, Failure>,
) -> Outcome {
    ask(what, limit, || Ok(check()?.then_some(())))
}

fn ask<T>(
    what: &str,
    limit: Duration,
    mut check: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let began = Instant::now();
    loop {
        if let Some(answer) = check()? {
            return Ok(answer);
        }
        if began.elapsed() >= limit {
            return Err(Failure::new(format!(
                "no {what} within {:.1} s",
                limit.as_secs_f64()
            )));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `check` holds; see [`until`].
///
/// # Errors
/// When the limit is over, or at once when `check` itself fails.
pub fn until_true(
    what: &str,
    usual: Duration,
    mut check: impl FnMut() -> Result<bool, Failure>,
) -> Outcome {
    until(what, usual, || Ok(check()?.then_some(())))
}

/// Watches for the whole time that something does not happen.
///
/// # Errors
/// As soon as `check` finds it, with its description.
pub fn never_within(
    what: &str,
    time: Duration,
    mut check: impl FnMut() -> Result<bool, Failure>,
) -> Outcome {
    let began = Instant::now();
    while began.elapsed() < time {
        if check()? {
            return Err(Failure::new(format!(
                "{what} after {:.1} s, which must not happen",
                began.elapsed().as_secs_f64()
            )));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Seconds, for short lines in tests.
pub fn seconds(count: f64) -> Duration {
    Duration::from_secs_f64(count)
}
