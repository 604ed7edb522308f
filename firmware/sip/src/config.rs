//! What the user agent is told at start: addresses, accounts, whom it listens to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What carries a message. UDP unless an account is set to something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// UDP datagram (RFC 3261 18).
    Udp,
    /// TCP stream.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl Transport {
    /// The word used in Via (`UDP`, `TCP`, `TLS`).
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// True if the transport itself retransmits, so that the transaction timers do not
    /// (RFC 3261 17).
    pub fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }
}

/// One message to be put on the wire by the owner of the sockets.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Which transport carries it.
    pub transport: Transport,
    /// Our own address to send from.
    pub source: SocketAddr,
    /// Where it goes.
    pub destination: SocketAddr,
    /// The whole message. May hold an Authorization header: do not log it.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Transmit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The payload may carry digest credentials, so only its size is shown.
        f.debug_struct("Transmit")
            .field("transport", &self.transport)
            .field("source", &self.source)
            .field("destination", &self.destination)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// A password. Never printed: `Debug` and `Display` show `***`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The password itself, for computing a digest and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// One extension of ours on a PBX.
#[derive(Debug, Clone)]
pub struct Account {
    /// Name for events and logs.
    pub name: String,
    /// Extension, the user part of our address of record.
    pub user: String,
    /// Domain of the address of record, a host name or an address literal, optional `:port`.
    pub domain: String,
    /// Registrar or outbound proxy, already resolved. If `None`, `domain` must be an address.
    pub registrar: Option<SocketAddr>,
    /// User name of the digest if it differs from `user`.
    pub auth_user: Option<String>,
    /// Password of the digest.
    pub password: Secret,
    /// Display name in From.
    pub display_name: Option<String>,
    /// Registration time asked for, seconds.
    pub expires_s: u32,
    /// Whether to REGISTER at all (false for a trunk by address).
    pub register: bool,
    /// Period of OPTIONS probes, seconds; 0 switches them off.
    pub keepalive_s: u32,
    /// The only realm a digest is computed for. `None`: learned from the first challenge that
    /// comes from the registrar address.
    pub realm: Option<String>,
}

impl Account {
    /// An account that registers for 300 s and probes every 30 s.
    pub fn new(
        user: impl Into<String>,
        domain: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Self {
        let user = user.into();
        Self {
            name: user.clone(),
            user,
            domain: domain.into(),
            registrar: None,
            auth_user: None,
            password: password.into(),
            display_name: None,
            expires_s: 300,
            register: true,
            keepalive_s: 30,
            realm: None,
        }
    }

    /// Address of the registrar: the configured one, else the literal in `domain`.
    pub fn registrar_address(&self) -> Option<SocketAddr> {
        self.registrar
            .or_else(|| crate::message::host_port_literal(&self.domain, 5060))
    }
}

/// Whose unsolicited requests are looked at. Everybody else gets no answer at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SourcePolicy {
    /// Only the registrar/proxy addresses of the accounts (any port of that IP address).
    #[default]
    AccountsOnly,
    /// Those and the listed addresses.
    AccountsAnd(Vec<IpAddr>),
    /// Anybody. For tests and closed networks only.
    Anyone,
}

/// Settings of a [`crate::UserAgent`].
#[derive(Debug, Clone)]
pub struct UaConfig {
    /// The bound SIP address.
    pub local: SocketAddr,
    /// The address others reach us at, if not `local` (static NAT).
    pub advertised: Option<SocketAddr>,
    /// Text of User-Agent and Server.
    pub user_agent: String,
    /// Accounts; their index is the account number of the API.
    pub accounts: Vec<Account>,
    /// Whose unsolicited requests are answered.
    pub allowed_sources: SourcePolicy,
}

impl UaConfig {
    /// The address written into Via and Contact.
    pub fn public_address(&self) -> SocketAddr {
        self.advertised.unwrap_or(self.local)
    }
}
