//! `trubka sip trace` shows a visit as a ladder while it happens, and afterwards from the capture file:
//! the same messages, in 80 columns, without a digest answer, and the file holds no sound and no keys.

use serde_json::Value;
use std::process::Command;
use trubka_tests::asterisk::{Asterisk, PASSWORD, Settings as Pbx};
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{self, Gateway, Settings, Visit, words};
use trubka_tests::process::Process;
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome, process};

fn follow(gateway: &Gateway, form: &str) -> Result<Process, Failure> {
    let mut command = gateway::program("trubka")?;
    command
        .arg("--socket")
        .arg(gateway.path("control.sock"))
        .args(["sip", "trace", form])
        .args(["--method", "INVITE,ACK,BYE,INFO"]);
    Process::start(&format!("trace{form}"), &mut command, &gateway.path("."))
}

fn from_file(gateway: &Gateway, options: &[&str]) -> Result<Command, Failure> {
    let mut command = gateway::program("trubka")?;
    command
        .args(["sip", "trace"])
        .arg(gateway.path("capture.pcap"))
        .args(options);
    Ok(command)
}

#[test]
fn sip_trace() -> Outcome {
    let pbx = Asterisk::start_with(Pbx {
        listen_s: 1,
        ..Pbx::default()
    })?;
    let settings = Settings {
        more: "[trace]\npcap = \"{folder}/capture.pcap\"".into(),
        ..Settings::new("401", Visit::usual(3.0, 45.0))
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    let live = follow(&gateway, "--json")?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    gateway.wait_idle(seconds(20.0))?;
    wait::until_true("the BYE and its answer", seconds(5.0), || {
        Ok(live.output().contains("BYE") && live.output().matches("200 OK").count() >= 3)
    })?;

    // The file tells what was told live, message for message.
    let mut json = from_file(&gateway, &["--json", "--method", "INVITE,ACK,BYE,INFO"])?;
    let told = |text: &str| -> Result<Vec<Value>, Failure> {
        let of =
            |line| serde_json::from_str::<Value>(line).map_err(|e| Failure::new(e.to_string()));
        let all: Result<Vec<Value>, Failure> = text.lines().map(of).collect();
        Ok(all?.into_iter().map(|one| one["message"].clone()).collect())
    };
    wait::until_true("file that tells what was told live", seconds(5.0), || {
        let (seen, written) = (live.output(), process::run(&mut json)?);
        // The last line may be in the writing.
        Ok(seen.ends_with('\n') && told(&seen)? == told(&written)?)
    })?;

    let ladder = process::run(&mut from_file(&gateway, &[])?)?;
    for word in [
        "REGISTER",
        "401 Unauthorized",
        "INVITE 401 (sdp)",
        "200 OK (INVITE) (sdp)",
        "ACK",
        "INFO",
        "BYE",
    ] {
        ensure(ladder.contains(word), || format!("no {word} in\n{ladder}"))?;
    }
    let wide = ladder.lines().find(|line| line.chars().count() > 80);
    ensure(wide.is_none(), || format!("a wide line: {wide:?}"))?;
    let raw = process::run(&mut from_file(&gateway, &["--raw"])?)?;
    ensure(raw.contains("Authorization:***"), || {
        "no blotted digest".into()
    })?;
    ensure(raw.contains("Signal=*"), || "no blotted key".into())?;
    let bytes = std::fs::read(gateway.path("capture.pcap"))?;
    for text in [
        raw,
        live.output(),
        String::from_utf8_lossy(&bytes).into_owned(),
    ] {
        for secret in [PASSWORD, "response=", "Signal=9"] {
            ensure(!text.contains(secret), || format!("{secret} in a trace"))?;
        }
    }

    // Nothing matches: told, with a hint.
    let mut nobody = from_file(&gateway, &["--call", "nobody"])?;
    let refused = nobody.output()?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure(
        refused.status.code() == Some(1) && words.contains("without --call"),
        || words.clone(),
    )?;
    gateway.must_have_opened(1)
}
