//! One panel's line as a gateway has it: the line state machine, and what tells whose call it is.
//!
//! All three topologies share [`Line`]. A pair belongs to one apartment. On a switch the taps name
//! the pair, and the crosspoint puts our circuit there. On a pulse line the address opens the way.
//! While nobody is named, the line state machine sees a dead line and nothing of ours is driven.

mod buses;
mod plan;
mod pulses;

use std::collections::VecDeque;
use std::time::Duration;

use crate::card::{AddressSense, Drive, LineKind, SenseBlock};
use crate::line::{
    FaultKind, HandsetFitting, Line, LineCode, LineError, LineErrorKind, LineEvent, LineStatus,
};
use crate::profile::Profile;
use crate::reading::BlockReading;
use crate::switch::Cell;

pub use buses::BusLevels;
use buses::Buses;
pub use plan::LinePlan;
use pulses::Pulses;

/// Events kept for a caller that does not drain them; older ones are dropped.
const MAX_EVENTS: usize = 256;

/// Who tells whose call it is.
#[derive(Debug)]
enum Way {
    /// One apartment's pair.
    Pair,
    /// The buses of a switch.
    Buses(Box<Buses>),
    /// Address pulses.
    Pulses(Box<Pulses>),
}

/// What the way says of one block.
#[derive(Debug, Default)]
struct Verdict {
    /// The readings are of the named pair or handset.
    open: bool,
    /// The panel has turned to another call: what was going on is over.
    over: bool,
    /// Our own call cannot be told from another any more: it ends in order.
    leave: bool,
    /// To be told, in order, after the end of what is over.
    told: Vec<LineEvent>,
}

/// One panel's line.
#[derive(Debug)]
pub struct PanelLine {
    line: Line,
    way: Way,
    served: Vec<u16>,
    /// The profile of every apartment but those with values of their own.
    profile: Profile,
    own: Vec<(u16, Profile)>,
    kind: LineKind,
    /// Whose call it is, or was last.
    named: Option<(LineCode, Option<u16>)>,
    faults: Vec<FaultKind>,
    events: VecDeque<LineEvent>,
    /// What the line state machine sees while nobody is named.
    dead: SenseBlock,
    /// And what it sees of a pair of a switch.
    pair: SenseBlock,
}

impl PanelLine {
    /// A line at rest.
    #[must_use]
    pub fn new(plan: LinePlan, handset: HandsetFitting) -> Self {
        let kind = plan.kind();
        let (profile, way, served, own) = match plan {
            LinePlan::Pair(profile) => (profile, Way::Pair, Vec::new(), Vec::new()),
            LinePlan::Matrix {
                profile,
                addressing,
                served,
                own,
            } => {
                let buses = Box::new(Buses::new(&profile, *addressing));
                (profile, Way::Buses(buses), served, own)
            }
            LinePlan::Pulse {
                profile,
                addresses,
                own,
            } => {
                let served = addresses.iter().map(|(_, apartment)| *apartment).collect();
                let line = profile.line();
                let pulses = Box::new(Pulses::new(profile, addresses));
                (line, Way::Pulses(pulses), served, own)
            }
        };
        let mut line = Line::new(profile.clone(), handset);
        if matches!(way, Way::Pair) {
            line = line.bridging_unfed_pauses();
        }
        Self {
            line,
            way,
            served,
            profile,
            own,
            kind,
            named: None,
            faults: Vec::new(),
            events: VecDeque::new(),
            dead: SenseBlock::default(),
            pair: SenseBlock::default(),
        }
    }

    /// What the card's line must be wired to.
    #[must_use]
    pub const fn kind(&self) -> LineKind {
        self.kind
    }

    /// Takes the readings of the last 10 ms; call it for every block.
    pub fn handle_block(&mut self, now: Duration, sense: &SenseBlock) {
        if sense.applied.is_none() {
            // Contacts and the taps' bias have gone too, so the way shows nothing either.
            if let Way::Buses(buses) = &mut self.way {
                buses.blind(now);
            }
            self.line.handle_block(now, sense);
            self.drain();
            return;
        }
        let verdict = match (&mut self.way, &sense.address) {
            (Way::Pair, _) => Verdict {
                open: true,
                ..Verdict::default()
            },
            (Way::Buses(buses), AddressSense::Taps(taps)) => {
                buses.update(now, taps, &sense.line_volts, &self.line)
            }
            // A card without taps shows nothing: nobody is named.
            (Way::Buses(buses), _) => buses.blind(now),
            (Way::Pulses(pulses), address) => pulses.update(now, sense, address, &self.line),
        };
        if verdict.over {
            self.line.deselected(now);
            self.drain();
        }
        for event in verdict.told {
            self.tell(event);
        }
        if verdict.leave {
            self.line.hang_up(now);
        }
        let seen = match (&self.way, verdict.open) {
            (_, false) => {
                self.dead.applied = sense.applied;
                &self.dead
            }
            (Way::Buses(_), true) => {
                // Turned round it is not fed: which bus the panel feeds is known.
                let volts = sense.line_volts.map(|v| v.max(0.0));
                self.pair.line_volts = volts;
                self.pair.line_milliamps = sense.line_milliamps;
                self.pair.handset_volts = sense.handset_volts;
                self.pair.applied = sense.applied;
                &self.pair
            }
            (Way::Pair | Way::Pulses(_), true) => sense,
        };
        self.line.handle_block(now, seen);
        self.drain();
    }

    /// Takes the line: isolates the old handset and goes off-hook.
    ///
    /// # Errors
    /// When no unanswered call of an apartment that we serve is on the line.
    pub fn answer(&mut self, now: Duration) -> Result<(), LineError> {
        if !self.serves() {
            return Err(LineError::new(LineErrorKind::NoCall));
        }
        self.line.answer(now)
    }

    /// Ends our call, see [`Line::hang_up`].
    pub fn hang_up(&mut self, now: Duration) {
        self.line.hang_up(now);
    }

    /// Presses the door button as soon as the panel can see it.
    ///
    /// # Errors
    /// See [`Line::release_door`].
    pub fn release_door(&mut self, now: Duration, token: u64) -> Result<(), LineError> {
        self.line.release_door(now, token)
    }

    /// The card is gone: everything starts anew.
    pub fn card_lost(&mut self, now: Duration) {
        self.line.card_lost(now);
        self.drain();
        match &mut self.way {
            Way::Pair => {}
            Way::Buses(buses) => buses.reset(),
            Way::Pulses(pulses) => pulses.reset(),
        }
        self.named = None;
        for kind in std::mem::take(&mut self.faults) {
            self.tell(LineEvent::FaultCleared { kind });
        }
    }

    /// What the card shall do during the next block: nothing of ours unless the wires name an
    /// apartment that we serve.
    #[must_use]
    pub fn drive(&self) -> Drive {
        let open = match &self.way {
            Way::Pair => true,
            Way::Buses(buses) => buses.connected().is_some(),
            Way::Pulses(pulses) => pulses.open(),
        };
        if open && self.serves() {
            self.line.drive()
        } else {
            Drive::SAFE
        }
    }

    /// The pair of the switch that our circuit shall be on.
    #[must_use]
    pub fn connect(&self) -> Option<Cell> {
        match &self.way {
            Way::Buses(buses) => buses.connected(),
            Way::Pair | Way::Pulses(_) => None,
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<LineEvent> {
        self.events.pop_front()
    }

    /// Whether [`PanelLine::poll_event`] has something to give.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The line state machine of the named pair or handset.
    #[must_use]
    pub const fn line(&self) -> &Line {
        &self.line
    }

    /// A snapshot, with the drive as the card has it.
    #[must_use]
    pub fn status(&self) -> LineStatus {
        LineStatus {
            drive: self.drive(),
            ..self.line.status()
        }
    }

    /// What the wires read in the last block: of the named pair, or of a pulse line's wire, whoever
    /// is called.
    #[must_use]
    pub fn reading(&self) -> BlockReading {
        match &self.way {
            Way::Pulses(pulses) => pulses.reading,
            Way::Pair | Way::Buses(_) => *self.line.reading(),
        }
    }

    /// Lows and highs in turn, in microseconds, of a pulse capture that was completed in the last
    /// block, from the low of its reset; empty without one.
    #[must_use]
    pub fn pulse_runs(&self) -> &[u32] {
        match &self.way {
            Way::Pulses(pulses) => &pulses.runs,
            Way::Pair | Way::Buses(_) => &[],
        }
    }

    /// Whose call it is or was last: as read, and its apartment where one is known.
    #[must_use]
    pub const fn named(&self) -> Option<(LineCode, Option<u16>)> {
        self.named
    }

    /// Levels of all taps, for a technician; empty on lines without taps.
    #[must_use]
    pub fn bus_levels(&self) -> Vec<BusLevels> {
        match &self.way {
            Way::Buses(buses) => buses.levels(),
            Way::Pair | Way::Pulses(_) => Vec::new(),
        }
    }

    /// The call, if there is one, is for an apartment of ours.
    fn serves(&self) -> bool {
        match (&self.way, self.named) {
            (Way::Pair, _) => true,
            (_, Some((_, Some(apartment)))) => self.served.contains(&apartment),
            _ => false,
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.line.poll_event() {
            self.tell(event);
        }
    }

    fn tell(&mut self, event: LineEvent) {
        match event {
            LineEvent::Addressed { code, apartment } => {
                self.named = Some((code, apartment));
                if !self.own.is_empty() {
                    let mut own = self.own.iter();
                    let own = own.find(|(of, _)| Some(*of) == apartment);
                    self.line
                        .use_profile(own.map_or(&self.profile, |(_, profile)| profile));
                }
            }
            LineEvent::Unclear { doubt, .. } => {
                let kind = doubt.kind();
                if self.faults.contains(&kind) {
                    return;
                }
                self.faults.push(kind);
            }
            LineEvent::FaultCleared { kind } => self.faults.retain(|known| *known != kind),
            _ => {}
        }
        if self.events.len() >= MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
