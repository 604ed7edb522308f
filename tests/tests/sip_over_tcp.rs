//! SIP over TCP: a whole visit, and a PBX that restarts and finds the box again by itself.

use std::time::Instant;
use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

fn settings(target: &str, visit: Visit) -> Settings {
    Settings {
        account: "transport = \"tcp\"".into(),
        ..Settings::new(target, visit)
    }
}

#[test]
fn a_visit_over_tcp() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&settings("408", Visit::usual(3.0, 30.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let contact = pbx.wait_registered("100", seconds(5.0))?;
    ensure(contact.to_lowercase().contains("transport=tcp"), || {
        format!("the PBX knows the box as {contact}")
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_opened(1)
}

#[test]
fn the_pbx_restarts_and_calls_again() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&settings("408", Visit::usual(2.0, 30.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    pbx.kill();
    let killed = Instant::now();
    // The connection ends, the next one is refused: known at once, and not after a keep-alive.
    gateway.account_must_soon_be(words::FAILED, seconds(3.0))?;
    eprintln!(
        "PBX over TCP killed -> told: {} ms",
        killed.elapsed().as_millis()
    );
    pbx.start_again(false)?;
    let back = Instant::now();
    gateway.wait_account(words::REGISTERED, seconds(30.0))?;
    eprintln!("PBX back -> registered: {} ms", back.elapsed().as_millis());
    pbx.wait_registered("100", seconds(5.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}
