//! A visitor rings: phones are called one after another until one answers.

use std::time::Duration;

use super::{Attempt, Controller, Phase, Talker};
use crate::event::Event;
use crate::leg::{Action, LegId};

impl Controller {
    /// The ring rule is met: call the first target.
    pub(super) fn ring(&mut self, now: Duration, line: usize) {
        let since = match self.phases[line] {
            Phase::Idle => now,
            Phase::Selected { since } => since,
            _ => return,
        };
        let name = self.line_name(line);
        let code = self.visits[line].code.clone();
        if self.visits[line].route.is_none() {
            let apartment = self.visits[line].apartment;
            self.phases[line] = Phase::Unserved;
            return self.tell(Event::UnknownApartment {
                line: name,
                apartment,
                code,
            });
        }
        let apartment = self.apartment(line);
        let after_ms = now.saturating_sub(since).as_millis() as u64;
        self.tell(Event::Ring {
            line: name,
            apartment,
            code,
            after_ms,
        });
        self.phases[line] = Phase::Ringing {
            since: now,
            attempt: None,
        };
        self.call_target(now, line, 0);
    }

    fn call_target(&mut self, now: Duration, line: usize, target: usize) {
        let Some(route) = self.route(line) else {
            return;
        };
        let Some(address) = route.targets.get(target).cloned() else {
            return;
        };
        let account = route.account;
        let display_name = route.display_name.clone();
        let apartment = self.apartment(line);
        let account_name = self
            .settings
            .accounts
            .get(account)
            .cloned()
            .unwrap_or_default();
        let leg = self.new_leg();
        if let Phase::Ringing { attempt, .. } = &mut self.phases[line] {
            *attempt = Some(Attempt {
                leg,
                target,
                since: now,
                ringing: false,
            });
            let placed = Event::CallPlaced {
                line: self.line_name(line),
                apartment,
                target: address.clone(),
                account: account_name,
            };
            self.tell(placed);
            self.actions.push_back(Action::PlaceCall {
                leg,
                line,
                account,
                target: address,
                display_name,
            });
        }
    }

    fn attempt_of(&mut self, leg: LegId) -> Option<(usize, &mut Attempt)> {
        self.phases
            .iter_mut()
            .enumerate()
            .find_map(|(line, phase)| match phase {
                Phase::Ringing {
                    attempt: Some(attempt),
                    ..
                } if attempt.leg == leg => Some((line, attempt)),
                _ => None,
            })
    }

    /// A provisional answer came for an outgoing leg.
    pub fn leg_provisional(&mut self, leg: LegId, status: u16) {
        let Some((line, attempt)) = self.attempt_of(leg) else {
            return;
        };
        if !(180..=189).contains(&status) || attempt.ringing {
            return;
        }
        attempt.ringing = true;
        let target = attempt.target;
        let party = self.target(line, target);
        self.tell(Event::CallRinging {
            line: self.line_name(line),
            party,
        });
    }

    /// An outgoing leg was answered. When nobody waits for it any more, because the panel gave
    /// up or a handset was lifted while the answer was under way, it is hung up at once.
    pub fn leg_answered(&mut self, now: Duration, leg: LegId) {
        let Some((line, attempt)) = self.attempt_of(leg) else {
            if self.talk_of(leg).is_none() {
                self.actions.push_back(Action::HangUp {
                    leg,
                    why: "nobody waits any more",
                });
            }
            return;
        };
        let target = attempt.target;
        let party = self.target(line, target);
        self.begin_talk(now, line, Some(leg), Talker::Called(party));
    }

    /// A leg ended, whoever ended it. `status` is the final SIP status of a failed attempt.
    pub fn leg_ended(&mut self, now: Duration, leg: LegId, status: Option<u16>, reason: &str) {
        if let Some((line, attempt)) = self.attempt_of(leg) {
            let target = attempt.target;
            self.attempt_failed(now, line, target, status, reason);
        } else if let Some(line) = self.talk_of(leg) {
            self.forget_leg(line);
            self.end_talk(now, line, reason, true);
        }
    }

    /// Calls the next target, or leaves the visitor to the old handset.
    fn attempt_failed(
        &mut self,
        now: Duration,
        line: usize,
        target: usize,
        status: Option<u16>,
        reason: &str,
    ) {
        let event = Event::CallFailed {
            line: self.line_name(line),
            apartment: self.apartment(line),
            target: self.target(line, target),
            status,
            reason: reason.to_owned(),
            hint: failure_hint(status).to_owned(),
        };
        self.tell(event);
        if let Phase::Ringing { attempt, .. } = &mut self.phases[line] {
            *attempt = None;
        }
        self.call_target(now, line, target + 1);
    }

    /// The present target rang long enough.
    pub(super) fn target_timed_out(&mut self, now: Duration, line: usize) {
        let Phase::Ringing {
            attempt: Some(attempt),
            ..
        } = &self.phases[line]
        else {
            return;
        };
        let (leg, target) = (attempt.leg, attempt.target);
        self.actions.push_back(Action::HangUp {
            leg,
            why: "no answer",
        });
        self.attempt_failed(now, line, target, None, "no answer");
    }

    /// Takes back a call that nobody needs any more; the line stays as it is.
    pub(super) fn drop_attempt(&mut self, line: usize, why: &'static str) {
        let Phase::Ringing { attempt, .. } = &mut self.phases[line] else {
            return;
        };
        let Some(attempt) = attempt.take() else {
            return;
        };
        self.actions.push_back(Action::HangUp {
            leg: attempt.leg,
            why,
        });
        let event = Event::CallEnded {
            line: self.line_name(line),
            apartment: self.apartment(line),
            party: self.target(line, attempt.target),
            reason: why.to_owned(),
            talk_ms: 0,
        };
        self.tell(event);
    }
}

/// What an integrator should look at for a failed call.
fn failure_hint(status: Option<u16>) -> &'static str {
    match status {
        Some(401 | 403 | 407) => {
            "the PBX refused the account: check password, auth_user and the extension's rights to call"
        }
        Some(404 | 484 | 604) => "the PBX knows no such number: check targets in the [[route]]",
        Some(408 | 503) | None => {
            "no answer in time: check that the PBX is reachable and the phone is registered"
        }
        Some(480) => "the phone is not registered or does not disturb",
        Some(486 | 600) => "the phone is busy; add a second target to the route",
        Some(488 | 606 | 415) => {
            "no common codec: allow pcma or pcmu (A-law, mu-law) on the extension"
        }
        Some(300..=399) => {
            "the phone forwards the call; redirection is not followed: name the target itself"
        }
        Some(_) => "see the PBX's log for this call",
    }
}
