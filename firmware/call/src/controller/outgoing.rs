//! A visitor rings: phones are called, one after another or all at once, until one answers.

use std::collections::VecDeque;
use std::time::Duration;

use config::{Facts, Ring, Route};

use super::{Calls, Controller, Fork, Phase, Talker, Target};
use crate::access::{extension_name, may_forward};
use crate::event::Event;
use crate::leg::{Action, LegId};

/// Most calls for one visitor, redirections included.
const MOST_CALLS: usize = 32;
/// Most addresses taken of one redirection.
const MOST_CONTACTS: usize = 4;
/// Longest that a visitor is told that nobody answers.
const LONGEST_ANNOUNCEMENT: Duration = Duration::from_secs(30);

impl Controller {
    /// The ring rule is met: call the first target, or all.
    pub(super) fn ring(&mut self, now: Duration, line: usize) {
        let since = match self.phases[line] {
            Phase::Idle => now,
            Phase::Selected { since } => since,
            _ => return,
        };
        let name = self.line_name(line);
        let (apartment, code) = (self.visits[line].apartment, self.visits[line].code.clone());
        let route = self.settings.route_of(apartment, self.local_time(now));
        self.visits[line].route = route;
        let Some(route) = self.route(line) else {
            self.phases[line] = Phase::Unserved;
            return self.tell(Event::UnknownApartment {
                line: name,
                apartment,
                code,
            });
        };
        let targets = route.targets.clone();
        let apartment = self.apartment(line);
        let after_ms = now.saturating_sub(since).as_millis() as u64;
        self.tell(Event::Ring {
            line: name,
            apartment,
            code,
            after_ms,
        });
        let target = |address: &String| Target {
            address: address.clone(),
            redirects: 0,
        };
        let quiet = self.dnd && self.settings.access.dnd_covers_visitors;
        let waiting: VecDeque<Target> = if quiet {
            VecDeque::new()
        } else {
            targets.iter().map(target).collect()
        };
        self.phases[line] = Phase::Ringing {
            since: now,
            calls: Box::new(Calls {
                waiting,
                ..Calls::default()
            }),
        };
        let why = if quiet {
            "do-not-disturb is on"
        } else {
            "no target"
        };
        self.call_waiting(now, line, why);
    }

    /// Calls whom it is the turn of. With nobody left to call and nobody called, the visit failed.
    fn call_waiting(&mut self, now: Duration, line: usize, why: &str) {
        let in_turn = self
            .route(line)
            .is_none_or(|route| route.ring == Ring::InTurn);
        loop {
            let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
                return;
            };
            if in_turn && !calls.forks.is_empty() {
                return;
            }
            let Some(target) = calls.waiting.pop_front() else {
                if calls.forks.is_empty() {
                    self.visit_failed(now, line, why);
                }
                return;
            };
            if calls.tried.len() < MOST_CALLS && !calls.tried.contains(&target.address) {
                calls.tried.push(target.address.clone());
                self.call_target(now, line, target);
            }
        }
    }

    fn call_target(&mut self, now: Duration, line: usize, target: Target) {
        let leg = self.new_leg();
        let account = self.route(line).map_or(0, |route| route.account);
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return;
        };
        let address = target.address.clone();
        calls.forks.push(Fork {
            leg,
            target,
            account,
            since: now,
            ringing: false,
        });
        self.place(line, leg, address, Vec::new());
    }

    /// Orders a call on behalf of the visitor on a line, with the names and headers of the route.
    pub(super) fn place(
        &mut self,
        line: usize,
        leg: LegId,
        target: String,
        mut headers: Vec<(String, String)>,
    ) {
        let nobody = Route::to_nobody(self.apartment(line));
        let route = self.route(line).unwrap_or(&nobody);
        let settings = &self.settings.lines[line];
        let facts = Facts {
            apartment: route.apartment,
            panel: &settings.panel,
            line: &settings.name,
        };
        let call = &self.settings.call;
        let display_name = route.display_name.as_ref().or(call.display_name.as_ref());
        let display_name = display_name.map(|name| name.render(&facts));
        if let Some(alert) = &route.alert_info {
            headers.push(("Alert-Info".to_owned(), alert.render(&facts)));
        }
        for header in &call.headers {
            headers.push((header.name.clone(), header.value.render(&facts)));
        }
        let account_name = self
            .settings
            .accounts
            .get(route.account)
            .map(|account| account.name.clone());
        let placed = Event::CallPlaced {
            line: settings.name.clone(),
            apartment: route.apartment,
            target: target.clone(),
            account: account_name.unwrap_or_default(),
        };
        let account = route.account;
        self.tell(placed);
        self.actions.push_back(Action::PlaceCall {
            leg,
            line,
            account,
            target,
            display_name,
            headers,
        });
    }

    /// A call is placed through this account, which need not be the one of the route: another one may stand in for it.
    pub fn leg_placed(&mut self, leg: LegId, account: usize) {
        if let Some((_, fork)) = self.fork_of(leg) {
            fork.account = account;
        } else {
            self.transfer_placed(leg, account);
        }
    }

    /// How a party that was called through an account is shown.
    pub(super) fn shown_called(&self, account: usize, address: &str) -> String {
        let account = self.settings.accounts.get(account);
        extension_name(address, account.and_then(|account| account.pbx.as_deref()))
    }

    pub(super) fn shown(&self, fork: &Fork) -> String {
        self.shown_called(fork.account, &fork.target.address)
    }

    fn fork_of(&mut self, leg: LegId) -> Option<(usize, &mut Fork)> {
        self.phases
            .iter_mut()
            .enumerate()
            .find_map(|(line, phase)| match phase {
                Phase::Ringing { calls, .. } => calls
                    .forks
                    .iter_mut()
                    .find(|fork| fork.leg == leg)
                    .map(|fork| (line, fork)),
                _ => None,
            })
    }

    /// The line whose visitor a call to a phone is for, while that is not answered.
    pub(super) fn line_of_fork(&mut self, leg: LegId) -> Option<usize> {
        self.fork_of(leg).map(|(line, _)| line)
    }

    /// Takes a fork out of its visit.
    fn take_fork(&mut self, leg: LegId) -> Option<(usize, Fork)> {
        let (line, _) = self.fork_of(leg)?;
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return None;
        };
        let index = calls.forks.iter().position(|fork| fork.leg == leg)?;
        Some((line, calls.forks.remove(index)))
    }

    /// A provisional answer came for an outgoing leg.
    pub fn leg_provisional(&mut self, leg: LegId, status: u16) {
        if self.transfer_provisional(leg, status) {
            return;
        }
        let Some((line, fork)) = self.fork_of(leg) else {
            return;
        };
        if !(180..=189).contains(&status) || fork.ringing {
            return;
        }
        fork.ringing = true;
        let fork = fork.clone();
        let party = self.shown(&fork);
        self.tell(Event::CallRinging {
            line: self.line_name(line),
            party,
        });
    }

    /// An outgoing leg was answered: the first that is has the visitor, and the others are taken
    /// back. When nobody waits for it any more, because another answered first, the panel gave up
    /// or a handset was lifted while the answer was under way, it is hung up at once.
    pub fn leg_answered(&mut self, now: Duration, leg: LegId) {
        if self.transfer_answered(now, leg) {
            return;
        }
        let Some((line, fork)) = self.take_fork(leg) else {
            if self.talk_of(leg).is_none() {
                self.forget_feature(leg);
                self.actions.push_back(Action::HangUp {
                    leg,
                    why: "nobody waits any more",
                });
            }
            return;
        };
        self.drop_forks(now, line, "answered elsewhere");
        let talker = Talker::Called(self.shown(&fork));
        self.begin_talk(now, line, Some(leg), talker);
    }

    /// A leg ended, whoever ended it. `status` is the final SIP status of a failed attempt.
    pub fn leg_ended(&mut self, now: Duration, leg: LegId, status: Option<u16>, reason: &str) {
        if let Some((line, fork)) = self.take_fork(leg) {
            self.fork_failed(now, line, &fork, status, reason);
        } else if self.transfer_leg_ended(now, leg, status, reason) || self.forget_feature(leg) {
        } else if let Some(line) = self.talk_of(leg) {
            self.forget_leg(line);
            // Who passes a visitor on and hangs up leaves him to the one who is called.
            if !self.is_transferring(line) {
                self.end_talk(now, line, reason, true);
            }
        }
    }

    /// A target sends the call elsewhere (3xx). The addresses are those of its Contact headers,
    /// best first; which of them may be called is decided here.
    pub fn leg_redirected(&mut self, now: Duration, leg: LegId, status: u16, contacts: &[String]) {
        let Some((line, fork)) = self.take_fork(leg) else {
            self.leg_ended(now, leg, Some(status), "redirected");
            return;
        };
        let account = self.route(line).map_or(0, |route| route.account);
        let (name, apartment) = (self.line_name(line), self.apartment(line));
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return;
        };
        let hosts = self.settings.accounts.get(account);
        let hosts = hosts.map_or(&[][..], |account| &account.hosts);
        let mut refused = "no address that can be called";
        let mut followed: Vec<Target> = Vec::new();
        if fork.target.redirects >= self.settings.call.max_redirects {
            refused = "too many redirections";
        } else {
            for contact in contacts.iter().take(MOST_CONTACTS) {
                match may_forward(
                    &self.settings.access,
                    self.settings.direct_calls,
                    hosts,
                    contact,
                ) {
                    Ok(address) if calls.tried.contains(&address) => refused = "a loop",
                    Ok(address) => followed.push(Target {
                        address,
                        redirects: fork.target.redirects + 1,
                    }),
                    Err(why) => refused = why,
                }
            }
        }
        if followed.is_empty() {
            let reason = format!("redirected, not followed: {refused}");
            self.fork_failed(now, line, &fork, Some(status), &reason);
            return;
        }
        let names: Vec<&str> = followed
            .iter()
            .map(|target| target.address.as_str())
            .collect();
        let event = Event::CallRedirected {
            line: name,
            apartment,
            target: fork.target.address.clone(),
            to: names.join(", "),
        };
        for target in followed.into_iter().rev() {
            calls.waiting.push_front(target);
        }
        self.tell(event);
        self.call_waiting(now, line, "no target answered");
    }

    /// Goes on with the other targets, or leaves it at that.
    fn fork_failed(
        &mut self,
        now: Duration,
        line: usize,
        fork: &Fork,
        status: Option<u16>,
        reason: &str,
    ) {
        self.tell_failure(line, &fork.target.address, status, reason);
        let declined = matches!(status, Some(603 | 607 | 608));
        if declined && self.settings.call.decline_stops {
            self.drop_forks(now, line, "declined");
            self.visit_failed(now, line, "declined");
        } else {
            self.call_waiting(now, line, reason);
        }
    }

    fn tell_failure(&mut self, line: usize, target: &str, status: Option<u16>, reason: &str) {
        let event = Event::CallFailed {
            line: self.line_name(line),
            apartment: self.apartment(line),
            target: target.to_owned(),
            status,
            reason: reason.to_owned(),
            hint: failure_hint(status).to_owned(),
        };
        self.tell(event);
    }

    /// Some targets rang long enough.
    pub(super) fn forks_timed_out(&mut self, now: Duration, line: usize) {
        let limit = self.target_timeout(line);
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return;
        };
        let (late, rest): (Vec<Fork>, Vec<Fork>) = std::mem::take(&mut calls.forks)
            .into_iter()
            .partition(|fork| now >= fork.since + limit);
        calls.forks = rest;
        for fork in late {
            self.actions.push_back(Action::HangUp {
                leg: fork.leg,
                why: "no answer",
            });
            self.tell_failure(line, &fork.target.address, None, "no answer");
        }
        self.call_waiting(now, line, "no answer");
    }

    /// Takes back the calls that nobody needs any more, and those not placed yet; the line stays
    /// as it is.
    pub(super) fn drop_forks(&mut self, _now: Duration, line: usize, why: &'static str) {
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return;
        };
        calls.waiting.clear();
        for fork in std::mem::take(&mut calls.forks) {
            let leg = fork.leg;
            self.actions.push_back(Action::HangUp { leg, why });
            let event = Event::CallEnded {
                line: self.line_name(line),
                apartment: self.apartment(line),
                party: self.shown(&fork),
                reason: why.to_owned(),
                talk_ms: 0,
            };
            self.tell(event);
        }
    }

    /// Nobody takes the visitor: he is told, or left to the old handset.
    pub(super) fn visit_failed(&mut self, now: Duration, line: usize, why: &str) {
        let Phase::Ringing { calls, .. } = &self.phases[line] else {
            return;
        };
        let settings = &self.settings.lines[line];
        let event = Event::CallUnanswered {
            line: settings.name.clone(),
            apartment: self.apartment(line),
            tried: calls.tried.len(),
            reason: why.to_owned(),
        };
        let plays = settings.plays_failure;
        let taken = self.is_taken(line);
        self.tell(event);
        if plays {
            let until = now + LONGEST_ANNOUNCEMENT;
            self.phases[line] = Phase::Announcing { until };
            self.actions.push_back(if taken {
                Action::PlayFailure { line }
            } else {
                Action::TakeLine { line }
            });
        } else {
            self.leave_early(line);
        }
    }

    /// The visitor has heard that nobody answers.
    pub fn sound_ended(&mut self, line: usize) {
        if line < self.phases.len() {
            self.end_announcement(line);
        }
    }

    /// Frees the line of a visitor who is being told that nobody answers.
    pub(super) fn end_announcement(&mut self, line: usize) {
        if matches!(self.phases[line], Phase::Announcing { .. }) {
            self.actions.push_back(Action::HangUpLine { line });
            self.phases[line] = Phase::Over { opening: None };
        }
    }
}

/// What an integrator should look at for a failed call.
fn failure_hint(status: Option<u16>) -> &'static str {
    match status {
        Some(401 | 403 | 407) => {
            "the PBX refused the account: check password, auth_user, realm and the extension's rights to call"
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
            "the phone forwards the call: allow where it leads with access.forward_hosts and forward_targets, or name that target in the route"
        }
        Some(603 | 607 | 608) => {
            "the phone declined; call.when_declined decides whether the others go on ringing"
        }
        Some(_) => "see the PBX's log for this call",
    }
}
