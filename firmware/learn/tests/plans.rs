//! What learning writes: nothing before it is told to, then files that the daemon takes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Config;
use control::Client;
use control::reply::{LineReading, Readings};
use line_interface::{BlockReading, DriveBlock, Profile, SenseBlock};
use line_simulation::{Action, Script, Setup, Simulation};
use trubka_learn::{LearnError, Session, Target};

const CONFIG: &str = "# the box of entrance 2
[[account]]
name = \"pbx\"
extension = \"600\"
domain = \"192.0.2.10\"

[[card]]
name = \"card\"
kind = \"virtual\"
socket = \"/run/card.sock\"

[[line]]
name = \"Riser 1\"
card = \"card\"
profile = \"vizit\" # as fitted
apartment = 42

[[route]]
apartment = 42
targets = [\"400\"]
";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("trubka-learn-{}-{name}", std::process::id()));
        // A killed run whose process had the same number may have left its sockets.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("trubka.toml"), CONFIG).unwrap();
        Folder(path)
    }

    fn config(&self) -> PathBuf {
        self.0.join("trubka.toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A daemon that sends the readings of one call, with `missed` readings lost in the middle of it.
fn daemon(socket: &Path, missed: u64) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("line tap"), "{line}");
        let done = serde_json::json!({ "done": { "id": 1, "result": "following" } });
        writeln!(stream, "{done}").unwrap();
        let mut sim = Simulation::new(Setup::brand("metakom").unwrap(), Script::default()).unwrap();
        let (drive, mut sense) = (DriveBlock::default(), SenseBlock::default());
        for batch in 0..400_u64 {
            match batch {
                30 => sim.visitor_dial(42),
                120 => sim.lift_handset(),
                150 => sim.act(&Action::Press(Duration::from_millis(600))),
                200 => sim.replace_handset(),
                _ => {}
            }
            let mut readings = Vec::new();
            for _ in 0..10 {
                sim.step(&drive, &mut sense);
                let r = BlockReading::of(&sense);
                readings.push(LineReading {
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
                });
            }
            let event = Readings {
                line: "Riser 1".into(),
                t_ms: batch * 100,
                missed: if batch == 140 { missed } else { 0 },
                readings,
            };
            let event = serde_json::json!({ "event": { "id": 1, "event": event } });
            // A session that has enough leaves.
            if writeln!(stream, "{event}").is_err() {
                return;
            }
        }
    });
}

fn learned(folder: &Folder, missed: u64) -> Result<Session, LearnError> {
    let socket = folder.0.join(format!("control-{missed}.sock"));
    daemon(&socket, missed);
    let client = Client::connect(&socket).unwrap();
    let wait = Duration::from_secs(1);
    let mut session = Session::begin(client, &folder.config(), "Riser 1", 1, wait)?;
    while !session.is_done() {
        for line in session.poll()? {
            assert!(line.len() <= 79, "{line}");
        }
    }
    Ok(session)
}

#[test]
fn a_profile_file_is_written_after_the_word_and_the_line_points_at_it() {
    let folder = Folder::new("profile");
    let session = learned(&folder, 0).unwrap();
    let plan = session.plan(Target::Profile, "2026-05-31").unwrap();
    assert_eq!(plan.files().count(), 2);
    for words in ["on-hook", "button", "noise", "confidence", "not applied"] {
        assert!(plan.measured().contains(words), "{}", plan.measured());
    }
    assert!(plan.measured().lines().all(|line| line.len() <= 80));
    let diff = plan.diff();
    for words in [
        "+name = \"riser-1-learned\"",
        "measured on Riser 1 2026-05-31",
        "riser-1-learned.toml",
    ] {
        assert!(diff.contains(words), "{diff}");
    }
    assert_eq!(std::fs::read_to_string(folder.config()).unwrap(), CONFIG);
    plan.write().unwrap();
    let text = std::fs::read_to_string(folder.config()).unwrap();
    let config = Config::parse(&text, "").unwrap();
    assert!(text.contains("# the box of entrance 2") && text.contains("# as fitted"));
    let profile = std::fs::read_to_string(&config.lines[0].profile).unwrap();
    Profile::from_toml(&profile).unwrap();
    // Whoever changed the file meanwhile is not overwritten.
    let error = plan.write().unwrap_err().to_string();
    assert!(
        error.contains("changed while") && error.contains("hint"),
        "{error}"
    );
}

#[test]
fn an_override_keeps_the_profile_and_is_replaced_by_the_next_one() {
    let folder = Folder::new("override");
    for date in ["2026-05-31", "2026-06-01"] {
        let _ = std::fs::remove_file(folder.0.join("control-0.sock"));
        let session = learned(&folder, 0).unwrap();
        let plan = session.plan(Target::Override, date).unwrap();
        assert_eq!(plan.files().count(), 1);
        plan.write().unwrap();
        let text = std::fs::read_to_string(folder.config()).unwrap();
        let config = Config::parse(&text, "").unwrap();
        assert_eq!(config.lines[0].profile, "vizit");
        assert_eq!(config.overrides.len(), 1, "{text}");
        let own = config.override_of(42).unwrap();
        assert_eq!(own.source, format!("measured on Riser 1 {date}"));
        assert!(own.values.len() >= 6, "{own:?}");
        let base = Profile::builtin("vizit").unwrap();
        let profile = config.profile_for(42, &base).unwrap();
        assert_ne!(profile.bands, base.bands);
        assert_eq!(config.profile_for(43, &base).unwrap(), base);
    }
}

#[test]
fn nothing_is_proposed_from_a_call_with_holes() {
    let folder = Folder::new("holes");
    // The stand-in has no second call: the session goes on waiting until its daemon leaves.
    let error = learned(&folder, 50).unwrap_err().to_string();
    assert!(error.contains("broke off"), "{error}");
}

#[test]
fn a_line_that_is_not_there_is_named_with_those_that_are() {
    let folder = Folder::new("nobody");
    let socket = folder.0.join("c.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let client = Client::connect(&socket).unwrap();
    let wait = Duration::from_secs(1);
    let error = Session::begin(client, &folder.config(), "apt7", 1, wait).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("apt7") && error.contains("lines: Riser 1"),
        "{error}"
    );
}
