//! A box at the switch: taps read the apartment, a crosspoint puts our circuit on its pair.

mod crosspoint;
mod levels;
mod reader;
mod taps;

use std::time::Duration;

use crate::card::{BLOCK_SAMPLES, Drive, DriveBlock, SenseBlock};
use crate::line::{HandsetFitting, Line, LineState};
use crate::profile::Profile;
use crate::switch::{Cell, Switch};

pub use crosspoint::{BREAK_MS, Crosspoint};
pub use reader::{Address, Doubt, MatrixEvent, MatrixReader};
pub use taps::{Bus, ModuleTaps, SCAN_SAMPLES, SCANS_PER_BLOCK, TapBlock, TapLayout};

/// What the card does during the coming 10 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixDrive {
    /// The pair that our handset circuit is on.
    pub connect: Option<Cell>,
    /// Load of our circuit; the relay is the bypass of all riser lines.
    pub drive: Drive,
    /// Audio towards the line.
    pub audio: [i16; BLOCK_SAMPLES],
}

impl Default for MatrixDrive {
    fn default() -> Self {
        Self {
            connect: None,
            drive: Drive::SAFE,
            audio: DriveBlock::default().audio,
        }
    }
}

/// What the card read during the last 10 ms.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSense {
    /// All taps.
    pub taps: TapBlock,
    /// The pair behind the crosspoint; zeros while none is connected.
    pub pair: SenseBlock,
}

/// One panel's line at the switch: reader, crosspoint and line state machine put together.
#[derive(Debug)]
pub struct MatrixLine {
    reader: MatrixReader,
    crosspoint: Crosspoint,
    line: Line,
    /// The pair of the present or last call.
    cell: Option<Cell>,
}

impl MatrixLine {
    /// At rest.
    #[must_use]
    pub fn new(profile: Profile, switch: &Switch, handsets: HandsetFitting) -> Self {
        Self {
            reader: MatrixReader::new(&profile, switch),
            crosspoint: Crosspoint::default(),
            line: Line::new(profile, handsets),
            cell: None,
        }
    }

    /// Takes the readings of the last 10 ms.
    pub fn handle_block(&mut self, now: Duration, sense: &MatrixSense) -> Option<MatrixEvent> {
        let event = self.reader.handle_block(&sense.taps);
        let wanted = match self.reader.address() {
            Address::Cell(cell) if self.cell == Some(cell) || !self.busy() => Some(cell),
            // A call of ours never moves to another pair: it ends first.
            _ => None,
        };
        if wanted.is_some() {
            self.cell = wanted;
        }
        self.crosspoint.select(now, wanted);
        self.line.handle_block(now, &sense.pair);
        event
    }

    /// The line state machine of the connected pair: answer, hang up, door, events.
    pub const fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// What is believed about the address.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.reader.address()
    }

    /// The pair of the present or last call.
    #[must_use]
    pub const fn cell(&self) -> Option<Cell> {
        self.cell
    }

    /// What the card shall do. Without a connected pair nothing of ours is switched.
    #[must_use]
    pub fn drive(&self) -> MatrixDrive {
        let connect = self.crosspoint.closed();
        let drive = if connect.is_some() {
            self.line.drive()
        } else {
            Drive::SAFE
        };
        MatrixDrive {
            connect,
            drive,
            ..MatrixDrive::default()
        }
    }

    /// A call of ours is on the line, or just ends.
    #[must_use]
    pub const fn busy(&self) -> bool {
        matches!(
            self.line.status().state,
            LineState::Answering
                | LineState::Talking
                | LineState::DoorRelease
                | LineState::HangingUp
        )
    }

    /// The card is gone: everything open, the line starts anew.
    pub fn card_lost(&mut self, now: Duration) {
        self.crosspoint = Crosspoint::default();
        self.cell = None;
        self.line.card_lost(now);
    }
}
