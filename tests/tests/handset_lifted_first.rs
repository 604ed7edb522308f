//! Somebody in the apartment lifts the old handset while the phone rings: the phone stops ringing, the
//! panel talks to the handset, and the gateway leaves the line alone until it is put back.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn handset_lifted_first() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials(3.0)
        .lifts_handset(9.0)
        .replaces_handset(16.0)
        .leaves(18.0);
    let mut gateway = Gateway::start(&Settings::new("403", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;

    wait::until_true("ringing phone", seconds(15.0), || Ok(pbx.channels()? == 1))?;
    // The panel's own word: it talks to the handset, and our phone is silent a moment later.
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    pbx.wait_idle(seconds(2.0))?;
    // It keeps its hands off while people talk on the old handset.
    wait::never_within("call to the phone", seconds(4.0), || {
        Ok(pbx.channels()? != 0)
    })?;
    ensure(gateway.panel_count(words::CALL_DROPPED)? == 0, || {
        "it cut off the handset".into()
    })?;

    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
