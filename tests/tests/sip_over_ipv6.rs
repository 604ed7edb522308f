//! A PBX that is reached over IPv6 while the box lives on IPv4, over UDP and over TLS: SIP, sound both ways and the key.

use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as PbxSettings};
use trubka_tests::certificates::{Authority, Until};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;

/// One after the other: IPv6 has but one loopback address, and both want its ports.
#[test]
fn visits_over_ipv6() -> Outcome {
    over_udp()?;
    over_tls()
}

fn over_udp() -> Outcome {
    let pbx = Asterisk::start_with(PbxSettings {
        ipv6: true,
        ..PbxSettings::default()
    })?;
    let settings = Settings {
        extension: "160".into(),
        sip: "listen_ipv6 = \"[::1]:5070\"".into(),
        account: "registrar = \"[::1]:5060\"".into(),
        ..Settings::new("400", Visit::usual(3.0, 45.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let contact = pbx.wait_registered("160", seconds(5.0))?;
    ensure(contact.contains("[::1]:5070"), || {
        format!("the PBX knows the box as {contact}")
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    gateway.must_have_joined_the_voices(&pbx)
}

fn over_tls() -> Outcome {
    let authority = Authority::new()?;
    let pbx = Asterisk::start_with(PbxSettings {
        ipv6: true,
        tls: Some(authority.issue("pbx.test", Until::Far)?.for_pbx()),
        ..PbxSettings::default()
    })?;
    let settings = Settings {
        extension: "160".into(),
        sip: "listen_ipv6 = \"[::1]:5070\"".into(),
        account: "registrar = \"[::1]:5061\"\ntransport = \"tls\"\ntls_server_name = \"pbx.test\"\ntls_ca_file = \"{folder}/ca.pem\"".into(),
        ..Settings::new("408", Visit::usual(3.0, 45.0))
    };
    let mut gateway = Gateway::start_with(&settings, pbx.ip(), |folder| {
        folder.write("ca.pem", authority.pem()).map(drop)
    })?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let contact = pbx.wait_registered("160", seconds(5.0))?;
    ensure(
        contact.contains("[::1]") && contact.to_lowercase().contains("transport=tls"),
        || format!("the PBX knows the box as {contact}"),
    )?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}
