//! Accounts: REGISTER, OPTIONS probes, and answers to challenges.

use super::{Owner, TimerKey, UserAgent};
use crate::digest::{self, Algorithm, DigestInput};
use crate::message::{AuthChallenge, Message, Method, NameAddr, Uri};
use crate::{EndedBy, RegistrationState, UaEvent};
use std::net::SocketAddr;
use std::time::Duration;

/// First and longest pause after a failed REGISTER, seconds.
const BACKOFF_FIRST_S: u32 = 4;
const BACKOFF_LONGEST_S: u32 = 120;
/// Pause after an answer that will not change by itself (403, 404, ...), seconds.
const BACKOFF_REFUSED_S: u32 = 300;
/// Lost probes in a row that make a peer unreachable.
const LOST_PROBES: u32 = 2;
/// Longest period of probes while the peer is unreachable, seconds.
const PROBE_WHEN_LOST_S: u32 = 10;
/// Challenges answered for one request: the first, and one that calls the nonce stale.
const MAX_AUTH_ATTEMPTS: u8 = 2;
/// Longest time of one registration taken, seconds.
const MAX_EXPIRES_S: u32 = 86_400;

/// A challenge kept for the next REGISTER, with the count of uses of its nonce.
struct Nonce {
    challenge: AuthChallenge,
    algorithm: Algorithm,
    auth: bool,
    proxy: bool,
    count: u32,
}

pub(super) struct AccountState {
    pub(super) state: RegistrationState,
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// Realm learned from the registrar, unless one is configured.
    realm: Option<String>,
    nonce: Option<Nonce>,
    expires_s: u32,
    failures: u32,
    /// The REGISTER or OPTIONS under way.
    register: Option<u64>,
    probe: Option<u64>,
    lost_probes: u32,
    unreachable: bool,
    bound: bool,
    raised_expiry: bool,
}

impl AccountState {
    pub(super) fn new(call_id: String, tag: u64) -> Self {
        Self {
            state: RegistrationState::Unregistered,
            call_id,
            from_tag: format!("{tag:016x}"),
            cseq: 0,
            realm: None,
            nonce: None,
            expires_s: 0,
            failures: 0,
            register: None,
            probe: None,
            lost_probes: 0,
            unreachable: false,
            bound: false,
            raised_expiry: false,
        }
    }
}

impl UserAgent {
    pub(super) fn registrar(&self, account: usize) -> Option<SocketAddr> {
        self.config.accounts.get(account)?.registrar_address()
    }

    /// A new address of an account's registrar or proxy (the name was resolved again). Registers
    /// there at once.
    pub fn set_registrar(&mut self, now: Duration, account: usize, registrar: SocketAddr) {
        let Some(settings) = self.config.accounts.get_mut(account) else {
            return;
        };
        if settings.registrar_address() == Some(registrar) {
            return;
        }
        settings.registrar = Some(registrar);
        if let Some(state) = self.accounts.get_mut(account) {
            state.nonce = None;
            state.register = None;
            state.probe = None;
            state.failures = 0;
        }
        if !self.shutting_down {
            self.start_account(now, account);
        }
    }

    /// The account whose registrar is at `source`; among several the one with that user.
    pub(super) fn account_by_source(
        &self,
        source: SocketAddr,
        user: Option<&str>,
    ) -> Option<usize> {
        let here = |account: &usize| {
            self.registrar(*account)
                .is_some_and(|address| address.ip() == source.ip())
        };
        let all = 0..self.config.accounts.len();
        let by_user = all.clone().filter(here).find(|a| {
            self.config
                .accounts
                .get(*a)
                .is_some_and(|c| Some(c.user.as_str()) == user)
        });
        by_user.or_else(|| all.clone().find(here))
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
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if let Some(client) = state.register.take()
            && let Some(client) = self.clients.get_mut(&client)
        {
            // A REGISTER under way would bind us again after the unregister.
            client.owner = Owner::Nobody;
        } else if !state.bound {
            self.set_state(account, RegistrationState::Unregistered);
            return;
        }
        state.bound = false;
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
        if !matches!(state.state, RegistrationState::Registered { .. }) {
            self.set_state(account, RegistrationState::Trying);
        }
        self.send_register(now, account, expires_s);
    }

    fn send_register(&mut self, now: Duration, account: usize, expires_s: u32) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let Some(destination) = settings.registrar_address() else {
            let reason = "registrar address not known".to_owned();
            self.registration_failed(now, account, None, reason, "check the name service", None);
            return;
        };
        let (user, domain) = (settings.user.clone(), settings.domain.clone());
        let aor = format!("<sip:{user}@{domain}>");
        let contact = self.contact(&user);
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
        if let Some(nonce) = &state.nonce {
            let name = if nonce.proxy {
                "Proxy-Authorization"
            } else {
                "Authorization"
            };
            if let Some(value) = self.credentials(account, &request) {
                request.headers.push(name, value);
            }
        }
        let id = self.send_request(now, request, destination, Owner::Register(account));
        if let Some(state) = self.accounts.get_mut(account) {
            state.register = id;
        }
        if id.is_none() {
            let at = now + Duration::from_secs(u64::from(BACKOFF_FIRST_S));
            self.timers.set(TimerKey::Register(account), Some(at));
        }
    }

    /// Credentials for `request` from the account's current challenge; counts the nonce up.
    fn credentials(&mut self, account: usize, request: &Message) -> Option<String> {
        let cnonce = self.token();
        let settings = self.config.accounts.get(account)?;
        let nonce = self.accounts.get_mut(account)?.nonce.as_mut()?;
        nonce.count += 1;
        let input = DigestInput {
            algorithm: nonce.algorithm,
            username: settings.auth_user.as_deref().unwrap_or(&settings.user),
            realm: &nonce.challenge.realm,
            password: settings.password.expose(),
            method: request.method()?.as_str(),
            uri: request.request_uri()?,
            nonce: &nonce.challenge.nonce,
            qop_auth: nonce.auth.then_some((nonce.count, cnonce.as_str())),
        };
        Some(digest::authorization(&nonce.challenge, &input))
    }

    /// The request of transaction `id` again with credentials for the challenge in `response`,
    /// CSeq not yet raised. `None` if the challenge must not or cannot be answered: not from the
    /// account's registrar address, another realm, no known algorithm, or answered before.
    fn answer_challenge(
        &mut self,
        account: Option<usize>,
        id: u64,
        response: &Message,
        cseq: u32,
    ) -> Option<Message> {
        let (asks, answers) = match response.status()? {
            401 => ("WWW-Authenticate", "Authorization"),
            407 => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return None,
        };
        let account = account?;
        let client = self.clients.get(&id)?;
        let (challenge, algorithm, auth) = digest::choose(response, asks)?;
        let configured = self.config.accounts.get(account)?.realm.clone();
        let is_register = client.request.method() == Some(&Method::REGISTER);
        let state = self.accounts.get(account)?;
        // The realm is what the registrar itself said when we registered, or what was configured.
        let pinned = configured.or_else(|| state.realm.clone().filter(|_| !is_register));
        let foreign = pinned.is_some_and(|realm| realm != challenge.realm);
        if foreign || Some(client.destination) != self.registrar(account) {
            self.counters.foreign_challenges += 1;
            return None;
        }
        let limit = if challenge.stale {
            MAX_AUTH_ATTEMPTS
        } else {
            1
        };
        if client.auth_attempts >= limit {
            return None;
        }
        let mut request = client.request.clone();
        let state = self.accounts.get_mut(account)?;
        state.realm = Some(challenge.realm.clone());
        let same = |n: &Nonce| {
            n.challenge.nonce == challenge.nonce && n.challenge.realm == challenge.realm
        };
        let count = state
            .nonce
            .as_ref()
            .filter(|n| same(n))
            .map_or(0, |n| n.count);
        let proxy = answers == "Proxy-Authorization";
        state.nonce = Some(Nonce {
            challenge,
            algorithm,
            auth,
            proxy,
            count,
        });
        let value = self.credentials(account, &request)?;
        // One set of credentials per kind: a stale one would only be refused again.
        request.headers.remove(answers);
        request.headers.push(answers, value);
        let method = request.method()?.clone();
        request.headers.set("CSeq", format!("{cseq} {method}"));
        Some(request)
    }

    /// Sends the request of transaction `id` again with credentials. The new transaction, or
    /// `None` if the challenge is the final answer. `cseq` is the CSeq number of the new request.
    pub(super) fn retry_with_credentials(
        &mut self,
        now: Duration,
        account: Option<usize>,
        id: u64,
        response: &Message,
        cseq: u32,
    ) -> Option<u64> {
        let request = self.answer_challenge(account, id, response, cseq)?;
        let client = self.clients.get(&id)?;
        let (destination, owner) = (client.destination, client.owner);
        let attempts = client.auth_attempts + 1;
        let new = self.send_request(now, request, destination, owner)?;
        if let Some(client) = self.clients.get_mut(&new) {
            client.auth_attempts = attempts;
        }
        Some(new)
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
        self.peer_seen(now, account);
        match status {
            200..=299 => self.registered(now, account, response),
            423 => self.interval_too_brief(now, account, response),
            _ => {
                let (reason, hint, least_s) = explain(status, response);
                if matches!(status, 401 | 407)
                    && let Some(state) = self.accounts.get_mut(account)
                {
                    state.nonce = None;
                }
                self.registration_failed(now, account, Some(status), reason, hint, least_s);
            }
        }
    }

    fn registered(&mut self, now: Duration, account: usize, response: &Message) {
        let ours = self.config.public_address();
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
        state.bound = true;
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

    /// Sends an OPTIONS probe and plans the next one.
    pub(super) fn keepalive(&mut self, now: Duration, account: usize) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let period_s = settings.keepalive_s;
        if self.shutting_down || period_s == 0 {
            return;
        }
        let (user, domain) = (settings.user.clone(), settings.domain.clone());
        let destination = settings.registrar_address();
        // The last probe has no answer yet: it counts as lost.
        if self
            .accounts
            .get(account)
            .is_some_and(|s| s.probe.is_some())
        {
            self.keepalive_lost(now, account);
        }
        let unreachable = self.accounts.get(account).is_some_and(|s| s.unreachable);
        let period_s = if unreachable {
            period_s.min(PROBE_WHEN_LOST_S)
        } else {
            period_s
        };
        let at = now + Duration::from_secs(u64::from(period_s));
        self.timers.set(TimerKey::Keepalive(account), Some(at));
        let Some(destination) = destination else {
            return;
        };
        let (call_id, tag) = (self.token(), self.token());
        let mut request = Message::request(Method::OPTIONS, format!("sip:{domain}"));
        request
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        request
            .headers
            .push("From", format!("<sip:{user}@{domain}>;tag={tag}"));
        request.headers.push("To", format!("<sip:{domain}>"));
        let host = self.config.public_address().ip();
        request.headers.push("Call-ID", format!("{call_id}@{host}"));
        request.headers.push("CSeq", "1 OPTIONS");
        request.headers.push("Contact", self.contact(&user));
        request.headers.push("Accept", "application/sdp");
        let id = self.send_request(now, request, destination, Owner::Keepalive(account));
        if let Some(state) = self.accounts.get_mut(account) {
            state.probe = id;
        }
    }

    pub(super) fn keepalive_lost(&mut self, _now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if state.probe.take().is_none() {
            return;
        }
        state.lost_probes = state.lost_probes.saturating_add(1);
        if state.lost_probes >= LOST_PROBES && !state.unreachable {
            state.unreachable = true;
            self.events.push_back(UaEvent::PeerUnreachable { account });
        }
    }

    /// Any answer shows that the peer lives, even an error.
    pub(super) fn keepalive_answered(&mut self, now: Duration, account: usize) {
        self.peer_seen(now, account);
    }

    fn peer_seen(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        state.probe = None;
        state.lost_probes = 0;
        if !std::mem::take(&mut state.unreachable) {
            return;
        }
        state.failures = 0;
        self.events.push_back(UaEvent::PeerReachable { account });
        // It may have been restarted and forgotten us.
        let registers = self
            .config
            .accounts
            .get(account)
            .is_some_and(|a| a.register);
        if registers && !self.shutting_down {
            self.register(now, account);
        }
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
