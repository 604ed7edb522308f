//! What comes out of a session.

use std::net::SocketAddr;

/// Something the call controller must know about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEvent {
    /// The peer pressed a key. Fired on the first valid packet of a press, exactly once per press.
    Digit {
        /// 0-9, `*`, `#`, A-D.
        digit: char,
        /// How it came.
        via: DigitSource,
        /// How long the key had been down according to the packet that fired the event, ms. For RTP events, which fire at the
        /// start of a press, that is a lower bound; for INFO it is the duration of the body.
        duration_ms: u32,
    },
    /// No RTP for `rtp_timeout_ms` although the peer should be sending. Reported once until [`MediaEvent::Resumed`].
    Timeout,
    /// RTP is back after a [`MediaEvent::Timeout`].
    Resumed,
    /// The peer put us on hold or took us back.
    Hold {
        /// True when the peer no longer wants our audio.
        on: bool,
    },
}

/// How a key press reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigitSource {
    /// A telephone-event in RTP.
    Rfc4733,
    /// SIP INFO with `application/dtmf-relay`.
    InfoRelay,
    /// SIP INFO with `application/dtmf`.
    InfoDtmf,
    /// Tones in the peer's sound.
    Inband,
}

impl DigitSource {
    /// A stable name for logs and the journal.
    pub fn name(self) -> &'static str {
        match self {
            DigitSource::Rfc4733 => "rfc4733",
            DigitSource::InfoRelay => "info_dtmf_relay",
            DigitSource::InfoDtmf => "info_dtmf",
            DigitSource::Inband => "inband",
        }
    }
}

/// Which socket a datagram leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransmitKind {
    /// From `rtp_local`.
    Rtp,
    /// From the port after `rtp_local`.
    Rtcp,
}

/// A datagram to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaTransmit {
    /// Which of the two sockets it leaves from.
    pub kind: TransmitKind,
    /// Where it goes.
    pub destination: SocketAddr,
    /// The datagram.
    pub payload: Vec<u8>,
}
