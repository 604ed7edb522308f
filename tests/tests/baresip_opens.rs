//! baresip as the phone: answers, both hear each other, its key (RFC 4733) opens once, and it may hang up.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

#[test]
fn baresip_opens() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&pbx.folder().join("speech.wav"))?;
    let settings = Settings::new(&phone.target(), Visit::usual(3.0, 60.0));
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    // Both say their words.
    let speech = pbx.speech()?;
    wait::until_true("the resident's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    phone.presses("59")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;
    let visitor = gateway.visitor_speech()?;
    phone.heard()?.must_hold("the visitor's", &visitor)?;
    gateway.stop();
    Ok(())
}
