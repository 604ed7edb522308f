//! A phone passes the visitor on: with REFER after its answer, or with 302 instead of one. The phone that
//! he reaches opens, and the first one is told how it went.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn blind_transfer() -> Outcome {
    let pbx = Asterisk::start()?;
    pbx.rx("pjsip set logger on")?;
    let mut gateway = Gateway::start(&Settings::new("412", Visit::usual(3.0, 60.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    // Read off the wire: the PBX's own word for it races with the BYE that follows.
    wait::until_true("the last NOTIFY at the PBX", seconds(5.0), || {
        let log = pbx.log();
        let mut messages = log.split("<---");
        Ok(messages.any(|message| {
            message.contains("NOTIFY sip:")
                && message.contains("Subscription-State: terminated")
                && message.contains("SIP/2.0 200 OK")
        }))
    })?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(8.0))?;
    let told = gateway.journal("call_transfer")?;
    let states: Vec<_> = told
        .iter()
        .filter_map(|one| one["state"].as_str())
        .collect();
    ensure(states == ["asked", "done"], || format!("told: {told:?}"))?;
    let opened = gateway.journal(words::DOOR_OPENED)?;
    ensure(opened.iter().all(|one| one["party"] == "400"), || {
        format!("opened by another: {opened:?}")
    })?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}

#[test]
fn forwarded_with_302() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&Settings::new("413", Visit::usual(3.0, 60.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(8.0))?;
    let followed = gateway.journal("call_redirected")?;
    ensure(followed.len() == 1 && followed[0]["to"] == "400", || {
        format!("redirections: {followed:?}")
    })?;
    gateway.must_have_opened(1)
}
