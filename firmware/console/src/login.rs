//! The console's password: none by default, set by whoever stands at the box first.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use sha2::Sha256;

use crate::terminal::{Closed, Terminal};

const ROUNDS: u32 = 200_000;
const SHORTEST: usize = 8;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a password could not be read or set.
#[derive(Debug)]
pub enum PasswordError {
    /// Shorter than eight characters.
    TooShort,
    /// The file cannot be read or written.
    File(std::io::Error),
    /// The file holds something else.
    Damaged,
}

impl std::fmt::Display for PasswordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PasswordError::TooShort => write!(f, "a password needs {SHORTEST} characters or more"),
            PasswordError::File(error) => write!(f, "the password file: {error}"),
            PasswordError::Damaged => {
                f.write_str("the password file is damaged; remove it as root to set a new password")
            }
        }
    }
}

impl std::error::Error for PasswordError {}

/// The file with the salted hash: `pbkdf2-sha256 ROUNDS SALT HASH`, in hexadecimal.
#[derive(Debug)]
pub struct PasswordFile {
    path: PathBuf,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

fn hash(password: &str, salt: &[u8], rounds: u32) -> [u8; 32] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password.as_bytes(), salt, rounds)
}

impl PasswordFile {
    /// Names the file; it need not exist.
    pub fn new(path: PathBuf) -> PasswordFile {
        PasswordFile { path }
    }

    /// Whether a password was set.
    pub fn is_set(&self) -> bool {
        self.path.exists()
    }

    /// Sets the password.
    ///
    /// # Errors
    /// A short password, or a file that cannot be written.
    pub fn set(&self, password: &str) -> Result<(), PasswordError> {
        if password.chars().count() < SHORTEST {
            return Err(PasswordError::TooShort);
        }
        let mut salt = [0; 16];
        getrandom::fill(&mut salt)
            .map_err(|error| PasswordError::File(std::io::Error::other(error.to_string())))?;
        let line = format!(
            "pbkdf2-sha256 {ROUNDS} {} {}\n",
            hex(&salt),
            hex(&hash(password, &salt, ROUNDS))
        );
        let beside = self.path.with_extension("new");
        let write = || {
            if let Some(directory) = self.path.parent() {
                std::fs::create_dir_all(directory)?;
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)
        };
        write().map_err(PasswordError::File)
    }

    /// Whether the password is right.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else.
    pub fn is_right(&self, password: &str) -> Result<bool, PasswordError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(PasswordError::File(error)),
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let ["pbkdf2-sha256", rounds, salt, wanted] = fields[..] else {
            return Err(PasswordError::Damaged);
        };
        let parsed = (
            rounds
                .parse::<u32>()
                .ok()
                .filter(|rounds| (1..=10_000_000).contains(rounds)),
            unhex(salt),
            unhex(wanted),
        );
        let (Some(rounds), Some(salt), Some(wanted)) = parsed else {
            return Err(PasswordError::Damaged);
        };
        let found = hash(password, &salt, rounds);
        // Every byte is looked at, so that the time tells nothing.
        let differing = found
            .iter()
            .zip(&wanted)
            .fold(0, |sum, (a, b)| sum | (a ^ b));
        Ok(differing == 0 && wanted.len() == found.len())
    }
}

/// Lets somebody in, or returns only when the stream is gone.
pub(crate) fn login<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    passwords: &PasswordFile,
) -> Result<(), Closed> {
    let mut pause = FIRST_PAUSE;
    loop {
        terminal.write(&format!(
            "\nTrubka {} - press Enter to log in\n",
            env!("CARGO_PKG_VERSION")
        ))?;
        terminal.line(true)?;
        if !passwords.is_set() {
            terminal.write("No console password is set yet. Whoever stands here sets it now.\n")?;
            if new_password(terminal, passwords)? {
                return Ok(());
            }
            continue;
        }
        let typed = terminal.ask_hidden("password: ")?;
        match passwords.is_right(&typed) {
            Ok(true) => return Ok(()),
            Ok(false) => {
                terminal.write("wrong password\n")?;
                terminal.pause(pause)?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => terminal.write(&format!("{error}\n"))?,
        }
    }
}

/// Asks twice for a new password and sets it.
pub(crate) fn new_password<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    passwords: &PasswordFile,
) -> Result<bool, Closed> {
    let first = terminal.ask_hidden(&format!("new password ({SHORTEST} characters or more): "))?;
    let second = terminal.ask_hidden("once more: ")?;
    if first != second {
        terminal.write("the two differ; nothing was set\n")?;
        return Ok(false);
    }
    match passwords.set(&first) {
        Ok(()) => {
            terminal.write("the password is set\n")?;
            Ok(true)
        }
        Err(error) => {
            terminal.write(&format!("{error}\n"))?;
            Ok(false)
        }
    }
}
