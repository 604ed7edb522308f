//! The promises of ARCHITECTURE.md as properties, checked after every step of every test.

use std::collections::HashMap;
use std::time::Duration;

use call::{Cause, Event, RecordId};
use config::Config;
use line_interface::{Drive, HandsetRelay, Load};
use line_simulation::{PanelEvent, PanelState};
use phone::PhoneEvent;

use super::{Topology, World, ms};

/// A lifted handset has the line after this long (promise 6).
const HANDSET_WINS_WITHIN: Duration = Duration::from_millis(200);
/// Our load may outlive the panel's call by the debounce of a line that went dead.
const LOAD_OUTLIVES: Duration = Duration::from_millis(300);
/// The on-hook load that tells the panel of the end may stay for its whole time.
const ON_HOOK_OUTLIVES: Duration = Duration::from_millis(1100);
/// More events than this in one second are a storm.
const STORM: usize = 120;

pub(crate) struct Promises {
    handset: bool,
    /// The drive outside our calls: nothing, or the on-hook load of a handset that is not there.
    rest: Drive,
    open_wait: Duration,
    code: String,
    seen_events: usize,
    seen_verdicts: usize,
    seen_phone: usize,
    /// Keys pressed on the phone in answered calls.
    keys: usize,
    /// Presses of the old handset's button, which the panel sees without us, and other openings
    /// that need no key: the tool's, and a wire that broke.
    pub(crate) without_key: usize,
    opened_records: usize,
    handset_records: usize,
    refused_records: usize,
    complete: usize,
    calls: usize,
    releases: usize,
    outcomes: usize,
    buttons_seen: usize,
    /// When each record was issued; durable ones are taken out.
    issued: HashMap<RecordId, (Duration, bool)>,
    lifted: Option<Duration>,
    wires_broken: bool,
    button_down: bool,
    panel_rests: Option<Duration>,
    /// Since when our present load is on the line.
    loaded: (Drive, Duration),
    second: u64,
    events_before: usize,
}

impl Promises {
    pub(super) fn new(config: &Config, handset: bool) -> Promises {
        let load = if handset { Load::Off } else { Load::OnHook };
        Promises {
            handset,
            rest: Drive {
                load,
                relay: HandsetRelay::Through,
            },
            open_wait: config.journal.open_wait,
            code: config.door.digits.clone(),
            seen_events: 0,
            seen_verdicts: 0,
            seen_phone: 0,
            keys: 0,
            without_key: 0,
            opened_records: 0,
            handset_records: 0,
            refused_records: 0,
            complete: 0,
            calls: 0,
            releases: 0,
            outcomes: 0,
            buttons_seen: 0,
            issued: HashMap::new(),
            lifted: None,
            wires_broken: false,
            button_down: false,
            panel_rests: None,
            loaded: (Drive::SAFE, Duration::ZERO),
            second: 0,
            events_before: 0,
        }
    }

    pub(super) fn recorded(&mut self, now: Duration, record: RecordId, event: &Event) {
        let opening = matches!(event, Event::DoorOpened { cause, .. } if *cause != Cause::Handset);
        let again = self.issued.insert(record, (now, opening));
        assert!(again.is_none(), "one name for two records");
    }

    pub(super) fn written(&mut self, record: RecordId) {
        self.issued.remove(&record);
    }

    pub(super) fn lifted(&mut self, now: Duration, panel: PanelState) {
        // Lifted while the panel judges the pair it is a fault and no call.
        let counts = matches!(panel, PanelState::Ringing | PanelState::Talking);
        self.lifted = (counts && !self.wires_broken && !self.button_down).then_some(now);
    }

    pub(super) fn replaced(&mut self) {
        self.lifted = None;
    }

    /// The gateway had no time: what it owed within a time, it owes from now on. With no handset
    /// behind the relay, a panel that loses our load in a talk sees the button of one.
    pub(super) fn stalled(&mut self, now: Duration, fell: bool) {
        self.lifted = self.lifted.map(|_| now);
        self.panel_rests = self.panel_rests.map(|_| now);
        if fell && !self.handset {
            self.without_key += 1;
        }
    }

    pub(super) fn broken(&mut self, broken: bool) {
        self.wires_broken = broken;
        self.lifted = None;
    }

    /// A lifted handset whose button is held looks like no handset at all.
    pub(super) fn button(&mut self, down: bool) {
        self.button_down = down;
        if down {
            self.without_key += 1;
            self.lifted = None;
        }
    }

    /// Whether an opening waits that no release may overtake yet.
    fn overtaken(&self, now: Duration) -> bool {
        self.issued
            .values()
            .any(|(at, opening)| *opening && now < *at + self.open_wait)
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::DoorOpened { cause, .. } if *cause == Cause::Handset => {
                self.handset_records += 1;
            }
            Event::DoorOpened { .. } => self.opened_records += 1,
            Event::DoorRefused { cause, .. } if *cause == Cause::Dtmf => self.refused_records += 1,
            Event::Digit { complete: true, .. } => self.complete += 1,
            Event::CallAnswered { .. } => self.calls += 1,
            Event::DoorReleaseStarted { .. } => self.releases += 1,
            Event::DoorReleaseEnded { .. } | Event::DoorReleaseFailed { .. } => self.outcomes += 1,
            _ => {}
        }
    }
}

impl World {
    pub(super) fn check_promises(&mut self, block: bool) {
        let broken = self.broken_promise(block);
        assert!(
            broken.is_none(),
            "{}\n{}",
            broken.unwrap_or_default(),
            self.story()
        );
    }

    fn broken_promise(&mut self, block: bool) -> Option<String> {
        let now = self.now;
        let promises = &mut self.promises;
        for (_, event) in &self.phone_events[promises.seen_phone..] {
            if matches!(event, PhoneEvent::Pressed { digit } if promises.code.contains(*digit)) {
                promises.keys += 1;
            }
        }
        promises.seen_phone = self.phone_events.len();
        for at in promises.seen_events..self.events.len() {
            let event = self.events[at].1.clone();
            promises.count(&event);
            if matches!(event, Event::DoorReleaseStarted { .. }) && promises.overtaken(now) {
                return Some("promise 2: the release began before its record".into());
            }
        }
        promises.seen_events = self.events.len();
        for (_, verdict) in &self.verdicts[promises.seen_verdicts..] {
            promises.buttons_seen += usize::from(*verdict == PanelEvent::DoorButtonSeen);
            if *verdict == PanelEvent::WrongPairLoaded {
                return Some("promise 4: our load on a pair that is not the called one".into());
            }
        }
        promises.seen_verdicts = self.verdicts.len();
        let p = &*promises;
        if p.buttons_seen > p.releases + p.without_key {
            return Some("promise 1: the panel saw a door button that nobody pressed".into());
        }
        if p.releases > p.opened_records {
            return Some("promise 2: a release without a record".into());
        }
        if p.opened_records > p.keys + p.without_key {
            return Some("promise 1: an opening without a key of the answered phone".into());
        }
        let verdicts = p.opened_records + p.refused_records;
        if verdicts < p.complete || verdicts > p.complete + p.calls + p.without_key {
            return Some(format!(
                "promise 2: {} whole codes, {} openings and {} refusals in the journal",
                p.complete, p.opened_records, p.refused_records
            ));
        }
        if p.outcomes > p.opened_records {
            return Some("promise 2: more ends of releases than openings".into());
        }
        let second = now.as_secs();
        if second != promises.second {
            let storm = self.events.len() - promises.events_before > STORM;
            (promises.second, promises.events_before) = (second, self.events.len());
            if storm {
                return Some("promise 5: an event storm".into());
            }
        }
        if block {
            self.broken_line_promise()
        } else {
            None
        }
    }

    /// Promises 3, 4 and 6, block by block.
    fn broken_line_promise(&mut self) -> Option<String> {
        let now = self.now;
        let drive = self.driven();
        let state = self.line_state();
        let ours = matches!(
            &*state,
            "answering" | "talking" | "door_release" | "hanging_up"
        );
        // The block in which a card comes back is still its own.
        let allowed =
            drive == Drive::SAFE || (self.card_up && (ours || drive == self.promises.rest));
        if !allowed {
            return Some(format!("promise 4: {drive:?} in {state}"));
        }
        if self.promises.handset && drive.load != Load::Off && drive.relay == HandsetRelay::Through
        {
            return Some("promise 4: our load and the handset on one line".into());
        }
        if (drive.load == Load::Residue) && state != "door_release" {
            return Some(format!("promise 1: a residue in {state}"));
        }
        let panel = self.panel.panel_state();
        if let Topology::Matrix(..) = self.topology {
            if drive != Drive::SAFE && self.connected().is_none() {
                return Some(format!("promise 4: {drive:?} without a pair"));
            }
        } else if self.connected().is_some() {
            return Some("promise 4: a crosspoint where none is".into());
        }
        let served = [41, 42].map(|apartment| self.topology.number(apartment));
        // In the place of a handset, the load at rest is that handset, whomever the panel calls.
        if drive.load != Load::Off
            && drive != self.promises.rest
            && !served.contains(&self.panel.dialled())
        {
            return Some(format!(
                "promise 4: {drive:?} on an apartment that is not ours"
            ));
        }
        let promises = &mut self.promises;
        if promises.loaded.0 != drive {
            promises.loaded = (drive, now);
        }
        if matches!(panel, PanelState::Idle | PanelState::Dialling) {
            let rests = *promises.panel_rests.get_or_insert(now);
            // A phone may answer in the moment in which the panel falls silent.
            let rests = rests.max(promises.loaded.1);
            let limit = if drive.load == Load::OnHook {
                ON_HOOK_OUTLIVES
            } else {
                LOAD_OUTLIVES
            };
            if drive != Drive::SAFE && drive != promises.rest && now > rests + limit {
                return Some(format!("promise 4: {drive:?} on a line without a call"));
            }
        } else {
            promises.panel_rests = None;
        }
        if let Some(lifted) = promises.lifted
            && now > lifted + HANDSET_WINS_WITHIN
            && self.card_up
            && matches!(panel, PanelState::Ringing | PanelState::Talking)
        {
            promises.lifted = None;
            if drive != Drive::SAFE {
                return Some(format!("promise 6: {drive:?} under a lifted handset"));
            }
            if !self.gateway.call_statuses().is_empty() {
                return Some("promise 6: our phones still ring or talk".into());
            }
        }
        None
    }

    /// What must hold when everything is at rest.
    pub(super) fn check_quiet(&mut self) {
        let p = &self.promises;
        assert_eq!(
            p.opened_records,
            p.outcomes,
            "promise 2: every opening has one outcome\n{}",
            self.story()
        );
        assert_eq!(self.driven(), p.rest);
        // All but what the stuck disk holds is durable.
        self.run_for(ms(20));
    }
}
