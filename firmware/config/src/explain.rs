//! What a key means, what is in force, and the reference page: all from the one table.

use std::fmt::Write as _;

use crate::document::{Document, Value};
use crate::problem::Problem;
use crate::schema::{Fallback, Key, Kind, SECTIONS, Section};

fn default_text(key: &Key) -> String {
    match key.default {
        Fallback::Required => "must be given".into(),
        Fallback::None => "unset".into(),
        Fallback::Literal(literal) => format!("default {literal}"),
    }
}

/// Explains `section.key`, or every key of `section`. `None` when there is no such thing.
pub fn explain(path: &str) -> Option<String> {
    let (name, key) = path
        .split_once('.')
        .map_or((path, None), |(name, key)| (name, Some(key)));
    let section = crate::schema::section(name)?;
    let keys: Vec<&Key> = match key {
        Some(key) => vec![section.key(key)?],
        None => section.keys.iter().collect(),
    };
    let mut text = if key.is_none() {
        format!("{}: {}\n", heading(section), section.doc)
    } else {
        String::new()
    };
    for key in keys {
        let _ = writeln!(
            text,
            "{}.{}  ({}; {})",
            section.name,
            key.name,
            key.kind.describe(),
            default_text(key)
        );
        let _ = writeln!(text, "    {}", key.doc);
    }
    Some(text)
}

fn heading(section: &Section) -> String {
    if section.many {
        format!("[[{}]]", section.name)
    } else {
        format!("[{}]", section.name)
    }
}

/// The configuration in force, defaults included and marked, secrets hidden; itself valid TOML.
///
/// # Errors
/// The problems of the text, as [`crate::Config::parse`] gives them for single keys.
pub fn effective(text: &str, file: &str) -> Result<String, Vec<Problem>> {
    let document = Document::parse(text, file)?;
    let mut out = String::new();
    for schema in SECTIONS {
        for entry in document.many(schema.name) {
            let _ = writeln!(out, "{}", heading(schema));
            for key in schema.keys {
                let Some(setting) = entry.get(key.name) else {
                    continue;
                };
                if setting.line == 0 && !crate::cards::belongs(entry, key.name) {
                    continue;
                }
                let shown = if key.kind == Kind::Secret {
                    "\"***\"".to_owned()
                } else {
                    literal(&setting.value)
                };
                let mark = if setting.line == 0 { "  # default" } else { "" };
                let _ = writeln!(out, "{} = {shown}{mark}", key.name);
            }
            out.push('\n');
        }
    }
    Ok(out)
}

fn literal(value: &Value) -> String {
    let quoted = |text: &str| toml_edit::Value::from(text).to_string();
    match value {
        Value::Text(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => crate::schema::thousandths(*number),
        Value::Bool(flag) => flag.to_string(),
        Value::List(list) => {
            format!(
                "[{}]",
                list.iter()
                    .map(|text| quoted(text))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
    }
}

/// The reference page `docs/reference/config.md`, made from the table; a test compares the two.
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Configuration reference\n\nStatus: generated from the table of settings; a test compares this page with it.\n\n\
         The file is TOML, by default `/etc/trubka/trubka.toml`. Unknown keys are refused. The unit is part of a key's name.\n\
         `trubka config check` checks a file, `trubka config explain KEY` explains a key, `trubka config show --effective` prints what is in force.\n",
    );
    for section in SECTIONS {
        let _ = write!(
            page,
            "\n## `{}`\n\n{}\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
            heading(section),
            section.doc
        );
        for key in section.keys {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {} |",
                key.name,
                key.kind.describe(),
                default_text(key),
                key.doc
            );
        }
    }
    page
}

/// The text as it stands in the file, comments and all, with the values of secret keys hidden.
/// Works line by line, so that it also shows a file that does not parse.
pub fn redacted(text: &str) -> String {
    let all = SECTIONS.iter().flat_map(|section| section.keys);
    let secret: Vec<&str> = all
        .filter(|key| key.kind == Kind::Secret)
        .map(|key| key.name)
        .collect();
    text.lines()
        .map(|line| hide_values(line, &secret) + "\n")
        .collect()
}

/// Cuts a line off behind the first secret key that is given a value in it, wherever it stands.
fn hide_values(line: &str, secret: &[&str]) -> String {
    let given = |name: &str| {
        line.match_indices(name)
            .map(|(at, _)| at + name.len())
            .find(|end| {
                let rest = line
                    .get(*end..)
                    .unwrap_or("")
                    .trim_start_matches(['"', '\''])
                    .trim_start();
                rest.starts_with('=')
            })
    };
    match secret.iter().filter_map(|name| given(name)).min() {
        Some(end) => format!("{} = \"***\"", line.get(..end).unwrap_or("")),
        None => line.to_owned(),
    }
}
