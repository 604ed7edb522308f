//! The product as its user has it: `line-simulator` and `trubkad` as child processes, a configuration
//! file, a visitor's script, and the `trubka` command to look inside.
//!
//! Every text that the programs read is made in `configuration` and [`Visit::text`], and every word of
//! the programs' answers that the tests rely on is in [`words`].

use crate::asterisk::Asterisk;
use crate::failure::{Doing, ensure};
use crate::speech::{self, Voice};
use crate::wav::Recording;
use crate::{Failure, Outcome, address::Address, folder::Folder, process, process::Process, wait};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The words that the programs' JSON uses.
pub mod words {
    /// Simulator event: the lock was driven.
    pub const LOCK_OPENED: &str = "lock_opened";
    /// Simulator event: somebody took the call off the panel.
    pub const ANSWERED: &str = "answered";
    /// Simulator event: a ring burst began.
    pub const RING_BURST: &str = "ring_burst";
    /// Simulator event: the panel is at rest.
    pub const PANEL_IDLE: &str = "idle";
    /// Simulator event: the panel dropped a call.
    pub const CALL_DROPPED: &str = "call_dropped";
    /// Simulator event: the panel found the line electrically wrong.
    pub const LINE_ERROR: &str = "line_error";
    /// Journal record: the door was opened.
    pub const DOOR_OPENED: &str = "door_opened";
    /// Journal record: somebody was refused.
    pub const DOOR_REFUSED: &str = "door_refused";
    /// Status: a line with nothing to do.
    pub const LINE_IDLE: &str = "idle";
    /// Status: an account that the PBX knows.
    pub const REGISTERED: &str = "registered";
    /// Status: an account that the PBX does not take.
    pub const FAILED: &str = "failed";
    /// Journal record: the PBX stopped or began to answer.
    pub const PBX_REACHABLE: &str = "pbx_reachable";
}

/// The apartment of every test; its handset hangs on the simulated line.
pub const APARTMENT: u32 = 42;

/// How the daemon says that the journal's disk is slow.
const SLOW_DISK: [&str; 2] = ["the disk does not answer", "busy with a slow disk"];

/// Seconds after which no test runs any more.
const LONG_AFTER_S: u32 = 3600;

/// What a test may set before the start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account at the PBX, also its digest user.
    pub extension: String,
    /// Its password.
    pub password: String,
    /// What the route of apartment 42 names.
    pub targets: Vec<String>,
    /// The visitor's doings.
    pub visit: Visit,
    /// Who may open, as the route says it.
    pub may_open: Vec<String>,
    /// Journal file, relative to the box's folder.
    pub journal: String,
    /// How long phones ring, in all and each, seconds.
    pub ring_limit_s: u32,
    /// How long a phone may be silent in a call, seconds: longer than a dialplan waits between words and keys.
    pub rtp_timeout_s: u32,
    /// Further keys of the account.
    pub account: String,
    /// Further keys of the route.
    pub route: String,
    /// Further keys of the sip section.
    pub sip: String,
    /// Further keys of the media section.
    pub media: String,
    /// What the line is: its profile and topology, as the configuration writes them.
    pub line: String,
    /// Further arguments of the simulator, for lines that are no pair.
    pub simulator: Vec<String>,
    /// Further sections of the configuration; `{folder}` stands for the box's folder.
    pub more: String,
    /// Variables of the daemon's environment; `{folder}` stands for the box's folder.
    pub environment: Vec<(String, String)>,
}

impl Settings {
    /// Extension 100 with the right password, one target, one visit.
    pub fn new(target: &str, visit: Visit) -> Self {
        Self {
            extension: "100".into(),
            password: crate::asterisk::PASSWORD.into(),
            targets: vec![target.into()],
            visit,
            may_open: vec!["called".into()],
            journal: "journal.sqlite".into(),
            ring_limit_s: 25,
            rtp_timeout_s: 15,
            account: String::new(),
            route: String::new(),
            sip: String::new(),
            media: String::new(),
            line: format!("profile = \"vizit\"\napartment = {APARTMENT}"),
            simulator: Vec::new(),
            more: String::new(),
            environment: Vec::new(),
        }
    }
}

/// What happens at the panel and in the apartment, in order. Times are seconds since
/// [`Gateway::visitor_comes`].
#[derive(Debug, Clone, Default)]
pub struct Visit {
    steps: Vec<String>,
}

impl Visit {
    /// The usual visitor: dials at `at_s`, speaks as soon as somebody answers, leaves at `leaves_s`.
    pub fn usual(at_s: f64, leaves_s: f64) -> Self {
        Self::default().dials(at_s).speaks().leaves(leaves_s)
    }

    /// The visitor dials another number.
    #[must_use]
    pub fn dials_number(self, at_s: f64, number: u16) -> Self {
        self.step(format!("at_s = {at_s:.3}\ndials = {number}"))
    }

    /// The visitor dials apartment 42.
    #[must_use]
    pub fn dials(self, at_s: f64) -> Self {
        self.step(format!("at_s = {at_s:.3}\ndials = {APARTMENT}"))
    }

    /// The visitor speaks as soon as the call last dialled is answered.
    #[must_use]
    pub fn speaks(self) -> Self {
        self.step("after_answer_s = 0.3\nsays = \"visitor.wav\"".into())
    }

    /// The visitor speaks, so long after the call last dialled was answered.
    #[must_use]
    pub fn speaks_again(self, after_answer_s: f64) -> Self {
        self.step(format!(
            "after_answer_s = {after_answer_s:.3}\nsays = \"visitor.wav\""
        ))
    }

    /// The visitor resets the panel and goes.
    #[must_use]
    pub fn leaves(self, at_s: f64) -> Self {
        self.step(format!("at_s = {at_s:.3}\nleaves = true"))
    }

    /// Somebody in the apartment lifts the old handset.
    #[must_use]
    pub fn lifts_handset(self, at_s: f64) -> Self {
        self.step(format!("at_s = {at_s:.3}\nlifts = true"))
    }

    /// The door button of the old handset is held.
    #[must_use]
    pub fn presses_button(self, at_s: f64, ms: u32) -> Self {
        self.step(format!("at_s = {at_s:.3}\npresses_ms = {ms}"))
    }

    /// The old handset is put back.
    #[must_use]
    pub fn replaces_handset(self, at_s: f64) -> Self {
        self.step(format!("at_s = {at_s:.3}\nreplaces = true"))
    }

    fn step(mut self, step: String) -> Self {
        self.steps.push(step);
        self
    }

    /// The script as the simulator reads it. The simulator ends with its script, and the line card with
    /// it, so a last step long after every test keeps it running.
    pub fn text(&self) -> String {
        let last = format!("at_s = {LONG_AFTER_S}\nleaves = true");
        let steps = self.steps.iter().chain([&last]);
        steps.map(|step| format!("[[step]]\n{step}\n\n")).collect()
    }
}

/// The daemon's configuration file.
fn configuration(settings: &Settings, local: Ipv4Addr, pbx: Ipv4Addr, folder: &Path) -> String {
    let path = |name: &str| folder.join(name).display().to_string();
    let targets: Vec<String> = settings
        .targets
        .iter()
        .map(|t| format!("\"{t}\""))
        .collect();
    format!(
        r#"
[sip]
listen = "{local}:5060"
direct_calls = {direct}
{sip}

[media]
rtp_port_first = 30000
rtp_port_last = 30099
echo_paths_file = "{echo_paths}"
{media}

[[account]]
name = "pbx"
extension = "{extension}"
domain = "{pbx}"
password = "{password}"
expires_s = 60
keepalive_s = 4
{account}

[[card]]
name = "bench"
kind = "virtual"
socket = "{card}"

[[line]]
name = "riser-1"
{line}
card = "bench"
handset = "relayed"

[[route]]
apartment = {APARTMENT}
account = "pbx"
targets = [{targets}]
target_timeout_s = {ring_limit_s}
may_open = [{may_open}]
{route}

[door]
digits = "9"
hangup_after_open_s = 2

[call]
ring_limit_s = {ring_limit_s}
rtp_timeout_s = {rtp_timeout_s}

[journal]
path = "{journal}"
syslog_socket = "{syslog}"

[control]
socket = "{control}"
{more}
"#,
        direct = settings.targets.iter().any(|t| t.starts_with("sip:")),
        sip = settings
            .sip
            .replace("LOCAL", &local.to_string())
            .replace("{folder}", &folder.display().to_string()),
        line = settings.line,
        route = settings.route,
        extension = settings.extension,
        account = settings
            .account
            .replace("{folder}", &folder.display().to_string()),
        media = settings.media,
        echo_paths = path("echo-paths"),
        password = settings.password,
        card = path("card.sock"),
        ring_limit_s = settings.ring_limit_s,
        rtp_timeout_s = settings.rtp_timeout_s,
        targets = targets.join(", "),
        may_open = settings
            .may_open
            .iter()
            .map(|party| format!("\"{party}\""))
            .collect::<Vec<_>>()
            .join(", "),
        journal = path(&settings.journal),
        syslog = path("syslog.sock"),
        more = settings
            .more
            .replace("{folder}", &folder.display().to_string()),
        control = path("control.sock"),
    )
}

/// A gateway box with its line, panel and visitor. Dropped, its processes are killed and what they
/// wrote is printed.
#[derive(Debug)]
pub struct Gateway {
    // The order is the order of the drop: the processes first, the folder last.
    daemon: Process,
    simulator: Process,
    address: Address,
    folder: Folder,
    /// Further arguments of the simulator.
    simulated: Vec<String>,
    /// The daemon's environment.
    environment: Vec<(String, String)>,
    /// The visitor's script has begun.
    visited: bool,
}

impl Gateway {
    /// Starts the simulator and the daemon at an address of its own, towards a PBX, and waits until the
    /// daemon answers at its control socket.
    ///
    /// # Errors
    /// When a program is missing or does not come up; the end of its output is in the sentence.
    pub fn start(settings: &Settings, pbx: Ipv4Addr) -> Result<Self, Failure> {
        Self::start_with(settings, pbx, |_| Ok(()))
    }

    /// As [`Gateway::start`], with something done to the folder before the daemon sees it.
    ///
    /// # Errors
    /// As [`Gateway::start`], and those of `prepare`.
    pub fn start_with(
        settings: &Settings,
        pbx: Ipv4Addr,
        prepare: impl FnOnce(&Folder) -> Outcome,
    ) -> Result<Self, Failure> {
        let folder = Folder::new("box")?;
        prepare(&folder)?;
        let address = Address::take()?;
        speech::make(Voice::Visitor, &folder.join("visitor.wav"))?;
        folder.write("visit.toml", &settings.visit.text())?;
        folder.write(
            "trubka.toml",
            &configuration(settings, address.ip(), pbx, folder.path()),
        )?;
        let daemon = start_daemon(&folder, &settings.environment)?;
        let simulator = start_simulator(&folder, &settings.simulator)?;
        let mut gateway = Self {
            daemon,
            simulator,
            address,
            folder,
            simulated: settings.simulator.clone(),
            environment: settings.environment.clone(),
            visited: false,
        };
        wait::until_true("status from the daemon", Duration::from_secs(10), || {
            gateway.daemon.must_live()?;
            gateway.simulator.must_live()?;
            Ok(gateway.try_control(&["status"]).is_ok())
        })?;
        Ok(gateway)
    }

    /// The visitor's time begins: until then the line rests, however long a busy machine takes to make everything ready.
    ///
    /// # Errors
    /// When the simulator has ended.
    pub fn visitor_comes(&mut self) -> Outcome {
        self.visited = true;
        self.simulator.tell("begin")
    }

    /// Tells the simulator something that is not in the script (docs/reference/visitor-scripts.md).
    ///
    /// # Errors
    /// When the simulator has ended.
    pub fn at_the_panel(&mut self, command: &str) -> Outcome {
        self.simulator.tell(command)
    }

    /// Prints no logs at the drop.
    pub fn keep_quiet(&mut self) {
        self.daemon.keep_quiet();
        self.simulator.keep_quiet();
    }

    /// The daemon's process id.
    pub fn daemon_id(&self) -> u32 {
        self.daemon.id()
    }

    /// A file in the box's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Kills the daemon, as a crash or a power cut would.
    pub fn kill_daemon(&mut self) {
        self.daemon.kill();
    }

    /// Starts the daemon again on what it left behind.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_daemon_again(&mut self) -> Outcome {
        self.daemon = start_daemon(&self.folder, &self.environment)?;
        wait::until_true("status from the daemon", Duration::from_secs(10), || {
            Ok(self.try_control(&["status"]).is_ok())
        })
    }

    /// Takes the line card away, as an unplugged board would be.
    pub fn unplug_card(&mut self) {
        self.simulator.kill();
    }

    /// Puts a line card back; its script begins anew. Its verdicts so far stay counted.
    ///
    /// # Errors
    /// When it does not start.
    pub fn plug_card(&mut self) -> Outcome {
        self.simulator = start_simulator(&self.folder, &self.simulated)?;
        match self.visited {
            true => self.visitor_comes(),
            false => Ok(()),
        }
    }

    /// The daemon's SIP address; the port is 5060.
    pub fn ip(&self) -> Ipv4Addr {
        self.address.ip()
    }

    /// What the daemon has logged so far.
    pub fn log(&self) -> String {
        self.daemon.errors() + &self.daemon.output()
    }

    /// Runs `trubka ... --json` against the daemon's control socket.
    ///
    /// # Errors
    /// When the command fails or does not print JSON.
    pub fn control(&mut self, words: &[&str]) -> Result<Value, Failure> {
        // The daemon does not wait for a disk that takes many seconds, and says so; a test may.
        let what = format!("disk that answers 'trubka {}'", words.join(" "));
        let answer = wait::until(&what, Duration::from_secs(5), || {
            self.daemon.must_live()?;
            let answer = self.try_control(words);
            let slow = |why: &String| SLOW_DISK.iter().any(|words| why.contains(words));
            Ok((!answer.as_ref().is_err_and(slow)).then_some(answer))
        })?;
        answer.map_err(|why| Failure::new(format!("trubka {}: {why}", words.join(" "))))
    }

    // Errors as text: while the daemon comes up they are no failure of the test.
    fn try_control(&self, words: &[&str]) -> Result<Value, String> {
        let result = program("trubka")
            .map_err(|failure| failure.to_string())?
            .arg("--socket")
            .arg(self.folder.join("control.sock"))
            .args(words)
            .arg("--json")
            .output()
            .map_err(|error| error.to_string())?;
        if !result.status.success() {
            return Err(String::from_utf8_lossy(&result.stderr).into_owned());
        }
        serde_json::from_slice(&result.stdout).map_err(|error| {
            format!(
                "no JSON ({error}): {}",
                String::from_utf8_lossy(&result.stdout)
            )
        })
    }

    /// The simulator's events so far: its verdicts, each a JSON object with `event` and `t_ms`.
    ///
    /// # Errors
    /// When a line of its output is no JSON.
    pub fn panel_events(&self) -> Result<Vec<Value>, Failure> {
        let output = self.simulator.output();
        // The last line may still be in the writing.
        let whole = output
            .rfind('\n')
            .and_then(|end| output.get(..end))
            .unwrap_or_default();
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).doing(|| format!("the simulator printed '{line}'"))
            })
            .collect()
    }

    /// How often the simulator has reported an event.
    ///
    /// # Errors
    /// As [`Gateway::panel_events`].
    pub fn panel_count(&self, event: &str) -> Result<usize, Failure> {
        let is = |value: &&Value| value.get("event").and_then(Value::as_str) == Some(event);
        Ok(self.panel_events()?.iter().filter(is).count())
    }

    /// Waits until the simulator has reported an event at least once.
    ///
    /// # Errors
    /// When it has not within the limit, or one of the programs ended.
    pub fn wait_panel(&mut self, event: &str, limit: Duration) -> Outcome {
        let what = format!("'{event}' from the panel");
        wait::until_true(&what, limit, || {
            self.daemon.must_live()?;
            Ok(self.panel_count(event)? > 0)
        })
    }

    /// The journal's records of one kind, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn journal(&mut self, kind: &str) -> Result<Vec<Value>, Failure> {
        let answer = self.control(&["journal"])?;
        let records = answer.get("records").unwrap_or(&answer).as_array().cloned();
        let is = |value: &Value| value.get("event").and_then(Value::as_str) == Some(kind);
        Ok(records
            .ok_or_else(|| Failure::new(format!("no list of records in {answer}")))?
            .into_iter()
            .filter(is)
            .collect())
    }

    /// The account gets into this state within a time that is promised; see [`Gateway::wait_account`].
    ///
    /// # Errors
    /// When it is not within the limit.
    pub fn account_must_soon_be(&mut self, state: &str, limit: Duration) -> Outcome {
        let what = format!("account that is {state}");
        wait::promised(&what, limit, || {
            let status = self.control(&["status"])?;
            Ok(text(&status, "/accounts/0/state") == Some(state))
        })
    }

    /// Waits until the account's state in the status is `state`.
    ///
    /// # Errors
    /// When it is not within the limit.
    pub fn wait_account(&mut self, state: &str, limit: Duration) -> Outcome {
        self.wait_status(&format!("account that is {state}"), limit, |status| {
            text(status, "/accounts/0/state") == Some(state)
        })
    }

    /// Waits until the line is idle and no call is left: the next visitor can come.
    ///
    /// # Errors
    /// When it is not within the limit.
    pub fn wait_idle(&mut self, limit: Duration) -> Outcome {
        self.wait_status("idle line without calls", limit, |status| {
            let calls = status
                .get("calls")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            calls == 0 && text(status, "/lines/0/phase") == Some(words::LINE_IDLE)
        })
    }

    fn wait_status(
        &mut self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Value) -> bool,
    ) -> Outcome {
        let mut last = Value::Null;
        let waited = wait::until_true(what, limit, || {
            last = self.control(&["status"])?;
            Ok(holds(&last))
        });
        waited.map_err(|failure| Failure::new(format!("{failure}; the last status: {last}")))
    }

    /// The lock opened `times` times by the simulator's verdict, and the journal has exactly as many
    /// records of openings, each with cause, party, apartment, line and time.
    ///
    /// # Errors
    /// When one of it is not so.
    pub fn must_have_opened(&mut self, times: usize) -> Outcome {
        let opened = self.panel_count(words::LOCK_OPENED)?;
        ensure(opened == times, || {
            format!("the lock opened {opened} times instead of {times}")
        })?;
        let records = self.journal(words::DOOR_OPENED)?;
        ensure(records.len() == times, || {
            format!(
                "{} journal records for {times} openings: {records:?}",
                records.len()
            )
        })?;
        for record in &records {
            for key in ["cause", "party", "apartment", "line", "time"] {
                ensure(
                    record.get(key).is_some_and(|value| !value.is_null()),
                    || format!("a journal record without {key}: {record}"),
                )?;
            }
            ensure(
                record.get("apartment").and_then(Value::as_u64) == Some(APARTMENT.into()),
                || format!("a journal record of another apartment: {record}"),
            )?;
        }
        Ok(())
    }

    /// The lock stayed closed by the simulator's verdict, and the journal says neither that it opened nor
    /// that anybody was refused.
    ///
    /// # Errors
    /// When one of it is not so.
    pub fn must_have_stayed_shut(&mut self) -> Outcome {
        self.must_have_opened(0)?;
        let refused = self.journal(words::DOOR_REFUSED)?;
        ensure(refused.is_empty(), || {
            format!("refusals where nobody asked: {refused:?}")
        })
    }

    /// The panel saw nothing that it would not see from a handset.
    ///
    /// # Errors
    /// When it did.
    pub fn must_be_clean_for_the_panel(&self) -> Outcome {
        let errors = self.panel_count(words::LINE_ERROR)?;
        ensure(errors == 0, || {
            format!("the panel found {errors} line errors")
        })
    }

    /// What the visitor heard so far.
    ///
    /// # Errors
    /// When there is no recording.
    pub fn visitor_heard(&self) -> Result<Recording, Failure> {
        Recording::read(&self.folder.join("visitor-heard.wav"))
    }

    /// What the visitor says.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn visitor_speech(&self) -> Result<Recording, Failure> {
        Recording::read(&self.folder.join("visitor.wav"))
    }

    /// Visitor and resident heard each other, the resident through phone 400 of the PBX. Ends both
    /// programs, so that their recordings are complete.
    ///
    /// # Errors
    /// When one of them lacks the other's words.
    pub fn must_have_joined_the_voices(&mut self, pbx: &Asterisk) -> Outcome {
        pbx.heard("400")?
            .must_hold("the visitor's", &self.visitor_speech()?)?;
        self.stop();
        self.visitor_heard()?
            .must_hold("the resident's", &pbx.speech()?)?;
        Ok(())
    }

    /// The visitor comes and the phone takes his call: the panel saw it and the journal says so.
    ///
    /// # Errors
    /// When it did not in time.
    pub fn must_be_answered(&mut self) -> Outcome {
        self.wait_account(words::REGISTERED, Duration::from_secs(10))?;
        self.visitor_comes()?;
        self.wait_panel(words::ANSWERED, Duration::from_secs(15))?;
        wait::until_true("record of the answer", Duration::from_secs(5), || {
            Ok(self.journal("call_answered")?.len() == 1)
        })
    }

    /// The first line runs with the profile that was learned on it; its text.
    ///
    /// # Errors
    /// When there is none, or the status names another.
    pub fn must_run_with_the_learned_profile(&mut self) -> Result<String, Failure> {
        let learned = self.path("riser-1-learned.toml");
        let text =
            std::fs::read_to_string(&learned).doing(|| "reading the learned profile".into())?;
        let learned = learned.display().to_string();
        wait::until_true(
            "status with the learned profile",
            Duration::from_secs(10),
            || {
                let status = self.control(&["status"]).unwrap_or_default();
                Ok(status.pointer("/lines/0/profile").and_then(Value::as_str) == Some(&learned))
            },
        )?;
        Ok(text)
    }

    /// Ends both programs as a system stop would, so that their recordings are complete.
    pub fn stop(&mut self) {
        self.daemon.stop(Duration::from_secs(5));
        self.simulator.stop(Duration::from_secs(5));
    }
}

/// A program of ours that goes before others where that is allowed, as root may: on a real box it has the processor for
/// itself, here the machine is full of other tests.
fn ahead_of_others(name: &str) -> Result<Command, Failure> {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "renice -n -10 -p $$ >/dev/null 2>&1; exec \"$@\"",
            "sh",
        ])
        .arg(program(name)?.get_program());
    Ok(command)
}

/// The daemon, as the configuration in the folder says.
fn start_daemon(folder: &Folder, environment: &[(String, String)]) -> Result<Process, Failure> {
    let mut command = ahead_of_others("trubkad")?;
    for (name, value) in environment {
        let value = value.replace("{folder}", &folder.path().display().to_string());
        command.env(name, value);
    }
    command
        .arg("--config")
        .arg(folder.join("trubka.toml"))
        .current_dir(folder.path());
    Process::start("trubkad", &mut command, folder.path())
}

/// The line, the panel and the visitor, as the script in the folder says.
fn start_simulator(folder: &Folder, more: &[String]) -> Result<Process, Failure> {
    let mut command = ahead_of_others("line-simulator")?;
    command
        .arg("--listen")
        .arg(folder.join("card.sock"))
        .args(["--wait-for-gateway", "--wait-for-begin"])
        .arg("--script")
        .arg(folder.join("visit.toml"))
        .arg("--heard")
        .arg(folder.join("visitor-heard.wav"))
        .args(more)
        .current_dir(folder.path());
    Process::start_listening("line-simulator", &mut command, folder.path())
}

/// Whether a journal's record of a call's quality says that it sounded as well as it can. What a busy machine concealed costs
/// some of it.
#[must_use]
pub fn sounded_well(record: &Value) -> bool {
    let number = |key: &str| record[key].as_f64();
    match (number("mos"), number("concealed_percent")) {
        (Some(mos), Some(concealed)) => mos > 4.0 || (concealed > 1.0 && mos > 1.0),
        _ => false,
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// A program of ours from the folder that this test was built into.
///
/// # Errors
/// When it is not there.
pub fn program(name: &str) -> Result<Command, Failure> {
    let test = std::env::current_exe()?;
    // target/debug/deps/test-123 -> target/debug
    let folder = test
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or_default();
    let path = folder.join(name);
    ensure(path.exists(), || {
        format!(
            "no {}; build it with 'cargo build --workspace --bins'",
            path.display()
        )
    })?;
    Ok(Command::new(path))
}

/// Runs `trubka ARGUMENTS` without a daemon and gives what it prints.
///
/// # Errors
/// When it fails.
pub fn trubka(arguments: &[&str]) -> Result<String, Failure> {
    process::run(program("trubka")?.args(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visit_is_a_script() {
        let visit = Visit::usual(3.0, 40.5);
        assert_eq!(
            visit.text(),
            "[[step]]\nat_s = 3.000\ndials = 42\n\n\
             [[step]]\nafter_answer_s = 0.3\nsays = \"visitor.wav\"\n\n\
             [[step]]\nat_s = 40.500\nleaves = true\n\n\
             [[step]]\nat_s = 3600\nleaves = true\n\n"
        );
    }

    #[test]
    fn every_target_is_in_the_configuration() {
        let mut settings = Settings::new("400", Visit::default());
        settings.targets.push("401".into());
        let [local, pbx] = [1, 2].map(|last| Ipv4Addr::new(127, 71, 0, last));
        let text = configuration(&settings, local, pbx, Path::new("/x"));
        assert!(text.contains("targets = [\"400\", \"401\"]"), "{text}");
        assert!(text.contains("listen = \"127.71.0.1:5060\""), "{text}");
        assert!(text.contains("domain = \"127.71.0.2\""), "{text}");
    }
}
