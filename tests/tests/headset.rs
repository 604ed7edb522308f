//! A technician's headset on the box, through real sound devices: its microphone is heard by the phone, its earpiece hears the
//! phone; a device that is unplugged is told and leaves the call alone, and comes back; a sound server that stands still for a
//! while is no more than a gap.

use serde_json::Value;
use std::time::Duration;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::baresip::Baresip;
use trubka_tests::failure::ensure;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::pipewire::{Pipewire, Recorder};
use trubka_tests::process_cost::cpu_ms;
use trubka_tests::sound::{FULL_SCALE_DBM0, tone_dbm0};
use trubka_tests::wait::{self, seconds};
use trubka_tests::wav::Recording;
use trubka_tests::{Outcome, process};

/// What the technician says: 1 kHz, 16 dB below full scale.
const SAID_HZ: u32 = 1000;
const SAID_DBM0: f64 = FULL_SCALE_DBM0 - 16.0;
/// What the phone says: 700 Hz, 19 dB below full scale.
const PHONE_HZ: f64 = 700.0;
const PHONE_DBM0: f64 = FULL_SCALE_DBM0 - 19.0;

/// The tone stands in the last half second at its level: nothing was lost of it.
fn holds(recording: &Recording, hz: f64, dbm0: f64) -> bool {
    tone_dbm0(recording, hz, 0.5).is_some_and(|level| (level - dbm0).abs() < 1.0)
}

/// Nothing of the tone in the last half second.
fn lacks(recording: &Recording, hz: f64) -> bool {
    tone_dbm0(recording, hz, 0.5).is_some_and(|level| level < -50.0)
}

fn phone_hears(phone: &Baresip, what: &str, check: impl Fn(&Recording) -> bool) -> Outcome {
    wait::until_true(&format!("{what} at the phone"), seconds(15.0), || {
        Ok(phone.heard().is_ok_and(|heard| check(&heard)))
    })
}

fn earpiece_hears_phone(ear: &mut Recorder, when: &str) -> Outcome {
    wait::until_true(
        &format!("the phone's tone in the earpiece {when}"),
        seconds(15.0),
        || Ok(holds(&ear.so_far()?, PHONE_HZ, PHONE_DBM0)),
    )
}

fn device(gateway: &mut Gateway, side: &str) -> Result<Value, trubka_tests::Failure> {
    let status = gateway.control(&["status"])?;
    Ok(status
        .pointer(&format!("/headset/{side}"))
        .cloned()
        .unwrap_or_default())
}

fn wait_told(gateway: &Gateway, name: &str, present: bool, times: usize) -> Outcome {
    let [device, present] = [format!("device={name}"), format!("present={present}")];
    wait::until_true(
        &format!("event headset_device of the {name}, {present}"),
        seconds(10.0),
        || {
            let log = gateway.log();
            let told = log.lines().filter(|line| {
                line.contains("headset_device") && line.contains(&device) && line.contains(&present)
            });
            Ok(told.count() >= times)
        },
    )
}

#[test]
fn headset() -> Outcome {
    let mut pipewire = Pipewire::start(&["mic", "ear"])?;
    let pbx = Asterisk::start()?;
    let folder = Folder::new("tone")?;
    let says = folder.join("phone.wav");
    process::run(
        std::process::Command::new("sox")
            .args(["-n", "-r", "8000", "-c", "1", "-b", "16", "-D"])
            .arg(&says)
            .args(["synth", "4", "sine", &PHONE_HZ.to_string(), "gain", "-19"]),
    )?;
    let phone = Baresip::start(&says)?;
    let mut settings = Settings::new(&phone.target(), Visit::default().dials(3.0));
    settings.more =
        "[headset]\ncapture = \"mic\"\nplayback = \"ear\"\nrate_hz = 48000\n".to_owned();
    settings.environment = pipewire.environment();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    let said = pipewire.play_tone("mic", SAID_HZ, -16.0)?;
    let mut ear = pipewire.record("ear")?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::ANSWERED, seconds(20.0))?;

    // It talks and hears: both tones at their levels, and not its own.
    gateway.control(&["headset", "talk", "riser-1"])?;
    wait_told(&gateway, "microphone", true, 1)?;
    wait_told(&gateway, "earpiece", true, 1)?;
    phone_hears(&phone, "the technician", |heard| {
        holds(heard, SAID_HZ.into(), SAID_DBM0)
    })?;
    earpiece_hears_phone(&mut ear, "at first")?;
    // It listens: nobody hears it.
    gateway.control(&["headset", "listen", "riser-1"])?;
    phone_hears(&phone, "silence of a listener", |heard| {
        lacks(heard, SAID_HZ.into())
    })?;
    earpiece_hears_phone(&mut ear, "while it listens")?;
    gateway.control(&["headset", "talk", "riser-1"])?;
    phone_hears(&phone, "the technician again", |heard| {
        holds(heard, SAID_HZ.into(), SAID_DBM0)
    })?;

    // The microphone is unplugged: told, and the earpiece and the call go on.
    let pulled = said;
    pipewire.unplug("mic")?;
    wait_told(&gateway, "microphone", false, 1)?;
    let microphone = device(&mut gateway, "capture")?;
    ensure(microphone["present"] == false, || {
        format!("an unplugged microphone: {microphone}")
    })?;
    phone_hears(&phone, "no microphone", |heard| {
        lacks(heard, SAID_HZ.into())
    })?;
    earpiece_hears_phone(&mut ear, "without a microphone")?;
    drop(pulled);
    // Back again.
    pipewire.plug("mic")?;
    let _said = pipewire.play_tone("mic", SAID_HZ, -16.0)?;
    wait_told(&gateway, "microphone", true, 2)?;
    phone_hears(&phone, "the microphone that is back", |heard| {
        holds(heard, SAID_HZ.into(), SAID_DBM0)
    })?;

    // The sound server stands still: gaps or overruns are counted, then both directions are whole again.
    let slips = |device: &Value| {
        let count = |key: &str| device[key].as_u64().unwrap_or_default();
        count("gaps") + count("xruns")
    };
    let before =
        slips(&device(&mut gateway, "capture")?) + slips(&device(&mut gateway, "playback")?);
    pipewire.stall(Duration::from_millis(400))?;
    wait::until_true("slip that is counted", seconds(5.0), || {
        let after =
            slips(&device(&mut gateway, "capture")?) + slips(&device(&mut gateway, "playback")?);
        Ok(after > before)
    })?;
    phone_hears(&phone, "the technician after the stall", |heard| {
        holds(heard, SAID_HZ.into(), SAID_DBM0)
    })?;
    earpiece_hears_phone(&mut ear, "after the stall")?;

    // All that was one call.
    let status = gateway.control(&["status"])?;
    ensure(status["calls"].as_array().map(Vec::len) == Some(1), || {
        format!("not one call any more: {status}")
    })?;
    gateway.control(&["headset", "off"])?;
    // The devices are let go with all their threads. While they run, ALSA's plug-in for PipeWire 0.3 keeps cpal's threads awake
    // (docs/guide/board.md), so that time is no measure.
    std::thread::sleep(Duration::from_millis(500));
    let before_ms = cpu_ms(gateway.daemon_id())?;
    std::thread::sleep(Duration::from_secs(2));
    let used_ms = cpu_ms(gateway.daemon_id())?.saturating_sub(before_ms);
    ensure(used_ms < 600, || {
        format!("{used_ms} ms of processor time in 2 s of a call without a headset: a thread spins")
    })?;
    let journal = gateway.journal("headset")?;
    let modes: Vec<_> = journal
        .iter()
        .map(|record| record["mode"].as_str().unwrap_or_default())
        .collect();
    ensure(modes == ["talk", "listen", "talk", "off"], || {
        format!("the journal: {journal:?}")
    })?;
    gateway.must_have_stayed_shut()?;
    gateway.must_be_clean_for_the_panel()
}
