//! Codecs, keys in the sound, echo and levels.

use std::path::PathBuf;

use super::CryptoSuite;

/// Codec of the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus, in builds that have it.
    Opus,
}

/// Whether tones in the phone's sound are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InbandKeys {
    /// Never.
    Off,
    /// While the other side has not agreed to RFC 4733.
    WithoutEvents,
    /// Always.
    Always,
}

/// What is done about echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EchoControl {
    /// Cancelled and suppressed.
    Full,
    /// Cancelled only.
    Linear,
    /// Left as it is.
    Off,
}

/// Section `media`.
#[derive(Debug, Clone)]
pub struct Media {
    /// RTP ports, even; RTCP is one above.
    pub rtp_ports: Vec<u16>,
    /// Codecs in order of preference.
    pub codecs: Vec<Codec>,
    /// What SRTP encrypts with, in order of preference.
    pub crypto_suites: Vec<CryptoSuite>,
    /// Packet length.
    pub ptime_ms: u32,
    /// Whether key events are taken that the other side did not agree to.
    pub unnegotiated_events: bool,
    /// Payload type offered for key events.
    pub telephone_event_payload_type: u8,
    /// Where learned echo paths are kept.
    pub echo_paths_file: PathBuf,
    /// Mark of RTP and RTCP packets, 0..=63.
    pub dscp: u8,
    /// Gain towards the line, dB.
    pub gain_to_line_db: i8,
    /// Gain towards the phone, dB.
    pub gain_to_phone_db: i8,
    /// Treatment of echo.
    pub echo_control: EchoControl,
    /// Longest echo path.
    pub echo_tail_ms: u32,
}
