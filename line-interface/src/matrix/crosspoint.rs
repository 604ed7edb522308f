//! The crosspoint: puts our handset circuit on one pair, break before make.

use std::time::Duration;

use crate::switch::Cell;

/// Every contact has opened this long after its command: the slowest relay of the board with margin.
pub const BREAK_MS: u64 = 20;

/// The one pair that our handset circuit is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Crosspoint {
    wanted: Option<Cell>,
    closed: Option<Cell>,
    /// When the last contact was told to open.
    opened: Option<Duration>,
}

impl Crosspoint {
    /// Wants a pair, or none. A closed contact of another pair opens at once.
    pub fn select(&mut self, now: Duration, cell: Option<Cell>) {
        self.wanted = cell;
        if self.closed.is_some() && self.closed != cell {
            self.closed = None;
            self.opened = Some(now);
        }
        self.advance(now);
    }

    /// Closes the wanted contact once every other one has opened.
    pub fn advance(&mut self, now: Duration) {
        let free = self
            .opened
            .is_none_or(|at| now.saturating_sub(at) >= Duration::from_millis(BREAK_MS));
        if free && self.closed.is_none() {
            self.closed = self.wanted;
        }
    }

    /// The contact that the board shall close now; all others are open.
    #[must_use]
    pub const fn closed(&self) -> Option<Cell> {
        self.closed
    }
}
