//! A technician learns a live line: somebody dials, lifts, presses and replaces while `trubka line
//! learn --live` listens; the accepted proposal is in force afterwards, and nothing of ours was on the
//! line meanwhile.

use serde_json::Value;
use std::net::Ipv4Addr;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::seconds;
use trubka_tests::{Failure, Outcome};

/// Nobody is there: the call to the phone fails, the line is learned all the same.
const NO_PBX: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

#[test]
fn learn_live() -> Outcome {
    let visit = Visit::default()
        .dials(6.0)
        .lifts_handset(13.5)
        .presses_button(16.0, 600)
        .replaces_handset(18.5)
        .leaves(20.0);
    let mut gateway = Gateway::start(&Settings::new("400", visit), NO_PBX)?;
    let file = gateway.path("trubka.toml");
    let name = file.display().to_string();
    gateway.visitor_comes()?;
    let proposal = gateway.control(&[
        "line", "learn", "--live", "riser-1", "--config", &name, "--yes",
    ])?;
    let changes = proposal
        .get("changes")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    ensure(changes.len() >= 10, || format!("few values: {proposal}"))?;
    let all_dated = changes.iter().all(|change| {
        let source = change.get("source").and_then(Value::as_str).unwrap_or("");
        source.starts_with("measured on riser-1 20")
    });
    ensure(all_dated, || {
        format!("values without their source: {proposal}")
    })?;

    // The file is written, the configuration points at it, the daemon runs with it.
    let text = gateway.must_run_with_the_learned_profile()?;
    let profile = line_interface::Profile::from_toml(&text)
        .map_err(|error| Failure::new(format!("the learned profile: {error}")))?;
    ensure(profile.name == "riser-1-learned", || text.clone())?;
    gateway.control(&["config", "check", "--config", &name])?;

    // The resident opened with the old handset, not we.
    ensure(gateway.panel_count(words::LOCK_OPENED)? == 1, || {
        "the handset's own button did not open".into()
    })?;
    let opened = gateway.journal(words::DOOR_OPENED)?;
    let by_handset =
        |record: &Value| record.get("cause").and_then(Value::as_str) == Some("handset");
    ensure(opened.len() == 1 && opened.iter().all(by_handset), || {
        format!("not by the handset: {opened:?}")
    })?;
    ensure(gateway.panel_count(words::LINE_ERROR)? == 0, || {
        "the panel saw a faulty line".into()
    })?;
    gateway.wait_idle(seconds(10.0))
}
