//! Visitor scripts: who does what when (`docs/reference/visitor-scripts.md`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::panel::{PanelEvent, PanelState, Stamped};
use crate::setup::Fault;

/// Something a person or the world does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The visitor dials an apartment.
    Dial(u16),
    /// The visitor speaks.
    Say(Arc<[i16]>),
    /// The resident speaks into the old handset.
    ResidentSay(Arc<[i16]>),
    /// The visitor presses the reset key.
    Leave,
    /// The resident lifts the old handset.
    Lift,
    /// The resident puts it back.
    Replace,
    /// The resident holds the old handset's door button.
    Press(Duration),
    /// A fault begins.
    Fault(Fault),
    /// All faults end.
    Clear,
    /// A concierge console feeds the pair for a moment.
    Poll(Duration),
    /// A relay clicks nearby.
    Click,
}

/// What a step's time counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// The script's beginning.
    Start,
    /// The panel's first ring of the call that the last `dials` above began.
    Ring,
    /// The panel's answer in that call.
    Answer,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Line, counted from 0.
    pub line: usize,
    /// What `after` counts from.
    pub anchor: Anchor,
    /// When.
    pub after: Duration,
    /// What.
    pub action: Action,
}

/// A script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// Steps in the order of the file.
    pub steps: Vec<Step>,
}

/// A refused script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// What is wrong and where.
    pub cause: String,
    /// What to do.
    pub hint: &'static str,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for ScriptError {}

/// A script longer than this is a mistake.
const MAX_STEPS: usize = 10_000;
/// Latest time in a script: a day.
const MAX_SECONDS: f64 = 86_400.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScript {
    #[serde(default)]
    step: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    #[serde(default)]
    line: usize,
    at_s: Option<f64>,
    after_ring_s: Option<f64>,
    after_answer_s: Option<f64>,
    dials: Option<u16>,
    says: Option<String>,
    resident_says: Option<String>,
    leaves: Option<bool>,
    lifts: Option<bool>,
    replaces: Option<bool>,
    presses_ms: Option<u64>,
    fault: Option<String>,
    clears: Option<bool>,
    polls_ms: Option<u64>,
    clicks: Option<bool>,
}

/// A fault by the name scripts and commands use.
///
/// # Errors
/// [`ScriptError`] that lists the names.
pub fn parse_fault(name: &str) -> Result<Fault, ScriptError> {
    Fault::ALL
        .into_iter()
        .chain(Fault::BUSES)
        .find(|f| f.name() == name)
        .ok_or_else(|| ScriptError {
            cause: format!("fault {name:?} is unknown"),
            hint: "short, open, stuck, riser_short, riser_open, reversed or card_power_off; on a switch also bus_short, tap_off",
        })
}

impl Script {
    /// Reads a script; `sound` loads a WAV file named in it.
    ///
    /// # Errors
    /// [`ScriptError`] for bad TOML, unknown keys, and steps without exactly one time and one action.
    pub fn from_toml(
        text: &str,
        mut sound: impl FnMut(&str) -> Result<Vec<i16>, ScriptError>,
    ) -> Result<Self, ScriptError> {
        let raw: RawScript = toml::from_str(text).map_err(|e| ScriptError {
            cause: e.to_string(),
            hint: "docs/reference/visitor-scripts.md lists all keys",
        })?;
        if raw.step.len() > MAX_STEPS {
            return Err(ScriptError {
                cause: format!("{} steps", raw.step.len()),
                hint: "use --repeat for endless scripts",
            });
        }
        let mut steps = Vec::with_capacity(raw.step.len());
        for (i, step) in raw.step.into_iter().enumerate() {
            steps.push(step.parse(i + 1, &mut sound)?);
        }
        Ok(Self { steps })
    }

    /// The steps of one line only.
    #[must_use]
    pub fn for_line(&self, line: usize) -> Self {
        Self {
            steps: self
                .steps
                .iter()
                .filter(|s| s.line == line)
                .cloned()
                .collect(),
        }
    }
}

impl RawStep {
    fn parse(
        self,
        number: usize,
        sound: &mut impl FnMut(&str) -> Result<Vec<i16>, ScriptError>,
    ) -> Result<Step, ScriptError> {
        let times: Vec<(Anchor, f64)> = [
            (Anchor::Start, self.at_s),
            (Anchor::Ring, self.after_ring_s),
            (Anchor::Answer, self.after_answer_s),
        ]
        .into_iter()
        .filter_map(|(anchor, time)| time.map(|t| (anchor, t)))
        .collect();
        let [(anchor, seconds)] = times.as_slice() else {
            return Err(ScriptError {
                cause: format!("step {number} has {} times", times.len()),
                hint: "give exactly one of at_s, after_ring_s and after_answer_s",
            });
        };
        if !(0.0..=MAX_SECONDS).contains(seconds) {
            return Err(ScriptError {
                cause: format!("step {number} is at {seconds} s"),
                hint: "times are seconds from 0 to a day",
            });
        }
        let flag = |set: Option<bool>, action: Action| (set == Some(true)).then_some(action);
        let ms = |ms: Option<u64>| ms.map(|ms| Duration::from_millis(ms.min(3_600_000)));
        let mut actions: Vec<Action> = [
            self.dials.map(Action::Dial),
            flag(self.leaves, Action::Leave),
            flag(self.lifts, Action::Lift),
            flag(self.replaces, Action::Replace),
            ms(self.presses_ms).map(Action::Press),
            flag(self.clears, Action::Clear),
            ms(self.polls_ms).map(Action::Poll),
            flag(self.clicks, Action::Click),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(name) = &self.fault {
            actions.push(Action::Fault(parse_fault(name)?));
        }
        if let Some(path) = &self.says {
            actions.push(Action::Say(sound(path)?.into()));
        }
        if let Some(path) = &self.resident_says {
            actions.push(Action::ResidentSay(sound(path)?.into()));
        }
        match <[Action; 1]>::try_from(actions) {
            Ok([action]) => Ok(Step {
                line: self.line,
                anchor: *anchor,
                after: Duration::from_secs_f64(*seconds),
                action,
            }),
            Err(all) => Err(ScriptError {
                cause: format!("step {number} has {} actions", all.len()),
                hint: "give exactly one action a step; repeat the time in a second step",
            }),
        }
    }
}

/// Carries a script out.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    script: Script,
    done: Vec<bool>,
    start: Duration,
    /// Calls begun by `dials` steps so far, and when the current one rang and was answered.
    calls: usize,
    rang: Option<Duration>,
    answered: Option<Duration>,
    /// The current call is over.
    ended: bool,
}

impl Runner {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            done: vec![false; script.steps.len()],
            script,
            ended: true,
            ..Self::default()
        }
    }

    /// Carries out `script`, whose time begins now.
    pub(crate) fn begin(&mut self, script: Script, now: Duration) {
        *self = Self {
            start: now,
            ..Self::new(script)
        };
    }

    pub(crate) fn restart(&mut self, now: Duration) {
        let script = std::mem::take(&mut self.script);
        self.begin(script, now);
    }

    pub(crate) fn finished(&self) -> bool {
        self.done.iter().all(|d| *d)
    }

    /// Learns from the panel what steps may wait for.
    pub(crate) fn note(&mut self, stamped: &Stamped) {
        match stamped.event {
            PanelEvent::Ringing => self.rang = Some(stamped.t),
            PanelEvent::Answered => self.answered = Some(stamped.t),
            PanelEvent::Idle => self.ended = true,
            _ => {}
        }
    }

    /// The next action that is due.
    pub(crate) fn due(&mut self, now: Duration, panel: PanelState) -> Option<Action> {
        let mut call = 0;
        for (step, done) in self.script.steps.iter().zip(&mut self.done) {
            let dials = matches!(step.action, Action::Dial(_));
            if dials {
                call += 1;
            }
            if *done {
                continue;
            }
            let from = match step.anchor {
                Anchor::Start => Some(self.start),
                Anchor::Ring if call == self.calls => self.rang,
                Anchor::Answer if call == self.calls => self.answered,
                Anchor::Ring | Anchor::Answer => None,
            };
            match from {
                Some(from) if now >= from + step.after => {
                    *done = true;
                    if dials {
                        self.calls = call;
                        self.rang = None;
                        self.answered = None;
                        self.ended = false;
                    }
                    return Some(step.action.clone());
                }
                // What waits for an answer that cannot come any more is dropped.
                None if call < self.calls
                    || (call == self.calls && self.ended && panel == PanelState::Idle) =>
                {
                    *done = true;
                }
                _ => {}
            }
        }
        None
    }
}
