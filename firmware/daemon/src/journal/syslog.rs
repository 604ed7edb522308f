//! The way out for records that the disk could not take.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::fanout::Stamped;

/// Facility authpriv (10), severity warning (4): RFC 5424 section 6.2.1.
const PRIORITY: u8 = 10 * 8 + 4;

/// Sends the record to the system log, and to our own log in any case.
pub(super) fn send(socket: &Path, stamped: &Stamped) {
    let json = serde_json::Value::Object(stamped.to_json()).to_string();
    tracing::error!("journal record not on disk: {json}");
    let message = format!("<{PRIORITY}>trubkad: journal {json}");
    if let Ok(log) = UnixDatagram::unbound() {
        // A system log that is full or away must not hold up the door.
        let _ = log.set_nonblocking(true);
        let _ = log.send_to(message.as_bytes(), socket);
    }
}
