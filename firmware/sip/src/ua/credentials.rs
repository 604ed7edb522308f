//! Answers to challenges: only for the account's realm and only to its registrar address.

use super::UserAgent;
use crate::digest::{self, Algorithm, DigestInput};
use crate::hop::Hop;
use crate::message::{AuthChallenge, Message, Method};
use std::time::Duration;

/// Challenges answered for one request: the first, and one that calls the nonce stale.
const MAX_AUTH_ATTEMPTS: u8 = 2;

/// A challenge kept for the next REGISTER, with the count of uses of its nonce.
pub(super) struct Nonce {
    pub(super) challenge: AuthChallenge,
    pub(super) algorithm: Algorithm,
    pub(super) auth: bool,
    pub(super) proxy: bool,
    pub(super) count: u32,
}

impl UserAgent {
    /// Credentials for `request` from the account's current challenge; counts the nonce up.
    pub(super) fn credentials(&mut self, account: usize, request: &Message) -> Option<String> {
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
        if foreign || !self.is_registrar(account, client.destination) {
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

    /// New credentials for a request that is sent again with other headers: the same nonce count
    /// twice is a replay.
    pub(super) fn renew_credentials(
        &mut self,
        account: Option<usize>,
        destination: Hop,
        request: &mut Message,
    ) {
        for name in ["Authorization", "Proxy-Authorization"] {
            if request.headers.get(name).is_none() {
                continue;
            }
            request.headers.remove(name);
            if let Some(account) = account
                && self.is_registrar(account, destination)
                && let Some(value) = self.credentials(account, request)
            {
                request.headers.push(name, value);
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
        let attempts = client.auth_attempts + 1;
        let new = self.send_request(now, request, destination, owner)?;
        if let Some(client) = self.clients.get_mut(&new) {
            client.auth_attempts = attempts;
        }
        Some(new)
    }
}
