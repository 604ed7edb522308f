//! The main job: a visitor dials, the phone on the PBX rings and is answered, both hear each other, the
//! resident presses 9 as an RFC 4733 event, the door opens once, and everything is at rest again.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

#[test]
fn answered_and_rfc4733_digit_opens() -> Outcome {
    // Phone 400 speaks for 6.4 s, listens for 3 s, presses 9.
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&Settings::new("400", Visit::usual(3.0, 45.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    pbx.wait_registered("100", seconds(5.0))?;

    gateway.wait_panel(words::RING_BURST, seconds(10.0))?;
    gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    gateway.must_have_stayed_shut()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;

    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_opened(1)?;
    let records = gateway.journal(words::DOOR_OPENED)?;
    let party = records.first().map(|record| record["party"].to_string());
    ensure(
        party.as_deref().is_some_and(|party| party.contains("400")),
        || format!("the opening is not put down to phone 400: {records:?}"),
    )?;
    gateway.must_be_clean_for_the_panel()?;

    gateway.must_have_joined_the_voices(&pbx)
}

#[test]
fn the_same_with_a_sha256_digest() -> Outcome {
    let pbx = Asterisk::start()?;
    pbx.must_be_modern("digest with SHA-256")?;
    let settings = Settings {
        extension: "101".into(),
        ..Settings::new("408", Visit::usual(3.0, 30.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    pbx.wait_registered("101", seconds(5.0))?;
    // Phone 408 presses 5 first, which opens nothing and spoils nothing.
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}
