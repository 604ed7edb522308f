//! The border to the hardware: blocks of readings in, blocks of drive out.

use std::fmt;

use crate::matrix::TapBlock;
use crate::switch::Cell;

/// Length of one block in milliseconds.
pub const BLOCK_MS: u64 = 10;
/// Sample rate of every reading and of the audio.
pub const SAMPLE_RATE_HZ: u32 = 8000;
/// Samples in one block.
pub const BLOCK_SAMPLES: usize = 80;

/// What shows whose call it is, on a line that serves more than one apartment.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum AddressSense {
    /// The pair of one apartment, or nothing new on a pulse line.
    #[default]
    None,
    /// The taps on all tens and units buses of a switch.
    Taps(TapBlock),
    /// A capture of address pulses was completed in this block.
    Pulses(PulseBurst),
}

/// One transfer of the pulse capture (`crate::pulse::Capture`): the end of a reset and what followed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PulseBurst {
    /// For how long the wire had been low when the transfer began, in microseconds.
    pub low_us: u32,
    /// The wire's level each microsecond, first bit first in time; a set bit is a high wire.
    pub bits: Vec<u8>,
}

impl PulseBurst {
    /// Microseconds for which the wire was low and high in turn, beginning with the low of the
    /// reset and ending with the first high of at least `end_us`, or with the capture; empty where
    /// the wire never rose. At most `limit` of them.
    #[must_use]
    pub fn runs(&self, end_us: u32, limit: usize) -> Vec<u32> {
        let mut runs = Vec::new();
        let (mut high, mut run) = (false, self.low_us);
        for byte in &self.bits {
            let same = if high { 0xff } else { 0 };
            if *byte == same {
                run = run.saturating_add(8);
                if high && run >= end_us {
                    break;
                }
                continue;
            }
            for bit in (0..8).rev() {
                let level = byte >> bit & 1 == 1;
                if level != high {
                    runs.push(run);
                    (high, run) = (level, 0);
                    if runs.len() >= limit {
                        return runs;
                    }
                }
                run = run.saturating_add(1);
            }
        }
        if !runs.is_empty() {
            runs.push(run);
        }
        runs
    }
}

/// What a line of a card is wired to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineKind {
    /// One apartment's pair.
    Pair,
    /// The buses of a switch: taps and a crosspoint.
    Matrix {
        /// Number of taps, in the order of [`crate::matrix::TapLayout`].
        taps: u16,
    },
    /// A two-wire line with address pulses.
    Pulse,
}

impl LineKind {
    /// Stable lower-case name, as the configuration's `topology`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Matrix { .. } => "matrix",
            Self::Pulse => "pulse",
        }
    }
}

impl fmt::Display for LineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Matrix { taps } => write!(f, "matrix of {taps} taps"),
            other => f.write_str(other.name()),
        }
    }
}

/// Readings of one line over 10 ms. The readings of the pair are those of our handset circuit: on a
/// switch it is on the pair that the crosspoint has closed, and they are zeros while none is.
#[derive(Debug, Clone, PartialEq)]
pub struct SenseBlock {
    /// Volts between the two wires at our terminals, DC coupled; negative means reversed wires.
    pub line_volts: [f32; BLOCK_SAMPLES],
    /// Current that flows into our terminals: our load plus, while the relay is through, the handset.
    pub line_milliamps: [f32; BLOCK_SAMPLES],
    /// Volts on the handset side of the relay. While isolated the card biases it with 5 V through
    /// 4.7 kOhm; while through it equals the line.
    pub handset_volts: [f32; BLOCK_SAMPLES],
    /// Codec input behind the two-to-four-wire hybrid.
    pub audio: [i16; BLOCK_SAMPLES],
    /// Whose call it is.
    pub address: AddressSense,
    /// Load and relay as the card had them while it read this. After a drive that came late, or
    /// none, that is not what was ordered last. `None`: the card's watchdog has let go of all
    /// outputs, the crosspoint too; it takes loads again after a drive with everything off.
    pub applied: Option<Drive>,
}

impl Default for SenseBlock {
    fn default() -> Self {
        Self {
            line_volts: [0.0; BLOCK_SAMPLES],
            line_milliamps: [0.0; BLOCK_SAMPLES],
            handset_volts: [0.0; BLOCK_SAMPLES],
            audio: [0; BLOCK_SAMPLES],
            address: AddressSense::None,
            applied: Some(Drive::SAFE),
        }
    }
}

/// What our board puts across the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Load {
    /// Nothing of ours.
    #[default]
    Off,
    /// About 50 Ohm behind a diode: a handset on its hook (line-facts 1.3).
    OnHook,
    /// About 300 Ohm DC behind a diode, carrying audio: a lifted handset (line-facts 1.3).
    OffHook,
    /// About 10 kOhm left behind a diode: the door button of a handset (line-facts 1.3).
    Residue,
}

impl Load {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::OnHook => "on_hook",
            Self::OffHook => "off_hook",
            Self::Residue => "residue",
        }
    }
}

/// Position of the relay between the line and the old handset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum HandsetRelay {
    /// Released, also without power: the old handset is on the line.
    #[default]
    Through,
    /// Energised: the handset is off the line and biased by the card, so that a lift is seen.
    Isolated,
}

impl HandsetRelay {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Through => "through",
            Self::Isolated => "isolated",
        }
    }
}

/// Load and relay together. The default is the state of a board without power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Drive {
    /// Our load.
    pub load: Load,
    /// The handset relay.
    pub relay: HandsetRelay,
}

impl Drive {
    /// The state without power: no load of ours, the old handset on the line.
    pub const SAFE: Self = Self {
        load: Load::Off,
        relay: HandsetRelay::Through,
    };
}

/// What a card shall do on one line during the coming 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveBlock {
    /// Load and relay. On a switch the relay is the bypass of all its riser lines.
    pub drive: Drive,
    /// The pair of a switch that our handset circuit is on; none, and always none on other lines,
    /// leaves it on nothing.
    pub connect: Option<Cell>,
    /// Audio towards the line; heard only while the load is [`Load::OffHook`].
    pub audio: [i16; BLOCK_SAMPLES],
}

impl Default for DriveBlock {
    fn default() -> Self {
        Self {
            drive: Drive::SAFE,
            connect: None,
            audio: [0; BLOCK_SAMPLES],
        }
    }
}

/// Who a card is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardInfo {
    /// Name of the card, for people.
    pub name: String,
    /// What each of its lines is wired to.
    pub lines: Vec<LineKind>,
}

/// What went wrong with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardErrorKind {
    /// The card went away: end of the stream, broken pipe, unplugged board.
    Lost,
    /// No block came in time.
    Timeout,
    /// The card sent something that is not a frame of the protocol.
    BadFrame,
    /// The card speaks another version.
    Version,
    /// The caller's slices do not hold one entry per line.
    LineCount,
    /// The other side said goodbye.
    Closed,
}

/// A card error with its cause and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardError {
    /// Kind, for decisions.
    pub kind: CardErrorKind,
    /// What happened.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for CardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for CardError {}

/// A line card. The call blocks until the card's clock has the next 10 ms ready, so the daemon runs
/// it on a thread of its own.
pub trait LineCard: Send {
    /// Name and number of lines.
    fn info(&self) -> CardInfo;

    /// Hands over the drive for the coming block and returns the next block of readings.
    /// Both slices hold one entry per line.
    ///
    /// # Errors
    /// [`CardError`] when the card is gone or speaks nonsense; the card must be opened again.
    fn exchange(&mut self, drive: &[DriveBlock], sense: &mut [SenseBlock])
    -> Result<(), CardError>;
}
