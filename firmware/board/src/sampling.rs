//! The converter's own thread: a block of readings every 10 ms, whatever the line card's thread is
//! waiting for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use line_interface::chips::{BoardMap, ChipError, Conversions, Readings, Sampler};
use line_interface::{BLOCK_MS, CardError, CardErrorKind};

use crate::chip_error;

const BLOCK: Duration = Duration::from_millis(BLOCK_MS);
/// Blocks that wait for a reader which is late; more are let go.
const WAITING: usize = 4;
/// A thread that is so much behind begins anew instead of hurrying after.
const BEHIND: Duration = Duration::from_millis(50);

/// Without readings for so long the card is lost; less than the watchdog waits, so that it is told
/// before the watchdog lets go.
const SILENCE: Duration = Duration::from_millis(300);
/// Blocks that the converter may fail in a row.
const BAD_BLOCKS: u32 = 10;

/// A sampler whose first block shows that the converter is the board's.
pub(crate) fn first_look<C: Conversions>(
    converter: C,
    clock_hz: u32,
    map: &'static BoardMap,
) -> Result<(Sampler<C>, Readings), CardError> {
    let mut sampler = Sampler::new(converter, clock_hz, map);
    let readings = sampler.read().map_err(|error| chip_error(&error))?.clone();
    let good = readings.supplies.check();
    good.map_err(|error| chip_error(&error))?;
    Ok((sampler, readings))
}

/// The last readings that came.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) readings: Readings,
    /// When they came.
    pub(crate) at: Instant,
    bad_blocks: u32,
}

impl Last {
    pub(crate) fn new(readings: Readings) -> Last {
        Last {
            readings,
            at: Instant::now(),
            bad_blocks: 0,
        }
    }

    /// Waits for the next block.
    pub(crate) fn receive(&mut self, sampling: &Sampling) -> Result<(), CardError> {
        let silent = |cause: String| CardError {
            kind: CardErrorKind::Timeout,
            cause,
            hint: "the converter's thread got no time or the SPI driver hangs: look at the load and the kernel's log",
        };
        let got = sampling.blocks.recv_timeout(SILENCE);
        self.at = Instant::now();
        match got {
            Ok(Ok(readings)) => {
                self.readings = readings;
                self.bad_blocks = 0;
                Ok(())
            }
            Ok(Err(error)) => {
                self.bad_blocks += 1;
                if self.bad_blocks >= BAD_BLOCKS {
                    Err(chip_error(&error))
                } else {
                    Ok(())
                }
            }
            Err(RecvTimeoutError::Timeout) => Err(silent(format!(
                "no readings for {} ms",
                SILENCE.as_millis()
            ))),
            Err(RecvTimeoutError::Disconnected) => {
                Err(silent("the converter's thread ended".to_owned()))
            }
        }
    }
}

/// A running sampler. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Sampling {
    pub(crate) blocks: Receiver<Result<Readings, ChipError>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampling {
    pub(crate) fn start<C>(sampler: Sampler<C>) -> Result<Sampling, CardError>
    where
        C: Conversions + Send + 'static,
    {
        let (send, blocks) = sync_channel(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("converter".to_owned())
            .spawn(move || run(sampler, &send, &stopped))
            .map_err(|error| CardError {
                kind: CardErrorKind::Lost,
                cause: format!("no thread for the converter: {error}"),
                hint: "the computer is out of threads or memory: look at what else runs on it",
            })?;
        Ok(Sampling {
            blocks,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run<C: Conversions>(
    mut sampler: Sampler<C>,
    blocks: &SyncSender<Result<Readings, ChipError>>,
    stop: &AtomicBool,
) {
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if due > now {
            std::thread::sleep(due - now);
        } else if now - due > BEHIND {
            due = now;
        }
        let begin = Instant::now();
        let block = sampler.read().cloned();
        sampler.took(begin.elapsed());
        due += BLOCK;
        match blocks.try_send(block) {
            Ok(()) | Err(TrySendError::Full(_)) => {}
            Err(TrySendError::Disconnected(_)) => return,
        }
    }
}
