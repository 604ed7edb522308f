//! Reliable provisional responses to our INVITE (RFC 3262, user agent client).

use super::call::Phase;
use super::{Owner, UserAgent};
use crate::dialog::Dialog;
use crate::hop::Hop;
use crate::message::{Message, Method};
use std::time::Duration;

/// Early dialogs of one INVITE that are acknowledged; more are left to their timers.
const MAX_EARLY: usize = 8;

/// A dialog a reliable provisional response made.
pub(super) struct Early {
    tag: String,
    dialog: Dialog,
    /// RSeq of the last response taken.
    rseq: u32,
    /// The answer to our offer, once one came.
    answer: Option<Vec<u8>>,
}

/// The answer that a reliable provisional response of the fork `tag` has given (RFC 3262 5).
pub(super) fn early_answer(early: &[Early], tag: &str) -> Option<Vec<u8>> {
    early.iter().find(|one| one.tag == tag)?.answer.clone()
}

/// What a provisional response is to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reliable {
    /// Not sent reliably: take it as it is.
    No,
    /// The next one in order; PRACK is sent.
    Next,
    /// A copy, or one whose predecessor is still missing (RFC 3262 4): drop it, it comes again.
    Drop,
}

impl UserAgent {
    /// Sends PRACK for a reliable provisional response that is next in order.
    pub(super) fn acknowledge_provisional(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        source: Hop,
    ) -> Reliable {
        let reliable = response
            .headers
            .list("Require")
            .any(|tag| tag.eq_ignore_ascii_case("100rel"));
        let rseq = response
            .headers
            .get("RSeq")
            .and_then(|v| v.trim().parse().ok());
        let (true, Some(rseq), Some(tag)) = (reliable, rseq, response.to_tag()) else {
            return Reliable::No;
        };
        let (Some(call), Some(transaction)) = (self.calls.get_mut(&id), self.clients.get(&client))
        else {
            return Reliable::Drop;
        };
        let Some((invite_cseq, _)) = transaction.request.cseq() else {
            return Reliable::Drop;
        };
        let known = call.early.iter().position(|early| early.tag == tag);
        let index = match known.and_then(|i| Some((i, call.early.get(i)?.rseq))) {
            Some((index, last)) if last.checked_add(1) == Some(rseq) => index,
            Some(_) => return Reliable::Drop,
            None => {
                let dialog = Dialog::from_response(&transaction.request, response, source);
                let Some(dialog) = dialog.filter(|_| call.early.len() < MAX_EARLY) else {
                    return Reliable::Drop;
                };
                call.early.push(Early {
                    tag,
                    dialog,
                    rseq,
                    answer: None,
                });
                call.early.len() - 1
            }
        };
        let Some(early) = call.early.get_mut(index) else {
            return Reliable::Drop;
        };
        early.rseq = rseq;
        early.answer = early.answer.take().or_else(|| response.sdp());
        let mut prack = early.dialog.request(Method::PRACK, None);
        let destination = early.dialog.next_hop();
        prack
            .headers
            .push("RAck", format!("{rseq} {invite_cseq} INVITE"));
        self.send_request(now, prack, destination, Owner::Prack(id));
        Reliable::Next
    }

    /// A challenged PRACK is repeated; other refusals are left to the peer, who ends the INVITE.
    pub(super) fn on_prack_response(&mut self, now: Duration, id: u64, client: u64, r: &Message) {
        if !matches!(r.status(), Some(401 | 407)) {
            return;
        }
        let tag = self.clients.get(&client).and_then(|c| c.request.to_tag());
        let early =
            |call: &super::Call| call.early.iter().position(|e| Some(&e.tag) == tag.as_ref());
        let Some((index, account)) = self
            .calls
            .get(&id)
            .and_then(|call| Some((early(call)?, call.account)))
        else {
            return;
        };
        let cseq = self.calls.get(&id).and_then(|c| c.early.get(index));
        let Some(cseq) = cseq.map(|early| early.dialog.local_cseq + 1) else {
            return;
        };
        if self
            .retry_with_credentials(now, account, client, r, cseq)
            .is_some()
            && let Some(call) = self.calls.get_mut(&id)
            && let Some(early) = call.early.get_mut(index)
        {
            early.dialog.local_cseq = cseq;
        }
    }

    /// The confirmed dialog goes on counting where its early dialog stopped (RFC 3262 5).
    pub(super) fn continue_early(&self, id: u64, dialog: &mut Dialog) {
        let early = self.calls.get(&id).map(|c| c.early.iter());
        let last = early
            .into_iter()
            .flatten()
            .find(|early| early.tag == dialog.remote_tag);
        if let Some(early) = last {
            dialog.local_cseq = dialog.local_cseq.max(early.dialog.local_cseq);
            dialog.remote_cseq = dialog.remote_cseq.max(early.dialog.remote_cseq);
        }
    }

    /// UPDATE of a phone that rings for our INVITE, in the dialog of its reliable response: a new
    /// Contact is taken; with an offer it has to wait for the end of the INVITE. False if it is
    /// none.
    pub(super) fn on_early_update(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        method: &Method,
        request: &Message,
    ) -> bool {
        let call = self
            .calls
            .get_mut(&id)
            .filter(|_| *method == Method::UPDATE);
        let tag = request.from_tag().unwrap_or_default();
        let ringing = |c: &&mut super::Call| c.phase == Phase::Inviting && !c.ended;
        let early = call.filter(ringing).map(|c| c.early.iter_mut());
        let Some(early) = early.and_then(|mut all| all.find(|one| one.tag == tag)) else {
            return false;
        };
        let cseq = request.cseq().map(|(number, _)| number);
        if early
            .dialog
            .remote_cseq
            .is_some_and(|last| cseq <= Some(last))
        {
            let why = "CSeq is lower than the last one";
            self.refuse(now, source, request, 500, why);
            return true;
        }
        early.dialog.remote_cseq = cseq;
        if request.sdp().is_some() {
            let why = "the INVITE is not answered yet";
            self.refuse_in_dialog(now, source, request.clone(), 491, why);
            return true;
        }
        early.dialog.refresh_target(request);
        let response = self.session_response(id, request, 200);
        self.respond_new(now, source, request.clone(), response);
        true
    }
}
