//! The PBX loses power in the middle of a call: the gateway gives the panel its line back, opens
//! nothing, and when the PBX is back the next visitor reaches the phone.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::wav::FOUND;

#[test]
fn pbx_restart_in_a_call() -> Outcome {
    let mut pbx = Asterisk::start()?;
    // Phone 406 answers and presses nothing. The second visitor comes after the PBX is back.
    let visit = Visit::usual(3.0, 36.0).dials(48.0).leaves(58.0);
    let settings = Settings {
        rtp_timeout_s: 5,
        ..Settings::new("406", visit)
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    let words_of_visitor = gateway.visitor_speech()?;
    wait::until_true("the visitor's words at the phone", seconds(10.0), || {
        let heard = pbx.heard("406");
        Ok(heard.is_ok_and(|heard| heard.likeness(&words_of_visitor).correlation >= FOUND))
    })?;

    pbx.kill();
    // No audio comes any more: the line is not held for a phone that is gone.
    gateway.wait_idle(seconds(40.0))?;
    gateway.must_have_stayed_shut()?;

    pbx.start_again(false)?;
    pbx.wait_registered("100", seconds(20.0))?;
    wait::until_true("second answer", seconds(45.0), || {
        Ok(gateway.panel_count(words::ANSWERED)? == 2)
    })?;
    ensure(pbx.channels()? == 1, || {
        "answered, but not by the phone".into()
    })?;
    gateway.wait_idle(seconds(30.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
