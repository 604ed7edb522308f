//! Names in Latin-1, in every header that a phone writes, cost neither call nor key.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn latin1_names() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_latin1", 1_500, settings)?.must_open_once()
}
