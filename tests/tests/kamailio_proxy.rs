//! Kamailio as registrar and proxy: SHA-256 only, 407 to the INVITE, Record-Route through the call, empty
//! lines as keep-alive over TCP, and two of them behind SRV records of which the first dies.

use std::net::SocketAddr;
use std::time::Instant;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::dns::{Dns, Record};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::kamailio::Kamailio;
use trubka_tests::speech::{self, Voice};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome, folder::Folder};

struct House {
    phone: Baresip,
    at: SocketAddr,
    _folder: Folder,
}

fn house() -> Result<House, Failure> {
    let folder = Folder::new("house")?;
    let words = folder.join("words.wav");
    speech::make(Voice::Resident, &words)?;
    let phone = Baresip::start(&words)?;
    let at = phone.target();
    let at = at.split_once('@').and_then(|(_, at)| at.parse().ok());
    Ok(House {
        phone,
        at: at.ok_or_else(|| Failure::new("the phone has no address"))?,
        _folder: folder,
    })
}

fn proxy(house: &House) -> Result<Kamailio, Failure> {
    let settings = Settings::new("400", Visit::default());
    Kamailio::start(&settings.extension, &settings.password, house.at)
}

/// The visitor is answered, the resident opens, and hangs up after a while.
fn answered_and_opened(gateway: &mut Gateway, house: &mut House) -> Outcome {
    gateway.wait_panel(words::ANSWERED, seconds(20.0))?;
    std::thread::sleep(seconds(0.5));
    house.phone.presses("9")?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(10.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)
}

#[test]
fn a_visit_through_a_proxy_over_udp() -> Outcome {
    let mut house = house()?;
    let proxy = proxy(&house)?;
    let mut gateway = Gateway::start(&Settings::new("400", Visit::usual(3.0, 40.0)), proxy.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    answered_and_opened(&mut gateway, &mut house)?;
    // What is sent again, because an answer came late, is counted again.
    ensure(proxy.count("CHALLENGED INVITE") >= 1, || "no 407".into())?;
    wait::until_true("ACK and BYE through the proxy", seconds(5.0), || {
        Ok(proxy.count("ROUTED ACK") >= 1 && proxy.count("ROUTED BYE") >= 1)
    })
}

#[test]
fn a_visit_through_an_outbound_proxy_over_tcp_with_empty_lines() -> Outcome {
    let mut house = house()?;
    let proxy = proxy(&house)?;
    let account = format!(
        "transport = \"tcp\"\noutbound_proxy = \"{}\"\nkeepalive = \"crlf\"",
        proxy.ip()
    );
    let settings = Settings {
        account,
        ..Settings::new("400", Visit::usual(1.0, 40.0))
    };
    let mut gateway = Gateway::start(&settings, proxy.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    // Three periods of keep-alives, none of them OPTIONS.
    std::thread::sleep(seconds(10.0));
    gateway.wait_account(words::REGISTERED, seconds(1.0))?;
    ensure(proxy.count("SEEN OPTIONS") == 0, || {
        "OPTIONS went out".into()
    })?;
    gateway.visitor_comes()?;
    answered_and_opened(&mut gateway, &mut house)?;
    ensure(proxy.count("over tcp") >= 4, || "not over TCP".into())
}

#[test]
fn the_first_of_two_behind_srv_dies() -> Outcome {
    let mut house = house()?;
    let (mut first, second) = (proxy(&house)?, proxy(&house)?);
    let dns = Dns::start()?;
    dns.add(
        "house.test",
        Record::Naptr(10, 10, "SIP+D2U", "_sip._udp.house.test"),
    );
    dns.add(
        "_sip._udp.house.test",
        Record::Srv(20, 10, 5060, "two.house.test"),
    );
    dns.add(
        "_sip._udp.house.test",
        Record::Srv(10, 10, 5060, "one.house.test"),
    );
    dns.add_host("one.house.test", first.ip());
    dns.add_host("two.house.test", second.ip());
    let settings = Settings {
        sip: format!("dns_servers = [\"{}\"]", dns.server()),
        account: "registrar = \"house.test\"".into(),
        ..Settings::new("400", Visit::usual(3.0, 45.0))
    };
    let mut gateway = Gateway::start(&settings, first.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    ensure(
        first.count("REGISTERED") >= 1 && second.count("REGISTERED") == 0,
        || "the box registered elsewhere than at the first".into(),
    )?;
    gateway.wait_panel(words::RING_BURST, seconds(20.0))?;
    first.kill();
    let killed = Instant::now();
    // Whether the call or the keep-alive notices first: the visitor is put through.
    wait::until_true("INVITE at the second", seconds(15.0), || {
        Ok(second.count("SEEN INVITE") > 0)
    })?;
    eprintln!(
        "UDP, SRV: first killed -> INVITE at the second: {} ms",
        killed.elapsed().as_millis()
    );
    answered_and_opened(&mut gateway, &mut house)?;
    let switched = gateway.journal("registrar_switched")?;
    ensure(!switched.is_empty(), || "the switch was not told".into())
}

#[test]
fn a_name_that_does_not_resolve_is_told_once_and_found_later() -> Outcome {
    let house = house()?;
    let proxy = proxy(&house)?;
    let dns = Dns::start()?;
    let settings = Settings {
        sip: format!("dns_servers = [\"{}\"]", dns.server()),
        account: "registrar = \"late.test\"".into(),
        ..Settings::new("400", Visit::default())
    };
    let mut gateway = Gateway::start(&settings, proxy.ip())?;
    wait::until_true("name_service", seconds(10.0), || {
        Ok(!gateway.journal("name_service")?.is_empty())
    })?;
    std::thread::sleep(seconds(11.0));
    let told = gateway.journal("name_service")?;
    let fits = |event: &serde_json::Value| {
        event["name"] == "late.test" && event["hint"].to_string().contains("sip.dns_servers")
    };
    ensure(told.len() == 1 && told.iter().all(fits), || {
        format!("told: {told:?}")
    })?;
    dns.add_host("late.test", proxy.ip());
    gateway.wait_account(words::REGISTERED, seconds(25.0))?;
    let told = gateway.journal("name_service")?;
    ensure(told.len() == 2, || format!("told: {told:?}"))
}

/// An edge that wants its own login in front of a PBX that wants the account's: each gets what is its, and neither what is the
/// other's.
#[test]
fn an_edge_with_a_login_of_its_own() -> Outcome {
    let pbx = Asterisk::start()?;
    pbx.rx("pjsip set logger on")?;
    let edge = Kamailio::edge("gate-7", "edge secret", (pbx.ip(), 5060).into())?;
    let settings = Settings {
        account: format!(
            "outbound_proxy = \"{}\"\nproxy_user = \"gate-7\"\nproxy_password = \"edge secret\"",
            edge.ip()
        ),
        ..Settings::new("408", Visit::usual(3.0, 40.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_opened(1)?;
    for method in ["REGISTER", "INVITE"] {
        let (challenged, passed) = (
            edge.count(&format!("CHALLENGED {method}")),
            edge.count(&format!("PASSED {method}")),
        );
        ensure(challenged >= 1 && passed >= 1, || {
            format!("{method}: challenged {challenged}, passed {passed}")
        })?;
    }
    wait::until_true("BYE through the edge", seconds(5.0), || {
        Ok(edge.count("ROUTED BYE") >= 1)
    })?;
    // The edge never sees the PBX's login under its own realm, nor the PBX the edge's.
    ensure(!pbx.log().contains("gate-7"), || {
        "the PBX was shown the edge's login".into()
    })?;
    ensure(
        edge.count("username=\"100\", realm=\"edge.test\"") == 0,
        || "the edge was shown the account's login".into(),
    )
}
