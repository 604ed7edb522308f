//! Calls we make: INVITE, its responses, CANCEL, forks.

use super::call::{Call, Phase, party};
use super::prack::Reliable;
use super::session_timer::{Session, add_supported};
use super::{MAX_CALLS, Owner, TimerKey, UserAgent};
use crate::dialog::Dialog;
use crate::hop::Hop;
use crate::message::{Message, Method, Uri, host_port_literal, quote};
use crate::transaction::T1X64;
use crate::{CallId, EndCause, EndedBy, OutgoingCall, Transport, UaError, UaErrorKind, UaEvent};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Forks of one INVITE that are answered; more are left to their timers.
const MAX_FORKS: usize = 8;

/// Headers of an INVITE the caller of the API may not set; in [`OutgoingCall::headers`] they are
/// ignored.
pub const OWN_HEADERS: &[&str] = &[
    "Via",
    "From",
    "To",
    "Call-ID",
    "CSeq",
    "Contact",
    "Max-Forwards",
    "Route",
    "Record-Route",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Authorization",
    "Proxy-Authorization",
    "Require",
    "Proxy-Require",
    "Supported",
    "Session-Expires",
    "Min-SE",
    "RSeq",
    "RAck",
    "Allow",
];

impl UserAgent {
    /// Calls somebody. A plain number and the account's own domain go to its registrar; a URI
    /// with another address literal goes straight there, without credentials.
    ///
    /// # Errors
    /// [`UaErrorKind::NoAccount`], [`UaErrorKind::BadTarget`] or [`UaErrorKind::TooMany`].
    pub fn invite(
        &mut self,
        now: Duration,
        account: usize,
        request: OutgoingCall,
    ) -> Result<CallId, UaError> {
        let Some(settings) = self.config.accounts.get(account).cloned() else {
            return Err(UaError::new(
                UaErrorKind::NoAccount,
                format!("no account {account}"),
            ));
        };
        if self.calls.len() >= MAX_CALLS || self.shutting_down {
            return Err(UaError::new(UaErrorKind::TooMany, "too many calls at once"));
        }
        let (uri, destination) = self.target(account, &settings.domain, &request.target)?;
        let (call_id, local_tag) = (self.token(), self.token());
        let call_id = format!("{call_id}@{}", self.config.public_address().ip());
        let mut invite = Message::request(Method::INVITE, uri.clone());
        invite
            .headers
            .push_header(rsip::headers::MaxForwards::from(70));
        let name = request.display_name.or(settings.display_name);
        let name = name
            .map(|name| format!("{} ", quote(&name)))
            .unwrap_or_default();
        // Who is called past the PBX gets the box's own address: the PBX has no part in that identity, and a phone that calls
        // back has to find us (RFC 3261 8.1.1.3; a port does not belong there, 19.1.1).
        let domain = match self.is_registrar(account, destination) {
            true => settings.domain.clone(),
            false => match self.address_towards(destination).ip() {
                IpAddr::V4(own) => own.to_string(),
                IpAddr::V6(own) => format!("[{own}]"),
            },
        };
        let from = format!("{name}<sip:{}@{domain}>;tag={local_tag}", settings.user);
        invite.headers.push("From", from);
        invite.headers.push("To", format!("<{uri}>"));
        invite.headers.push("Call-ID", &call_id);
        invite.headers.push("CSeq", "1 INVITE");
        invite
            .headers
            .push("Contact", self.contact(&settings.user, destination));
        invite.headers.push("Allow", super::ALLOW);
        self.push_proxy_route(account, destination, &mut invite);
        for (name, value) in request.headers.into_iter().take(32) {
            let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            let own = OWN_HEADERS
                .iter()
                .any(|own| own.eq_ignore_ascii_case(&name));
            if !own && !name.is_empty() && name.bytes().all(token) {
                invite.headers.push(name, value);
            }
        }
        let wanted_s = self.session_settings(Some(account)).0;
        let session = Session::asking(wanted_s, &request.sdp_offer);
        self.write_session(&session, Some(account), &mut invite);
        let announces = self
            .options
            .get(account)
            .is_some_and(|o| o.reliable_provisionals);
        // Without an offer of ours PRACK would have to answer theirs.
        if announces && !request.sdp_offer.is_empty() {
            add_supported(&mut invite, "100rel");
        }
        add_supported(&mut invite, "replaces");
        if !request.sdp_offer.is_empty() {
            invite.set_body("application/sdp", request.sdp_offer);
        }
        let id = self.new_id();
        let client = self
            .send_request(now, invite, destination, Owner::Invite(id))
            .ok_or_else(|| UaError::new(UaErrorKind::TooMany, "too many requests at once"))?;
        let mut call = Call::new(true, call_id.clone(), local_tag.clone(), destination);
        call.account = Some(account);
        call.session = session;
        call.client = Some(client);
        self.call_index.insert((call_id, local_tag), id);
        self.calls.insert(id, call);
        self.watch_invite(now, id);
        Ok(CallId(id))
    }

    pub(super) fn on_invite_response(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        source: Hop,
    ) {
        let Some(status) = response.status() else {
            return;
        };
        let account = self.calls.get(&id).and_then(|call| call.account);
        if let Some(account) = account.filter(|account| self.is_registrar(*account, source))
            && self.accounts.get(account).is_some_and(|s| s.unreachable)
        {
            self.peer_seen(now, account);
        }
        match status {
            100..=199 => self.on_provisional(now, id, client, response, source),
            200..=299 => self.on_invite_accepted(now, id, client, response, source),
            _ => self.on_invite_refused(now, id, client, response, status),
        }
    }

    fn on_provisional(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        source: Hop,
    ) {
        let status = response.status().unwrap_or(100);
        let Some(call) = self.calls.get_mut(&id).filter(|c| c.client == Some(client)) else {
            self.cancel_abandoned(now, client);
            return;
        };
        call.provisional = true;
        self.timers.set(TimerKey::Failover(id), None);
        if call.cancel.is_some() {
            self.send_cancel(now, id);
        } else if status > 100 && !call.ended {
            if self.acknowledge_provisional(now, id, client, response, source) == Reliable::Drop {
                return;
            }
            let news = self.note_early(id, response);
            let (call, sdp) = (CallId(id), response.sdp().filter(|_| news));
            self.events
                .push_back(UaEvent::Provisional { call, status, sdp });
        }
    }

    /// 2xx: the first one makes the call, others are forks to be ended (RFC 3261 13.2.2.4).
    fn on_invite_accepted(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        source: Hop,
    ) {
        let tag = response.to_tag().unwrap_or_default();
        let Some(transaction) = self.clients.get(&client) else {
            return;
        };
        if let Some((_, to, ack)) = transaction.acks.iter().find(|(t, ..)| *t == tag) {
            let (to, ack) = (*to, ack.clone());
            self.transmit(to, ack);
            return;
        }
        if transaction.acks.len() >= MAX_FORKS {
            return;
        }
        let Some(mut dialog) = Dialog::from_response(&transaction.request, response, source) else {
            return;
        };
        self.continue_early(id, &mut dialog);
        self.ack_2xx(client, &tag, &mut dialog);
        let Some(call) = self.calls.get_mut(&id).filter(|c| c.client == Some(client)) else {
            self.bye_fork(now, dialog);
            return;
        };
        if call.phase != Phase::Inviting {
            self.bye_fork(now, dialog);
            return;
        }
        // An answer in a reliable provisional response is final, and the 2xx need not repeat it.
        let early = super::prack::early_answer(&call.early, &tag);
        call.client = None;
        call.early.clear();
        call.dialog = Some(dialog);
        call.phase = Phase::Confirmed;
        if call.ended {
            // CANCEL crossed the 2xx: the call is there and has to be ended.
            let reason = call.cancel.take().flatten();
            self.send_bye(now, id, reason.as_deref());
            return;
        }
        self.session_answered(now, id, response);
        let (call, sdp) = (CallId(id), response.sdp().or(early));
        self.note_sdp(id, None, sdp.as_deref());
        let party = party(response.to().as_ref());
        self.events
            .push_back(UaEvent::Answered { call, party, sdp });
    }

    /// ACK of a 2xx, kept in the transaction for repetition.
    pub(super) fn ack_2xx(&mut self, client: u64, tag: &str, dialog: &mut Dialog) {
        let Some(transaction) = self.clients.get(&client) else {
            return;
        };
        let cseq = transaction.request.cseq().map_or(0, |(number, _)| number);
        let credentials: Vec<(&'static str, String)> = ["Authorization", "Proxy-Authorization"]
            .into_iter()
            .filter_map(|name| Some((name, transaction.request.headers.get(name)?.to_owned())))
            .collect();
        let registrar_hop = transaction.destination.address == dialog.next_hop().address;
        let mut ack = dialog.request(Method::ACK, Some(cseq));
        // An ACK cannot be challenged, so it repeats the credentials (RFC 3261 22.1), but only
        // towards the host they were computed for.
        for (name, value) in credentials.into_iter().filter(|_| registrar_hop) {
            ack.headers.push(name, value);
        }
        let via = self.new_via(dialog.next_hop());
        ack.headers.prepend("Via", via);
        ack.headers.set("User-Agent", &self.config.user_agent);
        let (to, bytes) = (dialog.next_hop(), ack.to_bytes());
        if let Some(transaction) = self.clients.get_mut(&client) {
            transaction.acks.push((tag.to_owned(), to, bytes.clone()));
        }
        self.transmit(to, bytes);
    }

    fn bye_fork(&mut self, now: Duration, mut dialog: Dialog) {
        let bye = dialog.request(Method::BYE, None);
        self.send_request(now, bye, dialog.next_hop(), Owner::Nobody);
    }

    fn on_invite_refused(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        status: u16,
    ) {
        let Some(call) = self.calls.get(&id).filter(|c| c.client == Some(client)) else {
            return;
        };
        if matches!(status, 401 | 407) && !call.ended {
            let account = call.account;
            let cseq = self.clients.get(&client).and_then(|c| c.request.cseq());
            let cseq = cseq.map_or(1, |(number, _)| number) + 1;
            let retry = self.retry_with_credentials(now, account, client, response, cseq);
            if let (Some(new), Some(call)) = (retry, self.calls.get_mut(&id)) {
                call.client = Some(new);
                call.provisional = false;
                call.forget_forks();
                return;
            }
        }
        if status == 422
            && self.calls.get(&id).is_some_and(|c| !c.ended)
            && let Some(new) = self.invite_with_longer_session(now, id, client, response)
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.client = Some(new);
            call.provisional = false;
            call.forget_forks();
            return;
        }
        if status == 503 && self.move_invite(now, id) {
            return;
        }
        // 3xx is a refusal too: whether to follow it is not decided here, since it lets others
        // choose whom we call.
        let reason = super::call::reason_text(response).unwrap_or_else(|| match &response.start {
            crate::message::StartLine::Response { reason, .. } if !reason.is_empty() => {
                super::call::visible(reason).chars().take(200).collect()
            }
            _ => crate::message::reason_phrase(status),
        });
        let contacts = match status {
            // 305 and 380 name no other place for the same call.
            300..=302 => redirect_contacts(response),
            _ => Vec::new(),
        };
        let by = EndedBy::Remote;
        self.report_end_cause(
            id,
            EndCause {
                status: Some(status),
                reason,
                by,
                contacts,
            },
        );
        self.remove_call(id);
    }

    pub(super) fn invite_unanswered(&mut self, now: Duration, id: u64, by: EndedBy) {
        if self.move_invite(now, id) {
            return;
        }
        self.account_is_silent(now, id);
        let (status, reason) = match by {
            EndedBy::Transport => (503, "the network refused the message"),
            _ => (408, "no answer to INVITE"),
        };
        self.report_end(id, Some(status), reason.to_owned(), by);
        self.remove_call(id);
    }

    /// Nobody at the registrar works on the INVITE of a call.
    pub(super) fn account_is_silent(&mut self, now: Duration, id: u64) {
        let asked = self.calls.get(&id).filter(|call| !call.provisional);
        let account = asked.and_then(|call| call.account.map(|account| (account, call.peer)));
        if let Some((account, peer)) = account
            && self.is_registrar(account, peer)
        {
            self.invite_lost(now, account);
        }
    }

    /// Sends CANCEL for our INVITE, once, and waits for the end of it (RFC 3261 9.1).
    pub(super) fn send_cancel(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(client) = call.client else { return };
        if std::mem::replace(&mut call.cancelled, true) {
            return;
        }
        let reason = call.cancel.clone().flatten();
        let Some(transaction) = self.clients.get(&client) else {
            return;
        };
        let mut cancel = transaction.derived(Method::CANCEL);
        let destination = transaction.destination;
        if let Some(reason) = reason {
            cancel.headers.push("Reason", reason);
        }
        cancel.headers.set("User-Agent", &self.config.user_agent);
        self.start_client(now, cancel, destination, Owner::Nobody);
        self.set_call_deadline(id, Some(now + T1X64));
    }

    pub(super) fn set_call_deadline(&mut self, id: u64, at: Option<Duration>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.deadline = at;
            self.timers.set(TimerKey::Call(id), at);
        }
    }

    /// Reports `Ended` unless it was.
    pub(super) fn report_end(&mut self, id: u64, status: Option<u16>, reason: String, by: EndedBy) {
        let contacts = Vec::new();
        self.report_end_cause(
            id,
            EndCause {
                status,
                reason,
                by,
                contacts,
            },
        );
    }

    fn report_end_cause(&mut self, id: u64, cause: EndCause) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !std::mem::replace(&mut call.ended, true) {
            self.events.push_back(UaEvent::Ended {
                call: CallId(id),
                cause,
            });
        }
    }

    /// Forgets a call. Its transactions run out by themselves.
    pub(super) fn remove_call(&mut self, id: u64) {
        if let Some(call) = self.calls.remove(&id) {
            self.call_index.remove(&(call.call_id, call.local_tag));
            self.timers.set(TimerKey::Call(id), None);
            self.timers.set(TimerKey::Session(id), None);
            self.timers.set(TimerKey::Failover(id), None);
            self.timers.set(TimerKey::Reliable(id), None);
        }
    }
}

/// Most addresses taken of one redirection.
const MOST_CONTACTS: usize = 8;

/// Where a 3xx sends us, best first (RFC 3261 8.1.3.4: by q, 1 where there is none).
fn redirect_contacts(response: &Message) -> Vec<String> {
    let quality = |text: Option<&str>| {
        let q = text.and_then(|q| q.parse::<f32>().ok());
        q.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(1.0)
    };
    let mut contacts: Vec<(f32, String)> = response
        .contacts()
        .into_iter()
        .take(MOST_CONTACTS)
        .map(|contact| (quality(contact.params.get("q")), contact.uri))
        .collect();
    contacts.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    contacts.into_iter().map(|(_, uri)| uri).collect()
}

impl UserAgent {
    /// Whether a call to `target` would go straight to an address, past the servers of the account and whatever keeps these safe.
    pub fn goes_direct(&self, account: usize, target: &str) -> bool {
        let domain = self.config.accounts.get(account).map(|a| a.domain.as_str());
        let target = self.target(account, domain.unwrap_or_default(), target);
        target.is_ok_and(|(_, hop)| !self.is_registrar(account, hop))
    }

    /// The URI that a target of a call means, and where its INVITE goes.
    fn target(&self, account: usize, domain: &str, text: &str) -> Result<(String, Hop), UaError> {
        let text = text.trim();
        let registrar = || {
            let unknown = || UaError::new(UaErrorKind::NoAccount, "registrar address not known");
            self.registrar(account).ok_or_else(unknown)
        };
        let bad = || UaError::new(UaErrorKind::BadTarget, format!("bad target {text:?}"));
        if !text.contains(':') && !text.contains('@') {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,#".contains(&b);
            if text.is_empty() || !text.bytes().all(allowed) {
                return Err(bad());
            }
            // '#' may not stand in a URI as it is (RFC 3261 25.1).
            let user = text.replace('#', "%23");
            return Ok((format!("sip:{user}@{domain}"), registrar()?));
        }
        let uri = Uri::parse(text).filter(|uri| uri.scheme == "sip" && uri.headers.is_none());
        let uri = uri.ok_or_else(bad)?;
        let transport = match uri.params.get("transport") {
            Some(name) if name.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(name) if name.eq_ignore_ascii_case("tls") => Transport::Tls,
            _ => Transport::Udp,
        };
        let own_domain = |address| host_port_literal(domain, 5060) == Some(address);
        match uri.address() {
            Some(address) if !own_domain(address) && !self.is_server(account, &uri, address) => {
                Ok((text.to_owned(), Hop::new(transport, address)))
            }
            _ => Ok((text.to_owned(), registrar()?)),
        }
    }

    /// Whether a URI names one of the account's servers by its address. Without a port the server is meant whatever its own: 5060 in
    /// the clear must not take the place of the 5061 of a server that is spoken to over TLS.
    fn is_server(&self, account: usize, uri: &Uri, address: SocketAddr) -> bool {
        self.has_target(account, |server| match uri.port {
            Some(_) => server == address,
            None => server.ip() == address.ip(),
        })
    }
}
