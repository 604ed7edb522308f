//! A NAT that changes ports: the offer names the ports that the STUN server told for sound and its reports, asked before the call;
//! with a PBX that answers to where the sound comes from the call works whether or not the NAT lets the named ports in.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::stun::Stun;
use trubka_tests::wait::{self, seconds};

/// SIP as it is, RTP 1 000 higher, RTCP 2 000 higher.
fn shown(port: u16) -> u16 {
    match port {
        30_000.. if port.is_multiple_of(2) => port + 1_000,
        30_000.. => port + 2_000,
        _ => port,
    }
}

#[test]
fn stun_maps_ports() -> Outcome {
    let (pbx, stun) = (Asterisk::start()?, Stun::start(shown)?);
    pbx.rx("pjsip set logger on")?;
    let settings = Settings {
        sip: format!("stun_server = \"{}\"", stun.server()),
        ..Settings::new("400", Visit::usual(3.0, 40.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    // The ports of the next calls are known before there is one.
    wait::until_true("question from each of the next ports", seconds(5.0), || {
        let asked = stun.asked();
        Ok((30_000..30_004).all(|port| asked.iter().any(|from| from.port() == port)))
    })?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    let log = pbx.log();
    ensure(log.contains("m=audio 31000 RTP/AVP"), || {
        "the offer names another port for sound".into()
    })?;
    let reports = format!("a=rtcp:32001 IN IP4 {}", gateway.ip());
    ensure(log.contains(&reports), || {
        format!("the offer does not say {reports}")
    })?;
    gateway.must_have_joined_the_voices(&pbx)
}
