//! INVITE with Replaces (RFC 3891): a caller takes the place of the peer of one of our calls.
//! Whether he may is decided by who hears of [`crate::UaEvent::Incoming`].

use super::UserAgent;
use super::call::{Phase, Ringing};
use crate::hop::Hop;
use crate::message::{Message, Params};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Longest Replaces value taken.
const LONGEST_REPLACES: usize = 512;

/// A Replaces value (RFC 3891 6.1): Call-ID, to-tag, from-tag, early-only.
struct Replaces {
    call_id: String,
    to_tag: String,
    from_tag: String,
    early_only: bool,
}

impl Replaces {
    fn parse(text: &str) -> Option<Self> {
        let (call_id, params) = text.split_once(';')?;
        let params = Params::parse(params);
        let tag = |name: &str| params.get(name).filter(|tag| !tag.is_empty());
        let call_id = call_id.trim();
        (text.len() <= LONGEST_REPLACES && !call_id.is_empty()).then_some(())?;
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?.to_owned(),
            from_tag: tag("from-tag")?.to_owned(),
            early_only: params.has("early-only"),
        })
    }
}

/// Whether a text is a Replaces value that may stand in a header.
pub(super) fn is_replaces(text: &str) -> bool {
    let visible = |b: u8| b.is_ascii_graphic() && b != b',';
    text.bytes().all(visible) && Replaces::parse(text).is_some()
}

impl UserAgent {
    /// The call that an INVITE is to replace, if it names one.
    ///
    /// # Errors
    /// Status and reason of the refusal (RFC 3891 3).
    pub(super) fn replaced_call(
        &self,
        source: Hop,
        invite: &Message,
    ) -> Result<Option<u64>, (u16, &'static str)> {
        let mut values = invite.headers.all("Replaces");
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() || invite.headers.get("Join").is_some() {
            return Err((400, "more than one call to be replaced"));
        }
        let wanted = Replaces::parse(value).ok_or((400, "no usable Replaces"))?;
        let unknown = (481, "no such call to be replaced");
        let id = self.call_index.get(&(wanted.call_id, wanted.to_tag));
        let id = *id.ok_or(unknown)?;
        let call = self.calls.get(&id).ok_or(unknown)?;
        let fits = match &call.dialog {
            Some(dialog) => dialog.remote_tag == wanted.from_tag,
            // An early dialog can only be replaced at its caller (RFC 3891 3).
            None => {
                call.phase == Phase::Inviting && {
                    let rings = |one: &Ringing| one.tag == wanted.from_tag;
                    call.rang.iter().any(rings)
                }
            }
        };
        if !fits {
            return Err(unknown);
        }
        // Only who can speak for the other end of that call may pass it on: its own PBX, or for a
        // direct call the phone's host.
        let own = match call.account {
            Some(account) => self.is_of_account(account, source),
            None => source.ip() == call.peer.ip(),
        };
        if !own {
            return Err((403, "the call belongs to another peer"));
        }
        match call.phase {
            _ if call.ended => Err((603, "the call to be replaced is over")),
            Phase::Closing => Err((603, "the call to be replaced is over")),
            Phase::Answered | Phase::Confirmed if wanted.early_only => {
                Err((486, "the call to be replaced is answered"))
            }
            _ => Ok(Some(id)),
        }
    }

    /// Remembers that a phone rings, by its tag. True if it describes sound and has not done so in the same words before: the newest
    /// description is the one to listen to, and 18x is repeated each minute.
    pub(super) fn note_early(&mut self, id: u64, response: &Message) -> bool {
        let Some(call) = self.calls.get_mut(&id) else {
            return false;
        };
        let tag = response.to_tag().unwrap_or_default();
        let known = call.rang.iter().position(|one| one.tag == tag);
        let index = match known {
            Some(index) => index,
            None if call.rang.len() < MAX_EARLY => {
                let described = None;
                call.rang.push(Ringing { tag, described });
                call.rang.len() - 1
            }
            None => return false,
        };
        let (Some(sdp), Some(ringing)) = (response.sdp(), call.rang.get_mut(index)) else {
            return false;
        };
        let mut digest = DefaultHasher::new();
        sdp.hash(&mut digest);
        let described = Some(digest.finish());
        let news = ringing.described != described && call.descriptions < MAX_DESCRIPTIONS;
        if news {
            ringing.described = described;
            call.descriptions += 1;
        }
        news
    }
}

/// Early dialogs of one INVITE that are known by their tag.
const MAX_EARLY: usize = 8;
/// Descriptions of sound before the answer that are listened to. Each may bring keys that have to be remembered.
const MAX_DESCRIPTIONS: u8 = 16;
