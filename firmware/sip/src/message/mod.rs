//! SIP messages: a tolerant reader of network bytes, typed header parsers and a writer.
//!
//! Known methods, status codes and header names are those of `rsip`; its parser and printer are
//! not used, because they lose compact names, folding, unknown methods, IPv6 and binary bodies.

mod address;
mod auth;
mod headers;
mod method;
mod read;
mod redact;
mod status;
mod via;
mod write;

pub use address::{NameAddr, Params, Uri, host_port_literal, split_list};
pub(crate) use address::{percent_decode, quote};
pub use auth::{AuthChallenge, AuthParams};
pub use headers::{HeaderField, Headers};
pub use method::Method;
pub(crate) use read::frame_length;
pub use read::{MAX_HEADERS, MAX_MESSAGE_BYTES, ReadError, read};
pub use redact::without_secrets;
pub use status::reason_phrase;
pub(crate) use via::MAGIC_COOKIE;
pub use via::Via;

/// First line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartLine {
    /// A request.
    Request {
        /// Method, known or not.
        method: Method,
        /// Request-URI as written.
        uri: String,
    },
    /// A response.
    Response {
        /// 100..=699.
        status: u16,
        /// Reason phrase, lossily decoded.
        reason: String,
    },
}

/// A SIP request or response. `Debug` shows no header values, since one may hold credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// First line.
    pub start: StartLine,
    /// Header fields in order.
    pub headers: Headers,
    /// Body bytes, already cut to Content-Length.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("start", &self.start)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

impl Message {
    /// An empty request.
    pub fn request(method: Method, uri: impl Into<String>) -> Self {
        let start = StartLine::Request {
            method,
            uri: uri.into(),
        };
        Self {
            start,
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// An empty response with the usual reason phrase.
    pub fn response(status: u16) -> Self {
        let start = StartLine::Response {
            status,
            reason: reason_phrase(status),
        };
        Self {
            start,
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// A response to `request`: Via, From, To, Call-ID and CSeq copied (RFC 3261 8.2.6.2). `tag`
    /// is added to To unless it has one.
    pub fn response_to(request: &Message, status: u16, tag: Option<&str>) -> Self {
        let mut response = Self::response(status);
        for via in request.headers.all("Via") {
            response.headers.push("Via", via);
        }
        for name in ["From", "To", "Call-ID", "CSeq"] {
            if let Some(value) = request.headers.get(name) {
                let mut value = value.to_owned();
                if let (true, Some(tag)) = (name == "To", tag)
                    && request.to_tag().is_none()
                {
                    value.push_str(";tag=");
                    value.push_str(tag);
                }
                response.headers.push(name, value);
            }
        }
        response
    }

    /// Method of a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// Request-URI of a request.
    pub fn request_uri(&self) -> Option<&str> {
        match &self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// Status of a response.
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            StartLine::Response { status, .. } => Some(*status),
            StartLine::Request { .. } => None,
        }
    }

    /// Topmost Via.
    pub fn top_via(&self) -> Option<Via> {
        self.headers.list("Via").next().and_then(Via::parse)
    }

    /// From.
    pub fn from(&self) -> Option<NameAddr> {
        self.headers.get("From").and_then(NameAddr::parse)
    }

    /// To.
    pub fn to(&self) -> Option<NameAddr> {
        self.headers.get("To").and_then(NameAddr::parse)
    }

    /// Tag of From.
    pub fn from_tag(&self) -> Option<String> {
        self.from()?.params.get("tag").map(str::to_owned)
    }

    /// Tag of To.
    pub fn to_tag(&self) -> Option<String> {
        self.to()?.params.get("tag").map(str::to_owned)
    }

    /// Call-ID.
    pub fn call_id(&self) -> Option<&str> {
        self.headers.get("Call-ID")
    }

    /// CSeq number and method. Numbers of 2^31 and more are refused (RFC 3261 8.1.1.5).
    pub fn cseq(&self) -> Option<(u32, Method)> {
        let mut parts = self.headers.get("CSeq")?.split_ascii_whitespace();
        let number = parts.next()?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number: u32 = number.parse().ok().filter(|n| *n < 1 << 31)?;
        let method = Method::parse(parts.next()?)?;
        parts.next().is_none().then_some((number, method))
    }

    /// Contacts of the message, `*` left out.
    pub fn contacts(&self) -> Vec<NameAddr> {
        self.headers
            .list("Contact")
            .filter_map(NameAddr::parse)
            .collect()
    }

    /// Media type of the body, lower case, without parameters.
    pub fn content_type(&self) -> Option<String> {
        let value = self.headers.get("Content-Type")?;
        let media = value.split(';').next().unwrap_or(value);
        Some(
            media
                .split_ascii_whitespace()
                .collect::<String>()
                .to_ascii_lowercase(),
        )
    }

    /// The body if it is SDP.
    pub fn sdp(&self) -> Option<Vec<u8>> {
        let sdp = !self.body.is_empty()
            && self
                .content_type()
                .is_none_or(|media| media == "application/sdp");
        sdp.then(|| self.body.clone())
    }

    /// Sets body and its type.
    pub fn set_body(&mut self, content_type: &str, body: Vec<u8>) {
        self.headers.set("Content-Type", content_type);
        self.body = body;
    }

    /// Bytes for the wire. Content-Length is written last and always right.
    pub fn to_bytes(&self) -> Vec<u8> {
        write::to_bytes(self)
    }
}
