//! One opening on its way: first its record, then the release.

use std::time::Duration;

use crate::leg::RecordId;

/// An authorised opening of a line's door.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    record: RecordId,
    deadline: Duration,
    released: bool,
}

impl Opening {
    /// Waits for `record`, but no longer than `deadline`.
    pub(crate) fn new(record: RecordId, deadline: Duration) -> Opening {
        Opening {
            record,
            deadline,
            released: false,
        }
    }

    pub(crate) fn waits_for(&self, record: RecordId) -> bool {
        !self.released && self.record == record
    }

    /// The record still waited for.
    pub(crate) fn waiting(&self) -> Option<RecordId> {
        (!self.released).then_some(self.record)
    }

    /// When the wait ends, while it lasts.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        (!self.released).then_some(self.deadline)
    }

    /// Marks the release as ordered and returns its token.
    pub(crate) fn release(&mut self, token: u64) -> u64 {
        self.released = true;
        token
    }
}
