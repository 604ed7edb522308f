//! OPTIONS probes: is the registrar there, and what to do when it is back.

use super::account::AccountState;
use super::{Owner, TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method};
use crate::{Keepalive, UaEvent};
use std::time::Duration;

/// Longest period of probes while the peer is unreachable, seconds.
const PROBE_WHEN_LOST_S: u32 = 10;
/// From an INVITE that nobody answered to the first probe, seconds.
const FIRST_PROBE_S: u64 = 2;

impl UserAgent {
    /// Sends an OPTIONS probe and plans the next one.
    pub(super) fn keepalive(&mut self, now: Duration, account: usize) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let period_s = settings.keepalive_s;
        // Without probes of its own an account is probed while nobody answers its calls.
        let away = self.accounts.get(account).is_some_and(|s| s.unreachable);
        if self.shutting_down || (period_s == 0 && !away) {
            return;
        }
        let destination = self.registrar(account);
        // The last probe has no answer yet: it counts as lost.
        let waits = |s: &AccountState| s.probe.is_some() || (s.crlf_sent && s.answers_crlf);
        if self.accounts.get(account).is_some_and(waits) {
            self.keepalive_lost(now, account);
        }
        let destination = self.registrar(account).or(destination);
        let unreachable = self.accounts.get(account).is_some_and(|s| s.unreachable);
        let period_s = match period_s {
            0 => PROBE_WHEN_LOST_S,
            set if unreachable => set.min(PROBE_WHEN_LOST_S),
            set => set,
        };
        let at = now + Duration::from_secs(u64::from(period_s));
        self.timers.set(TimerKey::Keepalive(account), Some(at));
        let Some(destination) = destination else {
            return;
        };
        // Over UDP nobody answers an empty line: away or not is then found out by calls and REGISTER.
        let crlf = self
            .options
            .get(account)
            .is_some_and(|o| o.keepalive == Keepalive::Crlf);
        if crlf && !unreachable {
            self.transmit(destination, b"\r\n\r\n".to_vec());
            if let Some(state) = self.accounts.get_mut(account) {
                state.crlf_sent = true;
            }
            return;
        }
        let id = self.send_probe(now, account, destination, Owner::Keepalive(account));
        if let Some(state) = self.accounts.get_mut(account) {
            state.probe = id;
        }
    }

    /// Sends OPTIONS to a registrar address.
    pub(super) fn send_probe(
        &mut self,
        now: Duration,
        account: usize,
        destination: Hop,
        owner: Owner,
    ) -> Option<u64> {
        let settings = self.config.accounts.get(account)?;
        let (user, domain) = (settings.user.clone(), settings.domain.clone());
        let (call_id, tag) = (self.token(), self.token());
        let mut request = Message::request(Method::OPTIONS, format!("sip:{domain}"));
        request
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        request
            .headers
            .push("From", format!("<sip:{user}@{domain}>;tag={tag}"));
        request.headers.push("To", format!("<sip:{domain}>"));
        let host = self.address_towards(destination).ip();
        request.headers.push("Call-ID", format!("{call_id}@{host}"));
        request.headers.push("CSeq", "1 OPTIONS");
        request
            .headers
            .push("Contact", self.contact(&user, destination));
        request.headers.push("Accept", "application/sdp");
        self.push_proxy_route(account, destination, &mut request);
        self.send_request(now, request, destination, owner)
    }

    pub(super) fn keepalive_lost(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let crlf = std::mem::take(&mut state.crlf_sent) && state.answers_crlf;
        if state.probe.take().is_none() && !crlf {
            return;
        }
        state.lost_probes = state.lost_probes.saturating_add(1);
        let limit = self.options.get(account).map_or(2, |o| o.keepalive_losses);
        if state.lost_probes < limit.max(1) {
            return;
        }
        // A connection whose peer does not answer is dead, whatever the network says.
        if let Some(hop) = self
            .registrar(account)
            .filter(|h| h.transport.is_reliable())
            && self.accounts.get(account).is_some_and(|s| !s.unreachable)
        {
            self.dead_streams.push_back((hop.transport, hop.address));
        }
        if let Some(address) = self.active_registrar(account)
            && self.fail_over(now, account, address)
        {
            return;
        }
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if !state.unreachable {
            state.unreachable = true;
            self.events.push_back(UaEvent::PeerUnreachable { account });
        }
    }

    /// Nobody answered an INVITE at the registrar. Where OPTIONS watch it that is their affair;
    /// otherwise (no probes, or CRLF that nobody answers) it is away until an OPTIONS is answered.
    pub(super) fn invite_lost(&mut self, now: Duration, account: usize) {
        let probes = self
            .config
            .accounts
            .get(account)
            .is_some_and(|settings| settings.keepalive_s > 0);
        let options = self.options.get(account).filter(|o| o.watch_calls);
        let (Some(options), Some(state)) = (options, self.accounts.get_mut(account)) else {
            return;
        };
        let crlf = options.keepalive == Keepalive::Crlf;
        let watched = probes && (!crlf || state.answers_crlf);
        if watched || state.unreachable || self.shutting_down {
            return;
        }
        state.unreachable = true;
        self.events.push_back(UaEvent::PeerUnreachable { account });
        let at = now + Duration::from_secs(FIRST_PROBE_S);
        self.timers.set(TimerKey::Keepalive(account), Some(at));
    }

    /// Any answer shows that the peer lives, even an error.
    pub(super) fn keepalive_answered(&mut self, now: Duration, account: usize) {
        self.peer_seen(now, account);
    }

    /// A single CRLF came over a stream: every account that waits there is answered. False if
    /// none does, and the CRLF is the half of something.
    pub(super) fn crlf_answered(&mut self, now: Duration, hop: Hop) -> bool {
        let mut awaited = false;
        for account in 0..self.accounts.len() {
            if self.registrar(account) != Some(hop) {
                continue;
            }
            let Some(state) = self.accounts.get_mut(account).filter(|s| s.crlf_sent) else {
                continue;
            };
            state.answers_crlf = true;
            state.crlf_sent = false;
            awaited = true;
            self.peer_seen(now, account);
        }
        awaited
    }

    pub(super) fn peer_seen(&mut self, now: Duration, account: usize) {
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
