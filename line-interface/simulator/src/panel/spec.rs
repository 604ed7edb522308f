//! A panel as data.

use std::fmt;

use line_interface::Figure;
use serde::Deserialize;

/// Source of the handset line (line-facts 1.4).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Open-circuit voltage.
    pub volts: Figure<f32>,
    /// Series resistance.
    pub ohms: Figure<f32>,
}

/// Upper edges of the bands at the panel's terminals (line-facts 1.2).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelBands {
    /// Up to here: short.
    pub short_max_volts: Figure<f32>,
    /// Up to here: on-hook.
    pub on_hook_max_volts: Figure<f32>,
    /// Up to here: off-hook; above: door button or open.
    pub off_hook_max_volts: Figure<f32>,
}

/// Dialling.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// From one key to the next.
    pub digit_ms: Figure<u64>,
    /// The pair is fed this long before the panel judges its handset.
    pub check_ms: Figure<u64>,
}

/// Ringing (line-facts 1.6).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    /// Frequency of the square wave.
    pub frequency_hz: Figure<f32>,
    /// Burst.
    pub burst_ms: Figure<u64>,
    /// Pause.
    pub pause_ms: Figure<u64>,
    /// The panel gives up after this.
    pub limit_ms: Figure<u64>,
    /// The hook is looked at inside bursts too.
    pub hook_seen_in_bursts: Figure<bool>,
}

/// Hook debouncing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Off-hook for this long = answered.
    pub off_ms: Figure<u64>,
    /// On-hook for this long = hung up.
    pub on_ms: Figure<u64>,
}

/// Talking.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Talk {
    /// The panel ends a talk after this.
    pub limit_ms: Figure<u64>,
}

/// Door button and lock (line-facts 1.7).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSpec {
    /// After the answer the button is ignored for this long.
    pub arm_ms: Figure<u64>,
    /// Shortest press.
    pub min_ms: Figure<u64>,
    /// A longer one is a broken line.
    pub max_ms: Figure<u64>,
    /// The button is ignored while the panel sounds.
    pub blind_while_sounding: Figure<bool>,
    /// How long the lock stays open.
    pub lock_ms: Figure<u64>,
    /// "Door opened" tone.
    pub tone_hz: Figure<f32>,
    /// Its length.
    pub tone_ms: Figure<u64>,
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// End tone.
    pub tone_hz: Figure<f32>,
    /// Its length.
    pub tone_ms: Figure<u64>,
    /// A signal stays on the line this long (line-facts 1.6).
    pub residual_ms: Figure<u64>,
    /// Its first level.
    pub residual_volts: Figure<f32>,
}

/// Audio.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audio {
    /// Source voltage at full scale of the visitor's microphone.
    pub microphone_volts: Figure<f32>,
    /// Source voltage of a tone on the line.
    pub tone_volts: Figure<f32>,
    /// Line volts that drive the loudspeaker to full scale.
    pub loudspeaker_volts: Figure<f32>,
    /// How well the panel keeps its own microphone out of its loudspeaker.
    pub hybrid_loss_db: Figure<f32>,
    /// From loudspeaker to microphone through the air.
    pub acoustic_loss_db: Figure<f32>,
    /// Delay on that way.
    pub acoustic_delay_ms: Figure<u64>,
}

/// A panel and its switch, as data.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanelSpec {
    /// Stable key.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Source.
    pub source: Source,
    /// Bands.
    pub bands: PanelBands,
    /// Dialling.
    pub dial: Dial,
    /// Ringing.
    pub ring: Ring,
    /// Hook.
    pub hook: Hook,
    /// Talk.
    pub talk: Talk,
    /// Door.
    pub door: DoorSpec,
    /// End of a call.
    pub end: End,
    /// Audio.
    pub audio: Audio,
}

/// A refused panel file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelError {
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for PanelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panel file: {}", self.cause)
    }
}

impl std::error::Error for PanelError {}

const BUILTIN: [(&str, &str); 4] = [
    ("vizit", include_str!("../../panels/vizit.toml")),
    ("cyfral", include_str!("../../panels/cyfral.toml")),
    ("eltis", include_str!("../../panels/eltis.toml")),
    ("metakom", include_str!("../../panels/metakom.toml")),
];

impl PanelSpec {
    /// A panel that ships with the simulator.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(key, _)| *key == name)?;
        Self::from_toml(text).ok()
    }

    /// Names of the panels that ship with the simulator.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Reads a panel file.
    ///
    /// # Errors
    /// [`PanelError`] for bad TOML, unknown keys and values that make no panel.
    pub fn from_toml(text: &str) -> Result<Self, PanelError> {
        let spec: Self = toml::from_str(text).map_err(|e| PanelError {
            cause: e.to_string(),
            hint: "copy line-interface/simulator/panels/vizit.toml and change it",
        })?;
        spec.check()?;
        Ok(spec)
    }

    pub(crate) fn check(&self) -> Result<(), PanelError> {
        let b = &self.bands;
        let refuse = |cause: &str, hint| {
            Err(PanelError {
                cause: cause.to_owned(),
                hint,
            })
        };
        let rising = 0.0 < b.short_max_volts.value
            && b.short_max_volts.value < b.on_hook_max_volts.value
            && b.on_hook_max_volts.value < b.off_hook_max_volts.value
            && b.off_hook_max_volts.value < self.source.volts.value;
        if !rising {
            return refuse(
                "the bands do not rise up to the source voltage",
                "short < on-hook < off-hook < source volts",
            );
        }
        for (value, low, high) in [
            (self.source.volts.value, 1.0, 30.0),
            (self.source.ohms.value, 10.0, 5000.0),
            (self.ring.frequency_hz.value, 100.0, 3900.0),
            (self.door.tone_hz.value, 100.0, 3900.0),
            (self.end.tone_hz.value, 100.0, 3900.0),
            (self.end.residual_volts.value, 0.0, 30.0),
            (self.audio.microphone_volts.value, 0.0, 10.0),
            (self.audio.tone_volts.value, 0.0, 10.0),
            (self.audio.loudspeaker_volts.value, 0.1, 10.0),
            (self.audio.hybrid_loss_db.value, 6.0, 80.0),
            (self.audio.acoustic_loss_db.value, 6.0, 120.0),
        ] {
            if !(low..=high).contains(&value) {
                return refuse(
                    &format!("{value} lies outside {low} to {high}"),
                    "volts, ohms, hertz and decibels of a low-voltage line",
                );
            }
        }
        if self.audio.acoustic_delay_ms.value > 100 {
            return refuse(
                "acoustic_delay_ms is over 100",
                "sound takes 3 ms for a metre",
            );
        }
        if self.door.min_ms.value >= self.door.max_ms.value || self.ring.burst_ms.value == 0 {
            return refuse(
                "door.min_ms is not below max_ms, or ring.burst_ms is 0",
                "see vizit.toml",
            );
        }
        Ok(())
    }
}
