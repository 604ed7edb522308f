//! A phone that never writes Content-Length talks and opens.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn no_content_length() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_without_lengths", 1_500, settings)?.must_open_once()
}
