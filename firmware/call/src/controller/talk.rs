//! An answered call: keys, the door, and the ways it ends.

use std::time::Duration;

use super::{Controller, Phase, Talk, Talker};
use crate::access::{Opener, may_open};
use crate::digits::{DigitMatcher, KeyPace};
use crate::door::Opening;
use crate::event::{Cause, Event, Refusal};
use crate::leg::{Action, LegId};

impl Controller {
    pub(super) fn talk_of(&self, leg: LegId) -> Option<usize> {
        self.phases
            .iter()
            .position(|phase| matches!(phase, Phase::Talking(talk) if talk.leg == Some(leg)))
    }

    pub(super) fn begin_talk(
        &mut self,
        now: Duration,
        line: usize,
        leg: Option<LegId>,
        talker: Talker,
    ) {
        if leg.is_some() {
            let event = Event::CallAnswered {
                line: self.line_name(line),
                apartment: self.apartment(line),
                party: talker.shown().to_owned(),
                direction: if matches!(talker, Talker::Called(_)) {
                    "outgoing"
                } else {
                    "incoming"
                }
                .to_owned(),
            };
            self.actions.push_back(Action::Tell(event));
        }
        let taken = self.is_taken(line);
        let digits = DigitMatcher::new(&self.settings.door.digits);
        let talk = Talk {
            leg,
            talker,
            since: now,
            digits,
            pace: KeyPace::new(now),
            locked: false,
            opening: None,
            end_at: None,
            limit_at: now + self.settings.call.talk_limit,
            transfer: None,
        };
        self.phases[line] = Phase::Talking(Box::new(talk));
        if let Some(leg) = leg {
            self.actions.push_back(if taken {
                Action::JoinLine { line, leg }
            } else {
                Action::AnswerLine { line, leg }
            });
        } else if !taken {
            self.actions.push_back(Action::TakeLine { line });
        }
    }

    /// A key was pressed on a leg. Only an answered leg that is joined to a line counts, and only
    /// at the pace of a hand.
    pub fn leg_digit(&mut self, now: Duration, leg: LegId, key: char, via: &str) {
        if self.feature_key(now, leg, key) {
            return;
        }
        let Some(line) = self.talk_of(leg) else {
            return;
        };
        let limit = self.settings.door.max_wrong_digits;
        let name = self.line_name(line);
        let Phase::Talking(talk) = &mut self.phases[line] else {
            return;
        };
        if !talk.pace.takes(now) {
            return;
        }
        let complete = talk.digits.press(now, key);
        let party = talk.talker.shown().to_owned();
        let locks = !talk.locked && talk.digits.wrong() >= limit;
        talk.locked |= locks;
        let refused = talk.locked && (complete || locks);
        self.tell(Event::Digit {
            line: name,
            party,
            via: via.to_owned(),
            complete,
        });
        if refused {
            self.refuse_door(line, Cause::Dtmf, Refusal::TooManyWrongDigits);
        } else if complete {
            // A refusal has its record already.
            let _ = self.open_door(now, line, Cause::Dtmf);
        }
    }

    /// A technician asks for the door. A ringing line is taken for it, since the panel opens
    /// only towards a lifted handset.
    pub fn door_test(&mut self, now: Duration, line: usize, cause: Cause) -> Result<(), Refusal> {
        let ringing = matches!(self.phases.get(line), Some(Phase::Ringing { .. }));
        let talking = matches!(self.phases.get(line), Some(Phase::Talking(_)));
        if line >= self.phases.len() {
            return Err(Refusal::LineUnavailable);
        }
        if ringing {
            self.drop_forks(now, line, "technician took the line");
            self.begin_talk(now, line, None, Talker::Technician);
        } else if !talking {
            self.refuse_door(line, cause, Refusal::NoCall);
            return Err(Refusal::NoCall);
        }
        self.open_door(now, line, cause)
    }

    fn open_door(&mut self, now: Duration, line: usize, cause: Cause) -> Result<(), Refusal> {
        let (name, apartment) = (self.line_name(line), self.apartment(line));
        let Phase::Talking(talk) = &self.phases[line] else {
            return Err(Refusal::NoCall);
        };
        let opener = match (&talk.talker, cause) {
            (_, Cause::Cli | Cause::Console | Cause::Handset) => None,
            (Talker::Called(_) | Talker::Technician, Cause::Dtmf) => Some(Opener::Called),
            (Talker::Caller(caller), Cause::Dtmf) => Some(Opener::Caller(caller)),
        };
        let refusal = if opener.is_some_and(|opener| {
            !self
                .route(line)
                .is_some_and(|route| may_open(route, opener))
        }) {
            Some(Refusal::PartyNotAllowed)
        } else if talk.opening.is_some() {
            Some(Refusal::AlreadyOpening)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            self.refuse_door(line, cause, refusal);
            return Err(refusal);
        }
        let party = match cause {
            Cause::Dtmf => talk.talker.shown().to_owned(),
            _ => "technician".to_owned(),
        };
        let record = self.record(Event::DoorOpened {
            line: name,
            apartment,
            party,
            cause,
        });
        let deadline = now + self.settings.open_wait;
        if let Phase::Talking(talk) = &mut self.phases[line] {
            talk.opening = Some(Opening::new(record, deadline));
        }
        Ok(())
    }

    fn refuse_door(&mut self, line: usize, cause: Cause, reason: Refusal) {
        let (name, apartment) = (self.line_name(line), self.apartment(line));
        let party = match (&self.phases[line], cause) {
            (Phase::Talking(talk), Cause::Dtmf) => talk.talker.shown().to_owned(),
            _ => "technician".to_owned(),
        };
        self.record(Event::DoorRefused {
            line: name,
            apartment,
            party,
            cause,
            reason,
        });
    }

    /// The release is over: the call ends a while later.
    pub(super) fn release_ended(&mut self, now: Duration, line: usize) {
        let after = self.settings.door.hangup_after_open;
        let name = self.line_name(line);
        if let Phase::Talking(talk) = &mut self.phases[line] {
            talk.opening = None;
            // A technician holds no conversation: without a phone the line is left at once.
            let after = if talk.leg.is_none() {
                Some(after.unwrap_or_default())
            } else {
                after
            };
            talk.end_at = talk.end_at.or(after.map(|after| now + after));
        }
        self.forget_opening(line);
        self.tell(Event::DoorReleaseEnded { line: name });
    }

    /// The line could not carry out an authorised release.
    pub fn release_failed(&mut self, line: usize, reason: String) {
        if line >= self.phases.len() {
            return;
        }
        self.forget_opening(line);
        let name = self.line_name(line);
        self.tell(Event::DoorReleaseFailed { line: name, reason });
    }

    fn forget_opening(&mut self, line: usize) {
        match &mut self.phases[line] {
            Phase::Talking(talk) => talk.opening = None,
            Phase::Over { opening } => *opening = None,
            _ => {}
        }
    }

    /// The line is gone under an authorised opening, and nothing else will tell of its end.
    pub(super) fn give_up_opening(&mut self, line: usize, why: &str) {
        if let Phase::Over { opening } = &mut self.phases[line]
            && opening.take().is_some()
        {
            let reason = format!("the call ended before the release was over: {why}");
            let line = self.line_name(line);
            self.tell(Event::DoorReleaseFailed { line, reason });
        }
    }

    /// The panel ended its call.
    pub(super) fn panel_left(&mut self, now: Duration, line: usize, how: &'static str) {
        if matches!(self.phases[line], Phase::Unserved) {
            return;
        }
        let event = Event::PanelEnded {
            line: self.line_name(line),
            apartment: self.apartment(line),
            how: how.to_owned(),
        };
        self.tell(event);
        let why = if how == "gave_up" {
            "the panel gave up"
        } else {
            "the panel ended the call"
        };
        self.visit_over(now, line, why);
    }

    /// The call on the line is over, and not by us.
    pub(super) fn visit_over(&mut self, now: Duration, line: usize, why: &'static str) {
        if matches!(self.phases[line], Phase::Unserved) {
            return;
        }
        self.drop_forks(now, line, why);
        self.leave_early(line);
        self.end_talk(now, line, why, true);
        self.give_up_opening(line, why);
        self.end_announcement(line);
        if !matches!(self.phases[line], Phase::Idle) {
            self.phases[line] = Phase::Over { opening: None };
        }
    }

    /// Promise 6: the old handset wins, whatever we were doing.
    pub(super) fn handset_lifted(&mut self, now: Duration, line: usize) {
        // The neighbours' comings and goings are none of our business.
        let unserved = self.visits[line].route.is_none();
        if matches!(self.phases[line], Phase::Unserved) || unserved {
            self.phases[line] = Phase::Unserved;
            return;
        }
        let event = Event::HandsetLifted {
            line: self.line_name(line),
            apartment: self.apartment(line),
        };
        self.tell(event);
        self.drop_forks(now, line, "handset lifted");
        // The line has given itself back already; it must not be hung up under the resident.
        self.end_talk(now, line, "handset lifted", false);
        self.give_up_opening(line, "handset lifted");
        self.phases[line] = Phase::Handset;
    }

    /// The audio of a leg stopped coming.
    pub fn leg_media_lost(&mut self, now: Duration, leg: LegId) {
        if let Some(line) = self.talk_of(leg) {
            self.end_talk(now, line, "no audio from the PBX", true);
        } else if self.forget_feature(leg) {
            self.actions.push_back(Action::HangUp {
                leg,
                why: "no audio from the PBX",
            });
        }
    }

    pub(super) fn forget_leg(&mut self, line: usize) {
        if let Phase::Talking(talk) = &mut self.phases[line] {
            talk.leg = None;
        }
    }

    /// Ends an answered call on both sides; on the line only where it is still ours to hang up.
    /// An opening authorised before the end stays due: who presses the key and hangs up at once
    /// wants the door open.
    pub(super) fn end_talk(&mut self, now: Duration, line: usize, why: &str, hang_up_line: bool) {
        if !matches!(self.phases[line], Phase::Talking(_)) {
            return;
        }
        let over = Phase::Over { opening: None };
        let Phase::Talking(talk) = std::mem::replace(&mut self.phases[line], over) else {
            return;
        };
        let transfer = talk.transfer.as_ref().map(|transfer| transfer.leg);
        for leg in talk.leg.into_iter().chain(transfer) {
            self.actions.push_back(Action::HangUp {
                leg,
                why: hang_up_reason(why),
            });
        }
        let waits = talk.opening.as_ref().and_then(Opening::waiting).is_some();
        if hang_up_line && !waits {
            self.actions.push_back(Action::HangUpLine { line });
        }
        let event = Event::CallEnded {
            line: self.line_name(line),
            apartment: self.apartment(line),
            party: talk.talker.shown().to_owned(),
            reason: why.to_owned(),
            talk_ms: now.saturating_sub(talk.since).as_millis() as u64,
        };
        self.tell(event);
        self.phases[line] = Phase::Over {
            opening: talk.opening,
        };
        if !hang_up_line {
            self.give_up_opening(line, why);
        }
    }
}

/// The text of the Reason header for each way a call ends.
fn hang_up_reason(why: &str) -> &'static str {
    const KNOWN: &[&str] = &[
        "talk limit",
        "door opened",
        "handset lifted",
        "the panel ended the call",
        "the panel gave up",
        "line card gone",
        "no audio from the PBX",
        "line idle",
        "shutting down",
        "transferred",
        "transfer failed",
    ];
    KNOWN
        .iter()
        .copied()
        .find(|known| *known == why)
        .unwrap_or("call ended")
}
