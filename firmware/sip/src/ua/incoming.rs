//! Calls made to us: INVITE, ring, answer, reject, CANCEL, ACK.

use super::call::{Call, Phase, party, reason_text, visible};
use super::reliable::add_extensions;
use super::wire::ACCEPT;
use super::{ALLOW, MAX_CALLS, MAX_INCOMING, UserAgent};
use crate::dialog::Dialog;
use crate::hop::Hop;
use crate::message::{Message, Uri};
use crate::{CallId, EndedBy, UaEvent};
use std::time::Duration;

/// 18x is repeated this often (RFC 3261 13.3.1.1), so that proxies do not give up.
const PROVISIONAL_PERIOD: Duration = Duration::from_secs(60);
/// Longest time an incoming call may stay unanswered.
const LONGEST_RINGING: u32 = 10;

impl UserAgent {
    pub(super) fn on_invite(&mut self, now: Duration, source: Hop, invite: Message) {
        let incoming = self.calls.values().filter(|call| !call.outgoing).count();
        if incoming >= MAX_INCOMING || self.calls.len() >= MAX_CALLS || self.shutting_down {
            self.refuse(now, source, &invite, 503, "too many calls");
            return;
        }
        if invite.contacts().is_empty() {
            self.refuse(now, source, &invite, 400, "Missing Contact");
            return;
        }
        let sdp_type = invite.content_type().is_none_or(|t| t == "application/sdp");
        if !invite.body.is_empty() && !sdp_type {
            self.refuse(now, source, &invite, 415, "body is no SDP");
            return;
        }
        let called = invite.request_uri().and_then(Uri::parse);
        let called = called.map(|uri| uri.decoded_user());
        let account = self.account_by_source(source, called.as_deref());
        if self.session_too_short(account, &invite) {
            self.refuse(now, source, &invite, 422, "session interval too small");
            return;
        }
        if !accepts_sdp(&invite) {
            self.refuse(now, source, &invite, 406, "caller does not accept SDP");
            return;
        }
        let replaces = match self.replaced_call(source, &invite) {
            Ok(call) => call.map(CallId),
            Err((status, why)) => return self.refuse(now, source, &invite, status, why),
        };
        let (Some(call_id), Some(from)) = (invite.call_id().map(str::to_owned), invite.from())
        else {
            return;
        };
        // Our own INVITE that a proxy has sent back to us, since what we called leads to us.
        let ours = (call_id.clone(), invite.from_tag().unwrap_or_default());
        if self.call_index.contains_key(&ours) {
            self.refuse(now, source, &invite, 482, "our own call comes back");
            return;
        }
        let Some(server) = self.start_server(source, invite.clone()) else {
            self.refuse(now, source, &invite, 503, "too many transactions");
            return;
        };
        let id = self.new_id();
        let local_tag = self.token();
        let request_uri = invite.request_uri().and_then(Uri::parse);
        let request_user = request_uri
            .map(|u| visible(&u.decoded_user()))
            .unwrap_or_default();
        let mut call = Call::new(false, call_id.clone(), local_tag.clone(), source);
        call.server = Some(server);
        call.account = self.account_by_source(source, Some(&request_user));
        let account = call.account;
        let by_pbx = self.account_by_source(source, None).is_some();
        self.call_index.insert((call_id, local_tag), id);
        self.calls.insert(id, call);
        if let Some(server) = self.servers.get_mut(&server) {
            server.call = Some(id);
        }
        let trying = Message::response_to(&invite, 100, None);
        self.respond(now, server, trying);
        self.set_call_deadline(id, Some(now + PROVISIONAL_PERIOD));
        self.events.push_back(UaEvent::Incoming {
            call: CallId(id),
            account,
            accounts: self.accounts_at(source),
            from: party(Some(&from)),
            asserted: asserted_identity(&invite).filter(|_| by_pbx).map(Box::new),
            to_user: party(invite.to().as_ref()).user,
            request_user,
            source: source.address,
            sdp: invite.sdp(),
            replaces,
        });
    }

    /// A response to the INVITE of a ringing call, with our tag.
    pub(super) fn invite_response(&self, id: u64, status: u16) -> Option<(u64, Message)> {
        let call = self.calls.get(&id).filter(|c| c.phase == Phase::Ringing)?;
        let server = call.server?;
        let request = &self.servers.get(&server)?.request;
        let mut response = Message::response_to(request, status, Some(&call.local_tag));
        if status < 300 {
            for route in request.headers.all("Record-Route") {
                response.headers.push("Record-Route", route);
            }
            let user = match call.account.and_then(|a| self.config.accounts.get(a)) {
                Some(account) => account.user.clone(),
                None => request
                    .request_uri()
                    .and_then(Uri::parse)?
                    .user
                    .unwrap_or_default(),
            };
            response
                .headers
                .push("Contact", self.contact(&user, call.peer));
            response.headers.push("Allow", ALLOW);
            add_extensions(&mut response);
        }
        Some((server, response))
    }

    /// Sends 180 Ringing, reliably where the caller can and may (RFC 3262).
    pub fn ring(&mut self, now: Duration, call: CallId) {
        self.provisional(now, call.0, 180, None);
    }

    /// Answers a call with 200 and SDP. The peer's ACK is reported as `Confirmed`. While an early
    /// description waits for its PRACK the 200 waits too.
    pub fn answer(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) {
        let id = call.0;
        if self.hold_answer(id, &sdp) {
            return;
        }
        let Some((server, mut response)) = self.invite_response(id, 200) else {
            return;
        };
        response.headers.push("Accept", ACCEPT);
        let Some(request) = self.servers.get(&server).map(|s| s.request.clone()) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let early = call.early_dialog.take();
        let dialog = early.or_else(|| Dialog::from_request(&request, &call.local_tag, call.peer));
        let Some(dialog) = dialog else {
            // The Contact is no SIP URI: no request could ever reach the caller.
            self.reject(now, CallId(id), 400, None);
            return;
        };
        let described = call.reliable.as_ref().is_some_and(|r| r.described());
        call.awaiting_ack = request.cseq().map(|(cseq, _)| (server, cseq));
        call.offer_in_2xx = request.sdp().is_none() && !described;
        call.dialog = Some(dialog);
        call.phase = Phase::Answered;
        self.set_call_deadline(id, None);
        self.answer_session(now, id, &request, &mut response);
        self.stop_provisionals(id);
        let ours = Some(&sdp[..]).filter(|_| !described);
        self.note_sdp(id, ours, request.sdp().as_deref());
        if !sdp.is_empty() && !described {
            response.set_body("application/sdp", sdp);
        }
        self.respond(now, server, response);
    }

    /// Refuses a call with a final status of 300..699 (others become 603). `reason_header` is a
    /// whole RFC 3326 value such as `Q.850;cause=17;text="busy"`.
    pub fn reject(
        &mut self,
        now: Duration,
        call: CallId,
        status: u16,
        reason_header: Option<&str>,
    ) {
        let status = if (300..700).contains(&status) {
            status
        } else {
            603
        };
        let Some((server, mut response)) = self.invite_response(call.0, status) else {
            return;
        };
        if let Some(reason) = reason_header {
            response.headers.push("Reason", reason);
        }
        self.respond(now, server, response);
        let reason = crate::message::reason_phrase(status);
        self.report_end(call.0, Some(status), reason, EndedBy::Local);
        self.drop_offers(now, call.0);
        self.remove_call(call.0);
    }

    /// CANCEL came for the INVITE of `server` (RFC 3261 9.2): no effect after a final response.
    pub(super) fn cancelled_by_peer(&mut self, now: Duration, server: u64, cancel: &Message) {
        let Some(transaction) = self.servers.get(&server).filter(|s| s.is_proceeding()) else {
            return;
        };
        let Some(id) = transaction.call else {
            self.respond_status(now, server, 487);
            return;
        };
        if self
            .calls
            .get(&id)
            .is_some_and(|c| c.server == Some(server))
        {
            if let Some((server, response)) = self.invite_response(id, 487) {
                self.respond(now, server, response);
            }
            let reason = reason_text(cancel).unwrap_or_else(|| "cancelled".to_owned());
            self.report_end(id, Some(487), reason, EndedBy::Remote);
            self.drop_offers(now, id);
            self.remove_call(id);
        } else {
            self.respond_status(now, server, 487);
            self.withdraw_offer(id, server);
        }
    }

    /// ACK within a call.
    pub(super) fn on_dialog_ack(&mut self, now: Duration, id: u64, ack: &Message) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let cseq = ack.cseq().map(|(number, _)| number);
        let Some((server, expected)) = call.awaiting_ack else {
            return;
        };
        if cseq != Some(expected) {
            return;
        }
        call.awaiting_ack = None;
        if let Some(server) = self.servers.get_mut(&server) {
            server.on_ack_of_2xx();
        }
        self.settle_server(server);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some(reason) = call.bye_after_ack.take() {
            self.send_bye(now, id, reason.as_deref());
            return;
        }
        let first = call.phase == Phase::Answered;
        if first {
            call.phase = Phase::Confirmed;
        }
        if std::mem::take(&mut call.offer_in_2xx)
            && !call.ended
            && let Some(sdp) = ack.sdp()
        {
            self.note_sdp(id, None, Some(&sdp));
            self.events.push_back(UaEvent::AckSdp {
                call: CallId(id),
                sdp,
            });
        }
        if first {
            self.events
                .push_back(UaEvent::Confirmed { call: CallId(id) });
        }
    }

    /// No ACK came to our 2xx in 64*T1: BYE (RFC 3261 13.3.1.4).
    pub(super) fn no_ack(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.phase == Phase::Closing || call.awaiting_ack.take().is_none() {
            return;
        }
        let reason = call.bye_after_ack.take().flatten();
        self.report_end(
            id,
            None,
            "no ACK to our answer".to_owned(),
            EndedBy::Timeout,
        );
        self.send_bye(now, id, reason.as_deref());
    }

    pub(super) fn call_timer(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.deadline = None;
        match call.phase {
            Phase::Ringing => {
                call.ring_periods += 1;
                if call.ring_periods >= LONGEST_RINGING {
                    self.reject(now, CallId(id), 480, None);
                    return;
                }
                // The last provisional again, as a new message.
                self.ring_again(now, id);
                self.set_call_deadline(id, Some(now + PROVISIONAL_PERIOD));
            }
            Phase::Inviting => {
                // CANCEL had no effect: the INVITE counts as ended (RFC 3261 9.1).
                if let Some(client) = call.client
                    && let Some(transaction) = self.clients.get_mut(&client)
                {
                    transaction.terminate();
                    self.settle_client(client);
                }
                self.remove_call(id);
            }
            Phase::Confirmed | Phase::Answered => self.retry_offer(now, id),
            Phase::Closing => self.remove_call(id),
        }
    }

    fn ring_again(&mut self, now: Duration, id: u64) {
        let server = self.calls.get(&id).and_then(|c| c.server);
        let Some(server) = server.and_then(|s| self.servers.get(&s)) else {
            return;
        };
        let rung = server
            .last_response()
            .is_some_and(|r| !r.starts_with(b"SIP/2.0 100"));
        if rung && !self.answer_is_held(id) {
            self.ring(now, CallId(id));
        }
    }
}

/// The identity that the PBX asserts: a sip one rather than the tel one beside it (RFC 3325 9.1).
fn asserted_identity(invite: &Message) -> Option<crate::Party> {
    let all = || {
        invite
            .headers
            .list("P-Asserted-Identity")
            .filter_map(crate::message::NameAddr::parse)
    };
    let address = all()
        .find(|address| address.uri.starts_with("sip"))
        .or_else(|| all().next())?;
    Some(party(Some(&address)))
}

/// False if an Accept header leaves SDP out.
fn accepts_sdp(invite: &Message) -> bool {
    let mut given = false;
    for media in invite.headers.list("Accept") {
        given = true;
        let media = media
            .split(';')
            .next()
            .unwrap_or("")
            .trim()
            .to_ascii_lowercase();
        if matches!(media.as_str(), "application/sdp" | "application/*" | "*/*") {
            return true;
        }
    }
    // RFC 3261 20.1: without the header SDP is accepted.
    !given
}
