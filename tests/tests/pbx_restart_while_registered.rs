//! The PBX loses power while nothing happens and comes back without its registrations: the gateway
//! notices, registers again by itself, and the next visitor reaches the phone.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn pbx_restart_while_registered() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&Settings::new("408", Visit::usual(2.0, 30.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    pbx.wait_registered("100", seconds(5.0))?;

    pbx.kill();
    // The keep-alive tells, at the latest when two questions went unanswered.
    wait::until_true("journal record that the PBX is away", seconds(20.0), || {
        let away = |record: &serde_json::Value| record["reachable"] == false;
        Ok(gateway.journal(words::PBX_REACHABLE)?.iter().any(away))
    })?;
    pbx.start_again(false)?;
    pbx.wait_registered("100", seconds(20.0))?;
    gateway.wait_account(words::REGISTERED, seconds(5.0))?;

    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}
