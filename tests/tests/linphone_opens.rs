//! linphone as the phone: answers, speaks, and its key opens once, told by RFC 4733 or by SIP INFO.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::linphone::{Keys, Linphone};
use trubka_tests::wait::{self, seconds};

fn opens(keys: Keys) -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Linphone::start(keys)?;
    let settings = Settings::new(&phone.target(), Visit::usual(3.0, 60.0));
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    phone.says(&pbx.folder().join("speech.wav"))?;
    let speech = pbx.speech()?;
    wait::until_true("the resident's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    gateway.must_have_stayed_shut()?;
    phone.presses('9')?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}

#[test]
fn by_rfc_4733() -> Outcome {
    opens(Keys::Rfc4733)
}

#[test]
fn by_info() -> Outcome {
    opens(Keys::Info)
}
