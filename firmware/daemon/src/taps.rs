//! Readings of lines for whoever asks: bounded, and never a reason for the core to wait.

use control::reply::Readings;
use control::{Failure, FailureKind, Response};
use gateway::Gateway;
use line_interface::BLOCK_MS;
use tokio::sync::mpsc;

/// Taps at one time.
const TAPS: usize = 8;
/// Blocks in one message.
const BATCH: usize = 10;

/// One asker.
#[derive(Debug)]
struct Tap {
    id: u64,
    line: usize,
    reply: mpsc::Sender<Response>,
    t_ms: u64,
    batch: Readings,
}

/// Everybody who follows readings.
#[derive(Debug, Default)]
pub(crate) struct Taps(Vec<Tap>);

impl Taps {
    /// Begins to send the readings of a line.
    pub(crate) fn open(
        &mut self,
        (line, name): (usize, &str),
        id: u64,
        reply: &mpsc::Sender<Response>,
    ) -> Result<(), Failure> {
        self.0.retain(|tap| !tap.reply.is_closed());
        if self.0.len() >= TAPS {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("{TAPS} taps are open already"),
                "end one of the trubka line tap or trubka line learn commands that run",
            ));
        }
        self.0.push(Tap {
            id,
            line,
            reply: reply.clone(),
            t_ms: 0,
            batch: Readings {
                line: name.to_owned(),
                ..Readings::default()
            },
        });
        Ok(())
    }

    /// A card delivered a block.
    pub(crate) fn block(&mut self, gateway: &Gateway, card: usize) {
        self.0.retain_mut(|tap| tap.block(gateway, card));
    }
}

impl Tap {
    /// Takes the line's reading; `false` when the asker has left.
    fn block(&mut self, gateway: &Gateway, card: usize) -> bool {
        let Some(reading) = gateway.line_reading(self.line, card) else {
            return true;
        };
        if self.batch.readings.is_empty() {
            self.batch.t_ms = self.t_ms;
        }
        self.t_ms += BLOCK_MS;
        self.batch.readings.push(reading);
        if self.batch.readings.len() < BATCH {
            return true;
        }
        let event = serde_json::to_value(&self.batch).unwrap_or_default();
        let sent = self.reply.try_send(Response::Event { id: self.id, event });
        let count = self.batch.readings.len() as u64;
        self.batch.readings.clear();
        match sent {
            Ok(()) => self.batch.missed = 0,
            Err(mpsc::error::TrySendError::Full(_)) => self.batch.missed += count,
            Err(mpsc::error::TrySendError::Closed(_)) => return false,
        }
        true
    }
}
