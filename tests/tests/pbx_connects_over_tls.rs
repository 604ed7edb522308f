//! A call that comes over a TLS connection which the PBX opens to the box's own listener: with the box's certificate, beside the
//! connection that the box holds itself.

use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::certificates::{Authority, Until};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

/// Connections that somebody opened to the box's port 5061, by the kernel's table.
fn accepted(gateway: &Gateway) -> Result<usize, Failure> {
    let local = u32::from_le_bytes(gateway.ip().octets());
    let wanted = format!("{local:08X}:{:04X}", 5061);
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let established = |line: &&str| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(wanted.as_str()) && words.nth(1) == Some("01")
    };
    Ok(table.lines().filter(established).count())
}

/// It is known by its address alone.
#[test]
fn pbx_connects_over_tls() -> Outcome {
    connects("")
}

/// It must show a certificate of the right authority.
#[test]
fn with_a_certificate() -> Outcome {
    connects("tls_listen_ca_file = \"{folder}/ca.pem\"")
}

fn connects(wanted: &str) -> Outcome {
    let authority = Authority::new()?;
    let own = authority.issue("box.test", Until::Far)?;
    let pbx = Asterisk::start_with(Pbx {
        tls: Some(authority.issue("pbx.test", Until::Far)?.for_pbx()),
        ..Pbx::default()
    })?;
    let settings = Settings {
        account:
            "transport = \"tls\"\ntls_server_name = \"pbx.test\"\ntls_ca_file = \"{folder}/ca.pem\""
                .into(),
        sip: format!(
            "{wanted}\n{}",
            "tls_listen = \"LOCAL:5061\"\ntls_certificate_file = \"{folder}/box.pem\"\ntls_key_file = \"{folder}/box.key\""
        ),
        ..Settings::new("403", Visit::default().dials(4.0).speaks().leaves(40.0))
    };
    let mut gateway = Gateway::start_with(&settings, pbx.ip(), |folder| {
        folder.write("ca.pem", authority.pem())?;
        folder.write("box.pem", &own.certificate)?;
        folder.write("box.key", &own.key).map(drop)
    })?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    ensure(accepted(&gateway)? == 0, || {
        "somebody was connected before".into()
    })?;
    gateway.wait_panel(words::RING_BURST, seconds(15.0))?;
    wait::until_true("ringing phone", seconds(5.0), || Ok(pbx.channels()? == 1))?;
    // Not the contact that was registered: an address of which no connection is there yet.
    pbx.call(&format!("460/sip:42@{}:5061;transport=tls", gateway.ip()))?;
    gateway.wait_panel(words::ANSWERED, seconds(10.0))?;
    ensure(accepted(&gateway)? == 1, || {
        format!("{:?} connections came in", accepted(&gateway))
    })?;
    let speech = pbx.speech()?;
    wait::until_true("the caller's words", seconds(12.0), || {
        Ok(gateway.visitor_heard()?.likeness(&speech).correlation > 0.6)
    })?;
    pbx.hang_up_all()?;
    gateway.wait_idle(seconds(30.0))?;
    gateway.must_have_stayed_shut()
}
