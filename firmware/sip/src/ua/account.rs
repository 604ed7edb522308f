//! Accounts and their REGISTER.

use super::credentials::{Asker, Nonce};
use super::failover::Target;
use super::{Owner, TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method, NameAddr, Uri};
use crate::{EndedBy, ProxyLogin, RegistrationState, Transport, UaEvent};
use std::net::SocketAddr;
use std::time::Duration;

/// First and longest pause after a failed REGISTER, seconds.
const BACKOFF_FIRST_S: u32 = 4;
const BACKOFF_LONGEST_S: u32 = 120;
/// Pause after an answer that will not change by itself (403, 404, ...), seconds.
const BACKOFF_REFUSED_S: u32 = 300;
/// How long a REGISTER waits for any answer: time for four datagrams over UDP. The next one comes
/// after a pause, so an outage is told early and nothing is lost.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time of one registration taken, seconds.
const MAX_EXPIRES_S: u32 = 86_400;

pub(super) struct AccountState {
    pub(super) state: RegistrationState,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// Realms learned from registrar and proxy, unless one is configured; by [`Asker`].
    pub(super) realms: [Option<String>; 2],
    pub(super) nonces: [Option<Nonce>; 2],
    /// Credentials of single proxies.
    pub(super) logins: Vec<ProxyLogin>,
    expires_s: u32,
    pub(super) failures: u32,
    /// The REGISTER or OPTIONS under way.
    register: Option<u64>,
    pub(super) probe: Option<u64>,
    pub(super) lost_probes: u32,
    pub(super) unreachable: bool,
    /// Until when the registrar knows us.
    bound_until: Option<Duration>,
    /// Whether the peer has ever answered an empty line on this connection, and whether the
    /// last one waits for its answer.
    pub(super) answers_crlf: bool,
    pub(super) crlf_sent: bool,
    raised_expiry: bool,
    /// Registrar addresses, best first, and the one in use.
    pub(super) targets: Vec<Target>,
    pub(super) current: usize,
    /// A better address that is asked whether it is back.
    pub(super) comeback: Option<SocketAddr>,
}

impl AccountState {
    pub(super) fn new(call_id: String, tag: u64, registrar: Option<SocketAddr>) -> Self {
        Self {
            state: RegistrationState::Unregistered,
            call_id,
            from_tag: format!("{tag:016x}"),
            cseq: 0,
            realms: [None, None],
            nonces: [None, None],
            logins: Vec::new(),
            expires_s: 0,
            failures: 0,
            register: None,
            probe: None,
            lost_probes: 0,
            unreachable: false,
            bound_until: None,
            answers_crlf: false,
            crlf_sent: false,
            raised_expiry: false,
            targets: registrar.map(Target::new).into_iter().collect(),
            current: 0,
            comeback: None,
        }
    }

    /// Whether a proxy has credentials of its own.
    pub(super) fn has_login_at(&self, proxy: SocketAddr) -> bool {
        self.logins.iter().any(|login| login.address == proxy)
    }

    /// Another server: nothing said to the last one counts.
    pub(super) fn forget_server(&mut self) {
        self.nonces = [None, None];
        // A backup proxy has a realm of its own.
        self.realms[Asker::Proxy as usize] = None;
        self.register = None;
        self.probe = None;
        self.answers_crlf = false;
        self.crlf_sent = false;
    }
}

impl UserAgent {
    pub(super) fn registrar(&self, account: usize) -> Option<Hop> {
        let state = self.accounts.get(account)?;
        let address = state.targets.get(state.current)?.address;
        Some(Hop::new(self.options.get(account)?.transport, address))
    }

    /// True if one of the account's registrar addresses fits.
    pub(super) fn has_target(&self, account: usize, fits: impl Fn(SocketAddr) -> bool) -> bool {
        self.accounts
            .get(account)
            .is_some_and(|state| state.targets.iter().any(|t| fits(t.address)))
    }

    fn expects_tls(&self, account: usize) -> bool {
        self.options
            .get(account)
            .is_some_and(|o| o.transport == Transport::Tls)
    }

    /// True if a request to `hop` goes to the account's registrar, and not in a less safe way.
    pub(super) fn is_registrar(&self, account: usize, hop: Hop) -> bool {
        let safe = !self.expects_tls(account) || hop.transport == Transport::Tls;
        safe && self.has_target(account, |address| address == hop.address)
    }

    /// True if a request from `source` comes from the account's PBX, and in no less safe way.
    pub(super) fn is_of_account(&self, account: usize, source: Hop) -> bool {
        let open = self.expects_tls(account) && source.transport != Transport::Tls;
        !open && self.has_target(account, |address| address.ip() == source.ip())
    }

    /// A new address of an account's registrar or proxy (the name was resolved again). Registers
    /// there at once.
    pub fn set_registrar(&mut self, now: Duration, account: usize, registrar: SocketAddr) {
        self.set_registrars(now, account, &[registrar]);
    }

    /// The accounts whose PBX a message from `source` may come from: those with a server at that very address and port, else those
    /// with one at that host, since a PBX may send from other ports.
    pub(super) fn accounts_at(&self, source: Hop) -> Vec<usize> {
        // Who is expected over TLS is not taken over anything else.
        let here = |account: &usize| self.is_of_account(*account, source);
        let here: Vec<usize> = (0..self.config.accounts.len()).filter(here).collect();
        let exact = |account: &usize| self.is_registrar(*account, source);
        match here.iter().copied().filter(exact).collect::<Vec<_>>() {
            exact if exact.is_empty() => here,
            exact => exact,
        }
    }

    /// The account that a message from `source` belongs to; among several the one with that user.
    pub(super) fn account_by_source(&self, source: Hop, user: Option<&str>) -> Option<usize> {
        let here = self.accounts_at(source);
        let is_user = |account: &&usize| {
            let settings = self.config.accounts.get(**account);
            settings.is_some_and(|settings| Some(settings.user.as_str()) == user)
        };
        here.iter().find(is_user).or(here.first()).copied()
    }

    pub(super) fn start_account(&mut self, now: Duration, account: usize) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let (register, keepalive_s) = (settings.register, settings.keepalive_s);
        if let Some(state) = self.accounts.get_mut(account) {
            state.expires_s = settings.expires_s.clamp(1, MAX_EXPIRES_S);
        }
        if register {
            self.register(now, account);
        }
        if keepalive_s > 0 {
            let first = now + Duration::from_secs(u64::from(keepalive_s));
            self.timers.set(TimerKey::Keepalive(account), Some(first));
        }
    }

    pub(super) fn stop_account(&mut self, now: Duration, account: usize) {
        self.timers.set(TimerKey::Register(account), None);
        self.timers.set(TimerKey::Keepalive(account), None);
        self.timers.set(TimerKey::Comeback(account), None);
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if let Some(client) = state.register.take()
            && let Some(client) = self.clients.get_mut(&client)
        {
            // A REGISTER under way would bind us again after the unregister.
            client.owner = Owner::Nobody;
        } else if state.bound_until.is_none() {
            self.set_state(account, RegistrationState::Unregistered);
            return;
        }
        state.bound_until = None;
        self.send_register(now, account, 0);
        self.set_state(account, RegistrationState::Unregistered);
    }

    fn set_state(&mut self, account: usize, state: RegistrationState) {
        let Some(current) = self.accounts.get_mut(account) else {
            return;
        };
        if current.state != state {
            current.state = state.clone();
            self.events
                .push_back(UaEvent::Registration { account, state });
        }
    }

    /// Sends a REGISTER for the wanted time.
    pub(super) fn register(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if self.shutting_down || state.register.is_some() {
            return;
        }
        state.raised_expiry = false;
        let expires_s = state.expires_s;
        self.choose_target(now, account);
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if !matches!(state.state, RegistrationState::Registered { .. }) {
            self.set_state(account, RegistrationState::Trying);
        }
        self.send_register(now, account, expires_s);
    }

    fn send_register(&mut self, now: Duration, account: usize, expires_s: u32) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let (user, domain) = (settings.user.clone(), settings.domain.clone());
        let Some(destination) = self.registrar(account) else {
            let reason = "registrar address not known".to_owned();
            self.registration_failed(now, account, None, reason, "check the name service", None);
            return;
        };
        let aor = format!("<sip:{user}@{domain}>");
        let contact = self.contact(&user, destination);
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.cseq += 1;
        let mut request = Message::request(Method::REGISTER, format!("sip:{domain}"));
        request
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        request
            .headers
            .push("From", format!("{aor};tag={}", state.from_tag));
        request.headers.push("To", aor);
        request.headers.push("Call-ID", &state.call_id);
        request
            .headers
            .push("CSeq", format!("{} REGISTER", state.cseq));
        request.headers.push("Contact", contact);
        request.headers.push("Expires", expires_s.to_string());
        request.headers.push("Allow", super::ALLOW);
        self.push_proxy_route(account, destination, &mut request);
        for asker in Asker::BOTH {
            if let Some(value) = self.credentials(account, asker, destination.address, &request) {
                request.headers.push(asker.header(), value);
            }
        }
        let id = self.send_request(now, request, destination, Owner::Register(account));
        if let Some(state) = self.accounts.get_mut(account) {
            state.register = id;
        }
        if let Some(id) = id.filter(|_| expires_s > 0) {
            self.limit_register(now, account, id);
        }
        if id.is_none() {
            let at = now + Duration::from_secs(u64::from(BACKOFF_FIRST_S));
            self.timers.set(TimerKey::Register(account), Some(at));
        }
    }

    fn limit_register(&mut self, now: Duration, account: usize, id: u64) {
        let at = self.patience(now, account).unwrap_or(now + PATIENCE);
        // Nobody is told to be registered for longer than the registrar said.
        let bound = self.accounts.get(account).and_then(|s| s.bound_until);
        let bound = bound.filter(|until| *until > now);
        self.limit_client(id, bound.map_or(at, |until| at.min(until)));
    }

    pub(super) fn on_register_response(
        &mut self,
        now: Duration,
        account: usize,
        id: u64,
        response: &Message,
    ) {
        let Some(status) = response.status().filter(|s| *s >= 200) else {
            return;
        };
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if state.register != Some(id) {
            return;
        }
        if matches!(status, 401 | 407) {
            let cseq = state.cseq + 1;
            let retry = self.retry_with_credentials(now, Some(account), id, response, cseq);
            if let (Some(new), Some(state)) = (retry, self.accounts.get_mut(account)) {
                state.cseq = cseq;
                state.register = Some(new);
                if !self.shutting_down {
                    self.limit_register(now, account, new);
                }
                return;
            }
        }
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.register = None;
        if self.shutting_down {
            return;
        }
        if status == 503
            && let Some(address) = self.active_registrar(account)
            && self.fail_over(now, account, address)
        {
            return;
        }
        self.peer_seen(now, account);
        match status {
            200..=299 => self.registered(now, account, response),
            423 => self.interval_too_brief(now, account, response),
            _ => {
                let (reason, hint, least_s) = explain(status, response);
                if matches!(status, 401 | 407)
                    && let Some(state) = self.accounts.get_mut(account)
                {
                    state.nonces = [None, None];
                }
                self.registration_failed(now, account, Some(status), reason, hint, least_s);
            }
        }
    }

    fn registered(&mut self, now: Duration, account: usize, response: &Message) {
        let Some(registrar) = self.registrar(account) else {
            return;
        };
        let ours = self.address_towards(registrar);
        let Some(user) = self.config.accounts.get(account).map(|a| a.user.clone()) else {
            return;
        };
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let is_ours = |contact: &NameAddr| {
            Uri::parse(&contact.uri)
                .is_some_and(|uri| uri.address() == Some(ours) && uri.decoded_user() == user)
        };
        let contact = response.contacts().into_iter().find(is_ours);
        let granted = contact
            .and_then(|contact| contact.params.get("expires").and_then(number))
            .or_else(|| response.headers.get("Expires").and_then(number));
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let granted = granted.unwrap_or(state.expires_s).min(MAX_EXPIRES_S);
        if granted == 0 {
            let reason = "the registrar granted 0 seconds".to_owned();
            let hint = "allow this extension to register";
            self.registration_failed(now, account, Some(200), reason, hint, None);
            return;
        }
        state.failures = 0;
        state.bound_until = Some(now + Duration::from_secs(u64::from(granted)));
        self.target_is_good(account);
        // Refreshed at about three quarters, so that a lost REGISTER can still be repeated.
        let part = 0.70 + 0.10 * self.fraction();
        let refresh = Duration::from_secs_f64(f64::from(granted) * part);
        self.timers
            .set(TimerKey::Register(account), Some(now + refresh));
        self.set_state(
            account,
            RegistrationState::Registered { expires_s: granted },
        );
    }

    fn interval_too_brief(&mut self, now: Duration, account: usize, response: &Message) {
        let least = response
            .headers
            .get("Min-Expires")
            .and_then(|v| v.trim().parse::<u32>().ok());
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        match least {
            Some(least)
                if least > state.expires_s && least <= MAX_EXPIRES_S && !state.raised_expiry =>
            {
                state.expires_s = least;
                state.raised_expiry = true;
                self.send_register(now, account, least);
            }
            _ => {
                let reason = "423 without a usable Min-Expires".to_owned();
                let hint = "set a longer registration time";
                self.registration_failed(now, account, Some(423), reason, hint, None);
            }
        }
    }

    pub(super) fn register_unanswered(&mut self, now: Duration, account: usize, by: EndedBy) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if state.register.take().is_none() || self.shutting_down {
            return;
        }
        if let Some(address) = self.active_registrar(account)
            && self.fail_over(now, account, address)
        {
            return;
        }
        let reason = match by {
            EndedBy::Transport => "the network refused the message",
            _ => "no answer",
        };
        let hint = "check the registrar address, cabling and firewall";
        self.registration_failed(now, account, None, reason.to_owned(), hint, None);
    }

    fn registration_failed(
        &mut self,
        now: Duration,
        account: usize,
        status: Option<u16>,
        reason: String,
        hint: &'static str,
        least_s: Option<u32>,
    ) {
        let part = 0.5 + 0.5 * self.fraction();
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.failures = state.failures.saturating_add(1);
        let doubled = BACKOFF_FIRST_S.saturating_mul(1 << state.failures.min(10));
        let backoff = (f64::from(doubled.min(BACKOFF_LONGEST_S)) * part) as u32;
        let retry_in_s = backoff.max(1).max(least_s.unwrap_or(0));
        let at = now + Duration::from_secs(u64::from(retry_in_s));
        self.timers.set(TimerKey::Register(account), Some(at));
        self.set_state(
            account,
            RegistrationState::Failed {
                status,
                reason,
                retry_in_s,
                hint,
            },
        );
    }
}

/// Reason, hint and least pause for a final refusal of REGISTER.
fn explain(status: u16, response: &Message) -> (String, &'static str, Option<u32>) {
    let reason = format!("{status} {}", crate::message::reason_phrase(status));
    let retry_after = response
        .headers
        .get("Retry-After")
        .and_then(|v| v.split([' ', ';', '(']).next()?.parse::<u32>().ok())
        .map(|s| s.min(3600));
    let refused = Some(BACKOFF_REFUSED_S);
    match status {
        401 | 407 => (
            reason,
            "check user name, password and realm of the account",
            Some(60),
        ),
        403 => (
            reason,
            "the registrar forbids this extension: check its password and its right to register",
            refused,
        ),
        404 => (reason, "the extension does not exist on the PBX", refused),
        405 | 501 => (
            reason,
            "this host is no registrar; check its address",
            refused,
        ),
        300..=399 => (
            reason,
            "redirection is not followed; give the final address",
            refused,
        ),
        500..=599 => (
            reason,
            "the PBX is in trouble; it is tried again",
            retry_after,
        ),
        _ => (reason, "see the log of the PBX", retry_after),
    }
}
