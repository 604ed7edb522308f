//! SIP over TLS with encrypted sound, and every way in which certificates are wrong: each is told once,
//! with what to do about it.

use trubka_tests::asterisk::{Asterisk, Settings as PbxSettings, TlsFiles};
use trubka_tests::certificates::{Authority, Pair, Until, self_signed};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

/// The name in the certificates of the PBX.
const NAME: &str = "pbx.test";

fn pbx_with(tls: TlsFiles) -> Result<Asterisk, Failure> {
    Asterisk::start_with(PbxSettings {
        tls: Some(tls),
        ..PbxSettings::default()
    })
}

fn settings(account: &str, visit: Visit) -> Settings {
    Settings {
        account: format!("transport = \"tls\"\ntls_server_name = \"{NAME}\"\n{account}"),
        ..Settings::new("408", visit)
    }
}

const CA: &str = "tls_ca_file = \"{folder}/ca.pem\"";
const CLIENT: &str =
    "tls_certificate_file = \"{folder}/box.pem\"\ntls_key_file = \"{folder}/box.key\"";

fn start(settings: &Settings, pbx: &Asterisk, ca: &str, own: &Pair) -> Result<Gateway, Failure> {
    Gateway::start_with(settings, pbx.ip(), |folder| {
        folder.write("ca.pem", ca)?;
        folder.write("box.pem", &own.certificate)?;
        folder.write("box.key", &own.key).map(drop)
    })
}

#[test]
fn a_visit_over_tls_with_a_client_certificate_and_encrypted_sound() -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box", Until::Days(20))?;
    let pbx = pbx_with(TlsFiles {
        client_ca: Some(authority.pem().to_owned()),
        ..authority.issue(NAME, Until::Far)?.for_pbx()
    })?;
    let account = format!("{CA}\n{CLIENT}\nmedia_encryption = \"required\"");
    let settings = Settings {
        extension: "103".into(),
        ..settings(&account, Visit::usual(3.0, 30.0))
    };
    let mut gateway = start(&settings, &pbx, authority.pem(), &own)?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    let contact = pbx.wait_registered("103", seconds(5.0))?;
    ensure(contact.to_lowercase().contains("transport=tls"), || {
        format!("the PBX knows the box as {contact}")
    })?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    // Our own certificate ends in less than a month.
    let told = gateway.journal("certificate_expires")?;
    ensure(
        told.len() == 1 && told.iter().all(|t| t["whose"] == "own"),
        || format!("told of ends of certificates: {told:?}"),
    )?;
    // Nothing of the key is in what the daemon says.
    let secret = own.key.lines().nth(1).unwrap_or("-").to_owned();
    ensure(!gateway.log().contains(&secret), || {
        "the key is in the log".into()
    })
}

/// Starts a box whose TLS cannot come about; it says why, once, with the hint.
fn must_fail(pbx: Pair, ca: &str, account: &str, own: &Pair, kind: &str, hint: &str) -> Outcome {
    let pbx = pbx_with(pbx.for_pbx())?;
    let mut gateway = start(&settings(account, Visit::default()), &pbx, ca, own)?;
    wait::until_true(&format!("tls_failed {kind}"), seconds(15.0), || {
        Ok(!gateway.journal("tls_failed")?.is_empty())
    })?;
    gateway.wait_account(words::FAILED, seconds(10.0))?;
    // Another try says nothing new.
    wait::until_true("a second try", seconds(20.0), || {
        Ok(gateway.journal("registration")?.len() >= 2
            || gateway.log().matches("next try").count() >= 2)
    })?;
    let told = gateway.journal("tls_failed")?;
    ensure(told.len() == 1, || format!("told not once: {told:?}"))?;
    let fits = |event: &serde_json::Value| {
        event["kind"] == kind && event["hint"].as_str().is_some_and(|h| h.contains(hint))
    };
    ensure(told.iter().all(fits), || {
        format!("not {kind} with '{hint}': {told:?}")
    })
}

/// Nothing is configured: the system's authorities do not know the PBX.
#[test]
fn a_self_signed_pbx_and_the_systems_authorities() -> Outcome {
    let own = Authority::new()?.issue("box", Until::Far)?;
    must_fail(self_signed(NAME)?, "", "", &own, "untrusted", "tls_ca_file")
}

#[test]
fn a_self_signed_pbx_without_ca() -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box", Until::Far)?;
    must_fail(
        self_signed(NAME)?,
        authority.pem(),
        CA,
        &own,
        "untrusted",
        "tls_ca_file",
    )
}

#[test]
fn a_pbx_with_another_name() -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box", Until::Far)?;
    let pbx = authority.issue("other.test", Until::Far)?;
    must_fail(
        pbx,
        authority.pem(),
        CA,
        &own,
        "wrong_name",
        "tls_server_name",
    )
}

#[test]
fn a_pbx_whose_certificate_has_ended() -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box", Until::Far)?;
    let pbx = authority.issue(NAME, Until::Past)?;
    must_fail(pbx, authority.pem(), CA, &own, "expired", "clock")
}

#[test]
fn a_key_that_does_not_belong_to_its_certificate() -> Outcome {
    let authority = Authority::new()?;
    let own = Pair {
        key: authority.issue("box", Until::Far)?.key,
        ..authority.issue("box", Until::Far)?
    };
    let account = format!("{CA}\n{CLIENT}");
    let pbx = authority.issue(NAME, Until::Far)?;
    must_fail(
        pbx,
        authority.pem(),
        &account,
        &own,
        "key_mismatch",
        "tls_key_file",
    )
}

#[test]
fn a_self_signed_pbx_that_is_named_itself_is_taken() -> Outcome {
    let pair = self_signed("whatever.test")?;
    let ca = pair.certificate.clone();
    let pbx = pbx_with(pair.clone().for_pbx())?;
    let mut gateway = start(&settings(CA, Visit::default()), &pbx, &ca, &pair)?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))
}

/// Without `tls_ca_file` the system's authorities vouch, wherever the system says that they are.
#[test]
fn the_systems_authorities_vouch() -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box", Until::Far)?;
    let pbx = pbx_with(authority.issue(NAME, Until::Far)?.for_pbx())?;
    let settings = Settings {
        environment: vec![("SSL_CERT_FILE".into(), "{folder}/ca.pem".into())],
        ..settings("", Visit::default())
    };
    let mut gateway = start(&settings, &pbx, authority.pem(), &own)?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    ensure(gateway.journal("tls_failed")?.is_empty(), || {
        "a fault was told".into()
    })
}
