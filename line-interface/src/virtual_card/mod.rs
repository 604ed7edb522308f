//! The virtual line card: the same border as the board's, carried over a byte stream.
//!
//! [`Frame`] knows the bytes and does no I/O; [`FrameReader`] collects frames out of pieces of any
//! size; [`VirtualCard`] is the gateway's end over any [`Read`] + [`Write`].

mod frame;

use std::io::{ErrorKind, Read, Write};

use crate::card::{CardError, CardErrorKind, CardInfo, DriveBlock, LineCard, SenseBlock};

pub use frame::{Frame, MAX_BURST, MAX_LINES, MAX_NAME, MAX_TAPS, MAX_TEXT, VERSION};

/// Collects frames out of a byte stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
}

impl FrameReader {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// See [`Frame::decode`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CardError> {
        let Some((frame, used)) = Frame::decode(&self.buffer)? else {
            return Ok(None);
        };
        self.buffer.drain(..used);
        Ok(Some(frame))
    }
}

/// The gateway's end of a virtual line card.
///
/// Reads block, so give the stream a read timeout; a timeout is reported as
/// [`CardErrorKind::Timeout`].
#[derive(Debug)]
pub struct VirtualCard<S> {
    stream: S,
    info: CardInfo,
    reader: FrameReader,
    out: Vec<u8>,
    sequence: u64,
    expected_block: Option<u64>,
    missed_blocks: u64,
}

impl<S: Read + Write> VirtualCard<S> {
    /// Greets the other side and waits for its greeting.
    ///
    /// # Errors
    /// [`CardError`] when the other side is gone, of another version, or no line card.
    pub fn connect(stream: S, name: &str) -> Result<Self, CardError> {
        let mut card = Self {
            stream,
            info: CardInfo {
                name: String::new(),
                lines: Vec::new(),
            },
            reader: FrameReader::default(),
            out: Vec::new(),
            sequence: 0,
            expected_block: None,
            missed_blocks: 0,
        };
        card.send(&Frame::Hello {
            lines: Vec::new(),
            name: name.to_owned(),
        })?;
        match card.receive()? {
            Frame::Hello { lines, .. } if lines.is_empty() => {
                Err(frame::bad("the card has no lines".to_owned()))
            }
            Frame::Hello { lines, name } => {
                card.info = CardInfo { name, lines };
                Ok(card)
            }
            Frame::Bye { reason } => Err(closed(&reason)),
            _ => Err(frame::bad(
                "the card did not begin with a greeting".to_owned(),
            )),
        }
    }

    /// Blocks that never came, by the sequence numbers of those that did.
    #[must_use]
    pub const fn missed_blocks(&self) -> u64 {
        self.missed_blocks
    }

    /// Says goodbye; the card puts its outputs to the safe state.
    ///
    /// # Errors
    /// [`CardErrorKind::Lost`] when nobody hears it any more.
    pub fn close(mut self, reason: &str) -> Result<(), CardError> {
        self.send(&Frame::Bye {
            reason: reason.to_owned(),
        })
    }

    fn send(&mut self, frame: &Frame) -> Result<(), CardError> {
        self.out.clear();
        frame.encode(&mut self.out);
        self.flush()
    }

    fn flush(&mut self) -> Result<(), CardError> {
        self.stream
            .write_all(&self.out)
            .and_then(|()| self.stream.flush())
            .map_err(|e| io(&e))
    }

    fn receive(&mut self) -> Result<Frame, CardError> {
        let mut piece = [0; 4096];
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(frame);
            }
            match self.stream.read(&mut piece) {
                Ok(0) => {
                    return Err(CardError {
                        kind: CardErrorKind::Lost,
                        cause: "the card closed the connection".to_owned(),
                        hint: "the simulator ended or crashed; start it again, the gateway reconnects",
                    });
                }
                Ok(n) => self.reader.push(piece.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(io(&e)),
            }
        }
    }
}

fn closed(reason: &str) -> CardError {
    CardError {
        kind: CardErrorKind::Closed,
        cause: format!("the card said goodbye: {reason}"),
        hint: "start the simulator again, the gateway reconnects",
    }
}

fn io(e: &std::io::Error) -> CardError {
    match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => CardError {
            kind: CardErrorKind::Timeout,
            cause: "no block came in time".to_owned(),
            hint: "the simulator hangs or is stopped; look at its process",
        },
        _ => CardError {
            kind: CardErrorKind::Lost,
            cause: format!("the connection to the card broke: {e}"),
            hint: "the simulator ended or crashed; start it again, the gateway reconnects",
        },
    }
}

impl<S: Read + Write + Send> LineCard for VirtualCard<S> {
    fn info(&self) -> CardInfo {
        self.info.clone()
    }

    fn exchange(
        &mut self,
        drive: &[DriveBlock],
        sense: &mut [SenseBlock],
    ) -> Result<(), CardError> {
        let lines_of_card = self.info.lines.len();
        if drive.len() != lines_of_card || sense.len() != lines_of_card {
            return Err(CardError {
                kind: CardErrorKind::LineCount,
                cause: format!(
                    "{} drives and {} readings for {} lines",
                    drive.len(),
                    sense.len(),
                    lines_of_card
                ),
                hint: "configure as many lines as the card has",
            });
        }
        self.out.clear();
        frame::encode_drive_frame(self.sequence, drive, &mut self.out);
        self.sequence = self.sequence.wrapping_add(1);
        self.flush()?;
        match self.receive()? {
            Frame::Block { sequence, lines } if lines.len() == lines_of_card => {
                let missed = sequence.saturating_sub(self.expected_block.unwrap_or(sequence));
                self.missed_blocks = self.missed_blocks.saturating_add(missed);
                self.expected_block = Some(sequence.wrapping_add(1));
                for (to, from) in sense.iter_mut().zip(lines) {
                    *to = from;
                }
                Ok(())
            }
            Frame::Block { lines, .. } => Err(frame::bad(format!(
                "a block of {} lines, not {}",
                lines.len(),
                lines_of_card
            ))),
            Frame::Bye { reason } => Err(closed(&reason)),
            Frame::Hello { .. } | Frame::Drive { .. } => {
                Err(frame::bad("a frame that a card does not send".to_owned()))
            }
        }
    }
}
