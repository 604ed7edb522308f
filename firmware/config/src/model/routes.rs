//! Who is called, who may call, what opens the door.

use std::path::PathBuf;
use std::time::Duration;

use crate::party::Party;
use crate::schedule::{LocalTime, Schedule};
use crate::template::{Header, Template};

/// How the targets of a route are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// One after another.
    InTurn,
    /// All at once.
    Together,
}

/// Section `route`.
#[derive(Debug, Clone)]
pub struct Route {
    /// Apartment.
    pub apartment: u16,
    /// Index into [`Config::schedules`](crate::Config::schedules); none: always in force.
    pub when: Option<usize>,
    /// Index into [`Config::accounts`](crate::Config::accounts).
    pub account: usize,
    /// Targets in order.
    pub targets: Vec<String>,
    /// How they are called.
    pub ring: Ring,
    /// How long one target may ring.
    pub target_timeout: Duration,
    /// Name shown on the phone.
    pub display_name: Option<Template>,
    /// Value of Alert-Info.
    pub alert_info: Option<Template>,
    /// Whether the party that the box called may open.
    pub called_may_open: bool,
    /// Who may call in and open.
    pub callers_may_open: Vec<Party>,
    /// Gain towards the line, dB, where it differs from the box's.
    pub gain_to_line_db: Option<i8>,
    /// Gain towards the phone, dB, where it differs from the box's.
    pub gain_to_phone_db: Option<i8>,
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

/// What happens when nobody took a visitor's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// A tone where the box takes the handset's place, else nothing.
    Auto,
    /// The visitor hears a tone or a recording, then the line is freed.
    Tone,
    /// Nothing; an old handset rings on.
    Leave,
}

/// Section `call`.
#[derive(Debug, Clone)]
pub struct Call {
    /// Name shown on phones.
    pub display_name: Option<Template>,
    /// Headers of our own.
    pub headers: Vec<Header>,
    /// Whether a phone that declines ends all ringing.
    pub decline_stops: bool,
    /// Redirections followed for one target.
    pub max_redirects: u8,
    /// What happens when nobody answers.
    pub unanswered: Unanswered,
    /// Whether the line is taken for what a PBX plays before a phone answers.
    pub early_media: bool,
    /// Recording played then, instead of the tone.
    pub unanswered_wav: Option<PathBuf>,
    /// Longest ringing.
    pub ring_limit: Duration,
    /// Longest conversation.
    pub talk_limit: Duration,
    /// Longest silence of RTP.
    pub rtp_timeout: Duration,
}

/// Who may call in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming {
    /// Whoever the PBX lets through.
    Managed,
    /// Listed callers.
    Listed,
    /// Nobody.
    Off,
}

/// Section `access`.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who may call in.
    pub incoming: Incoming,
    /// Callers that may, with [`Incoming::Listed`].
    pub callers: Vec<Party>,
    /// SIP status for callers who may not.
    pub refuse_status: u16,
    /// Whether P-Asserted-Identity names the caller.
    pub asserted_identity: bool,
    /// SIP status while do-not-disturb is on.
    pub dnd_status: u16,
    /// Whether do-not-disturb also keeps phones from ringing for visitors.
    pub dnd_covers_visitors: bool,
    /// Feature code that switches do-not-disturb on.
    pub dnd_on: String,
    /// Feature code that switches it off.
    pub dnd_off: String,
    /// Who may use feature codes.
    pub feature_callers: Vec<Party>,
    /// Further hosts that calls may be forwarded to, lower case.
    pub forward_hosts: Vec<String>,
    /// Numbers that calls may be forwarded to, `*` at the end for any rest.
    pub forward_targets: Vec<String>,
    /// Whether phones may transfer.
    pub transfer: bool,
    /// Requests taken from one address each second.
    pub requests_per_second: u32,
    /// Where do-not-disturb is kept.
    pub state_file: PathBuf,
}

/// Index of the route that is in force for the apartment at `time`: the first with a schedule that is on,
/// else the one without a schedule.
pub fn route_at(
    routes: &[Route],
    schedules: &[Schedule],
    apartment: u16,
    time: Option<LocalTime>,
) -> Option<usize> {
    let in_force = |route: &&Route| match route.when {
        None => true,
        Some(index) => schedules
            .get(index)
            .zip(time)
            .is_some_and(|(schedule, time)| schedule.is_on(time)),
    };
    let first = |scheduled: bool| {
        routes.iter().position(|route| {
            route.apartment == apartment && route.when.is_some() == scheduled && in_force(&route)
        })
    };
    first(true).or_else(|| first(false))
}

impl Route {
    /// A route that calls nobody and lets nobody open.
    pub fn to_nobody(apartment: u16) -> Route {
        Route {
            apartment,
            when: None,
            account: 0,
            targets: Vec::new(),
            ring: Ring::InTurn,
            target_timeout: Duration::from_secs(30),
            display_name: None,
            alert_info: None,
            called_may_open: false,
            callers_may_open: Vec::new(),
            gain_to_line_db: None,
            gain_to_phone_db: None,
        }
    }
}
