//! `trubka line analyze`: a recording through the live detectors.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use line_interface::learn::guess_brand;
use line_interface::observe::{
    LevelBook, LevelRange, MatrixObserver, Observation, PairObserver, PulseObserver, Seen,
};
use line_interface::pulse::PulseProfile;
use line_interface::switch::{Addressing, Switch};
use line_interface::{BLOCK_SAMPLES, DriveSide, Profile, SenseBlock};
use serde_json::{Value, json};

use super::recording::Recording;
use super::{channels, failed, full_scale, profile};
use crate::exit::{Failed, USAGE};
use crate::remote::print;

/// A floating line of the sunk bus that was not recorded reads its bias.
const UNRECORDED_VOLTS: f32 = 5.0;
/// Below this rate the pulses of an address fall between the samples.
const PULSE_RATE_HZ: u32 = 90_000;

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let recording = Recording::open(&path, full_scale(matches, "full-scale-volts")?)?;
    let names = text("channels");
    let taps_named = names.is_some_and(|n| {
        n.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
            .starts_with(['D', 'd', 'E', 'e'])
    });
    let topology = text("topology").unwrap_or(if taps_named { "matrix" } else { "pair" });
    let chosen = text("profile").unwrap_or("auto");
    let (mut seen, levels, mut more) = match topology {
        "matrix" => matrix(matches, recording, names, chosen)?,
        "pulse" => pulse(recording, chosen)?,
        _ => pair(matches, recording, names, chosen)?,
    };
    // An event is known after it began, so the detectors do not tell them in order.
    seen.sort_by_key(|s| (s.t_ms, s.what != Observation::LineActive));
    let address = more.addressing.take();
    let mut out = String::new();
    for s in &seen {
        out.push_str(&format!("{}\n", object(s, address.as_ref())));
    }
    out.push_str(&format!(
        "{}\n",
        summary(topology, chosen, &seen, &levels, &more)
    ));
    print(&out)
}

/// What the summary says besides levels.
#[derive(Default)]
struct More {
    addressing: Option<Addressing>,
    duration_ms: u64,
    rate_hz: u32,
    used: String,
    switch: Option<String>,
    notes: Vec<String>,
}

type Result3 = Result<(Vec<Seen>, LevelBook, More), Failed>;

/// Everything an observer has to say.
fn all(mut poll: impl FnMut() -> Option<Seen>) -> Vec<Seen> {
    std::iter::from_fn(&mut poll).collect()
}

fn pair(
    matches: &ArgMatches,
    mut recording: Recording,
    names: Option<&str>,
    chosen: &str,
) -> Result3 {
    let profile = profile(chosen)?;
    let names: Vec<String> = names
        .map(|n| n.split(',').map(|w| w.trim().to_lowercase()).collect())
        .unwrap_or_default();
    let find = |what: &[&str]| names.iter().position(|n| what.contains(&n.as_str()));
    let line = find(&["line", "volts", "v"]).unwrap_or(0);
    let current = find(&["current", "milliamps", "ma", "i"]);
    let known = ["line", "volts", "v", "current", "milliamps", "ma", "i", "-"];
    if let Some(odd) = names.iter().find(|n| !known.contains(&n.as_str())) {
        return Err(failed(
            USAGE,
            format!("a pair has no channel {odd:?}"),
            "a pair's channels are line and current, `-` is one to leave out; taps are D0,..,E9 with --topology matrix",
        ));
    }
    if names.len() > recording.channels() {
        return Err(failed(
            USAGE,
            format!(
                "{} names for {} channels",
                names.len(),
                recording.channels()
            ),
            "name only the channels of the recording, such as line,current",
        ));
    }
    if let Some(channel) = current {
        recording.scale_channel(channel, full_scale(matches, "full-scale-milliamps")?);
    }
    let more = More {
        duration_ms: recording.duration_ms(),
        rate_hz: recording.rate(),
        used: profile.name.clone(),
        ..More::default()
    };
    let observer = observe_pair(recording, profile, line, current)?;
    let (seen, levels) = observer;
    Ok((seen, levels, more))
}

/// Runs the pair's detectors over a recording.
pub(super) fn observe_pair(
    recording: Recording,
    profile: Profile,
    line: usize,
    current: Option<usize>,
) -> Result<(Vec<Seen>, LevelBook), Failed> {
    let mut observer = PairObserver::new(profile, current.is_some());
    let mut sense = SenseBlock::default();
    recording.run(
        |_, _| {},
        |block| {
            if let Some(volts) = block.get(line) {
                sense.line_volts = *volts;
                sense.handset_volts = *volts;
            }
            if let Some(milliamps) = current.and_then(|c| block.get(c)) {
                sense.line_milliamps = *milliamps;
            }
            observer.handle_block(&sense);
        },
    )?;
    observer.finish();
    Ok((all(|| observer.poll()), observer.levels().clone()))
}

fn matrix(
    matches: &ArgMatches,
    recording: Recording,
    names: Option<&str>,
    chosen: &str,
) -> Result3 {
    let mut profile = profile(chosen)?;
    match matches.get_one::<String>("sourced").map(String::as_str) {
        Some("tens") => profile.matrix.sourced.value = DriveSide::Tens,
        Some("units") => profile.matrix.sourced.value = DriveSide::Units,
        _ => {}
    }
    let switch = match matches.get_one::<String>("switch") {
        Some(name) => named_switch(name)?,
        None => common_switch(names)?,
    };
    let layout = line_interface::matrix::TapLayout::new(&switch);
    let taps = match names {
        Some(names) => channels::indexes(&channels::taps(names, &switch)?, &layout)?,
        None => (0..layout.taps().min(recording.channels())).collect(),
    };
    if taps.len() != recording.channels() {
        return Err(failed(
            USAGE,
            format!(
                "{} taps are named, the recording has {} channels",
                taps.len(),
                recording.channels()
            ),
            "--channels names every channel in order, such as D0,..,D9,E0,..,E9",
        ));
    }
    let first = matches
        .get_one::<u16>("first-apartment")
        .copied()
        .unwrap_or(1);
    let addressing = Addressing::new(switch.clone(), first, matches.get_flag("absolute"))
        .map_err(|e| failed(USAGE, &e, e.hint))?;
    let more = More {
        addressing: Some(addressing),
        duration_ms: recording.duration_ms(),
        rate_hz: recording.rate(),
        used: profile.name.clone(),
        switch: Some(switch.name.clone()),
        ..More::default()
    };
    // Which bus a switch feeds is unknown for every brand: unless told, both are tried at once.
    let told = matches.get_one::<String>("sourced").is_some() || chosen != "auto";
    let sides = if told {
        vec![profile.matrix.sourced.value]
    } else {
        vec![DriveSide::Units, DriveSide::Tens]
    };
    let mut listeners: Vec<Listener> = sides
        .into_iter()
        .map(|side| Listener::new(&profile, &switch, side))
        .collect();
    recording.run(
        |_, _| {},
        |block| {
            for listener in &mut listeners {
                listener.handle_block(&taps, block);
            }
        },
    )?;
    let best = listeners
        .into_iter()
        .map(Listener::finish)
        .max_by_key(|(_, seen, _)| score(seen));
    let Some((side, seen, levels)) = best else {
        return Ok((Vec::new(), LevelBook::default(), more));
    };
    let mut more = more;
    let side = match side {
        DriveSide::Tens => "tens",
        DriveSide::Units => "units",
    };
    more.notes
        .push(format!("the switch feeds the {side} lines"));
    Ok((seen, levels, more))
}

/// Addresses speak for a drive side, doubts against it. Of two alike the last one tried wins.
fn score(seen: &[Seen]) -> i64 {
    seen.iter()
        .map(|s| match s.what {
            Observation::Cell { .. } => 10,
            Observation::Fault { .. } => -10,
            Observation::RingBurst { .. } => 1,
            _ => 0,
        })
        .sum()
}

/// A matrix listener for one drive side, with readings for taps that were not recorded.
struct Listener {
    side: DriveSide,
    observer: MatrixObserver,
    lines: Vec<[f32; BLOCK_SAMPLES]>,
}

impl Listener {
    fn new(profile: &Profile, switch: &Switch, side: DriveSide) -> Self {
        let mut profile = profile.clone();
        profile.matrix.sourced.value = side;
        let observer = MatrixObserver::new(profile, switch);
        let layout = observer.layout();
        let sunk = |i: usize| {
            layout.modules().iter().any(|m| match side {
                DriveSide::Tens => (m.units_at..m.units_at + m.units).contains(&i),
                DriveSide::Units => (m.tens_at..m.tens_at + m.tens).contains(&i),
            })
        };
        let rest = |i| if sunk(i) { UNRECORDED_VOLTS } else { 0.0 };
        let lines = (0..layout.taps())
            .map(|i| [rest(i); BLOCK_SAMPLES])
            .collect();
        Self {
            side,
            observer,
            lines,
        }
    }

    fn handle_block(&mut self, taps: &[usize], block: &[[f32; BLOCK_SAMPLES]]) {
        for (tap, volts) in taps.iter().zip(block) {
            if let Some(line) = self.lines.get_mut(*tap) {
                *line = *volts;
            }
        }
        self.observer.handle_block(&self.lines);
    }

    fn finish(mut self) -> (DriveSide, Vec<Seen>, LevelBook) {
        self.observer.finish();
        let seen = all(|| self.observer.poll());
        (self.side, seen, self.observer.levels().clone())
    }
}

fn named_switch(name: &str) -> Result<Switch, Failed> {
    if let Some(switch) = Switch::builtin(name) {
        return Ok(switch);
    }
    let known: Vec<&str> = Switch::builtin_names().collect();
    let text = std::fs::read_to_string(Path::new(name)).map_err(|e| {
        failed(
            USAGE,
            format!("no switch {name:?}: {e}"),
            format!("a switch file, or one of {}", known.join(", ")),
        )
    })?;
    Switch::from_toml(&text).map_err(|e| failed(crate::exit::CONFIG, &e, e.hint))
}

/// Ten by ten; a channel called E10 tells the numbering.
fn common_switch(names: Option<&str>) -> Result<Switch, Failed> {
    let one_based = names.is_some_and(|n| n.to_uppercase().contains("E10"));
    let name = if one_based { "com-100u" } else { "custom" };
    let mut switch = named_switch(name)?;
    switch.module_tens.value.truncate(1);
    Ok(switch)
}

fn pulse(recording: Recording, chosen: &str) -> Result3 {
    let key = if chosen == "auto" {
        "laskomex-class"
    } else {
        chosen
    };
    let profile = PulseProfile::builtin(key).ok_or_else(|| {
        failed(
            USAGE,
            format!("no pulse profile {chosen:?}"),
            "auto or laskomex-class",
        )
    })?;
    let mut more = More {
        duration_ms: recording.duration_ms(),
        rate_hz: recording.rate(),
        used: profile.name.clone(),
        ..More::default()
    };
    if recording.rate() < PULSE_RATE_HZ {
        more.notes.push(format!(
            "{} Hz is too slow for address pulses of 20 us: record at 96000 Hz or more to read addresses",
            recording.rate()
        ));
    }
    let observer = std::cell::RefCell::new(PulseObserver::new(profile));
    let mut sense = SenseBlock::default();
    recording.run(
        |at_us, frame| {
            observer
                .borrow_mut()
                .sample(at_us, frame.first().copied().unwrap_or(0.0));
        },
        |block| {
            if let Some(volts) = block.first() {
                sense.line_volts = *volts;
            }
            observer.borrow_mut().handle_block(&sense);
        },
    )?;
    let mut observer = observer.into_inner();
    observer.finish();
    let seen = all(|| observer.poll());
    Ok((seen, observer.levels().clone(), more))
}

/// Two digits behind the point are what a converter of twelve bits holds.
fn round(v: f32) -> f64 {
    // Adding zero makes a minus zero plain.
    (f64::from(v) * 100.0).round() / 100.0 + 0.0
}

fn object(s: &Seen, addressing: Option<&Addressing>) -> Value {
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

fn summary(topology: &str, chosen: &str, seen: &[Seen], levels: &LevelBook, more: &More) -> Value {
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
    let (guess, confidence, why) = if topology == "pulse" {
        (
            "laskomex-class".to_owned(),
            1.0,
            "the only pulse profile".to_owned(),
        )
    } else {
        guess_brand(levels)
    };
    let mut counts = serde_json::Map::new();
    for s in seen {
        let slot = counts.entry(s.what.name()).or_insert(json!(0));
        *slot = json!(slot.as_u64().unwrap_or(0) + 1);
    }
    json!({
        "event": "summary",
        "topology": topology,
        "duration_ms": more.duration_ms,
        "sample_rate_hz": more.rate_hz,
        "profile": if chosen == "auto" { "auto" } else { more.used.as_str() },
        "profile_used": more.used,
        "profile_guess": guess,
        "confidence": round(confidence),
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
