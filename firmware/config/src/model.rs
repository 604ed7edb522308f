//! The configuration as the program uses it: typed, checked, with every reference resolved.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::host::HostPort;
use crate::problem::Problem;

/// Text that never shows itself.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret itself; for the one place that computes with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// SIP user agent.
    pub sip: Sip,
    /// Accounts, at least one.
    pub accounts: Vec<Account>,
    /// Line cards.
    pub cards: Vec<Card>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Routes, one for each apartment that has a line.
    pub routes: Vec<Route>,
    /// Opening the door.
    pub door: Door,
    /// Limits of a call.
    pub call: Call,
    /// Audio over RTP.
    pub media: Media,
    /// Journal.
    pub journal: Journal,
    /// Path of the control socket.
    pub control_socket: PathBuf,
    /// Serial console, where one is set.
    pub console: Option<Console>,
    /// Captures.
    pub trace: Trace,
    /// Settings that work but are not wise, for the log and the technician.
    pub warnings: Vec<Problem>,
}

/// Section `sip`.
#[derive(Debug, Clone)]
pub struct Sip {
    /// Bound address of UDP and TCP.
    pub listen: SocketAddr,
    /// Second bound address, of IPv6.
    pub listen_ipv6: Option<SocketAddr>,
    /// Bound address for TLS connections of others.
    pub tls_listen: Option<SocketAddr>,
    /// Our certificate and key.
    pub tls_identity: Option<TlsIdentity>,
    /// Name servers; empty takes the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// Whether calls by address are placed and taken.
    pub direct_calls: bool,
    /// Whence direct calls are taken.
    pub direct_sources: Vec<IpAddr>,
    /// User-Agent text.
    pub user_agent: String,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM file of the certificate and its chain.
    pub certificate_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
}

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
    /// Index into [`Config::accounts`] of the account that steps in.
    pub backup_account: Option<usize>,
    /// Certificates that may vouch for the PBX; none takes the system's.
    pub tls_ca_file: Option<PathBuf>,
    /// Name that the PBX's certificate has to carry.
    pub tls_server_name: String,
    /// Certificate and key shown to the PBX.
    pub tls_identity: Option<TlsIdentity>,
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
}

/// Section `card`.
#[derive(Debug, Clone)]
pub struct Card {
    /// Short name.
    pub name: String,
    /// Local stream socket of a virtual line card.
    pub socket: PathBuf,
}

/// Whether an old handset is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handset {
    /// Behind the box's relay.
    Relayed,
    /// The box takes its place.
    Absent,
}

/// Section `line`.
#[derive(Debug, Clone)]
pub struct Line {
    /// Short name.
    pub name: String,
    /// Index into [`Config::cards`].
    pub card: usize,
    /// Number on the card.
    pub channel: usize,
    /// Built-in profile name or path of a profile file.
    pub profile: String,
    /// Apartment of the pair.
    pub apartment: u16,
    /// Old handset.
    pub handset: Handset,
}

/// Section `route`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Apartment.
    pub apartment: u16,
    /// Index into [`Config::accounts`].
    pub account: usize,
    /// Targets in order.
    pub targets: Vec<String>,
    /// How long one target may ring.
    pub target_timeout: Duration,
    /// Name shown on the phone.
    pub display_name: Option<String>,
    /// Whether the party that the box called may open.
    pub called_may_open: bool,
    /// Extensions that may call in and open.
    pub callers_may_open: Vec<String>,
}

/// Section `door`.
#[derive(Debug, Clone)]
pub struct Door {
    /// Keys that open.
    pub digits: String,
    /// Wrong keys after which a call can no longer open.
    pub max_wrong_digits: u32,
    /// From the opening to the end of the call; none leaves it up.
    pub hangup_after_open: Option<Duration>,
}

/// Section `call`.
#[derive(Debug, Clone)]
pub struct Call {
    /// Longest ringing.
    pub ring_limit: Duration,
    /// Longest conversation.
    pub talk_limit: Duration,
    /// Longest silence of RTP.
    pub rtp_timeout: Duration,
}

/// Codec of the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
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
    /// Payload type offered for key events.
    pub telephone_event_payload_type: u8,
    /// Treatment of echo.
    pub echo_control: EchoControl,
    /// Longest echo path.
    pub echo_tail_ms: u32,
}

/// Section `journal`.
#[derive(Debug, Clone)]
pub struct Journal {
    /// SQLite file.
    pub path: PathBuf,
    /// How long an opening waits for the disk.
    pub open_wait: Duration,
    /// Socket of the system log.
    pub syslog_socket: PathBuf,
    /// Age at which records are removed, in days.
    pub keep_days: u32,
}

/// Section `console`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Serial device.
    pub device: PathBuf,
    /// Bits per second.
    pub baud: u32,
    /// File of the password hash.
    pub password_file: PathBuf,
    /// Idle time before logout.
    pub idle_logout: Duration,
}

/// Section `trace`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Capture file.
    pub pcap: Option<PathBuf>,
    /// Size at which the capture stops, in bytes.
    pub pcap_limit_bytes: u64,
    /// Time after which the capture stops.
    pub pcap_limit: Duration,
    /// What it holds of RTP.
    pub pcap_rtp: PcapRtp,
}

/// What a capture holds of RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PcapRtp {
    /// Headers: no sound, no keys.
    Headers,
    /// Everything.
    All,
    /// Nothing.
    None,
}

impl Config {
    /// The route of an apartment.
    pub fn route(&self, apartment: u16) -> Option<&Route> {
        self.routes
            .iter()
            .find(|route| route.apartment == apartment)
    }
}
