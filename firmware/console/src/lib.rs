//! The serial console: a login and a numbered menu of 80 by 24 over any byte stream.
//!
//! It owns no device: the daemon hands it an open serial port, the tests one end of a pty. It
//! talks to the daemon through the local socket like every other client, and changes the
//! configuration file by checked edits that keep its comments.

mod learning;
mod login;
mod menu;
mod settings;
mod terminal;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::time::Duration;

pub use login::{PasswordError, PasswordFile};
pub use terminal::{Closed, Terminal};

/// What a console works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// Configuration file that is shown and changed.
    pub config_file: PathBuf,
    /// Control socket of the daemon.
    pub socket: PathBuf,
    /// File of the password hash.
    pub password_file: PathBuf,
    /// Time without a key before the console logs out.
    pub idle_logout: Duration,
}

/// Serves the console until the stream fails or `stop` says so. The stream's reads must time out
/// (within a second, say), so that `stop` and the idle logout are seen.
pub fn serve(stream: impl Read + Write, setup: &Setup, stop: impl FnMut() -> bool) -> Closed {
    let mut terminal = Terminal::new(stream, stop);
    let passwords = PasswordFile::new(setup.password_file.clone());
    loop {
        terminal.set_idle_limit(None);
        let session = login::login(&mut terminal, &passwords).and_then(|()| {
            terminal.set_idle_limit(Some(setup.idle_logout));
            menu::run(&mut terminal, setup, &passwords)
        });
        match session {
            Ok(()) | Err(Closed::Idle | Closed::LoggedOut) => {}
            Err(closed) => return closed,
        }
    }
}
