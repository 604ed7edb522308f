//! Requests that nobody knows are refused with the status each deserves, and the call goes on.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn over_tcp() -> Outcome {
    let settings = Settings {
        targets: Vec::new(),
        ..Settings::new("", Visit::usual(3.0, 60.0))
    };
    Scripted::phone_over_tcp("phone_unknown_methods", 1_500, settings)?.must_open_once()
}

#[test]
fn unknown_methods() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_unknown_methods", 1_500, settings)?.must_open_once()
}
