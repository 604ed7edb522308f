//! A phone passes the visitor on with a REFER to its PBX, which bridges the two itself: the box's call stays as it is. Both
//! hear each other afterwards, the new phone opens, and the one that passed him on is out of the call.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::baresip::Baresip;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::process;
use trubka_tests::wait::{self, seconds};

/// What the first phone says: a tone, so that its sound is not taken for the second one's words.
const TONE_HZ: f32 = 620.0;

fn transfer(extension: &str) -> Outcome {
    let pbx = Asterisk::start_with(Pbx {
        // The dialplan is silent meanwhile, and the box gives a silent call up after five seconds.
        listen_s: 4,
        ..Pbx::default()
    })?;
    let tone = pbx.folder().join("tone.wav");
    let synth = format!("synth 2 sine {TONE_HZ} tremolo 4 60 gain -9");
    process::run(
        std::process::Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16"])
            .arg(&tone)
            .args(synth.split(' ')),
    )?;
    let mut phone = Baresip::start(&tone)?;
    let target = phone.target();
    let address = target.rsplit('@').next().unwrap_or_default();
    pbx.rx(&format!("dialplan set global PHONE {address}"))?;
    let visit = Visit::default()
        .dials(3.0)
        .speaks()
        .speaks_again(6.5)
        .leaves(60.0);
    let mut settings = Settings::new("460", visit);
    settings.extension = extension.to_owned();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    wait::until_true("the first phone's tone", seconds(8.0), || {
        let heard = gateway.visitor_heard()?;
        let end = heard.seconds();
        Ok(end > 1.0 && heard.tone_db(TONE_HZ, end - 1.0, end) > -45.0)
    })?;
    phone.command("transfer", &format!("sip:400@{}", pbx.ip()))?;
    let speech = pbx.speech()?;
    wait::until_true("the second phone's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    ensure(gateway.panel_count(words::LOCK_OPENED)? == 0, || {
        "opened before anybody pressed a key".into()
    })?;
    // The first phone is in no call any more: its key has nowhere to go.
    wait::until_true("the end of the first phone's call", seconds(8.0), || {
        Ok(phone.command("listcalls", "")?.contains("Active calls (0)"))
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    pbx.wait_idle(seconds(8.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;
    // The box was asked for nothing: it is the PBX that bridged.
    let told = gateway.journal("call_transfer")?;
    ensure(told.is_empty(), || format!("transfers of ours: {told:?}"))?;
    gateway.must_have_joined_the_voices(&pbx)
}

#[test]
fn with_sound_through_the_pbx() -> Outcome {
    transfer("100")
}

#[test]
fn with_sound_that_went_past_the_pbx() -> Outcome {
    transfer("106")
}
