//! A caller takes the place of a phone that rings or talks (RFC 3891): the other half of an attended
//! transfer, and of picking a call up. He called in, so that he opens only where callers may.

use std::time::Duration;

use super::{Controller, Phase, Talker};
use crate::access::Caller;
use crate::digits::DigitMatcher;
use crate::event::Event;
use crate::leg::{Action, LegId};

impl Controller {
    /// A call came in that is to take the place of `old`; that it may speak for the peer of `old`
    /// is checked already.
    pub fn leg_replaces(&mut self, now: Duration, leg: LegId, old: LegId, caller: &Caller) {
        let user = caller.name();
        if !self.may_call_in(caller) {
            let status = self.settings.access.refuse_status;
            return self.refuse_call(leg, user, status, "the caller may not call in");
        }
        if let Some(line) = self.line_of_fork(old) {
            // As with any call to a line that rings: the first that talks has the visitor.
            self.drop_forks(now, line, "answered elsewhere");
            self.actions.push_back(Action::AnswerIncoming { leg, line });
            return self.begin_talk(now, line, Some(leg), Talker::Caller(caller.clone()));
        }
        let Some(line) = self.talk_of(old) else {
            return self.refuse_call(leg, user, 603, "no visitor to take over");
        };
        let refused = if !self.settings.access.transfer {
            Some((603, "transfers are switched off (access.transfer)"))
        } else if self.is_transferring(line) {
            Some((486, "another transfer is under way"))
        } else {
            None
        };
        if let Some((status, why)) = refused {
            return self.refuse_call(leg, user, status, why);
        }
        self.actions.push_back(Action::AnswerIncoming { leg, line });
        let talker = Talker::Caller(caller.clone());
        self.hand_over(now, line, leg, talker, true);
    }

    /// The visitor of a talk goes to another leg, which called in or was called. What was pressed
    /// before counts no more, and whoever had him has nothing to do with this line any more.
    pub(super) fn hand_over(
        &mut self,
        now: Duration,
        line: usize,
        leg: LegId,
        talker: Talker,
        called_in: bool,
    ) {
        let digits = DigitMatcher::new(&self.settings.door.digits);
        let (name, apartment) = (self.line_name(line), self.apartment(line));
        let Phase::Talking(talk) = &mut self.phases[line] else {
            return;
        };
        let target = talker.shown().to_owned();
        let (direction, reason) = if called_in {
            ("incoming", "taken over")
        } else {
            ("outgoing", "")
        };
        let old = talk.leg.replace(leg);
        let party = std::mem::replace(&mut talk.talker, talker);
        let talk_ms = now.saturating_sub(talk.since).as_millis() as u64;
        // A lock for too many wrong keys belongs to the party that pressed them.
        (talk.since, talk.digits, talk.locked) = (now, digits, false);
        let party = party.shown().to_owned();
        self.actions.push_back(Action::JoinLine { line, leg });
        if let Some(old) = old {
            self.actions.push_back(Action::TransferProgress {
                leg: old,
                status: 200,
            });
            self.actions.push_back(Action::HangUp {
                leg: old,
                why: "transferred",
            });
        }
        for event in [
            Event::CallTransfer {
                line: name.clone(),
                party: party.clone(),
                target: target.clone(),
                state: "done".to_owned(),
                reason: reason.to_owned(),
            },
            Event::CallEnded {
                line: name.clone(),
                apartment,
                party,
                reason: "transferred".to_owned(),
                talk_ms,
            },
            Event::CallAnswered {
                line: name,
                apartment,
                party: target,
                direction: direction.to_owned(),
            },
        ] {
            self.tell(event);
        }
    }
}
