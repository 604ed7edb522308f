//! What a media session is set up with.

use std::net::{IpAddr, SocketAddr};

use crate::{Codec, CryptoSuite, Encryption};

/// Settings of one session. [`SessionConfig::new`] gives the defaults of a door call.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionConfig {
    /// The address RTP is received on and sent from (symmetric RTP, RFC 4961). RTCP uses the next port.
    pub rtp_local: SocketAddr,
    /// The address to write into SDP when it is not that of `rtp_local` (a box behind a static 1:1 NAT).
    pub advertised_address: Option<IpAddr>,
    /// The same with the port, when a NAT changes that too; it goes before `advertised_address`.
    pub advertised_rtp: Option<SocketAddr>,
    /// Where RTCP is received, seen from outside, when that is not the port after RTP (RFC 3605).
    pub advertised_rtcp: Option<SocketAddr>,
    /// Codecs in order of preference. An empty list means PCMA, PCMU.
    pub codecs: Vec<Codec>,
    /// Whether the sound is encrypted (SRTP with keys in the description, RFC 4568).
    pub encryption: Encryption,
    /// What it is encrypted with, in order of preference. An empty list means all, [`CryptoSuite::ALL`].
    pub crypto_suites: Vec<CryptoSuite>,
    /// Packet time we send unless the peer asks for another, 10..=60 ms in steps of 10.
    pub ptime_ms: u32,
    /// Payload type of `telephone-event/8000` in our offers, 96..=127.
    pub telephone_event_pt: u8,
    /// Take RFC 4733 events on `telephone_event_pt` although the peer did not agree to them, as broken senders do.
    pub accept_unnegotiated_events: bool,
    /// Whether tones in the peer's sound are keys. Off by default: RFC 4733 and INFO cannot be mistaken.
    pub inband_keys: InbandKeys,
    /// Report [`MediaEvent::Timeout`](crate::MediaEvent::Timeout) after this long without RTP while some is expected, ms.
    pub rtp_timeout_ms: Option<u64>,
    /// While the peer has been silent (neither RTP nor RTCP) for this long, send one packet a second only, so that an SDP
    /// which names a third party cannot aim our audio at it for a whole call. `None` sends for ever.
    pub silent_peer_limit_ms: Option<u64>,
    /// The jitter buffer.
    pub jitter: JitterConfig,
    /// The canonical name in RTCP SDES, at most 255 octets.
    pub cname: String,
}

impl SessionConfig {
    /// A session on `rtp_local` with PCMA and PCMU, 20 ms packets, events on 101 and no RTP timeout.
    pub fn new(rtp_local: SocketAddr) -> SessionConfig {
        SessionConfig {
            rtp_local,
            advertised_address: None,
            advertised_rtp: None,
            advertised_rtcp: None,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            encryption: Encryption::Off,
            crypto_suites: Vec::new(),
            ptime_ms: 20,
            telephone_event_pt: 101,
            accept_unnegotiated_events: false,
            inband_keys: InbandKeys::Off,
            rtp_timeout_ms: None,
            silent_peer_limit_ms: Some(30_000),
            jitter: JitterConfig::default(),
            cname: "trubka".to_owned(),
        }
    }
}

/// Whether tones in the peer's sound are keys. Tones that may be an echo of what we sent in the last 3 s never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InbandKeys {
    /// Never.
    #[default]
    Off,
    /// While the peer has not agreed to RFC 4733.
    WithoutEvents,
    /// Always.
    Always,
}

/// Limits of the adaptive jitter buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JitterConfig {
    /// Least time between the arrival of a packet and its first sample on the line, ms. This is what absorbs the jitter of a
    /// quiet local network.
    pub margin_ms: u32,
    /// Audio held back at most, ms; above it the oldest audio is dropped. Limited to 60..=500.
    pub max_delay_ms: u32,
    /// How long the largest delay of the past is remembered before the buffer shrinks, ms.
    pub memory_ms: u32,
}

impl Default for JitterConfig {
    fn default() -> JitterConfig {
        JitterConfig {
            margin_ms: 5,
            max_delay_ms: 200,
            memory_ms: 4000,
        }
    }
}
