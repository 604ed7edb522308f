//! Every key of every profile and switch file: without it, with an absurd value, without its source,
//! the file is refused with its line and a hint.

#![allow(clippy::unwrap_used, clippy::panic)]

use line_interface::Profile;
use line_interface::pulse::PulseProfile;
use line_interface::switch::Switch;

type Loaded = Result<(), (String, &'static str)>;

fn profile(text: &str) -> Loaded {
    Profile::from_toml(text).map_err(|e| (e.cause, e.hint))?;
    Ok(())
}

fn pulse(text: &str) -> Loaded {
    PulseProfile::from_toml(text).map_err(|e| (e.cause, e.hint))?;
    Ok(())
}

fn switch(text: &str) -> Loaded {
    Switch::from_toml(text).map_err(|e| (e.cause, e.hint))?;
    Ok(())
}

/// The lines of a file that hold a key, by number from 0.
fn keys(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .filter_map(|(n, line)| Some((n, line.split_once('=')?.0.trim())))
        .filter(|(_, key)| !key.starts_with('#'))
        .collect()
}

fn with_line(text: &str, at: usize, new: Option<&str>) -> String {
    let lines = text.lines().enumerate();
    let kept = lines.filter_map(|(n, line)| if n == at { new } else { Some(line) });
    kept.map(|line| format!("{line}\n")).collect()
}

/// Every way in which a file is spoilt at one key; returns how many there were.
fn spoil(name: &str, text: &str, load: fn(&str) -> Loaded) -> usize {
    load(text).unwrap();
    let mut tried = 0;
    let mut refused = |changed: &str, at: usize, key: &str, what: &str| {
        tried += 1;
        let Err((cause, hint)) = load(changed) else {
            panic!("{name}: {key} {what} is taken");
        };
        assert!(!hint.is_empty(), "{name}: {key} {what}: {cause}");
        // The line itself, or where two values contradict each other the line of one of them with
        // both keys.
        let here = cause.contains(&format!("line {}:", at + 1))
            || cause.contains(&format!("line {},", at + 1))
            || cause.contains("line ") && cause.contains(key);
        assert!(here, "{name}: line {} {key} {what}: {cause}", at + 1);
    };
    for (at, key) in keys(text) {
        let line = text.lines().nth(at).unwrap();
        refused(&with_line(text, at, None), at, key, "missing");
        let extra = format!("{line}\nx{key} = 1");
        let changed = with_line(text, at, Some(&extra));
        let Err((cause, hint)) = load(&changed) else {
            panic!("{name}: x{key} is taken");
        };
        assert!(
            cause.contains(&format!("line {}", at + 2)) && !hint.is_empty(),
            "{cause}"
        );
        let Some((before, rest)) = line.split_once("value = ") else {
            continue;
        };
        let (value, after) = rest.split_once(", mark").unwrap();
        let absurd: &[&str] = if value.starts_with('"') {
            &["1", "\"sideways\"", "true"]
        } else if value == "true" || value == "false" {
            &["1", "\"yes\"", "-1.5"]
        } else if value.starts_with('[') {
            &["[]", "[0]", "[99]", "5", "\"ten\""]
        } else {
            &[
                "-1",
                "-0.5",
                "99999999999",
                "1e30",
                "nan",
                "inf",
                "\"5\"",
                "true",
            ]
        };
        for value in absurd {
            let new = format!("{before}value = {value}, mark{after}");
            refused(&with_line(text, at, Some(&new)), at, key, value);
        }
        for (from, to, what) in [
            ("mark = \"", "mark = \"Z", "with another mark"),
            ("source = \"", "sauce = \"", "without a source"),
        ] {
            let new = line.replacen(from, to, 1);
            refused(&with_line(text, at, Some(&new)), at, key, what);
        }
        let (head, _) = line.split_once("source = ").unwrap();
        let new = format!("{head}source = \" \" }}");
        refused(
            &with_line(text, at, Some(&new)),
            at,
            key,
            "with an empty source",
        );
    }
    tried
}

#[test]
fn every_key_of_every_profile_is_checked() {
    for name in Profile::builtin_names() {
        let tried = spoil(name, Profile::builtin_toml(name).unwrap(), profile);
        assert!(tried > 400, "{name}: {tried}");
    }
}

#[test]
fn every_key_of_the_pulse_profile_is_checked() {
    let text = include_str!("../profiles/laskomex-class.toml");
    assert!(spoil("laskomex-class", text, pulse) > 200);
}

#[test]
fn every_key_of_a_switch_is_checked() {
    for (name, text) in [
        ("com-25u", include_str!("../switches/com-25u.toml")),
        ("bk-400", include_str!("../switches/bk-400.toml")),
        ("custom", include_str!("../switches/custom.toml")),
    ] {
        assert!(spoil(name, text, switch) > 30, "{name}");
    }
}
