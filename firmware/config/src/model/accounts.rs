//! Accounts at a PBX and how their calls are protected.

use std::path::PathBuf;

use super::{Codec, InbandKeys, Secret, TlsIdentity};
use crate::host::HostPort;

/// What carries SIP to the PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SipTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that others cannot read.
    Tls,
}

impl SipTransport {
    /// Port of a server whose port nobody names (RFC 3261 19.1.2).
    pub fn default_port(self) -> u16 {
        match self {
            SipTransport::Tls => 5061,
            SipTransport::Udp | SipTransport::Tcp => 5060,
        }
    }
}

/// A proxy with credentials of its own where it has some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Where it is.
    pub host: HostPort,
    /// Authentication name, where it is not the account's.
    pub user: Option<String>,
    /// Password that goes with `user`.
    pub password: Secret,
    /// File that holds the password; read by the daemon at start.
    pub password_file: Option<PathBuf>,
}

/// How the PBX is asked whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keepalive {
    /// By OPTIONS.
    Options,
    /// By empty lines (RFC 5626).
    Crlf,
}

/// Who keeps a call's session timer alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRefresher {
    /// As the other side likes.
    Any,
    /// The box.
    Local,
    /// The PBX.
    Remote,
}

/// Section `account`.
#[derive(Debug, Clone)]
pub struct Account {
    /// Short name.
    pub name: String,
    /// User part of the address of record.
    pub extension: String,
    /// Domain of the address of record.
    pub domain: HostPort,
    /// Where requests go: the outbound proxy, the registrar, or the domain.
    pub registrar: HostPort,
    /// What carries requests.
    pub transport: SipTransport,
    /// Outbound proxy, where one is set.
    pub outbound_proxy: Option<Proxy>,
    /// Server used while the first does not answer.
    pub backup_proxy: Option<Proxy>,
    /// Index into [`Config::accounts`](crate::Config::accounts) of the account that steps in.
    pub backup_account: Option<usize>,
    /// Certificates that may vouch for the PBX; none takes the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Name that the PBX's certificate has to carry.
    pub tls_server_name: String,
    /// Certificate and key shown to the PBX.
    pub tls_identity: Option<TlsIdentity>,
    /// The only realm that gets a digest of the password; learned unless given.
    pub realm: Option<String>,
    /// Authentication name.
    pub auth_user: Option<String>,
    /// Password, where one is set.
    pub password: Secret,
    /// File that holds the password; read by the daemon at start.
    pub password_file: Option<PathBuf>,
    /// Name shown on phones.
    pub display_name: Option<String>,
    /// Whether to register.
    pub register: bool,
    /// Registration period asked for, in seconds.
    pub expires_s: u32,
    /// Keep-alive period in seconds; 0 is off.
    pub keepalive_s: u32,
    /// Kind of keep-alive.
    pub keepalive: Keepalive,
    /// Lost keep-alives that mean that the PBX is away.
    pub keepalive_losses: u32,
    /// Session interval in seconds; 0 is off.
    pub session_expires_s: u32,
    /// Who refreshes sessions.
    pub session_refresher: SessionRefresher,
    /// Whether 100rel is announced.
    pub reliable_provisionals: bool,
    /// Whether the sound is encrypted.
    pub media_encryption: MediaEncryption,
    /// Whether tones in the sound are keys.
    pub inband_keys: InbandKeys,
    /// Codecs in order of preference; empty for those of section `media`.
    pub codecs: Vec<Codec>,
}

/// Whether the sound of an account's calls is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaEncryption {
    /// Never.
    Off,
    /// When the other side can.
    Optional,
    /// Always.
    Required,
}

/// What SRTP encrypts with (RFC 4568, RFC 6188).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CryptoSuite {
    /// `AES_CM_128_HMAC_SHA1_80`.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`.
    AesCm256HmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`.
    AesCm256HmacSha1_32,
}
