//! Reads the text of a configuration against the table of settings: types, ranges, unknown and
//! missing keys, every problem with its line.

use std::collections::HashMap;
use std::ops::Range;

use toml_edit::{Document as Toml, Item, Table, Value as TomlValue};

use crate::problem::{Problem, ProblemKind};
use crate::schema::{Fallback, Key, Kind, SECTIONS, Section, section, thousandths};

/// A value that passed its type and range check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    /// In thousandths.
    Decimal(i64),
    Bool(bool),
    List(Vec<String>),
}

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    /// Line, from 1; 0 for a default.
    pub(crate) line: usize,
}

/// One `[section]` or one entry of `[[section]]`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) schema: &'static Section,
    pub(crate) line: usize,
    pub(crate) settings: HashMap<&'static str, Setting>,
}

impl Entry {
    pub(crate) fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.get(key)
    }

    /// Whether the file itself sets the key.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.get(key).is_some_and(|setting| setting.line > 0)
    }

    /// The text of a key; empty when unset, which the schema excludes for keys with a default.
    pub(crate) fn text(&self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<String> {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn integer(&self, key: &str) -> i64 {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        }
    }

    /// The decimal number of a key that is given.
    pub(crate) fn optional_decimal(&self, key: &str) -> Option<f32> {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::Decimal(number)) => Some(*number as f32 / 1000.0),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> bool {
        matches!(
            self.get(key).map(|setting| &setting.value),
            Some(Value::Bool(true))
        )
    }

    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::List(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    /// The line of a key, or of the section when the key was left to its default.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.get(key)
            .map(|setting| setting.line)
            .filter(|line| *line > 0)
            .unwrap_or(self.line)
    }
}

/// The configuration text, checked key by key.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) file: String,
    pub(crate) entries: Vec<Entry>,
}

impl Document {
    pub(crate) fn many<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.schema.name == name)
    }

    pub(crate) fn one(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.schema.name == name)
    }

    /// Checks `text` against the schema. `file` is only for messages.
    pub(crate) fn parse(text: &str, file: &str) -> Result<Document, Vec<Problem>> {
        Reader {
            text,
            file,
            problems: Vec::new(),
        }
        .read()
    }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn line_of(&self, span: Option<Range<usize>>) -> usize {
        span.map_or(0, |span| {
            let before = self.text.get(..span.start).unwrap_or("");
            before.bytes().filter(|byte| *byte == b'\n').count() + 1
        })
    }

    fn problem(
        &mut self,
        line: usize,
        key: &str,
        kind: ProblemKind,
        cause: String,
        hint: impl Into<String>,
    ) {
        let (file, key, hint) = (self.file.to_owned(), key.to_owned(), hint.into());
        self.problems.push(Problem {
            file,
            line,
            key,
            kind,
            cause,
            hint,
        });
    }

    fn read(mut self) -> Result<Document, Vec<Problem>> {
        let toml = match Toml::parse(self.text.to_owned()) {
            Ok(toml) => toml,
            Err(error) => {
                let line = self.line_of(error.span());
                let cause = format!("this is not TOML: {}", error.message().trim());
                let hint = "see docs/reference/config.md for the form of the file";
                self.problem(line, "", ProblemKind::Syntax, cause, hint);
                return Err(self.problems);
            }
        };
        let mut entries = Vec::new();
        for (name, item) in toml.as_table().iter() {
            self.read_section(name, item, toml.as_table(), &mut entries);
        }
        for schema in SECTIONS.iter().filter(|schema| !schema.many) {
            if !entries
                .iter()
                .any(|entry: &Entry| entry.schema.name == schema.name)
            {
                entries.push(self.fill_defaults(schema, 0, HashMap::new()));
            }
        }
        if self.problems.is_empty() {
            Ok(Document {
                file: self.file.to_owned(),
                entries,
            })
        } else {
            Err(self.problems)
        }
    }

    fn read_section(&mut self, name: &str, item: &Item, root: &Table, entries: &mut Vec<Entry>) {
        let span = item
            .span()
            .or_else(|| root.key(name).and_then(|key| key.span()));
        let line = self.line_of(span);
        let Some(schema) = section(name) else {
            let known: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
            let hint = suggestion(name, &known);
            let cause = format!("there is no section or key \"{name}\" here");
            self.problem(line, name, ProblemKind::UnknownKey, cause, hint);
            return;
        };
        match (item, schema.many) {
            (Item::Table(table), false) => entries.push(self.read_entry(schema, table, line)),
            (Item::ArrayOfTables(tables), true) => {
                for table in tables {
                    let line = self.line_of(table.span());
                    entries.push(self.read_entry(schema, table, line));
                }
            }
            _ => {
                let form = if schema.many {
                    format!("[[{name}]]")
                } else {
                    format!("[{name}]")
                };
                let cause = format!("\"{name}\" must be a section {form}");
                let hint = format!("write {form} on a line of its own, its keys below");
                self.problem(line, name, ProblemKind::WrongType, cause, hint);
            }
        }
    }

    fn read_entry(&mut self, schema: &'static Section, table: &Table, line: usize) -> Entry {
        let mut settings = HashMap::new();
        for (name, item) in table.iter() {
            let span = item
                .span()
                .or_else(|| table.key(name).and_then(|key| key.span()));
            let line = self.line_of(span);
            let path = format!("{}.{}", schema.name, name);
            let Some(key) = schema.key(name) else {
                let known: Vec<&str> = schema.keys.iter().map(|key| key.name).collect();
                let hint = suggestion(name, &known);
                let cause = format!("[{}] has no key \"{name}\"", schema.name);
                self.problem(line, &path, ProblemKind::UnknownKey, cause, hint);
                continue;
            };
            match item
                .as_value()
                .ok_or_else(|| mistype(key, "a table"))
                .and_then(|value| read_value(key, value))
            {
                Ok(value) => {
                    settings.insert(key.name, Setting { value, line });
                }
                Err((kind, cause, hint)) => self.problem(line, &path, kind, cause, hint),
            }
        }
        self.fill_defaults(schema, line, settings)
    }

    fn fill_defaults(
        &mut self,
        schema: &'static Section,
        line: usize,
        mut settings: HashMap<&'static str, Setting>,
    ) -> Entry {
        for key in schema.keys {
            if settings.contains_key(key.name) {
                continue;
            }
            match key.default {
                Fallback::None => {}
                Fallback::Literal(literal) => {
                    if let Ok(value) = default_value(key, literal) {
                        settings.insert(key.name, Setting { value, line: 0 });
                    }
                }
                // A key that was given but refused has its own problem already.
                Fallback::Required if self.refused(schema, key, line) => {}
                Fallback::Required => {
                    let path = format!("{}.{}", schema.name, key.name);
                    let cause = format!("\"{}\" is missing in this section", key.name);
                    let hint = format!(
                        "add a line: {} = ... ({}). {}",
                        key.name,
                        key.kind.describe(),
                        key.doc
                    );
                    self.problem(line, &path, ProblemKind::MissingKey, cause, hint);
                }
            }
        }
        Entry {
            schema,
            line,
            settings,
        }
    }

    fn refused(&self, schema: &Section, key: &Key, line: usize) -> bool {
        let path = format!("{}.{}", schema.name, key.name);
        self.problems
            .iter()
            .any(|problem| problem.key == path && problem.line >= line)
    }
}

/// Reads a default of the schema; a test proves that every one is valid.
pub(crate) fn default_value(key: &Key, literal: &str) -> Result<Value, Refusal> {
    let value: TomlValue = literal.parse().map_err(|_| mistype(key, literal))?;
    read_value(key, &value)
}

type Refusal = (ProblemKind, String, String);

fn mistype(key: &Key, found: &str) -> Refusal {
    let cause = format!("expected {}, found {found}", key.kind.describe());
    let hint = match key.kind {
        Kind::Integer { .. } | Kind::Decimal { .. } => unit_hint(key),
        Kind::TextList => Some(format!(
            "write a list of texts in quotes: {} = [\"...\"]",
            key.name
        )),
        Kind::Bool => Some(format!(
            "write {} = true or {} = false, without quotes",
            key.name, key.name
        )),
        _ => Some(format!("put it in quotes: {} = \"...\"", key.name)),
    };
    (
        ProblemKind::WrongType,
        cause,
        hint.unwrap_or_else(|| key.doc.to_owned()),
    )
}

/// A hint about the unit, for keys whose name carries one.
fn unit_hint(key: &Key) -> Option<String> {
    let units = [
        ("_ms", "milliseconds"),
        ("_s", "seconds"),
        ("_days", "days"),
        ("_kib", "KiB"),
        ("_volts", "volts"),
        ("_milliamps", "milliamps"),
    ];
    let (_, unit) = units
        .iter()
        .find(|(suffix, _)| key.name.ends_with(suffix))?;
    Some(format!(
        "give {} as a bare number of {unit}, without a unit behind it",
        key.name
    ))
}

/// Checks one value against its key.
pub(crate) fn read_value(key: &Key, value: &TomlValue) -> Result<Value, Refusal> {
    let found = || {
        mistype(
            key,
            &format!("{} ({})", value.type_name(), shown(key, value)),
        )
    };
    match key.kind {
        Kind::Integer { min, max } => {
            let number = value.as_integer().ok_or_else(found)?;
            if (min..=max).contains(&number) {
                Ok(Value::Integer(number))
            } else {
                let cause = format!("{number} is outside {min}..{max}");
                Err((
                    ProblemKind::OutOfRange,
                    cause,
                    range_hint(key, number, min, max),
                ))
            }
        }
        Kind::Decimal { min, max } => {
            let number = value
                .as_float()
                .or_else(|| value.as_integer().map(|whole| whole as f64))
                .ok_or_else(found)?;
            let scaled = (number * 1000.0).round();
            if number.is_finite() && scaled >= min as f64 && scaled <= max as f64 {
                Ok(Value::Decimal(scaled as i64))
            } else {
                let (min, max) = (thousandths(min), thousandths(max));
                let cause = format!("{number} is outside {min}..{max}");
                Err((ProblemKind::OutOfRange, cause, key.doc.to_owned()))
            }
        }
        Kind::Bool => value.as_bool().map(Value::Bool).ok_or_else(found),
        Kind::TextList => {
            let array = value.as_array().ok_or_else(found)?;
            let texts: Option<Vec<String>> = array
                .iter()
                .map(|text| text.as_str().map(str::to_owned))
                .collect();
            texts.map(Value::List).ok_or_else(found)
        }
        kind => {
            let text = value.as_str().ok_or_else(found)?;
            check_text(kind, text)
                .map(|()| Value::Text(text.to_owned()))
                .map_err(|cause| (ProblemKind::OutOfRange, cause, key.doc.to_owned()))
        }
    }
}

fn shown(key: &Key, value: &TomlValue) -> String {
    if key.kind == Kind::Secret {
        "***".into()
    } else {
        value.to_string().trim().to_owned()
    }
}

fn range_hint(key: &Key, number: i64, min: i64, max: i64) -> String {
    let scaled = number / 1000;
    if key.name.ends_with("_s") && number > max && (min..=max).contains(&scaled) {
        format!(
            "this looks like milliseconds; {} is in seconds: {} = {scaled}",
            key.name, key.name
        )
    } else {
        key.doc.to_owned()
    }
}

fn check_text(kind: Kind, text: &str) -> Result<(), String> {
    let quoted = format!("\"{text}\"");
    match kind {
        Kind::SocketAddress => text
            .parse::<std::net::SocketAddr>()
            .map(|_| ())
            .map_err(|_| format!("{quoted} is not address:port")),
        Kind::Host => crate::host::HostPort::parse(text)
            .map(|_| ())
            .map_err(|cause| format!("{quoted}: {cause}")),
        Kind::OneOf(words) if !words.contains(&text) => {
            Err(format!("{quoted} is not one of {}", words.join(", ")))
        }
        Kind::Digits if text.is_empty() || text.len() > 16 => Err("needs 1 to 16 keys".into()),
        Kind::Digits if !text.bytes().all(|key| b"0123456789*#ABCD".contains(&key)) => Err(
            format!("{quoted} holds something that is no DTMF key (0-9 * # A-D)"),
        ),
        Kind::Text | Kind::Path | Kind::Secret if text.is_empty() => {
            Err("must not be empty".into())
        }
        Kind::Text if text.chars().any(char::is_control) => Err("holds a control character".into()),
        _ => Ok(()),
    }
}

/// "Did you mean", by edit distance, else the list of what there is.
fn suggestion(name: &str, known: &[&str]) -> String {
    let best = known.iter().map(|word| (distance(name, word), *word)).min();
    match best {
        Some((edits, word)) if edits <= 2 || stem(name) == stem(word) => {
            format!("did you mean \"{word}\"? The unit is part of a key's name")
        }
        _ => format!("known here: {}", known.join(", ")),
    }
}

/// A key without its unit: `talk_limit_ms` and `talk_limit_s` share a stem.
fn stem(name: &str) -> &str {
    ["_ms", "_s", "_sec", "_seconds", "_min"]
        .iter()
        .find_map(|unit| name.strip_suffix(unit))
        .unwrap_or(name)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
