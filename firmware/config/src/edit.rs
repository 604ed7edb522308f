//! Changes to the file that keep its comments and order, for the console and the tools.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value as TomlValue, value};

use crate::document::read_value;
use crate::problem::{Problem, ProblemKind};
use crate::schema::{Kind, section};
use crate::{Config, schema};

/// One change: `section.key`, the entry for `[[section]]`, and the new value as a person types it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Section name.
    pub section: String,
    /// Which entry of a repeated section, from 0; one more than there are adds an entry. Ignored
    /// for sections that stand once.
    pub index: usize,
    /// Key name.
    pub key: String,
    /// New value as typed: lists are separated by commas.
    pub value: String,
}

/// Applies all changes, checks the whole, and returns the new text.
///
/// # Errors
/// The problems of the result; then nothing has changed.
pub fn apply_changes(text: &str, file: &str, changes: &[Change]) -> Result<String, Vec<Problem>> {
    let one = |key: &str, kind, cause: String, hint: &str| {
        vec![Problem {
            file: file.into(),
            line: 0,
            key: key.into(),
            kind,
            cause,
            hint: hint.into(),
        }]
    };
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        one(
            "",
            ProblemKind::Syntax,
            error.message().into(),
            "mend the file by hand first",
        )
    })?;
    for change in changes {
        let path = format!("{}.{}", change.section, change.key);
        let known =
            section(&change.section).and_then(|section| Some((section, section.key(&change.key)?)));
        let Some((section, key)) = known else {
            return Err(one(
                &path,
                ProblemKind::UnknownKey,
                "there is no such key".into(),
                "see: trubka config explain",
            ));
        };
        let new = typed(key, &change.value).ok_or_else(|| {
            one(
                &path,
                ProblemKind::WrongType,
                format!("expected {}", key.kind.describe()),
                key.doc,
            )
        })?;
        read_value(key, &new).map_err(|(kind, cause, hint)| one(&path, kind, cause, &hint))?;
        let table = entry_table(&mut document, section, change.index).ok_or_else(|| {
            one(
                &path,
                ProblemKind::MissingKey,
                format!("there is no {} number {}", section.name, change.index + 1),
                "add the section to the file first",
            )
        })?;
        put(table, key.name, new);
    }
    let text = document.to_string();
    Config::parse(&text, file)?;
    Ok(text)
}

fn typed(key: &schema::Key, text: &str) -> Option<TomlValue> {
    Some(match key.kind {
        Kind::Integer { .. } => TomlValue::from(text.trim().parse::<i64>().ok()?),
        Kind::Decimal { .. } => TomlValue::from(text.trim().parse::<f64>().ok()?),
        Kind::Bool => TomlValue::from(text.trim().parse::<bool>().ok()?),
        Kind::TextList => {
            let parts = text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty());
            TomlValue::from(parts.collect::<Array>())
        }
        _ => TomlValue::from(text),
    })
}

fn entry_table<'a>(
    document: &'a mut DocumentMut,
    section: &schema::Section,
    index: usize,
) -> Option<&'a mut Table> {
    let item = document.as_table_mut().entry(section.name);
    if section.many {
        let tables = item
            .or_insert(Item::ArrayOfTables(ArrayOfTables::new()))
            .as_array_of_tables_mut()?;
        if index == tables.len() {
            tables.push(Table::new());
        }
        tables.get_mut(index)
    } else {
        item.or_insert(Item::Table(Table::new())).as_table_mut()
    }
}

/// Sets the value and keeps the comment behind the old one.
fn put(table: &mut Table, key: &str, new: TomlValue) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

/// Writes a file beside the old one and puts it in its place, so that a power cut leaves one of
/// the two whole.
///
/// # Errors
/// What the system said; the old file is untouched then.
pub fn write_whole(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // The new name must be on the disk too.
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}
