//! Keeps the tables of docs/reference/sip.md true: every test they name exists.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

/// Names of the tests in Rust source: the function after each `#[test]`.
fn tests_in(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut marked = false;
    for line in source.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ").filter(|_| marked) {
            found.push(rest.split('(').next().unwrap().to_owned());
            marked = false;
        }
    }
    found
}

/// All tests below a folder as `module::name`.
fn collect(folder: &Path, prefix: &str, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = match stem.as_str() {
            "mod" | "lib" => prefix.to_owned(),
            _ => format!("{prefix}{stem}::"),
        };
        if path.is_dir() {
            collect(&path, &module, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            for test in tests_in(&source) {
                into.insert(format!("{module}{test}"));
            }
        }
    }
}

fn existing() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    collect(&root.join("src"), "", &mut tests);
    collect(&root.join("tests"), "", &mut tests);
    collect(&root.join("../trace/tests"), "", &mut tests);
    // The whole gateway in virtual time.
    collect(&root.join("../gateway/tests/virtual_time"), "", &mut tests);
    // Behaviours against real peers.
    collect(&root.join("../../tests/tests"), "", &mut tests);
    collect(&root.join("../../tests/fuzz/tests"), "", &mut tests);
    tests
}

/// The tests named in a document: code spans with `::` in the last cell of a table row.
fn named(document: &str) -> Vec<String> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let spans = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    spans
        .filter(|s| s.contains("::"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_test_named_in_the_reference_exists() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/sip.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (named, existing) = (named(&document), existing());
    assert!(named.len() > 80, "{} tests named", named.len());
    let missing: Vec<_> = named.iter().filter(|n| !existing.contains(*n)).collect();
    assert!(missing.is_empty(), "named but not there: {missing:?}");
    // And each row of a table of behaviours names one.
    let rows = document
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| RFC section"));
    let bare: Vec<_> = rows.filter(|row| !row.contains("::")).collect();
    assert!(bare.is_empty(), "behaviours without test: {bare:?}");
}

#[test]
fn a_missing_test_would_be_noticed() {
    assert_eq!(
        named("| a | b | `x::y`, `z::w` |\ntext `q::r`"),
        ["x::y", "z::w"]
    );
    assert_eq!(tests_in("#[test]\nfn a() {}\nfn b() {}"), ["a"]);
    assert!(!existing().contains("calls::no_such_test"));
    assert!(existing().contains("reference::a_missing_test_would_be_noticed"));
}
