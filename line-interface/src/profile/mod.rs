//! Line profiles: every figure that differs between brands, as validated data with marks and sources.

mod overrides;
mod validate;

use std::fmt;

use serde::Deserialize;

use crate::bands::{Band, BandTracker};

pub use overrides::{OVERRIDE_KEYS, OverrideKey};
pub use validate::{ProfileError, ProfileErrorKind};
pub(crate) use validate::{check, load_other, with_line};

/// How sure a figure is (line-facts 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Mark {
    /// Measured.
    M,
    /// Documented by a vendor or operator.
    D,
    /// Claimed by a user.
    F,
    /// A constant of a device in the field.
    C,
    /// Computed or inferred: a hypothesis until measured.
    X,
    /// Unknown; the value is a guess that works in the simulator.
    #[serde(rename = "?")]
    Unknown,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::M => "M",
            Self::D => "D",
            Self::F => "F",
            Self::C => "C",
            Self::X => "X",
            Self::Unknown => "?",
        })
    }
}

/// A value with its confidence mark and where it comes from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure<T> {
    /// The value, in the unit its field name ends with.
    pub value: T,
    /// How sure it is.
    pub mark: Mark,
    /// Key of the source.
    pub source: String,
}

/// Voltage bands at our terminals (line-facts 1.2 and 7).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// Up to here the pair is not fed.
    pub idle_max_volts: Figure<f32>,
    /// Lower edge of on-hook.
    pub on_hook_min_volts: Figure<f32>,
    /// Upper edge of on-hook.
    pub on_hook_max_volts: Figure<f32>,
    /// Lower edge of off-hook.
    pub off_hook_min_volts: Figure<f32>,
    /// Upper edge of off-hook.
    pub off_hook_max_volts: Figure<f32>,
    /// From here on the line is open or the door button is pressed.
    pub open_min_volts: Figure<f32>,
    /// From this current on, a line in the idle band is shorted behind our terminals.
    pub short_min_milliamps: Figure<f32>,
}

/// When a signal on the line is the panel ringing (line-facts 1.6).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RingRule {
    /// Least swing between the two halves of the ring signal.
    pub min_swing_volts: Figure<f32>,
    /// Least part of its peak-to-peak range that the swing fills: 1 for a square wave, 0.64 for a
    /// sine, less for speech.
    pub min_fill: Figure<f32>,
    /// Lowest ring frequency.
    pub min_frequency_hz: Figure<f32>,
    /// Highest ring frequency.
    pub max_frequency_hz: Figure<f32>,
    /// Shortest signal that counts.
    pub minimum_ms: Figure<u64>,
    /// Longest pause between two bursts of one call.
    pub hold_off_ms: Figure<u64>,
    /// A line that is not fed for this long ends the ringing at once. A profile whose panel drops
    /// the line between bursts sets this to the hold-off.
    pub idle_ends_ms: Figure<u64>,
}

/// Timings of one call as the line sees it (line-facts 1.5, 1.7, 4.1).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// The pair must be fed this long to count as selected; longer than a polling pulse.
    pub selected_ms: Figure<u64>,
    /// A fed line in the wrong band for this long is a fault.
    pub fault_ms: Figure<u64>,
    /// From off-hook (and from the end of the ring tone) to the first door command.
    pub off_hook_settle_ms: Figure<u64>,
    /// Our on-hook load stays this long so that the panel sees the hang-up.
    pub on_hook_ms: Figure<u64>,
    /// After a call the line's signal is ignored this long.
    pub lockout_ms: Figure<u64>,
    /// In a call, a line that is not fed for this long means that the panel ended it.
    pub panel_end_ms: Figure<u64>,
    /// The panel's own limit of a talk.
    pub panel_talk_limit_ms: Figure<u64>,
}

/// How a door release is told to the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoorManner {
    /// About 10 kOhm stays on the line, as with a handset's own button.
    Residue,
    /// The line is left without any load.
    FullBreak,
}

/// The door release (line-facts 1.7).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// How long the load is taken away.
    pub release_ms: Figure<u64>,
    /// How long the off-hook load stays afterwards before anything else may follow.
    pub restore_ms: Figure<u64>,
    /// Residue or full break.
    pub manner: Figure<DoorManner>,
    /// The panel ignores the button while it sounds a tone.
    pub not_while_sounding: Figure<bool>,
    /// Longest wait for such a tone to end.
    pub sounding_wait_max_ms: Figure<u64>,
}

/// The old handset, on the line and behind the relay (line-facts 1.3).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handset {
    /// Off-hook for this long = lifted.
    pub lift_ms: Figure<u64>,
    /// On-hook for this long = replaced.
    pub replace_ms: Figure<u64>,
    /// Open for this long while the handset has the call = its door button.
    pub button_ms: Figure<u64>,
    /// Isolated: below this the bias sees a handset on its hook.
    pub bias_on_hook_max_volts: Figure<f32>,
    /// Isolated: above this there is no handset.
    pub bias_missing_min_volts: Figure<f32>,
    /// Isolated: below this the handset's wires are shorted.
    pub bias_short_max_volts: Figure<f32>,
}

/// Which bus of a switch is fed; the other one is sunk (line-facts 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriveSide {
    /// Tens lines are fed, the selected units line is sunk.
    Tens,
    /// Units lines are fed, the selected tens line is sunk.
    Units,
}

/// What taps on the buses of a switch show (line-facts 8).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// Which bus is fed.
    pub sourced: Figure<DriveSide>,
    /// From here on a line of the fed bus is selected.
    pub select_min_volts: Figure<f32>,
    /// Up to here a line of the sunk bus is the selected one.
    pub sunk_max_volts: Figure<f32>,
    /// From here on a line of the sunk bus floats.
    pub float_min_volts: Figure<f32>,
    /// The same address for this long is believed.
    pub code_ms: Figure<u64>,
}

/// What is no signal of the panel (line-facts 2.4, 5).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// A steady voltage from here on, of either sign, is not the panel's.
    pub foreign_min_volts: Figure<f32>,
    /// Mains hum of this peak on the pair is a foreign voltage.
    pub foreign_hum_volts: Figure<f32>,
    /// An idle pair from here on, below on-hook, leaks.
    pub leakage_min_volts: Figure<f32>,
    /// For this long.
    pub leakage_ms: Figure<u64>,
}

/// A brand's line, as data.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Stable key, such as `vizit`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Voltage bands.
    pub bands: Bands,
    /// Ring rule.
    pub ring: RingRule,
    /// Timings.
    pub timing: Timing,
    /// Door release.
    pub door: Door,
    /// Old handset.
    pub handset: Handset,
    /// Taps on the buses.
    pub matrix: Matrix,
    /// Faults that are not bands.
    pub fault: FaultRule,
}

const BUILTIN: [(&str, &str); 5] = [
    ("vizit", include_str!("../../profiles/vizit.toml")),
    ("cyfral", include_str!("../../profiles/cyfral.toml")),
    ("eltis", include_str!("../../profiles/eltis.toml")),
    ("metakom", include_str!("../../profiles/metakom.toml")),
    ("custom", include_str!("../../profiles/custom.toml")),
];

impl Profile {
    /// A profile that ships with the program, or `None` for an unknown name.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(key, _)| *key == name)?;
        Self::from_toml(text).ok()
    }

    /// Text of a profile file that ships with the program, for copies and diffs.
    #[must_use]
    pub fn builtin_toml(name: &str) -> Option<&'static str> {
        let (_, text) = BUILTIN.iter().find(|(key, _)| *key == name)?;
        Some(text)
    }

    /// Names of the profiles that ship with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Reads and validates a profile file (see `docs/reference/profiles.md`).
    ///
    /// # Errors
    /// [`ProfileError`] with the kind, the cause and a hint.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        validate::load(text)
    }

    /// Band of a single reading without history and without a current reading, so never
    /// [`Band::Short`]. A series of readings belongs into a [`BandTracker`].
    #[must_use]
    pub fn band(&self, volts: f32) -> Band {
        // A start in Short borders no gap that matters: gaps then resolve to the nearer band.
        BandTracker::default().update(self, volts, 0.0)
    }
}
