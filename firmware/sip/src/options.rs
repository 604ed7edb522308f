//! Settings of an account that have a sensible default, apart from [`crate::Account`].

use crate::Transport;

/// Shortest session interval (RFC 4028 4), seconds.
pub(crate) const MIN_SE_S: u32 = 90;
/// Longest session interval that may be set, seconds.
const MAX_SESSION_S: u32 = 7_200;

/// Who keeps a session alive when the peer leaves the choice to us (RFC 4028 7.1, 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionRefresher {
    /// As caller we leave it to the peer, as called party the caller does it.
    #[default]
    Any,
    /// We do.
    Local,
    /// The peer does, if it can.
    Remote,
}

/// How an account finds out whether its registrar is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keepalive {
    /// OPTIONS; any answer will do.
    #[default]
    Options,
    /// Double CRLF (RFC 5626 3.5.1, 4.4.1): over a stream the single CRLF of the answer counts,
    /// once the peer has given one; over UDP nothing comes back.
    Crlf,
}

/// Credentials that are valid at one proxy only, beside those of [`crate::Account`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyLogin {
    /// The proxy. Its 407 challenges are answered with these credentials.
    pub address: std::net::SocketAddr,
    /// User name of the digest.
    pub user: String,
    /// Password of the digest.
    pub password: crate::Secret,
}

/// Settings of one account beyond [`crate::Account`]; see [`crate::UserAgent::set_options`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountOptions {
    /// Session interval asked for (RFC 4028), 90..=7200 s; 0 switches session timers off. Other
    /// values are moved to the nearest end.
    pub session_expires_s: u32,
    /// Who refreshes the session.
    pub session_refresher: SessionRefresher,
    /// Whether our INVITE with an offer announces `100rel` (RFC 3262). A peer that sends reliable
    /// provisional responses anyway gets PRACK in any case.
    pub reliable_provisionals: bool,
    /// What carries requests to the registrar. An account over TLS takes nothing from there over
    /// anything else.
    pub transport: Transport,
    /// Kind of the probes whose period is [`crate::Account::keepalive_s`].
    pub keepalive: Keepalive,
    /// Lost probes in a row that make the registrar unreachable, 1 or more.
    pub keepalive_losses: u32,
    /// Whether requests outside a call name the registrar address in a Route header: it is an
    /// outbound proxy (RFC 3261 8.1.2).
    pub outbound_proxy: bool,
    /// Whether another account stands by: an INVITE that nobody answers is then given up after
    /// 3 s instead of 32 s.
    pub has_backup: bool,
    /// Whether an INVITE that nobody answers tells that the registrar is away, where no probe would:
    /// probes switched off, or CRLF that nobody answers. Then OPTIONS are sent until one is answered.
    /// For accounts beside which another one could carry the calls.
    pub watch_calls: bool,
}

impl Default for AccountOptions {
    fn default() -> Self {
        Self {
            session_expires_s: 1_800,
            session_refresher: SessionRefresher::Any,
            reliable_provisionals: true,
            transport: Transport::Udp,
            keepalive: Keepalive::Options,
            keepalive_losses: 2,
            outbound_proxy: false,
            has_backup: false,
            watch_calls: false,
        }
    }
}

impl AccountOptions {
    /// The session interval within its limits, `None` if timers are off.
    pub(crate) fn session_s(&self) -> Option<u32> {
        (self.session_expires_s > 0).then(|| self.session_expires_s.clamp(MIN_SE_S, MAX_SESSION_S))
    }
}
