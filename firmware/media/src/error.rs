//! Errors with a kind, a cause and a hint.

use std::fmt;

/// Why a session description was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SdpErrorKind {
    /// The body is no session description at all.
    Malformed,
    /// Larger than 16 KiB or with more than 16 media lines.
    TooBig,
    /// No audio stream, or only streams with port 0.
    NoAudio,
    /// Audio, but in no codec that this session has.
    NoCommonCodec,
    /// Audio, but over a transport that this session does not have (DTLS; SRTP while encryption is off).
    UnsupportedTransport,
    /// Audio in the clear although this session must encrypt.
    EncryptionMissing,
    /// Encrypted audio, but without a key that this session can use.
    NoCommonCrypto,
    /// The connection address cannot be sent to: a host name, multicast, or port 0 by mistake.
    UnusableAddress,
    /// The answer refuses our stream (port 0).
    Refused,
    /// An answer without an offer of ours outstanding, or an offer while ours is outstanding.
    WrongState,
}

impl SdpErrorKind {
    /// The SIP status to refuse an offer with: 400 for a broken body, 491 for crossing offers, 488 for everything else.
    pub fn sip_status(self) -> u16 {
        match self {
            SdpErrorKind::Malformed => 400,
            SdpErrorKind::WrongState => 491,
            _ => 488,
        }
    }

    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            SdpErrorKind::Malformed => {
                "capture the call and report the body to the maker of the other side"
            }
            SdpErrorKind::TooBig => "turn off video and unused codecs on the other side",
            SdpErrorKind::NoAudio => {
                "the other side offers no audio: allow audio in its call settings"
            }
            SdpErrorKind::NoCommonCodec => {
                "enable G.711 A-law (alaw, PCMA) or mu-law (ulaw, PCMU), or G.722, for this extension on the PBX"
            }
            SdpErrorKind::UnsupportedTransport => {
                "set media encryption to none or optional for this extension on the PBX, or media_encryption = \"optional\" for the account here"
            }
            SdpErrorKind::EncryptionMissing => {
                "set media encryption to SDES (SRTP) for this extension on the PBX, or media_encryption = \"optional\" for the account here"
            }
            SdpErrorKind::NoCommonCrypto => {
                "set media encryption to SDES (not DTLS) with AES_CM_128_HMAC_SHA1_80 for this extension on the PBX"
            }
            SdpErrorKind::UnusableAddress => {
                "the PBX must advertise an IP address for media (media_address, external_media_address)"
            }
            SdpErrorKind::Refused => {
                "the other side refused audio: check its codecs and its media settings"
            }
            SdpErrorKind::WrongState => {
                "an offer is outstanding: wait for its answer and try again"
            }
        }
    }
}

/// A refused session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SdpError {
    /// The class of the fault.
    pub kind: SdpErrorKind,
    /// What was found.
    pub cause: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl SdpError {
    pub(crate) fn new(kind: SdpErrorKind, cause: impl Into<String>) -> SdpError {
        SdpError {
            kind,
            cause: cause.into(),
            hint: kind.hint(),
        }
    }
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session description refused: {}", self.cause)
    }
}

impl std::error::Error for SdpError {}

/// Why a request to the session failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaErrorKind {
    /// Not one of 0-9, `*`, `#`, A-D.
    NotADigit,
    /// The call is not answered yet or already closed.
    NotStarted,
    /// The peer did not agree to `telephone-event`.
    EventsNotNegotiated,
    /// The peer holds the call and takes nothing.
    OnHold,
    /// More than 64 digits are waiting to be sent.
    QueueFull,
    /// A content type other than `application/dtmf-relay` and `application/dtmf`.
    UnsupportedContent,
    /// An INFO body without a key in it.
    BadBody,
}

/// A request to the session that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaError {
    /// The class of the fault.
    pub kind: MediaErrorKind,
    /// What was found.
    pub cause: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl MediaError {
    pub(crate) fn new(kind: MediaErrorKind, cause: impl Into<String>) -> MediaError {
        let hint = match kind {
            MediaErrorKind::NotADigit => "use 0-9, *, # or A-D",
            MediaErrorKind::NotStarted => {
                "send digits and audio between the answer and the end of a call"
            }
            MediaErrorKind::EventsNotNegotiated => {
                "set dtmf_mode=rfc4733 for this extension on the PBX, or send the digit by SIP INFO"
            }
            MediaErrorKind::OnHold => "send the digit when the other side has taken the call back",
            MediaErrorKind::QueueFull => "wait until the digits already queued have been sent",
            MediaErrorKind::UnsupportedContent => {
                "set the phone to send application/dtmf-relay or application/dtmf"
            }
            MediaErrorKind::BadBody => {
                "the phone sent an INFO without a key; try RFC 4733 (RTP events) on it"
            }
        };
        MediaError {
            kind,
            cause: cause.into(),
            hint,
        }
    }
}

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for MediaError {}
