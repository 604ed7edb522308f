//! Where the reference card has its signals and how its readings scale: read from
//! `board-schematics/parameters.toml`, which is generated with the schematics and their
//! simulations. No bit position and no calibration figure stands in the drivers.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::error::{ChipError, ChipErrorKind};
use super::mcp3208::AdcScale;
use super::mux::MuxMap;
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
    mux: RawMux,
    pulse_counter: RawCounter,
    adc: RawAdc,
    audio: RawAudio,
    taps: RawTaps,
    timing: RawTiming,
    watchdog: RawWatchdog,
}

#[derive(Deserialize)]
struct RawMux {
    select: [(u8, u8); 4],
    enable_tens: (u8, u8),
    enable_units: (u8, u8),
    tens_inputs: Vec<String>,
    units_inputs: Vec<String>,
}

#[derive(Deserialize)]
struct RawCounter {
    bits: Vec<(u8, u8)>,
}

#[derive(Deserialize)]
struct RawTaps {
    counts_per_volt: f32,
    settle_us: u32,
}

#[derive(Deserialize)]
struct RawTiming {
    overlap_ms: u64,
    relay_isolate_ms: f32,
    relay_through_ms: f32,
}

#[derive(Deserialize)]
struct RawCrosspoint {
    tens: BTreeMap<String, (u8, u8)>,
    units: BTreeMap<String, (u8, u8)>,
}

#[derive(Deserialize)]
struct RawAdc {
    channels: BTreeMap<String, u8>,
    bits: u32,
    reference_volts: f32,
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
    gpio: u32,
    arms_after_ms: f32,
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
    /// Half of the line side's 5 V.
    pub half_supply: Measure,
    /// Half of the rail that the watchdog switches.
    pub half_drive_rail: Measure,
    /// The 2.5 V in the middle of the supply.
    pub mid_supply: Measure,
    /// A channel that is tied to ground.
    pub zero: Measure,
    /// Volts of the bus line that the multiplexer has selected.
    pub tap: Measure,
    /// The multiplexer of the taps.
    pub mux: MuxMap,
    /// A tap has its level this long after it was selected, microseconds.
    pub tap_settle_us: u32,
    /// Setting of the hybrid's balance, 0 to 3.
    pub balance: u8,
    /// On-hook and off-hook load stay together for this long when one takes over from the other.
    pub overlap_ms: u64,
    /// The relay has moved, bounce included, this long after its command.
    pub relay_ms: u64,
    /// GPIO of the host that kicks the watchdog.
    pub watchdog_gpio: u32,
    /// The watchdog holds the drives this long after the first kick.
    pub watchdog_arms_ms: u64,
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
const NEEDED: [&str; 13] = [
    "relay_isolate",
    "load_on_hook_boost",
    "reverse",
    "scan",
    "bias_tens",
    "bias_units",
    "load_on_hook",
    "load_off_hook",
    "load_residue",
    "off_hook_trim_0",
    "off_hook_trim_1",
    "balance_0",
    "balance_1",
];

pub(super) fn wrong(cause: impl Into<String>) -> ChipError {
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
        let full = raw.adc.reference_volts / (raw.adc.bits as f32).exp2();
        let monitor = |name: &str, times: f32| measure(name, 1.0 / (full * times), 0.0);
        let whole_ms = |ms: f32| ms.ceil().max(0.0) as u64;
        let mux = MuxMap::new(
            raw.mux.select,
            [raw.mux.enable_tens, raw.mux.enable_units],
            [&raw.mux.tens_inputs, &raw.mux.units_inputs],
        )?;
        let map = BoardMap {
            half_supply: monitor("half_5v", 2.0)?,
            half_drive_rail: monitor("half_drive_rail", 2.0)?,
            mid_supply: monitor("mid_supply", 1.0)?,
            zero: monitor("zero", 1.0)?,
            tap: measure("tap", raw.taps.counts_per_volt, 0.0)?,
            mux,
            tap_settle_us: raw.taps.settle_us,
            overlap_ms: raw.timing.overlap_ms,
            relay_ms: whole_ms(raw.timing.relay_isolate_ms.max(raw.timing.relay_through_ms)),
            watchdog_gpio: raw.watchdog.gpio,
            watchdog_arms_ms: whole_ms(raw.watchdog.arms_after_ms),
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
        let counter = raw.pulse_counter.bits.iter();
        map.check(counter.map(|(expander, bit)| Contact {
            expander: *expander,
            bit: *bit,
            active_low: false,
        }))?;
        Ok(map)
    }

    fn check(&self, read: impl Iterator<Item = Contact>) -> Result<(), ChipError> {
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
        let mux = self.mux.contacts().map(|pin| ("mux".to_owned(), pin));
        let read = read.map(|pin| ("pulse counter".to_owned(), pin));
        for (name, contact) in named.chain(tens).chain(units).chain(mux).chain(read) {
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
            .chain(&self.units)
            .copied()
            .chain(self.mux.contacts());
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
        self.latch_of(Switched::of(drive))
    }

    /// Latch of the line expander for what shall be switched on.
    #[must_use]
    pub fn latch_of(&self, switched: Switched) -> u16 {
        let off_hook = switched.off_hook;
        // The trims matter while the load carries a call and draw nothing otherwise.
        let set = |value: u8, bit: u8| off_hook && value >> bit & 1 == 1;
        let on = [
            ("relay_isolate", switched.isolated),
            ("load_on_hook", switched.on_hook),
            ("load_off_hook", off_hook),
            ("load_residue", switched.residue),
            ("off_hook_trim_0", set(OFF_HOOK_TRIM, 0)),
            ("off_hook_trim_1", set(OFF_HOOK_TRIM, 1)),
            ("balance_0", set(self.balance, 0)),
            ("balance_1", set(self.balance, 1)),
            ("scan", switched.scan),
            ("reverse", switched.reverse),
            ("bias_tens", switched.bias_tens),
            ("bias_units", switched.bias_units),
        ];
        let active = on
            .into_iter()
            .filter(|(_, on)| *on)
            .fold(0, |all, (name, _)| all | self.signal(name).mask());
        self.pins(self.line_expander()).off ^ active
    }
}

/// What is switched on at the line expander.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switched {
    /// The on-hook load.
    pub on_hook: bool,
    /// The off-hook load.
    pub off_hook: bool,
    /// The residue load.
    pub residue: bool,
    /// The handset relay.
    pub isolated: bool,
    /// The card is tied to the panel's ground, to read the taps.
    pub scan: bool,
    /// The units side of the crosspoint is plus.
    pub reverse: bool,
    /// The weak bias of the tens taps points up.
    pub bias_tens: bool,
    /// The weak bias of the units taps points up.
    pub bias_units: bool,
}

impl Switched {
    /// What a drive switches on once everything has moved.
    #[must_use]
    pub const fn of(drive: Drive) -> Self {
        Self {
            on_hook: matches!(drive.load, Load::OnHook),
            off_hook: matches!(drive.load, Load::OffHook),
            residue: matches!(drive.load, Load::Residue),
            isolated: matches!(drive.relay, HandsetRelay::Isolated),
            scan: false,
            reverse: false,
            bias_tens: false,
            bias_units: false,
        }
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
