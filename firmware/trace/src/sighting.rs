//! One SIP message as it was seen.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sip::message::{Message, NameAddr, StartLine, Uri, read, without_secrets};

/// What carried a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// A plain stream.
    Tcp,
    /// An encrypted stream, seen by one of its ends.
    Tls,
}

impl Carrier {
    /// `UDP`, `TCP`, `TLS`.
    pub fn name(self) -> &'static str {
        match self {
            Carrier::Udp => "UDP",
            Carrier::Tcp => "TCP",
            Carrier::Tls => "TLS",
        }
    }
}

/// One SIP message as it was seen on its way, without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Sighting {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went.
    pub to: SocketAddr,
    /// What carried it.
    pub carrier: Carrier,
    bytes: Vec<u8>,
}

/// A sighting as JSON: the form of `trubka sip trace --json` and of the control socket.
#[derive(Serialize, Deserialize)]
struct Wire {
    event: String,
    time: String,
    from: SocketAddr,
    to: SocketAddr,
    transport: Carrier,
    message: String,
}

impl From<Sighting> for Wire {
    fn from(sighting: Sighting) -> Wire {
        Wire {
            event: "sip_message".into(),
            time: sighting.time(),
            from: sighting.from,
            to: sighting.to,
            transport: sighting.carrier,
            message: sighting.text(),
        }
    }
}

impl TryFrom<Wire> for Sighting {
    type Error = humantime::TimestampError;

    fn try_from(wire: Wire) -> Result<Sighting, Self::Error> {
        let at = humantime::parse_rfc3339(&wire.time)?
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Sighting::new(
            at,
            wire.from,
            wire.to,
            wire.transport,
            wire.message.as_bytes(),
        ))
    }
}

impl Sighting {
    /// A message that went `from` one place `to` another `at` a time since the Unix epoch. Secrets in it
    /// are overwritten here and now.
    pub fn new(
        at: Duration,
        from: SocketAddr,
        to: SocketAddr,
        carrier: Carrier,
        message: &[u8],
    ) -> Sighting {
        Sighting {
            at,
            from,
            to,
            carrier,
            bytes: without_secrets(message),
        }
    }

    /// The message without secrets; every length is that of the original.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message as text: UTF-8 if it is, else Latin-1.
    pub fn text(&self) -> String {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => self.bytes.iter().map(|byte| char::from(*byte)).collect(),
        }
    }

    /// UTC time, RFC 3339 with microseconds.
    pub fn time(&self) -> String {
        // Years with five digits cannot be written; a capture may claim any time.
        let at = self.at.min(Duration::from_secs(253_402_300_799));
        humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + at).to_string()
    }

    /// What the message is.
    pub fn summary(&self) -> Summary {
        match read(&self.bytes) {
            Ok(message) => Summary::of(&message, None),
            Err(error) => match &error.message {
                Some(message) => Summary::of(message, Some(error.reason)),
                None => Summary {
                    what: What::Unreadable,
                    call_id: String::new(),
                    cseq: String::new(),
                    from: String::new(),
                    to: String::new(),
                    sdp: false,
                    fault: Some(error.reason),
                },
            },
        }
    }
}

/// First line of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A request.
    Request {
        /// Method.
        method: String,
        /// Request-URI.
        uri: String,
    },
    /// A response.
    Response {
        /// Status, 100..=699.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// Not to be told.
    Unreadable,
}

/// What a message is, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// First line.
    pub what: What,
    /// Call-ID.
    pub call_id: String,
    /// Method of CSeq: of a response, that of its request.
    pub cseq: String,
    /// URI of From.
    pub from: String,
    /// URI of To.
    pub to: String,
    /// Whether it has a session description.
    pub sdp: bool,
    /// What is wrong with it.
    pub fault: Option<&'static str>,
}

impl Summary {
    fn of(message: &Message, fault: Option<&'static str>) -> Summary {
        let what = match &message.start {
            StartLine::Request { method, uri } => What::Request {
                method: method.as_str().to_owned(),
                uri: uri.clone(),
            },
            StartLine::Response { status, reason } => What::Response {
                status: *status,
                reason: reason.clone(),
            },
        };
        let cseq = message.cseq().map(|(_, method)| method.as_str().to_owned());
        let uri = |party: Option<NameAddr>| party.map_or(String::new(), |p| p.uri);
        Summary {
            cseq: cseq
                .or_else(|| message.method().map(|method| method.as_str().to_owned()))
                .unwrap_or_default(),
            what,
            call_id: message.call_id().unwrap_or("").to_owned(),
            from: uri(message.from()),
            to: uri(message.to()),
            sdp: message.sdp().is_some(),
            fault,
        }
    }

    /// `INVITE 400 (sdp)`, `200 OK (INVITE)`.
    pub fn label(&self) -> String {
        let mut label = match &self.what {
            What::Request { method, uri } => match Uri::parse(uri).map(|uri| uri.decoded_user()) {
                Some(user) if !user.is_empty() => format!("{method} {user}"),
                _ => method.clone(),
            },
            What::Response { status, reason } => {
                format!("{status} {reason} ({})", self.cseq)
            }
            What::Unreadable => "no SIP message".into(),
        };
        if self.sdp {
            label += " (sdp)";
        }
        if let Some(fault) = self.fault {
            label += " !! ";
            label += fault;
        }
        label
    }
}

/// Whether bytes begin with the start line of a message, or of a request whose line is not whole yet.
pub(crate) fn begins_like_sip(bytes: &[u8]) -> bool {
    let bytes = bytes.trim_ascii_start();
    let line_end = bytes.iter().position(|byte| *byte == b'\n');
    let line = bytes.get(..line_end.unwrap_or(bytes.len())).unwrap_or(&[]);
    let line = line.trim_ascii_end().to_ascii_uppercase();
    if line.starts_with(b"SIP/") {
        return true;
    }
    let Some(blank) = line.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let (method, rest) = line.split_at(blank);
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    if blank == 0 || blank > 64 || !method.iter().all(token) {
        return false;
    }
    let version = rest
        .rsplit(|byte| *byte == b' ')
        .next()
        .is_some_and(|word| word.starts_with(b"SIP/"));
    let scheme = [&b" SIP:"[..], b" SIPS:", b" TEL:"]
        .iter()
        .any(|scheme| rest.starts_with(scheme));
    version || (line_end.is_none() && scheme)
}
