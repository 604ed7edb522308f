//! The converter's own thread: a block of readings every 10 ms, whatever the line card's thread is
//! waiting for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use line_interface::BLOCK_MS;
use line_interface::chips::{ChipError, Conversions, Readings, Sampler};

const BLOCK: Duration = Duration::from_millis(BLOCK_MS);
/// Blocks that wait for a reader which is late; more are let go.
const WAITING: usize = 4;
/// A thread that is so much behind begins anew instead of hurrying after.
const BEHIND: Duration = Duration::from_millis(50);

/// A running sampler. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Sampling {
    pub(crate) blocks: Receiver<Result<Readings, ChipError>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampling {
    pub(crate) fn start<C>(sampler: Sampler<C>) -> std::io::Result<Sampling>
    where
        C: Conversions + Send + 'static,
    {
        let (send, blocks) = sync_channel(WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("converter".to_owned())
            .spawn(move || run(sampler, &send, &stopped))?;
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
