//! Forms of the answers. Field names are stable and carry their units.

use serde::{Deserialize, Serialize};

use crate::figures::CallFigures;

/// Answer to `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the software.
    pub version: String,
    /// Time since the start, in seconds.
    pub uptime_s: u64,
    /// Lines.
    pub lines: Vec<LineStatus>,
    /// Accounts.
    pub accounts: Vec<AccountStatus>,
    /// Calls.
    pub calls: Vec<CallStatus>,
    /// Line cards.
    pub cards: Vec<CardStatus>,
    /// Whether do-not-disturb is on.
    #[serde(default)]
    pub do_not_disturb: bool,
    /// The headset, while it is on a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headset: Option<HeadsetStatus>,
}

/// The headset on a line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeadsetStatus {
    /// Line name.
    pub line: String,
    /// `listen` or `talk`.
    pub mode: String,
    /// Its microphone.
    pub capture: SoundDevice,
    /// Its earpiece.
    pub playback: SoundDevice,
}

/// A sound device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SoundDevice {
    /// Whether it is open.
    pub present: bool,
    /// How, or why not.
    pub detail: String,
    /// Overruns or underruns that the device told.
    pub xruns: u32,
    /// Times that nothing was there when sound was wanted.
    pub gaps: u32,
    /// The device's clock against the computer's, parts per million.
    pub drift_ppm: f32,
    /// Sound that is kept, in milliseconds.
    pub delay_ms: f32,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Line name.
    pub name: String,
    /// `pair`, `matrix` or `pulse`.
    #[serde(default)]
    pub topology: String,
    /// Apartment of the pair, or of the call that is on a matrix or pulse line.
    pub apartment: Option<u16>,
    /// What that apartment is called on the wires: `D4 E2`, `address 17`; empty without a call.
    #[serde(default)]
    pub code: String,
    /// The pair of the switch on which the crosspoint is.
    #[serde(default)]
    pub connected: Option<String>,
    /// Levels of the taps of a switch.
    #[serde(default)]
    pub buses: Vec<Bus>,
    /// Profile name.
    pub profile: String,
    /// Values that the apartment has of its own, as `key = value`.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Phase of the call on it: `idle`, `selected`, `unserved`, `ringing`, `unanswered`, `announcing`,
    /// `talking`, `handset`, `over`.
    pub phase: String,
    /// State of the line itself.
    pub state: String,
    /// Party that rings or talks.
    pub party: Option<String>,
    /// Mean voltage of the last block, in volts.
    pub volts: f32,
    /// Mean current, in milliamps.
    pub milliamps: f32,
    /// Voltage on the handset side of the relay.
    pub handset_volts: f32,
    /// Band of the voltage in the line's profile.
    pub band: String,
    /// Our load: `off`, `on_hook`, `off_hook`, `residue`.
    pub load: String,
    /// Handset relay: `through`, `isolated`.
    pub relay: String,
    /// Fault, when there is one.
    pub fault: Option<String>,
    /// The readings that the fault was seen with.
    #[serde(default)]
    pub fault_seen: Option<String>,
    /// Whether the line's card is there.
    pub present: bool,
    /// Why the card that is there cannot carry the line.
    #[serde(default)]
    pub misfit: Option<String>,
}

/// Levels of one bus of a switch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bus {
    /// Module, counted from 1.
    pub module: u8,
    /// `D` for tens, `E` for units.
    pub bus: String,
    /// Label of the first line.
    pub first: u8,
    /// Mean volts of each line in the last block.
    pub volts: Vec<f32>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// Account name.
    pub name: String,
    /// Address of record.
    pub address: String,
    /// `registered`, `trying`, `failed`, `unregistered`.
    pub state: String,
    /// Details.
    pub detail: String,
    /// What to do, where something is wrong.
    pub hint: String,
}

/// A call leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallStatus {
    /// `calling`, `talking`, `incoming`.
    pub state: String,
    /// What it sounds like.
    #[serde(flatten)]
    pub figures: CallFigures,
}

/// Answer to `rtp stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RtpStats {
    /// Calls that are up.
    pub calls: Vec<CallStatus>,
}

/// A line card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardStatus {
    /// Card name.
    pub name: String,
    /// Whether it is there.
    pub present: bool,
    /// What it says of itself, or why it is away.
    pub detail: String,
}

/// Answer to `line levels`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// Lines.
    pub lines: Vec<LineStatus>,
}

/// Readings of one line over 10 ms.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineReading {
    /// Mean voltage.
    pub volts: f32,
    /// Mean current.
    pub milliamps: f32,
    /// Mean voltage on the handset side of the relay.
    pub handset_volts: f32,
    /// The voltage to compare with the bands: the fed half of a ring burst, else the mean.
    pub level_volts: f32,
    /// Lowest sample.
    pub low_volts: f32,
    /// Highest sample.
    pub high_volts: f32,
    /// Distance of the means of the upper and the lower half of the signal.
    pub swing_volts: f32,
    /// Part of the peak-to-peak range that the swing fills.
    pub fill: f32,
    /// Frequency of a steady tone, if there is one.
    pub tone_hz: Option<f32>,
    /// Whether the line is being switched between fed and not fed.
    pub chopped: bool,
    /// Our load: `off`, `on_hook`, `off_hook`, `residue`.
    pub load: String,
    /// Handset relay: `through`, `isolated`.
    pub relay: String,
    /// On a pulse line, when a capture was completed in these 10 ms: microseconds of low and high in
    /// turn, from the low of the reset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pulses_us: Vec<u32>,
}

/// An event of `line tap`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Readings {
    /// Line name.
    pub line: String,
    /// Milliseconds from the beginning of the tap to the first of the readings.
    pub t_ms: u64,
    /// Readings lost before these, because the asker was too slow.
    pub missed: u64,
    /// Readings, oldest first.
    pub readings: Vec<LineReading>,
}

/// One journal record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number, counting up.
    pub id: i64,
    /// UTC time, RFC 3339 with milliseconds.
    pub time: String,
    /// The event with its fields.
    #[serde(flatten)]
    pub event: serde_json::Map<String, serde_json::Value>,
}

/// Answer to `journal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Journal {
    /// Records, oldest first.
    pub records: Vec<Record>,
    /// Older ones follow when the same is asked with `before=` this number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub more_before: Option<i64>,
}

/// Answer to `sip test-call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestCall {
    /// Target.
    pub target: String,
    /// Whether the call was answered.
    pub answered: bool,
    /// From INVITE to the answer, in milliseconds.
    pub answered_after_ms: Option<u64>,
    /// Codec agreed.
    pub codec: String,
    /// Audio packets sent.
    pub packets_sent: u64,
    /// Audio packets received.
    pub packets_received: u64,
    /// Keys that the other side pressed.
    pub digits: String,
    /// What happened, in words.
    pub detail: String,
    /// What to do, where something is wrong.
    pub hint: String,
}

/// Verdict of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good.
    Pass,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

/// One check of `doctor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Verdict.
    pub verdict: Verdict,
    /// What was found.
    pub finding: String,
    /// What to do, where it is not good.
    pub hint: String,
}

/// Answer to `doctor`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doctor {
    /// Checks in the order in which a technician goes.
    pub checks: Vec<Check>,
}

impl Doctor {
    /// The worst verdict.
    pub fn verdict(&self) -> Verdict {
        let has = |verdict| self.checks.iter().any(|check| check.verdict == verdict);
        if has(Verdict::Fail) {
            Verdict::Fail
        } else if has(Verdict::Warn) {
            Verdict::Warn
        } else {
            Verdict::Pass
        }
    }
}
