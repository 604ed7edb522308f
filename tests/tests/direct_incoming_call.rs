//! Without any registration: a phone at a known address calls the box and opens, the same phone from an address that is not named
//! gets no answer, and the account says that it registers nowhere.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

fn settings(sources: &str) -> Settings {
    Settings {
        // A phone that cannot be reached keeps the visitor waiting.
        targets: vec!["sip:403@127.0.0.1:9".into(), "403".into()],
        sip: format!("direct_sources = [{sources}]"),
        account: "register = false".into(),
        may_open: vec!["called".into(), "400@127.0.0.1".into()],
        ..Settings::new("403", Visit::default().dials(4.0).speaks().leaves(40.0))
    }
}

#[test]
fn a_phone_that_is_named_calls_in_and_opens() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&pbx.folder().join("speech.wav"))?;
    let mut gateway = Gateway::start(&settings("\"127.0.0.1\""), pbx.ip())?;
    gateway.wait_account("direct", seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::RING_BURST, seconds(15.0))?;
    std::thread::sleep(seconds(1.0));
    phone.command("dial", &format!("sip:42@{}", gateway.ip()))?;
    gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    let speech = pbx.speech()?;
    wait::until_true("the caller's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    phone.presses("9")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    ensure(pbx.contact("100")?.is_none(), || "it registered".into())
}

#[test]
fn a_phone_that_is_not_named_gets_no_answer() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&pbx.folder().join("speech.wav"))?;
    let mut gateway = Gateway::start(&settings("\"127.0.0.77\""), pbx.ip())?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::RING_BURST, seconds(15.0))?;
    phone.command("dial", &format!("sip:42@{}", gateway.ip()))?;
    std::thread::sleep(seconds(5.0));
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "a stranger was joined to the visitor".into()
    })?;
    gateway.must_have_stayed_shut()
}
