//! `trubka line learn`: measures a line over recorded calls and proposes profile values.

use std::path::PathBuf;

use clap::ArgMatches;
use line_interface::Profile;
use line_interface::learn::{guess_brand, propose};
use line_interface::observe::{LevelBook, Observation};
use serde_json::json;

use super::analyze::observe_pair;
use super::recording::Recording;
use super::{full_scale, profile};
use crate::arguments::Globals;
use crate::exit::{Failed, LINE_FAULT};
use crate::remote::print;

/// The longest hold-off that field devices use (line-facts 1.6).
const LONGEST_PAUSE_MS: u64 = 6000;

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
    // The pause is what we want to know: the profile's own hold-off must not cut it.
    let mut listening = base.clone();
    let hold = &mut listening.ring.hold_off_ms.value;
    *hold = (*hold).max(LONGEST_PAUSE_MS);
    let mut book = LevelBook::default();
    let mut faults = Vec::new();
    for path in matches.get_many::<PathBuf>("file").into_iter().flatten() {
        let (seen, levels) =
            observe_pair(Recording::open(path, scale)?, listening.clone(), 0, None)?;
        book.merge(&levels);
        for s in seen {
            if let Observation::Fault { kind, hint, .. } = s.what {
                let file = path.display();
                faults.push(format!(
                    "{file} shows {kind} at {} ms\n    hint: {hint}",
                    s.t_ms
                ));
            }
        }
    }
    if !faults.is_empty() {
        return Err(refused(&faults));
    }
    let proposal = propose(&text, &book).map_err(|refusals| {
        let lines: Vec<String> = refusals
            .iter()
            .map(|r| format!("{}\n    hint: {}", r.cause, r.hint))
            .collect();
        refused(&lines)
    })?;
    let (guess, confidence, why) = guess_brand(&book);
    if globals.json {
        let changes: Vec<_> = proposal
            .changes
            .iter()
            .map(|c| json!({ "key": format!("{}.{}", c.section, c.key), "value": c.value, "source": c.source }))
            .collect();
        return print(&format!(
            "{:#}\n",
            json!({
                "profile": base.name, "changes": changes, "toml": proposal.toml,
                "brand_guess": guess, "confidence": confidence, "confidence_reason": why,
            })
        ));
    }
    let mut out =
        format!("# brand: {guess} with confidence {confidence}: {why}; nothing is applied\n");
    out.push_str(&diff(&base.name, &text, &proposal.toml));
    print(&out)
}

fn refused(reasons: &[String]) -> Failed {
    Failed::new(
        LINE_FAULT,
        format!("nothing is proposed\n{}", reasons.join("\n")),
    )
}

/// A diff that `patch` takes: both files have the same lines in the same places.
fn diff(name: &str, old: &str, new: &str) -> String {
    let mut out = format!("--- {name}.toml\n+++ {name}.toml\n");
    for (number, (a, b)) in (1_u32..).zip(old.lines().zip(new.lines())) {
        if a != b {
            out.push_str(&format!("@@ -{number} +{number} @@\n-{a}\n+{b}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_only_what_changes() {
        assert_eq!(
            diff("x", "a\nb\n", "a\nc\n"),
            "--- x.toml\n+++ x.toml\n@@ -2 +2 @@\n-b\n+c\n"
        );
    }
}
