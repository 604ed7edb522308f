//! Listening without acting: the live detectors run over readings and tell what happened and when
//! it began. Recordings are analysed with it.

mod levels;
mod matrix;
mod pair;
mod pulse;

use crate::line::Reading;

pub use levels::{LevelBook, LevelRange};
pub use matrix::MatrixObserver;
pub use pair::PairObserver;
pub use pulse::PulseObserver;

/// What was seen on a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// The panel feeds the line.
    LineActive,
    /// The panel selected a pair of a switch.
    Cell {
        /// Which.
        cell: crate::switch::Cell,
    },
    /// The panel counted out an address.
    Address {
        /// 1 to 255.
        address: u16,
    },
    /// Pulses that are no address.
    BadAddress {
        /// Why.
        why: crate::pulse::PulseDoubt,
    },
    /// The first burst of a ring begins.
    RingStarted,
    /// A burst.
    RingBurst {
        /// Mean frequency.
        frequency_hz: f32,
        /// Length.
        duration_ms: u64,
    },
    /// The last burst was over. A panel goes on for a moment when the handset is lifted in a burst.
    RingStopped,
    /// The handset was lifted.
    HandsetLifted,
    /// The handset was put back.
    HandsetReplaced,
    /// The resident's door button.
    DoorButton,
    /// A tone of the panel outside ringing.
    Tone {
        /// Kind: `steady` or `residual` (the ring that remains after a call) on coordinate lines; `ring`, `wrong_code`, `door_opened` on pulse lines.
        kind: &'static str,
        /// Mean frequency.
        frequency_hz: f32,
        /// Length.
        duration_ms: u64,
    },
    /// The line is at rest.
    LineIdle,
    /// Something is wrong.
    Fault {
        /// Kind, as in the reference.
        kind: &'static str,
        /// With which readings.
        reading: Reading,
        /// What a technician checks.
        hint: &'static str,
    },
}

impl Observation {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LineActive => "line_active",
            Self::Cell { .. } | Self::Address { .. } => "apartment_code",
            Self::RingStarted => "ring_started",
            Self::RingBurst { .. } => "ring_burst",
            Self::RingStopped => "ring_stopped",
            Self::HandsetLifted => "handset_lifted",
            Self::HandsetReplaced => "handset_replaced",
            Self::DoorButton => "door_button",
            Self::Tone { .. } => "tone",
            Self::LineIdle => "line_idle",
            Self::BadAddress { .. } | Self::Fault { .. } => "line_fault",
        }
    }
}

/// An observation and when it began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Milliseconds since the beginning.
    pub t_ms: u64,
    /// What.
    pub what: Observation,
}
