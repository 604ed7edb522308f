//! `trubkad --sound-test`: the sound devices of a board or headset before they are configured.

use std::io::Write as _;
use std::process::ExitCode;

use board::sound::SideReport;
use board::sound::check::{Second, check};
use serde_json::{Value, json};

use crate::startup::SoundTest;

/// Plays the tone and prints a JSON line a second. Fails when a device was not there at the end.
pub(crate) fn run(test: &SoundTest) -> ExitCode {
    let sound = config::Sound {
        capture: test.capture.clone(),
        playback: test.playback.clone(),
        capture_channel: test.channel,
        playback_channel: test.channel,
        rate_hz: test.rate_hz,
        delay_ms: 25,
    };
    let mut present = false;
    let done = check(&sound, test.seconds, |second| {
        present = second.port.capture.present && second.port.playback.present;
        // Nobody reading is no fault of the sound.
        let _ = writeln!(std::io::stdout(), "{}", shown(&second));
    });
    match done {
        Ok(()) if present => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}\n    hint: {}", error.hint);
            ExitCode::FAILURE
        }
    }
}

fn shown(second: &Second) -> Value {
    json!({
        "second": second.second,
        "level_dbm0": rounded(second.level_dbm0),
        "tone_dbm0": rounded(second.tone_dbm0),
        "capture": side(&second.port.capture),
        "playback": side(&second.port.playback),
    })
}

fn side(side: &SideReport) -> Value {
    json!({
        "present": side.present,
        "detail": side.detail,
        "opened": side.opened,
        "xruns": side.xruns,
        "gaps": side.gaps,
        "drift_ppm": rounded(side.drift_ppm),
        "delay_ms": rounded(side.delay_ms),
    })
}

fn rounded(value: f32) -> f64 {
    (f64::from(value) * 10.0).round() / 10.0
}
