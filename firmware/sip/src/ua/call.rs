//! What the user agent keeps of one call.

use super::prack::Early;
use super::session_timer::Session;
use crate::dialog::Dialog;
use crate::hop::Hop;
use crate::message::{Message, NameAddr, Uri};
use crate::{OfferId, Party};
use std::time::Duration;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Our INVITE has no final response.
    Inviting,
    /// Their INVITE has no final response.
    Ringing,
    /// We sent 2xx, no ACK yet.
    Answered,
    /// Both sides agreed.
    Confirmed,
    /// BYE is under way.
    Closing,
}

/// An offer of the peer that waits for `answer_offer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TheirOffer {
    pub(super) id: OfferId,
    pub(super) server: u64,
}

/// Our re-INVITE or UPDATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OurOffer {
    pub(super) update: bool,
    /// Empty: UPDATE without SDP.
    pub(super) sdp: Vec<u8>,
    /// The transaction, `None` while waiting after 491.
    pub(super) client: Option<u64>,
    /// Only keeps the session alive (RFC 4028): nobody asked for it, nobody is told.
    pub(super) refresh: bool,
}

pub(super) struct Call {
    pub(super) account: Option<usize>,
    pub(super) phase: Phase,
    /// True if we made the call, and with it the Call-ID (RFC 3261 14.1 waiting times).
    pub(super) outgoing: bool,
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) dialog: Option<Dialog>,
    /// `Ended` has been reported; only signalling is left.
    pub(super) ended: bool,
    /// Our INVITE transaction.
    pub(super) client: Option<u64>,
    /// Where our INVITE went.
    pub(super) peer: Hop,
    /// A provisional response came, so CANCEL may be sent.
    pub(super) provisional: bool,
    /// CANCEL wanted; with its Reason header.
    pub(super) cancel: Option<Option<String>>,
    pub(super) cancelled: bool,
    /// Their INVITE transaction.
    pub(super) server: Option<u64>,
    /// Our 2xx waits for this ACK: transaction and CSeq.
    pub(super) awaiting_ack: Option<(u64, u32)>,
    /// The 2xx that waits for its ACK holds an offer of ours.
    pub(super) offer_in_2xx: bool,
    /// BYE is due as soon as the ACK came; with its Reason header.
    pub(super) bye_after_ack: Option<Option<String>>,
    pub(super) their_offer: Option<TheirOffer>,
    pub(super) our_offer: Option<OurOffer>,
    /// The transfer that the peer asked for, and how many it asked for in all.
    pub(super) refer: Option<super::refer::Refer>,
    pub(super) refers: u32,
    /// The last NOTIFY while its answer is awaited.
    pub(super) notify: Option<u64>,
    /// BYE is due as soon as that answer came; with its Reason header.
    pub(super) bye_after_notify: Option<Option<String>>,
    /// When the call timer fires.
    pub(super) deadline: Option<Duration>,
    /// Times the ringing timer fired.
    pub(super) ring_periods: u32,
    pub(super) session: Session,
    /// Dialogs of reliable provisional responses to our INVITE.
    pub(super) early: Vec<Early>,
    /// All phones that ring for our INVITE.
    pub(super) rang: Vec<Ringing>,
    /// Descriptions of sound that they have given so far, repetitions left out.
    pub(super) descriptions: u8,
    /// The dialog that our provisional response to their INVITE made.
    pub(super) early_dialog: Option<Dialog>,
    /// Reliable provisional responses to their INVITE.
    pub(super) reliable: Option<super::reliable::Reliably>,
}

/// A phone that rings for our INVITE.
pub(super) struct Ringing {
    /// Its tag.
    pub(super) tag: String,
    /// The sound that it has described last, by its digest.
    pub(super) described: Option<u64>,
}

impl Call {
    /// Our INVITE goes out anew: who rang for the last one does not any more.
    pub(super) fn forget_forks(&mut self) {
        self.early.clear();
        self.rang.clear();
        self.descriptions = 0;
    }

    pub(super) fn new(outgoing: bool, call_id: String, local_tag: String, peer: Hop) -> Self {
        Self {
            account: None,
            phase: if outgoing {
                Phase::Inviting
            } else {
                Phase::Ringing
            },
            outgoing,
            call_id,
            local_tag,
            dialog: None,
            ended: false,
            client: None,
            peer,
            provisional: false,
            cancel: None,
            cancelled: false,
            server: None,
            awaiting_ack: None,
            offer_in_2xx: false,
            bye_after_ack: None,
            their_offer: None,
            our_offer: None,
            refer: None,
            refers: 0,
            notify: None,
            bye_after_notify: None,
            deadline: None,
            ring_periods: 0,
            session: Session::default(),
            early: Vec::new(),
            rang: Vec::new(),
            descriptions: 0,
            early_dialog: None,
            reliable: None,
        }
    }

    /// True if a message from `source` can belong to this call.
    pub(super) fn lives_at(&self, source: Hop) -> bool {
        source.may_be(self.peer) || self.dialog.as_ref().is_some_and(|d| d.lives_at(source))
    }
}

/// Text of a peer as it may be logged and compared: control characters (an escaped line break in
/// a user part, say) are replaced, and so equal nothing that is configured.
pub(super) fn visible(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// The party a name-addr names.
pub(super) fn party(address: Option<&NameAddr>) -> Party {
    let Some(address) = address else {
        return Party::default();
    };
    let display_name = address.display_name.as_deref().map(visible);
    let Some(uri) = Uri::parse(&address.uri) else {
        return Party {
            display_name,
            uri: visible(&address.uri),
            ..Party::default()
        };
    };
    // Who escapes a letter or digit for no reason wants to be taken for somebody else by one of
    // the two who compare the name; such a name stays as it is written.
    let user = match &uri.user {
        Some(raw) if has_needless_escape(raw) => visible(raw),
        _ => visible(&uri.decoded_user()),
    };
    let host = if uri.scheme == "tel" {
        String::new()
    } else {
        uri.host
    };
    let uri = match (uri.scheme.as_str(), user.is_empty()) {
        ("tel", _) => format!("tel:{user}"),
        (_, true) => format!("sip:{host}"),
        (_, false) => format!("sip:{user}@{host}"),
    };
    Party {
        display_name,
        uri,
        user,
        host,
    }
}

/// Whether an escape stands for a character that needs none (RFC 3261 25.1, unreserved).
fn has_needless_escape(user: &str) -> bool {
    user.split('%').skip(1).any(|rest| {
        let code = rest
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        code.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte))
    })
}

/// Text of a Reason header (RFC 3326), if there is one.
pub(super) fn reason_text(message: &Message) -> Option<String> {
    let reason = message.headers.get("Reason")?;
    let (_, params) = reason.split_once(';')?;
    let params = crate::message::Params::parse(params);
    params
        .get("text")
        .map(|text| text.chars().take(200).collect())
}
