//! Compact header names, odd case and folded lines are read as any others.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn compact_headers() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_compact", 1_500, settings)?.must_open_once()
}
