//! REFER within a call (RFC 3515): the peer asks us to call somebody else, and is told by NOTIFY
//! how that goes. Whether we do is not decided here.

use super::call::Phase;
use super::{Owner, UserAgent};
use crate::hop::Hop;
use crate::message::{Message, Method, NameAddr, Uri};
use crate::{CallId, UaEvent};
use std::time::Duration;

/// How long a transfer may take; told to the peer as the life of the subscription.
const SUBSCRIPTION_S: u32 = 300;

/// How long a BYE waits for the answer to the last NOTIFY.
pub(super) const BYE_WAITS: Duration = Duration::from_secs(5);

/// A transfer that the peer asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refer {
    /// The transaction of the REFER until it is answered.
    server: Option<u64>,
    /// `;id=CSeq` in Event, from the second REFER of a call on (RFC 3515 2.4.6).
    id: Option<u32>,
    /// The peer wants no NOTIFY (RFC 4488).
    silent: bool,
    /// Status told last.
    told: u16,
}

impl UserAgent {
    pub(super) fn on_refer(&mut self, now: Duration, source: Hop, id: u64, request: Message) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if call.phase != Phase::Confirmed || call.ended {
            self.refuse_in_dialog(now, source, request, 481, "the call is not up");
            return;
        }
        if call.refer.is_some() {
            self.refuse_in_dialog(now, source, request, 603, "a transfer is under way");
            return;
        }
        let (again, account) = (call.refers > 0, call.account);
        let Some((target, replaces)) = refer_to(&request) else {
            self.refuse_in_dialog(now, source, request, 400, "no usable Refer-To");
            return;
        };
        let referred_by = request.headers.get("Referred-By");
        let referred_by = referred_by
            .and_then(NameAddr::parse)
            .filter(|by| Uri::parse(&by.uri).is_some())
            .map(|by| by.uri);
        let silent = request
            .headers
            .get("Refer-Sub")
            .is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let cseq = request.cseq().map(|(number, _)| number);
        let Some(server) = self.start_server(source, request.clone()) else {
            self.refuse(now, source, &request, 503, "too many transactions");
            return;
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.refers += 1;
            call.refer = Some(Refer {
                server: Some(server),
                id: cseq.filter(|_| again),
                silent,
                told: 0,
            });
        }
        self.events.push_back(UaEvent::Transfer {
            call: CallId(id),
            account,
            target,
            replaces,
            referred_by,
        });
    }

    /// Says yes to [`UaEvent::Transfer`]: 202, and the first NOTIFY.
    pub fn accept_transfer(&mut self, now: Duration, call: CallId) {
        let Some((server, silent)) = self.answered_refer(call) else {
            return;
        };
        let Some(request) = self.servers.get(&server).map(|s| s.request.clone()) else {
            return;
        };
        let mut response = Message::response_to(&request, 202, None);
        if let Some((user, peer)) = self.user_of(call.0) {
            response.headers.push("Contact", self.contact(&user, peer));
        }
        if silent {
            response.headers.push("Refer-Sub", "false");
        }
        self.respond(now, server, response);
        self.transfer_progress(now, call, 100);
    }

    /// Says no to [`UaEvent::Transfer`] with a status of 300..=699 (others become 603).
    pub fn reject_transfer(&mut self, now: Duration, call: CallId, status: u16) {
        let status = match status {
            300..=699 => status,
            _ => 603,
        };
        let Some((server, _)) = self.answered_refer(call) else {
            return;
        };
        if let Some(call) = self.calls.get_mut(&call.0) {
            call.refer = None;
        }
        self.counters.refused += 1;
        self.respond_status(now, server, status);
    }

    /// Tells the peer that asked for a transfer how it goes. A status of 200 and more is the last
    /// word.
    pub fn transfer_progress(&mut self, now: Duration, call: CallId, status: u16) {
        let id = call.0;
        let Some((user, _)) = self.user_of(id) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(refer) = call.refer.as_mut() else {
            return;
        };
        if refer.server.is_some() || refer.told == status {
            return;
        }
        refer.told = status;
        let refer = refer.clone();
        if status >= 200 {
            call.refer = None;
        }
        // Within a call that is being ended the peer waits for nothing any more.
        if refer.silent || call.phase != Phase::Confirmed || call.ended {
            return;
        }
        let Some(dialog) = call.dialog.as_mut() else {
            return;
        };
        let mut notify = dialog.request(Method::NOTIFY, None);
        let destination = dialog.next_hop();
        let event = refer
            .id
            .map_or("refer".to_owned(), |id| format!("refer;id={id}"));
        notify.headers.push("Event", event);
        let state = if status >= 200 {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={SUBSCRIPTION_S}")
        };
        notify.headers.push("Subscription-State", state);
        let contact = self.contact(&user, destination);
        notify.headers.push("Contact", contact);
        let phrase = crate::message::reason_phrase(status);
        let body = format!("SIP/2.0 {status} {phrase}\r\n");
        notify.set_body("message/sipfrag;version=2.0", body.into_bytes());
        let client = self.send_request(now, notify, destination, Owner::Notify(id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.notify = client.or(call.notify);
        }
    }

    pub(super) fn on_notify_response(&mut self, now: Duration, id: u64, client: u64, r: &Message) {
        let status = r.status().unwrap_or(100);
        if status < 200 {
            return;
        }
        if matches!(status, 401 | 407)
            && let Some(new) = self.retry_in_dialog(now, id, client, r)
        {
            if let Some(call) = self.calls.get_mut(&id) {
                call.notify = call
                    .notify
                    .map(|last| if last == client { new } else { last });
            }
            if self
                .calls
                .get(&id)
                .is_some_and(|c| c.bye_after_notify.is_some())
            {
                self.limit_client(new, now + BYE_WAITS);
            }
            return;
        }
        if status >= 300 {
            self.nobody_listens(id);
        }
        self.notify_over(now, id, client);
    }

    /// That NOTIFY is over: a BYE that waited for it goes out.
    fn notify_over(&mut self, now: Duration, id: u64, client: u64) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.notify.take_if(|last| *last == client).is_some()
            && let Some(reason) = call.bye_after_notify.take()
        {
            self.send_bye(now, id, reason.as_deref());
        }
    }

    pub(super) fn notify_unanswered(&mut self, now: Duration, id: u64) {
        self.nobody_listens(id);
        let last = self.calls.get(&id).and_then(|call| call.notify);
        let waits = |client: &u64| self.clients.get(client).is_some_and(|c| c.is_waiting());
        if let Some(client) = last.filter(|client| !waits(client)) {
            self.notify_over(now, id, client);
        }
    }

    /// The peer does not want to know any more; the call itself is not touched (RFC 5057 5.2).
    fn nobody_listens(&mut self, id: u64) {
        if let Some(refer) = self.calls.get_mut(&id).and_then(|call| call.refer.as_mut()) {
            refer.silent = true;
        }
    }

    /// The call is over: a REFER without answer gets one.
    pub(super) fn drop_refer(&mut self, now: Duration, id: u64) {
        let refer = self.calls.get_mut(&id).and_then(|call| call.refer.take());
        if let Some(server) = refer.and_then(|refer| refer.server) {
            self.respond_status(now, server, 481);
        }
    }

    /// The transaction of a REFER that now gets its answer, and whether NOTIFY is unwanted.
    fn answered_refer(&mut self, call: CallId) -> Option<(u64, bool)> {
        let refer = self.calls.get_mut(&call.0)?.refer.as_mut()?;
        Some((refer.server.take()?, refer.silent))
    }

    /// User part of our Contact in a call, and the peer.
    fn user_of(&self, id: u64) -> Option<(String, Hop)> {
        let call = self.calls.get(&id)?;
        let account = self.config.accounts.get(call.account.unwrap_or(0))?;
        Some((account.user.clone(), call.peer))
    }
}

/// Address of Refer-To without its headers, and the Replaces among them. `None` unless there is
/// exactly one address that a call can be made to.
fn refer_to(request: &Message) -> Option<(String, Option<String>)> {
    let mut all = request.headers.list("Refer-To");
    let address = NameAddr::parse(all.next()?)?;
    let uri = Uri::parse(&address.uri)?;
    if all.next().is_some() {
        return None;
    }
    let target = address
        .uri
        .split_once('?')
        .map_or(address.uri.as_str(), |(target, _)| target);
    let replaces = uri.headers.as_deref().and_then(|headers| {
        headers.split('&').find_map(|header| {
            let (name, value) = header.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces")
                .then(|| crate::message::percent_decode(value))
        })
    });
    match replaces {
        Some(replaces) if !super::replaces::is_replaces(&replaces) => None,
        replaces => Some((target.to_owned(), replaces)),
    }
}
