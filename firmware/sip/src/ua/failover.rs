//! Several registrar addresses of one account (RFC 3263 4.3): the next one when one fails, and back.

use super::{Owner, TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method};
use crate::{EndedBy, UaEvent};
use std::net::SocketAddr;
use std::time::Duration;

/// Most addresses of one account.
const MAX_TARGETS: usize = 16;
/// How long a failed address is left alone while there are others.
const BAD_FOR: Duration = Duration::from_secs(30);
/// How long a request waits for any answer while there are other addresses: time for three
/// datagrams over UDP.
const PATIENCE: Duration = Duration::from_secs(3);

/// One registrar address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    bad_until: Option<Duration>,
}

impl Target {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            bad_until: None,
        }
    }

    fn is_good(&self, now: Duration) -> bool {
        self.bad_until.is_none_or(|until| until <= now)
    }
}

impl UserAgent {
    /// Addresses of an account's registrar or proxy, best first (see [`crate::order_srv`]); 16 at
    /// most, none changes nothing. Requests from any of them are taken. What is known of an
    /// address stays; if the one in use is gone, the account registers at the best at once.
    pub fn set_registrars(&mut self, now: Duration, account: usize, registrars: &[SocketAddr]) {
        let before = self.registrar(account);
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let mut targets: Vec<Target> = Vec::new();
        for address in registrars.iter().take(MAX_TARGETS) {
            if targets.iter().all(|t| t.address != *address) {
                let known = state.targets.iter().find(|t| t.address == *address);
                targets.push(known.copied().unwrap_or_else(|| Target::new(*address)));
            }
        }
        if targets.is_empty() {
            return;
        }
        let stays = targets
            .iter()
            .position(|t| Some(t.address) == before.map(|hop| hop.address));
        state.current = stays
            .or_else(|| targets.iter().position(|t| t.is_good(now)))
            .unwrap_or(0);
        state.targets = targets;
        if stays.is_some() {
            self.plan_comeback(now, account);
            return;
        }
        state.forget_server();
        state.failures = 0;
        if !self.shutting_down {
            self.start_account(now, account);
        }
    }

    /// Forgets the account's registrar addresses: they are not known until
    /// [`Self::set_registrars`], and its domain is no substitute for them.
    pub fn forget_registrars(&mut self, account: usize) {
        if let Some(state) = self.accounts.get_mut(account) {
            state.targets.clear();
            state.current = 0;
        }
    }

    /// The registrar address in use.
    pub fn active_registrar(&self, account: usize) -> Option<SocketAddr> {
        self.registrar(account).map(|hop| hop.address)
    }

    /// True if another address than the current is not known to be bad.
    fn has_alternative(&self, now: Duration, account: usize) -> bool {
        self.accounts.get(account).is_some_and(|state| {
            let mut others = state.targets.iter().enumerate();
            others.any(|(index, target)| index != state.current && target.is_good(now))
        })
    }

    /// When to give a request to the registrar up, if there is another address.
    pub(super) fn patience(&self, now: Duration, account: usize) -> Option<Duration> {
        self.has_alternative(now, account).then(|| now + PATIENCE)
    }

    /// The address did not answer, refused the connection, or sent 503. True if another one is in
    /// use now, where the account registers at once.
    pub(super) fn fail_over(&mut self, now: Duration, account: usize, failed: SocketAddr) -> bool {
        let Some(state) = self.accounts.get_mut(account) else {
            return false;
        };
        for target in &mut state.targets {
            if target.address == failed {
                target.bad_until = Some(now + BAD_FOR);
            }
        }
        let current = state.targets.get(state.current).map(|t| t.address);
        if current != Some(failed) {
            // An earlier failure moved us already.
            return current.is_some();
        }
        let Some(next) = state.targets.iter().position(|t| t.is_good(now)) else {
            return false;
        };
        self.move_to_target(now, account, next);
        true
    }

    fn move_to_target(&mut self, now: Duration, account: usize, index: usize) {
        let registers = self
            .config
            .accounts
            .get(account)
            .is_some_and(|a| a.register);
        if let Some(state) = self.accounts.get_mut(account) {
            state.current = index;
            state.forget_server();
            state.lost_probes = 0;
        }
        if let Some(address) = self.active_registrar(account) {
            self.events
                .push_back(UaEvent::RegistrarSwitched { account, address });
        }
        if registers && !self.shutting_down {
            self.timers.set(TimerKey::Register(account), Some(now));
        }
        self.plan_comeback(now, account);
    }

    /// With every address bad the one that failed longest ago is tried.
    pub(super) fn choose_target(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let current = state.targets.get(state.current);
        if current.is_none_or(|target| target.is_good(now)) {
            return;
        }
        let oldest = state.targets.iter().enumerate();
        let oldest = oldest.min_by_key(|(_, t)| t.bad_until).map(|(i, _)| i);
        if let Some(index) = oldest.filter(|index| *index != state.current) {
            state.current = index;
            state.forget_server();
        }
        self.plan_comeback(now, account);
    }

    /// The current address answered.
    pub(super) fn target_is_good(&mut self, account: usize) {
        if let Some(state) = self.accounts.get_mut(account)
            && let Some(target) = state.targets.get_mut(state.current)
        {
            target.bad_until = None;
        }
    }

    fn plan_comeback(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get(account) else {
            return;
        };
        let better = state.targets.iter().take(state.current);
        let at = better.map(|t| t.bad_until.unwrap_or(now).max(now)).min();
        let at = at.filter(|_| !self.shutting_down);
        self.timers.set(TimerKey::Comeback(account), at);
    }

    /// Asks a better address whether it is back, without leaving the one in use for it.
    pub(super) fn comeback(&mut self, now: Duration, account: usize) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        if state.comeback.is_some() || self.shutting_down {
            return;
        }
        let current = state.current;
        let mut better = state.targets.iter_mut().take(current);
        let Some(target) = better.find(|t| t.is_good(now)) else {
            return;
        };
        let address = target.address;
        target.bad_until = Some(now + BAD_FOR);
        let transport = self.options.get(account).map(|o| o.transport);
        let hop = Hop::new(transport.unwrap_or(crate::Transport::Udp), address);
        let client = self.send_probe(now, account, hop, Owner::Comeback(account));
        if let Some(state) = self.accounts.get_mut(account) {
            state.comeback = client.map(|_| address);
        }
        if let Some(client) = client {
            self.limit_client(client, now + PATIENCE);
        }
        self.plan_comeback(now, account);
    }

    pub(super) fn comeback_answered(&mut self, now: Duration, account: usize, response: &Message) {
        let Some(state) = self.accounts.get_mut(account) else {
            return;
        };
        let Some(address) = state.comeback.take() else {
            return;
        };
        if response.status() == Some(503) {
            return;
        }
        let index = state.targets.iter().position(|t| t.address == address);
        let Some(index) = index.filter(|index| *index < state.current) else {
            return;
        };
        if let Some(target) = state.targets.get_mut(index) {
            target.bad_until = None;
        }
        self.move_to_target(now, account, index);
    }

    pub(super) fn comeback_unanswered(&mut self, account: usize) {
        if let Some(state) = self.accounts.get_mut(account) {
            state.comeback = None;
        }
    }

    pub(super) fn limit_client(&mut self, id: u64, at: Duration) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.give_up_at(at);
            self.timers.set(TimerKey::Client(id), client.deadline());
        }
    }

    /// Plans to send the INVITE elsewhere if nothing at all is heard of it.
    pub(super) fn watch_invite(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let at = call
            .account
            .filter(|account| self.is_registrar(*account, call.peer))
            .and_then(|account| {
                let backup = self.options.get(account).is_some_and(|o| o.has_backup);
                self.patience(now, account)
                    .or_else(|| backup.then(|| now + PATIENCE))
            });
        self.timers.set(TimerKey::Failover(id), at);
    }

    pub(super) fn invite_impatient(&mut self, now: Duration, id: u64) {
        let waiting = |c: &&super::Call| !c.provisional && !c.ended && !c.cancelled;
        let Some(call) = self.calls.get(&id).filter(waiting) else {
            return;
        };
        let backup = call.account.and_then(|account| self.options.get(account));
        let backup = backup.is_some_and(|options| options.has_backup);
        let client = call.client;
        if self.move_invite(now, id) || !backup {
            return;
        }
        self.account_is_silent(now, id);
        // Another account takes the visitor. Should this one be worked on after all, it is
        // cancelled or ended.
        if let Some(client) = client
            && let Some(transaction) = self.clients.get_mut(&client)
        {
            transaction.owner = Owner::Abandoned(id);
            transaction.stop_retransmitting();
            self.settle_client(client);
        }
        let reason = "no answer to INVITE".to_owned();
        self.report_end(id, Some(408), reason, EndedBy::Timeout);
        self.remove_call(id);
    }

    /// Sends our unanswered INVITE to the account's next address: the same request with another
    /// branch (RFC 3263 4.3). An answer of the old one may still come: it is cancelled or ended.
    pub(super) fn move_invite(&mut self, now: Duration, id: u64) -> bool {
        let Some(call) = self.calls.get(&id) else {
            return false;
        };
        let (Some(account), Some(client)) = (call.account, call.client) else {
            return false;
        };
        let Some(old) = self.clients.get(&client) else {
            return false;
        };
        let failed = old.destination;
        let mut request = old.request.clone();
        if call.ended
            || !self.is_registrar(account, failed)
            || !self.fail_over(now, account, failed.address)
        {
            return false;
        }
        let Some(destination) = self.registrar(account) else {
            return false;
        };
        // The other server has nonces of its own.
        request.headers.remove("Authorization");
        request.headers.remove("Proxy-Authorization");
        self.push_proxy_route(account, destination, &mut request);
        let Some(new) = self.send_request(now, request, destination, Owner::Invite(id)) else {
            return false;
        };
        if let Some(old) = self.clients.get_mut(&client) {
            old.owner = Owner::Abandoned(id);
            old.stop_retransmitting();
        }
        self.settle_client(client);
        if let Some(call) = self.calls.get_mut(&id) {
            call.client = Some(new);
            call.peer = destination;
            call.provisional = false;
            call.forget_forks();
        }
        self.watch_invite(now, id);
        true
    }

    /// An INVITE that was given up is being worked on after all: CANCEL, once.
    pub(super) fn cancel_abandoned(&mut self, now: Duration, client: u64) {
        let Some(transaction) = self.clients.get_mut(&client) else {
            return;
        };
        if std::mem::replace(&mut transaction.cancelled, true) {
            return;
        }
        // If even that has no effect, the transaction still ends.
        transaction.give_up_at(now + crate::transaction::T1X64);
        let mut cancel = transaction.derived(Method::CANCEL);
        let destination = transaction.destination;
        cancel.headers.set("User-Agent", &self.config.user_agent);
        self.start_client(now, cancel, destination, Owner::Nobody);
        self.settle_client(client);
    }
}
