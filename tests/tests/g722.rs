//! G.722 against Asterisk: both hear each other and the key opens, called and calling.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, sounded_well, words};
use trubka_tests::wait::seconds;

#[test]
fn a_visit_over_g722() -> Outcome {
    let pbx = Asterisk::start()?;
    // Extension 105 knows nothing else.
    let settings = Settings {
        extension: "105".into(),
        account: "codecs = [\"g722\", \"pcma\"]".into(),
        ..Settings::new("400", Visit::usual(2.0, 30.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    let status = gateway.control(&["rtp", "stats"])?;
    ensure(status["calls"][0]["codec"] == "G722", || {
        format!("another codec: {status}")
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let told = gateway.journal("call_quality")?;
    ensure(
        told.iter().any(|record| {
            record["codec"] == "G722" && record["dtmf_mode"] == "rfc4733" && sounded_well(record)
        }),
        || format!("the journal does not say how the call sounded: {told:?}"),
    )?;
    gateway.must_have_joined_the_voices(&pbx)
}
