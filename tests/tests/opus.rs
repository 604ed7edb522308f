//! Opus against Asterisk: both hear each other and the key opens; and with baresip as the phone, which counts its keys by another
//! clock than its sound.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, sounded_well, words};
use trubka_tests::wait::{self, seconds};

fn must_be_opus(gateway: &mut Gateway) -> Outcome {
    let status = gateway.control(&["rtp", "stats"])?;
    ensure(status["calls"][0]["codec"] == "opus", || {
        format!("another codec: {status}")
    })
}

#[test]
fn a_visit_with_asterisk() -> Outcome {
    let pbx = Asterisk::start()?;
    // Extension 107 knows nothing else.
    let settings = Settings {
        extension: "107".into(),
        account: "codecs = [\"opus\", \"pcma\"]".into(),
        ..Settings::new("400", Visit::usual(2.0, 30.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    must_be_opus(&mut gateway)?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let told = gateway.journal("call_quality")?;
    let good = |record: &serde_json::Value| {
        record["codec"] == "opus" && record["dtmf_mode"] == "rfc4733" && sounded_well(record)
    };
    ensure(told.iter().any(good), || {
        format!("the journal does not say how the call sounded: {told:?}")
    })?;
    gateway.must_have_joined_the_voices(&pbx)
}

#[test]
fn a_visit_with_baresip() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Baresip::start(&pbx.folder().join("speech.wav"))?;
    let settings = Settings {
        account: "codecs = [\"opus\", \"pcma\"]".into(),
        ..Settings::new(&phone.target(), Visit::usual(3.0, 60.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    must_be_opus(&mut gateway)?;
    let speech = pbx.speech()?;
    wait::until_true("the resident's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    phone.presses("59")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let visitor = gateway.visitor_speech()?;
    phone.heard()?.must_hold("the visitor's", &visitor)?;
    gateway.stop();
    Ok(())
}
