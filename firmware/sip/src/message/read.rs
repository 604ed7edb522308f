//! Reader of network bytes. Tolerant in spelling, strict in framing.

use super::{HeaderField, Headers, Message, Method, StartLine};
use std::borrow::Cow;

/// Largest message looked at, bytes.
pub const MAX_MESSAGE_BYTES: usize = 65_535;
/// Most header fields of one message.
pub const MAX_HEADERS: usize = 200;
/// Longest unfolded header line, bytes.
const MAX_LINE_BYTES: usize = 8_192;

/// Why bytes are no message. `message` holds what could be read of a request, so that it can be
/// answered with `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Status a request deserves: 400, 413 or 505.
    pub status: u16,
    /// Cause, fit for a reason phrase.
    pub reason: &'static str,
    /// The request as far as it was read.
    pub message: Option<Box<Message>>,
}

impl ReadError {
    fn new(status: u16, reason: &'static str) -> Self {
        Self {
            status,
            reason,
            message: None,
        }
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.reason)
    }
}

impl std::error::Error for ReadError {}

/// Full names of compact forms (RFC 3261 7.3.3 and the IANA registry), sorted by form.
const COMPACT: &[(u8, &str)] = &[
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'x', "Session-Expires"),
    (b'y', "Identity"),
];

/// Headers a message may hold once only; two of them make the message ambiguous (RFC 3261 7.3.1).
const SINGLE: &[&str] = &["From", "To", "Call-ID", "CSeq", "Max-Forwards"];

/// Reads one datagram.
///
/// # Errors
/// See [`ReadError`].
pub fn read(datagram: &[u8]) -> Result<Message, ReadError> {
    if datagram.len() > MAX_MESSAGE_BYTES {
        return Err(ReadError::new(413, "Message too large"));
    }
    // Empty lines before the start line are allowed (RFC 3261 7.5).
    let skip = datagram
        .iter()
        .take_while(|b| matches!(b, b'\r' | b'\n'))
        .count();
    let datagram = datagram.get(skip..).unwrap_or(&[]);
    let (first, rest) = take_line(datagram);
    let (start, start_fault) = start_line(&decode(first))?;
    let (headers, header_fault, rest) = header_block(rest);
    let mut fault = start_fault.or(header_fault);
    let body = match body(&headers, rest) {
        Ok(body) => body.to_vec(),
        Err(error) => {
            fault = fault.or(Some(error));
            Vec::new()
        }
    };
    let message = Message {
        start,
        headers,
        body,
    };
    fault = fault.or_else(|| mandatory(&message));
    match fault {
        None => Ok(message),
        Some(mut error) => {
            if message.method().is_some() {
                error.message = Some(Box::new(message));
            }
            Err(error)
        }
    }
}

/// Headers up to the empty line, the first fault in them, and what follows.
fn header_block(mut rest: &[u8]) -> (Headers, Option<ReadError>, &[u8]) {
    let mut headers = Headers::default();
    let mut fault: Option<ReadError> = None;
    let mut ended = false;
    let mut pending: Option<Vec<u8>> = None;
    while !rest.is_empty() {
        let (line, after) = take_line(rest);
        if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) && pending.is_some() {
            if let Some(pending) = &mut pending {
                if pending.len() + line.len() <= MAX_LINE_BYTES {
                    pending.push(b' ');
                    pending.extend_from_slice(line.trim_ascii());
                } else {
                    fault = fault.or(Some(ReadError::new(400, LINE_TOO_LONG)));
                }
            }
            rest = after;
            continue;
        }
        if let Some(line) = pending.take() {
            fault = fault.or(push(&mut headers, &line));
        }
        rest = after;
        if line.is_empty() {
            ended = true;
            break;
        }
        if headers.len() >= MAX_HEADERS {
            fault = fault.or(Some(ReadError::new(400, TOO_MANY)));
            break;
        }
        pending = Some(line.to_vec());
    }
    if let Some(line) = pending {
        fault = fault.or(push(&mut headers, &line));
    }
    if !ended {
        fault = fault.or(Some(ReadError::new(400, "Missing empty line")));
    }
    (headers, fault, rest)
}

const TOO_MANY: &str = "Too many headers";
const LINE_TOO_LONG: &str = "Header line too long";

/// Body bytes of a message on a stream, from its start line and headers; missing means none.
/// `None` if there is a body of unknown length.
///
/// # Errors
/// The cause if the length cannot be known.
pub(crate) fn frame_length(head: &[u8]) -> Result<Option<usize>, &'static str> {
    let (_, rest) = take_line(head);
    let (headers, fault, _) = header_block(rest);
    // The field may be among those that were not taken.
    if let Some(fault) = fault.filter(|f| [TOO_MANY, LINE_TOO_LONG].contains(&f.reason)) {
        return Err(fault.reason);
    }
    match content_length(&headers) {
        Ok(Some(length)) => Ok(Some(length)),
        Ok(None) if headers.get("Content-Type").is_some() => Ok(None),
        Ok(None) => Ok(Some(0)),
        Err(error) => Err(error.reason),
    }
}

/// One line without its line break; a lone LF counts as one.
fn take_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => {
            let line = bytes.get(..end).unwrap_or(&[]);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            (line, bytes.get(end + 1..).unwrap_or(&[]))
        }
        None => (bytes, &[]),
    }
}

/// UTF-8 if it is, else Latin-1: a display name never costs a call.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect()),
    }
}

/// The start line, and what is wrong with it if the request can still be answered.
fn start_line(line: &str) -> Result<(StartLine, Option<ReadError>), ReadError> {
    let bad = |reason| ReadError::new(400, reason);
    if line.len() > MAX_LINE_BYTES {
        return Err(bad("Start line too long"));
    }
    if line
        .get(..4)
        .is_some_and(|p| p.eq_ignore_ascii_case("SIP/"))
    {
        let mut parts = line.splitn(3, ' ');
        let version = parts.next().unwrap_or("");
        let code = parts.next().unwrap_or("");
        if !version.eq_ignore_ascii_case("SIP/2.0") {
            return Err(ReadError::new(505, "Version Not Supported"));
        }
        if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad("Bad status code"));
        }
        let status = code.parse().ok().filter(|s| (100..700).contains(s));
        let status = status.ok_or_else(|| bad("Bad status code"))?;
        let reason = parts.next().unwrap_or("").replace(char::is_control, " ");
        return Ok((StartLine::Response { status, reason }, None));
    }
    let (method, rest) = line
        .split_once(' ')
        .ok_or_else(|| bad("Bad request line"))?;
    let method = Method::parse(method).ok_or_else(|| bad("Bad method"))?;
    let (uri, version) = rest
        .rsplit_once(' ')
        .ok_or_else(|| bad("Bad request line"))?;
    let version_word = version
        .get(..4)
        .is_some_and(|p| p.eq_ignore_ascii_case("SIP/"));
    let fault =
        if !version_word || uri.chars().any(|c| c.is_control() || c == ' ') || uri.is_empty() {
            Some(bad("Bad request line"))
        } else if !version.eq_ignore_ascii_case("SIP/2.0") {
            Some(ReadError::new(505, "Version Not Supported"))
        } else {
            None
        };
    Ok((
        StartLine::Request {
            method,
            uri: uri.to_owned(),
        },
        fault,
    ))
}

/// Adds one unfolded header line.
fn push(headers: &mut Headers, line: &[u8]) -> Option<ReadError> {
    if line.len() > MAX_LINE_BYTES {
        return Some(ReadError::new(400, LINE_TOO_LONG));
    }
    let text = decode(line);
    let Some((name, value)) = text.split_once(':') else {
        return Some(ReadError::new(400, "Header without colon"));
    };
    let name = name.trim_end();
    let token = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    if name.is_empty() || !name.bytes().all(token) {
        return Some(ReadError::new(400, "Bad header name"));
    }
    let name = full_name(name);
    headers.push(name, value);
    None
}

fn full_name(name: &str) -> Cow<'static, str> {
    if let [letter] = name.as_bytes() {
        let letter = letter.to_ascii_lowercase();
        if let Ok(index) = COMPACT.binary_search_by_key(&letter, |(l, _)| *l)
            && let Some((_, full)) = COMPACT.get(index)
        {
            return Cow::Borrowed(full);
        }
    }
    const USUAL: &[&str] = &[
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Contact",
        "Max-Forwards",
        "Content-Length",
        "Content-Type",
        "User-Agent",
        "Server",
        "Allow",
        "Supported",
        "Record-Route",
        "Route",
        "Expires",
    ];
    match USUAL.iter().find(|usual| **usual == name) {
        Some(usual) => Cow::Borrowed(usual),
        None => Cow::Owned(name.to_owned()),
    }
}

/// Content-Length, which may be given twice if it is the same.
fn content_length(headers: &Headers) -> Result<Option<usize>, ReadError> {
    let mut length: Option<usize> = None;
    for value in headers.all("Content-Length") {
        let value = value.trim();
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ReadError::new(400, "Bad Content-Length"));
        }
        // A number too big for the type is too big for the datagram as well.
        let number = value.parse().unwrap_or(usize::MAX);
        if length.is_some_and(|known| known != number) {
            return Err(ReadError::new(400, "Two Content-Lengths"));
        }
        length = Some(number);
    }
    Ok(length)
}

/// The body by Content-Length (RFC 3261 18.3): missing means the rest of the datagram.
fn body<'a>(headers: &Headers, rest: &'a [u8]) -> Result<&'a [u8], ReadError> {
    match content_length(headers)? {
        None => Ok(rest),
        Some(length) => rest
            .get(..length)
            .ok_or(ReadError::new(400, "Content-Length beyond datagram")),
    }
}

/// What every message must have (RFC 3261 8.1.1), each readable and each once.
fn mandatory(message: &Message) -> Option<ReadError> {
    let bad = |reason| Some(ReadError::new(400, reason));
    for name in SINGLE {
        if message.headers.all(name).nth(1).is_some() {
            return bad("Header given twice");
        }
    }
    let Some(via) = message.top_via() else {
        return bad("Bad or missing Via");
    };
    if message
        .headers
        .list("Via")
        .any(|via| super::Via::parse(via).is_none_or(|via| via.version != "2.0"))
    {
        return bad("Bad Via");
    }
    if via.branch() == Some(super::via::MAGIC_COOKIE) {
        return bad("Empty branch");
    }
    if message.from().is_none() {
        return bad("Bad or missing From");
    }
    if message.to().is_none() {
        return bad("Bad or missing To");
    }
    if message.call_id().is_none_or(str::is_empty) {
        return bad("Bad or missing Call-ID");
    }
    let Some((_, cseq_method)) = message.cseq() else {
        return bad("Bad or missing CSeq");
    };
    if message
        .method()
        .is_some_and(|method| *method != cseq_method)
    {
        return bad("CSeq method does not match");
    }
    if let Some(hops) = message.headers.get("Max-Forwards")
        && (hops.is_empty()
            || !hops.bytes().all(|b| b.is_ascii_digit())
            || hops.parse::<u32>().map_or(true, |hops| hops > 255))
    {
        return bad("Bad Max-Forwards");
    }
    None
}

impl HeaderField {
    /// True if this is the field of that name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}
