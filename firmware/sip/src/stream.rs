//! Messages out of a byte stream (RFC 3261 18.3, RFC 5626 3.5.1), without I/O.

use crate::message::{MAX_MESSAGE_BYTES, frame_length};

/// Longest start line and headers together, bytes.
const MAX_HEAD_BYTES: usize = 32_768;
/// Longest body of a refused message that is read over, bytes.
const MAX_SKIPPED_BYTES: usize = 1_048_576;
/// Bytes taken at once, so that the buffer stays within its bound.
const CHUNK_BYTES: usize = 4_096;

/// One thing a stream held.
#[derive(Clone, PartialEq, Eq)]
pub enum StreamItem {
    /// A framed message, for [`crate::UserAgent::handle_message`]. Not yet read: it may be bad.
    Message(Vec<u8>),
    /// The double CRLF of a keep-alive; the answer is one CRLF. At most one for each call.
    Ping,
    /// A single CRLF: the answer to a keep-alive of ours. The first half of a [`Self::Ping`] that
    /// came in two cuts looks the same; either way the peer lives.
    Pong,
}

impl std::fmt::Debug for StreamItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A message may hold credentials.
        match self {
            Self::Message(bytes) => write!(f, "Message({} bytes)", bytes.len()),
            Self::Ping => f.write_str("Ping"),
            Self::Pong => f.write_str("Pong"),
        }
    }
}

/// Nobody can say where the next message begins: close the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamError {
    /// Cause in words.
    pub cause: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

impl std::fmt::Display for StreamError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.cause, self.hint)
    }
}

impl std::error::Error for StreamError {}

/// Cuts a stream into messages by Content-Length. Holds at most one message.
#[derive(Default)]
pub struct StreamReader {
    buffer: Vec<u8>,
    /// Bytes of the buffer without an end of headers.
    searched: usize,
    /// Bytes still to be thrown away.
    skip: usize,
    line_breaks: u8,
    broken: bool,
}

impl std::fmt::Debug for StreamReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is held may be half a message with credentials.
        write!(f, "StreamReader({} bytes)", self.buffer.len())
    }
}

impl StreamReader {
    /// A reader at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes held of an unfinished message.
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// The single CRLF before was an answer, and no half of a [`StreamItem::Ping`].
    pub(crate) fn forget_line_break(&mut self) {
        self.line_breaks = 0;
    }

    /// Takes bytes in any cut and gives what became whole to `sink`.
    ///
    /// # Errors
    /// When framing is lost: headers without end, no usable Content-Length, or a body over 1 MiB.
    /// Everything after that is refused as well.
    pub fn push(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(StreamItem),
    ) -> Result<(), StreamError> {
        let mut pinged = false;
        let before = self.line_breaks;
        for chunk in bytes.chunks(CHUNK_BYTES) {
            if self.broken {
                return Err(lost("an earlier message had no usable length"));
            }
            let skipped = self.skip.min(chunk.len());
            self.skip -= skipped;
            self.buffer
                .extend_from_slice(chunk.get(skipped..).unwrap_or(&[]));
            loop {
                pinged = self.take_line_breaks(pinged, &mut sink);
                match self.take_message() {
                    Ok(Some(message)) => sink(StreamItem::Message(message)),
                    Ok(None) => break,
                    Err((message, error)) => {
                        self.broken = true;
                        self.buffer = Vec::new();
                        if let Some(message) = message {
                            sink(StreamItem::Message(message));
                        }
                        return Err(error);
                    }
                }
            }
        }
        if self.line_breaks == 1 && before == 0 && self.buffer.is_empty() {
            sink(StreamItem::Pong);
        }
        Ok(())
    }

    fn take_line_breaks(&mut self, mut pinged: bool, sink: &mut impl FnMut(StreamItem)) -> bool {
        let breaks = |b: &&u8| matches!(b, b'\r' | b'\n');
        let count = self.buffer.iter().take_while(breaks).count();
        for byte in self.buffer.drain(..count) {
            self.line_breaks += u8::from(byte == b'\n');
            if self.line_breaks == 2 {
                self.line_breaks = 0;
                if !pinged {
                    sink(StreamItem::Ping);
                    pinged = true;
                }
            }
        }
        if !self.buffer.is_empty() {
            self.line_breaks = 0;
        }
        if count > 0 {
            self.searched = 0;
        }
        pinged
    }

    #[allow(clippy::type_complexity)]
    fn take_message(&mut self) -> Result<Option<Vec<u8>>, (Option<Vec<u8>>, StreamError)> {
        let Some(head) = self.head_bytes() else {
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err((None, lost("headers without end")));
            }
            return Ok(None);
        };
        if head > MAX_HEAD_BYTES {
            return Err((None, lost("headers too long")));
        }
        let length = match frame_length(self.buffer.get(..head).unwrap_or(&[])) {
            Ok(length) => length,
            Err(cause) => {
                // The head alone still gets its 400.
                let message = self.buffer.get(..head).map(<[u8]>::to_vec);
                return Err((message, lost(cause)));
            }
        };
        let Some(length) = length else {
            return Err((None, lost("body without Content-Length")));
        };
        if length > MAX_MESSAGE_BYTES.saturating_sub(head) {
            if length > MAX_SKIPPED_BYTES {
                return Err((None, lost("body too large")));
            }
            // Told by its head, which is refused because its body is missing, and read over.
            let rest = self.buffer.split_off(head);
            let message = std::mem::replace(&mut self.buffer, rest);
            let here = length.min(self.buffer.len());
            self.buffer.drain(..here);
            self.skip = length - here;
            self.searched = 0;
            return Ok(Some(message));
        }
        if self.buffer.len() < head + length {
            return Ok(None);
        }
        let rest = self.buffer.split_off(head + length);
        self.searched = 0;
        Ok(Some(std::mem::replace(&mut self.buffer, rest)))
    }

    /// Length of start line, headers and the empty line, once they are here.
    fn head_bytes(&mut self) -> Option<usize> {
        let from = self.searched.saturating_sub(3);
        let rest = self.buffer.get(from..)?;
        for (index, byte) in rest.iter().enumerate() {
            if *byte != b'\n' {
                continue;
            }
            match (rest.get(index + 1), rest.get(index + 2)) {
                (Some(b'\n'), _) => return Some(from + index + 2),
                (Some(b'\r'), Some(b'\n')) => return Some(from + index + 3),
                _ => {}
            }
        }
        self.searched = self.buffer.len();
        None
    }
}

fn lost(cause: &'static str) -> StreamError {
    StreamError {
        cause,
        hint: "close the connection and open it again; calls go on",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        let length = body.len();
        format!("INFO sip:a@b SIP/2.0\r\nl : {length}\r\nSubject: x\r\n y\r\n\r\n{body}")
    }

    fn items(bytes: &[u8], cut: usize) -> (Vec<StreamItem>, Option<StreamError>) {
        let (mut reader, mut items) = (StreamReader::new(), Vec::new());
        for part in bytes.chunks(cut) {
            if let Err(error) = reader.push(part, |item| items.push(item)) {
                return (items, Some(error));
            }
            assert!(reader.buffered_bytes() <= MAX_MESSAGE_BYTES + CHUNK_BYTES);
        }
        (items, None)
    }

    fn whole(text: &str) -> StreamItem {
        StreamItem::Message(text.as_bytes().to_vec())
    }

    #[test]
    fn messages_are_found_in_any_cut() {
        let (a, b) = (message("hello\r\n\r\n"), message(""));
        let stream = format!("{a}\r\n{b}\r\n\r\n{a}");
        for cut in [1, 2, 3, 7, 50, 1000] {
            let (mut items, error) = items(stream.as_bytes(), cut);
            items.retain(|item| *item != StreamItem::Pong);
            let expected = [whole(&a), whole(&b), StreamItem::Ping, whole(&a)];
            assert_eq!((items.as_slice(), error), (&expected[..], None), "{cut}");
        }
    }

    #[test]
    fn a_single_crlf_is_an_answer_and_two_are_a_question() {
        let (mut reader, mut items) = (StreamReader::new(), Vec::new());
        reader.push(b"\r\n", |item| items.push(item)).unwrap();
        reader.forget_line_break();
        reader.push(b"\r\n", |item| items.push(item)).unwrap();
        reader.push(b"\r\n", |item| items.push(item)).unwrap();
        use StreamItem::{Ping, Pong};
        assert_eq!(items, [Pong, Pong, Ping]);
    }

    #[test]
    fn many_pings_at_once_are_one() {
        let (items, error) = items(&b"\r\n".repeat(10_000), 1 << 20);
        assert_eq!((items, error), (vec![StreamItem::Ping], None));
    }

    #[test]
    fn a_bad_message_that_can_be_framed_costs_nothing_else() {
        let bad = "rubbish\r\nno colon\r\nContent-Length: 3\r\n\r\nabc";
        let good = message("x");
        let (found, error) = items(format!("{bad}{good}").as_bytes(), 10);
        assert_eq!((found, error), (vec![whole(bad), whole(&good)], None));
        // A body over the limit is read over.
        let head = "INFO sip:a@b SIP/2.0\r\nContent-Length: 70000\r\n\r\n";
        let stream = format!("{head}{}{good}", "z".repeat(70_000));
        for cut in [100, 5_000, 1 << 20] {
            let (found, error) = items(stream.as_bytes(), cut);
            assert_eq!((found, error), (vec![whole(head), whole(&good)], None));
        }
    }

    #[test]
    fn lost_framing_is_told_and_stays() {
        for (head, reported) in [
            ("A b SIP/2.0\r\nContent-Length: -1\r\n\r\n", 1),
            ("A b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", 1),
            (
                "A b SIP/2.0\r\nContent-Length: 18446744073709551615\r\n\r\n",
                0,
            ),
            ("A b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n", 0),
        ] {
            let (found, error) = items(format!("{head}{}", message("")).as_bytes(), 1 << 20);
            assert_eq!((found.len(), error.is_some()), (reported, true), "{head}");
        }
        let endless = format!("A b SIP/2.0\r\n{}", "X: y\r\n".repeat(10_000));
        let (found, error) = items(endless.as_bytes(), 1 << 20);
        assert_eq!((found.len(), error.is_some()), (0, true));
        let mut reader = StreamReader::new();
        assert!(reader.push(endless.as_bytes(), |_| ()).is_err());
        assert!(reader.push(b"x", |_| ()).is_err());
        assert_eq!(reader.buffered_bytes(), 0);
    }
}
