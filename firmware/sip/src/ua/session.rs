//! Within a call: BYE and INFO both ways, hanging up, and the order of requests.

use super::call::{Phase, reason_text};
use super::{Owner, TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method};
use crate::options::MIN_SE_S;
use crate::{CallId, EndedBy, UaError, UaErrorKind, UaEvent};
use std::time::Duration;

impl UserAgent {
    /// Ends a call in whatever way is right: CANCEL (as soon as a provisional response allows),
    /// BYE, or a refusal with 603. `Ended` is reported at once; the signalling goes on in the
    /// background and `call_count` falls when it is done.
    pub fn hang_up(&mut self, now: Duration, call: CallId, reason_header: Option<&str>) {
        let id = call.0;
        let reason = reason_header.map(str::to_owned);
        let Some(state) = self.calls.get_mut(&id) else {
            return;
        };
        if state.ended {
            return;
        }
        match state.phase {
            Phase::Inviting => {
                state.cancel = Some(reason);
                let provisional = state.provisional;
                let text = "cancelled".to_owned();
                self.report_end(id, Some(487), text, EndedBy::Local);
                if provisional {
                    self.send_cancel(now, id);
                }
            }
            Phase::Ringing => self.reject(now, call, 603, reason_header),
            Phase::Answered | Phase::Confirmed => {
                self.report_end(id, None, "hung up".to_owned(), EndedBy::Local);
                self.end_dialog(now, id, reason);
            }
            Phase::Closing => {}
        }
    }

    /// BYE now, or after the ACK: the called party may not send it before (RFC 3261 15). The last
    /// word about a transfer goes before it too, or the peer would take it for one of no call.
    pub(super) fn end_dialog(&mut self, now: Duration, id: u64, reason: Option<String>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.phase == Phase::Answered {
            call.bye_after_ack = Some(reason);
        } else if let Some(notify) = call.notify.filter(|_| !self.shutting_down) {
            call.bye_after_notify = Some(reason);
            self.drop_offers(now, id);
            self.limit_client(notify, now + super::refer::BYE_WAITS);
        } else {
            self.send_bye(now, id, reason.as_deref());
        }
    }

    pub(super) fn send_bye(&mut self, now: Duration, id: u64, reason: Option<&str>) {
        self.drop_offers(now, id);
        self.drop_refer(now, id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(dialog) = call.dialog.as_mut() else {
            self.remove_call(id);
            return;
        };
        call.phase = Phase::Closing;
        let mut bye = dialog.request(Method::BYE, None);
        let destination = dialog.next_hop();
        self.timers.set(TimerKey::Session(id), None);
        if let Some(reason) = reason {
            bye.headers.push("Reason", reason);
        }
        self.set_call_deadline(id, None);
        if self
            .send_request(now, bye, destination, Owner::Bye(id))
            .is_none()
        {
            self.remove_call(id);
        }
    }

    pub(super) fn on_bye_response(&mut self, now: Duration, id: u64, client: u64, r: &Message) {
        let Some(status) = r.status().filter(|s| *s >= 200) else {
            return;
        };
        if matches!(status, 401 | 407) && self.retry_in_dialog(now, id, client, r).is_some() {
            return;
        }
        self.remove_call(id);
    }

    /// A challenged in-dialog request again, with the dialog's next CSeq.
    pub(super) fn retry_in_dialog(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
    ) -> Option<u64> {
        let call = self.calls.get(&id)?;
        let account = call.account;
        let cseq = call.dialog.as_ref()?.local_cseq + 1;
        let new = self.retry_with_credentials(now, account, client, response, cseq)?;
        if let Some(dialog) = self.calls.get_mut(&id).and_then(|c| c.dialog.as_mut()) {
            dialog.local_cseq = cseq;
        }
        Some(new)
    }

    /// Sends INFO in a confirmed call. A refusal is not reported; 481 and silence end the call.
    ///
    /// # Errors
    /// [`UaErrorKind::NoCall`] or [`UaErrorKind::WrongState`].
    pub fn send_info(
        &mut self,
        now: Duration,
        call: CallId,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), UaError> {
        let state = self.confirmed(call)?;
        let Some(dialog) = state.dialog.as_mut() else {
            return Err(UaError::new(UaErrorKind::WrongState, "the call is not up"));
        };
        let mut info = dialog.request(Method::INFO, None);
        let destination = dialog.next_hop();
        info.set_body(content_type, body.to_vec());
        self.send_request(now, info, destination, Owner::Info(call.0))
            .map(|_| ())
            .ok_or_else(|| UaError::new(UaErrorKind::TooMany, "too many requests at once"))
    }

    /// The call if its dialog can carry requests of ours.
    pub(super) fn confirmed(&mut self, call: CallId) -> Result<&mut super::Call, UaError> {
        let no_call = || UaError::new(UaErrorKind::NoCall, format!("no call {}", call.0));
        let state = self.calls.get_mut(&call.0).ok_or_else(no_call)?;
        if state.phase != Phase::Confirmed || state.ended {
            return Err(UaError::new(UaErrorKind::WrongState, "the call is not up"));
        }
        Ok(state)
    }

    pub(super) fn on_info_response(&mut self, now: Duration, id: u64, client: u64, r: &Message) {
        match r.status() {
            Some(401 | 407) => {
                self.retry_in_dialog(now, id, client, r);
            }
            Some(status @ (408 | 481)) => self.dialog_lost(now, id, status, EndedBy::Remote),
            _ => {}
        }
    }

    pub(super) fn info_unanswered(&mut self, now: Duration, id: u64, by: EndedBy) {
        self.dialog_lost(now, id, 408, by);
    }

    /// The peer does not know the dialog or does not answer in it (RFC 3261 12.2.1.2).
    pub(super) fn dialog_lost(&mut self, now: Duration, id: u64, status: u16, by: EndedBy) {
        let active =
            |c: &&super::Call| matches!(c.phase, Phase::Confirmed | Phase::Answered) && !c.ended;
        if self.calls.get(&id).filter(active).is_some() {
            let reason = crate::message::reason_phrase(status);
            self.report_end(id, Some(status), reason, by);
            self.end_dialog(now, id, None);
        }
    }

    /// A request in one of our dialogs, from its peer.
    pub(super) fn on_dialog_request(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        request: Message,
    ) {
        let Some((cseq, method)) = request.cseq() else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(dialog) = call.dialog.as_mut() else {
            self.on_early_request(now, source, id, &method, &request);
            return;
        };
        let newest = dialog.remote_cseq.is_none_or(|last| cseq > last);
        if !newest {
            // The same INFO by another way, or again after its transaction ended: known already.
            if dialog.remote_cseq == Some(cseq) && method == Method::INFO {
                let response = Message::response_to(&request, 200, None);
                self.answer_statelessly(now, source, &request, response);
            } else {
                self.refuse(
                    now,
                    source,
                    &request,
                    500,
                    "CSeq is lower than the last one",
                );
            }
            return;
        }
        // Gaps are legal (RFC 3261 12.2.2).
        dialog.remote_cseq = Some(cseq);
        match method {
            Method::BYE => self.on_bye(now, source, id, request),
            Method::INFO => self.on_info(now, source, id, request),
            Method::INVITE => self.on_reinvite(now, source, id, request, cseq),
            Method::UPDATE => self.on_update(now, source, id, request),
            Method::OPTIONS => {
                let response = self.options_response(&request);
                self.respond_new(now, source, request, response);
            }
            Method::REFER => self.on_refer(now, source, id, request),
            Method::PRACK => self.on_prack(now, source, id, request),
            Method::Known(_) => {
                self.refuse_in_dialog(now, source, request, 405, "method not allowed");
            }
            Method::Other(_) => {
                self.refuse_in_dialog(now, source, request, 501, "method not known");
            }
        }
    }

    /// Before our INVITE is answered there is no dialog, but a BYE may overtake the 2xx.
    fn on_early_request(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        method: &Method,
        request: &Message,
    ) {
        if self.on_early_callers_request(now, source, id, method, request)
            || self.on_early_update(now, source, id, method, request)
        {
            return;
        }
        let phase = self.calls.get(&id).map(|c| c.phase);
        if *method == Method::BYE && phase == Some(Phase::Ringing) {
            // The caller may end an early dialog with BYE (RFC 3261 15).
            let response = Message::response_to(request, 200, None);
            self.respond_new(now, source, request.clone(), response);
            if let Some(server) = self.calls.get(&id).and_then(|c| c.server) {
                self.cancelled_by_peer(now, server, request);
            }
            return;
        }
        if *method != Method::BYE || phase != Some(Phase::Inviting) {
            self.refuse(now, source, request, 481, "the call is not up");
            return;
        }
        let response = Message::response_to(request, 200, None);
        self.respond_new(now, source, request.clone(), response);
        let text = reason_text(request).unwrap_or_else(|| "hung up".to_owned());
        self.report_end(id, None, text, EndedBy::Remote);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.cancel.get_or_insert(None);
        if call.provisional {
            self.send_cancel(now, id);
        }
    }

    /// Answers a request in a new transaction, or without one if the table is full.
    pub(super) fn respond_new(
        &mut self,
        now: Duration,
        source: Hop,
        request: Message,
        response: Message,
    ) {
        match self.start_server(source, request.clone()) {
            Some(server) => {
                self.respond(now, server, response);
            }
            None => self.answer_statelessly(now, source, &request, response),
        }
    }

    /// Like `refuse`, but in a transaction so that a retransmission gets the same answer although
    /// the CSeq is used up.
    pub(super) fn refuse_in_dialog(
        &mut self,
        now: Duration,
        source: Hop,
        request: Message,
        status: u16,
        why: &'static str,
    ) {
        let mut response = Message::response_to(&request, status, None);
        match status {
            405 | 501 => response.headers.push("Allow", super::ALLOW),
            415 => response.headers.push("Accept", super::wire::ACCEPT),
            422 => response.headers.push("Min-SE", MIN_SE_S.to_string()),
            500 => {
                let seconds = (self.fraction() * 10.0) as u32;
                response.headers.push("Retry-After", seconds.to_string());
            }
            _ => {}
        }
        self.counters.refused += 1;
        let method = request.method().map_or("", |m| m.as_str()).to_owned();
        self.respond_new(now, source, request, response);
        self.report_refusal(now, source, method, status, why);
    }

    fn on_bye(&mut self, now: Duration, source: Hop, id: u64, bye: Message) {
        let response = Message::response_to(&bye, 200, None);
        let text = reason_text(&bye).unwrap_or_else(|| "hung up".to_owned());
        self.respond_new(now, source, bye, response);
        self.drop_offers(now, id);
        self.drop_refer(now, id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some((server, _)) = call.awaiting_ack.take() {
            // The BYE shows that our 2xx arrived.
            if let Some(server) = self.servers.get_mut(&server) {
                server.stop_2xx();
            }
            self.settle_server(server);
        }
        self.report_end(id, None, text, EndedBy::Remote);
        // With a BYE of ours under way the call stays until that one is answered.
        if self
            .calls
            .get(&id)
            .is_some_and(|c| c.phase != Phase::Closing)
        {
            self.remove_call(id);
        }
    }

    fn on_info(&mut self, now: Duration, source: Hop, id: u64, info: Message) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if call.ended || call.phase == Phase::Closing {
            self.refuse_in_dialog(now, source, info, 481, "the call is over");
            return;
        }
        let content_type = info.content_type().unwrap_or_default();
        match content_type.as_str() {
            "application/dtmf-relay" | "application/dtmf" => {
                let response = Message::response_to(&info, 200, None);
                let body = info.body.clone();
                self.respond_new(now, source, info, response);
                let call = CallId(id);
                self.events.push_back(UaEvent::Info {
                    call,
                    source: source.address,
                    content_type,
                    body,
                });
            }
            // An empty INFO is a keep-alive of some PBXs (RFC 6086 4.2.2 allows 200).
            "" if info.body.is_empty() => {
                let response = Message::response_to(&info, 200, None);
                self.respond_new(now, source, info, response);
            }
            _ => self.refuse_in_dialog(now, source, info, 415, "INFO body is no DTMF"),
        }
    }
}
