//! Accounts: what the user agent is told of them, and which of them carries a call.

use std::net::SocketAddr;
use std::time::Duration;

use call::{Event, LegId};
use config::{Config, Proxy, SipTransport};
use sip::{
    AccountOptions, Addresses, EndCause, EndedBy, ProxyLogin, RegistrationState, SessionRefresher,
    StreamVerdict, Transport, UserAgent,
};

use crate::actions::CallOrder;
use crate::leg::Kind;
use crate::{Gateway, Output, Setup};

/// One address of an account's servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SipServer {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it is the backup proxy.
    pub backup: bool,
}

/// What of an account changes while the daemon runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountSlot {
    /// Keep-alives stay unanswered.
    unreachable: bool,
    /// The account that carries its calls; itself unless that is said here.
    stand_in: Option<usize>,
}

/// A call that is tried through another account when the PBX of the first does not answer.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    target: String,
    display_name: Option<String>,
    headers: Vec<(String, String)>,
    line: Option<usize>,
    /// Accounts that were tried.
    tried: Vec<usize>,
}

/// Tells the user agent what the configuration says of transports and accounts.
pub(crate) fn set_up(ua: &mut UserAgent, setup: &Setup) {
    ua.set_tcp_available(true);
    ua.set_addresses(Addresses {
        ipv6: setup.sip_local_ipv6,
        tls_port: setup.config.sip.tls_listen.map(|listen| listen.port()),
    });
    for (index, account) in setup.config.accounts.iter().enumerate() {
        let options = AccountOptions {
            session_expires_s: account.session_expires_s,
            session_refresher: match account.session_refresher {
                config::SessionRefresher::Any => SessionRefresher::Any,
                config::SessionRefresher::Local => SessionRefresher::Local,
                config::SessionRefresher::Remote => SessionRefresher::Remote,
            },
            reliable_provisionals: account.reliable_provisionals,
            transport: match account.transport {
                SipTransport::Udp => Transport::Udp,
                SipTransport::Tcp => Transport::Tcp,
                SipTransport::Tls => Transport::Tls,
            },
            keepalive: match account.keepalive {
                config::Keepalive::Options => sip::Keepalive::Options,
                config::Keepalive::Crlf => sip::Keepalive::Crlf,
            },
            keepalive_losses: account.keepalive_losses,
            outbound_proxy: account.outbound_proxy.is_some(),
            has_backup: account.backup_account.is_some(),
            watch_calls: account.backup_account.is_some()
                || setup
                    .config
                    .accounts
                    .iter()
                    .any(|a| a.backup_account == Some(index)),
        };
        ua.set_options(index, options);
        if let Some(servers) = setup.registrars.get(index) {
            // Before its name resolves, requests of an account go nowhere else.
            ua.forget_registrars(index);
            tell_servers(ua, Duration::ZERO, &setup.config, index, servers);
        }
    }
}

fn tell_servers(
    ua: &mut UserAgent,
    now: Duration,
    config: &Config,
    account: usize,
    servers: &[SipServer],
) {
    let Some(settings) = config.accounts.get(account) else {
        return;
    };
    let login = |server: &SipServer| {
        let of: &Option<Proxy> = if server.backup {
            &settings.backup_proxy
        } else {
            &settings.outbound_proxy
        };
        let proxy = of.as_ref()?;
        Some(ProxyLogin {
            address: server.address,
            user: proxy.user.clone()?,
            password: sip::Secret::new(proxy.password.reveal()),
        })
    };
    ua.set_proxy_logins(account, servers.iter().filter_map(login).collect());
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    ua.set_registrars(now, account, &addresses);
}

impl Gateway {
    /// The addresses of an account's servers became known or changed, best first.
    pub fn servers_found(&mut self, now: Duration, account: usize, servers: &[SipServer]) {
        tell_servers(&mut self.ua, now, &self.config, account, servers);
        self.pump(now);
    }

    /// Somebody opens a connection: whether it is to be kept at all.
    pub fn admit_stream(
        &mut self,
        now: Duration,
        transport: Transport,
        peer: SocketAddr,
    ) -> StreamVerdict {
        let verdict = self.ua.admit_stream(now, transport, peer);
        self.pump(now);
        verdict
    }

    /// Bytes came over a connection. When it is to be closed, [`Gateway::stream_closed`] follows.
    pub fn handle_stream(
        &mut self,
        now: Duration,
        transport: Transport,
        peer: SocketAddr,
        bytes: &[u8],
    ) -> StreamVerdict {
        let verdict = self.ua.handle_stream(now, transport, peer, bytes);
        self.pump(now);
        verdict
    }

    /// A connection ended, or could not be opened.
    pub fn stream_closed(&mut self, now: Duration, transport: Transport, peer: SocketAddr) {
        self.ua.stream_closed(now, transport, peer);
        self.pump(now);
    }

    pub(crate) fn collect_dead_streams(&mut self) {
        while let Some((transport, peer)) = self.ua.poll_dead_stream() {
            self.outputs
                .push_back(Output::CloseStream { transport, peer });
        }
    }

    /// Whether calls can be placed through an account: its PBX answers keep-alives, and knows it
    /// where it is to be registered.
    fn is_usable(&self, account: usize) -> bool {
        let Some(settings) = self.config.accounts.get(account) else {
            return false;
        };
        let answers = self.account_slots.get(account);
        let answers = answers.is_some_and(|slot| !slot.unreachable);
        let state = self.ua.registration(account);
        answers && (!settings.register || matches!(state, RegistrationState::Registered { .. }))
    }

    /// The account that carries the calls of `wanted` now: itself, or the first usable one along
    /// its backups; itself again when none is.
    pub(crate) fn account_for(&self, wanted: usize) -> usize {
        self.usable_after(wanted, &[]).unwrap_or(wanted)
    }

    fn usable_after(&self, wanted: usize, tried: &[usize]) -> Option<usize> {
        let mut account = wanted;
        for _ in 0..self.config.accounts.len() {
            if !tried.contains(&account) && self.is_usable(account) {
                return Some(account);
            }
            account = self.config.accounts.get(account)?.backup_account?;
        }
        None
    }

    /// Tells when another account carries the calls than before.
    pub(crate) fn review_accounts(&mut self) {
        for account in 0..self.config.accounts.len() {
            if self.config.accounts[account].backup_account.is_none() {
                continue;
            }
            let usable = self.usable_after(account, &[]);
            // While none is usable nothing is switched, and an account that has just begun to
            // register is not given up yet.
            let Some(carrier) = usable else { continue };
            let begins = self.ua.registration(account) == RegistrationState::Trying
                && self.account_slots[account].stand_in.is_none();
            if begins && self.config.accounts[account].register {
                continue;
            }
            let stand_in = (carrier != account).then_some(carrier);
            let last = std::mem::replace(&mut self.account_slots[account].stand_in, stand_in);
            if last != stand_in {
                let name = |account: usize| self.config.accounts[account].name.clone();
                let event = Event::AccountSwitched {
                    account: name(account),
                    using: name(carrier),
                };
                self.tell(event);
            }
        }
    }

    pub(crate) fn set_reachable(&mut self, account: usize, reachable: bool) {
        if let Some(slot) = self.account_slots.get_mut(account) {
            slot.unreachable = !reachable;
        }
        self.review_accounts();
    }

    /// Remembers an order, in case that the PBX does not answer it.
    pub(crate) fn remember_order(&mut self, id: LegId, order: &CallOrder<'_>, wanted: usize) {
        let has_backup = |account: usize| {
            let settings = self.config.accounts.get(account);
            settings.is_some_and(|settings| settings.backup_account.is_some())
        };
        if !matches!(order.kind, Kind::Outgoing) || !has_backup(wanted) {
            return;
        }
        let placed = self.placed.entry(id).or_insert_with(|| Placed {
            target: order.target.to_owned(),
            display_name: order.display_name.clone(),
            headers: order.headers.clone(),
            line: order.line,
            tried: vec![wanted],
        });
        if !placed.tried.contains(&order.account) {
            placed.tried.push(order.account);
        }
    }

    /// Somebody works on the call: it stays where it is.
    pub(crate) fn order_is_heard(&mut self, id: LegId) {
        self.placed.remove(&id);
    }

    /// A call that no PBX answered is placed through the next account; false if there is none.
    pub(crate) fn place_elsewhere(&mut self, now: Duration, id: LegId, cause: &EndCause) -> bool {
        let silent = matches!(cause.by, EndedBy::Timeout | EndedBy::Transport)
            || (cause.status == Some(503) && cause.by == EndedBy::Remote);
        let Some(placed) = self.placed.get(&id).filter(|_| silent).cloned() else {
            self.placed.remove(&id);
            return false;
        };
        let wanted = placed.tried.first().copied().unwrap_or(0);
        let next = self.usable_after(wanted, &placed.tried);
        let (Some(account), Some(leg)) = (next, self.legs.remove(&id)) else {
            self.placed.remove(&id);
            return false;
        };
        self.calls.remove(&leg.call);
        let order = CallOrder {
            account,
            target: &placed.target,
            display_name: placed.display_name,
            headers: placed.headers,
            line: placed.line,
            kind: Kind::Outgoing,
        };
        if let Some(placed) = self.placed.get_mut(&id) {
            placed.tried.push(account);
        }
        self.place_through(now, id, order).is_ok()
    }
}
