//! A pulse line as data.

use serde::Deserialize;

use crate::profile::{
    Bands, Door, DoorManner, DriveSide, FaultRule, Figure, Handset, Mark, Matrix, Profile,
    ProfileError, ProfileErrorKind, RingRule, Timing, check, load_other,
};

/// Levels of the wire.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseLevel {
    /// Up to here the wire is low.
    pub low_max_volts: Figure<f32>,
    /// From here on it is high.
    pub high_min_volts: Figure<f32>,
}

/// Reset and address (line-facts 3).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseAddress {
    /// Shortest low that resets.
    pub reset_min_ms: Figure<u64>,
    /// Longest low that resets.
    pub reset_max_ms: Figure<u64>,
    /// Longest high before the first pulse.
    pub first_pulse_max_us: Figure<u64>,
    /// Shortest low that is a pulse.
    pub pulse_min_us: Figure<u64>,
    /// Longest low that is a pulse.
    pub pulse_max_us: Figure<u64>,
    /// Anything shorter, of either sign, is a glitch.
    pub glitch_max_us: Figure<u64>,
    /// This long without a pulse ends the address.
    pub end_us: Figure<u64>,
    /// Largest address.
    pub largest: Figure<u64>,
}

/// Tones that tell what the panel does.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseTone {
    /// Ring.
    pub ring_hz: Figure<f32>,
    /// Wrong code.
    pub wrong_code_hz: Figure<f32>,
    /// Door opened.
    pub opened_hz: Figure<f32>,
    /// Part of the frequency by which a tone may be off.
    pub tolerance: Figure<f32>,
    /// Least swing of a tone.
    pub min_swing_volts: Figure<f32>,
    /// Shortest tone that counts.
    pub minimum_ms: Figure<u64>,
}

/// Timings of a call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseTiming {
    /// A ring later than this after the address is not ours.
    pub ring_wait_ms: Figure<u64>,
    /// Longest pause between two bursts.
    pub hold_off_ms: Figure<u64>,
    /// From off-hook to the first door command.
    pub off_hook_settle_ms: Figure<u64>,
    /// Our on-hook load stays this long.
    pub on_hook_ms: Figure<u64>,
    /// A called line in the wrong band for this long is a fault.
    pub fault_ms: Figure<u64>,
    /// After a call the line is left alone for this long.
    pub lockout_ms: Figure<u64>,
    /// A low wire for this long ends the call.
    pub panel_end_ms: Figure<u64>,
}

/// The door release.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseDoor {
    /// The load is away this long.
    pub release_ms: Figure<u64>,
    /// It stays this long afterwards.
    pub restore_ms: Figure<u64>,
    /// Whether anything of the load stays.
    pub manner: Figure<DoorManner>,
}

/// A pulse line's figures.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseProfile {
    /// Stable key.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Levels.
    pub level: PulseLevel,
    /// What the called handset does to the level.
    pub bands: Bands,
    /// Reset and address.
    pub address: PulseAddress,
    /// Tones.
    pub tone: PulseTone,
    /// Timings.
    pub timing: PulseTiming,
    /// Door.
    pub door: PulseDoor,
    /// Old handset.
    pub handset: Handset,
}

const BUILTIN: [(&str, &str); 1] = [(
    "laskomex-class",
    include_str!("../../profiles/laskomex-class.toml"),
)];

impl PulseProfile {
    /// A pulse profile that ships with the program.
    #[must_use]
    pub fn builtin(name: &str) -> Option<Self> {
        let (_, text) = BUILTIN.iter().find(|(key, _)| *key == name)?;
        Self::from_toml(text).ok()
    }

    /// Text of a pulse profile that ships with the program.
    #[must_use]
    pub fn builtin_toml(name: &str) -> Option<&'static str> {
        BUILTIN
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, text)| *text)
    }

    /// Names of the pulse profiles that ship with the program.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Reads and validates a pulse profile.
    ///
    /// # Errors
    /// [`ProfileError`] with kind, cause and hint.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        load_other(text, Self::check)
    }

    /// The called line as the line state machine knows it: from its address to the next reset a
    /// pulse line is a pair.
    #[must_use]
    pub fn line(&self) -> Profile {
        fn none<T>(value: T) -> Figure<T> {
            let source = "not a figure of pulse lines".to_owned();
            Figure {
                value,
                mark: Mark::X,
                source,
            }
        }
        let (ring, t) = (&self.tone.ring_hz, &self.timing);
        let edge = |factor: f32| Figure {
            value: ring.value * factor,
            ..ring.clone()
        };
        let spread = self.tone.tolerance.value;
        Profile {
            name: self.name.clone(),
            description: self.description.clone(),
            bands: self.bands.clone(),
            ring: RingRule {
                min_swing_volts: self.tone.min_swing_volts.clone(),
                min_fill: none(0.72),
                min_frequency_hz: edge(1.0 - spread),
                max_frequency_hz: edge(1.0 + spread),
                minimum_ms: self.tone.minimum_ms.clone(),
                hold_off_ms: t.hold_off_ms.clone(),
                idle_ends_ms: t.panel_end_ms.clone(),
            },
            timing: Timing {
                selected_ms: none(20),
                fault_ms: t.fault_ms.clone(),
                off_hook_settle_ms: t.off_hook_settle_ms.clone(),
                on_hook_ms: t.on_hook_ms.clone(),
                lockout_ms: t.lockout_ms.clone(),
                panel_end_ms: t.panel_end_ms.clone(),
                panel_talk_limit_ms: none(40_000),
            },
            door: Door {
                release_ms: self.door.release_ms.clone(),
                restore_ms: self.door.restore_ms.clone(),
                manner: self.door.manner.clone(),
                not_while_sounding: none(false),
                sounding_wait_max_ms: none(3_000),
            },
            handset: self.handset.clone(),
            matrix: Matrix {
                sourced: none(DriveSide::Tens),
                select_min_volts: none(1.2),
                sunk_max_volts: none(0.7),
                float_min_volts: none(1.0),
                code_ms: none(40),
            },
            fault: FaultRule {
                foreign_min_volts: none(14.0),
                foreign_hum_volts: none(3.0),
                leakage_min_volts: none(0.25),
                leakage_ms: none(3_000),
            },
        }
    }

    fn check(&self) -> Result<(), ProfileError> {
        let a = &self.address;
        let t = &self.tone;
        let order = |what: &str, low: f64, high: f64| {
            if low > 0.0 && low < high && high.is_finite() {
                Ok(())
            } else {
                Err(ProfileError {
                    kind: ProfileErrorKind::OutOfRange,
                    cause: format!("{what} {low} must be above 0 and below {high}"),
                    hint: "glitch < pulse_min < pulse_max < end < first_pulse_max; reset_min < reset_max; tones apart by more than their tolerance",
                })
            }
        };
        let whole = |f: &Figure<u64>| f.value as f64;
        order(
            "level.low_max_volts",
            self.level.low_max_volts.value.into(),
            self.level.high_min_volts.value.into(),
        )?;
        order(
            "address.glitch_max_us",
            whole(&a.glitch_max_us),
            whole(&a.pulse_min_us),
        )?;
        order(
            "address.pulse_min_us",
            whole(&a.pulse_min_us),
            whole(&a.pulse_max_us),
        )?;
        order(
            "address.pulse_max_us",
            whole(&a.pulse_max_us),
            whole(&a.end_us),
        )?;
        order(
            "address.end_us",
            whole(&a.end_us),
            whole(&a.first_pulse_max_us),
        )?;
        order(
            "address.reset_min_ms",
            whole(&a.reset_min_ms),
            whole(&a.reset_max_ms),
        )?;
        order("address.largest", whole(&a.largest), 1024.0)?;
        order("address.reset_max_ms", whole(&a.reset_max_ms), 10_000.0)?;
        let spread = f64::from(t.tolerance.value);
        order("tone.tolerance", spread, 0.2)?;
        for (name, low, high) in [
            ("tone.wrong_code_hz", &t.ring_hz, &t.wrong_code_hz),
            ("tone.opened_hz", &t.wrong_code_hz, &t.opened_hz),
        ] {
            order(
                name,
                f64::from(low.value) * (1.0 + spread),
                f64::from(high.value) * (1.0 - spread),
            )?;
        }
        order("tone.opened_hz", f64::from(t.opened_hz.value), 3500.0)?;
        order("door.release_ms", 49.0, whole(&self.door.release_ms))?;
        check(&self.line())
    }
}
