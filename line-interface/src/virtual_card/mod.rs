//! The virtual line card: the same border as the board's, carried over a byte stream.
//!
//! [`Frame`] knows the bytes and does no I/O; [`FrameReader`] collects frames out of pieces of any
//! size; [`VirtualCard`] is the gateway's end over any [`Read`] + [`Write`].

mod frame;

use std::io::{ErrorKind, Read, Write};

use crate::card::{CardError, CardErrorKind, CardInfo, DriveBlock, LineCard, SenseBlock};

pub use frame::{Frame, MAX_BURST, MAX_LINES, MAX_NAME, MAX_TAPS, MAX_TEXT, VERSION};

/// Least room for what a stream gives at once, in bytes.
const PIECE: usize = 4096;

/// Collects frames out of a byte stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    /// What came stands at `start..end`; the rest is room.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl FrameReader {
    /// Adds bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        let end = self.end + bytes.len();
        if let Some(room) = self.buffer.get_mut(self.end..end) {
            room.copy_from_slice(bytes);
        }
        self.end = end;
    }

    /// Reads once from a stream, as much of the frame that has begun as it gives; gives the bytes read, 0 at its end.
    ///
    /// # Errors
    /// The stream's, and [`ErrorKind::InvalidData`] when what came before is no frame.
    pub fn read_from(&mut self, stream: &mut impl Read) -> std::io::Result<usize> {
        let whole = frame::length(self.waiting()).map_err(|_| ErrorKind::InvalidData)?;
        let waiting = self.end - self.start;
        self.make_room(whole.map_or(PIECE, |whole| whole.saturating_sub(waiting).max(PIECE)));
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = stream.read(room)?;
        self.end += count.min(room.len());
        Ok(count)
    }

    /// The next whole frame, if it is there.
    ///
    /// # Errors
    /// See [`Frame::decode`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CardError> {
        let Some((frame, used)) = Frame::decode(self.waiting())? else {
            return Ok(None);
        };
        self.start += used;
        Ok(Some(frame))
    }

    /// As [`FrameReader::next_frame`] where readings are awaited: those go into `sense`, one entry a line, and only their
    /// number comes back.
    fn next_block(&mut self, sense: &mut [SenseBlock]) -> Result<Option<Next>, CardError> {
        let Some(whole) = frame::length(self.waiting())? else {
            return Ok(None);
        };
        let Some(bytes) = self.waiting().get(..whole) else {
            return Ok(None);
        };
        let next = match frame::read_block(bytes, sense)? {
            Some(sequence) => Some(Next::Block(sequence)),
            None => Frame::decode(bytes)?.map(|(frame, _)| Next::Other(frame)),
        };
        self.start += whole;
        Ok(next)
    }

    fn waiting(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Makes room for so many bytes behind those that wait.
    fn make_room(&mut self, bytes: usize) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.end + bytes > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end + bytes > self.buffer.len() {
            self.buffer.resize(self.end + bytes, 0);
        }
    }
}

/// What comes where readings are awaited.
enum Next {
    /// They came, with this number.
    Block(u64),
    Other(Frame),
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
        loop {
            if let Some(frame) = self.reader.next_frame()? {
                return Ok(frame);
            }
            self.read()?;
        }
    }

    fn receive_block(&mut self, sense: &mut [SenseBlock]) -> Result<Next, CardError> {
        loop {
            if let Some(next) = self.reader.next_block(sense)? {
                return Ok(next);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<(), CardError> {
        match self.reader.read_from(&mut self.stream) {
            Ok(0) => Err(CardError {
                kind: CardErrorKind::Lost,
                cause: "the card closed the connection".to_owned(),
                hint: "the simulator ended or crashed; start it again, the gateway reconnects",
            }),
            Ok(_) => Ok(()),
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(io(&e)),
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
        match self.receive_block(sense)? {
            Next::Block(sequence) => {
                let missed = sequence.saturating_sub(self.expected_block.unwrap_or(sequence));
                self.missed_blocks = self.missed_blocks.saturating_add(missed);
                self.expected_block = Some(sequence.wrapping_add(1));
                Ok(())
            }
            Next::Other(Frame::Bye { reason }) => Err(closed(&reason)),
            Next::Other(_) => Err(frame::bad("a frame that a card does not send".to_owned())),
        }
    }
}
