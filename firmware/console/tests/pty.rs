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
                if writeln!(stream, "{answer}").is_err() || tell.send(command).is_err() {
                    return;
                }
                line.clear();
            }
        }
    });
    told
}

struct Technician {
    port: TTYPort,
    seen: String,
}

impl Technician {
    fn expect(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(20);
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
