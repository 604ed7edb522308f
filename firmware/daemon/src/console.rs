//! The serial console's device: a thread that opens it, serves it, and opens it again when it
//! went away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ::console::{Closed, Setup};

/// Reads wait so long, so that the end of the daemon is seen.
const READ_TIMEOUT: Duration = Duration::from_millis(200);
const OPEN_AGAIN: Duration = Duration::from_secs(3);

/// A running console.
#[derive(Debug)]
pub(crate) struct ConsoleThread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ConsoleThread {
    /// Starts the thread.
    pub(crate) fn start(settings: config::Console, setup: Setup) -> std::io::Result<ConsoleThread> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("console".into())
            .stack_size(512 * 1024)
            .spawn(move || serve(&settings, &setup, &stopped))?;
        Ok(ConsoleThread {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for ConsoleThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(settings: &config::Console, setup: &Setup, stop: &AtomicBool) {
    let mut told = false;
    while !stop.load(Ordering::Relaxed) {
        let port = serialport::new(settings.device.to_string_lossy(), settings.baud)
            .timeout(READ_TIMEOUT)
            .open();
        match port {
            Ok(port) => {
                told = false;
                if ::console::serve(port, setup, || stop.load(Ordering::Relaxed)) == Closed::Stopped
                {
                    return;
                }
            }
            Err(error) if !told => {
                tracing::warn!(
                    "no serial console on {}: {error}; check console.device and its permissions",
                    settings.device.display()
                );
                told = true;
            }
            Err(_) => {}
        }
        let mut left = OPEN_AGAIN;
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(READ_TIMEOUT.min(left));
            left = left.saturating_sub(READ_TIMEOUT);
        }
    }
}
