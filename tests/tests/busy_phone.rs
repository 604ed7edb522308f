//! The phone is busy: nothing is taken off the panel, the old handset goes on ringing, and the next
//! visitor reaches the phone again.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn busy_phone() -> Outcome {
    let pbx = Asterisk::start()?;
    // Two visitors, one after the other.
    let visit = Visit::default()
        .dials(3.0)
        .leaves(13.0)
        .dials(22.0)
        .leaves(32.0);
    let mut gateway = Gateway::start(&Settings::new("402", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    gateway.wait_panel(words::RING_BURST, seconds(10.0))?;
    wait::until_true("486 in the PBX's doings", seconds(5.0), || {
        Ok(pbx.log().matches("[402@house:1] Busy").count() == 1)
    })?;
    // The panel goes on ringing the old handset: we did not take the call.
    let before = gateway.panel_count(words::RING_BURST)?;
    wait::until_true("further ring burst", seconds(8.0), || {
        Ok(gateway.panel_count(words::RING_BURST)? > before)
    })?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "a busy phone took the call".into()
    })?;
    gateway.wait_idle(seconds(20.0))?;

    wait::until_true("second call to the busy phone", seconds(25.0), || {
        Ok(pbx.log().matches("[402@house:1] Busy").count() == 2)
    })?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "a busy phone took the call".into()
    })?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
