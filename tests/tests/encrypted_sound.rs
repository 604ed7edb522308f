//! SRTP with keys in SDP against Asterisk: both hear each other and the key opens, in every suite, in both
//! directions, and with a PBX that must, that may, and that does not encrypt.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::linphone::{Keys, Linphone};
use trubka_tests::wait::{self, seconds};

/// Keys of `suites`, in that order. Debian's Asterisk knows only those of 128 bits, linphone also those of 256.
fn settings(extension: &str, wish: &str, suites: &[&str]) -> Settings {
    Settings {
        extension: extension.into(),
        account: format!("media_encryption = \"{wish}\"\nmedia_encryption_without_tls = true"),
        media: format!("crypto_suites = {suites:?}"),
        ..Settings::new("400", Visit::usual(2.0, 30.0))
    }
}

/// A visit in which the resident of phone 400 speaks and presses 9. `suite` is what the sound must be encrypted with.
fn visit(settings: &Settings, suite: &str) -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    must_be_encrypted(&mut gateway, suite)?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let told = format!(
        "sound of {} encrypted: {}",
        settings.extension,
        u8::from(suite != "none")
    );
    ensure(pbx.log().contains(&told), || {
        format!("the PBX does not say '{told}'")
    })?;
    gateway.must_have_joined_the_voices(&pbx)
}

fn must_be_encrypted(gateway: &mut Gateway, suite: &str) -> Outcome {
    let status = gateway.control(&["status"])?;
    let found = status.pointer("/calls/0/encryption");
    ensure(found.is_some_and(|found| found == suite), || {
        format!("the call is encrypted with {found:?}, not {suite}")
    })
}

#[test]
fn a_pbx_that_must_and_a_box_that_must() -> Outcome {
    let suite = "AES_CM_128_HMAC_SHA1_80";
    visit(&settings("103", "required", &[suite]), suite)
}

#[test]
fn a_pbx_that_must_and_a_box_that_may_and_would_like_a_longer_key() -> Outcome {
    let suites = ["AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"];
    visit(&settings("103", "optional", &suites), suites[1])
}

#[test]
fn both_may_with_a_short_tag() -> Outcome {
    let suite = "AES_CM_128_HMAC_SHA1_32";
    visit(&settings("104", "optional", &[suite]), suite)
}

#[test]
fn a_pbx_that_does_not_and_a_box_that_may() -> Outcome {
    visit(
        &settings("100", "optional", &["AES_CM_128_HMAC_SHA1_80"]),
        "none",
    )
}

/// The phone takes nothing but keys of 256 bits.
fn with_linphone(suite: &str) -> Outcome {
    let pbx = Asterisk::start()?;
    let mut phone = Linphone::start_encrypting(Keys::Rfc4733, suite)?;
    let settings = Settings {
        targets: vec![phone.target()],
        visit: Visit::usual(3.0, 60.0),
        ..settings("100", "required", &["AES_CM_128_HMAC_SHA1_80", suite])
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(15.0))?;
    must_be_encrypted(&mut gateway, suite)?;
    phone.says(&pbx.folder().join("speech.wav"))?;
    let speech = pbx.speech()?;
    wait::until_true("the resident's words", seconds(15.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    phone.presses('9')?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(5.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}

#[test]
fn a_phone_with_keys_of_256_bits() -> Outcome {
    with_linphone("AES_256_CM_HMAC_SHA1_80")
}

#[test]
fn a_phone_with_keys_of_256_bits_and_a_short_tag() -> Outcome {
    with_linphone("AES_256_CM_HMAC_SHA1_32")
}

#[test]
fn a_pbx_that_does_not_and_a_box_that_must() -> Outcome {
    let pbx = Asterisk::start()?;
    let settings = settings("100", "required", &["AES_CM_128_HMAC_SHA1_80"]);
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    wait::until_true("refusal in the journal", seconds(15.0), || {
        let told = gateway.journal("encryption_refused")?;
        Ok(told.iter().any(|record| {
            record["account"] == "pbx" && record["hint"].to_string().contains("SDES")
        }))
    })?;
    ensure(gateway.panel_count(words::ANSWERED)? == 0, || {
        "the call was answered without encryption".into()
    })?;
    // Told once for the visitor, however often the phones are tried.
    gateway.wait_idle(seconds(40.0))?;
    let told = gateway.journal("encryption_refused")?;
    ensure(told.len() == 1, || format!("told not once: {told:?}"))?;
    ensure(
        gateway.log().contains("media_encryption_without_tls"),
        || "the log does not warn of keys in the clear".into(),
    )
}

/// The PBX calls in, once with `RTP/SAVP` and once with `RTP/AVP` and keys.
#[test]
fn incoming_calls() -> Outcome {
    for (extension, wish) in [("103", "required"), ("104", "optional")] {
        let pbx = Asterisk::start()?;
        let suite = "AES_CM_128_HMAC_SHA1_80";
        let visit = Visit::default().dials(2.0).speaks().leaves(25.0);
        let settings = Settings {
            targets: vec!["403".into()],
            visit,
            ..settings(extension, wish, &[suite])
        };
        let mut gateway = Gateway::start(&settings, pbx.ip())?;
        gateway.wait_account(words::REGISTERED, seconds(10.0))?;
        gateway.visitor_comes()?;
        gateway.wait_panel(words::RING_BURST, seconds(15.0))?;
        wait::until_true("ringing phone", seconds(5.0), || Ok(pbx.channels()? == 1))?;
        pbx.call(extension)?;
        gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
        let speech = pbx.speech()?;
        wait::until_true("end of the words", seconds(12.0), || {
            Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
        })?;
        let status = gateway.control(&["status"])?;
        let calls = status["calls"].as_array().cloned().unwrap_or_default();
        ensure(
            calls
                .iter()
                .any(|call| call["state"] == "talking" && call["encryption"] == suite),
            || format!("the caller is not heard encrypted: {calls:?}"),
        )?;
    }
    Ok(())
}
