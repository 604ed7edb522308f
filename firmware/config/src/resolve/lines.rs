//! What kind of line it is, and its own keys.

use std::collections::HashMap;

use line_interface::DriveSide;
use line_interface::switch::Switch;

use super::{Resolver, number};
use crate::document::Entry;
use crate::model::{Matrix, Topology};
use crate::problem::ProblemKind;

impl Resolver<'_> {
    /// Two pairs may not be of one apartment; a switch or a pulse line may bring its visitors too.
    pub(super) fn unique_apartments(&mut self) {
        let document = self.document;
        let mut seen: HashMap<i64, usize> = HashMap::new();
        for entry in document.many("line") {
            if entry.text("topology") != "pair" || entry.get("apartment").is_none() {
                continue;
            }
            let apartment = entry.integer("apartment");
            if let Some(first) = seen.get(&apartment) {
                let cause =
                    format!("apartment {apartment} stands already in the [[line]] at line {first}");
                let hint = "each [[line]] needs its own apartment; change or remove one of the two";
                self.problem(entry, "apartment", ProblemKind::Duplicate, cause, hint);
            } else {
                seen.insert(apartment, entry.line);
            }
        }
    }

    /// The topology with its own keys; keys of another one are refused.
    pub(super) fn topology(&mut self, entry: &Entry) -> Topology {
        let kind = entry.text("topology");
        for (key, of) in [
            ("apartment", "pair"),
            ("switch", "matrix"),
            ("modules", "matrix"),
            ("sourced", "matrix"),
            ("first_apartment", "matrix"),
            ("numbering", "matrix"),
            ("addresses", "pulse"),
        ] {
            let given = entry.is_given(key);
            if given && of != kind {
                let cause = format!("{key} is of topology = \"{of}\", this line is \"{kind}\"");
                let hint = format!("remove {key}, or write topology = \"{of}\"");
                self.problem(entry, key, ProblemKind::UnknownKey, cause, hint);
            }
            let needed = matches!(key, "apartment" | "switch" | "addresses");
            if needed && of == kind && !given {
                let cause = format!("a {kind} line needs {key}");
                let hint = match key {
                    "apartment" => "add: apartment = 42, the apartment whose pair this is; or set topology = \"matrix\" or \"pulse\"".to_owned(),
                    "switch" => {
                        let names: Vec<&str> = Switch::builtin_names().collect();
                        format!("add: switch = \"...\", one of {}, or a file ending in .toml", names.join(", "))
                    }
                    _ => "add: addresses = [\"17\", \"18=118\"], our addresses and whose they are".to_owned(),
                };
                self.problem(entry, key, ProblemKind::MissingKey, cause, hint);
            }
        }
        match kind.as_str() {
            "matrix" => Topology::Matrix(self.matrix(entry)),
            "pulse" => Topology::Pulse {
                addresses: self.addresses(entry),
            },
            _ => Topology::Pair {
                apartment: number(entry, "apartment") as u16,
            },
        }
    }

    fn matrix(&mut self, entry: &Entry) -> Matrix {
        let switch = entry.text("switch");
        let matrix = Matrix {
            modules: entry
                .get("modules")
                .map(|_| number(entry, "modules") as usize),
            sourced: entry.optional_text("sourced").map(|side| {
                if side == "units" {
                    DriveSide::Units
                } else {
                    DriveSide::Tens
                }
            }),
            first_apartment: entry
                .get("first_apartment")
                .map_or(1, |_| number(entry, "first_apartment") as u16),
            absolute: entry.text("numbering") == "absolute",
            switch,
        };
        match matrix.builtin() {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                let key = if entry.is_given("modules") {
                    "modules"
                } else {
                    "first_apartment"
                };
                self.problem(entry, key, ProblemKind::OutOfRange, error.cause, error.hint);
            }
            None if matrix.switch.is_empty() || matrix.switch.ends_with(".toml") => {}
            None => {
                let cause = format!("there is no built-in switch \"{}\"", matrix.switch);
                let names: Vec<&str> = Switch::builtin_names().collect();
                let hint = format!(
                    "use one of {}, or the path of a switch file ending in .toml",
                    names.join(", ")
                );
                self.problem(entry, "switch", ProblemKind::UnknownReference, cause, hint);
            }
        }
        matrix
    }

    /// Our addresses on a pulse line, and whose they are.
    fn addresses(&mut self, entry: &Entry) -> Vec<(u16, u16)> {
        let mut all: Vec<(u16, u16)> = Vec::new();
        for text in entry.list("addresses") {
            let read = read_addresses(&text).and_then(|more| {
                let taken = |(address, apartment): &(u16, u16)| {
                    all.iter().any(|(a, b)| a == address || b == apartment)
                };
                match more.iter().find(|one| taken(one)) {
                    Some((address, apartment)) => Err(format!(
                        "\"{text}\": address {address} or apartment {apartment} stands already in the list"
                    )),
                    None => Ok(more),
                }
            });
            match read {
                Ok(more) => all.extend(more),
                Err(cause) => {
                    let hint = "write \"17\", \"17=42\" or \"1-20=101\"; addresses are 1 to 255, apartments 1 to 9999";
                    self.problem(entry, "addresses", ProblemKind::OutOfRange, cause, hint);
                }
            }
        }
        if all.is_empty() && entry.is_given("addresses") {
            let hint = "name at least one: addresses = [\"17\"]";
            let cause = "no address is ours".to_owned();
            self.problem(entry, "addresses", ProblemKind::OutOfRange, cause, hint);
        }
        all
    }
}

/// One entry of `line.addresses` as addresses and apartments.
fn read_addresses(text: &str) -> Result<Vec<(u16, u16)>, String> {
    let number = |what: &str, word: &str, largest: u16| {
        word.trim()
            .parse::<u16>()
            .ok()
            .filter(|n| (1..=largest).contains(n))
            .ok_or_else(|| format!("\"{text}\": {what} \"{word}\" is not 1 to {largest}"))
    };
    let (span, apartment) = match text.split_once('=') {
        Some((span, apartment)) => (span, Some(number("apartment", apartment, 9_999)?)),
        None => (text, None),
    };
    let (first, last) = match span.split_once('-') {
        Some((first, last)) => (
            number("address", first, 255)?,
            number("address", last, 255)?,
        ),
        None => {
            let only = number("address", span, 255)?;
            (only, only)
        }
    };
    if last < first {
        return Err(format!("\"{text}\": {last} lies below {first}"));
    }
    let base = apartment.unwrap_or(first);
    if base + (last - first) > 9_999 {
        return Err(format!("\"{text}\": the last apartment is over 9999"));
    }
    Ok((first..=last)
        .map(|address| (address, base + (address - first)))
        .collect())
}
