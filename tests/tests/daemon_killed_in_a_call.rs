//! The daemon is killed while people talk: the card's watchdog gives the line back to the old handset, no
//! glitch presses the door button, the journal keeps what it had, and the daemon that starts again serves
//! the next visitor.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn daemon_killed_in_a_call() -> Outcome {
    let pbx = Asterisk::start()?;
    // Phone 406 answers and presses nothing.
    let visit = Visit::default().dials(3.0).dials(26.0).leaves(36.0);
    let mut gateway = Gateway::start(&Settings::new("406", visit), pbx.ip())?;
    gateway.must_be_answered()?;
    gateway.kill_daemon();
    // The old handset lies on its hook, so the panel sees the call end.
    wait::until_true("end of the panel's call", seconds(5.0), || {
        Ok(gateway.panel_count(words::CALL_DROPPED)? == 1)
    })?;
    ensure(gateway.panel_count(words::LOCK_OPENED)? == 0, || {
        "the crash opened the door".into()
    })?;

    gateway.start_daemon_again()?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    ensure(gateway.journal("call_answered")?.len() == 1, || {
        "the journal lost a record".into()
    })?;
    wait::until_true("the next visitor is answered", seconds(30.0), || {
        Ok(gateway.panel_count(words::ANSWERED)? == 2)
    })?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
