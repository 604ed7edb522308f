//! Reliable provisional responses (RFC 3262): a phone that rings with them and gives its answer only there, and a caller
//! who requires them.

use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Settings, Visit, words};
use trubka_tests::scripted::Scripted;
use trubka_tests::wait::seconds;

#[test]
fn of_a_phone_that_rings() -> Outcome {
    let mut settings = Settings::new("", Visit::usual(3.0, 60.0));
    settings.targets.clear();
    Scripted::phone("phone_rings_reliably", 1_000, settings)?.must_open_once()
}

#[test]
fn required_by_a_caller() -> Outcome {
    let mut visit = Scripted::caller("caller_requires_100rel", 3_000)?;
    visit.gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    visit.sipp.must_succeed(seconds(20.0))?;
    let heard = visit.phone.stop()?.packets.len();
    ensure(heard > 100, || format!("{heard} packets in 3 s"))?;
    visit.gateway.wait_idle(seconds(90.0))?;
    visit.gateway.must_have_stayed_shut()
}
