//! Counters of a session.

use crate::{Codec, CryptoSuite};

/// A snapshot of the session's counters. Counters run from the creation of the session.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MediaStats {
    /// The codec we send, once agreed.
    pub codec: Option<Codec>,
    /// What the sound is encrypted with; `None` in the clear.
    pub encryption: Option<CryptoSuite>,
    /// Packet time we send, ms.
    pub ptime_ms: u32,
    /// RTP packets accepted.
    pub packets_received: u64,
    /// RTP payload octets accepted.
    pub octets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP payload octets sent.
    pub octets_sent: u64,
    /// Packets lost on the way to us (RFC 3550, 6.4.1: expected minus received; duplicates make it smaller).
    pub lost: i64,
    /// Packets that came after their samples had been due.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that came out of order.
    pub reordered: u64,
    /// Audio made up because nothing had come in time, ms.
    pub concealed_ms: u64,
    /// Audio played since the first packet, made up or not, ms; pauses and holds are in it.
    pub played_ms: u64,
    /// Audio dropped or shortened to bring the delay down, ms.
    pub shortened_ms: u64,
    /// Audio waiting in the jitter buffer, ms.
    pub held_ms: u32,
    /// Interarrival jitter, ms (RFC 3550, A.8).
    pub jitter_ms: f32,
    /// Round trip, ms, from the peer's last report about us.
    pub rtt_ms: Option<f32>,
    /// Share of our packets the peer lost between its last two reports, 0..=1.
    pub remote_loss: Option<f32>,
    /// Jitter the peer sees on our stream, ms.
    pub remote_jitter_ms: Option<f32>,
    /// Estimated mean opinion score of what we hear, 1.0..=4.5 (ITU-T G.107, see [`crate::CallQuality`]), from the loss and
    /// the delay of the whole call: half of the round trip, a packet, and what waits in the jitter buffer. `None` until about
    /// a second of packets has been due.
    pub mos: Option<f32>,
    /// RTCP packets received and sent.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// Times the peer changed its SSRC.
    pub ssrc_changes: u64,
    /// How keys come: what was agreed, not what the phone then does.
    pub digit_mode: DigitMode,
    /// Tones that would have been a key but may have been an echo of our own sound.
    pub inband_echoes: u64,
    /// Digits reported.
    pub digits: u64,
    /// Digits that came by a second method and were merged.
    pub digits_merged: u64,
    /// What was thrown away, and why.
    pub dropped: DropCounts,
}

impl MediaStats {
    /// Share of the sound that was made up, percent, 0..=100.
    pub fn concealed_percent(&self) -> f32 {
        percent(self.concealed_ms, self.played_ms)
    }

    /// Share of the packets to us that were lost on the way, percent, 0..=100.
    pub fn lost_percent(&self) -> f32 {
        let lost = u64::try_from(self.lost).unwrap_or(0);
        percent(lost, lost + self.packets_received)
    }
}

fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 {
        return 0.0;
    }
    (part as f32 / whole as f32 * 100.0).min(100.0)
}

/// How keys reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DigitMode {
    /// Telephone-events in RTP (RFC 4733); INFO is understood beside them.
    Rfc4733,
    /// SIP INFO only.
    #[default]
    Info,
    /// Tones in the sound; INFO is understood beside them.
    Inband,
}

impl DigitMode {
    /// A stable name for logs and the journal.
    pub fn name(self) -> &'static str {
        match self {
            DigitMode::Rfc4733 => "rfc4733",
            DigitMode::Info => "info",
            DigitMode::Inband => "inband",
        }
    }
}

/// Datagrams and digits thrown away, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropCounts {
    /// RTP or RTCP from another address or port than the current remote SDP names.
    pub wrong_source: u64,
    /// RTP with a payload type that was not agreed.
    pub wrong_pt: u64,
    /// RTP with another SSRC while the current one is still sending.
    pub wrong_ssrc: u64,
    /// A datagram that is no RTP or RTCP, or a payload of impossible size.
    pub bad_packet: u64,
    /// SRTP or SRTCP whose tag does not fit, or anything in the clear in an encrypted call.
    pub forged: u64,
    /// A copy of SRTP or SRTCP that was taken before, or one too old to tell.
    pub replayed: u64,
    /// Anything before the call was answered.
    pub before_start: u64,
    /// Anything after the session was closed.
    pub after_close: u64,
    /// RFC 4733 events although the peer had not agreed to them.
    pub unnegotiated_event: u64,
    /// Events that are no keys (16 and above), or INFO bodies without one.
    pub not_a_key: u64,
    /// Comfort noise packets (RFC 3389), which we do not play.
    pub comfort_noise: u64,
}

impl DropCounts {
    /// All of them together.
    pub fn total(&self) -> u64 {
        self.wrong_source
            + self.wrong_pt
            + self.wrong_ssrc
            + self.bad_packet
            + self.forged
            + self.replayed
            + self.before_start
            + self.after_close
            + self.unnegotiated_event
            + self.not_a_key
            + self.comfort_noise
    }
}
