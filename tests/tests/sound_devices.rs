//! The sound devices of the box on ALSA's user-space plugins: the right channel both ways at the right
//! level, a device that stands still and comes back, one that runs away, and one that is not there.

use serde_json::Value;
use std::process::Command;
use std::time::Duration;
use trubka_tests::failure::ensure;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::program;
use trubka_tests::pipewire::Pipewire;
use trubka_tests::process::Process;
use trubka_tests::sound::Pipes;
use trubka_tests::{Failure, Outcome, wait};

const PEAK: i16 = 8000;
/// 20 log10 of 8000 / 32768 / sqrt(2) over the RMS of 0 dBm0.
const LEVEL_DBM0: f64 = -9.1;

fn sound_test(folder: &Folder, words: &[&str]) -> Result<Command, Failure> {
    let mut command = program("trubkad")?;
    command
        .env("ALSA_CONFIG_PATH", folder.join("asound.conf"))
        .arg("--sound-test")
        .args(words);
    Ok(command)
}

/// The seconds that were told so far.
fn seconds(process: &Process) -> Vec<Value> {
    let output = process.output();
    output
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn number(second: &Value, path: &str) -> f64 {
    second
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

/// The tone stands in a second almost alone: the machine was quick enough for a whole one.
fn clean(second: &Value) -> bool {
    (number(second, "/tone_dbm0") - LEVEL_DBM0).abs() < 1.0
        && (number(second, "/level_dbm0") - LEVEL_DBM0).abs() < 1.0
}

#[test]
fn sound_devices() -> Outcome {
    let folder = Folder::new("sound")?;
    let pipes = Pipes::start(&folder, PEAK)?;
    let mut command = sound_test(&folder, &["street", "speaker", "40", "48000", "1"])?;
    let mut daemon = Process::start("trubkad", &mut command, folder.path())?;
    wait::until_true(
        "clean second of the street's tone",
        wait::seconds(15.0),
        || {
            if let Some(status) = daemon.ended()? {
                return Err(Failure::new(format!(
                    "the sound test ended with {status}; is trubkad built with --features trubkad/sound?\n{}",
                    daemon.errors()
                )));
            }
            Ok(seconds(&daemon).iter().any(clean))
        },
    )?;
    // Our tone comes out of the second channel, at -10 dBm0, and of no other.
    wait::until_true("tone at the speaker", wait::seconds(5.0), || {
        let heard = pipes.heard();
        let Some(last) = heard.rchunks(4800).next().filter(|last| last.len() == 4800) else {
            return Ok(false);
        };
        let square = |c: usize| last.iter().map(|f| f64::from(f[c]).powi(2)).sum::<f64>();
        let rms = (square(1) / 4800.0).sqrt();
        Ok((rms - 5103.0).abs() < 150.0 && square(0) == 0.0)
    })?;

    // The device stands still for a while: silence, told as gaps, and then sound again.
    let before = seconds(&daemon);
    let gaps = number(before.last().unwrap_or(&Value::Null), "/capture/gaps");
    pipes.pause(true);
    std::thread::sleep(Duration::from_millis(1300));
    pipes.pause(false);
    let told = before.len();
    wait::until_true("clean second after the pause", wait::seconds(12.0), || {
        let after = seconds(&daemon);
        let told_gap = after.iter().any(|s| number(s, "/capture/gaps") > gaps);
        Ok(told_gap && after.iter().skip(told + 2).any(clean))
    })?;
    // It ends at a word, devices open or not.
    daemon.stop(Duration::from_secs(5));
    ensure(daemon.ended()?.is_some(), || "it does not end".into())
}

#[test]
fn a_device_that_runs_away_or_is_not_there() -> Outcome {
    let folder = Folder::new("nosound")?;
    folder.write(
        "asound.conf",
        "</usr/share/alsa/alsa.conf>\npcm.nothing { type null hint { show on description \"nothing\" } }\n",
    )?;
    // The null plugin takes and gives thousands of times faster than real time.
    let mut command = sound_test(&folder, &["nothing", "nothing", "2"])?;
    let mut daemon = Process::start("runaway", &mut command, folder.path())?;
    let status = daemon.wait(Duration::from_secs(15))?;
    let told = seconds(&daemon);
    ensure(status.success() && told.len() == 2, || {
        format!("{status}: {}", daemon.output())
    })?;
    ensure(
        told.iter().all(|s| number(s, "/level_dbm0") < -100.0),
        || daemon.output(),
    )?;

    let mut command = sound_test(&folder, &["nowhere", "nothing", "2"])?;
    let mut daemon = Process::start("nowhere", &mut command, folder.path())?;
    let status = daemon.wait(Duration::from_secs(15))?;
    ensure(
        !status.success() && daemon.output().contains("nowhere: no such PCM"),
        || format!("{status}: {}", daemon.output()),
    )
}

/// Whether a device runs.
fn present(second: &Value, side: &str) -> bool {
    second.pointer(&format!("/{side}/present")) == Some(&Value::Bool(true))
}

/// One device both ways: what is played comes back, most of the second is the tone at its level. On a busy machine slips
/// cost some of it, and two joints between clocks move it by some hertz; silence and noise are far from this.
fn own_tone(second: &Value) -> bool {
    (-16.0..-8.0).contains(&number(second, "/tone_dbm0"))
        && (number(second, "/level_dbm0") + 10.0).abs() < 3.0
}

#[test]
fn a_card_that_slips_and_one_that_is_pulled_and_put_back() -> Outcome {
    let mut pipewire = Pipewire::start(&["card"])?;
    let mut command = program("trubkad")?;
    command
        .envs(pipewire.environment())
        .args(["--sound-test", "card", "card", "90", "48000"]);
    let folder = Folder::new("card")?;
    let daemon = Process::start("trubkad", &mut command, folder.path())?;
    let wait_for = |what: &str, skip: usize, check: &dyn Fn(&Value) -> bool| {
        wait::until(what, wait::seconds(15.0), || {
            let told = seconds(&daemon);
            let found = told.iter().skip(skip).position(check);
            Ok(found.map(|at| (skip + at, told[skip + at].clone())))
        })
    };
    let (at, first) = wait_for("clean second of our own tone", 0, &own_tone)?;
    let slips = |second: &Value| {
        ["/capture/xruns", "/playback/xruns", "/capture/gaps"]
            .iter()
            .map(|path| number(second, path))
            .sum::<f64>()
    };
    // An xrun: the server stands still for longer than the buffers last.
    pipewire.stall(Duration::from_millis(500))?;
    let (at, _) = wait_for("slip", at, &|s| slips(s) > slips(&first))?;
    let (at, _) = wait_for("clean second after the slip", at + 1, &own_tone)?;
    // Pulled and put back, while it runs.
    pipewire.unplug("card")?;
    let (at, _) = wait_for("loss of the card", at, &|s| {
        !present(s, "capture") && !present(s, "playback")
    })?;
    pipewire.plug("card")?;
    let (at, _) = wait_for("card that is back", at, &|s| {
        present(s, "capture") && present(s, "playback")
    })?;
    let (_, last) = wait_for("clean second of the card that is back", at, &own_tone)?;
    ensure(number(&last, "/capture/opened") >= 2.0, || {
        format!("opened once only: {last}")
    })
}
