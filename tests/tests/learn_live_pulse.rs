//! A technician learns a pulse line: the address is counted and named, levels, pulses and tones become a
//! profile file with their source, and the daemon runs with it.

use std::net::Ipv4Addr;

use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, program, words};
use trubka_tests::{Failure, Outcome};

/// Nobody is there: the call to the phone fails, the line is learned all the same.
const NO_PBX: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

#[test]
fn learn_live_pulse() -> Outcome {
    let visit = Visit::default()
        .dials_number(5.0, 9)
        .lifts_handset(11.5)
        .presses_button(14.0, 600)
        .replaces_handset(16.5)
        .leaves(18.0);
    let mut settings = Settings::new("400", visit);
    settings.line =
        "profile = \"laskomex-class\"\ntopology = \"pulse\"\naddresses = [\"9=42\"]".to_owned();
    settings.simulator = ["--topology", "pulse", "--handset-at", "9"]
        .map(str::to_owned)
        .to_vec();
    let mut gateway = Gateway::start(&settings, NO_PBX)?;
    let name = gateway.path("trubka.toml").display().to_string();
    gateway.visitor_comes()?;
    let output = program("trubka")?
        .arg("--socket")
        .arg(gateway.path("control.sock"))
        .args([
            "line", "learn", "--live", "riser-1", "--yes", "--config", &name,
        ])
        .output()?;
    let (shown, told) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    ensure(output.status.success(), || told.clone())?;
    for part in [
        "pulse, profile laskomex-class",
        "address 9: apartment 42",
        "call 1 is measured",
    ] {
        ensure(told.contains(part), || format!("no {part:?} in:\n{told}"))?;
    }
    for part in [
        "spacing",
        "pulse_min_us = { value = 10",
        "opened_hz = { value = 23",
        "+profile = ",
    ] {
        ensure(shown.contains(part), || format!("no {part:?} in:\n{shown}"))?;
    }
    let text = gateway.must_run_with_the_learned_profile()?;
    line_interface::pulse::PulseProfile::from_toml(&text)
        .map_err(|error| Failure::new(format!("the learned profile: {error}")))?;
    ensure(gateway.panel_count(words::LOCK_OPENED)? == 1, || {
        "the handset's own button did not open".into()
    })
}
