//! Offers within a call: re-INVITE (RFC 3261 14) and UPDATE (RFC 3311), both ways, with glare.

use super::call::{OurOffer, Phase, TheirOffer};
use super::{Owner, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method};
use crate::{CallId, EndedBy, OfferId, UaError, UaErrorKind, UaEvent};
use std::time::Duration;

impl UserAgent {
    pub(super) fn on_reinvite(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        request: Message,
        cseq: u32,
    ) {
        if !self.may_offer(now, source, id, &request) {
            return;
        }
        let sdp = request.sdp();
        let Some(server) = self.take_offer(now, source, id, request) else {
            return;
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.awaiting_ack = Some((server, cseq));
        }
        self.respond_status(now, server, 100);
        let (call, offer) = (CallId(id), OfferId(server));
        self.events.push_back(match sdp {
            Some(sdp) => UaEvent::Offer { call, offer, sdp },
            None => UaEvent::OfferlessReinvite { call, offer },
        });
    }

    pub(super) fn on_update(&mut self, now: Duration, source: Hop, id: u64, request: Message) {
        let Some(sdp) = request.sdp() else {
            if let Some(dialog) = self.calls.get_mut(&id).and_then(|c| c.dialog.as_mut()) {
                dialog.refresh_target(&request);
            }
            if self.update_too_short(now, source, id, &request) {
                return;
            }
            let mut response = self.session_response(id, &request, 200);
            self.answer_session(now, id, &request, &mut response);
            self.respond_new(now, source, request, response);
            return;
        };
        if !self.may_offer(now, source, id, &request) {
            return;
        }
        let Some(server) = self.take_offer(now, source, id, request) else {
            return;
        };
        let (call, offer) = (CallId(id), OfferId(server));
        self.events.push_back(UaEvent::Offer { call, offer, sdp });
    }

    /// Refuses an offer that comes at the wrong time (RFC 3261 14.2, RFC 3311 5.2).
    fn may_offer(&mut self, now: Duration, source: Hop, id: u64, request: &Message) -> bool {
        let Some(call) = self.calls.get(&id) else {
            return false;
        };
        let request = || request.clone();
        if call.ended || call.phase == Phase::Closing {
            self.refuse_in_dialog(now, source, request(), 481, "the call is over");
        } else if call.our_offer.as_ref().is_some_and(|o| o.client.is_some()) {
            self.refuse_in_dialog(now, source, request(), 491, "an offer of ours is under way");
        } else if call.awaiting_ack.is_some() && call.offer_in_2xx {
            // RFC 3311 5.2: the offer that waits for its answer is ours.
            self.refuse_in_dialog(now, source, request(), 491, "an offer of ours is under way");
        } else if call.their_offer.is_some() || call.awaiting_ack.is_some() {
            self.refuse_in_dialog(now, source, request(), 500, "an earlier offer is open");
        } else if !request().body.is_empty() && request().sdp().is_none() {
            self.refuse_in_dialog(now, source, request(), 415, "body is no SDP");
        } else {
            return !self.update_too_short(now, source, id, &request());
        }
        false
    }

    /// Refuses a re-INVITE or UPDATE for too short a session (RFC 4028 9).
    fn update_too_short(&mut self, now: Duration, source: Hop, id: u64, r: &Message) -> bool {
        let account = self.calls.get(&id).and_then(|c| c.account);
        let short = self.session_too_short(account, r);
        if short {
            let why = "session interval too small";
            self.refuse_in_dialog(now, source, r.clone(), 422, why);
        }
        short
    }

    pub(super) fn take_offer(
        &mut self,
        now: Duration,
        source: Hop,
        id: u64,
        request: Message,
    ) -> Option<u64> {
        let Some(server) = self.start_server(source, request.clone()) else {
            self.refuse(now, source, &request, 503, "too many transactions");
            return None;
        };
        if let Some(transaction) = self.servers.get_mut(&server) {
            transaction.call = Some(id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.their_offer = Some(TheirOffer {
                id: OfferId(server),
                server,
            });
        }
        Some(server)
    }

    /// A response to a re-INVITE or UPDATE, with Contact.
    pub(super) fn session_response(&self, id: u64, request: &Message, status: u16) -> Message {
        let mut response = Message::response_to(request, status, None);
        let call = self.calls.get(&id);
        let account = call.and_then(|c| c.account);
        let user = account
            .and_then(|a| self.config.accounts.get(a))
            .map(|a| a.user.clone());
        let user = user.or_else(|| {
            let to = request.to()?;
            crate::message::Uri::parse(&to.uri)?.user
        });
        if let Some(call) = call {
            let contact = self.contact(&user.unwrap_or_default(), call.peer);
            response.headers.push("Contact", contact);
        }
        response.headers.push("Allow", super::ALLOW);
        response
    }

    fn their_offer(&self, call: CallId, offer: OfferId) -> Option<u64> {
        let offered = self.calls.get(&call.0)?.their_offer?;
        (offered.id == offer).then_some(offered.server)
    }

    /// Answers an offer of the peer with 200, or gives ours to an offerless re-INVITE.
    pub fn answer_offer(&mut self, now: Duration, call: CallId, offer: OfferId, sdp: Vec<u8>) {
        let Some(server) = self.their_offer(call, offer) else {
            return;
        };
        let Some(request) = self.servers.get(&server).map(|s| s.request.clone()) else {
            return;
        };
        let mut response = self.session_response(call.0, &request, 200);
        self.answer_session(now, call.0, &request, &mut response);
        self.note_sdp(call.0, Some(&sdp), request.sdp().as_deref());
        response.set_body("application/sdp", sdp);
        if let Some(state) = self.calls.get_mut(&call.0) {
            state.their_offer = None;
            state.offer_in_2xx =
                request.method() == Some(&Method::INVITE) && request.sdp().is_none();
            if let Some(dialog) = state.dialog.as_mut() {
                dialog.refresh_target(&request);
            }
        }
        self.respond(now, server, response);
    }

    /// Refuses an offer of the peer; the session goes on as it was.
    pub fn reject_offer(&mut self, now: Duration, call: CallId, offer: OfferId, status: u16) {
        let Some(server) = self.their_offer(call, offer) else {
            return;
        };
        let status = if (300..700).contains(&status) {
            status
        } else {
            488
        };
        self.respond_status(now, server, status);
        self.forget_their_offer(call.0, server);
    }

    fn forget_their_offer(&mut self, id: u64, server: u64) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        if call.awaiting_ack.is_some_and(|(s, _)| s == server) {
            call.awaiting_ack = None;
        }
        let had = call.their_offer.take_if(|o| o.server == server).is_some();
        had && !call.ended
    }

    /// The peer took an offer back (CANCEL of a re-INVITE).
    pub(super) fn withdraw_offer(&mut self, id: u64, server: u64) {
        if self.forget_their_offer(id, server) {
            let (call, offer) = (CallId(id), OfferId(server));
            self.events
                .push_back(UaEvent::OfferWithdrawn { call, offer });
        }
    }

    /// The call ends: an open offer of the peer gets 487, ours is no longer waited for.
    pub(super) fn drop_offers(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.our_offer = None;
        if let Some(offer) = call.their_offer {
            self.respond_status(now, offer.server, 487);
            self.forget_their_offer(id, offer.server);
        }
    }

    /// Offers new SDP with a re-INVITE. After 491 it is repeated by itself.
    ///
    /// # Errors
    /// [`UaErrorKind::NoCall`], or [`UaErrorKind::WrongState`] while another offer is open.
    pub fn reinvite(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) -> Result<(), UaError> {
        self.offer(now, call, sdp, false)
    }

    /// Offers new SDP with UPDATE.
    ///
    /// # Errors
    /// Like [`Self::reinvite`].
    pub fn update(&mut self, now: Duration, call: CallId, sdp: Vec<u8>) -> Result<(), UaError> {
        self.offer(now, call, sdp, true)
    }

    fn offer(
        &mut self,
        now: Duration,
        call: CallId,
        sdp: Vec<u8>,
        update: bool,
    ) -> Result<(), UaError> {
        let state = self.confirmed(call)?;
        if state.our_offer.is_some() || state.their_offer.is_some() || state.awaiting_ack.is_some()
        {
            return Err(UaError::new(
                UaErrorKind::WrongState,
                "another offer is open",
            ));
        }
        state.our_offer = Some(OurOffer {
            update,
            sdp,
            client: None,
            refresh: false,
        });
        self.retry_offer(now, call.0);
        Ok(())
    }

    /// Sends our waiting offer.
    pub(super) fn retry_offer(&mut self, now: Duration, id: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (account, peer) = (call.account, call.peer);
        let Some(offer) = call.our_offer.as_ref().filter(|o| o.client.is_none()) else {
            return;
        };
        // UPDATE without SDP meets no offer, so that a slow answer does not cost the session.
        let bare = offer.update && offer.sdp.is_empty();
        if !bare && (call.their_offer.is_some() || call.awaiting_ack.is_some()) {
            // The peer was faster; ours comes when his is done.
            self.set_call_deadline(id, Some(now + Duration::from_secs(1)));
            return;
        }
        let (update, sdp) = (offer.update, offer.sdp.clone());
        let Some(dialog) = call.dialog.as_mut() else {
            return;
        };
        let method = if update {
            Method::UPDATE
        } else {
            Method::INVITE
        };
        let mut request = dialog.request(method, None);
        let destination = dialog.next_hop();
        let user = account
            .and_then(|a| self.config.accounts.get(a))
            .map(|a| a.user.clone());
        request
            .headers
            .push("Contact", self.contact(&user.unwrap_or_default(), peer));
        request.headers.push("Allow", super::ALLOW);
        if let Some(call) = self.calls.get(&id) {
            self.write_session(&call.session, account, &mut request);
        }
        if !sdp.is_empty() {
            request.set_body("application/sdp", sdp);
        }
        let owner = if update {
            Owner::Update(id)
        } else {
            Owner::Reinvite(id)
        };
        let client = self.send_request(now, request, destination, owner);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        match client {
            Some(_) => {
                if let Some(offer) = call.our_offer.as_mut() {
                    offer.client = client;
                }
            }
            None => self.our_offer_failed(id, 503),
        }
    }

    fn our_offer_failed(&mut self, id: u64, status: u16) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let offer = call.our_offer.take();
        if offer.is_some_and(|offer| !offer.refresh) && !call.ended {
            self.events.push_back(UaEvent::OfferRejected {
                call: CallId(id),
                status,
            });
        }
    }

    pub(super) fn on_offer_response(
        &mut self,
        now: Duration,
        id: u64,
        client: u64,
        response: &Message,
        source: Hop,
    ) {
        let Some(status) = response.status().filter(|s| *s >= 200) else {
            return;
        };
        let is_invite = self
            .clients
            .get(&client)
            .is_some_and(|c| c.request.method() == Some(&Method::INVITE));
        if is_invite && (200..300).contains(&status) {
            self.ack_reinvite(id, client, response, source);
        }
        let current = |o: &&super::call::OurOffer| o.client == Some(client);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.our_offer.as_ref().filter(current).is_none() {
            return;
        }
        match status {
            200..=299 => {
                let offer = call.our_offer.take();
                if let Some(dialog) = call.dialog.as_mut() {
                    dialog.refresh_target(response);
                }
                if !call.ended {
                    self.session_answered(now, id, response);
                    let (refresh, local) =
                        offer.map_or((false, None), |o| (o.refresh, Some(o.sdp)));
                    let sdp = response.sdp();
                    let changed = self.note_sdp(id, local.as_deref(), sdp.as_deref());
                    if refresh && !changed {
                        return;
                    }
                    let call = CallId(id);
                    self.events.push_back(UaEvent::OfferAccepted { call, sdp });
                }
            }
            491 => {
                // RFC 3261 14.1: the owner of the Call-ID waits longer, so one of us is first.
                let outgoing = call.outgoing;
                if let Some(offer) = call.our_offer.as_mut() {
                    offer.client = None;
                }
                let part = self.fraction();
                let wait_s = if outgoing {
                    2.1 + 1.9 * part
                } else {
                    2.0 * part
                };
                self.set_call_deadline(id, Some(now + Duration::from_secs_f64(wait_s)));
            }
            401 | 407 => match self.retry_in_dialog(now, id, client, response) {
                Some(new) => {
                    let call = self.calls.get_mut(&id);
                    if let Some(offer) = call.and_then(|c| c.our_offer.as_mut()) {
                        offer.client = Some(new);
                    }
                }
                None => self.our_offer_failed(id, status),
            },
            408 | 481 => {
                self.our_offer_failed(id, status);
                self.dialog_lost(now, id, status, EndedBy::Remote);
            }
            422 => {
                let raised = self.raise_session(id, response);
                let call = self.calls.get_mut(&id);
                match call.and_then(|c| c.our_offer.as_mut()) {
                    Some(offer) if raised => {
                        offer.client = None;
                        self.retry_offer(now, id);
                    }
                    _ => self.our_offer_failed(id, status),
                }
            }
            _ => {
                let refresh = call.our_offer.as_ref().is_some_and(|o| o.refresh);
                self.our_offer_failed(id, status);
                if refresh {
                    self.refresh_refused(now, id, status);
                }
            }
        }
    }

    /// ACK of a 2xx to our re-INVITE, also if the call ended meanwhile.
    fn ack_reinvite(&mut self, id: u64, client: u64, response: &Message, source: Hop) {
        let tag = response.to_tag().unwrap_or_default();
        let Some(transaction) = self.clients.get(&client) else {
            return;
        };
        if let Some((_, to, ack)) = transaction.acks.iter().find(|(t, ..)| *t == tag) {
            let (to, ack) = (*to, ack.clone());
            self.transmit(to, ack);
            return;
        }
        let dialog = self.calls.get(&id).and_then(|c| c.dialog.clone());
        let dialog = dialog.or_else(|| {
            crate::dialog::Dialog::from_response(&transaction.request, response, source)
        });
        if let Some(mut dialog) = dialog {
            dialog.refresh_target(response);
            self.ack_2xx(client, &tag, &mut dialog);
        }
    }

    pub(super) fn offer_unanswered(&mut self, now: Duration, id: u64, by: EndedBy) {
        self.our_offer_failed(id, 408);
        self.dialog_lost(now, id, 408, by);
    }
}
