//! The configuration file: one table of settings, checks that name file, line, key and a hint,
//! explanations, and edits that keep the file's comments.

mod cards;
mod document;
mod edit;
mod explain;
mod host;
mod model;
mod party;
mod pbx;
mod problem;
mod resolve;
mod schedule;
pub mod schema;
mod template;

pub use edit::{Change, apply_changes, write_whole};
pub use explain::{effective, explain, redacted, reference_page};
pub use host::HostPort;
pub use model::{
    Access, Account, Board, Call, Card, CardKind, Codec, Config, Console, CryptoSuite, Door,
    EchoControl, Handset, Headset, InbandKeys, Incoming, Journal, Keepalive, Line, Matrix, Media,
    MediaEncryption, Override, PcapRtp, Proxy, Ring, Route, Secret, SessionRefresher, Sip,
    SipTransport, Sound, TlsIdentity, Topology, Trace, Unanswered, route_at,
};
pub use party::{At, Party, plain_host};
pub use pbx::pbx_name;
pub use problem::{Problem, ProblemKind};
pub use resolve::check_target;
pub use schedule::{LocalTime, Schedule};
pub use template::{Facts, Header, Template};

impl Config {
    /// Reads and checks the text of a configuration file. `file` is its name for messages.
    ///
    /// # Errors
    /// Every problem found, in the order of the file.
    pub fn parse(text: &str, file: &str) -> Result<Config, Vec<Problem>> {
        let document = document::Document::parse(text, file)?;
        resolve::resolve(&document)
    }
}
