//! `trubka line analyze`: a recording through the live detectors.

mod matrix;
mod output;

use std::path::PathBuf;

use clap::ArgMatches;
use line_interface::learn::{guess_brand, guess_pulse};
use line_interface::observe::{LevelBook, Observation, PairObserver, PulseObserver, Seen};
use line_interface::pulse::PulseProfile;
use line_interface::switch::Addressing;
use line_interface::{Profile, SenseBlock};

use super::recording::{Read, Recording};
use super::{failed, full_scale, profile};
use crate::arguments::Globals;
use crate::exit::{CONFIG, Failed, USAGE};
use crate::remote::print;

/// Below this rate the pulses of an address fall between the samples.
const PULSE_RATE_HZ: u32 = 90_000;
/// More channels than this are no pair with its current.
const PAIR_CHANNELS: usize = 2;

pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let path = matches
        .get_one::<PathBuf>("file")
        .cloned()
        .unwrap_or_default();
    let recording = Recording::open(&path, full_scale(matches, "full-scale-volts")?)?;
    let names = text("channels");
    let chosen = text("profile").unwrap_or("auto");
    let topology = text("topology").unwrap_or_else(|| {
        let taps_named = names.is_some_and(|n| {
            n.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':')
                .starts_with(['D', 'd', 'E', 'e'])
        });
        let many = text("switch").is_some() && recording.channels() > PAIR_CHANNELS;
        if taps_named || many {
            "matrix"
        } else if PulseProfile::builtin(chosen).is_some() {
            "pulse"
        } else {
            "pair"
        }
    });
    let (rate_hz, channels) = (recording.rate(), recording.channels());
    let (mut seen, levels, mut more) = match topology {
        "matrix" => matrix::matrix(matches, recording, names, chosen)?,
        "pulse" => pulse(recording, names, chosen)?,
        _ => pair(matches, recording, names, chosen)?,
    };
    more.rate_hz = rate_hz;
    if topology != "matrix" {
        if names.is_none() && channels > 1 {
            more.notes.push(format!(
                "the first of {channels} channels was read; --channels -,line takes the second"
            ));
        }
        let given =
            |name: &str| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine);
        for name in ["switch", "sourced", "first-apartment", "absolute"] {
            if given(name) {
                more.notes
                    .push(format!("--{name} is of a matrix and says nothing here"));
            }
        }
    }
    more.notes.extend(more.read.notes(seen.is_empty()));
    // An event is known after it began, so the detectors do not tell them in order.
    seen.sort_by_key(|s| (s.t_ms, s.what != Observation::LineActive));
    let address = more.addressing.take();
    let summary = output::summary(topology, chosen, &seen, &levels, &more);
    let mut out = String::new();
    for s in &seen {
        let object = output::object(s, address.as_ref());
        if globals.json {
            out.push_str(&format!("{object}\n"));
        } else {
            output::line(&object, &mut out);
        }
    }
    if globals.json {
        out.push_str(&format!("{summary}\n"));
    } else {
        output::end(&summary, &mut out);
    }
    print(&out)
}

/// What the summary says besides levels.
#[derive(Default)]
struct More {
    addressing: Option<Addressing>,
    read: Read,
    rate_hz: u32,
    used: String,
    switch: Option<String>,
    /// The profile that fits, how sure that is, and why.
    guess: (String, f32, String),
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
    let (line, current) = wires(names, &recording, true)?;
    if let Some(channel) = current {
        recording.scale_channel(channel, full_scale(matches, "full-scale-milliamps")?);
    }
    let used = profile.name.clone();
    let (seen, levels, read) = observe_pair(recording, profile, line, current)?;
    let more = More {
        read,
        used,
        guess: guess_brand(&levels),
        ..More::default()
    };
    Ok((seen, levels, more))
}

/// Which channel is the line's, and which its current's.
fn wires(
    names: Option<&str>,
    recording: &Recording,
    current_too: bool,
) -> Result<(usize, Option<usize>), Failed> {
    let Some(text) = names else {
        return Ok((0, None));
    };
    let hint = if current_too {
        "a pair's channels are line and current, `-` is one to leave out; taps are D0,..,E9 with --topology matrix"
    } else {
        "a pulse line has one channel called line, `-` is one to leave out: -,line"
    };
    let wrong = |cause: String| failed(USAGE, cause, hint);
    let (mut line, mut current) = (None, None);
    for (at, word) in text.split(',').enumerate() {
        let slot = match word.trim().to_lowercase().as_str() {
            "-" => continue,
            "line" | "volts" | "v" => &mut line,
            "current" | "milliamps" | "ma" | "i" if current_too => &mut current,
            odd => return Err(wrong(format!("--channels: no channel is called {odd:?}"))),
        };
        if slot.replace(at).is_some() {
            return Err(wrong(format!(
                "--channels: {:?} is named twice",
                word.trim()
            )));
        }
    }
    let (named, there) = (text.split(',').count(), recording.channels());
    if named > there {
        return Err(failed(
            USAGE,
            format!("--channels: {named} names, the recording has {there} channel(s)"),
            "name only the channels of the recording, such as line,current",
        ));
    }
    let line = line.ok_or_else(|| wrong("--channels: none is called line".to_owned()))?;
    Ok((line, current))
}

/// Runs the pair's detectors over a recording.
fn observe_pair(
    recording: Recording,
    profile: Profile,
    line: usize,
    current: Option<usize>,
) -> Result<(Vec<Seen>, LevelBook, Read), Failed> {
    let mut observer = PairObserver::new(profile, current.is_some());
    let mut sense = SenseBlock::default();
    let read = recording.run(
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
    Ok((all(|| observer.poll()), observer.levels().clone(), read))
}

/// A built-in pulse profile, or a file of one.
fn pulse_profile(name: &str) -> Result<PulseProfile, Failed> {
    let key = if name == "auto" {
        "laskomex-class"
    } else {
        name
    };
    if let Some(profile) = PulseProfile::builtin(key) {
        return Ok(profile);
    }
    let known: Vec<&str> = PulseProfile::builtin_names().collect();
    let text = std::fs::read_to_string(name).map_err(|e| {
        failed(
            USAGE,
            format!("no pulse profile {name:?}: {e}"),
            format!("a file, auto, or one of {}", known.join(", ")),
        )
    })?;
    PulseProfile::from_toml(&text).map_err(|e| failed(CONFIG, &e, e.hint))
}

fn pulse(recording: Recording, names: Option<&str>, chosen: &str) -> Result3 {
    let profile = pulse_profile(chosen)?;
    let (line, _) = wires(names, &recording, false)?;
    let used = profile.name.clone();
    let rate_hz = recording.rate();
    let observer = std::cell::RefCell::new(PulseObserver::new(profile));
    let mut sense = SenseBlock::default();
    let read = recording.run(
        |at_us, frame| {
            observer
                .borrow_mut()
                .sample(at_us, frame.get(line).copied().unwrap_or(0.0));
        },
        |block| {
            if let Some(volts) = block.get(line) {
                sense.line_volts = *volts;
            }
            observer.borrow_mut().handle_block(&sense);
        },
    )?;
    let mut observer = observer.into_inner();
    observer.finish();
    let mut seen = all(|| observer.poll());
    let mut more = More {
        read,
        used,
        guess: guess_pulse(observer.pulses(), observer.levels()),
        ..More::default()
    };
    if rate_hz < PULSE_RATE_HZ {
        // A count that lost some pulses would name another apartment.
        seen.retain(|s| {
            !matches!(
                s.what,
                Observation::Address { .. } | Observation::BadAddress { .. }
            )
        });
        more.notes.push(format!(
            "{rate_hz} Hz is too slow for address pulses of 20 us: record at 96000 Hz or more to read addresses"
        ));
    }
    Ok((seen, observer.levels().clone(), more))
}
