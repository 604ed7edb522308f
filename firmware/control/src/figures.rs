//! What a call sounds like: the same figures in the answer to `rtp stats` and in the journal.

use serde::{Deserialize, Serialize};

/// Figures of one call leg, at its end or of the moment. Levels are dBm0 of the parts in which somebody speaks; they and the
/// echo figures are absent until they are known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CallFigures {
    /// Line name; empty for a test call.
    pub line: String,
    /// Target or caller.
    pub party: String,
    /// Account name; empty for a call of none.
    pub account: String,
    /// From the answer to the end, milliseconds; absent while the call goes on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub talk_ms: Option<u64>,
    /// Codec sent.
    pub codec: String,
    /// Packet length sent, milliseconds.
    pub ptime_ms: u32,
    /// Suite of SRTP, `none` in the clear.
    pub encryption: String,
    /// How keys come: `rfc4733`, `info` or `inband`.
    pub dtmf_mode: String,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Packets lost on the way to us.
    pub lost: u64,
    /// The same, percent.
    pub lost_percent: f32,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Interarrival jitter, milliseconds.
    pub jitter_ms: f32,
    /// Audio waiting in the jitter buffer, milliseconds.
    pub buffer_ms: u32,
    /// Audio that was made up for missing packets, milliseconds.
    pub concealed_ms: u64,
    /// The same, percent of what was played.
    pub concealed_percent: f32,
    /// Round trip, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rtt_ms: Option<f32>,
    /// Share of our packets that the other side lost lately, percent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub remote_lost_percent: Option<f32>,
    /// Estimated mean opinion score of what we hear (E-model), 1.0..=4.5.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mos: Option<f32>,
    /// Packets dropped because they came from elsewhere, were forged or were not agreed.
    pub dropped: u64,
    /// How much of the echo the canceller takes away, dB; 0 until it is known.
    pub erle_db: f32,
    /// Delay of the echo on the line, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub echo_delay_ms: Option<f32>,
    /// Speech of the visitor as it comes from the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_line_dbm0: Option<f32>,
    /// Speech as the phone hears it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_phone_dbm0: Option<f32>,
    /// Speech of the resident as it comes from the phone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from_phone_dbm0: Option<f32>,
    /// Speech as the line plays it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_line_dbm0: Option<f32>,
    /// Whether only one side at a time could be heard, because the echo was too strong for both.
    pub half_duplex: bool,
}
