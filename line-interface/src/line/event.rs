//! What a line tells and what it refuses.

use std::fmt;

use crate::bands::Band;
use crate::card::Drive;
use crate::matrix::Doubt;
use crate::pulse::{PanelTone, PulseDoubt};
use crate::switch::Cell;

/// The name of a pair or handset on a line that serves several apartments, as read from the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineCode {
    /// A pair of a switch.
    Cell(Cell),
    /// A number of pulses.
    Address(u16),
}

impl fmt::Display for LineCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(cell) => {
                if cell.module > 0 {
                    write!(f, "module {} ", u16::from(cell.module) + 1)?;
                }
                write!(f, "D{} E{}", cell.tens, cell.units)
            }
            Self::Address(address) => write!(f, "address {address}"),
        }
    }
}

/// Why it cannot be told whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressDoubt {
    /// The buses of a switch.
    Buses(Doubt),
    /// The pulses of an address.
    Pulses(PulseDoubt),
}

impl AddressDoubt {
    /// The fault that it stands for.
    #[must_use]
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::Buses(Doubt::BusShort) => FaultKind::BusShort,
            Self::Buses(_) => FaultKind::Ambiguous,
            Self::Pulses(_) => FaultKind::BadAddress,
        }
    }

    /// Stable lower-case name of the reason.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buses(doubt) => doubt.name(),
            Self::Pulses(doubt) => doubt.name(),
        }
    }

    /// What a technician does about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Buses(doubt) => doubt.hint(),
            Self::Pulses(_) => FaultKind::BadAddress.hint(),
        }
    }
}

/// What is behind our relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandsetFitting {
    /// The old handset hangs behind our relay.
    Relayed,
    /// No handset: we supply the on-hook load too, otherwise the panel refuses to call.
    Absent,
}

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineState {
    /// Nothing.
    Idle,
    /// The panel feeds our pair.
    Selected,
    /// The panel rings.
    Ringing,
    /// We are off-hook and the panel has not had time to see it.
    Answering,
    /// We are off-hook.
    Talking,
    /// The load is away for the door, or just back.
    DoorRelease,
    /// Our on-hook load tells the panel that the call is over.
    HangingUp,
    /// The line's remaining signal is ignored.
    LockOut,
    /// The old handset has the call.
    HandsetHasCall,
    /// The line cannot carry a call.
    Fault,
}

impl LineState {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Selected => "selected",
            Self::Ringing => "ringing",
            Self::Answering => "answering",
            Self::Talking => "talking",
            Self::DoorRelease => "door_release",
            Self::HangingUp => "hanging_up",
            Self::LockOut => "lock_out",
            Self::HandsetHasCall => "handset_has_call",
            Self::Fault => "fault",
        }
    }
}

/// The readings a fault was seen with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading {
    /// Volts at our terminals.
    pub volts: f32,
    /// Current into our terminals.
    pub milliamps: f32,
    /// Volts on the handset side of the relay.
    pub handset_volts: f32,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultKind {
    /// The panel feeds the pair and nothing loads it.
    OpenPair,
    /// Almost no voltage and a large current.
    Short,
    /// The wires are swapped.
    ReversedPolarity,
    /// The handset was off its hook before the panel called.
    StuckOffHook,
    /// The bias finds no handset behind the relay.
    HandsetMissing,
    /// The wires to the handset are shorted.
    HandsetShort,
    /// A voltage that is not the panel's: too high, mains hum, or a feed that never rings.
    ForeignVoltage,
    /// A pair at rest carries a small voltage: moisture or damaged insulation.
    Leakage,
    /// The buses of a switch name no one pair.
    Ambiguous,
    /// Two bus lines of a switch are joined.
    BusShort,
    /// Pulses that are no address.
    BadAddress,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::OpenPair,
        Self::Short,
        Self::ReversedPolarity,
        Self::StuckOffHook,
        Self::HandsetMissing,
        Self::HandsetShort,
        Self::ForeignVoltage,
        Self::Leakage,
        Self::Ambiguous,
        Self::BusShort,
        Self::BadAddress,
    ];

    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenPair => "open_pair",
            Self::Short => "short",
            Self::ReversedPolarity => "reversed_polarity",
            Self::StuckOffHook => "stuck_off_hook",
            Self::HandsetMissing => "handset_missing",
            Self::HandsetShort => "handset_short",
            Self::ForeignVoltage => "foreign_voltage",
            Self::Leakage => "leakage",
            Self::Ambiguous => "ambiguous",
            Self::BusShort => "bus_short",
            Self::BadAddress => "bad_address",
        }
    }

    /// What a technician does about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::OpenPair => {
                "nothing loads the pair: check the handset and its plug; without a handset set the line to `handset = absent`"
            }
            Self::Short => {
                "unplug the handset wires: if the current goes away the short is behind the box, else between box and riser"
            }
            Self::ReversedPolarity => "swap the two line wires at the terminals of the box",
            Self::StuckOffHook => {
                "put the handset back on its hook; if it lies right, its hook switch is stuck"
            }
            Self::HandsetMissing => {
                "no handset answers behind the relay: check its plug, or set the line to `handset = absent`"
            }
            Self::HandsetShort => {
                "the wires from the box to the handset touch: check plug and cable"
            }
            Self::ForeignVoltage => {
                "disconnect the pair and measure it: a voltage that stays comes from another supply or a mains cable alongside; keep away from 220 V cabling"
            }
            Self::Leakage => {
                "measure the pair at rest at the riser, box unplugged: look for moisture in junction boxes and for damaged insulation"
            }
            Self::Ambiguous => {
                "the event's reading names the lines: look for two panels at once, taps off their terminals, the taps' bias, and whether line.sourced is right"
            }
            Self::BusShort => Doubt::BusShort.hint(),
            Self::BadAddress => {
                "the pulses after a reset are no address: check the cable, other devices on the two wires, and address.pulse_min_us and pulse_max_us of the profile"
            }
        }
    }
}

/// Why a door release did not happen or was cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorFailure {
    /// The panel ended the call first.
    PanelEnded,
    /// The old handset took the call.
    HandsetLifted,
    /// The line card went away.
    CardLost,
    /// The card's watchdog let go of all outputs.
    OutputsDropped,
}

impl DoorFailure {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PanelEnded => "panel_ended",
            Self::HandsetLifted => "handset_lifted",
            Self::CardLost => "card_lost",
            Self::OutputsDropped => "outputs_dropped",
        }
    }
}

/// What happened on a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LineEvent {
    /// The wires named whose call it is; what follows is about that call. A pair of one apartment
    /// has nothing to name.
    Addressed {
        /// As read.
        code: LineCode,
        /// Its apartment, where the configuration knows one.
        apartment: Option<u16>,
    },
    /// It cannot be told whose call it is; nothing of ours goes on the line. It ends with a
    /// [`LineEvent::FaultCleared`] of its kind.
    Unclear {
        /// Why.
        doubt: AddressDoubt,
        /// The fed line's volts, and as handset volts the lowest line of the other bus.
        reading: Reading,
    },
    /// The panel plays a tone that tells what it does (pulse lines).
    Tone {
        /// Which.
        tone: PanelTone,
    },
    /// The panel selected our pair.
    CallDetected,
    /// The ring rule is met.
    RingConfirmed,
    /// The ringing ended unanswered.
    PanelGaveUp,
    /// The old handset was lifted and has the line; nothing of ours is on it any more.
    HandsetLifted,
    /// The old handset is back on its hook.
    HandsetReplaced,
    /// The panel has had time to see us off-hook; door commands may go out.
    OffHookSettled,
    /// The panel dropped the talk while we were off-hook.
    PanelEnded,
    /// The card's watchdog let go of our load in the middle of a call, which is over.
    OutputsDropped,
    /// The load is away.
    DoorReleaseStarted {
        /// The caller's token.
        token: u64,
    },
    /// The load is back after its full time.
    DoorReleaseEnded {
        /// The caller's token.
        token: u64,
    },
    /// The release did not happen or was cut short.
    DoorReleaseFailed {
        /// The caller's token.
        token: u64,
        /// Why.
        reason: DoorFailure,
    },
    /// The resident's own door button, seen while the old handset has the call.
    DoorButton,
    /// Ready for the next call.
    Idle,
    /// Something is wrong.
    Fault {
        /// What.
        kind: FaultKind,
        /// With which readings.
        reading: Reading,
    },
    /// It is right again.
    FaultCleared {
        /// What.
        kind: FaultKind,
    },
}

impl LineEvent {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Addressed { .. } => "addressed",
            Self::Unclear { .. } => "unclear",
            Self::Tone { .. } => "tone",
            Self::CallDetected => "call_detected",
            Self::RingConfirmed => "ring_confirmed",
            Self::PanelGaveUp => "panel_gave_up",
            Self::HandsetLifted => "handset_lifted",
            Self::HandsetReplaced => "handset_replaced",
            Self::OffHookSettled => "off_hook_settled",
            Self::PanelEnded => "panel_ended",
            Self::OutputsDropped => "outputs_dropped",
            Self::DoorReleaseStarted { .. } => "door_release_started",
            Self::DoorReleaseEnded { .. } => "door_release_ended",
            Self::DoorReleaseFailed { .. } => "door_release_failed",
            Self::DoorButton => "door_button",
            Self::Idle => "idle",
            Self::Fault { .. } => "fault",
            Self::FaultCleared { .. } => "fault_cleared",
        }
    }
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineErrorKind {
    /// No call on the line.
    NoCall,
    /// We are off-hook already.
    AlreadyAnswered,
    /// The old handset has the call.
    HandsetHasCall,
    /// The line has just ended a call.
    LockOut,
    /// The line is faulty.
    Faulty,
    /// A release is under way.
    DoorBusy,
}

/// A refused command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineError {
    /// Kind, for decisions.
    pub kind: LineErrorKind,
    /// What stands against it.
    pub cause: &'static str,
    /// What to do.
    pub hint: &'static str,
}

impl LineError {
    pub(crate) const fn new(kind: LineErrorKind) -> Self {
        let (cause, hint) = match kind {
            LineErrorKind::NoCall => (
                "no call of ours is on this line",
                "wait for the panel to ring and answer it first",
            ),
            LineErrorKind::AlreadyAnswered => (
                "the line is answered already",
                "one phone has the call; hang up before answering again",
            ),
            LineErrorKind::HandsetHasCall => (
                "the old handset has the call",
                "a lifted handset wins; wait until it is replaced",
            ),
            LineErrorKind::LockOut => (
                "the line has just ended a call",
                "wait for the idle event, a few seconds",
            ),
            LineErrorKind::Faulty => ("the line has a fault", "see the fault event and its hint"),
            LineErrorKind::DoorBusy => (
                "a door release is under way",
                "wait for it to end before asking again",
            ),
        };
        Self { kind, cause, hint }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause)
    }
}

impl std::error::Error for LineError {}

/// A snapshot for people and metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineStatus {
    /// State.
    pub state: LineState,
    /// Mean line voltage of the last block.
    pub volts: f32,
    /// Mean current into our terminals in the last block.
    pub milliamps: f32,
    /// Mean voltage on the handset side of the relay in the last block.
    pub handset_volts: f32,
    /// Band of the last block.
    pub band: Band,
    /// What we drive.
    pub drive: Drive,
}
