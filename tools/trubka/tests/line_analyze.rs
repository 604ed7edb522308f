//! `trubka line analyze` and `learn` as a technician types them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::Value;

const FULL_SCALE: f32 = 16.0;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("trubka-line-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn trubka(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trubka"))
        .args(arguments)
        .output()
        .unwrap()
}

fn analyze(file: &Path, more: &[&str]) -> Vec<Value> {
    let mut words = vec!["line", "analyze", file.to_str().unwrap()];
    words.extend(["--full-scale-volts", "16", "--json"]);
    words.extend(more);
    let out = trubka(&words);
    let problem = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{words:?}: {problem}");
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
    WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format: SampleFormat::Int,
    }
}

fn wav(path: &Path, spec: WavSpec, seconds: f32, channel: impl Fn(usize, f32) -> f32) {
    let mut out = WavWriter::create(path, spec).unwrap();
    for i in 0..(seconds * spec.sample_rate as f32) as u32 {
        let t = i as f32 / spec.sample_rate as f32;
        for c in 0..usize::from(spec.channels) {
            let v = (channel(c, t) / FULL_SCALE).clamp(-1.0, 1.0);
            if spec.sample_format == SampleFormat::Float {
                out.write_sample(v).unwrap();
            } else {
                let top = ((1_i64 << (spec.bits_per_sample - 1)) - 1) as f32;
                out.write_sample((v * top) as i32).unwrap();
            }
        }
    }
    out.finalize().unwrap();
}

/// Selected at 1 s, bursts of 1 s at 1.3 s and 4.3 s, lifted at 6 s, button at 9 s, back at 12 s.
fn pair(t: f32) -> f32 {
    let burst = |from: f32| (from..from + 1.0).contains(&t);
    if !(1.0..12.6).contains(&t) {
        0.0
    } else if burst(1.3) || burst(4.3) {
        if (t * 600.0).fract() < 0.5 { 2.5 } else { 0.0 }
    } else if (9.0..9.5).contains(&t) {
        10.4
    } else if (6.0..12.0).contains(&t) {
        6.4
    } else {
        2.5
    }
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|e| e["event"].as_str()).collect()
}

#[test]
fn a_pair_is_told_alike_from_every_width_and_rate() {
    let folder = Folder::new("pair");
    for (rate, bits, format) in [
        (8000, 8, SampleFormat::Int),
        (8000, 16, SampleFormat::Int),
        (16_000, 24, SampleFormat::Int),
        (44_100, 16, SampleFormat::Int),
        (48_000, 32, SampleFormat::Float),
        (96_000, 32, SampleFormat::Int),
    ] {
        let file = folder.0.join(format!("{rate}-{bits}.wav"));
        let mut spec = spec(1, rate, bits);
        spec.sample_format = format;
        wav(&file, spec, 16.0, |_, t| pair(t));
        let seen = analyze(&file, &[]);
        let expected = [
            ("line_active", 1000),
            ("ring_started", 1300),
            ("ring_burst", 1300),
            ("ring_burst", 4300),
            ("ring_stopped", 5300),
            ("handset_lifted", 6000),
            ("door_button", 9000),
            ("handset_replaced", 12_000),
            ("line_idle", 12_600),
        ];
        assert_eq!(seen.len(), expected.len() + 1, "{seen:?}");
        for (event, (name, t)) in seen.iter().zip(expected) {
            assert_eq!(event["event"], name, "{rate} {bits}");
            let at = event["t_ms"].as_u64().unwrap();
            assert!(at.abs_diff(t) <= 20, "{rate}: {event} not at {t}");
        }
        assert!((seen[2]["frequency_hz"].as_f64().unwrap() - 600.0).abs() < 10.0);
        assert!(seen[2]["duration_ms"].as_u64().unwrap().abs_diff(1000) <= 20);
        let summary = seen.last().unwrap();
        assert_eq!(summary["event"], "summary");
        for (state, volts) in [("on_hook", 2.5), ("off_hook", 6.4), ("door_button", 10.4)] {
            let mean = summary["levels"][state]["mean_volts"].as_f64().unwrap();
            assert!((mean - volts).abs() < 0.2, "{state} {mean}");
        }
        assert!(summary["confidence"].as_f64().unwrap() <= 0.5);
        let path = file.to_str().unwrap();
        let mut words = vec!["line", "learn", path, "--full-scale-volts", "16"];
        words.extend(["--profile", "eltis"]);
        let out = trubka(&words);
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(
            text.contains("+++ eltis.toml") && text.contains("+hold_off_ms"),
            "{text}"
        );
    }
}

/// The taps of line-facts 8, selected from 1 s to 5 s, ringing from 2 s to 3 s.
fn tap(c: usize, t: f32, biased: bool, tens: usize, units: usize) -> f32 {
    let unfed = (2.0..3.0).contains(&t) && (t * 1000.0).fract() >= 0.5;
    if !(1.0..5.0).contains(&t) || unfed {
        if c >= 10 && biased { 5.0 } else { 0.0 }
    } else if c == tens {
        2.47
    } else if c < 10 {
        0.01
    } else if c - 10 == units {
        0.17
    } else {
        2.12
    }
}

#[test]
fn a_matrix_tells_the_apartment_in_both_numberings() {
    let folder = Folder::new("matrix");
    let file = folder.0.join("taps.wav");
    for biased in [false, true] {
        wav(&file, spec(20, 8000, 16), 10.0, |c, t| {
            tap(c, t, biased, 4, 2)
        });
        for (switch, channels, apartment, units) in [
            ("km100-7.1", "D0,..,D9,E0,..,E9", 42, 2),
            ("com-100u", "D0-D9,E1-E10", 43, 3),
            ("", "D0,..,E9", 42, 2),
        ] {
            let mut words = vec!["--topology", "matrix", "--channels", channels];
            if !switch.is_empty() {
                words.extend(["--switch", switch]);
            }
            let seen = analyze(&file, &words);
            let code: Vec<_> = seen
                .iter()
                .filter(|e| e["event"] == "apartment_code")
                .collect();
            assert_eq!(code.len(), 1, "{seen:?}");
            assert_eq!(code[0]["apartment"], apartment);
            assert_eq!(
                (&code[0]["tens"], &code[0]["units"]),
                (&4.into(), &units.into())
            );
            assert!(code[0]["t_ms"].as_u64().unwrap().abs_diff(1000) <= 20);
            let mut rest = names(&seen);
            rest.retain(|n| *n != "apartment_code");
            assert_eq!(
                rest,
                [
                    "line_active",
                    "ring_started",
                    "ring_burst",
                    "ring_stopped",
                    "line_idle",
                    "summary"
                ],
                "{seen:?}"
            );
            let ring = seen.iter().find(|e| e["event"] == "ring_started").unwrap();
            assert!(
                ring["t_ms"].as_u64().unwrap().abs_diff(2000) <= 20,
                "{ring}"
            );
        }
    }
    // The mirrored drive side is found by itself: units lines fed, tens lines sunk.
    wav(&file, spec(20, 8000, 16), 8.0, |c, t| {
        tap((c + 10) % 20, t, true, 2, 4)
    });
    let seen = analyze(&file, &["--channels", "D0,..,E9"]);
    let code = seen.iter().find(|e| e["event"] == "apartment_code");
    assert_eq!(code.unwrap()["apartment"], 42, "{seen:?}");
    let notes = &seen.last().unwrap()["notes"];
    assert!(notes.to_string().contains("feeds the units"), "{notes}");
    // Two pairs at once: told as ambiguous, no apartment.
    wav(&file, spec(20, 8000, 16), 8.0, |c, t| {
        let (a, b) = (tap(c, t, true, 4, 2), tap(c, t, true, 7, 5));
        if c < 10 { a.max(b) } else { a.min(b) }
    });
    let seen = analyze(&file, &["--channels", "D0,..,E9"]);
    assert!(!names(&seen).contains(&"apartment_code"), "{seen:?}");
    let fault = seen.iter().find(|e| e["event"] == "line_fault").unwrap();
    assert_eq!(fault["kind"], "ambiguous");
}

#[test]
fn pulses_are_counted_and_tones_named() {
    let folder = Folder::new("pulse");
    let file = folder.0.join("pulse.wav");
    // Low 200 ms, 2.2 ms high, 42 pulses of 22 us every 100 us, ring, door opened.
    wav(&file, spec(1, 192_000, 16), 5.0, |_, t| {
        let since = t - 0.5022;
        let pulse = (0.0..42e-4).contains(&since) && since % 1e-4 < 22e-6;
        let square = |hz: f32| if (t * hz).fract() < 0.5 { 10.8 } else { 0.2 };
        if (0.3..0.5).contains(&t) || pulse {
            0.2
        } else if (0.56..1.5).contains(&t) {
            square(1000.0)
        } else if (3.0..3.4).contains(&t) {
            square(2360.0)
        } else if t < 0.3 {
            6.4
        } else {
            10.8
        }
    });
    let seen = analyze(&file, &["--topology", "pulse"]);
    let find = |name: &str| seen.iter().find(|e| e["event"] == name).unwrap();
    assert_eq!(find("apartment_code")["apartment"], 42, "{seen:?}");
    let hz = find("ring_burst")["frequency_hz"].as_f64().unwrap();
    assert!((hz - 1000.0).abs() < 20.0, "{hz}");
    assert_eq!(find("tone")["kind"], "door_opened");
    assert_eq!(names(&seen).last(), Some(&"summary"));
}

#[test]
fn mistakes_have_a_hint() {
    let folder = Folder::new("bad");
    let file = folder.0.join("short.wav");
    wav(&file, spec(2, 8000, 16), 0.5, |_, _| 0.0);
    let file = file.to_str().unwrap();
    for (file, volts, more, hint) in [
        ("/does/not/exist.wav", "16", vec![], "check the name"),
        (file, "0", vec![], "such as 16"),
        (file, "16", vec!["--profile", "nobody"], "vizit"),
        (file, "16", vec!["--channels", "line,X"], "current"),
        (
            file,
            "16",
            vec!["--channels", "D0,E0", "--switch", "x"],
            "bk-100",
        ),
        (file, "16", vec!["--channels", "D0,E0,E1"], "every channel"),
        (file, "16", vec!["--channels", "D0,E77"], "E0"),
    ] {
        let mut words = vec!["line", "analyze", file, "--full-scale-volts", volts];
        words.extend(more);
        let out = trubka(&words);
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(!out.status.success());
        assert!(
            text.contains("hint:") && text.contains(hint),
            "{words:?}: {text}"
        );
    }
    let out = trubka(&["line", "learn", file, "--full-scale-volts", "16"]);
    assert_eq!(out.status.code(), Some(4));
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        text.contains("no ring burst") && text.contains("hint"),
        "{text}"
    );
}

/// Faults of a pair, one after the other: what the wire shows from 1 s to 5 s, the kind, when.
#[test]
fn every_fault_has_its_kind_reading_and_hint() {
    let folder = Folder::new("faults");
    let file = folder.0.join("fault.wav");
    let sine = |hz: f32, t: f32| (std::f32::consts::TAU * hz * t).sin();
    type Wire<'a> = &'a dyn Fn(f32) -> f32;
    let faults: [(&str, Wire<'_>, Wire<'_>, &str); 7] = [
        ("open", &|_| 10.4, &|_| 0.0, "handset"),
        ("short", &|_| 0.2, &|_| 6.4, "unplug"),
        ("reversed", &|_| -2.5, &|_| 0.0, "swap"),
        ("stuck_off_hook", &|_| 6.4, &|_| 0.0, "hook"),
        ("foreign_voltage", &|_| 15.0, &|_| 0.0, "supply"),
        (
            "foreign_voltage",
            &|t| 5.0 * sine(50.0, t),
            &|_| 0.0,
            "mains",
        ),
        ("leakage", &|_| 0.5, &|_| 0.0, "moisture"),
    ];
    for (kind, volts, current, hint) in faults {
        // Full scale of the current is 100 mA where that of the line is 16 V.
        wav(&file, spec(2, 8000, 16), 8.0, |c, t| {
            match ((1.0..5.0).contains(&t), c) {
                (false, _) => 0.0,
                (true, 0) => volts(t),
                (true, _) => current(t),
            }
        });
        let seen = analyze(&file, &["--channels", "line,current"]);
        let fault = seen
            .iter()
            .find(|e| e["event"] == "line_fault")
            .unwrap_or_else(|| panic!("no {kind}: {seen:?}"));
        assert_eq!(fault["kind"], kind, "{seen:?}");
        assert!(fault["hint"].as_str().unwrap().contains(hint), "{fault}");
        assert!(fault["volts"].is_number() && fault["milliamps"].is_number());
        let at = fault["t_ms"].as_u64().unwrap();
        assert!(at.abs_diff(1000) <= 60, "{kind}: {fault}");
        assert!(!names(&seen).contains(&"ring_started"), "{seen:?}");
    }
    // Without a current a short shows as a small steady step where a call should be.
    wav(&file, spec(1, 8000, 16), 6.0, |_, t| {
        if (1.0..3.0).contains(&t) { 0.15 } else { 0.0 }
    });
    let seen = analyze(&file, &[]);
    let fault = seen.iter().find(|e| e["event"] == "line_fault").unwrap();
    assert_eq!(fault["kind"], "short", "{seen:?}");
    // A bus of a switch whose lines touch.
    wav(&file, spec(20, 8000, 16), 8.0, |c, t| {
        tap(if c == 5 { 4 } else { c }, t, true, 4, 2)
    });
    let seen = analyze(&file, &["--channels", "D0,..,E9"]);
    let fault = seen.iter().find(|e| e["event"] == "line_fault").unwrap();
    assert_eq!(fault["kind"], "bus_short", "{seen:?}");
    assert!(
        fault["hint"].as_str().unwrap().contains("metal case"),
        "{fault}"
    );
}

#[test]
fn tones_are_named_on_every_line() {
    let folder = Folder::new("tones");
    let file = folder.0.join("tone.wav");
    // The talk of `pair` with a tone of the panel, and a ring that goes on under the lifted handset.
    wav(&file, spec(1, 8000, 16), 16.0, |_, t| {
        let sine = (std::f32::consts::TAU * 425.0 * t).sin();
        let square = if (t * 600.0).fract() < 0.5 { 1.0 } else { 0.0 };
        if (7.0..7.6).contains(&t) {
            pair(t) + sine
        } else if (10.5..11.0).contains(&t) {
            pair(t) * square
        } else {
            pair(t)
        }
    });
    let seen = analyze(&file, &[]);
    let tones: Vec<_> = seen.iter().filter(|e| e["event"] == "tone").collect();
    assert_eq!(tones.len(), 2, "{seen:?}");
    for (tone, (kind, hz, t)) in tones
        .iter()
        .zip([("steady", 425.0, 7000), ("residual", 600.0, 10_500)])
    {
        assert_eq!(tone["kind"], kind, "{tone}");
        assert!(
            (tone["frequency_hz"].as_f64().unwrap() - hz).abs() < hz * 0.05,
            "{tone}"
        );
        assert!(tone["t_ms"].as_u64().unwrap().abs_diff(t) <= 30, "{tone}");
        assert!(tone["duration_ms"].as_u64().unwrap() >= 400, "{tone}");
    }
    // A pulse line: a wrong code, and pulses that are no address.
    wav(&file, spec(1, 192_000, 16), 4.0, |_, t| {
        let since = t - 0.5022;
        let long_pulse = (0.0..0.001).contains(&since) && since % 2e-4 < 1.2e-4;
        if (0.3..0.5).contains(&t) || long_pulse {
            0.2
        } else if (1.0..1.8).contains(&t) {
            if (t * 1890.0).fract() < 0.5 {
                10.8
            } else {
                0.2
            }
        } else if t < 0.3 {
            6.4
        } else {
            10.8
        }
    });
    let seen = analyze(&file, &["--topology", "pulse"]);
    let tone = seen.iter().find(|e| e["event"] == "tone").unwrap();
    assert_eq!(tone["kind"], "wrong_code", "{seen:?}");
    let fault = seen.iter().find(|e| e["event"] == "line_fault").unwrap();
    assert_eq!(fault["kind"], "ambiguous", "{seen:?}");
    assert!(!fault["hint"].as_str().unwrap().is_empty());
}

#[test]
fn the_hook_of_a_pulse_handset_is_told() {
    let folder = Folder::new("pulse-hook");
    let file = folder.0.join("pulse.wav");
    // Address 7, ring into the handset on its hook, lifted at 2.5 s, button at 4 s, back at 6 s.
    wav(&file, spec(1, 96_000, 16), 9.0, |_, t| {
        let since = t - 0.5022;
        let pulse = (0.0..7e-4).contains(&since) && since % 1e-4 < 22e-6;
        if (0.3..0.5).contains(&t) || pulse {
            0.2
        } else if (0.56..1.5).contains(&t) {
            if (t * 1000.0).fract() < 0.5 { 2.6 } else { 0.2 }
        } else if !(0.5..7.0).contains(&t) {
            6.4
        } else if t < 0.56 {
            10.8
        } else if (4.0..4.5).contains(&t) {
            10.3
        } else if (2.5..6.0).contains(&t) {
            6.2
        } else {
            2.6
        }
    });
    let seen = analyze(&file, &["--topology", "pulse"]);
    for (name, t) in [
        ("apartment_code", 502),
        ("ring_started", 560),
        ("handset_lifted", 2500),
        ("door_button", 4000),
        ("handset_replaced", 6000),
    ] {
        let event = seen.iter().find(|e| e["event"] == name);
        let event = event.unwrap_or_else(|| panic!("no {name}: {seen:?}"));
        assert!(event["t_ms"].as_u64().unwrap().abs_diff(t) <= 30, "{event}");
    }
    let levels = &seen.last().unwrap()["levels"];
    for (state, volts) in [("on_hook", 2.6), ("off_hook", 6.2), ("door_button", 10.3)] {
        let mean = levels[state]["mean_volts"].as_f64().unwrap();
        assert!((mean - volts).abs() < 0.2, "{levels}");
    }
}
