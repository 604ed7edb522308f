//! The daemon gets no time while people talk (stopped by a signal, as a swapping box stops it): the card's
//! watchdog lets go, which is told once, is no lifted handset and no door button, ends the call, and the next
//! visitor is served.

use std::process::Command;
use std::time::Duration;

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

fn signal(gateway: &Gateway, name: &str) -> Outcome {
    let id = gateway.daemon_id().to_string();
    let done = Command::new("kill").args([name, &id]).status();
    ensure(done.is_ok_and(|status| status.success()), || {
        format!("kill {name} {id} failed")
    })
}

#[test]
fn daemon_stood_still() -> Outcome {
    let pbx = Asterisk::start()?;
    // Phone 406 answers and presses nothing.
    let visit = Visit::default().dials(3.0).dials(20.0).leaves(30.0);
    let mut gateway = Gateway::start(&Settings::new("406", visit), pbx.ip())?;
    gateway.must_be_answered()?;
    signal(&gateway, "-STOP")?;
    std::thread::sleep(Duration::from_millis(900));
    signal(&gateway, "-CONT")?;
    wait::until_true("record of the fall", seconds(5.0), || {
        Ok(gateway.journal("outputs_dropped")?.len() == 1)
    })?;
    let told = gateway.journal("outputs_dropped")?;
    ensure(
        told[0]["stood_ms"].as_u64().is_some_and(|ms| ms >= 800),
        || format!("{told:?}"),
    )?;
    // The old handset lies on its hook, so the panel sees the call end.
    wait::until_true("end of the panel's call", seconds(5.0), || {
        Ok(gateway.panel_count(words::CALL_DROPPED)? == 1)
    })?;
    pbx.wait_idle(seconds(5.0))?;
    ensure(gateway.journal("handset_lifted")?.is_empty(), || {
        "a handset was lifted that lay on its hook".into()
    })?;

    wait::until_true("the next visitor is answered", seconds(30.0), || {
        Ok(gateway.panel_count(words::ANSWERED)? == 2)
    })?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
