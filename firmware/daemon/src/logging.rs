//! The log on standard error: one line an entry, for a person or for the system's journal.

use tracing::Level;

/// Starts logging. Secrets never reach it: messages with credentials are not logged at all.
pub(crate) fn start(level: Level) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(false)
        .init();
}
