//! An attended transfer behind a proxy: the phone that talks with the visitor consults another one and hands him over, and that one
//! calls the box with Replaces (RFC 3891). The visitor goes on with the new phone, which opens; the old one hears and opens nothing more.

use std::process::Command;
use trubka_tests::Outcome;
use trubka_tests::failure::ensure;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::kamailio::Kamailio;
use trubka_tests::linphone::{Keys, Linphone};
use trubka_tests::process;
use trubka_tests::speech::{self, Voice};
use trubka_tests::wait::{self, seconds};
use trubka_tests::wav::Recording;

/// What the first phone says: a tone, so that its sound is not taken for the second one's words.
const TONE_HZ: f32 = 620.0;

#[test]
fn replaced_call() -> Outcome {
    let folder = Folder::new("house")?;
    let (tone, words_of_second) = (folder.join("tone.wav"), folder.join("words.wav"));
    let synth = format!("synth 2 sine {TONE_HZ} tremolo 4 60 gain -9");
    process::run(
        Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
            .arg(&tone)
            .args(synth.split(' ')),
    )?;
    speech::make(Voice::Resident, &words_of_second)?;
    let speech = Recording::read(&words_of_second)?;
    let mut first = Linphone::start(Keys::Rfc4733)?;
    let mut second = Linphone::start_as("401", Keys::Rfc4733)?;
    let mut settings = Settings::new("400", Visit::usual(3.0, 60.0));
    settings.may_open = vec!["called".into(), "401@127.0.0.1".into()];
    let proxy = Kamailio::start(&settings.extension, &settings.password, first.at())?;
    let mut gateway = Gateway::start(&settings, proxy.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    first.says(&tone)?;
    wait::until_true("the first phone's tone", seconds(8.0), || {
        let heard = gateway.visitor_heard()?;
        let end = heard.seconds();
        Ok(end > 1.0 && heard.tone_db(TONE_HZ, end - 1.0, end) > -45.0)
    })?;

    // Holds the visitor, asks the other phone, and hands him over.
    first.command(&format!("call {}", second.target()))?;
    wait::until_true("the consultation", seconds(5.0), || {
        let told = first.command("call-status 2");
        Ok(told.is_ok_and(|told| told.contains("StreamsRunning")))
    })?;
    first.command("call-transfer 2 1")?;
    wait::until_true("the second phone with the visitor", seconds(8.0), || {
        let answered = gateway.journal("call_answered")?;
        let by_second = |one: &serde_json::Value| {
            one["party"] == "401@127.0.0.1" && one["direction"] == "incoming"
        };
        Ok(answered.iter().any(by_second))
    })?;
    ensure(proxy.count("PHONE INVITE replaces: ") == 1, || {
        "the new call did not come through the proxy".into()
    })?;
    // It has two calls until the first phone has gone.
    wait::until_true("the second phone in its new call", seconds(5.0), || {
        Ok(second.says(&words_of_second).is_ok())
    })?;
    wait::until_true("the second phone's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    let heard = gateway.visitor_heard()?;
    let end = heard.seconds();
    ensure(heard.tone_db(TONE_HZ, end - 2.0, end) < -45.0, || {
        "the first phone is still heard".into()
    })?;
    // The first phone has no call with the box any more, and none to press a key in.
    wait::until_true("the end of the first phone's call", seconds(5.0), || {
        Ok(first.command("call-status 1").is_err())
    })?;
    // It may take the key for one to dial; nobody hears it.
    let _ = first.command("dtmf 9");
    std::thread::sleep(seconds(0.5));
    gateway.must_have_stayed_shut()?;
    second.presses('9')?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let opened = gateway.journal(words::DOOR_OPENED)?;
    ensure(
        opened.iter().all(|one| one["party"] == "401@127.0.0.1"),
        || format!("opened by another: {opened:?}"),
    )?;
    gateway.must_be_clean_for_the_panel()
}
