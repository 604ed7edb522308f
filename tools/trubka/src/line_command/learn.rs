//! `trubka line learn FILE...`: measures a line over recorded calls and proposes profile values.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use learn::{diff, today};
use line_interface::learn::{Heard, Measurer, Proposal, Stamp, guess_brand, propose};
use line_interface::observe::LevelBook;
use line_interface::{BlockReading, Profile, SenseBlock};
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
    let base = profile(name)?;
    let text = match Profile::builtin_toml(&base.name) {
        Some(text) if name == "auto" || name == base.name => text.to_owned(),
        _ => std::fs::read_to_string(name)?,
    };
    let scale = full_scale(matches, "full-scale-volts")?;
    let mut book = LevelBook::default();
    let mut faults = Vec::new();
    let mut line = "recording".to_owned();
    for path in matches.get_many::<PathBuf>("file").into_iter().flatten() {
        let (levels, troubles) = measure(path, scale)?;
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
    let proposal = propose(&text, &book, &stamp).map_err(|refusals| {
        let lines: Vec<String> = refusals
            .iter()
            .map(|r| format!("{}\n    hint: {}", r.cause, r.hint))
            .collect();
        refused(&lines)
    })?;
    if globals.json {
        return print(&format!(
            "{:#}\n",
            proposed(&base.name, &proposal, guess_brand(&book))
        ));
    }
    let (guess, confidence, why) = guess_brand(&book);
    let mut out =
        format!("# brand: {guess} with confidence {confidence}: {why}; nothing is applied\n");
    let file = format!("{}.toml", base.name);
    out.push_str(&diff((&file, &file), &text, &proposal.toml));
    print(&out)
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

fn refused(reasons: &[String]) -> Failed {
    Failed::new(
        LINE_FAULT,
        format!("nothing is proposed\n{}", reasons.join("\n")),
    )
}
