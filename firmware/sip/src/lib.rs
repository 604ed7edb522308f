//! SIP user agent core without I/O.
//!
//! Messages and the current time go in, messages and events come out: see [`UserAgent`]. The
//! crate owns no socket, thread, clock or file. Covered: RFC 3261 (user agent side,
//! UDP, TCP and TLS at protocol level), RFC 2782 and 3263 ordering and failover, RFC 3262 both ways,
//! RFC 3264 offer/answer at protocol level, RFC 3311 UPDATE, RFC 3326 Reason, RFC 3515 REFER, RFC 3581 rport,
//! RFC 3891 Replaces,
//! RFC 4028 session timers, RFC 6026, RFC 6086-style INFO, RFC 7616/8760 digest.
//! `docs/reference/sip.md` lists behaviours and tests.

mod config;
mod dialog;
pub mod digest;
mod event;
mod hop;
pub mod message;
mod options;
mod resolve;
mod stream;
mod timers;
mod transaction;
mod ua;

pub use config::{Account, Secret, SourcePolicy, Transmit, Transport, UaConfig};
pub use event::{
    CallId, EndCause, EndedBy, OfferId, OutgoingCall, Party, RegistrationState, UaError,
    UaErrorKind, UaEvent,
};
pub use options::{AccountOptions, Keepalive, ProxyLogin, SessionRefresher};
pub use resolve::{NaptrRecord, SrvRecord, order_srv, srv_names};
pub use stream::{StreamError, StreamItem, StreamReader};
pub use ua::{Addresses, Counters, OWN_HEADERS, StreamVerdict, UserAgent};
