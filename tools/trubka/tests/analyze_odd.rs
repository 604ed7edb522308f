//! Recordings as people really make them, through `trubka line analyze`: offsets, clipping, files that
//! are cut off, panels that keep a pair unfed between bursts, options that do not fit.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::Value;

const ON: f32 = 2.31;
const OFF: f32 = 6.4;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trubka-odd-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn wav(&self, rate: u32, channels: &[&[f32]]) -> PathBuf {
        let path = self.0.join("line.wav");
        let spec = WavSpec {
            channels: channels.len() as u16,
            sample_rate: rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let mut out = WavWriter::create(&path, spec).unwrap();
        for i in 0..channels[0].len() {
            for channel in channels {
                out.write_sample(channel[i] / 16.0).unwrap();
            }
        }
        out.finalize().unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Volts for a time; with a frequency they are chopped, as a panel rings.
fn line(rate: u32, parts: &[(f32, f32, f32)]) -> Vec<f32> {
    let mut out = Vec::new();
    let mut seconds = 0.0;
    for (length, volts, hz) in parts {
        seconds += length;
        let from = out.len();
        while (out.len() as f32) < seconds * rate as f32 {
            let t = (out.len() - from) as f32 / rate as f32;
            let fed = *hz == 0.0 || (t * hz).fract() < 0.5;
            out.push(if fed { *volts } else { 0.03 });
        }
    }
    out
}

fn run(file: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trubka"))
        .args(["line", "analyze", file.to_str().unwrap()])
        .args(["--full-scale-volts", "16"])
        .args(more)
        .output()
        .unwrap()
}

fn analyze(file: &Path, more: &[&str]) -> Vec<Value> {
    let out = run(file, &[more, &["--json"]].concat());
    assert!(out.status.success(), "{out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

/// Names and seconds, faults by their kind.
fn told(events: &[Value]) -> Vec<(String, f64)> {
    let events = events.iter().filter(|e| e["event"] != "summary");
    events
        .map(|e| {
            let name = e["kind"].as_str().filter(|_| e["event"] == "line_fault");
            let name = name.or(e["event"].as_str()).unwrap();
            (name.to_owned(), e["t_ms"].as_f64().unwrap() / 1000.0)
        })
        .collect()
}

#[track_caller]
fn expect(events: &[Value], wanted: &[(&str, f64)]) {
    let told = told(events);
    let alike = told.len() == wanted.len()
        && told
            .iter()
            .zip(wanted)
            .all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() <= 0.03);
    assert!(alike, "{told:?} is not {wanted:?}");
}

#[track_caller]
fn notes(events: &[Value], part: &str) {
    let notes = events.last().unwrap()["notes"].to_string();
    assert!(notes.contains(part), "{notes}");
}

const CALL: [(f32, f32, f32); 8] = [
    (1.0, 0.0, 0.0),
    (0.3, ON, 0.0),
    (1.0, ON, 1000.0),
    (0.7, ON, 0.0),
    (2.0, OFF, 0.0),
    (0.5, 11.6, 0.0),
    (0.5, OFF, 0.0),
    (4.0, 0.0, 0.0),
];
const TOLD: [(&str, f64); 7] = [
    ("line_active", 1.0),
    ("ring_started", 1.3),
    ("ring_burst", 1.3),
    ("ring_stopped", 2.3),
    ("handset_lifted", 3.0),
    ("door_button", 5.0),
    ("line_idle", 6.0),
];

#[test]
fn a_ring_of_any_frequency_is_one_at_any_rate() {
    let folder = Folder::new("rates");
    for (rate, hz) in [
        (44_100, 2400.0),
        (11_025, 2400.0),
        (11_025, 1600.0),
        (48_000, 3000.0),
        (192_000, 3000.0),
    ] {
        let mut call = CALL;
        call[2].2 = hz;
        let file = folder.wav(rate, &[&line(rate, &call)]);
        expect(&analyze(&file, &[]), &TOLD);
    }
}

#[test]
fn a_recorder_s_offset_is_no_short_and_a_step_is() {
    let folder = Folder::new("offset");
    for offset in [-0.2, 0.06, 0.15] {
        let volts: Vec<f32> = line(8000, &CALL).iter().map(|v| v + offset).collect();
        expect(&analyze(&folder.wav(8000, &[&volts]), &[]), &TOLD);
        let step: Vec<f32> = line(8000, &[(1.0, 0.0, 0.0), (0.6, 0.1, 0.0), (2.0, 0.0, 0.0)])
            .iter()
            .map(|v| v + offset)
            .collect();
        expect(
            &analyze(&folder.wav(8000, &[&step]), &[]),
            &[("line_active", 1.0), ("short", 1.0), ("line_idle", 1.6)],
        );
    }
}

#[test]
fn pauses_without_a_feed_are_bridged_like_those_with_one() {
    let folder = Folder::new("unfed");
    let burst = (1.0, ON, 1000.0);
    let pause = (1.8, 0.0, 0.0);
    let call = [
        (1.0, 0.0, 0.0),
        burst,
        pause,
        burst,
        pause,
        burst,
        (8.0, 0.0, 0.0),
    ];
    let file = folder.wav(8000, &[&line(8000, &call)]);
    for profile in ["auto", "vizit", "cyfral", "eltis", "metakom"] {
        expect(
            &analyze(&file, &["--profile", profile]),
            &[
                ("line_active", 1.0),
                ("ring_started", 1.0),
                ("ring_burst", 1.0),
                ("ring_burst", 3.8),
                ("ring_burst", 6.6),
                ("ring_stopped", 7.6),
                ("line_idle", 7.6),
            ],
        );
    }
}

#[test]
fn a_handset_that_is_off_its_hook_when_the_panel_rings_is_the_fault() {
    let folder = Folder::new("stuck");
    let call = [
        (1.0, 0.0, 0.0),
        (1.0, OFF, 1000.0),
        (1.0, OFF, 0.0),
        (4.0, 0.0, 0.0),
    ];
    let seen = analyze(&folder.wav(8000, &[&line(8000, &call)]), &[]);
    let told = told(&seen);
    assert!(told.iter().any(|t| t.0 == "stuck_off_hook"), "{told:?}");
    assert!(told.iter().all(|t| t.0 != "handset_lifted"), "{told:?}");
    let fault = seen.iter().find(|e| e["kind"] == "stuck_off_hook").unwrap();
    assert!((fault["volts"].as_f64().unwrap() - 6.4).abs() < 0.1);
}

#[test]
fn what_happens_under_the_lock_out_keeps_its_order() {
    let folder = Folder::new("lockout");
    let call = [
        (1.0, ON, 1000.0),
        (0.5, ON, 0.0),
        (1.0, OFF, 0.0),
        (0.5, ON, 0.0),
    ];
    // The ring that remains, and a visitor who dials again at once.
    let mut parts = vec![(1.0, 0.0, 0.0)];
    parts.extend(call);
    parts.push((1.0, ON, 1000.0));
    parts.push((5.0, 0.0, 0.0));
    let seen = analyze(&folder.wav(8000, &[&line(8000, &parts)]), &[]);
    let first = [
        ("line_active", 1.0),
        ("ring_started", 1.0),
        ("ring_burst", 1.0),
        ("ring_stopped", 2.0),
        ("handset_lifted", 2.5),
        ("handset_replaced", 3.5),
    ];
    expect(
        &seen,
        &[&first[..], &[("tone", 4.0), ("line_idle", 5.0)]].concat(),
    );
    assert_eq!(seen[6]["kind"], "residual");
    parts[5] = (1.5, 0.0, 0.0);
    parts.insert(6, (4.0, ON, 0.0));
    let seen = analyze(&folder.wav(8000, &[&line(8000, &parts)]), &[]);
    expect(
        &seen,
        &[
            &first[..],
            &[("line_idle", 4.0), ("line_active", 5.5), ("line_idle", 9.5)],
        ]
        .concat(),
    );
}

#[test]
fn what_makes_readings_doubtful_is_noted() {
    let folder = Folder::new("notes");
    let call = line(8000, &CALL);
    let clipped: Vec<f32> = call.iter().map(|v| (v * 2.0).min(16.0)).collect();
    let seen = analyze(&folder.wav(8000, &[&clipped]), &[]);
    notes(&seen, "500 ms are at full scale");
    let mut odd = call.clone();
    odd[4000] = f32::NAN;
    odd[4001] = f32::INFINITY;
    let seen = analyze(&folder.wav(8000, &[&odd]), &[]);
    expect(&seen, &TOLD);
    notes(&seen, "2 samples are no numbers");
    let silent = vec![0.0; call.len()];
    let file = folder.wav(8000, &[&silent, &call]);
    let seen = analyze(&file, &[]);
    notes(&seen, "first of 2 channels");
    notes(&seen, "nothing happened");
    expect(&analyze(&file, &["--channels=-,line"]), &TOLD);
    let file = folder.wav(8000, &[&call]);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let seen = analyze(&file, &["--switch", "bk-100"]);
    notes(&seen, "of the 10000 ms that its header tells");
    notes(&seen, "--switch is of a matrix");
    assert_eq!(seen.last().unwrap()["duration_ms"], 4998);
}

#[test]
fn without_json_people_read_lines_of_eighty_columns() {
    let folder = Folder::new("text");
    let call = line(8000, &[(1.0, 0.0, 0.0), (1.0, 11.6, 0.0), (3.0, 0.0, 0.0)]);
    let out = run(&folder.wav(8000, &[&call]), &[]);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.starts_with("    1.000 s  line active\n"), "{text}");
    assert!(
        text.contains("line fault        open, 0.0 mA, 11.6"),
        "{text}"
    );
    assert!(text.contains("\nopen          11.60 V"), "{text}");
    assert!(text.contains("read with custom"), "{text}");
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
}

#[test]
fn options_that_do_not_fit_are_refused_with_a_hint() {
    let folder = Folder::new("options");
    let file = folder.wav(8000, &[&line(8000, &CALL)]);
    for (more, cause, hint) in [
        (
            &["--channels", "current"][..],
            "none is called line",
            "line and current",
        ),
        (
            &["--channels", "line,line"],
            "named twice",
            "line and current",
        ),
        (
            &["--channels", "line,-"],
            "2 names, the recording has 1",
            "name only",
        ),
        (
            &["--topology", "pulse", "--channels", "D0"],
            "no channel is called \"d0\"",
            "-,line",
        ),
        (
            &["--topology", "pair", "--profile", "laskomex-class"],
            "profile of a pulse line",
            "--topology pulse",
        ),
        (&["--full-scale-volts=-5"], "", ""),
    ] {
        let out = run(&file, more);
        assert_eq!(out.status.code(), Some(2), "{more:?}");
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(said.contains(cause) && said.contains(hint), "{said}");
    }
    let out = run(&folder.0.join("none.wav"), &[]);
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("check the name"));
}

/// A selection of `count` pulses at 1.2 s, and its ring; seconds of rest behind it.
fn selection(rate: u32, count: usize, rest: f32) -> Vec<f32> {
    let mut parts = vec![(1.0, 6.4, 0.0), (0.2, 0.2, 0.0), (0.0022, 10.9, 0.0)];
    for _ in 0..count {
        parts.push((22e-6, 0.2, 0.0));
        parts.push((100e-6, 10.9, 0.0));
    }
    parts.push((0.05, 10.9, 0.0));
    parts.push((0.9, 10.9, 1000.0));
    parts.push((rest, 6.4, 0.0));
    line(rate, &parts)
}

#[test]
fn each_pulse_selection_is_a_call_of_its_own_with_its_levels() {
    let folder = Folder::new("pulses");
    let rate = 192_000;
    let both = [selection(rate, 7, 0.5), selection(rate, 9, 1.0)].concat();
    let file = folder.wav(rate, &[&both]);
    // The profile says which topology it is.
    let seen = analyze(&file, &["--profile", "laskomex-class"]);
    let codes: Vec<_> = seen
        .iter()
        .filter(|e| e["event"] == "apartment_code")
        .map(|e| e["apartment"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [7, 9]);
    let starts = seen.iter().filter(|e| e["event"] == "ring_started").count();
    let rests = seen.iter().filter(|e| e["event"] == "line_idle").count();
    assert_eq!((starts, rests), (2, 2), "{:?}", told(&seen));
    let summary = seen.last().unwrap();
    let idle = summary["levels"]["idle"]["mean_volts"].as_f64().unwrap();
    assert!((idle - 6.4).abs() < 0.1, "{summary}");
    assert!(summary["confidence"].as_f64().unwrap() > 0.95, "{summary}");
    // A line that rings otherwise and counts otherwise fits less.
    let odd: Vec<f32> = line(
        rate,
        &[
            (1.0, 6.4, 0.0),
            (0.2, 0.2, 0.0),
            (0.003, 10.9, 0.0),
            (90e-6, 0.2, 0.0),
            (300e-6, 10.9, 0.0),
            (90e-6, 0.2, 0.0),
            (0.05, 10.9, 0.0),
            (0.9, 10.9, 700.0),
            (1.0, 6.4, 0.0),
        ],
    );
    let seen = analyze(&folder.wav(rate, &[&odd]), &["--topology", "pulse"]);
    let summary = seen.last().unwrap();
    assert!(summary["confidence"].as_f64().unwrap() < 0.7, "{summary}");
    let why = summary["confidence_reason"].as_str().unwrap();
    assert!(
        why.contains("pulse widths") && why.contains("ring"),
        "{why}"
    );
    // Too slow a recording names nobody rather than the wrong one.
    let slow = folder.wav(24_000, &[&selection(24_000, 42, 1.0)]);
    let seen = analyze(&slow, &["--topology", "pulse"]);
    assert!(seen.iter().all(|e| e["event"] != "apartment_code"));
    notes(&seen, "24000 Hz is too slow");
}
