//! Lines and pages on a byte stream: echo, backspace, hidden input, idle time.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

/// Rows of a page before the reader is asked to go on.
const PAGE: usize = 22;
/// Columns that are written to; a terminal of 80 wraps by itself in the last one.
const COLUMNS: usize = 79;
/// Longest line that is taken.
const LINE_LIMIT: usize = 256;

/// Breaks a line that is wider than the screen, at a blank where there is one.
fn fold(line: &str) -> String {
    let mut rest: Vec<char> = line.chars().collect();
    let mut out = String::new();
    while rest.len() > COLUMNS {
        let blank = rest[..COLUMNS]
            .iter()
            .rposition(|character| *character == ' ');
        let at = blank.filter(|at| *at > COLUMNS / 2).unwrap_or(COLUMNS);
        out.extend(rest.drain(..at));
        out.push('\n');
        if rest.first() == Some(&' ') {
            rest.remove(0);
        }
    }
    out.extend(rest);
    out
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The stream failed or ended.
    Stream,
    /// The daemon ends.
    Stopped,
    /// Nobody typed for too long.
    Idle,
    /// The technician left.
    LoggedOut,
}

/// A person at the other end of a byte stream.
pub struct Terminal<S, F> {
    stream: S,
    stop: F,
    idle_limit: Option<Duration>,
    /// A carriage return just ended a line: a line feed behind it is part of it.
    after_return: bool,
}

impl<S, F> std::fmt::Debug for Terminal<S, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}

impl<S: Read + Write, F: FnMut() -> bool> Terminal<S, F> {
    /// A terminal on `stream`; `stop` is asked whenever nothing comes.
    pub fn new(stream: S, stop: F) -> Terminal<S, F> {
        Terminal {
            stream,
            stop,
            idle_limit: None,
            after_return: false,
        }
    }

    pub(crate) fn set_idle_limit(&mut self, limit: Option<Duration>) {
        self.idle_limit = limit;
    }

    /// Writes text; line feeds become carriage return and line feed.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Closed> {
        let folded: Vec<String> = text.split('\n').map(fold).collect();
        let bytes = folded.join("\n").replace('\n', "\r\n");
        self.stream
            .write_all(bytes.as_bytes())
            .and_then(|()| self.stream.flush())
            .map_err(|_| Closed::Stream)
    }

    /// Writes a long text page by page.
    pub(crate) fn pages(&mut self, text: &str) -> Result<(), Closed> {
        let lines: Vec<&str> = text.lines().collect();
        for (index, page) in lines.chunks(PAGE).enumerate() {
            if index > 0 {
                self.write("-- Enter goes on, q ends -- ")?;
                if self.line(true)?.trim() == "q" {
                    return Ok(());
                }
            }
            self.write(&(page.join("\n") + "\n"))?;
        }
        Ok(())
    }

    /// Asks and returns the answer without blanks around it.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String, Closed> {
        self.write(question)?;
        Ok(self.line(true)?.trim().to_owned())
    }

    /// Asks for something that must not be seen.
    pub(crate) fn ask_hidden(&mut self, question: &str) -> Result<String, Closed> {
        self.write(question)?;
        self.line(false)
    }

    /// Asks a question that only `y` affirms.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<bool, Closed> {
        Ok(matches!(
            self.ask(&format!("{question} [y/N] "))?.as_str(),
            "y" | "Y" | "yes"
        ))
    }

    /// Whether a key was pressed; waits no longer than a read of the stream does.
    pub(crate) fn key(&mut self) -> Result<bool, Closed> {
        if (self.stop)() {
            return Err(Closed::Stopped);
        }
        Ok(self.byte()?.is_some())
    }

    /// Waits before the next try after a wrong password.
    pub(crate) fn pause(&mut self, time: Duration) -> Result<(), Closed> {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if (self.stop)() {
                return Err(Closed::Stopped);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Reads a line. Control characters other than backspace, Ctrl-U and Ctrl-D are dropped.
    pub(crate) fn line(&mut self, echo: bool) -> Result<String, Closed> {
        let mut line: Vec<u8> = Vec::new();
        let mut last_key = Instant::now();
        loop {
            let Some(byte) = self.byte()? else {
                if (self.stop)() {
                    return Err(Closed::Stopped);
                }
                if self
                    .idle_limit
                    .is_some_and(|limit| last_key.elapsed() > limit)
                {
                    self.write("\n\nnobody is there: logged out\n")?;
                    return Err(Closed::Idle);
                }
                continue;
            };
            last_key = Instant::now();
            let follows_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if follows_return => {}
                b'\r' | b'\n' => {
                    self.write("\n")?;
                    return Ok(String::from_utf8_lossy(&line).into_owned());
                }
                0x08 | 0x7f => self.erase(&mut line, echo)?,
                // Ctrl-U empties the line.
                0x15 => {
                    while !line.is_empty() {
                        self.erase(&mut line, echo)?;
                    }
                }
                // Ctrl-D on an empty line leaves.
                0x04 if line.is_empty() => return Err(Closed::LoggedOut),
                byte if byte < b' ' => {}
                byte if line.len() < LINE_LIMIT => {
                    line.push(byte);
                    if echo {
                        self.stream
                            .write_all(&[byte])
                            .and_then(|()| self.stream.flush())
                            .map_err(|_| Closed::Stream)?;
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes the last character off the line, all bytes of it.
    fn erase(&mut self, line: &mut Vec<u8>, echo: bool) -> Result<(), Closed> {
        if line.is_empty() {
            return Ok(());
        }
        while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
        if echo {
            self.write("\u{8} \u{8}")
        } else {
            Ok(())
        }
    }

    /// One byte; `None` when nothing came in time.
    fn byte(&mut self) -> Result<Option<u8>, Closed> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => Err(Closed::Stream),
            Ok(_) => Ok(Some(byte[0])),
            Err(error) => match error.kind() {
                ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(None),
                _ => Err(Closed::Stream),
            },
        }
    }
}
