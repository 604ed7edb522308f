//! What a PBX plays before a phone answers, for the visitor, where `call.early_media` wants it. The line
//! is off-hook then, but nobody talks: no key counts, and the visit goes on as any that rings.

use super::{Controller, Phase};
use crate::event::Event;
use crate::leg::{Action, LegId};

impl Controller {
    /// A called phone's PBX has sound for the visitor. True if it may be played: the leg has the
    /// line then, unless another one has it already.
    pub fn leg_early_media(&mut self, leg: LegId) -> bool {
        if !self.settings.call.early_media {
            return false;
        }
        let Some(line) = self.line_of_fork(leg) else {
            return false;
        };
        let Phase::Ringing { calls, .. } = &mut self.phases[line] else {
            return false;
        };
        let alive = |one: LegId| calls.forks.iter().any(|fork| fork.leg == one);
        match calls.early {
            Some(early) if early == leg => return true,
            Some(early) if alive(early) => return false,
            _ => {}
        }
        let fork = calls.forks.iter().find(|fork| fork.leg == leg).cloned();
        calls.early = Some(leg);
        let taken = std::mem::replace(&mut calls.taken, true);
        let party = fork.map(|fork| self.shown(&fork));
        self.actions.push_back(if taken {
            Action::JoinLine { line, leg }
        } else {
            Action::AnswerLine { line, leg }
        });
        self.tell(Event::CallEarlyMedia {
            line: self.line_name(line),
            party: party.unwrap_or_default(),
        });
        true
    }

    /// Whether the line of a visitor who rings is off-hook already.
    pub(super) fn is_taken(&self, line: usize) -> bool {
        matches!(&self.phases[line], Phase::Ringing { calls, .. } if calls.taken)
    }

    /// Leaves a line that was taken early, and for which nobody answered.
    pub(super) fn leave_early(&mut self, line: usize) {
        if self.is_taken(line) {
            self.actions.push_back(Action::HangUpLine { line });
            self.phases[line] = Phase::Over { opening: None };
        }
    }
}
