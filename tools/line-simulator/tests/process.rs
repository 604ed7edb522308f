//! The program as a gateway and a person at the keyboard see it.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use line_interface::virtual_card::VirtualCard;
use line_interface::{
    DriveBlock, HandsetFitting, Line, LineCard, LineEvent, LineKind, Profile, SenseBlock,
};

/// A folder of its own for every test, removed afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("line-simulator-{}-{name}", std::process::id()));
        // A killed run whose process had the same number may have left its files.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Simulator(Child);

impl Simulator {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_line-simulator"))
            .arg("--listen")
            .arg(folder.path("card"))
            .args(arguments)
            .current_dir(&folder.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        while !folder.path("card").exists() {
            assert!(Instant::now() < until, "the socket never appeared");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }

    fn type_in(&mut self, text: &str) {
        let stdin = self.0.stdin.as_mut().unwrap();
        writeln!(stdin, "{text}").unwrap();
        stdin.flush().unwrap();
    }

    fn events(&mut self) -> Vec<serde_json::Value> {
        BufReader::new(self.0.stdout.take().unwrap())
            .lines()
            .map(|l| serde_json::from_str(&l.unwrap()).unwrap())
            .collect()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn connect(path: &Path) -> VirtualCard<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    VirtualCard::connect(stream, "test").unwrap()
}

fn named<'a>(events: &'a [serde_json::Value], name: &str) -> Vec<&'a serde_json::Value> {
    events.iter().filter(|e| e["event"] == name).collect()
}

#[test]
fn a_scripted_call_runs_in_lockstep_and_leaves_its_files() {
    let folder = Folder::new("lockstep");
    std::fs::write(
        folder.path("visit.toml"),
        "[[step]]\nat_s = 0.5\ndials = 42\n[[step]]\nafter_answer_s = 8.0\nleaves = true\n",
    )
    .unwrap();
    let mut simulator = Simulator::start(
        &folder,
        &[
            "--brand",
            "cyfral",
            "--script",
            "visit.toml",
            "--speed",
            "lockstep",
            "--heard",
            "heard.wav",
            "--trace",
            "trace.csv",
        ],
    );
    let mut card = connect(&folder.path("card"));
    let mut line = Line::new(Profile::builtin("cyfral").unwrap(), HandsetFitting::Relayed);
    let (mut drive, mut sense) = ([DriveBlock::default()], [SenseBlock::default()]);
    let mut blocks = 0_u64;
    while {
        drive[0].drive = line.drive();
        card.exchange(&drive, &mut sense).is_ok()
    } {
        blocks += 1;
        let now = Duration::from_millis(blocks * 10);
        line.handle_block(now, &sense[0]);
        while let Some(event) = line.poll_event() {
            match event {
                LineEvent::RingConfirmed => line.answer(now).unwrap(),
                LineEvent::OffHookSettled => line.release_door(now, 1).unwrap(),
                _ => {}
            }
        }
        assert!(blocks < 10_000, "the simulator never ended");
    }
    assert!(simulator.0.wait().unwrap().success());
    let events = simulator.events();
    assert_eq!(named(&events, "dialled")[0]["apartment"], 42);
    assert_eq!(named(&events, "lock_opened").len(), 1);
    assert_eq!(named(&events, "call_dropped")[0]["why"], "visitor_left");
    assert_eq!(named(&events, "finished").len(), 1);
    let wav = hound::WavReader::open(folder.path("heard.wav")).unwrap();
    assert_eq!(u64::from(wav.duration()), blocks * 80);
    let trace = std::fs::read_to_string(folder.path("trace.csv")).unwrap();
    assert_eq!(trace.lines().count() as u64, blocks + 1);
    assert!(trace.contains(",residue,isolated,talking") && !folder.path("card").exists());
}

#[test]
fn a_panel_of_any_kind_rings_as_long_as_it_is_told() {
    for topology in ["pair", "matrix", "pulse"] {
        let folder = Folder::new(&format!("rings-{topology}"));
        std::fs::write(
            folder.path("visit.toml"),
            "[[step]]\nat_s = 0.5\ndials = 42\n",
        )
        .unwrap();
        let arguments = "--script visit.toml --speed lockstep --rings-s 41 --topology";
        let mut arguments: Vec<&str> = arguments.split(' ').collect();
        arguments.push(topology);
        let mut simulator = Simulator::start(&folder, &arguments);
        let mut card = connect(&folder.path("card"));
        let (drive, mut sense) = ([DriveBlock::default()], [SenseBlock::default()]);
        let mut blocks = 0;
        while card.exchange(&drive, &mut sense).is_ok() {
            blocks += 1;
            assert!(blocks < 10_000, "the simulator of a {topology} never ended");
        }
        assert!(simulator.0.wait().unwrap().success());
        let events = simulator.events();
        let dropped = named(&events, "call_dropped");
        assert_eq!(dropped[0]["why"], "no_answer", "{topology}: {events:?}");
        let at = |event: &serde_json::Value| event["t_ms"].as_u64().unwrap();
        let rang = at(dropped[0]) - at(named(&events, "ringing")[0]);
        assert!((41_000..41_100).contains(&rang), "{topology}: {rang} ms");
    }
}

#[test]
fn commands_drive_a_line_and_a_silent_gateway_lets_go_of_it() {
    let folder = Folder::new("live");
    let mut simulator = Simulator::start(&folder, &["--lines", "2"]);
    let mut card = connect(&folder.path("card"));
    assert_eq!(card.info().lines, [LineKind::Pair; 2]);
    simulator.type_in("1: dial 7");
    simulator.type_in("sing");
    simulator.type_in("begin");
    let profile = Profile::builtin("vizit").unwrap();
    let mut line = Line::new(profile, HandsetFitting::Relayed);
    let mut drive = [DriveBlock::default(); 2];
    let mut sense = [SenseBlock::default(), SenseBlock::default()];
    let start = Instant::now();
    let mut blocks = 0_u32;
    let mut answered = false;
    while !answered {
        drive[1].drive = line.drive();
        card.exchange(&drive, &mut sense).unwrap();
        blocks += 1;
        let now = start.elapsed();
        line.handle_block(now, &sense[1]);
        while let Some(event) = line.poll_event() {
            if event == LineEvent::RingConfirmed {
                line.answer(now).unwrap();
                answered = true;
            }
        }
        assert!(blocks < 500, "no ring");
    }
    // Blocks come at the simulator's pace, one every 10 ms. A busy machine may keep us from asking in time, never make them early.
    let pace = start.elapsed().as_secs_f64() * 100.0 / f64::from(blocks);
    assert!((0.7..5.0).contains(&pace), "{pace}");
    drive[1].drive = line.drive();
    for _ in 0..30 {
        card.exchange(&drive, &mut sense).unwrap();
    }
    assert!(sense[1].line_milliamps[40] > 10.0, "off-hook current");
    // The gateway hangs without closing: the watchdog gives the line back.
    std::thread::sleep(Duration::from_millis(1000));
    simulator.type_in("quit");
    assert!(simulator.0.wait().unwrap().success());
    let events = simulator.events();
    assert_eq!(named(&events, "watchdog").len(), 1);
    assert_eq!(named(&events, "answered")[0]["line"], 1);
    assert_eq!(named(&events, "call_dropped")[0]["why"], "on_hook");
    let refused = named(&events, "command_refused");
    assert!(refused[0]["hint"].as_str().unwrap().contains("dial N"));
    // Nothing waited for the word.
    let hint = refused[1]["hint"].as_str().unwrap();
    assert!(hint.contains("--wait-for-begin"), "{hint}");
}

#[test]
fn a_script_waits_for_the_word_to_begin() {
    let folder = Folder::new("begin");
    std::fs::write(
        folder.path("visit.toml"),
        "[[step]]\nat_s = 0\ndials = 7\n[[step]]\nat_s = 2\nleaves = true\n",
    )
    .unwrap();
    let arguments = "--script visit.toml --speed lockstep --wait-for-begin";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let mut simulator = Simulator::start(&folder, &arguments);
    let mut card = connect(&folder.path("card"));
    let (drive, mut sense) = ([DriveBlock::default()], [SenseBlock::default()]);
    for _ in 0..300 {
        card.exchange(&drive, &mut sense).unwrap();
    }
    simulator.type_in("begin");
    // Typed words and drives come on different ways.
    let mut blocks = 0;
    while card.exchange(&drive, &mut sense).is_ok() {
        blocks += 1;
        assert!(blocks < 500_000, "the simulator never ended");
    }
    assert!(simulator.0.wait().unwrap().success());
    let events = simulator.events();
    let begun = named(&events, "command")[0]["t_ms"].as_u64().unwrap();
    let dialled = named(&events, "dialled")[0]["t_ms"].as_u64().unwrap();
    assert!(begun >= 3_000 && dialled >= begun, "{events:?}");
}

#[test]
fn a_gateway_may_come_back_and_a_stranger_is_refused() {
    let folder = Folder::new("again");
    let mut simulator = Simulator::start(&folder, &[]);
    let mut sense = [SenseBlock::default()];
    for _ in 0..3 {
        let mut card = connect(&folder.path("card"));
        for _ in 0..5 {
            card.exchange(&[DriveBlock::default()], &mut sense).unwrap();
        }
    }
    let mut stranger = UnixStream::connect(folder.path("card")).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut card = connect(&folder.path("card"));
    card.exchange(&[DriveBlock::default()], &mut sense).unwrap();
    simulator.type_in("quit");
    assert!(simulator.0.wait().unwrap().success());
    let events = simulator.events();
    assert_eq!(named(&events, "gateway_connected").len(), 4);
    assert_eq!(named(&events, "connection_refused").len(), 1);
    // The first three are gone by then, each told once, whether it ended or was replaced.
    assert_eq!(named(&events, "gateway_lost").len(), 3);
}

#[test]
fn a_termination_signal_finishes_the_recording() {
    let folder = Folder::new("signal");
    let mut simulator = Simulator::start(&folder, &["--heard", "heard.wav"]);
    std::thread::sleep(Duration::from_millis(300));
    let pid = simulator.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert!(simulator.0.wait().unwrap().success());
    let wav = hound::WavReader::open(folder.path("heard.wav")).unwrap();
    assert!(wav.duration() > 800, "{}", wav.duration());
    assert_eq!(named(&simulator.events(), "finished").len(), 1);
}
