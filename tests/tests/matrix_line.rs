//! A line at a switch: the apartment is read from its buses for every call. A visitor for an apartment
//! without a route rings its old handset as before and is only journalled; the next visitor's apartment
//! has a route, and its door opens. Against a real Asterisk.

use trubka_tests::Outcome;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{seconds, until_true};

#[test]
fn the_read_apartment_is_called_and_opened_and_an_unknown_one_is_left_alone() -> Outcome {
    let pbx = Asterisk::start()?;
    let visit = Visit::default()
        .dials_number(2.0, 17)
        .leaves(6.0)
        .dials(11.0)
        .speaks()
        .leaves(50.0);
    let mut settings = Settings::new("400", visit);
    settings.line = "profile = \"eltis\"\ntopology = \"matrix\"\nswitch = \"km100-7.1\"".to_owned();
    settings.simulator = [
        "--brand",
        "eltis",
        "--topology",
        "matrix",
        "--switch",
        "km100-7.1",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;

    // D1 E7 is nobody's that we know.
    until_true("the unknown apartment", seconds(12.0), || {
        Ok(!gateway.journal("unknown_apartment")?.is_empty())
    })?;
    let unknown = gateway.journal("unknown_apartment")?;
    ensure(
        unknown
            .iter()
            .all(|r| r["apartment"] == 17 && r["code"] == "D1 E7"),
        || format!("{unknown:?}"),
    )?;
    ensure(gateway.journal("call_placed")?.is_empty(), || {
        "somebody was called for apartment 17".to_owned()
    })?;

    until_true("apartment 42 in the status", seconds(25.0), || {
        let line = gateway.control(&["status"])?["lines"][0].clone();
        Ok(line["apartment"] == 42 && line["code"] == "D4 E2" && line["connected"] == "D4 E2")
    })?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(30.0))?;
    let opened = gateway.panel_events()?;
    ensure(
        opened
            .iter()
            .any(|e| e["event"] == words::LOCK_OPENED && e["apartment"] == 42),
        || format!("{opened:?}"),
    )?;
    gateway.wait_idle(seconds(25.0))?;
    gateway.must_have_opened(1)?;
    let rings = gateway.journal("ring")?;
    ensure(rings.len() == 1 && rings[0]["code"] == "D4 E2", || {
        format!("{rings:?}")
    })?;
    for wrong in ["wrong_pair_loaded", words::LINE_ERROR] {
        ensure(gateway.panel_count(wrong)? == 0, || {
            format!("the simulator saw {wrong}")
        })?;
    }
    ensure(gateway.journal("line_fault")?.is_empty(), || {
        "a fault on a healthy switch".to_owned()
    })?;
    let levels = gateway.control(&["line", "levels"])?;
    ensure(
        levels["lines"][0]["buses"].as_array().map(Vec::len) == Some(2),
        || format!("{levels:#}"),
    )?;
    gateway.must_have_joined_the_voices(&pbx)
}

#[test]
fn a_card_of_another_kind_is_not_used_and_the_doctor_says_why() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut settings = Settings::new("400", Visit::default());
    settings.line = "profile = \"eltis\"\ntopology = \"matrix\"\nswitch = \"km100-7.1\"".to_owned();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    until_true("the misfit in the status", seconds(10.0), || {
        let line = gateway.control(&["status"])?["lines"][0].clone();
        let why = line["misfit"].as_str().unwrap_or_default().to_owned();
        Ok(line["present"] == false && why.contains("has a pair there, not a matrix of 20 taps"))
    })?;
    // The doctor finds a fault and says so by its exit code.
    let report = gateway.control(&["doctor"]);
    ensure(report.is_err(), || "the doctor found nothing".to_owned())?;
    let faults = gateway.journal("line_fault")?;
    ensure(
        faults.len() == 1
            && faults[0]["kind"] == "card_misfit"
            && faults[0]["hint"].to_string().contains("topology"),
        || format!("{faults:?}"),
    )
}
