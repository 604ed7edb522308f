//! Carrying out what the controller orders.

use std::time::Duration;

use call::{Action, LegId};
use sip::OutgoingCall;

use crate::leg::Kind;
use crate::{Gateway, Output};

impl Gateway {
    pub(crate) fn carry_out(&mut self, now: Duration, action: Action) {
        match action {
            Action::PlaceCall {
                leg,
                line,
                account,
                target,
                display_name,
            } => {
                if let Err(why) = self.place_call(
                    now,
                    leg,
                    account,
                    &target,
                    display_name,
                    Some(line),
                    Kind::Outgoing,
                ) {
                    self.controller.leg_ended(now, leg, None, &why);
                }
            }
            Action::HangUp { leg, why } => self.end_leg(now, leg, why),
            Action::AnswerIncoming { leg, line } => self.answer_incoming(now, leg, line),
            Action::RejectIncoming { leg, status, why } => {
                if let Some(call) = self.legs.get(&leg).map(|leg| leg.call) {
                    let reason = format!("SIP;cause={status};text=\"{why}\"");
                    self.ua.reject(now, call, status, Some(&reason));
                    self.finish_leg(now, leg);
                }
            }
            Action::AnswerLine { line, leg } => {
                if let Some(slot) = self.lines.get_mut(line) {
                    slot.joined = Some(leg);
                }
                self.take_line(now, line);
            }
            Action::TakeLine { line } => self.take_line(now, line),
            Action::HangUpLine { line } => {
                if let Some(slot) = self.lines.get_mut(line) {
                    slot.joined = None;
                    slot.line.hang_up(now);
                }
            }
            Action::ReleaseDoor { line, token } => {
                let released = self
                    .lines
                    .get_mut(line)
                    .map(|slot| slot.line.release_door(now, token));
                if let Some(Err(error)) = released {
                    self.controller.release_failed(line, error.to_string());
                }
            }
            Action::Record { record, event } => {
                self.outputs.push_back(Output::Record { record, event })
            }
            Action::Tell(event) => self.tell(event),
        }
    }

    /// Goes off-hook; a line that cannot be taken any more ends the call that wanted it.
    fn take_line(&mut self, now: Duration, line: usize) {
        let taken = self.lines.get_mut(line).map(|slot| slot.line.answer(now));
        if let Some(Err(_)) = taken {
            self.controller.line_lost(now, line);
        }
    }

    /// Places a call; the error is the reason in words.
    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of one call, used in two places"
    )]
    pub(crate) fn place_call(
        &mut self,
        now: Duration,
        id: LegId,
        account: usize,
        target: &str,
        display_name: Option<String>,
        line: Option<usize>,
        kind: Kind,
    ) -> Result<(), String> {
        let (slot, mut session) = self.new_session(id).ok_or("all audio ports are in use")?;
        let sdp_offer = session.create_offer();
        let request = OutgoingCall {
            target: target.to_owned(),
            sdp_offer,
            display_name,
            headers: Vec::new(),
        };
        match self.ua.invite(now, account, request) {
            Ok(call) => {
                let party = target.to_owned();
                let leg = crate::leg::Leg {
                    call,
                    session,
                    slot,
                    line,
                    kind,
                    party,
                    connected: false,
                };
                self.legs.insert(id, leg);
                self.calls.insert(call, id);
                Ok(())
            }
            Err(error) => {
                self.slot_of[slot] = None;
                Err(error.to_string())
            }
        }
    }

    fn answer_incoming(&mut self, now: Duration, id: LegId, line: usize) {
        let Some(leg) = self.legs.get_mut(&id) else {
            return;
        };
        let answer = match &mut leg.kind {
            Kind::Incoming { answer } => answer.take(),
            _ => None,
        };
        if let Some(sdp) = answer {
            leg.line = Some(line);
            leg.connected = true;
            leg.session.start(now);
            self.ua.answer(now, leg.call, sdp);
        }
    }
}
