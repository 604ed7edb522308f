//! The resident's key comes as SIP INFO (application/dtmf-relay) and opens the door once.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

fn opens_once(extension: &str, phone: &str) -> Outcome {
    let pbx = Asterisk::start_with(Pbx {
        listen_s: 1,
        ..Pbx::default()
    })?;
    let visit = Visit::usual(3.0, 45.0);
    let settings = Settings {
        extension: extension.into(),
        ..Settings::new(phone, visit)
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;

    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;
    gateway.stop();
    gateway
        .visitor_heard()?
        .must_hold("the resident's", &pbx.speech()?)
        .map(drop)
}

#[test]
fn a_phone_that_sends_info_opens() -> Outcome {
    opens_once("100", "401")
}

#[test]
fn an_account_set_to_info_opens() -> Outcome {
    opens_once("102", "400")
}
