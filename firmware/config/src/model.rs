//! The configuration as the program uses it: typed, checked, with every reference resolved.

mod accounts;
mod lines;
mod media;
mod routes;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use line_interface::Profile;

use crate::host::HostPort;
use crate::problem::Problem;
use crate::schedule::{LocalTime, Schedule};

pub use accounts::{
    Account, CryptoSuite, Keepalive, MediaEncryption, Proxy, SessionRefresher, SipTransport,
};
pub use lines::{Board, Card, CardKind, Handset, Headset, Line, Matrix, Override, Sound, Topology};
pub use media::{Codec, EchoControl, InbandKeys, Media};
pub use routes::{Access, Call, Door, Incoming, Ring, Route, Unanswered, route_at};

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
    /// The file, as it was named.
    pub(crate) file: String,
    /// SIP user agent.
    pub sip: Sip,
    /// Accounts, at least one.
    pub accounts: Vec<Account>,
    /// Line cards.
    pub cards: Vec<Card>,
    /// Lines.
    pub lines: Vec<Line>,
    /// Values that apartments have of their own.
    pub overrides: Vec<Override>,
    /// Routes, at least one without a schedule for each apartment that has a line.
    pub routes: Vec<Route>,
    /// Parts of the week.
    pub schedules: Vec<Schedule>,
    /// Time zone, where one is set.
    pub time_zone: Option<String>,
    /// Who may call in and where calls may go.
    pub access: Access,
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
    /// A technician's headset on the box, where one is named.
    pub headset: Option<Headset>,
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
    /// Who must vouch for those who connect there.
    pub tls_listen_ca_file: Option<PathBuf>,
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
    /// Mark of SIP packets, 0..=63.
    pub dscp: u8,
    /// Server that tells our public address.
    pub stun_server: Option<HostPort>,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// PEM file of the certificate and its chain.
    pub certificate_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
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
    /// The values that an apartment has of its own.
    pub fn override_of(&self, apartment: u16) -> Option<&Override> {
        self.overrides
            .iter()
            .find(|entry| entry.apartment == apartment)
    }

    /// The profile for the calls of an apartment: the line's, with the apartment's own values.
    ///
    /// # Errors
    /// The problem when the values make no profile, with the line of the first value it names.
    pub fn profile_for(&self, apartment: u16, base: &Profile) -> Result<Profile, Problem> {
        match self.override_of(apartment) {
            None => Ok(base.clone()),
            Some(entry) => entry.apply(base).map_err(|problem| Problem {
                file: self.file.clone(),
                ..problem
            }),
        }
    }

    /// The route of an apartment that is always in force.
    pub fn route(&self, apartment: u16) -> Option<&Route> {
        self.route_at(apartment, None)
    }

    /// The route of an apartment at a time: the first in the file whose schedule is on, else the one
    /// without a schedule. As long as the time is not known, schedules are off.
    pub fn route_at(&self, apartment: u16, time: Option<LocalTime>) -> Option<&Route> {
        let index = route_at(&self.routes, &self.schedules, apartment, time)?;
        self.routes.get(index)
    }
}
