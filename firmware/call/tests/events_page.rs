//! The page of events says what the list of events says: every name, and which of them are kept.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};

const SOURCE: &str = include_str!("../src/event.rs");
const PAGE: &str = include_str!("../../../docs/reference/events.md");

/// The body of a function of the source.
fn body(function: &str) -> &'static str {
    let start = SOURCE.find(function).unwrap();
    let rest = &SOURCE[start..];
    &rest[..rest.find("\n    }\n").unwrap()]
}

/// Variant and stable name of every event.
fn names() -> BTreeMap<&'static str, &'static str> {
    let arm = |line: &'static str| {
        let (pattern, name) = line.trim().split_once(" => \"")?;
        let variant = pattern.strip_prefix("Event::")?.split(' ').next()?;
        Some((variant, name.strip_suffix("\",")?))
    };
    body("pub fn name(&self)").lines().filter_map(arm).collect()
}

#[test]
fn the_page_lists_every_event_and_marks_the_kept_ones() {
    let names = names();
    assert!(names.len() > 20, "{names:?}");
    let passing: BTreeSet<&str> = body("pub fn is_journalled")
        .split("Event::")
        .skip(1)
        .map(|rest| rest.split([' ', '{']).next().unwrap())
        .collect();
    let wanted: BTreeMap<&str, bool> = names
        .iter()
        .map(|(variant, name)| (*name, !passing.contains(variant)))
        .collect();
    let row = |line: &'static str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().strip_suffix('`')?;
        Some((name, cells.next()?.trim() == "J"))
    };
    let page: BTreeMap<&str, bool> = PAGE.lines().filter_map(row).collect();
    assert_eq!(page, wanted);
}
