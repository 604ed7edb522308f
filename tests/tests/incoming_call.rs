//! Somebody calls the box: without a visitor it says 480, while a visitor rings it is joined to the line,
//! and only who may open opens.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn incoming_call() -> Outcome {
    let pbx = Asterisk::start()?;
    // Phone 403 rings and nobody comes; the concierge calls in.
    let visit = Visit::default().dials(1.0).speaks().leaves(30.0);
    let mut gateway = Gateway::start(&Settings::new("403", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;

    pbx.call("100")?;
    wait::until_true("refusal in the journal", seconds(8.0), || {
        let refused = gateway.journal("call_refused")?;
        Ok(refused.iter().any(|record| record["status"] == 480))
    })?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "answered an idle line".into()
    })?;
    pbx.wait_idle(seconds(5.0))?;

    gateway.visitor_comes()?;
    gateway.wait_panel(words::RING_BURST, seconds(15.0))?;
    wait::until_true("ringing phone", seconds(5.0), || Ok(pbx.channels()? == 1))?;
    pbx.call("100")?;
    gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    wait::until_true("answer in the journal", seconds(5.0), || {
        let answered = gateway.journal("call_answered")?;
        Ok(answered
            .iter()
            .any(|record| record["direction"] == "incoming" && record["party"] == "406"))
    })?;
    // The caller says his words to the visitor.
    let speech = pbx.speech()?;
    wait::until_true("end of the words", seconds(12.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    pbx.hang_up_all()?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
