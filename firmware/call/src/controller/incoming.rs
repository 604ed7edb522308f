//! A phone calls the box: it is joined to the line only where a visitor waits.

use std::time::Duration;

use config::Incoming;

use super::{AccountSettings, Controller, Phase, Talker};
use crate::access::Caller;
use crate::event::Event;
use crate::leg::{Action, LegId};

impl Controller {
    /// A call came in. `request_user` is the user part that was dialled.
    pub fn leg_incoming(&mut self, now: Duration, leg: LegId, request_user: &str, caller: &Caller) {
        let line = self.dialled_line(request_user);
        let feature = self.is_feature_caller(caller);
        if feature && self.takes_feature_call(now, leg, request_user, caller.name(), line.is_err())
        {
            return;
        }
        let user = caller.name();
        if !self.may_call_in(caller) {
            let status = self.settings.access.refuse_status;
            return self.refuse_call(leg, user, status, "the caller may not call in");
        }
        if self.dnd {
            let status = self.settings.access.dnd_status;
            return self.refuse_call(leg, user, status, "do-not-disturb is on");
        }
        let line = match line {
            Ok(line) => line,
            Err(why) => return self.refuse_call(leg, user, 480, why),
        };
        match self.phases[line] {
            // A ring group that the box is in itself: joined, the visitor would hear himself, and no phone would ring for him.
            Phase::Ringing { .. } if self.is_box(caller) => {
                self.refuse_call(
                    leg,
                    user,
                    482,
                    "our own call came back: the PBX rings the box itself",
                );
            }
            Phase::Ringing { .. } => {
                self.drop_forks(now, line, "answered elsewhere");
                self.actions.push_back(Action::AnswerIncoming { leg, line });
                self.begin_talk(now, line, Some(leg), Talker::Caller(caller.clone()));
            }
            Phase::Talking(_) => self.refuse_call(leg, user, 486, "the line is in a call"),
            Phase::Handset => self.refuse_call(leg, user, 486, "the old handset is in a call"),
            Phase::Announcing { .. } => {
                self.refuse_call(leg, user, 480, "the visitor is told that nobody answers");
            }
            Phase::Idle | Phase::Selected { .. } | Phase::Unserved | Phase::Over { .. } => {
                self.refuse_call(leg, user, 480, "no visitor is on the line");
            }
        }
    }

    /// Whether a caller has the box's own number at his PBX.
    fn is_box(&self, caller: &Caller) -> bool {
        let accounts = &self.settings.accounts;
        let Some(at) = caller.account().and_then(|account| accounts.get(account)) else {
            return false;
        };
        // Several accounts may be numbers of one PBX.
        let same_pbx =
            |one: &&AccountSettings| one.hosts.iter().any(|host| at.hosts.contains(host));
        let mut ours = accounts.iter().filter(same_pbx);
        ours.any(|one| one.extension == caller.user())
    }

    pub(super) fn may_call_in(&self, caller: &Caller) -> bool {
        let access = &self.settings.access;
        match access.incoming {
            Incoming::Managed => true,
            Incoming::Listed => caller.is_among(&access.callers),
            Incoming::Off => false,
        }
    }

    pub(super) fn refuse_call(&mut self, leg: LegId, user: &str, status: u16, why: &'static str) {
        self.actions
            .push_back(Action::RejectIncoming { leg, status, why });
        self.tell(Event::CallRefused {
            party: user.to_owned(),
            status,
            reason: why.to_owned(),
        });
    }

    /// The line that a dialled user part means: an apartment, a line name, or, for the extension
    /// itself, the one line on which a visitor is.
    fn dialled_line(&self, user: &str) -> Result<usize, &'static str> {
        let visits = |line: usize| {
            !matches!(
                self.phases[line],
                Phase::Idle | Phase::Unserved | Phase::Over { .. }
            )
        };
        if let Some(line) = self
            .settings
            .lines
            .iter()
            .position(|line| line.name == user)
        {
            return Ok(line);
        }
        if let Ok(apartment) = user.parse::<u16>() {
            // Several panels may call one apartment: the one on which its visitor is.
            let own = |line: &usize| self.visits[*line].apartment == Some(apartment);
            let mut serving = (0..self.phases.len())
                .filter(|line| self.settings.lines[*line].serves.contains(&apartment));
            if let Some(line) = (0..self.phases.len()).find(|line| visits(*line) && own(line)) {
                return Ok(line);
            }
            if let Some(line) = serving.next() {
                // Nobody is there for this apartment; another one's visitor is not its business.
                return if self.settings.lines[line].apartment.is_some() {
                    Ok(line)
                } else {
                    Err("no visitor is on the line")
                };
            }
        }
        let mut active = (0..self.phases.len()).filter(|line| visits(*line));
        match (active.next(), active.next()) {
            (Some(line), None) => Ok(line),
            (None, _) => Err("no visitor is on the line"),
            (Some(_), Some(_)) => Err("several visitors wait: call the apartment's number"),
        }
    }

    /// Whether a dialled user part names a line, or an apartment that one serves.
    pub(super) fn is_line(&self, user: &str) -> bool {
        let apartment = user.parse::<u16>().ok();
        let lines = &self.settings.lines;
        lines.iter().any(|line| {
            line.name == user || apartment.is_some_and(|own| line.serves.contains(&own))
        })
    }
}
