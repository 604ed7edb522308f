//! The card put together, without any I/O of its own: readings and a wanted drive in, register
//! writes in their safe order out, and a verdict whether the card can be trusted with a line.

use std::time::Duration;

use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;

use super::board::Board;
use super::crosspoint::CrosspointBoard;
use super::error::{ChipError, ChipErrorKind};
use super::map::{BoardMap, Switched};
use super::sampler::Supplies;
use crate::card::{Drive, HandsetRelay, Load};
use crate::profile::DriveSide;

/// A card whose chips do not answer for so many blocks is lost. A disturbed transfer is repeated
/// by the next block; this stays far below the time after which the watchdog lets go by itself.
const PATIENCE_BLOCKS: u32 = 10;
/// With the watchdog held the rail of loads and relays is near 5 V.
const RAIL_MIN_VOLTS: f32 = 4.0;
/// How long the rail may stay away before the card is called broken.
const RAIL_PATIENCE: Duration = Duration::from_millis(500);

/// What is tolerated, and for how long.
#[derive(Debug, Default)]
struct Health {
    failures: u32,
    odd_supplies: u32,
    rail_missing: Option<Duration>,
    /// The watchdog has let go, and no drive with everything off came since it holds again.
    fallen: bool,
}

impl Health {
    /// A reset or wrong chip ends the card at once; a transfer that failed is given some blocks.
    fn outcome(&mut self, done: Result<(), ChipError>) -> Result<(), ChipError> {
        let Err(error) = done else {
            self.failures = 0;
            return Ok(());
        };
        self.failures += 1;
        match error.kind {
            ChipErrorKind::NoAnswer | ChipErrorKind::BusStuck | ChipErrorKind::Pin
                if self.failures < PATIENCE_BLOCKS =>
            {
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// What may be driven: after a fall nothing until nothing is ordered, for what is ordered still
    /// may be of the time before.
    fn gate(&mut self, drive: Drive) -> Drive {
        if self.fallen && self.rail_missing.is_none() && drive == Drive::SAFE {
            self.fallen = false;
        }
        if self.fallen { Drive::SAFE } else { drive }
    }

    fn applied(&self, supplies: &Supplies, switched: Switched) -> Option<Drive> {
        let holds = supplies.drive_rail_volts >= RAIL_MIN_VOLTS && !self.fallen;
        let load = match switched {
            Switched { residue: true, .. } => Load::Residue,
            Switched { off_hook: true, .. } => Load::OffHook,
            Switched { on_hook: true, .. } => Load::OnHook,
            _ => Load::Off,
        };
        let relay = if switched.isolated {
            HandsetRelay::Isolated
        } else {
            HandsetRelay::Through
        };
        holds.then_some(Drive { load, relay })
    }

    fn supplies(
        &mut self,
        now: Duration,
        supplies: &Supplies,
        arms_ms: u64,
    ) -> Result<(), ChipError> {
        match supplies.check() {
            Ok(()) => self.odd_supplies = 0,
            Err(error) => {
                self.odd_supplies += 1;
                if self.odd_supplies >= PATIENCE_BLOCKS {
                    return Err(error);
                }
            }
        }
        if supplies.drive_rail_volts >= RAIL_MIN_VOLTS {
            self.rail_missing = None;
            return Ok(());
        }
        self.fallen = true;
        let since = *self.rail_missing.get_or_insert(now);
        let patience = RAIL_PATIENCE + Duration::from_millis(arms_ms);
        if now.saturating_sub(since) < patience {
            return Ok(());
        }
        let cause = format!(
            "the rail of loads and relays is {:.2} V although the watchdog is kicked",
            supplies.drive_rail_volts
        );
        Err(ChipError::new(ChipErrorKind::WatchdogHolds, cause))
    }
}

/// The variant that sits on one pair.
#[derive(Debug)]
pub struct PairCard<I: I2c, P: OutputPin> {
    board: Board<I, P>,
    health: Health,
    arms_ms: u64,
}

impl<I: I2c, P: OutputPin> PairCard<I, P> {
    /// Starts the outputs with everything off.
    ///
    /// # Errors
    /// [`ChipError`]; nothing is switched on then.
    pub fn start(i2c: I, watchdog: P, map: &'static BoardMap) -> Result<Self, ChipError> {
        Ok(Self {
            board: Board::start(i2c, watchdog, map)?,
            health: Health::default(),
            arms_ms: map.watchdog_arms_ms,
        })
    }

    /// One block: what the card said of itself during the last one, and the drive of the coming
    /// one. Only this feeds the watchdog, and only when the outputs were written or were seen to
    /// stand as they should.
    ///
    /// # Errors
    /// [`ChipError`] when the card can no longer be trusted: start it anew. Everything is off or
    /// the watchdog switches it off soon.
    pub fn exchange(
        &mut self,
        now: Duration,
        supplies: &Supplies,
        drive: Drive,
    ) -> Result<(), ChipError> {
        self.health.supplies(now, supplies, self.arms_ms)?;
        let drive = self.health.gate(drive);
        let done = if self.board.is_late(now) {
            // It may have let go, and may hold again with the first edge: nothing of before is on then.
            self.health.fallen = true;
            self.board.begin_anew().and_then(|()| self.board.feed(now))
        } else {
            self.board.apply(now, drive)
        };
        self.health.outcome(done)
    }

    /// Load and relay as they stand, or `None` while the watchdog has let go: `supplies` are those of
    /// the block that was read since the last exchange.
    #[must_use]
    pub fn applied(&self, supplies: &Supplies) -> Option<Drive> {
        self.health.applied(supplies, self.board.switched())
    }

    /// Everything off.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog switches everything off soon.
    pub fn stop(&mut self) -> Result<(), ChipError> {
        self.board.stop()
    }
}

/// The variant at a switch: the pair's circuit behind a crosspoint, and the taps' bias.
#[derive(Debug)]
pub struct MatrixCard<I: I2c, P: OutputPin> {
    // Dropped in this order: loads go before contacts.
    board: Board<I, P>,
    crosspoint: CrosspointBoard<I>,
    side: DriveSide,
    scanning: bool,
    health: Health,
    arms_ms: u64,
}

impl<I: I2c, P: OutputPin> MatrixCard<I, P> {
    /// Starts all outputs with everything off; `bus` gives a handle of the I2C bus for each chip,
    /// `side` is the bus that the panel sources.
    ///
    /// # Errors
    /// [`ChipError`]; [`ChipErrorKind::WrongChip`] when the card is the pair variant.
    pub fn start(
        mut bus: impl FnMut() -> I,
        watchdog: P,
        side: DriveSide,
        map: &'static BoardMap,
    ) -> Result<Self, ChipError> {
        let mut board = Board::start(bus(), watchdog, map)?;
        if !board.matrix_fitted()? {
            let cause = "the card says that it is the pair variant: no taps, no crosspoint";
            return Err(ChipError::new(ChipErrorKind::WrongChip, cause));
        }
        Ok(Self {
            board,
            crosspoint: CrosspointBoard::start(bus, map)?,
            side,
            scanning: false,
            health: Health::default(),
            arms_ms: map.watchdog_arms_ms,
        })
    }

    /// One block, as [`PairCard::exchange`], with the pair that the circuit shall be on (lines
    /// count from 0).
    ///
    /// The order is kept over the blocks: the tie to the panel's ground opens, then the contacts
    /// close, then loads move; and back. A drive for a pair that is not connected yet waits.
    ///
    /// # Errors
    /// [`ChipError`] as [`PairCard::exchange`].
    pub fn exchange(
        &mut self,
        now: Duration,
        supplies: &Supplies,
        connect: Option<(usize, usize)>,
        drive: Drive,
    ) -> Result<(), ChipError> {
        self.health.supplies(now, supplies, self.arms_ms)?;
        let drive = self.health.gate(drive);
        let connect = connect.filter(|_| !self.health.fallen);
        let done = if self.board.is_late(now) {
            self.health.fallen = true;
            self.scanning = false;
            let loads = self.board.begin_anew();
            // A reset was one of all chips; the first try makes them outputs again, all open.
            let _ = self.crosspoint.connect(None);
            loads.and_then(|()| self.crosspoint.connect(None))
        } else {
            self.switch(connect, drive)
        };
        let done = done.and_then(|()| self.board.feed(now));
        self.health.outcome(done)
    }

    /// As [`PairCard::applied`].
    #[must_use]
    pub fn applied(&self, supplies: &Supplies) -> Option<Drive> {
        self.health.applied(supplies, self.board.switched())
    }

    fn switch(&mut self, connect: Option<(usize, usize)>, drive: Drive) -> Result<(), ChipError> {
        let closed = self.crosspoint.closed();
        let stays = connect == closed;
        let load = if stays && closed.is_some() {
            drive
        } else {
            Drive::SAFE
        };
        let mut switched = self.board.step(load);
        switched.scan = self.crosspoint.is_open() && connect.is_none();
        switched.reverse = self.side == DriveSide::Units;
        switched.bias_tens = self.side == DriveSide::Units;
        switched.bias_units = self.side == DriveSide::Tens;
        let was_scanning = self.scanning;
        // A write that fails may have come through all the same.
        self.scanning |= switched.scan;
        self.board.write(switched)?;
        self.scanning = switched.scan;
        let next = if stays || loaded(switched) {
            closed
        } else if closed.is_some() {
            None
        } else if was_scanning {
            // The tie to the ground opens in this block.
            closed
        } else {
            connect
        };
        self.crosspoint.connect(next)
    }

    /// The pair whose contacts are closed.
    #[must_use]
    pub const fn connected(&self) -> Option<(usize, usize)> {
        self.crosspoint.closed()
    }

    /// Everything off: loads, then contacts.
    ///
    /// # Errors
    /// [`ChipError`]; the watchdog switches everything off soon.
    pub fn stop(&mut self) -> Result<(), ChipError> {
        let loads = self.board.stop();
        loads.and(self.crosspoint.connect(None))
    }
}

const fn loaded(switched: Switched) -> bool {
    switched.on_hook || switched.off_hook || switched.residue
}
