//! Where the reference card has its signals and how its readings scale: read from
//! `board-schematics/parameters.toml`, which is generated with the schematics and their
//! simulations. No bit position and no calibration figure stands in the drivers.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::error::{ChipError, ChipErrorKind};
use super::mcp3208::AdcScale;
use crate::card::{Drive, HandsetRelay, Load};

const PARAMETERS: &str = include_str!("../../../board-schematics/parameters.toml");

/// One pin of an expander and the level that switches on what hangs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Contact {
    /// I2C address of the expander.
    pub expander: u8,
    /// Pin, 0 to 15: port A, then port B.
    pub bit: u8,
    /// A low level switches on.
    pub active_low: bool,
}

impl Contact {
    /// The pin as a mask.
    #[must_use]
    pub const fn mask(self) -> u16 {
        1 << (self.bit & 0x0f)
    }
}

/// The pins of one expander that the card drives, and their levels with everything off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pins {
    /// Pins that are outputs; the others stay inputs.
    pub outputs: u16,
    /// Latch with everything off. A pin that is an input switches nothing on either.
    pub off: u16,
}

#[derive(Deserialize)]
struct Parameters {
    schema: u32,
    signals: BTreeMap<String, Contact>,
    crosspoint: RawCrosspoint,
    adc: RawAdc,
    audio: RawAudio,
    watchdog: RawWatchdog,
}

#[derive(Deserialize)]
struct RawCrosspoint {
    tens: BTreeMap<String, (u8, u8)>,
    units: BTreeMap<String, (u8, u8)>,
}

#[derive(Deserialize)]
struct RawAdc {
    channels: BTreeMap<String, u8>,
    line_counts_per_volt: f32,
    line_zero_counts: f32,
    handset_counts_per_volt: f32,
    handset_zero_counts: f32,
    line_counts_per_milliamp: f32,
    milliamp_zero_counts: f32,
}

#[derive(Deserialize)]
struct RawAudio {
    balance_default: u8,
}

#[derive(Deserialize)]
struct RawWatchdog {
    drops_after_ms_min: f32,
    drops_after_ms_max: f32,
}

/// A reading of the converter: its channel and scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// Channel of the converter.
    pub channel: u8,
    /// From counts to volts, or to milliamps for the current.
    pub scale: AdcScale,
}

/// The card as its schematics have it.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardMap {
    signals: BTreeMap<String, Contact>,
    /// Contacts of the tens lines, from line 0.
    pub tens: Vec<Contact>,
    /// Contacts of the units lines, from line 0.
    pub units: Vec<Contact>,
    /// Volts at the line terminals.
    pub line_volts: Measure,
    /// Milliamps into the line terminals.
    pub line_milliamps: Measure,
    /// Volts behind the handset relay.
    pub handset_volts: Measure,
    /// Setting of the hybrid's balance, 0 to 3.
    pub balance: u8,
    /// Without a kick the watchdog may let go after this long.
    pub watchdog_min_ms: u64,
    /// Without a kick the watchdog has let go after this long.
    pub watchdog_max_ms: u64,
}

/// Setting of the off-hook load: 314 Ohm, the class of load that every source names (line-facts 1.3).
const OFF_HOOK_TRIM: u8 = 1;
/// Signals that the card reads; every other one is an output.
const READ: [&str; 1] = ["matrix_fitted"];
/// Signals that the drivers need.
const NEEDED: [&str; 8] = [
    "relay_isolate",
    "load_on_hook",
    "load_off_hook",
    "load_residue",
    "off_hook_trim_0",
    "off_hook_trim_1",
    "balance_0",
    "balance_1",
];

fn wrong(cause: impl Into<String>) -> ChipError {
    ChipError::new(ChipErrorKind::Parameters, cause)
}

impl BoardMap {
    /// The reference card, whose parameters are built in.
    ///
    /// # Errors
    /// When the generated file is not what the drivers understand; a test proves that it is.
    pub fn reference() -> Result<&'static BoardMap, ChipError> {
        static MAP: OnceLock<Result<BoardMap, ChipError>> = OnceLock::new();
        MAP.get_or_init(|| BoardMap::from_toml(PARAMETERS))
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Reads the parameters of a card.
    ///
    /// # Errors
    /// Text that is no such file, a missing signal, or two signals on one pin.
    pub fn from_toml(text: &str) -> Result<BoardMap, ChipError> {
        let raw: Parameters = toml::from_str(text).map_err(|e| wrong(e.to_string()))?;
        if raw.schema != 1 {
            return Err(wrong(format!("schema {} is not 1", raw.schema)));
        }
        let measure = |name: &str, per_unit: f32, zero_counts: f32| {
            let channel = raw.adc.channels.get(name).copied();
            let channel = channel.ok_or_else(|| wrong(format!("no converter channel {name}")))?;
            if !(per_unit.is_finite() && per_unit > 0.0) {
                return Err(wrong(format!("{name} has no scale")));
            }
            Ok(Measure {
                channel,
                scale: AdcScale {
                    volts_per_count: 1.0 / per_unit,
                    zero_counts,
                },
            })
        };
        let map = BoardMap {
            line_volts: measure(
                "line_volts",
                raw.adc.line_counts_per_volt,
                raw.adc.line_zero_counts,
            )?,
            line_milliamps: measure(
                "line_milliamps",
                raw.adc.line_counts_per_milliamp,
                raw.adc.milliamp_zero_counts,
            )?,
            handset_volts: measure(
                "handset_volts",
                raw.adc.handset_counts_per_volt,
                raw.adc.handset_zero_counts,
            )?,
            tens: lines("tens", &raw.crosspoint.tens)?,
            units: lines("units", &raw.crosspoint.units)?,
            balance: raw.audio.balance_default,
            watchdog_min_ms: raw.watchdog.drops_after_ms_min as u64,
            watchdog_max_ms: raw.watchdog.drops_after_ms_max.ceil() as u64,
            signals: raw.signals,
        };
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), ChipError> {
        if let Some(missing) = NEEDED
            .iter()
            .find(|name| !self.signals.contains_key(**name))
        {
            return Err(wrong(format!("no signal {missing}")));
        }
        let home = self.signal("relay_isolate").expander;
        if let Some(name) = NEEDED
            .iter()
            .find(|name| self.signal(name).expander != home)
        {
            return Err(wrong(format!(
                "{name} is not on the expander of the relay: one write could not set both"
            )));
        }
        let mut taken = BTreeMap::new();
        let named = self
            .signals
            .iter()
            .map(|(name, contact)| (name.clone(), *contact));
        let tens = self
            .tens
            .iter()
            .enumerate()
            .map(|(i, contact)| (format!("tens {i}"), *contact));
        let units = self
            .units
            .iter()
            .enumerate()
            .map(|(i, contact)| (format!("units {i}"), *contact));
        for (name, contact) in named.chain(tens).chain(units) {
            if contact.bit > 15 {
                return Err(wrong(format!("{name} is on pin {}", contact.bit)));
            }
            if let Some(other) = taken.insert((contact.expander, contact.bit), name.clone()) {
                return Err(wrong(format!("{other} and {name} are on one pin")));
            }
        }
        Ok(())
    }

    /// The pin of a signal, by its name in the schematics.
    #[must_use]
    pub fn contact(&self, name: &str) -> Option<Contact> {
        self.signals.get(name).copied()
    }

    /// A signal that [`BoardMap::check`] has seen.
    fn signal(&self, name: &str) -> Contact {
        let nowhere = Contact {
            expander: 0,
            bit: 0,
            active_low: false,
        };
        self.contact(name).unwrap_or(nowhere)
    }

    /// Address of the expander that has loads and relay.
    #[must_use]
    pub fn line_expander(&self) -> u8 {
        self.signal("relay_isolate").expander
    }

    /// Addresses of the expanders that have the crosspoint's contacts.
    #[must_use]
    pub fn crosspoint_expanders(&self) -> Vec<u8> {
        let mut all: Vec<u8> = self
            .tens
            .iter()
            .chain(&self.units)
            .map(|c| c.expander)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What of an expander is driven, and its levels with everything off.
    #[must_use]
    pub fn pins(&self, expander: u8) -> Pins {
        let driven = self
            .signals
            .iter()
            .filter(|(name, _)| !READ.contains(&name.as_str()));
        let contacts = driven
            .map(|(_, contact)| contact)
            .chain(&self.tens)
            .chain(&self.units);
        let mut pins = Pins { outputs: 0, off: 0 };
        for contact in contacts.filter(|contact| contact.expander == expander) {
            pins.outputs |= contact.mask();
            if contact.active_low {
                pins.off |= contact.mask();
            }
        }
        pins
    }

    /// Latch of the line expander for a drive.
    #[must_use]
    pub fn latch(&self, drive: Drive) -> u16 {
        let load = match drive.load {
            Load::Off => None,
            Load::OnHook => Some("load_on_hook"),
            Load::OffHook => Some("load_off_hook"),
            Load::Residue => Some("load_residue"),
        };
        let isolate = (drive.relay == HandsetRelay::Isolated).then_some("relay_isolate");
        // The trims matter while the load carries a call and draw nothing otherwise.
        let off_hook = drive.load == Load::OffHook;
        let set = |name, value: u8, bit: u8| (off_hook && value >> bit & 1 == 1).then_some(name);
        let on = [
            load,
            isolate,
            set("off_hook_trim_0", OFF_HOOK_TRIM, 0),
            set("off_hook_trim_1", OFF_HOOK_TRIM, 1),
            set("balance_0", self.balance, 0),
            set("balance_1", self.balance, 1),
        ];
        let active = on
            .into_iter()
            .flatten()
            .fold(0, |all, name| all | self.signal(name).mask());
        self.pins(self.line_expander()).off ^ active
    }
}

/// `line_0`, `line_1` and so on without a gap; the contacts are photo-MOS that a low level lights.
fn lines(bus: &str, raw: &BTreeMap<String, (u8, u8)>) -> Result<Vec<Contact>, ChipError> {
    let line = |n: usize| {
        let (expander, bit) = raw
            .get(&format!("line_{n}"))
            .copied()
            .ok_or_else(|| wrong(format!("no {bus} line {n}")))?;
        Ok(Contact {
            expander,
            bit,
            active_low: true,
        })
    };
    (0..raw.len()).map(line).collect()
}
