//! A phone that rings for forty seconds before somebody answers, at a panel that rings for a minute:
//! nothing times out on the way, and the call is as any other.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn long_ring() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 100.0));
    settings.targets.clear();
    settings.ring_limit_s = 60;
    settings.simulator = vec!["--rings-s".to_owned(), "60".to_owned()];
    Scripted::phone("phone_rings_long", 40_000, settings)?.must_open_once()
}
