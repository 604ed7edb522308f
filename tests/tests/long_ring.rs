//! A phone that rings long before somebody answers: nothing times out on the way. Eight seconds, past the
//! first retransmissions; with `tests/run --long` almost as long as the panel rings, which gives up after 30 s.

use trubka_tests::Outcome;
use trubka_tests::gateway::{Settings, Visit};
use trubka_tests::scripted::Scripted;

#[test]
fn long_ring() -> Outcome {
    let long = std::env::var_os("TRUBKA_LONG").is_some();
    let ring_s = if long { 26 } else { 8 };
    let mut settings = Settings::new("", Visit::usual(3.0, 75.0));
    settings.targets.clear();
    settings.ring_limit_s = 60;
    Scripted::phone("phone_rings_long", ring_s * 1000, settings)?.must_open_once()
}
