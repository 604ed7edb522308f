//! `trubka line learn FILE...`: measures a line over recorded calls and proposes profile values.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use learn::{diff, today};
use line_interface::learn::{
    Fitting, Guide, Heard, Measurer, Proposal, PulseBook, Stamp, WireRuns, guess_brand,
    guess_pulse, propose, propose_pulse,
};
use line_interface::observe::LevelBook;
use line_interface::pulse::PulseProfile;
use line_interface::{BlockReading, Drive, Profile, SenseBlock};
use serde_json::{Value, json};

use super::recording::Recording;
use super::{full_scale, profile};
use crate::arguments::Globals;
use crate::exit::{Failed, LINE_FAULT};
use crate::remote::print;

pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let name = matches
        .get_one::<String>("profile")
        .map_or("auto", String::as_str);
    let pulse = matches
        .get_one::<String>("topology")
        .is_some_and(|kind| kind == "pulse");
    let (base, text) = if pulse {
        pulse_base(name)?
    } else {
        coordinate_base(name)?
    };
    let scale = full_scale(matches, "full-scale-volts")?;
    let mut book = LevelBook::default();
    let mut pulses = PulseBook::default();
    let mut faults = Vec::new();
    let mut line = "recording".to_owned();
    for path in matches.get_many::<PathBuf>("file").into_iter().flatten() {
        let (levels, troubles) = if pulse {
            let (levels, counted, troubles) = measure_pulses(path, scale)?;
            pulses.merge(&counted);
            (levels, troubles)
        } else {
            measure(path, scale)?
        };
        book.merge(&levels);
        faults.extend(troubles);
        if let Some(stem) = path.file_stem() {
            line = stem.to_string_lossy().into_owned();
        }
    }
    if !faults.is_empty() {
        return Err(refused(&faults));
    }
    let stamp = Stamp {
        line,
        date: today(),
    };
    let proposal = if pulse {
        propose_pulse(&text, &pulses, &book, &stamp)
    } else {
        propose(&text, &book, &stamp)
    };
    let guessed = if pulse {
        guess_pulse(&pulses, &book)
    } else {
        guess_brand(&book)
    };
    let proposal = proposal.map_err(|refusals| {
        let lines: Vec<String> = refusals
            .iter()
            .map(|r| format!("{}\n    hint: {}", r.cause, r.hint))
            .collect();
        refused(&lines)
    })?;
    if globals.json {
        return print(&format!("{:#}\n", proposed(&base, &proposal, guessed)));
    }
    let (guess, confidence, why) = guessed;
    let mut out =
        format!("# brand: {guess} with confidence {confidence}: {why}; nothing is applied\n");
    let file = format!("{base}.toml");
    out.push_str(&diff((&file, &file), &text, &proposal.toml));
    print(&out)
}

/// Name and text of the profile that the values are put into.
fn coordinate_base(name: &str) -> Result<(String, String), Failed> {
    let base = profile(name)?;
    let text = match Profile::builtin_toml(&base.name) {
        Some(text) if name == "auto" || name == base.name => text.to_owned(),
        _ => std::fs::read_to_string(name)?,
    };
    Ok((base.name, text))
}

fn pulse_base(name: &str) -> Result<(String, String), Failed> {
    let key = if name == "auto" {
        "laskomex-class"
    } else {
        name
    };
    let text = match PulseProfile::builtin_toml(key) {
        Some(text) => text.to_owned(),
        None => std::fs::read_to_string(key)?,
    };
    let profile = PulseProfile::from_toml(&text)
        .map_err(|error| super::failed(crate::exit::CONFIG, &error, error.hint))?;
    Ok((profile.name, text))
}

/// A proposal for programs.
pub(super) fn proposed(
    base: &str,
    proposal: &Proposal,
    (guess, confidence, why): (String, f32, String),
) -> Value {
    let changes: Vec<_> = proposal
        .changes
        .iter()
        .map(|c| json!({ "key": format!("{}.{}", c.section, c.key), "value": c.value, "source": c.source }))
        .collect();
    json!({
        "profile": base, "changes": changes, "toml": proposal.toml,
        "brand_guess": guess, "confidence": confidence, "confidence_reason": why,
    })
}

/// Measures the first channel of a recording with the very measurer of the live line.
fn measure(path: &Path, scale: f32) -> Result<(LevelBook, Vec<String>), Failed> {
    let mut measurer = Measurer::default();
    let mut sense = SenseBlock::default();
    let mut troubles = Vec::new();
    Recording::open(path, scale)?.run(
        |_, _| {},
        |block| {
            if let Some(volts) = block.first() {
                sense.line_volts = *volts;
            }
            measurer.handle_reading(&BlockReading::of(&sense));
            while let Some(heard) = measurer.poll() {
                if let Heard::Trouble(r) = heard {
                    let file = path.display();
                    troubles.push(format!("{file}: {}\n    hint: {}", r.cause, r.hint));
                }
            }
        },
    )?;
    Ok((measurer.levels(), troubles))
}

/// Measures the wire of a pulse line with the guide of the live one.
fn measure_pulses(path: &Path, scale: f32) -> Result<(LevelBook, PulseBook, Vec<String>), Failed> {
    let mut guide = Guide::of_pulses(Fitting::Handset);
    let mut sense = SenseBlock::default();
    let mut troubles = Vec::new();
    let counted = std::cell::RefCell::new(Vec::new());
    let mut wire = WireRuns::default();
    Recording::open(path, scale)?.run(
        |at_us, frame| {
            let volts = frame.first().copied().unwrap_or(0.0);
            if let Some(runs) = wire.sample(at_us, volts) {
                *counted.borrow_mut() = runs;
            }
        },
        |block| {
            if let Some(volts) = block.first() {
                sense.line_volts = *volts;
            }
            let runs = std::mem::take(&mut *counted.borrow_mut());
            guide.handle_pulses(&BlockReading::of(&sense), &runs, Drive::SAFE);
            while let Some(heard) = guide.poll() {
                if let Heard::Trouble(r) = heard {
                    let file = path.display();
                    troubles.push(format!("{file}: {}\n    hint: {}", r.cause, r.hint));
                }
            }
        },
    )?;
    let pulses = guide.pulses().cloned().unwrap_or_default();
    Ok((guide.levels(), pulses, troubles))
}

fn refused(reasons: &[String]) -> Failed {
    Failed::new(
        LINE_FAULT,
        format!("nothing is proposed\n{}", reasons.join("\n")),
    )
}
