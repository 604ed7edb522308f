//! The account's password is wrong: one clear state with a hint, the secret in no log, the old handset
//! untouched; and when the PBX is given that password, the gateway recovers by itself.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

const SECRET: &str = "not-the-one-7261";

#[test]
fn wrong_password() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let settings = Settings {
        password: SECRET.into(),
        ..Settings::new(
            "408",
            Visit::default()
                .dials(5.0)
                .leaves(18.0)
                .dials(80.0)
                .leaves(105.0),
        )
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::FAILED, seconds(10.0))?;
    let account = gateway.control(&["status"])?["accounts"][0].to_string();
    ensure(account.contains("401") || account.contains("403"), || {
        format!("status: {account}")
    })?;
    let hint = gateway.control(&["status"])?["accounts"][0]["hint"].to_string();
    ensure(hint.contains("password"), || {
        format!("no hint what to do: {account}")
    })?;
    ensure(pbx.contact("100")?.is_none(), || {
        "registered with a wrong password".into()
    })?;

    gateway.visitor_comes()?;
    // The first visitor: the phone cannot be reached, the old handset rings on.
    wait::until_true("third ring burst", seconds(20.0), || {
        Ok(gateway.panel_count(words::RING_BURST)? >= 3)
    })?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "it took a call for nobody".into()
    })?;
    gateway.wait_idle(seconds(25.0))?;
    gateway.must_have_stayed_shut()?;

    pbx.set_password(SECRET)?;
    // A refused password is tried again after a minute, not at once.
    pbx.wait_registered("100", seconds(80.0))?;
    gateway.wait_account(words::REGISTERED, seconds(5.0))?;
    // The second visitor is served.
    gateway.wait_panel(words::LOCK_OPENED, seconds(90.0))?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;
    ensure(!gateway.log().contains(SECRET), || {
        "the password is in the log".into()
    })
}
