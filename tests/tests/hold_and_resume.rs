//! The resident puts the call on hold and takes it back: during the hold nothing of the street is sent,
//! the panel's call stays up, afterwards both hear each other again, and the key still opens.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::sipp::{Sipp, media_socket};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{rtp, wav};

#[test]
fn hold_and_resume() -> Outcome {
    // The scripted phone does not answer the PBX's questions whether it lives.
    let pbx = Asterisk::start_with(Pbx {
        qualify_s: 0,
        ..Pbx::default()
    })?;
    let socket = media_socket(pbx.phone_ip())?;
    let media = socket.local_addr()?.port().to_string();
    let phone = rtp::Phone::start(socket, Some(pbx.speech()?))?;
    // Talks 8 s, holds 2.5 s, talks 8 s, presses 9.
    let keys = [("media", media.as_str()), ("pause_ms", "8000")];
    let mut scenario = Sipp::start("hold_phone", pbx.phone_ip(), pbx.ip(), "450", "", &keys)?;

    let mut gateway = Gateway::start(&Settings::new("450", Visit::usual(3.0, 60.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;

    scenario.wait_for("Subject: hold", seconds(15.0))?;
    let held = phone.elapsed();
    scenario.wait_for("Subject: resume", seconds(10.0))?;
    let resumed = phone.elapsed();
    gateway.must_have_stayed_shut()?;
    let dropped = gateway.panel_count(words::CALL_DROPPED)?;
    ensure(dropped == 0, || {
        format!("the panel dropped the call {dropped} times")
    })?;

    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    scenario.must_succeed(seconds(10.0))?;
    pbx.wait_idle(seconds(5.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()?;

    let heard = phone.stop()?;
    let before = heard.recording_between(wait::seconds(0.0), held);
    before.must_hold("the visitor's", &gateway.visitor_speech()?)?;
    // The hold lasts 2.5 s, of which the re-INVITEs of its two ends take a little. Nothing else makes such a gap.
    let (gap, began) = heard.longest_gap();
    ensure(gap > seconds(1.5) && began < resumed, || {
        format!("longest gap {gap:?} from {began:?} on; hold {held:?} to {resumed:?}")
    })?;
    let after = heard.count_between(resumed + seconds(0.5), resumed + seconds(7.5));
    ensure(after > 200, || {
        format!("only {after} packets in 7 s after the resume")
    })?;

    gateway.stop();
    let visitor = gateway.visitor_heard()?;
    // Before the hold from the start of the words; after it they go on somewhere in the middle.
    let words = pbx.speech()?;
    visitor.must_hold("the resident's", &words)?;
    let half = visitor.samples.len() / 2;
    let late = wav::Recording {
        rate_hz: visitor.rate_hz,
        samples: visitor.samples.get(half..).unwrap_or_default().to_vec(),
    };
    ensure(late.level_db() > -50.0, || {
        format!(
            "the visitor heard nothing after the resume: {:.1} dBFS",
            late.level_db()
        )
    })
}
