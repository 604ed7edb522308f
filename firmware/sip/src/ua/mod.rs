//! The user agent: public API, ids and timers. Behaviour is in the sibling modules.

mod account;
mod call;
mod credentials;
mod failover;
mod flood;
mod incoming;
mod keepalive;
mod offers;
mod outgoing;
mod prack;
mod receive;
mod refer;
mod reliable;
mod replaces;
mod session;
mod session_timer;
mod streams;
mod wire;

pub use outgoing::OWN_HEADERS;
pub use streams::StreamVerdict;

use crate::stream::StreamReader;
use crate::timers::Timers;
use crate::transaction::{ClientTimer, ClientTransaction, ServerTimer, ServerTransaction};
use crate::{
    AccountOptions, CallId, EndedBy, RegistrationState, Transmit, Transport, UaConfig, UaEvent,
};
use account::AccountState;
use call::Call;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// Most calls at once, closing ones included: a box opens 256 pairs of audio ports at the most.
const MAX_CALLS: usize = 320;
/// Most incoming calls among them: they are the ones that others decide about.
const MAX_INCOMING: usize = 64;
/// Most client transactions at once.
const MAX_CLIENT_TRANSACTIONS: usize = 1024;
/// Most server transactions at once.
const MAX_SERVER_TRANSACTIONS: usize = 2048;

/// Methods we take, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER";

/// Addresses of ours beside those of [`UaConfig`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Addresses {
    /// The bound IPv6 address, for peers reached over IPv6 while [`UaConfig::local`] is IPv4.
    pub ipv6: Option<SocketAddr>,
    /// The port on which TLS connections are taken, if it is not that of [`UaConfig::local`].
    pub tls_port: Option<u16>,
}

/// Counts since start, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Datagrams from strangers, dropped unread.
    pub stranger_datagrams: u64,
    /// Datagrams that were no SIP message.
    pub unreadable: u64,
    /// In-dialog requests that did not come from the dialog's peer.
    pub wrong_dialog_source: u64,
    /// Responses that match no transaction or came from elsewhere.
    pub stray_responses: u64,
    /// Requests refused with a status.
    pub refused: u64,
    /// Requests dropped since their source sent too many.
    pub flooded: u64,
    /// Challenges not answered because they were for a realm or host that is not the account's.
    pub foreign_challenges: u64,
    /// `Refused` events left out by the rate limit.
    pub refused_events_suppressed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum TimerKey {
    Client(u64),
    Server(u64),
    Call(u64),
    Session(u64),
    Register(usize),
    Keepalive(usize),
    Comeback(usize),
    Failover(u64),
    /// A reliable provisional response is sent again.
    Reliable(u64),
}

/// Whom a client transaction works for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Register(usize),
    Keepalive(usize),
    Invite(u64),
    Reinvite(u64),
    Update(u64),
    Info(u64),
    Notify(u64),
    Prack(u64),
    /// An INVITE that was sent elsewhere since nobody answered it.
    Abandoned(u64),
    Comeback(usize),
    Bye(u64),
    /// CANCEL and the BYE of a surplus fork: nobody waits for the answer.
    Nobody,
}

/// A SIP user agent: accounts, registrations and calls, without I/O.
///
/// After every call with `now`, drain [`Self::poll_transmit`] and [`Self::poll_event`], then ask
/// [`Self::next_deadline`] when to call [`Self::handle_timeout`].
pub struct UserAgent {
    config: UaConfig,
    rng: ChaCha12Rng,
    salt: u64,
    options: Vec<AccountOptions>,
    accounts: Vec<AccountState>,
    clients: BTreeMap<u64, ClientTransaction<Owner>>,
    /// By branch and method.
    client_index: BTreeMap<(String, String), u64>,
    servers: BTreeMap<u64, ServerTransaction>,
    server_index: BTreeMap<String, u64>,
    merge_index: BTreeMap<String, u64>,
    calls: BTreeMap<u64, Call>,
    /// By Call-ID and our tag.
    call_index: BTreeMap<(String, String), u64>,
    timers: Timers<TimerKey>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<UaEvent>,
    next_id: u64,
    counters: Counters,
    request_limit: flood::RequestLimit,
    /// The same for refusals of what belongs to no call of ours.
    refusal_limit: flood::RequestLimit,
    refused_budget: f64,
    refused_at: Duration,
    shutting_down: bool,
    /// By TLS or not, and peer.
    streams: BTreeMap<(bool, SocketAddr), StreamReader>,
    tcp_available: bool,
    addresses: Addresses,
    dead_streams: VecDeque<(Transport, SocketAddr)>,
}

impl UserAgent {
    /// A user agent that has not started. `seed` feeds tags, branches, nonces and jitter: take it
    /// from the system's random source.
    pub fn new(config: UaConfig, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let salt = rng.next_u64();
        let host = config.public_address().ip();
        let accounts = config
            .accounts
            .iter()
            .map(|account| {
                let call_id = format!("{:016x}@{host}", rng.next_u64());
                AccountState::new(call_id, rng.next_u64(), account.registrar_address())
            })
            .collect();
        let options = vec![AccountOptions::default(); config.accounts.len()];
        Self {
            config,
            options,
            rng,
            salt,
            accounts,
            clients: BTreeMap::new(),
            client_index: BTreeMap::new(),
            servers: BTreeMap::new(),
            server_index: BTreeMap::new(),
            merge_index: BTreeMap::new(),
            calls: BTreeMap::new(),
            call_index: BTreeMap::new(),
            timers: Timers::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 1,
            counters: Counters::default(),
            request_limit: flood::RequestLimit::default(),
            refusal_limit: flood::RequestLimit::of_refusals(),
            refused_budget: 20.0,
            refused_at: Duration::ZERO,
            shutting_down: false,
            streams: BTreeMap::new(),
            tcp_available: false,
            addresses: Addresses::default(),
            dead_streams: VecDeque::new(),
        }
    }

    /// Sets what is not in [`crate::Account`]; without this an account has the default. Call it
    /// before [`Self::start`]; running calls keep what they agreed on.
    pub fn set_options(&mut self, account: usize, options: AccountOptions) {
        if let Some(known) = self.options.get_mut(account) {
            *known = options;
        }
    }

    /// Sets further addresses of ours. Call it before [`Self::start`].
    pub fn set_addresses(&mut self, addresses: Addresses) {
        self.addresses = addresses;
    }

    /// The next connection whose peer does not answer any more: close it, and say so with
    /// [`Self::stream_closed`].
    pub fn poll_dead_stream(&mut self) -> Option<(Transport, SocketAddr)> {
        self.dead_streams.pop_front()
    }

    /// Begins to register and probe.
    pub fn start(&mut self, now: Duration) {
        for account in 0..self.accounts.len() {
            self.start_account(now, account);
        }
    }

    /// Ends all calls and unregisters. Go on polling until [`Self::is_idle`] or your patience ends.
    pub fn shutdown(&mut self, now: Duration) {
        self.shutting_down = true;
        let calls: Vec<u64> = self.calls.keys().copied().collect();
        for call in calls {
            self.hang_up(now, CallId(call), None);
        }
        for account in 0..self.accounts.len() {
            self.stop_account(now, account);
        }
    }

    /// True when no call and no request of ours is under way.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.clients.values().all(|c| !c.is_waiting())
    }

    /// Calls under way, those still being closed included.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Client and server transactions in the tables.
    pub fn transaction_count(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    /// Deadlines of calls and transactions; those of registrations and probes are not counted.
    pub fn timer_count(&self) -> usize {
        let of_account = |key: &&TimerKey| {
            matches!(
                key,
                TimerKey::Register(_) | TimerKey::Keepalive(_) | TimerKey::Comeback(_)
            )
        };
        self.timers.keys().filter(|key| !of_account(key)).count()
    }

    /// State of an account's registration.
    pub fn registration(&self, account: usize) -> RegistrationState {
        self.accounts
            .get(account)
            .map(|a| a.state.clone())
            .unwrap_or_default()
    }

    /// Counts since start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// Next event.
    pub fn poll_event(&mut self) -> Option<UaEvent> {
        self.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Runs everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some(key) = self.timers.pop_due(now) {
            match key {
                TimerKey::Client(id) => self.client_timer(now, id),
                TimerKey::Server(id) => self.server_timer(now, id),
                TimerKey::Call(id) => self.call_timer(now, id),
                TimerKey::Session(id) => self.session_timer(now, id),
                TimerKey::Register(account) => self.register(now, account),
                TimerKey::Keepalive(account) => self.keepalive(now, account),
                TimerKey::Comeback(account) => self.comeback(now, account),
                TimerKey::Failover(id) => self.invite_impatient(now, id),
                TimerKey::Reliable(id) => self.reliable_timer(now, id),
            }
        }
    }

    /// The network refused a message to `destination` (ICMP unreachable, no connection): requests
    /// waiting for an answer from there fail at once (RFC 3261 8.1.3.1).
    pub fn transport_failed(&mut self, now: Duration, destination: SocketAddr) {
        self.fail_requests(now, |hop| hop.address == destination);
    }

    fn client_timer(&mut self, now: Duration, id: u64) {
        let Some(client) = self.clients.get_mut(&id) else {
            return;
        };
        let (owner, destination) = (client.owner, client.destination);
        match client.on_timer(now) {
            ClientTimer::Retransmit => {
                let payload = client.payload().to_vec();
                self.transmit(destination, payload);
                self.settle_client(id);
            }
            ClientTimer::TimedOut => {
                // The request is still there to be sent elsewhere.
                self.request_failed(now, owner, EndedBy::Timeout);
                self.settle_client(id);
            }
            ClientTimer::Terminated | ClientTimer::Nothing => self.settle_client(id),
        }
    }

    fn server_timer(&mut self, now: Duration, id: u64) {
        let Some(server) = self.servers.get_mut(&id) else {
            return;
        };
        let (destination, call) = (server.destination, server.call);
        match server.on_timer(now) {
            ServerTimer::Retransmit => {
                let payload = server.last_response().map(<[u8]>::to_vec);
                if let Some(payload) = payload {
                    self.transmit(destination, payload);
                }
                self.settle_server(id);
            }
            ServerTimer::NoAck => {
                self.settle_server(id);
                if let Some(call) = call {
                    self.no_ack(now, call);
                }
            }
            ServerTimer::Terminated | ServerTimer::Nothing => self.settle_server(id),
        }
    }

    /// No final response came to a request of ours.
    fn request_failed(&mut self, now: Duration, owner: Owner, by: EndedBy) {
        match owner {
            Owner::Register(account) => self.register_unanswered(now, account, by),
            Owner::Keepalive(account) => self.keepalive_lost(now, account),
            Owner::Invite(call) => self.invite_unanswered(now, call, by),
            Owner::Reinvite(call) | Owner::Update(call) => self.offer_unanswered(now, call, by),
            Owner::Info(call) => self.info_unanswered(now, call, by),
            Owner::Notify(call) => self.notify_unanswered(now, call),
            Owner::Bye(call) => self.remove_call(call),
            // The peer repeats its response, or ends the INVITE.
            Owner::Prack(_) | Owner::Abandoned(_) | Owner::Nobody => {}
            Owner::Comeback(account) => self.comeback_unanswered(account),
        }
    }

    fn new_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// A random token of 16 hex digits.
    fn token(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    /// A random number below one.
    fn fraction(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}
