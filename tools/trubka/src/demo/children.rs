//! The processes of the play. Each is ended by its own id, also when the play fails.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use control::Client;

use super::stage::Stage;
use super::story::{Source, Told};
use crate::exit::{ABSENT, FAILURE, Failed};

/// A child process with its log file.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(mut command: Command, stage: &Stage, name: &str) -> Result<Running, Failed> {
        let log = stage.path(&format!("{name}.log"));
        let child = command.stderr(File::create(&log)?).stdin(Stdio::null()).spawn().map_err(|error| {
            Failed::new(ABSENT, format!("cannot start {name}: {error}\n    hint: it is built beside trubka: cargo build --release"))
        })?;
        Ok(Running { child, log })
    }

    /// Asks the process to end, waits a while, and ends it.
    pub(crate) fn stop(&mut self) {
        let id = self.child.id().to_string();
        let _ = Command::new("kill")
            .args(["-TERM", &id])
            .stderr(Stdio::null())
            .status();
        let end = Instant::now() + Duration::from_secs(4);
        while Instant::now() < end {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The end of its log, for the message of a failure.
    pub(crate) fn log_tail(&self) -> String {
        let tail = || {
            let mut file = File::open(&self.log)?;
            let length = file.seek(SeekFrom::End(0))?;
            file.seek(SeekFrom::Start(length.saturating_sub(2_000)))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
        };
        format!(
            "    the end of {}:\n{}",
            self.log.display(),
            tail().unwrap_or_default()
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// A program that is built beside this one, or installed.
fn program(name: &str) -> Command {
    let beside = std::env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.join(name)));
    match beside.filter(|path| path.exists()) {
        Some(path) => Command::new(path),
        None => Command::new(name),
    }
}

/// Starts the daemon.
pub(crate) fn daemon(stage: &Stage) -> Result<Running, Failed> {
    let mut command = program("trubkad");
    command.arg("--config").arg(stage.path("trubka.toml"));
    Running::start(command, stage, "trubkad")
}

/// Starts the panel, the line and the visitor.
pub(crate) fn simulator(stage: &Stage, tell: Sender<Told>) -> Result<Running, Failed> {
    let mut command = program("line-simulator");
    command
        .args([
            "--brand",
            &stage.brand,
            "--events",
            "-",
            "--wait-for-gateway",
        ])
        .args(stage.simulated())
        .arg("--listen")
        .arg(stage.socket("card.sock"))
        .arg("--script")
        .arg(stage.path("visitor.toml"))
        .arg("--heard")
        .arg(stage.path("visitor-heard.wav"))
        .arg("--trace")
        .arg(stage.path("line.csv"))
        .stdout(Stdio::piped());
    let mut running = Running::start(command, stage, "line-simulator")?;
    if let Some(out) = running.child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line)
                    && tell.send(Told::now(Source::Panel, value)).is_err()
                {
                    return;
                }
            }
        });
    }
    Ok(running)
}

/// Follows the daemon's events through its control socket, as `trubka events` does.
pub(crate) fn follow_events(
    stage: &Stage,
    daemon: &mut Running,
    tell: Sender<Told>,
) -> Result<(), Failed> {
    let socket = stage.socket("control.sock");
    let end = Instant::now() + Duration::from_secs(10);
    let mut client = loop {
        match Client::connect(&socket) {
            Ok(client) => break client,
            Err(_) if Instant::now() < end && matches!(daemon.child.try_wait(), Ok(None)) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => {
                return Err(Failed::new(
                    FAILURE,
                    format!("the daemon did not start: {error}\n{}", daemon.log_tail()),
                ));
            }
        }
    };
    client.call("events", &[])?;
    // What happened before we listened: the registration may be there already.
    let mut asking = Client::connect(&socket)?;
    let status = asking.call("status", &[])?;
    let registered = status
        .pointer("/accounts/0/state")
        .and_then(serde_json::Value::as_str)
        == Some("registered");
    if registered {
        let event = serde_json::json!({ "event": "registration", "account": "demo", "state": "registered", "detail": status.pointer("/accounts/0/detail") });
        let _ = tell.send(Told::now(Source::Gateway, event));
    }
    std::thread::spawn(move || {
        while let Ok(event) = client.next_event() {
            if tell.send(Told::now(Source::Gateway, event)).is_err() {
                return;
            }
        }
    });
    Ok(())
}
