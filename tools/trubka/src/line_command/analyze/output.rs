//! What is told of a recording: objects for programs, lines of text for people.

use line_interface::observe::{LevelBook, LevelRange, Observation, Seen};
use line_interface::switch::Addressing;
use serde_json::{Value, json};

use super::More;

/// Two digits behind the point are what a converter of twelve bits holds.
fn round(v: f32) -> f64 {
    // Adding zero makes a minus zero plain.
    (f64::from(v) * 100.0).round() / 100.0 + 0.0
}

pub(super) fn object(s: &Seen, addressing: Option<&Addressing>) -> Value {
    let mut object = json!({ "t_ms": s.t_ms, "event": s.what.name() });
    let more = match s.what {
        Observation::Cell { cell } => json!({
            "module": u16::from(cell.module) + 1,
            "tens": cell.tens,
            "units": cell.units,
            "apartment": addressing.and_then(|a| a.apartment(cell)),
        }),
        Observation::Address { address } => json!({ "address": address, "apartment": address }),
        Observation::BadAddress { why } => json!({
            "kind": "ambiguous",
            "reason": why.name(),
            "hint": "what followed the reset is no address: check the wire for interference",
        }),
        Observation::RingBurst {
            frequency_hz,
            duration_ms,
        } => json!({
            "frequency_hz": round(frequency_hz),
            "duration_ms": duration_ms,
        }),
        Observation::Tone {
            kind,
            frequency_hz,
            duration_ms,
        } => json!({
            "kind": kind,
            "frequency_hz": round(frequency_hz),
            "duration_ms": duration_ms,
        }),
        Observation::Fault {
            kind,
            reading,
            hint,
        } => json!({
            "kind": kind,
            "volts": round(reading.volts),
            "milliamps": round(reading.milliamps),
            "hint": hint,
        }),
        _ => json!({}),
    };
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
    object
}

pub(super) fn summary(
    topology: &str,
    chosen: &str,
    seen: &[Seen],
    levels: &LevelBook,
    more: &More,
) -> Value {
    let range = |r: &LevelRange| {
        if r.blocks == 0 {
            Value::Null
        } else {
            json!({
                "mean_volts": round(r.mean_volts()),
                "min_volts": round(r.min_volts),
                "max_volts": round(r.max_volts),
                "ms": r.blocks * 10,
            })
        }
    };
    let (guess, confidence, why) = &more.guess;
    let mut counts = serde_json::Map::new();
    for s in seen {
        let slot = counts.entry(s.what.name()).or_insert(json!(0));
        *slot = json!(slot.as_u64().unwrap_or(0) + 1);
    }
    json!({
        "event": "summary",
        "topology": topology,
        "duration_ms": more.read.duration_ms,
        "sample_rate_hz": more.rate_hz,
        "profile": if chosen == "auto" { "auto" } else { more.used.as_str() },
        "profile_used": more.used,
        "profile_guess": guess,
        "confidence": round(*confidence),
        "confidence_reason": why,
        "switch": more.switch,
        "levels": {
            "idle": range(&levels.idle),
            "on_hook": range(&levels.on_hook),
            "ring": range(&levels.ring),
            "off_hook": range(&levels.off_hook),
            "door_button": range(&levels.button),
            "open": range(&levels.open),
        },
        "noise_volts": round(levels.noise_volts()),
        "events": counts,
        "notes": more.notes,
    })
}

/// Width of a technician's terminal.
const COLUMNS: usize = 80;
/// Where what an event says begins: behind its time and name.
const INDENT: usize = 30;

/// An event as a line of text, its hint below.
pub(super) fn line(object: &Value, out: &mut String) {
    let seconds = object["t_ms"].as_u64().unwrap_or(0) as f64 / 1000.0;
    let name = object["event"]
        .as_str()
        .unwrap_or_default()
        .replace('_', " ");
    let mut said: Vec<String> = Vec::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "t_ms" | "event" | "hint") {
            said.push(match value {
                Value::String(text) => text.replace('_', " "),
                other => figure(key, other),
            });
        }
    }
    out.push_str(format!("{seconds:>9.3} s  {name:<17} {}", said.join(", ")).trim_end());
    out.push('\n');
    if let Some(hint) = object["hint"].as_str() {
        wrapped(hint, INDENT, out);
    }
}

/// A figure with its unit.
fn figure(key: &str, value: &Value) -> String {
    for (end, unit) in [("_ms", "ms"), ("_hz", "Hz"), ("_volts", "V")] {
        if let Some(name) = key.strip_suffix(end) {
            return format!("{} {value} {unit}", name.replace('_', " "));
        }
    }
    match key {
        "volts" => format!("{value} V"),
        "milliamps" => format!("{value} mA"),
        _ => format!("{} {value}", key.replace('_', " ")),
    }
}

fn wrapped(text: &str, indent: usize, out: &mut String) {
    let indent = " ".repeat(indent);
    let mut row = indent.clone();
    for word in text.split_whitespace() {
        if row.chars().count() + 1 + word.chars().count() > COLUMNS && row.len() > indent.len() {
            out.push_str(row.trim_end());
            out.push('\n');
            row.clone_from(&indent);
        }
        row.push_str(word);
        row.push(' ');
    }
    out.push_str(row.trim_end());
    out.push('\n');
}

/// The summary as text.
pub(super) fn end(summary: &Value, out: &mut String) {
    let text = |key: &str| summary[key].as_str().unwrap_or_default().to_owned();
    out.push('\n');
    for (state, range) in summary["levels"].as_object().into_iter().flatten() {
        if !range.is_null() {
            let volts = |key: &str| range[key].as_f64().unwrap_or(0.0);
            out.push_str(&format!(
                "{:<12} {:>6.2} V   {:>6.2} to {:>6.2} V   {} ms\n",
                state.replace('_', " "),
                volts("mean_volts"),
                volts("min_volts"),
                volts("max_volts"),
                range["ms"]
            ));
        }
    }
    out.push_str(&format!(
        "{:<12} {:>6.2} V\n",
        "noise",
        summary["noise_volts"].as_f64().unwrap_or(0.0)
    ));
    let guess = text("profile_guess");
    let guess = if guess.is_empty() {
        "none".to_owned()
    } else {
        guess
    };
    out.push_str(&format!(
        "\n{} ms at {} Hz, read with {}\nprofile guess {guess}, confidence {}\n",
        summary["duration_ms"],
        summary["sample_rate_hz"],
        text("profile_used"),
        summary["confidence"]
    ));
    wrapped(&text("confidence_reason"), 4, out);
    for note in summary["notes"].as_array().into_iter().flatten() {
        out.push_str("note\n");
        wrapped(note.as_str().unwrap_or_default(), 4, out);
    }
}
