//! The line card is unplugged while a phone rings and plugged in again: the phone stops ringing, the status
//! says what is away, and the next visitor is served.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn line_card_gone() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(
        &Settings::new("403", Visit::default().dials(2.0).leaves(20.0)),
        pbx.ip(),
    )?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    wait::until_true("ringing phone", seconds(10.0), || Ok(pbx.channels()? == 1))?;
    gateway.unplug_card();
    pbx.wait_idle(seconds(4.0))?;
    let status = gateway.control(&["status"])?;
    ensure(
        status["cards"][0]["present"] == false && status["lines"][0]["present"] == false,
        || format!("{status:#}"),
    )?;
    // The doctor says it by its exit code: no JSON is given to a failed check here.
    ensure(gateway.control(&["doctor"]).is_err(), || {
        "the doctor passes a missing card".into()
    })?;

    gateway.plug_card()?;
    wait::until_true(
        "ringing phone after the card is back",
        seconds(20.0),
        || Ok(pbx.channels()? == 1),
    )?;
    gateway.wait_idle(seconds(40.0))?;
    let away = gateway.journal("line_card")?;
    let gone = away
        .iter()
        .filter(|record| record["present"] == false)
        .count();
    ensure((1..=3).contains(&gone), || {
        format!("{gone} records of a missing card: {away:?}")
    })?;
    gateway.must_have_stayed_shut()
}
