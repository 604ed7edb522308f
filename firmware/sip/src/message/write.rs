//! Writing messages. Bodies stay bytes; values never hold line breaks (see `Headers`).

use super::{Message, StartLine};

pub(super) fn to_bytes(message: &Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + message.body.len());
    match &message.start {
        StartLine::Request { method, uri } => {
            out.extend_from_slice(method.as_str().as_bytes());
            out.push(b' ');
            out.extend(uri.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | b' ' | 0)));
            out.extend_from_slice(b" SIP/2.0\r\n");
        }
        StartLine::Response { status, reason } => {
            out.extend_from_slice(format!("SIP/2.0 {status} ").as_bytes());
            out.extend(reason.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | 0)));
            out.extend_from_slice(b"\r\n");
        }
    }
    for field in message.headers.iter() {
        if field.name.eq_ignore_ascii_case("Content-Length") {
            continue;
        }
        out.extend_from_slice(field.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(field.value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", message.body.len()).as_bytes());
    out.extend_from_slice(&message.body);
    out
}
