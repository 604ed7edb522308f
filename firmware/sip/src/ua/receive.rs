//! Incoming datagrams: who may speak, then which transaction, dialog or method it is.

use super::session_timer::{add_supported, unsupported};
use super::wire::{ACCEPT, merge_key, server_key, server_key_as};
use super::{ALLOW, Owner, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method, Uri, read};
use crate::transaction::OnResponse;
use crate::{SourcePolicy, Transport};
use std::net::SocketAddr;
use std::time::Duration;

impl UserAgent {
    /// Takes one datagram.
    pub fn handle_datagram(&mut self, now: Duration, source: SocketAddr, payload: &[u8]) {
        self.handle_message(now, Transport::Udp, source, payload);
    }

    /// Takes one message that came over `transport`; from a stream it is framed already
    /// ([`crate::StreamReader`], or let [`Self::handle_stream`] do both).
    pub fn handle_message(
        &mut self,
        now: Duration,
        transport: Transport,
        source: SocketAddr,
        payload: &[u8],
    ) {
        let source = Hop::new(transport, source);
        // Keep-alives of NAT traversal (RFC 5626 3.5.1).
        if payload.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
            return;
        }
        let trusted = self.is_trusted(source);
        if !trusted && !self.is_in_conversation(source) {
            self.counters.stranger_datagrams += 1;
            let method = first_word(payload);
            self.report_refusal(now, source, method, 0, "source is not allowed");
            return;
        }
        match read(payload) {
            Ok(message) if message.status().is_some() => self.on_response(now, source, &message),
            Ok(message) => self.on_request(now, source, trusted, message),
            Err(error) => {
                self.counters.unreadable += 1;
                match error.message {
                    Some(mut request) if trusted && self.may_refuse(now, source) => {
                        complete_via(&mut request, source);
                        self.refuse(now, source, &request, error.status, error.reason);
                    }
                    _ => self.report_refusal(now, source, first_word(payload), 0, error.reason),
                }
            }
        }
    }

    /// True if unsolicited requests from `source` are looked at.
    pub(super) fn is_trusted(&self, source: Hop) -> bool {
        match &self.config.allowed_sources {
            SourcePolicy::Anyone => true,
            SourcePolicy::AccountsAnd(list) if list.contains(&source.ip()) => true,
            SourcePolicy::AccountsAnd(_) | SourcePolicy::AccountsOnly => {
                self.account_by_source(source, None).is_some()
            }
        }
    }

    /// True if a request of ours or a dialog awaits messages from there.
    pub(super) fn is_in_conversation(&self, source: Hop) -> bool {
        self.calls.values().any(|c| c.lives_at(source))
            || self.clients.values().any(|c| source.may_be(c.destination))
    }

    fn on_response(&mut self, now: Duration, source: Hop, response: &Message) {
        let key = response
            .top_via()
            .and_then(|via| via.branch().map(str::to_owned))
            .zip(
                response
                    .cseq()
                    .map(|(_, method)| method.as_str().to_owned()),
            );
        // A response with a second Via is not for us (RFC 3261 8.1.3.3).
        let alone = response.headers.list("Via").nth(1).is_none();
        let id = key
            .filter(|_| alone)
            .and_then(|key| self.client_index.get(&key).copied());
        let Some(client) = id.and_then(|id| self.clients.get_mut(&id)) else {
            self.counters.stray_responses += 1;
            return;
        };
        if !source.may_be(client.destination) || client.request.call_id() != response.call_id() {
            self.counters.stray_responses += 1;
            let why = "response from another address than the request went to";
            self.report_refusal(now, source, "response".to_owned(), 0, why);
            return;
        }
        let (Some(id), Some(status)) = (id, response.status()) else {
            return;
        };
        let action = client.on_response(now, status);
        let owner = client.owner;
        if matches!(action, OnResponse::AckAndDeliver | OnResponse::AckAgain) {
            let ack = client.ack(response);
            self.transmit(source, ack);
        }
        if matches!(action, OnResponse::Deliver | OnResponse::AckAndDeliver) {
            self.deliver(now, id, owner, response, source);
        }
        self.settle_client(id);
    }

    fn deliver(&mut self, now: Duration, id: u64, owner: Owner, response: &Message, source: Hop) {
        match owner {
            Owner::Register(account) => self.on_register_response(now, account, id, response),
            Owner::Keepalive(account) => self.keepalive_answered(now, account),
            Owner::Comeback(account) => self.comeback_answered(now, account, response),
            Owner::Invite(call) | Owner::Abandoned(call) => {
                self.on_invite_response(now, call, id, response, source)
            }
            Owner::Reinvite(call) | Owner::Update(call) => {
                self.on_offer_response(now, call, id, response, source);
            }
            Owner::Prack(call) => self.on_prack_response(now, call, id, response),
            Owner::Info(call) => self.on_info_response(now, call, id, response),
            Owner::Notify(call) => self.on_notify_response(now, call, id, response),
            Owner::Bye(call) => self.on_bye_response(now, call, id, response),
            Owner::Nobody => {}
        }
    }

    fn on_request(&mut self, now: Duration, source: Hop, trusted: bool, mut request: Message) {
        let Some(method) = request.method().cloned() else {
            return;
        };
        let Some(key) = server_key(&request) else {
            return;
        };
        if let Some(id) = self.server_index.get(&key).copied() {
            self.on_known_transaction(now, id, &method);
            return;
        }
        complete_via(&mut request, source);
        if method == Method::ACK {
            self.on_ack(now, source, &request);
            return;
        }
        if method == Method::CANCEL {
            self.on_cancel(now, source, trusted, &request);
            return;
        }
        if let Some(tag) = request.to_tag() {
            self.on_tagged_request(now, source, trusted, &tag, request);
            return;
        }
        if !trusted {
            let why = "request outside a dialog from an address that is not allowed";
            self.report_refusal(now, source, method.as_str().to_owned(), 0, why);
            return;
        }
        if !self.request_limit.takes(now, source.ip()) {
            // An answer to each would double the flood; an honest sender comes again.
            self.counters.flooded += 1;
            let why = "too many requests from this address";
            self.report_refusal(now, source, method.as_str().to_owned(), 0, why);
            return;
        }
        if merge_key(&request).is_some_and(|key| self.merge_index.contains_key(&key)) {
            self.refuse(now, source, &request, 482, "merged request");
            return;
        }
        if let Some((status, why)) = inspect(&request) {
            self.refuse(now, source, &request, status, why);
            return;
        }
        match method {
            Method::INVITE => self.on_invite(now, source, request),
            Method::OPTIONS => {
                let response = self.options_response(&request);
                self.answer_statelessly(now, source, &request, response);
            }
            Method::BYE | Method::INFO | Method::UPDATE | Method::PRACK => {
                self.refuse(now, source, &request, 481, "no such call");
            }
            Method::REFER => self.refuse(now, source, &request, 603, "no transfer outside a call"),
            Method::Known(_) => self.refuse(now, source, &request, 405, "method not allowed"),
            Method::Other(_) => self.refuse(now, source, &request, 501, "method not known"),
        }
    }

    fn on_known_transaction(&mut self, now: Duration, id: u64, method: &Method) {
        let Some(server) = self.servers.get_mut(&id) else {
            return;
        };
        if *method == Method::ACK {
            server.on_ack(now);
            self.settle_server(id);
        } else if let Some(response) = server.on_retransmission() {
            let (payload, destination) = (response.to_vec(), server.destination);
            self.transmit(destination, payload);
        }
    }

    /// A request with a To tag: in a dialog of ours or in none.
    fn on_tagged_request(
        &mut self,
        now: Duration,
        source: Hop,
        trusted: bool,
        tag: &str,
        request: Message,
    ) {
        let Some(id) = self.call_of(tag, &request) else {
            if trusted && self.may_refuse(now, source) {
                self.refuse(now, source, &request, 481, "no such call");
            } else {
                let method = request.method().map_or("", |m| m.as_str()).to_owned();
                self.report_refusal(now, source, method, 0, "no such call");
            }
            return;
        };
        if !self.calls.get(&id).is_some_and(|c| c.lives_at(source)) {
            self.counters.wrong_dialog_source += 1;
            let why = "in-dialog request from another address than the call's";
            if trusted && self.may_refuse(now, source) {
                self.refuse(now, source, &request, 481, why);
            } else {
                let method = request.method().map_or("", |m| m.as_str()).to_owned();
                self.report_refusal(now, source, method, 0, why);
            }
            return;
        }
        if let Some((status, why)) = inspect(&request) {
            self.refuse(now, source, &request, status, why);
            return;
        }
        self.on_dialog_request(now, source, id, request);
    }

    /// The call a tagged request belongs to. The remote tag must match as soon as it is known.
    pub(super) fn call_of(&self, local_tag: &str, request: &Message) -> Option<u64> {
        let key = (request.call_id()?.to_owned(), local_tag.to_owned());
        let id = *self.call_index.get(&key)?;
        let call = self.calls.get(&id)?;
        let remote = request.from_tag().unwrap_or_default();
        call.dialog
            .as_ref()
            .is_none_or(|d| d.remote_tag == remote)
            .then_some(id)
    }

    /// ACK: of a 2xx if it has a transaction of its own and belongs to a call.
    fn on_ack(&mut self, now: Duration, source: Hop, ack: &Message) {
        let Some(id) = ack.to_tag().and_then(|tag| self.call_of(&tag, ack)) else {
            return;
        };
        if !self.calls.get(&id).is_some_and(|c| c.lives_at(source)) {
            self.counters.wrong_dialog_source += 1;
            self.report_refusal(
                now,
                source,
                "ACK".to_owned(),
                0,
                "ACK from a foreign address",
            );
            return;
        }
        self.on_dialog_ack(now, id, ack);
    }

    fn on_cancel(&mut self, now: Duration, source: Hop, trusted: bool, cancel: &Message) {
        let invite = server_key_as(cancel, &Method::INVITE)
            .and_then(|key| self.server_index.get(&key).copied())
            .filter(|id| {
                // Only the sender of the INVITE may cancel it.
                self.servers
                    .get(id)
                    .is_some_and(|s| s.destination.ip() == source.ip())
            });
        let Some(invite) = invite else {
            if trusted && self.may_refuse(now, source) {
                self.refuse(now, source, cancel, 481, "nothing to cancel");
            }
            return;
        };
        let tag = match self.servers.get(&invite).and_then(|s| s.call) {
            Some(call) => self.calls.get(&call).map(|c| c.local_tag.clone()),
            None => None,
        };
        let tag = tag.unwrap_or_else(|| self.stateless_tag(cancel));
        let response = Message::response_to(cancel, 200, Some(&tag));
        match self.start_server(source, cancel.clone()) {
            Some(server) => {
                self.respond(now, server, response);
            }
            None => self.answer_statelessly(now, source, cancel, response),
        }
        self.cancelled_by_peer(now, invite, cancel);
    }

    /// 200 to OPTIONS, in or out of a dialog (RFC 3261 11.2).
    pub(super) fn options_response(&self, request: &Message) -> Message {
        let tag = self.stateless_tag(request);
        let mut response = Message::response_to(request, 200, Some(&tag));
        response.headers.push("Allow", ALLOW);
        response.headers.push("Accept", ACCEPT);
        response.headers.push("Accept-Encoding", "identity");
        response.headers.push("Accept-Language", "en");
        add_supported(&mut response, "timer");
        super::reliable::add_extensions(&mut response);
        response
    }
}

/// Faults that any request is refused for (RFC 3261 8.2.2).
fn inspect(request: &Message) -> Option<(u16, &'static str)> {
    match request.request_uri().and_then(Uri::parse) {
        None => return Some((400, "Bad Request-URI")),
        Some(uri) if !matches!(uri.scheme.as_str(), "sip" | "sips" | "tel") => {
            return Some((416, "URI scheme not supported"));
        }
        Some(uri) if uri.headers.is_some() => return Some((400, "Headers in Request-URI")),
        Some(_) => {}
    }
    let invite = request.method() == Some(&Method::INVITE);
    if !invite && request.headers.get("Replaces").is_some() {
        return Some((400, "Replaces in another request than INVITE"));
    }
    if !unsupported(request).is_empty() {
        return Some((420, "extension not supported"));
    }
    let encoding = request.headers.get("Content-Encoding").map(str::trim);
    if encoding.is_some_and(|e| !e.is_empty() && !e.eq_ignore_ascii_case("identity")) {
        return Some((415, "content encoding not supported"));
    }
    None
}

/// `received` and `rport` into the topmost Via.
fn complete_via(request: &mut Message, source: Hop) {
    if let Some(via) = request.top_via() {
        request
            .headers
            .replace_top_via(&via.with_received(source.address));
    }
}

/// The method of a datagram that is not read further, for the log.
fn first_word(payload: &[u8]) -> String {
    let word = payload
        .iter()
        .take(16)
        .take_while(|b| b.is_ascii_alphanumeric());
    let word: String = word.map(|b| char::from(*b)).collect();
    if word.is_empty() {
        "unreadable".to_owned()
    } else {
        word
    }
}
