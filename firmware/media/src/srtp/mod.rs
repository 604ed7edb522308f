//! SRTP and SRTCP (RFC 3711) with keys from the session description (SDES, RFC 4568).
//!
//! The transform is our own on the block cipher and hash of RustCrypto: the pure-Rust SRTP crates are either one
//! experimental release old or create state before a packet is authenticated. The session sees only [`Protect`] and
//! [`Unprotect`], so another engine can take its place.

mod cipher;
mod inbound;
mod keys;
mod outbound;
mod sdes;
mod vault;
mod window;

pub(crate) use keys::MasterKey;
pub(crate) use sdes::{CryptoLine, read_crypto, write_crypto};
pub(crate) use vault::{AgreedKeys, Vault};

use std::fmt;

/// Longest authentication tag, octets.
const MAX_TAG: usize = 10;
/// Octets of E flag and index of SRTCP.
const RTCP_INDEX: usize = 4;

/// What protects the packets: cipher, key length and tag length, by the names of RFC 4568 and RFC 6188.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`: the one that every peer has.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`: as the first, with a tag of four octets.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80` (RFC 6188).
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32` (RFC 6188).
    AesCm256HmacSha1_32,
}

impl CryptoSuite {
    /// All of them, the most common first.
    pub const ALL: [CryptoSuite; 4] = [
        CryptoSuite::AesCm128HmacSha1_80,
        CryptoSuite::AesCm256HmacSha1_80,
        CryptoSuite::AesCm128HmacSha1_32,
        CryptoSuite::AesCm256HmacSha1_32,
    ];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            CryptoSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            CryptoSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            CryptoSuite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            CryptoSuite::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of that name, whatever its case. Some phones write `AES_CM_256`.
    pub fn from_name(name: &str) -> Option<CryptoSuite> {
        let name = name
            .to_ascii_uppercase()
            .replace("AES_CM_256", "AES_256_CM");
        CryptoSuite::ALL
            .into_iter()
            .find(|suite| suite.name() == name)
    }

    /// Octets of the master key: 16 or 32.
    pub(crate) fn key_length(self) -> usize {
        match self {
            CryptoSuite::AesCm128HmacSha1_80 | CryptoSuite::AesCm128HmacSha1_32 => 16,
            CryptoSuite::AesCm256HmacSha1_80 | CryptoSuite::AesCm256HmacSha1_32 => 32,
        }
    }

    /// Octets of the tag of an RTP packet. RTCP has ten in every suite (RFC 4568, 6.2).
    fn tag_length(self) -> usize {
        match self {
            CryptoSuite::AesCm128HmacSha1_80 | CryptoSuite::AesCm256HmacSha1_80 => 10,
            CryptoSuite::AesCm128HmacSha1_32 | CryptoSuite::AesCm256HmacSha1_32 => 4,
        }
    }
}

/// Whether the sound of a call is encrypted on the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encryption {
    /// Never: keys are neither offered nor taken.
    #[default]
    Off,
    /// When the peer has keys too: offered beside plain RTP (`RTP/AVP` with `a=crypto`), taken in both forms.
    Optional,
    /// Always: a description without usable keys is refused, and nothing is sent or taken in the clear.
    Required,
}

/// Why a packet was not taken. Nothing of the context has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No SRTP packet by its shape.
    Malformed,
    /// The tag does not fit.
    Forged,
    /// A copy of a packet already taken, or one too old to tell.
    Replayed,
}

/// Encrypts and authenticates what goes out.
pub(crate) trait Protect: fmt::Debug + Send {
    /// Turns a whole RTP packet into SRTP; false when that is impossible and the packet must not leave.
    fn protect_rtp(&mut self, packet: &mut Vec<u8>) -> bool;
    /// Turns a whole compound RTCP packet into SRTCP; false as above.
    fn protect_rtcp(&mut self, packet: &mut Vec<u8>) -> bool;
}

/// Authenticates and decrypts what comes in.
pub(crate) trait Unprotect: fmt::Debug + Send {
    /// Writes the RTP packet inside `packet` to `out`, whose contents are lost.
    fn unprotect_rtp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Refused>;
    /// The same for RTCP.
    fn unprotect_rtcp(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Result<(), Refused>;
}

/// Octets of the RTP header with its contributing sources and extension; `None` when `packet` is no RTP.
fn rtp_header_length(packet: &[u8]) -> Option<usize> {
    let [first, ..] = packet else { return None };
    if first >> 6 != 2 {
        return None;
    }
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (packet.len() >= length).then_some(length)
}

/// Sequence number and SSRC of a packet that has a whole RTP header.
fn rtp_numbers(packet: &[u8]) -> Option<(u16, u32)> {
    Some((
        u16::from_be_bytes(packet.get(2..4)?.try_into().ok()?),
        u32::from_be_bytes(packet.get(8..12)?.try_into().ok()?),
    ))
}

/// SSRC of the first sender of an RTCP packet.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let (first, bytes) = (packet.first()?, packet.get(4..8)?);
    (first >> 6 == 2).then_some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests;
