//! The phone rings and nobody comes: when the panel gives up, the phone stops ringing at once.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn no_answer() -> Outcome {
    let pbx = Asterisk::start()?;
    // The visitor waits longer than the panel rings.
    let visit = Visit::default().dials(3.0).leaves(110.0);
    let mut gateway = Gateway::start(&Settings::new("403", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    gateway.wait_panel(words::RING_BURST, seconds(10.0))?;
    wait::until_true("ringing phone", seconds(3.0), || Ok(pbx.channels()? == 1))?;
    // Ours ends the ringing at its ring limit or when the panel does, whichever is first.
    wait::until_true("phone that stopped ringing", seconds(80.0), || {
        Ok(pbx.channels()? == 0)
    })?;
    gateway.wait_idle(seconds(60.0))?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "nobody answered, yet it did".into()
    })?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
