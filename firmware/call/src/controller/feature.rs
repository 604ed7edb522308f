//! Do-not-disturb and the feature codes that switch it.

use std::time::Duration;

use super::Controller;
use crate::access::Caller;
use crate::event::Event;
use crate::leg::{Action, LegId, Sound};

/// Longest time for dialling a code.
const DIAL_WITHIN: Duration = Duration::from_secs(15);
/// Most calls that dial a code at once.
const MOST_CALLS: usize = 2;

/// A call to the box's extension that dials a feature code.
#[derive(Debug, Clone)]
pub(super) struct FeatureCall {
    leg: LegId,
    party: String,
    keys: String,
    pub(super) deadline: Duration,
}

/// What keys mean so far.
enum Code {
    Switch(bool),
    Incomplete,
    Wrong,
}

impl Controller {
    /// Whether do-not-disturb is on.
    pub fn do_not_disturb(&self) -> bool {
        self.dnd
    }

    /// Switches do-not-disturb; `by` is an extension, `cli` or `console`.
    pub fn set_do_not_disturb(&mut self, on: bool, by: &str) {
        if std::mem::replace(&mut self.dnd, on) != on {
            self.actions.push_back(Action::KeepDoNotDisturb { on });
            self.tell(Event::DoNotDisturb {
                on,
                by: by.to_owned(),
            });
        }
    }

    /// Sets do-not-disturb as it was before a restart, without telling anybody.
    pub fn restore_do_not_disturb(&mut self, on: bool) {
        self.dnd = on;
    }

    pub(super) fn is_feature_caller(&self, caller: &Caller) -> bool {
        caller.is_among(&self.settings.access.feature_callers)
    }

    /// Takes a call that dials a code, or is about to. One to a line with a visitor is not for us.
    pub(super) fn takes_feature_call(
        &mut self,
        now: Duration,
        leg: LegId,
        request_user: &str,
        user: &str,
        no_line: bool,
    ) -> bool {
        if let Code::Switch(on) = self.code(request_user) {
            self.set_do_not_disturb(on, user);
            self.play(leg, confirmation(on), true);
            return true;
        }
        if !no_line && !self.dnd || self.is_line(request_user) {
            return false;
        }
        if self.features.len() >= MOST_CALLS {
            self.refuse_call(leg, user, 486, "others dial a feature code");
            return true;
        }
        self.features.push(FeatureCall {
            leg,
            party: user.to_owned(),
            keys: String::new(),
            deadline: now + DIAL_WITHIN,
        });
        self.play(leg, Sound::Ready, false);
        true
    }

    fn play(&mut self, leg: LegId, sound: Sound, last: bool) {
        self.actions
            .push_back(Action::PlayToLeg { leg, sound, last });
    }

    fn code(&self, keys: &str) -> Code {
        let access = &self.settings.access;
        if keys == access.dnd_on {
            Code::Switch(true)
        } else if keys == access.dnd_off {
            Code::Switch(false)
        } else if access.dnd_on.starts_with(keys) || access.dnd_off.starts_with(keys) {
            Code::Incomplete
        } else {
            Code::Wrong
        }
    }

    /// A key of a call that dials a code; `false` when the leg is none.
    pub(super) fn feature_key(&mut self, _now: Duration, leg: LegId, key: char) -> bool {
        let Some(index) = self.features.iter().position(|one| one.leg == leg) else {
            return false;
        };
        self.features[index].keys.push(key.to_ascii_uppercase());
        let keys = self.features[index].keys.clone();
        match self.code(&keys) {
            Code::Incomplete => {}
            Code::Switch(on) => {
                let feature = self.features.remove(index);
                self.set_do_not_disturb(on, &feature.party);
                self.play(leg, confirmation(on), true);
            }
            Code::Wrong => {
                self.features.remove(index);
                self.play(leg, Sound::Refused, true);
            }
        }
        true
    }

    /// Calls in which no code was dialled in time.
    pub(super) fn feature_timeouts(&mut self, now: Duration) {
        let (late, rest) = std::mem::take(&mut self.features)
            .into_iter()
            .partition(|feature| feature.deadline <= now);
        self.features = rest;
        let late: Vec<FeatureCall> = late;
        for feature in late {
            self.play(feature.leg, Sound::Refused, true);
        }
    }

    /// The leg is gone; `false` when it dialled no code.
    pub(super) fn forget_feature(&mut self, leg: LegId) -> bool {
        let before = self.features.len();
        self.features.retain(|feature| feature.leg != leg);
        self.features.len() < before
    }

    /// Ends all calls that dial a code.
    pub(super) fn drop_features(&mut self, why: &'static str) {
        for feature in std::mem::take(&mut self.features) {
            let leg = feature.leg;
            self.actions.push_back(Action::HangUp { leg, why });
        }
    }
}

fn confirmation(on: bool) -> Sound {
    if on {
        Sound::SwitchedOn
    } else {
        Sound::SwitchedOff
    }
}
