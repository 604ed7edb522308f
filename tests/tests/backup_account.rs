//! Two PBXs, an account at each: when the first is killed the visitor is put through by the second within
//! the promised time, it is told, and the first carries the calls again when it is back.

use std::time::Instant;
use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as Pbx};
use trubka_tests::certificates::{Authority, Pair, Until};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};

/// The PBX is killed while the account is registered; the visitor rings at once. Prints the time from
/// the kill to the INVITE at the second, as the second's channel shows it.
fn failover(transport: &str, limit_ms: u128) -> Outcome {
    let authority = Authority::new()?;
    let pbx = || {
        let tls = (transport == "tls").then(|| authority.issue("pbx.test", Until::Far));
        let tls = tls.transpose()?.map(Pair::for_pbx);
        Asterisk::start_with(Pbx {
            tls,
            ..Pbx::default()
        })
    };
    let (mut first, second) = (pbx()?, pbx()?);
    let password = trubka_tests::asterisk::PASSWORD;
    let carried = match transport {
        "tls" => {
            "transport = \"tls\"\ntls_server_name = \"pbx.test\"\ntls_ca_file = \"{folder}/ca.pem\""
                .to_owned()
        }
        other => format!("transport = \"{other}\""),
    };
    let settings = Settings {
        account: format!("{carried}\nbackup_account = \"second\""),
        more: format!(
            "[[account]]\nname = \"second\"\nextension = \"100\"\ndomain = \"{}\"\n\
             password = \"{password}\"\n{carried}\nkeepalive_s = 4\n",
            second.ip()
        ),
        ..Settings::new("408", Visit::usual(3.0, 40.0))
    };
    let mut gateway = Gateway::start_with(&settings, first.ip(), |folder| {
        folder.write("ca.pem", authority.pem()).map(drop)
    })?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    second.wait_registered("100", seconds(10.0))?;
    gateway.visitor_comes()?;
    // The burst comes a moment before the box is sure of a ring and places the call.
    gateway.wait_panel(words::RING_BURST, seconds(20.0))?;
    first.kill();
    let killed = Instant::now();
    let placed = || {
        let log = second.log();
        Ok(log.contains("408@") || log.contains("Executing [408"))
    };
    wait::until_true("call at the second PBX", seconds(15.0), placed)?;
    let took_ms = killed.elapsed().as_millis();
    eprintln!("{transport}: PBX killed -> INVITE at the second: {took_ms} ms (limit {limit_ms})");
    gateway.wait_panel(words::LOCK_OPENED, seconds(20.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    ensure(took_ms <= limit_ms, || {
        format!("{took_ms} ms to the second PBX")
    })?;
    let using = |gateway: &mut Gateway, account: &str| {
        wait::until_true(&format!("calls through {account}"), seconds(40.0), || {
            let told = gateway.journal("account_switched")?;
            Ok(told.last().is_some_and(|last| last["using"] == account))
        })
    };
    using(&mut gateway, "second")?;
    first.start_again(false)?;
    using(&mut gateway, "pbx")
}

#[test]
fn over_udp_within_four_seconds() -> Outcome {
    failover("udp", 4_000)
}

#[test]
fn over_tcp_within_two_seconds() -> Outcome {
    failover("tcp", 2_000)
}

#[test]
fn over_tls_within_two_seconds() -> Outcome {
    failover("tls", 2_000)
}
