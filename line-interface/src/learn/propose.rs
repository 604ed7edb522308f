//! From measured levels to profile values with margins, or the reasons why not (line-facts 7).

use super::guide::slug;
use crate::observe::{LevelBook, LevelRange};
use crate::profile::Profile;

/// Bands closer than this are a bad line (line-facts 1.2: 20 counts).
const MIN_GAP_VOLTS: f32 = 0.3;
/// And they must lie this many times the noise apart.
const NOISE_GAPS: f32 = 3.0;
/// The door threshold lies this far below the button's reading (line-facts 1.2: 50 counts).
const BUTTON_MARGIN_VOLTS: f32 = 0.8;
/// Blocks of 10 ms that make a level.
const MIN_BLOCKS: u64 = 10;

/// Why nothing is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is missing or wrong, with its figures.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

/// One value to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Section of the profile.
    pub section: &'static str,
    /// Key.
    pub key: &'static str,
    /// New value, as TOML.
    pub value: String,
    /// How it was found.
    pub source: String,
}

/// Which line was measured and when: the source of every learned figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// Name of the line, or of the recording.
    pub line: String,
    /// Day, as in 2026-05-31.
    pub date: String,
}

/// Values that a line's own readings ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Changes, in the order of the file.
    pub changes: Vec<Change>,
    /// The profile file with them.
    pub toml: String,
}

/// Proposes values for a profile file: thresholds between the measured levels, with margins, marked
/// as measured.
///
/// # Errors
/// All reasons why the measurements do not carry a profile.
pub fn propose(base: &str, levels: &LevelBook, stamp: &Stamp) -> Result<Proposal, Vec<Refusal>> {
    let mut refusals = missing(levels);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut changes = bands(levels, &mut refusals);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let need = MIN_GAP_VOLTS.max(NOISE_GAPS * levels.noise_volts());
    let half = MIN_GAP_VOLTS / 2.0;
    let idle_on = (levels.idle.max_volts + levels.on_hook.min_volts) / 2.0;
    let leak = (idle_on - half - 0.05)
        .min(levels.idle.max_volts + need)
        .max(0.1);
    changes.push(Change {
        section: "fault",
        key: "leakage_min_volts",
        value: format!("{:.2}", leak.min(idle_on - half - 0.01)),
        source: "above idle by a margin".to_owned(),
    });
    ring(levels, &mut changes);
    let toml = sourced(base, &mut changes, stamp);
    if let Err(e) = Profile::from_toml(&toml) {
        return Err(vec![Refusal {
            cause: format!("the readings make no profile: {e}"),
            hint: e.hint,
        }]);
    }
    Ok(Proposal { changes, toml })
}

/// Thresholds between the measured levels; or what stands against them.
pub(super) fn bands(levels: &LevelBook, refusals: &mut Vec<Refusal>) -> Vec<Change> {
    let noise = levels.noise_volts();
    let need = MIN_GAP_VOLTS.max(NOISE_GAPS * noise);
    let mut edge = |low: &LevelRange, low_name: &str, high: &LevelRange, high_name: &str| {
        let gap = high.min_volts - low.max_volts;
        if gap < need {
            refusals.push(Refusal {
                cause: format!(
                    "{low_name} reads up to {:.2} V and {high_name} from {:.2} V: {gap:.2} V apart, {need:.2} V are needed with {noise:.2} V of noise",
                    low.max_volts, high.min_volts
                ),
                hint: "look for hum, moisture and bad joints, and measure again; a line whose bands touch has a wiring fault",
            });
        }
        (high.min_volts + low.max_volts) / 2.0
    };
    let idle_on = edge(&levels.idle, "idle", &levels.on_hook, "on-hook");
    let on_off = edge(&levels.on_hook, "on-hook", &levels.off_hook, "off-hook");
    let off_open = edge(&levels.off_hook, "off-hook", &levels.button, "the button");
    if !refusals.is_empty() {
        return Vec::new();
    }
    // Half of the least gap of a profile on either side of the midpoint.
    let half = MIN_GAP_VOLTS / 2.0;
    let open = (off_open + half).max(levels.button.min_volts - BUTTON_MARGIN_VOLTS);
    let mut changes = Vec::new();
    let mut volts = |section, key, v: f32, source: String| {
        changes.push(Change {
            section,
            key,
            value: format!("{v:.2}"),
            source,
        });
    };
    let between = |what: &str| format!("midpoint of {what}");
    volts(
        "bands",
        "idle_max_volts",
        idle_on - half,
        between("idle and on-hook"),
    );
    volts(
        "bands",
        "on_hook_min_volts",
        idle_on + half,
        between("idle and on-hook"),
    );
    volts(
        "bands",
        "on_hook_max_volts",
        on_off - half,
        between("on-hook and off-hook"),
    );
    volts(
        "bands",
        "off_hook_min_volts",
        on_off + half,
        between("on-hook and off-hook"),
    );
    volts(
        "bands",
        "off_hook_max_volts",
        off_open - half,
        between("off-hook and button"),
    );
    volts(
        "bands",
        "open_min_volts",
        open,
        "below the button by a margin".to_owned(),
    );
    changes
}

/// The file with the changes, which get line and day as their source.
pub(super) fn sourced(base: &str, changes: &mut [Change], stamp: &Stamp) -> String {
    for change in &mut *changes {
        let (line, date) = (&stamp.line, &stamp.date);
        change.source = format!("measured on {} {date}: {}", plain(line), change.source);
    }
    apply(base, changes, stamp)
}

pub(super) fn missing(levels: &LevelBook) -> Vec<Refusal> {
    let mut out = Vec::new();
    for (range, name, hint) in [
        (
            &levels.idle,
            "idle",
            "begin the recording before the visitor dials",
        ),
        (
            &levels.on_hook,
            "on-hook",
            "let the panel ring two bursts before the handset is lifted",
        ),
        (
            &levels.off_hook,
            "off-hook",
            "lift the old handset and talk for some seconds",
        ),
        (
            &levels.button,
            "the door button",
            "press the door button of the lifted handset for half a second",
        ),
    ] {
        if range.blocks < MIN_BLOCKS {
            out.push(Refusal {
                cause: format!("{name} was not measured: {} ms of it", range.blocks * 10),
                hint,
            });
        }
    }
    if levels.bursts.is_empty() {
        out.push(Refusal {
            cause: "no ring burst was heard".to_owned(),
            hint: "record a whole call from dialling to the end, DC coupled, with the right --full-scale-volts",
        });
    }
    out
}

fn ring(levels: &LevelBook, changes: &mut Vec<Change>) {
    let frequencies = levels.bursts.iter().map(|b| b.0);
    let low = frequencies.clone().fold(f32::INFINITY, f32::min);
    let high = frequencies.fold(0.0, f32::max);
    let longest = levels.bursts.iter().filter_map(|b| b.2).max();
    let mut push = |key, value: String, source: &str| {
        changes.push(Change {
            section: "ring",
            key,
            value,
            source: source.to_owned(),
        });
    };
    if let Some((swing, _)) = levels.weakest_ring {
        push(
            "min_swing_volts",
            format!("{:.2}", (swing / 2.0).max(0.3)),
            "half of the weakest ring",
        );
    }
    push(
        "min_frequency_hz",
        format!("{:.1}", (low * 0.75).max(200.0)),
        "three quarters of the lowest ring",
    );
    push(
        "max_frequency_hz",
        format!("{:.1}", (high * 1.25).min(3800.0)),
        "five quarters of the highest ring",
    );
    if let Some(pause) = longest {
        // Half as much again, on whole hundreds.
        let hold = (pause * 3 / 2).div_ceil(100) * 100;
        push(
            "hold_off_ms",
            format!("{}", hold.max(2000)),
            "one and a half times the longest pause",
        );
    }
}

/// Text that needs no escape inside a TOML string.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == '"' || c == '\\' || c.is_control() {
                '-'
            } else {
                c
            }
        })
        .collect()
}

/// The file with the values of the changes, under a name of its own; marks become measured.
fn apply(base: &str, changes: &[Change], stamp: &Stamp) -> String {
    let mut section = String::new();
    let mut out = String::new();
    for line in base.lines() {
        let trimmed = line.trim();
        if section.is_empty() && trimmed.split('=').next().map(str::trim) == Some("name") {
            out.push_str(&format!("name = \"{}-learned\"\n", slug(&stamp.line)));
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.to_owned();
        }
        let key = trimmed.split('=').next().map_or("", str::trim);
        match changes
            .iter()
            .find(|c| c.section == section && c.key == key)
        {
            Some(c) => out.push_str(&format!(
                "{key} = {{ value = {}, mark = \"M\", source = \"{}\" }}",
                c.value, c.source
            )),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// Which brand the levels and the ring fit, how sure that is (0 to 1), and why. No ring frequency
/// or level of any brand is measured (line-facts 6), so brands that fit alike share the confidence.
#[must_use]
pub fn guess_brand(levels: &LevelBook) -> (String, f32, String) {
    if levels.bursts.is_empty() {
        return (String::new(), 0.0, "no ring was heard".to_owned());
    }
    let pause = levels.bursts.iter().filter_map(|b| b.2).max();
    let mut fits: Vec<(&str, u64)> = Vec::new();
    for name in Profile::builtin_names().filter(|n| *n != "custom") {
        let Some(p) = Profile::builtin(name) else {
            continue;
        };
        let b = &p.bands;
        let inside = |r: &LevelRange, low: f32, high: f32| {
            r.blocks == 0 || (r.mean_volts() >= low && r.mean_volts() <= high)
        };
        let hold = p.ring.hold_off_ms.value;
        let level = inside(
            &levels.on_hook,
            b.on_hook_min_volts.value,
            b.on_hook_max_volts.value,
        ) && inside(
            &levels.off_hook,
            b.off_hook_min_volts.value,
            b.off_hook_max_volts.value,
        ) && inside(&levels.button, b.open_min_volts.value, f32::INFINITY);
        if level && pause.is_none_or(|p| p <= hold) {
            fits.push((name, hold));
        }
    }
    let confidence = 1.0 / (fits.len().max(1)) as f32;
    // The shortest hold-off that bridges the pauses is the closest fit.
    let best = fits.iter().min_by_key(|(_, hold)| *hold);
    match best {
        None => (String::new(), 0.0, "no brand's levels fit".to_owned()),
        Some((name, _)) => (
            (*name).to_owned(),
            (confidence * 100.0).round() / 100.0,
            format!(
                "levels and cadence fit {} alike; ring frequencies of brands are not known",
                fits.iter().map(|f| f.0).collect::<Vec<_>>().join(", ")
            ),
        ),
    }
}
