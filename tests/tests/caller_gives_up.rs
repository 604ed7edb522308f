//! The visitor goes while the phone rings: the phone stops ringing (CANCEL), and the next visitor is served.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn caller_gives_up() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials(3.0)
        .leaves(10.0)
        .dials(20.0)
        .leaves(27.0);
    let mut gateway = Gateway::start(&Settings::new("403", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    pbx.rx("pjsip set logger on")?;

    for visitor in 1..=2 {
        wait::until_true("ringing phone", seconds(25.0), || Ok(pbx.channels()? == 1))?;
        wait::until_true("CANCEL after the visitor left", seconds(15.0), || {
            Ok(pbx.log().matches("CANCEL sip:403@").count() >= visitor)
        })?;
        pbx.wait_idle(seconds(5.0))?;
        gateway.wait_idle(seconds(15.0))?;
    }
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "it answered nobody's call".into()
    })?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
