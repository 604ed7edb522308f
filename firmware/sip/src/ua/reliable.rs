//! Reliable provisional responses to the INVITE of a caller (RFC 3262, user agent server).
//!
//! One response at a time is sent again until its PRACK comes; what is to be said meanwhile waits,
//! and so does the 2xx while a session description is not acknowledged.

use super::call::Phase;
use super::session_timer::{add_supported, lists};
use super::{TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method};
use crate::transaction::{T1, T1X64};
use crate::{CallId, EndedBy, OfferId, UaEvent};
use std::time::Duration;

/// RSeq begins at random below this (RFC 3262 3: 2^31).
const FIRST_RSEQ_BELOW: f64 = 1e9;

/// The response that waits for its PRACK.
struct Pending {
    rseq: u32,
    payload: Vec<u8>,
    /// Pause after the next copy; `None` once a final response ended the copies.
    interval: Option<Duration>,
    retransmit_at: Duration,
    give_up_at: Duration,
    described: bool,
}

/// What a call that came in keeps of its reliable provisional responses.
#[derive(Default)]
pub(super) struct Reliably {
    /// RSeq of the last one, 0 before the first.
    rseq: u32,
    pending: Option<Pending>,
    /// Status and description of the next one, which waits for the PRACK of the one before.
    queued: Option<(u16, Option<Vec<u8>>)>,
    /// The description for the 2xx, which waits too.
    answer: Option<Vec<u8>>,
    /// A description of ours was sent reliably: the 2xx holds none.
    described: bool,
    /// It was an offer, whose answer has not come yet.
    offered: bool,
    /// The caller's INVITE held an offer or its PRACK the answer: both descriptions are known.
    agreed: bool,
}

impl Reliably {
    /// True if the 2xx need not repeat the description.
    pub(super) fn described(&self) -> bool {
        self.described
    }
}

impl UserAgent {
    /// Sends 183 Session Progress with a description for early media: an answer to the caller's
    /// offer, or an offer if he made none. The description stands for the call then, and
    /// [`Self::answer`] does not send another one. Without reliable responses an offer of ours
    /// cannot be made early, and 183 goes without.
    pub fn ring_with_media(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) {
        self.provisional(now, call.0, 183, Some(sdp));
    }

    /// Sends a provisional response, reliably where the caller can and may.
    pub(super) fn provisional(
        &mut self,
        now: Duration,
        id: u64,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) {
        let Some((server, mut response)) = self.invite_response(id, status) else {
            return;
        };
        let Some(request) = self.servers.get(&server).map(|s| s.request.clone()) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.early_dialog.is_none() {
            let tag = call.local_tag.clone();
            call.early_dialog = crate::dialog::Dialog::from_request(&request, &tag, call.peer);
        }
        let account = call.account.and_then(|a| self.options.get(a));
        let wanted = lists(&request, "Require", "100rel")
            || lists(&request, "Supported", "100rel")
                && account.is_none_or(|options| options.reliable_provisionals);
        let offered = request.sdp().is_some();
        if !wanted {
            if let Some(sdp) = sdp.filter(|_| offered) {
                response.set_body("application/sdp", sdp);
            }
            self.respond(now, server, response);
            return;
        }
        let first = 1 + (self.fraction() * FIRST_RSEQ_BELOW) as u32;
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let state = call.reliable.get_or_insert_default();
        if state.pending.is_some() {
            // Only the newest word counts, but a description is never lost.
            let waiting = state.queued.take().and_then(|(_, sdp)| sdp);
            state.queued = Some((status, sdp.or(waiting)));
            return;
        }
        state.rseq = match state.rseq {
            0 => first,
            last => last.wrapping_add(1).max(1),
        };
        let described = sdp.is_some();
        if let Some(sdp) = sdp.filter(|_| !state.described) {
            (state.described, state.offered, state.agreed) = (true, !offered, offered);
            response.set_body("application/sdp", sdp);
        }
        response.headers.push("Require", "100rel");
        response.headers.push("RSeq", state.rseq.to_string());
        response.headers.set("Server", &self.config.user_agent);
        state.pending = Some(Pending {
            rseq: state.rseq,
            payload: response.to_bytes(),
            interval: Some(T1 * 2),
            retransmit_at: now + T1,
            give_up_at: now + T1X64,
            described,
        });
        self.timers.set(TimerKey::Reliable(id), Some(now + T1));
        if described {
            let ours = response.body.clone();
            self.note_sdp(id, Some(&ours), None);
        }
        self.respond(now, server, response);
    }

    /// Keeps the answer back while a description waits for its PRACK (RFC 3262 3).
    pub(super) fn hold_answer(&mut self, id: u64, sdp: &[u8]) -> bool {
        let Some(state) = self.calls.get_mut(&id).and_then(|c| c.reliable.as_mut()) else {
            return false;
        };
        let waits = |p: &Pending| p.described && p.interval.is_some();
        let held = state.pending.as_ref().is_some_and(waits);
        if held {
            state.answer = Some(sdp.to_vec());
            state.queued = None;
        }
        held
    }

    /// True if the 2xx waits for a PRACK.
    pub(super) fn answer_is_held(&self, id: u64) -> bool {
        let state = self.calls.get(&id).and_then(|c| c.reliable.as_ref());
        state.is_some_and(|state| state.answer.is_some())
    }

    /// A final response goes out: no more copies, but a PRACK that is under way is still taken.
    pub(super) fn stop_provisionals(&mut self, id: u64) {
        self.timers.set(TimerKey::Reliable(id), None);
        let state = self.calls.get_mut(&id).and_then(|c| c.reliable.as_mut());
        if let Some(state) = state {
            state.queued = None;
            if let Some(pending) = &mut state.pending {
                pending.interval = None;
            }
        }
    }

    pub(super) fn reliable_timer(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let pending = call.reliable.as_mut().and_then(|r| r.pending.as_mut());
        let Some(pending) = pending.filter(|_| call.phase == Phase::Ringing) else {
            return;
        };
        if pending.give_up_at <= now {
            self.provisional_unanswered(now, id);
            return;
        }
        let Some(interval) = pending.interval else {
            return;
        };
        // Doubled without a limit (RFC 3262 3), unlike a 2xx.
        (pending.retransmit_at, pending.interval) = (now + interval, Some(interval * 2));
        let next = pending.retransmit_at.min(pending.give_up_at);
        let payload = pending.payload.clone();
        let server = call.server.and_then(|server| self.servers.get(&server));
        let destination = server.map(|server| server.destination);
        self.timers.set(TimerKey::Reliable(id), Some(next));
        if let Some(destination) = destination {
            self.transmit(destination, payload);
        }
    }

    /// No PRACK in 64*T1: the INVITE is refused with 5xx (RFC 3262 3).
    fn provisional_unanswered(&mut self, now: Duration, id: u64) {
        if let Some((server, response)) = self.invite_response(id, 504) {
            self.respond(now, server, response);
        }
        let text = "no PRACK to our response".to_owned();
        self.report_end(id, Some(504), text, EndedBy::Timeout);
        self.drop_offers(now, id);
        self.remove_call(id);
    }

    /// PRACK in a call that came in, before or after its answer.
    pub(super) fn on_prack(&mut self, now: Duration, source: Hop, id: u64, request: Message) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let invite = call.server.and_then(|server| self.servers.get(&server));
        let invite = invite.and_then(|server| Some(server.request.cseq()?.0));
        let acknowledged = request.headers.get("RAck").and_then(rack);
        let fits = |p: &mut Pending| {
            acknowledged.is_some_and(|(rseq, cseq)| {
                p.rseq == rseq && invite.is_none_or(|invite| invite == cseq)
            })
        };
        let taken = call.reliable.as_mut();
        let taken = taken.and_then(|state| state.pending.take_if(fits).map(|_| state));
        let Some(state) = taken else {
            let why = "no provisional response waits for this PRACK";
            self.refuse_in_dialog(now, source, request, 481, why);
            return;
        };
        let body = request.sdp();
        let answers = std::mem::take(&mut state.offered);
        let free = call.their_offer.is_none() && call.our_offer.is_none();
        let offers = !answers && state.agreed && free;
        state.agreed |= answers && body.is_some();
        match body {
            Some(sdp) if answers => {
                self.confirm_prack(now, source, request);
                self.note_sdp(id, None, Some(&sdp));
                let call = CallId(id);
                self.events.push_back(UaEvent::AckSdp { call, sdp });
            }
            Some(sdp) if offers => {
                if let Some(server) = self.take_offer(now, source, id, request) {
                    let (call, offer) = (CallId(id), OfferId(server));
                    self.events.push_back(UaEvent::Offer { call, offer, sdp });
                }
            }
            Some(_) => {
                let why = "no offer can be made now";
                self.refuse_in_dialog(now, source, request, 488, why);
            }
            None => self.confirm_prack(now, source, request),
        }
        self.after_prack(now, id);
    }

    fn confirm_prack(&mut self, now: Duration, source: Hop, request: Message) {
        let response = Message::response_to(&request, 200, None);
        self.respond_new(now, source, request, response);
    }

    /// Says what waited for the PRACK.
    fn after_prack(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(state) = call.reliable.as_mut().filter(|s| s.pending.is_none()) else {
            return;
        };
        let (answer, queued) = (state.answer.take(), state.queued.take());
        self.timers.set(TimerKey::Reliable(id), None);
        if let Some(sdp) = answer {
            self.answer(now, CallId(id), sdp);
        } else if let Some((status, sdp)) = queued {
            self.provisional(now, id, status, sdp);
        }
    }

    /// A request of the caller before his call is answered: PRACK and UPDATE are in order then.
    /// False if the method is another one.
    pub(super) fn on_early_callers_request(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        method: &Method,
        request: &Message,
    ) -> bool {
        if !matches!(*method, Method::PRACK | Method::UPDATE) {
            return false;
        }
        let Some(call) = self
            .calls
            .get_mut(&id)
            .filter(|c| c.phase == Phase::Ringing)
        else {
            return false;
        };
        let Some(dialog) = call.early_dialog.as_mut() else {
            return false;
        };
        let cseq = request.cseq().map(|(number, _)| number);
        if request.from_tag().as_deref() != Some(dialog.remote_tag.as_str()) {
            return false;
        }
        if cseq <= dialog.remote_cseq {
            let why = "CSeq is lower than the last one";
            self.refuse(now, source, request, 500, why);
            return true;
        }
        dialog.remote_cseq = cseq;
        if *method == Method::PRACK {
            self.on_prack(now, source, id, request.clone());
            return true;
        }
        let agreed = call.reliable.as_ref().is_some_and(|state| state.agreed);
        if request.sdp().is_some() && !agreed {
            // RFC 3311 5.2: his offer in the INVITE has no answer yet.
            let why = "an earlier offer is open";
            self.refuse_in_dialog(now, source, request.clone(), 500, why);
            return true;
        }
        dialog.refresh_target(request);
        self.on_update(now, source, id, request.clone());
        true
    }
}

/// RSeq and CSeq number of a RAck value for an INVITE.
fn rack(value: &str) -> Option<(u32, u32)> {
    let mut parts = value.split_ascii_whitespace();
    let rseq = parts.next()?.parse().ok()?;
    let cseq = parts.next()?.parse().ok()?;
    (parts.next()? == "INVITE" && parts.next().is_none()).then_some((rseq, cseq))
}

/// Names the extensions of an INVITE and of responses to one.
pub(super) fn add_extensions(message: &mut Message) {
    for extension in ["100rel", "replaces"] {
        add_supported(message, extension);
    }
}
