//! Reading a profile file and refusing what cannot work on a line.

use std::fmt;

use super::{Figure, Profile};

/// What is wrong with a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProfileErrorKind {
    /// Not TOML, a missing key or a value of the wrong type.
    Syntax,
    /// A key that no profile has.
    UnknownKey,
    /// A time below zero.
    NegativeTime,
    /// A figure that is not a finite number in a sensible range.
    OutOfRange,
    /// Two bands overlap.
    OverlappingBands,
    /// Two bands are closer than 0.3 V.
    CloseBands,
    /// The door release is too short to be seen.
    ShortDoorRelease,
    /// Two times contradict each other.
    Contradiction,
    /// A figure has no source.
    NoSource,
}

/// A refused profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileError {
    /// Kind, for decisions.
    pub kind: ProfileErrorKind,
    /// What is wrong, with the key and the value.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for ProfileError {}

/// Bands closer than this are declared bad on site too (line-facts 1.2: 20 counts).
const MIN_GAP_VOLTS: f32 = 0.3;
/// Shorter releases are ignored by panels (line-facts 1.7: offered range starts at 50 ms).
const MIN_RELEASE_MS: u64 = 50;
/// No time in a profile is longer than an hour.
const MAX_MS: u64 = 3_600_000;

fn error(kind: ProfileErrorKind, cause: String, hint: &'static str) -> ProfileError {
    ProfileError { kind, cause, hint }
}

pub(super) fn load(text: &str) -> Result<Profile, ProfileError> {
    let profile: Profile = toml::from_str(text).map_err(|e| parse_error(&e))?;
    check(&profile).map_err(|e| at_line(text, e))?;
    Ok(profile)
}

/// Reads a file of the same form for another kind of line: every figure sane in itself, then what
/// `check` says of the whole, each refusal with its line.
pub(crate) fn load_other<T: serde::de::DeserializeOwned>(
    text: &str,
    check: impl Fn(&T) -> Result<(), ProfileError>,
) -> Result<T, ProfileError> {
    let profile: T = toml::from_str(text).map_err(|e| parse_error(&e))?;
    sane(text)
        .and_then(|()| check(&profile))
        .map_err(|e| at_line(text, e))?;
    Ok(profile)
}

/// Every figure of a file by itself: a source, and a value that a line can have.
fn sane(text: &str) -> Result<(), ProfileError> {
    let table: toml::Table = toml::from_str(text).map_err(|e| parse_error(&e))?;
    for (section, keys) in &table {
        let Some(keys) = keys.as_table() else {
            continue;
        };
        for (key, figure) in keys {
            let path = format!("{section}.{key}");
            let text_of = |name: &str| figure.get(name).and_then(toml::Value::as_str);
            if text_of("source").is_some_and(|source| source.trim().is_empty()) {
                return Err(no_source(&path));
            }
            let (value, most) = match figure.get("value") {
                Some(toml::Value::Float(value)) => (*value, 10_000.0),
                Some(toml::Value::Integer(value)) => (*value as f64, MAX_MS as f64),
                _ => continue,
            };
            // Whole numbers may be nought: a time that is not waited.
            let least = if most > 10_000.0 { 0.0 } else { 1e-6 };
            if !(least..=most).contains(&value) {
                return Err(out_of_range(&path, value));
            }
        }
    }
    Ok(())
}

fn no_source(key: &str) -> ProfileError {
    error(
        ProfileErrorKind::NoSource,
        format!("{key} has no source"),
        "say where the figure comes from, or \"guess\" with mark \"?\"",
    )
}

fn out_of_range(key: &str, value: f64) -> ProfileError {
    error(
        ProfileErrorKind::OutOfRange,
        format!("{key} = {value}"),
        "volts, milliamps and hertz are positive numbers of a low-voltage line, times are below one hour",
    )
}

/// Everything that a profile must hold to work on a line.
pub(crate) fn check(profile: &Profile) -> Result<(), ProfileError> {
    sources(profile)
        .and_then(|()| bands(profile))
        .and_then(|()| times(profile))
        .and_then(|()| door(profile))
}

pub(super) fn unknown_override(name: &str) -> ProfileError {
    error(
        ProfileErrorKind::UnknownKey,
        format!("{name} is no value of one apartment"),
        "trubka config explain override lists the values that an apartment may have of its own",
    )
}

fn at_line(text: &str, mut e: ProfileError) -> ProfileError {
    e.cause = with_line(text, &e.cause);
    e
}

/// Puts the line of the first `section.key` that the cause names before it, or that of the key
/// without a section that it begins with.
pub(crate) fn with_line(text: &str, cause: &str) -> String {
    let word = |w: &str| {
        w.trim_matches(|c: char| !c.is_ascii_alphanumeric())
            .split_once('.')
            .map(|(section, key)| (format!("[{section}]"), key.to_owned()))
    };
    let line_of = |section: &str, key: &str| {
        let mut inside = String::new();
        text.lines().zip(1_u32..).find_map(|(line, number)| {
            let line = line.trim();
            if line.starts_with('[') {
                line.clone_into(&mut inside);
            }
            let name = line.split('=').next().map(str::trim);
            (inside == section && name == Some(key)).then_some(number)
        })
    };
    let found = cause
        .split_whitespace()
        .filter_map(word)
        .find_map(|(section, key)| line_of(&section, &key))
        .or_else(|| line_of("", cause.split_whitespace().next()?));
    match found {
        Some(number) => format!("line {number}: {cause}"),
        None => cause.to_owned(),
    }
}

fn parse_error(e: &toml::de::Error) -> ProfileError {
    let cause = e.to_string();
    if e.message().starts_with("unknown field") {
        error(
            ProfileErrorKind::UnknownKey,
            cause,
            "remove the key or correct its spelling; docs/reference/profiles.md lists all keys",
        )
    } else if e.message().contains("integer `-") {
        error(
            ProfileErrorKind::NegativeTime,
            cause,
            "times are whole milliseconds, zero or more",
        )
    } else {
        error(
            ProfileErrorKind::Syntax,
            cause,
            "every figure is { value = ..., mark = \"M|D|C|F|X|?\", source = \"...\" }; copy a built-in profile and change it",
        )
    }
}

/// Every figure of the profile as (key, value, source), times as numbers too.
fn figures(p: &Profile) -> Vec<(&'static str, f64, &str)> {
    fn v<'a>(key: &'static str, f: &'a Figure<f32>) -> (&'static str, f64, &'a str) {
        (key, f64::from(f.value), &f.source)
    }
    let mut all = vec![
        v("bands.idle_max_volts", &p.bands.idle_max_volts),
        v("bands.on_hook_min_volts", &p.bands.on_hook_min_volts),
        v("bands.on_hook_max_volts", &p.bands.on_hook_max_volts),
        v("bands.off_hook_min_volts", &p.bands.off_hook_min_volts),
        v("bands.off_hook_max_volts", &p.bands.off_hook_max_volts),
        v("bands.open_min_volts", &p.bands.open_min_volts),
        v("bands.short_min_milliamps", &p.bands.short_min_milliamps),
        v("ring.min_swing_volts", &p.ring.min_swing_volts),
        v("ring.min_fill", &p.ring.min_fill),
        v("ring.min_frequency_hz", &p.ring.min_frequency_hz),
        v("ring.max_frequency_hz", &p.ring.max_frequency_hz),
        v(
            "handset.bias_on_hook_max_volts",
            &p.handset.bias_on_hook_max_volts,
        ),
        v(
            "handset.bias_missing_min_volts",
            &p.handset.bias_missing_min_volts,
        ),
        v(
            "handset.bias_short_max_volts",
            &p.handset.bias_short_max_volts,
        ),
        v("matrix.select_min_volts", &p.matrix.select_min_volts),
        v("matrix.sunk_max_volts", &p.matrix.sunk_max_volts),
        v("matrix.float_min_volts", &p.matrix.float_min_volts),
        v("fault.foreign_min_volts", &p.fault.foreign_min_volts),
        v("fault.foreign_hum_volts", &p.fault.foreign_hum_volts),
        v("fault.leakage_min_volts", &p.fault.leakage_min_volts),
        ("matrix.sourced", 1.0, &p.matrix.sourced.source),
        ("door.manner", 1.0, &p.door.manner.source),
        (
            "door.not_while_sounding",
            1.0,
            &p.door.not_while_sounding.source,
        ),
    ];
    // 0 and the hour are checked apart, with a hint about milliseconds.
    all.extend(durations(p).map(|(key, f)| (key, 1.0, f.source.as_str())));
    all
}

fn durations(p: &Profile) -> impl Iterator<Item = (&'static str, &Figure<u64>)> {
    [
        ("ring.minimum_ms", &p.ring.minimum_ms),
        ("ring.hold_off_ms", &p.ring.hold_off_ms),
        ("ring.idle_ends_ms", &p.ring.idle_ends_ms),
        ("timing.selected_ms", &p.timing.selected_ms),
        ("timing.fault_ms", &p.timing.fault_ms),
        ("timing.off_hook_settle_ms", &p.timing.off_hook_settle_ms),
        ("timing.on_hook_ms", &p.timing.on_hook_ms),
        ("timing.lockout_ms", &p.timing.lockout_ms),
        ("timing.panel_end_ms", &p.timing.panel_end_ms),
        ("timing.panel_talk_limit_ms", &p.timing.panel_talk_limit_ms),
        ("door.release_ms", &p.door.release_ms),
        ("door.restore_ms", &p.door.restore_ms),
        ("door.sounding_wait_max_ms", &p.door.sounding_wait_max_ms),
        ("handset.lift_ms", &p.handset.lift_ms),
        ("handset.replace_ms", &p.handset.replace_ms),
        ("handset.button_ms", &p.handset.button_ms),
        ("matrix.code_ms", &p.matrix.code_ms),
        ("fault.leakage_ms", &p.fault.leakage_ms),
    ]
    .into_iter()
}

fn sources(p: &Profile) -> Result<(), ProfileError> {
    if p.name.is_empty()
        || !p
            .name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        return Err(error(
            ProfileErrorKind::OutOfRange,
            format!("name = {:?}", p.name),
            "a profile name is lower-case letters, digits and dashes",
        ));
    }
    for (key, value, source) in figures(p) {
        if source.trim().is_empty() {
            return Err(no_source(key));
        }
        if !value.is_finite() || value <= 0.0 || value > 10_000.0 {
            return Err(out_of_range(key, value));
        }
    }
    Ok(())
}

fn bands(p: &Profile) -> Result<(), ProfileError> {
    let b = &p.bands;
    let edges = [
        ("bands.idle_max_volts", b.idle_max_volts.value),
        ("bands.on_hook_min_volts", b.on_hook_min_volts.value),
        ("bands.on_hook_max_volts", b.on_hook_max_volts.value),
        ("bands.off_hook_min_volts", b.off_hook_min_volts.value),
        ("bands.off_hook_max_volts", b.off_hook_max_volts.value),
        ("bands.open_min_volts", b.open_min_volts.value),
    ];
    for pair in edges.windows(2) {
        let [(low_key, low), (high_key, high)] = pair else {
            continue;
        };
        if high <= low {
            return Err(error(
                ProfileErrorKind::OverlappingBands,
                format!("{low_key} = {low} V is not below {high_key} = {high} V"),
                "bands rise in the order idle, on-hook, off-hook, open",
            ));
        }
        // Inside one band a width is no gap.
        let gap = !(low_key.ends_with("min_volts") && high_key.ends_with("max_volts"));
        if gap && high - low < MIN_GAP_VOLTS - 1e-4 {
            return Err(error(
                ProfileErrorKind::CloseBands,
                format!("{low_key} = {low} V and {high_key} = {high} V are closer than 0.3 V"),
                "read on-hook, off-hook and button on this line again; a line whose readings lie closer than 0.3 V has a wiring fault",
            ));
        }
    }
    let h = &p.handset;
    if !(h.bias_short_max_volts.value < h.bias_on_hook_max_volts.value
        && h.bias_on_hook_max_volts.value < h.bias_missing_min_volts.value
        && h.bias_missing_min_volts.value < 5.0)
    {
        return Err(error(
            ProfileErrorKind::OverlappingBands,
            format!(
                "handset.bias_short_max_volts = {} V, handset.bias_on_hook_max_volts = {} V and handset.bias_missing_min_volts = {} V overlap",
                h.bias_short_max_volts.value,
                h.bias_on_hook_max_volts.value,
                h.bias_missing_min_volts.value
            ),
            "order them short < on-hook < missing, all below the 5 V of the bias",
        ));
    }
    let m = &p.matrix;
    if m.float_min_volts.value - m.sunk_max_volts.value < MIN_GAP_VOLTS - 1e-4 {
        return Err(error(
            ProfileErrorKind::CloseBands,
            format!(
                "matrix.sunk_max_volts = {} V and matrix.float_min_volts = {} V are closer than 0.3 V",
                m.sunk_max_volts.value, m.float_min_volts.value
            ),
            "a sunk line reads about 0.2 V, a floating one about 2 V; leave a gap between them",
        ));
    }
    for (wrong, key, value) in [
        (
            p.fault.leakage_min_volts.value >= b.idle_max_volts.value,
            "fault.leakage_min_volts",
            p.fault.leakage_min_volts.value,
        ),
        (
            p.fault.foreign_min_volts.value <= b.open_min_volts.value,
            "fault.foreign_min_volts",
            p.fault.foreign_min_volts.value,
        ),
    ] {
        if wrong {
            return Err(error(
                ProfileErrorKind::Contradiction,
                format!("{key} = {value} V"),
                "leakage begins below bands.idle_max_volts, foreign voltage above bands.open_min_volts",
            ));
        }
    }
    if p.ring.min_fill.value >= 0.95 {
        return Err(error(
            ProfileErrorKind::OutOfRange,
            format!("ring.min_fill = {}", p.ring.min_fill.value),
            "even a square wave fills only 0.95 after a cable; 0.72 leaves a sine and speech out",
        ));
    }
    let (low, high) = (p.ring.min_frequency_hz.value, p.ring.max_frequency_hz.value);
    let wrong = if high > 3800.0 {
        Some(("ring.max_frequency_hz", high))
    } else {
        (low >= high || low < 200.0).then_some(("ring.min_frequency_hz", low))
    };
    if let Some((key, value)) = wrong {
        return Err(error(
            ProfileErrorKind::OutOfRange,
            format!("{key} = {value}: ring frequencies are {low} to {high} Hz"),
            "keep between 200 Hz (above mains hum and its harmonics' envelope) and 3800 Hz (8 kHz sampling)",
        ));
    }
    Ok(())
}

fn times(p: &Profile) -> Result<(), ProfileError> {
    for (key, figure) in durations(p) {
        if figure.value > MAX_MS {
            return Err(error(
                ProfileErrorKind::OutOfRange,
                format!("{key} = {} ms", figure.value),
                "times are milliseconds and stay below one hour",
            ));
        }
    }
    for (low_key, low, high_key, high) in [
        (
            "ring.minimum_ms",
            &p.ring.minimum_ms,
            "ring.hold_off_ms",
            &p.ring.hold_off_ms,
        ),
        (
            "ring.idle_ends_ms",
            &p.ring.idle_ends_ms,
            "ring.hold_off_ms",
            &p.ring.hold_off_ms,
        ),
    ] {
        if low.value > high.value {
            return Err(error(
                ProfileErrorKind::Contradiction,
                format!(
                    "{low_key} = {} ms is longer than {high_key} = {} ms",
                    low.value, high.value
                ),
                "the hold-off bridges the longest pause between two bursts; make it the longer one",
            ));
        }
    }
    if p.ring.minimum_ms.value < 20 {
        return Err(error(
            ProfileErrorKind::OutOfRange,
            format!("ring.minimum_ms = {}", p.ring.minimum_ms.value),
            "below 20 ms a relay click or a polling pulse counts as a ring",
        ));
    }
    Ok(())
}

fn door(p: &Profile) -> Result<(), ProfileError> {
    if p.door.release_ms.value < MIN_RELEASE_MS {
        return Err(error(
            ProfileErrorKind::ShortDoorRelease,
            format!("door.release_ms = {} ms", p.door.release_ms.value),
            "panels ignore a press shorter than 50 ms; 300 to 600 ms work in the field",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIZIT: &str = include_str!("../../profiles/vizit.toml");

    fn changed(key: &str, value: &str) -> ProfileError {
        let mut hit = false;
        let text: Vec<String> = VIZIT
            .lines()
            .map(|line| {
                if line.split('=').next().map(str::trim) == Some(key) {
                    hit = true;
                    format!("{key} = {value}")
                } else {
                    line.to_owned()
                }
            })
            .collect();
        assert!(hit, "no key {key}");
        let error = Profile::from_toml(&text.join("\n")).unwrap_err();
        assert!(!error.cause.is_empty() && !error.hint.is_empty());
        error
    }

    #[test]
    fn every_builtin_profile_loads_and_bears_its_name() {
        for name in Profile::builtin_names() {
            assert_eq!(Profile::builtin(name).unwrap().name, name);
        }
        assert!(Profile::builtin("nobody").is_none());
    }

    #[test]
    fn bad_profiles_are_refused_with_kind_and_hint() {
        let x = |v: &str| format!("{{ value = {v}, mark = \"X\", source = \"test\" }}");
        for (key, value, kind, hint) in [
            (
                "off_hook_min_volts",
                x("4.0"),
                ProfileErrorKind::OverlappingBands,
                "rise in the order",
            ),
            (
                "off_hook_min_volts",
                x("4.4"),
                ProfileErrorKind::CloseBands,
                "wiring fault",
            ),
            (
                "lockout_ms",
                x("-5"),
                ProfileErrorKind::NegativeTime,
                "milliseconds",
            ),
            (
                "release_ms",
                x("49"),
                ProfileErrorKind::ShortDoorRelease,
                "50 ms",
            ),
            (
                "release_ms",
                x("99999999"),
                ProfileErrorKind::OutOfRange,
                "one hour",
            ),
            (
                "min_swing_volts",
                x("nan"),
                ProfileErrorKind::OutOfRange,
                "positive",
            ),
            (
                "minimum_ms",
                x("5"),
                ProfileErrorKind::OutOfRange,
                "relay click",
            ),
            (
                "minimum_ms",
                x("9000"),
                ProfileErrorKind::Contradiction,
                "hold-off",
            ),
            (
                "min_frequency_hz",
                x("90.0"),
                ProfileErrorKind::OutOfRange,
                "hum",
            ),
            (
                "bias_missing_min_volts",
                x("5.5"),
                ProfileErrorKind::OverlappingBands,
                "5 V",
            ),
            (
                "release_ms",
                "300".to_owned(),
                ProfileErrorKind::Syntax,
                "mark",
            ),
            (
                "lift_ms",
                "{ value = 60, mark = \"Z\", source = \"t\" }".to_owned(),
                ProfileErrorKind::Syntax,
                "mark",
            ),
            (
                "lift_ms",
                "{ value = 60, mark = \"C\", source = \" \" }".to_owned(),
                ProfileErrorKind::NoSource,
                "guess",
            ),
            (
                "lift_ms",
                "{ value = 60, mark = \"C\", source = \"t\", by = 1 }".to_owned(),
                ProfileErrorKind::UnknownKey,
                "spelling",
            ),
            (
                "name",
                "\"Not A Name\"".to_owned(),
                ProfileErrorKind::OutOfRange,
                "lower-case",
            ),
        ] {
            let error = changed(key, &value);
            assert_eq!(error.kind, kind, "{key} = {value}: {error}");
            assert!(error.hint.contains(hint), "{key}: {}", error.hint);
        }
        let unknown = Profile::from_toml(&format!("colour = 1\n{VIZIT}")).unwrap_err();
        assert_eq!(unknown.kind, ProfileErrorKind::UnknownKey);
    }

    #[test]
    fn a_refusal_names_its_line() {
        let number = VIZIT
            .lines()
            .position(|l| l.starts_with("release_ms"))
            .unwrap()
            + 1;
        let error = changed("release_ms", "{ value = 5, mark = \"C\", source = \"t\" }");
        assert!(
            error.cause.starts_with(&format!("line {number}: ")),
            "{error}"
        );
        for (key, value) in [
            ("leakage_min_volts", 3.0),
            ("float_min_volts", 0.8),
            ("foreign_min_volts", 9.0),
            ("select_min_volts", -1.0),
        ] {
            let value = format!("{{ value = {value}, mark = \"C\", source = \"t\" }}");
            assert!(changed(key, &value).cause.contains("line "), "{key}");
        }
    }
}
