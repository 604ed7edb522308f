//! OPTIONS probes: is the registrar there, and what to do when it is back.

use super::{Owner, TimerKey, UserAgent};
use crate::UaEvent;
use crate::hop::Hop;
use crate::message::{Message, Method};
use std::time::Duration;

/// Lost probes in a row that make a peer unreachable.
const LOST_PROBES: u32 = 2;
/// Longest period of probes while the peer is unreachable, seconds.
const PROBE_WHEN_LOST_S: u32 = 10;

impl UserAgent {
    /// Sends an OPTIONS probe and plans the next one.
    pub(super) fn keepalive(&mut self, now: Duration, account: usize) {
        let Some(settings) = self.config.accounts.get(account) else {
            return;
        };
        let period_s = settings.keepalive_s;
        if self.shutting_down || period_s == 0 {
            return;
        }
        let destination = self.registrar(account);
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
        let host = self.config.public_address().ip();
        request.headers.push("Call-ID", format!("{call_id}@{host}"));
        request.headers.push("CSeq", "1 OPTIONS");
        request
            .headers
            .push("Contact", self.contact(&user, destination.transport));
        request.headers.push("Accept", "application/sdp");
        self.send_request(now, request, destination, owner)
    }

    pub(super) fn keepalive_lost(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if state.probe.take().is_none() {
            return;
        }
        state.lost_probes = state.lost_probes.saturating_add(1);
        if state.lost_probes < LOST_PROBES {
            return;
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

    /// Any answer shows that the peer lives, even an error.
    pub(super) fn keepalive_answered(&mut self, now: Duration, account: usize) {
        self.peer_seen(now, account);
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
