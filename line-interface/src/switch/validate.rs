//! Reading a switch file and refusing what no switch can be.

use std::fmt;

use super::Switch;

/// What is wrong with a switch file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SwitchErrorKind {
    /// Not TOML, a missing key or a value of the wrong type.
    Syntax,
    /// A key that no switch has.
    UnknownKey,
    /// A size that no switch has.
    OutOfRange,
    /// A figure has no source.
    NoSource,
}

/// A refused switch file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchError {
    /// Kind, for decisions.
    pub kind: SwitchErrorKind,
    /// What is wrong, with key and value; a parse error names its line.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for SwitchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for SwitchError {}

/// The largest bus that a reader scans.
const MAX_LINES: u8 = 32;
/// The largest known switch handles eight modules.
const MAX_MODULES: usize = 10;

pub(super) fn load(text: &str) -> Result<Switch, SwitchError> {
    let switch: Switch = toml::from_str(text).map_err(|e| {
        let unknown = e.message().starts_with("unknown field");
        SwitchError {
            kind: if unknown {
                SwitchErrorKind::UnknownKey
            } else {
                SwitchErrorKind::Syntax
            },
            cause: e.to_string(),
            hint: if unknown {
                "remove the key or correct its spelling; docs/reference/switches.md lists all keys"
            } else {
                "copy a built-in switch file and change it; every figure is { value = ..., mark = \"M|D|C|F|X|?\", source = \"...\" }"
            },
        }
    })?;
    check(&switch).map_err(|mut e| {
        e.cause = crate::profile::with_line(text, &e.cause);
        e
    })?;
    Ok(switch)
}

fn check(s: &Switch) -> Result<(), SwitchError> {
    let range = |cause: String, hint| {
        Err(SwitchError {
            kind: SwitchErrorKind::OutOfRange,
            cause,
            hint,
        })
    };
    let name_ok = |n: &String| {
        !n.is_empty()
            && n.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    };
    if !name_ok(&s.name) || !s.aliases.iter().all(name_ok) {
        return range(
            format!("name = {:?}, aliases = {:?}", s.name, s.aliases),
            "switch names are lower-case letters, digits, dots and dashes",
        );
    }
    let size_ok = |v: u8| (1..=MAX_LINES).contains(&v);
    if !size_ok(s.units.value) {
        return range(
            format!("units = {}", s.units.value),
            "count the units terminals of the switch: 1 to 32",
        );
    }
    let tens = &s.module_tens.value;
    if tens.is_empty() || tens.len() > MAX_MODULES || !tens.iter().all(|t| size_ok(*t)) {
        return range(
            format!("module_tens = {tens:?}"),
            "one entry for each module (1 to 10): its tens terminals, 1 to 32",
        );
    }
    if s.first_tens.value > 1 {
        return range(
            format!("first_tens = {}", s.first_tens.value),
            "the tens terminals are labelled from D0 or from D1",
        );
    }
    for (key, source) in [
        ("units", &s.units.source),
        ("module_tens", &s.module_tens.source),
        ("numbering", &s.numbering.source),
        ("first_tens", &s.first_tens.source),
    ] {
        if source.trim().is_empty() {
            return Err(SwitchError {
                kind: SwitchErrorKind::NoSource,
                cause: format!("{key} has no source"),
                hint: "say where the figure comes from, or \"guess\" with mark \"?\"",
            });
        }
    }
    Ok(())
}
