//! A two-wire line with address pulses: one box owns several addresses. The called one's apartment is
//! rung at the PBX and its door opens; an address that is not ours is left alone; the lifted old handset
//! wins.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{seconds, until_true};

fn settings(visit: Visit) -> Settings {
    let mut settings = Settings::new("400", visit);
    settings.line =
        "profile = \"laskomex-class\"\ntopology = \"pulse\"\naddresses = [\"6=42\", \"63\"]"
            .to_owned();
    settings.simulator = ["--topology", "pulse", "--handset-at", "6,63"]
        .map(str::to_owned)
        .to_vec();
    settings.more = "[[route]]\napartment = 63\ntargets = [\"402\"]\n".to_owned();
    settings
}

#[test]
fn the_counted_address_is_called_and_its_door_opens() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials_number(1.5, 8)
        .leaves(4.0)
        .dials_number(6.0, 6)
        .speaks()
        .leaves(45.0);
    let mut gateway = Gateway::start(&settings(visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    until_true("apartment 42 in the status", seconds(20.0), || {
        let line = gateway.control(&["status"])?["lines"][0].clone();
        Ok(line["apartment"] == 42 && line["code"] == "address 6")
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    gateway.wait_idle(seconds(25.0))?;
    gateway.must_have_opened(1)?;
    let unknown = gateway.journal("unknown_apartment")?;
    ensure(
        unknown.len() == 1
            && unknown[0]["code"] == "address 8"
            && unknown[0]["apartment"].is_null(),
        || format!("{unknown:?}"),
    )?;
    let placed = gateway.journal("call_placed")?;
    ensure(
        placed.len() == 1 && placed[0]["apartment"] == 42 && placed[0]["target"] == "400",
        || format!("{placed:?}"),
    )?;
    ensure(gateway.journal("line_fault")?.is_empty(), || {
        "a fault on a healthy line".to_owned()
    })?;
    gateway.must_have_joined_the_voices(&pbx)
}

#[test]
fn the_lifted_handset_of_a_pulse_line_wins() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials_number(1.5, 6)
        .lifts_handset(3.2)
        .replaces_handset(6.0)
        .leaves(45.0);
    let mut gateway = Gateway::start(&settings(visit), pbx.ip())?;
    gateway.visitor_comes()?;
    until_true("the lifted handset in the journal", seconds(15.0), || {
        Ok(!gateway.journal("handset_lifted")?.is_empty())
    })?;
    gateway.wait_idle(seconds(20.0))?;
    gateway.must_have_stayed_shut()?;
    let lifted = gateway.journal("handset_lifted")?;
    ensure(lifted.len() == 1 && lifted[0]["apartment"] == 42, || {
        format!("{lifted:?}")
    })?;
    ensure(gateway.journal("handset_replaced")?.len() == 1, || {
        "it was put back".to_owned()
    })
}
