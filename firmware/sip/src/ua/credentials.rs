//! Answers to challenges: only for the account's realm and only to its registrar address.

use super::UserAgent;
use crate::ProxyLogin;
use crate::digest::{self, Algorithm, DigestInput};
use crate::hop::Hop;
use crate::message::{AuthChallenge, Message, Method};
use std::net::SocketAddr;
use std::time::Duration;

/// Challenges answered for one request: the first, and one that calls the nonce stale.
const MAX_AUTH_ATTEMPTS: u8 = 2;

/// A challenge kept for the next REGISTER, with the count of uses of its nonce.
pub(super) struct Nonce {
    pub(super) challenge: AuthChallenge,
    pub(super) algorithm: Algorithm,
    pub(super) auth: bool,
    pub(super) count: u32,
}

/// Who asks: the registrar or the called party (401), or a proxy on the way (407). Each has a
/// realm and nonces of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    End = 0,
    Proxy = 1,
}

impl Asker {
    pub(super) const BOTH: [Self; 2] = [Self::End, Self::Proxy];

    /// The header of the answer.
    pub(super) fn header(self) -> &'static str {
        match self {
            Self::End => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

impl UserAgent {
    /// Credentials that are valid at some proxies of an account only. A challenge of another
    /// server, or a 401, is answered with those of the account.
    pub fn set_proxy_logins(&mut self, account: usize, logins: Vec<ProxyLogin>) {
        if let Some(state) = self.accounts.get_mut(account) {
            state.logins = logins;
        }
    }

    /// Credentials for `request` from the account's current challenge; counts the nonce up.
    pub(super) fn credentials(
        &mut self,
        account: usize,
        asker: Asker,
        destination: SocketAddr,
        request: &Message,
    ) -> Option<String> {
        let cnonce = self.token();
        let settings = self.config.accounts.get(account)?;
        let state = self.accounts.get_mut(account)?;
        let login = state.logins.iter().find(|l| l.address == destination);
        let login = login.filter(|_| asker == Asker::Proxy);
        let (user, password) = match login {
            Some(login) => (login.user.as_str(), &login.password),
            None => (
                settings.auth_user.as_deref().unwrap_or(&settings.user),
                &settings.password,
            ),
        };
        let nonce = state.nonces.get_mut(asker as usize)?.as_mut()?;
        nonce.count += 1;
        let input = DigestInput {
            algorithm: nonce.algorithm,
            username: user,
            realm: &nonce.challenge.realm,
            password: password.expose(),
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
        let (asks, asker) = match response.status()? {
            401 => ("WWW-Authenticate", Asker::End),
            407 => ("Proxy-Authenticate", Asker::Proxy),
            _ => return None,
        };
        let account = account?;
        let client = self.clients.get(&id)?;
        let destination = client.destination;
        let (challenge, algorithm, auth) = digest::choose(response, asks)?;
        let configured = self.config.accounts.get(account)?.realm.clone();
        let is_register = client.request.method() == Some(&Method::REGISTER);
        let state = self.accounts.get(account)?;
        // The realm is what the registrar itself, or a proxy on the way to it, said when we
        // registered, or what was configured. A proxy that is configured may have one of its own
        // for calls.
        let through_proxy = self.options.get(account).is_some_and(|o| o.outbound_proxy);
        let unknown_proxy =
            asker == Asker::Proxy && through_proxy && state.realms[asker as usize].is_none();
        let own_login = asker == Asker::Proxy && state.has_login_at(client.destination.address);
        let [of_end, of_proxy] = &state.realms;
        let pinned = configured.is_some();
        let foreign = match (&configured, asker) {
            // What is pinned is the account's password; a proxy with a login of its own has a realm of its own.
            (Some(realm), _) if *realm == challenge.realm => false,
            (Some(_), _) if !own_login => true,
            _ if is_register || unknown_proxy => false,
            // Who knows us by our registration asks for calls in the same realm.
            (None, Asker::End) if of_end.is_some() => of_end.as_ref() != Some(&challenge.realm),
            _ => {
                let mut learned = [of_end, of_proxy].into_iter().flatten().peekable();
                learned.peek().is_some() && learned.all(|realm| *realm != challenge.realm)
            }
        };
        // Where the server itself asks for calls as a proxy (407), a 401 in its realm comes from behind it: from the phone that is
        // called, which would get an answer to guess the password from. An outbound proxy may have the realm of the PBX behind it,
        // which nothing shows: then the owner has to say so, by naming the realm.
        let passed_on = asker == Asker::End
            && !is_register
            && !(through_proxy && pinned)
            && of_proxy.as_ref() == Some(&challenge.realm);
        if foreign || passed_on || !self.is_registrar(account, destination) {
            self.counters.foreign_challenges += 1;
            return None;
        }
        let limit = if challenge.stale {
            MAX_AUTH_ATTEMPTS
        } else {
            1
        };
        if client.auth_attempts[asker as usize] >= limit {
            return None;
        }
        let mut request = client.request.clone();
        let state = self.accounts.get_mut(account)?;
        state.realms[asker as usize] = Some(challenge.realm.clone());
        let same = |n: &Nonce| {
            n.challenge.nonce == challenge.nonce && n.challenge.realm == challenge.realm
        };
        let slot = &mut state.nonces[asker as usize];
        let count = slot.as_ref().filter(|n| same(n)).map_or(0, |n| n.count);
        *slot = Some(Nonce {
            challenge,
            algorithm,
            auth,
            count,
        });
        // One set of credentials per kind, and what another server asked for stays, counted up.
        for kind in Asker::BOTH {
            if kind != asker && request.headers.get(kind.header()).is_none() {
                continue;
            }
            let value = self.credentials(account, kind, destination.address, &request)?;
            request.headers.remove(kind.header());
            request.headers.push(kind.header(), value);
        }
        let method = request.method()?.clone();
        request.headers.set("CSeq", format!("{cseq} {method}"));
        Some(request)
    }

    /// New credentials for a request that is sent again with other headers: the same nonce count
    /// twice is a replay.
    pub(super) fn renew_credentials(
        &mut self,
        account: Option<usize>,
        destination: Hop,
        request: &mut Message,
    ) {
        for kind in Asker::BOTH {
            if request.headers.get(kind.header()).is_none() {
                continue;
            }
            request.headers.remove(kind.header());
            if let Some(account) = account
                && self.is_registrar(account, destination)
                && let Some(value) = self.credentials(account, kind, destination.address, request)
            {
                request.headers.push(kind.header(), value);
            }
        }
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
        let mut attempts = client.auth_attempts;
        let asker = usize::from(response.status() == Some(407));
        attempts[asker] = attempts[asker].saturating_add(1);
        let new = self.send_request(now, request, destination, owner)?;
        if let Some(client) = self.clients.get_mut(&new) {
            client.auth_attempts = attempts;
        }
        Some(new)
    }
}
