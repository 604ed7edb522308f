//! A blocking client of the local socket, for the CLI and the console.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::wire::{Failure, FailureKind, MAX_LINE, Request, Response};

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// No daemon answers on the socket.
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The daemon went away or spoke nonsense.
    Broken(String),
    /// The command failed.
    Failed(Failure),
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ClientError::NoDaemon { socket, cause } => {
                let hint = match cause.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "run as root, or as a member of the socket's group"
                    }
                    _ => {
                        "is trubkad running? Its socket is control.socket of its configuration; name it with --socket PATH"
                    }
                };
                write!(
                    f,
                    "no daemon answers on {}: {cause}\n    hint: {hint}",
                    socket.display()
                )
            }
            ClientError::Broken(why) => write!(
                f,
                "the daemon's answer broke off: {why}\n    hint: look into the daemon's log"
            ),
            ClientError::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    reader: BufReader<UnixStream>,
    next_id: u64,
    /// The beginning of a line whose rest has not come in time.
    partial: Vec<u8>,
}

impl Client {
    /// Connects to the socket.
    ///
    /// # Errors
    /// [`ClientError::NoDaemon`].
    pub fn connect(socket: &Path) -> Result<Client, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|cause| ClientError::NoDaemon {
            socket: socket.to_owned(),
            cause,
        })?;
        Ok(Client {
            reader: BufReader::new(stream),
            next_id: 0,
            partial: Vec::new(),
        })
    }

    /// Sets how long an answer may take; none waits for ever.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the system refuses.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<(), ClientError> {
        self.reader
            .get_ref()
            .set_read_timeout(timeout)
            .map_err(|error| ClientError::Broken(error.to_string()))
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`ClientError::Failed`] when the command fails, [`ClientError::Broken`] when no answer comes.
    pub fn call(&mut self, command: &str, arguments: &[String]) -> Result<Value, ClientError> {
        self.next_id += 1;
        let request = Request {
            id: self.next_id,
            command: command.to_owned(),
            arguments: arguments.to_vec(),
        };
        let broken = |error: &dyn std::fmt::Display| ClientError::Broken(error.to_string());
        let mut line = serde_json::to_vec(&request).map_err(|error| broken(&error))?;
        line.push(b'\n');
        self.reader
            .get_ref()
            .write_all(&line)
            .map_err(|error| broken(&error))?;
        loop {
            match self.read()? {
                Response::Done { id, result } if id == self.next_id => return Ok(result),
                Response::Failed { id, failure } if id == self.next_id || id == 0 => {
                    return Err(ClientError::Failed(failure));
                }
                _ => {}
            }
        }
    }

    /// Waits for the next event after `events` was called.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the daemon leaves.
    pub fn next_event(&mut self) -> Result<Value, ClientError> {
        loop {
            if let Response::Event { event, .. } = self.read()? {
                return Ok(event);
            }
        }
    }

    /// The next event if one comes within the timeout that was set.
    ///
    /// # Errors
    /// [`ClientError::Broken`] when the daemon leaves.
    pub fn poll_event(&mut self) -> Result<Option<Value>, ClientError> {
        loop {
            match self.read_line()? {
                None => return Ok(None),
                Some(Response::Event { event, .. }) => return Ok(Some(event)),
                Some(_) => {}
            }
        }
    }

    fn read(&mut self) -> Result<Response, ClientError> {
        self.read_line()?.ok_or_else(|| {
            ClientError::Failed(Failure::new(
                FailureKind::Refused,
                "no answer in time",
                "run: trubka doctor",
            ))
        })
    }

    /// One line; `None` when it did not end in time. What came of it is kept.
    fn read_line(&mut self) -> Result<Option<Response>, ClientError> {
        let room = MAX_LINE.saturating_sub(self.partial.len()) as u64;
        let mut limited = (&mut self.reader).take(room);
        match limited.read_until(b'\n', &mut self.partial) {
            Ok(0) => Err(ClientError::Broken("end of the stream".into())),
            Ok(_) => serde_json::from_slice(&std::mem::take(&mut self.partial))
                .map(Some)
                .map_err(|error| ClientError::Broken(error.to_string())),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(ClientError::Broken(error.to_string())),
        }
    }
}
