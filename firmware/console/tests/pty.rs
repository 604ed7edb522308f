//! The console over a real pty pair, with the real serial port crate, against a stand-in for the
//! daemon that speaks the control protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use control::reply::{LineReading, Readings};
use line_interface::{BlockReading, DriveBlock, SenseBlock};
use line_simulation::{Action, Script, Setup as Parts, Simulation};
use serialport::{SerialPort as _, TTYPort};
use trubka_console::{Setup, serve};

const CONFIG: &str = "# the box of entrance 2
[[account]]
name = \"pbx\"
extension = \"600\" # ours
domain = \"192.0.2.10\"
password = \"old secret\"

[[card]]
name = \"card\"
kind = \"virtual\"
socket = \"/run/card.sock\"

[[line]]
name = \"apt42\"
card = \"card\"
profile = \"vizit\"
apartment = 42

[[route]]
apartment = 42
targets = [\"400\"]
";

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let path =
            std::env::temp_dir().join(format!("trubka-console-{}-{name}", std::process::id()));
        // A killed run whose process had the same number may have left its socket.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Answers every command and remembers it.
fn stand_in(socket: &Path) -> Receiver<String> {
    let listener = UnixListener::bind(socket).unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 0) {
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                let command = request["command"].as_str().unwrap().to_owned();
                let result = match command.as_str() {
                    "doctor" => {
                        serde_json::json!({ "checks": [{ "name": "line apt42", "verdict": "fail", "finding": "short: 0.1 V", "hint": "unplug the handset" }] })
                    }
                    "reload" => "starting anew".into(),
                    "door test" => "the door release is ordered".into(),
                    _ => serde_json::Value::Null,
                };
                let answer =
                    serde_json::json!({ "done": { "id": request["id"], "result": result } });
                let mut stream = stream.try_clone().unwrap();
                let tapped = command == "line tap";
                if writeln!(stream, "{answer}").is_err() || tell.send(command).is_err() {
                    return;
                }
                if tapped && !send_call(&mut stream, &request["id"]) {
                    break;
                }
                line.clear();
            }
        }
    });
    told
}

/// The readings of a whole call that the old handset answers, as the daemon would send them.
fn send_call(stream: &mut impl std::io::Write, id: &serde_json::Value) -> bool {
    let mut sim = Simulation::new(Parts::brand("eltis").unwrap(), Script::default()).unwrap();
    let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
    for batch in 0..350_u64 {
        match batch {
            30 => sim.visitor_dial(42),
            120 => sim.lift_handset(),
            150 => sim.act(&Action::Press(Duration::from_millis(600))),
            200 => sim.replace_handset(),
            _ => {}
        }
        let readings: Vec<LineReading> = (0..10)
            .map(|_| {
                sim.step(&drive, &mut sense);
                let r = BlockReading::of(&sense);
                LineReading {
                    volts: r.mean_volts,
                    level_volts: r.level_volts,
                    low_volts: r.low_volts,
                    high_volts: r.high_volts,
                    swing_volts: r.swing_volts,
                    fill: r.fill,
                    tone_hz: r.tone_hz,
                    chopped: r.chopped,
                    load: "off".into(),
                    relay: "through".into(),
                    ..LineReading::default()
                }
            })
            .collect();
        let batch = Readings {
            line: "apt42".into(),
            t_ms: batch * 100,
            missed: 0,
            readings,
        };
        let event = serde_json::json!({ "event": { "id": id, "event": batch } });
        if writeln!(stream, "{event}").is_err() {
            return false;
        }
    }
    true
}

struct Technician {
    port: TTYPort,
    seen: String,
    last: &'static str,
}

impl Technician {
    fn expect(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut buffer = [0; 512];
        while !self.seen.contains(text) {
            assert!(
                Instant::now() < end,
                "waited for {text:?}, saw:\n{}",
                self.seen
            );
            if let Ok(length) = self.port.read(&mut buffer) {
                self.seen += &String::from_utf8_lossy(&buffer[..length]);
            }
        }
        let at = self.seen.find(text).unwrap() + text.len();
        for line in self.seen[..at].lines() {
            assert!(
                line.chars().count() <= 80,
                "a line of over 80 columns: {line}"
            );
        }
        self.seen.drain(..at);
    }

    /// Waits for any of several texts; the first that is there is `last`.
    fn expect_one(&mut self, texts: &[&'static str]) {
        let end = Instant::now() + Duration::from_secs(60);
        let mut buffer = [0; 512];
        loop {
            let first = texts
                .iter()
                .filter_map(|text| self.seen.find(text).map(|at| (at, *text)))
                .min();
            if let Some((at, text)) = first {
                self.seen.drain(..at + text.len());
                self.last = text;
                return;
            }
            assert!(Instant::now() < end, "waited for {texts:?}: {}", self.seen);
            if let Ok(length) = self.port.read(&mut buffer) {
                self.seen += &String::from_utf8_lossy(&buffer[..length]);
            }
        }
    }

    fn types(&mut self, text: &str) {
        self.port.write_all(text.as_bytes()).unwrap();
        self.port.write_all(b"\r").unwrap();
    }
}

struct Session {
    technician: Technician,
    commands: Receiver<String>,
    directory: Directory,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Session {
    fn start(name: &str) -> Session {
        let directory = Directory::new(name);
        let path = |name: &str| directory.0.join(name);
        std::fs::write(path("trubka.toml"), CONFIG).unwrap();
        let setup = Setup {
            config_file: path("trubka.toml"),
            socket: path("control.sock"),
            password_file: path("password"),
            idle_logout: Duration::from_secs(60),
        };
        let commands = stand_in(&setup.socket);
        let (mut ours, mut theirs) = TTYPort::pair().unwrap();
        ours.set_timeout(Duration::from_millis(50)).unwrap();
        theirs.set_timeout(Duration::from_millis(50)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            serve(theirs, &setup, || stopped.load(Ordering::Relaxed));
        });
        Session {
            technician: Technician {
                port: ours,
                seen: String::new(),
                last: "",
            },
            commands,
            directory,
            stop,
            thread: Some(thread),
        }
    }

    fn log_in(&mut self) {
        let technician = &mut self.technician;
        technician.expect("press Enter");
        technician.types("");
        technician.expect("No console password is set");
        technician.expect("characters or more): ");
        technician.types("ladder and lamp");
        technician.expect("once more: ");
        technician.types("ladder and lamp");
        technician.expect("choose: ");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn the_first_login_sets_the_password_and_a_wrong_one_is_turned_away() {
    let mut session = Session::start("login");
    session.log_in();
    let technician = &mut session.technician;
    technician.types("0");
    technician.expect("press Enter");
    technician.types("");
    technician.expect("password: ");
    technician.types("guess");
    technician.expect("wrong password");
    technician.expect("press Enter");
    technician.types("");
    technician.expect("password: ");
    technician.types("ladder and lamp");
    technician.expect("choose: ");
    let stored = std::fs::read_to_string(session.directory.0.join("password")).unwrap();
    assert!(
        !stored.contains("ladder"),
        "the password is stored in clear"
    );
}

#[test]
fn an_account_is_changed_with_comments_kept_and_the_password_unseen() {
    let mut session = Session::start("account");
    session.log_in();
    let technician = &mut session.technician;
    technician.types("1");
    technician.expect("PBX name or address [192.0.2.10]: ");
    technician.types("pbx.example.org");
    technician.expect("extension [600]: ");
    // A slip and its correction: backspace takes it back.
    technician.types("609\u{7f}1");
    technician.expect("authentication name, if another []: ");
    technician.types("");
    technician.expect("name shown on phones []: ");
    technician.types("");
    technician.expect("password [unchanged]: ");
    technician.types("new secret");
    technician.expect("[y/N] ");
    technician.types("y");
    technician.expect("saved");
    let text = std::fs::read_to_string(session.directory.0.join("trubka.toml")).unwrap();
    assert!(
        text.contains("# the box of entrance 2") && text.contains("extension = \"601\" # ours"),
        "{text}"
    );
    assert!(
        text.contains("domain = \"pbx.example.org\"") && text.contains("password = \"new secret\""),
        "{text}"
    );
    technician.expect("choose: ");
    assert!(
        !technician.seen.contains("new secret"),
        "the password was shown"
    );
    assert!(
        session
            .commands
            .try_iter()
            .any(|command| command == "reload")
    );
}

#[test]
fn a_bad_value_is_refused_with_a_hint_and_nothing_is_written() {
    let mut session = Session::start("bad");
    session.log_in();
    let technician = &mut session.technician;
    technician.types("2");
    technician.expect("profile [vizit]: ");
    technician.types("vizzit");
    technician.expect("handset: relayed or absent [relayed]: ");
    technician.types("");
    technician.expect("built-in profile");
    technician.expect("hint: ");
    technician.expect("nothing was changed");
    assert_eq!(
        std::fs::read_to_string(session.directory.0.join("trubka.toml")).unwrap(),
        CONFIG
    );
}

#[test]
fn the_door_is_not_opened_without_a_yes() {
    let mut session = Session::start("door");
    session.log_in();
    let technician = &mut session.technician;
    technician.types("5");
    technician.expect("[y/N] ");
    technician.types("");
    technician.expect("choose: ");
    assert!(
        !session
            .commands
            .try_iter()
            .any(|command| command == "door test")
    );
    let technician = &mut session.technician;
    technician.types("5");
    technician.expect("[y/N] ");
    technician.types("y");
    technician.expect("ordered");
    assert!(
        session
            .commands
            .try_iter()
            .any(|command| command == "door test")
    );
}

#[test]
fn the_doctor_shows_its_hints() {
    let mut session = Session::start("doctor");
    session.log_in();
    session.technician.types("8");
    session.technician.expect("FAIL  line apt42");
    session.technician.expect("hint: unplug the handset");
}

#[test]
fn a_line_is_learned_and_only_a_yes_writes_it() {
    let mut session = Session::start("learn");
    session.log_in();
    for accept in [false, true] {
        let technician = &mut session.technician;
        technician.types("l");
        technician.expect("how many calls [1]: ");
        technician.types("");
        technician.expect("as an override? [y/N] ");
        technician.types("");
        for words in [
            "Nothing is loaded and nothing is written",
            "1 rest",
            "2 dial",
            "3 ring",
            "4 lift",
            "6 button",
            "button: ",
            "7 replace",
            "back on its hook",
            "call 1 is measured",
            "on-hook",
        ] {
            technician.expect(words);
        }
        // The proposal goes on for more than a page.
        technician.expect("-- Enter goes on");
        technician.types("");
        loop {
            technician.expect_one(&["[y/N] ", "-- Enter goes on"]);
            if technician.last == "[y/N] " {
                break;
            }
            technician.types("");
        }
        technician.types(if accept { "y" } else { "" });
        technician.expect(if accept {
            "written;"
        } else {
            "nothing was changed"
        });
        technician.expect("choose: ");
        let config = std::fs::read_to_string(session.directory.0.join("trubka.toml")).unwrap();
        let profile = session.directory.0.join("apt42-learned.toml");
        if accept {
            assert!(config.contains("apt42-learned.toml") && config.contains("# the box"));
            let text = std::fs::read_to_string(profile).unwrap();
            line_interface::Profile::from_toml(&text).unwrap();
        } else {
            assert_eq!(config, CONFIG);
            assert!(!profile.exists());
        }
    }
    assert!(
        session
            .commands
            .try_iter()
            .any(|command| command == "reload")
    );
}

#[test]
fn learning_ends_at_any_key() {
    let mut session = Session::start("learn-key");
    session.log_in();
    let technician = &mut session.technician;
    technician.types("l");
    technician.expect("how many calls [1]: ");
    // More calls than ever come.
    technician.types("9");
    technician.expect("as an override? [y/N] ");
    technician.types("y");
    technician.expect("call 1 is measured");
    technician.types("x");
    technician.expect("ended; nothing was changed");
}
