//! A technician learns a line at a switch over two calls: the diff is shown and accepted, nothing of ours was
//! on any pair meanwhile, and the next call is read and rung with the learned profile.

use std::net::Ipv4Addr;

use serde_json::Value;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, program, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

/// Nobody is there: calls to the phone fail, the line is learned all the same.
const NO_PBX: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// One call as learning wants it, `at` seconds after the start.
fn call(visit: Visit, at: f64) -> Visit {
    visit
        .dials(at)
        .lifts_handset(at + 7.5)
        .presses_button(at + 10.0, 600)
        .replaces_handset(at + 12.0)
        .leaves(at + 13.5)
}

#[test]
fn learn_live_matrix() -> Outcome {
    let visit = call(call(Visit::default(), 5.0), 24.0);
    let mut settings = Settings::new("400", visit);
    settings.line = "profile = \"custom\"\ntopology = \"matrix\"\nswitch = \"bk-10\"".to_owned();
    settings.simulator = [
        "--brand",
        "vizit",
        "--topology",
        "matrix",
        "--switch",
        "bk-10",
    ]
    .map(str::to_owned)
    .to_vec();
    settings
        .simulator
        .extend(["--first-apartment", "41"].map(str::to_owned));
    settings.line.push_str("\nfirst_apartment = 41");
    let mut gateway = Gateway::start(&settings, NO_PBX)?;
    let file = gateway.path("trubka.toml");
    let name = file.display().to_string();

    gateway.visitor_comes()?;
    // As the technician sees it: in words, with the diff.
    let output = program("trubka")?
        .arg("--socket")
        .arg(gateway.path("control.sock"))
        .args([
            "line", "learn", "--live", "riser-1", "--calls", "2", "--yes",
        ])
        .args(["--config", &name])
        .output()?;
    let (shown, told) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    ensure(output.status.success(), || told.clone())?;
    ensure(
        told.contains("matrix") && told.contains("call 2 is measured"),
        || told.clone(),
    )?;
    for part in [
        "off-hook",
        "on_hook_max_volts = { value = ",
        "-profile = \"custom\"",
        "+profile = ",
    ] {
        ensure(shown.contains(part), || format!("no {part:?} in:\n{shown}"))?;
    }
    let dated = shown.matches("source = \"measured on riser-1 20").count();
    ensure(dated >= 10, || {
        format!("{dated} values with their source:\n{shown}")
    })?;

    // Written, in force, and valid.
    let text = gateway.must_run_with_the_learned_profile()?;
    line_interface::Profile::from_toml(&text)
        .map_err(|error| Failure::new(format!("the learned profile: {error}")))?;

    // The next visitor is read and rings with it. What is shown of the journal is its end only.
    let newest = |gateway: &mut Gateway| -> Result<Value, Failure> {
        let rings = gateway.journal("ring")?;
        Ok(rings
            .last()
            .map_or(Value::Null, |ring| ring["time"].clone()))
    };
    let before = newest(&mut gateway)?;
    ensure(before.is_string(), || "no ring with a time".into())?;
    // However long the learning took: he comes after it.
    gateway.at_the_panel("dial 42")?;
    wait::until_true("the next call", seconds(30.0), || {
        Ok(newest(&mut gateway)? != before)
    })?;
    gateway.at_the_panel("leave")?;
    let rings = gateway.journal("ring")?;
    ensure(
        rings
            .iter()
            .all(|ring| ring["code"] == "D0 E2" && ring["apartment"] == 42),
        || format!("{rings:?}"),
    )?;

    // The resident opened with the old handset in both calls, not we; no other pair was touched.
    ensure(gateway.panel_count(words::LOCK_OPENED)? == 2, || {
        "the handset's own button did not open".into()
    })?;
    for wrong in ["wrong_pair_loaded", words::LINE_ERROR] {
        ensure(gateway.panel_count(wrong)? == 0, || {
            format!("the simulator saw {wrong}")
        })?;
    }
    gateway.wait_idle(seconds(25.0))
}
