//! Every input in every order: whatever line, PBX, disk and people do, the controller opens a door
//! only for a key of the party in that line's call, once, and after its record.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use config::Config;
use line_interface::{DoorFailure, LineEvent};
use trubka_call::{Action, Cause, Controller, Event, LegId, RecordId, Settings};

const LINES: usize = 2;

fn settings() -> Settings {
    let text = "[sip]\nlisten = \"127.0.0.1:5060\"\n\
        [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"127.0.0.2\"\npassword = \"x\"\n\
        [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
        [[line]]\nname = \"a\"\ncard = \"card\"\nprofile = \"vizit\"\napartment = 1\n\
        [[line]]\nname = \"b\"\ncard = \"card\"\nchannel = 1\nprofile = \"vizit\"\napartment = 2\n\
        [[route]]\napartment = 1\ntargets = [\"400\", \"401\"]\nmay_open = [\"called\", \"200\"]\n\
        [[route]]\napartment = 2\ntargets = [\"500\"]\nmay_open = [\"200\"]\n";
    let config = Config::parse(text, "orders.toml").map_err(|problems| format!("{problems:?}"));
    Settings::new(&config.unwrap())
}

/// A small generator: the orders must be the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What an onlooker knows from inputs and actions alone.
#[derive(Default)]
struct Onlooker {
    /// Legs that live, with their line once it is known.
    legs: HashMap<LegId, Option<usize>>,
    /// Legs joined to a line, with who may open.
    joined: HashMap<LegId, (usize, bool)>,
    /// Keys of parties who may open, by line, not yet spent on an opening.
    keys: [usize; LINES],
    /// Openings by the tool.
    tool: [usize; LINES],
    /// Issued records of openings: line, when, whether written, whether released.
    records: HashMap<RecordId, (usize, Duration, bool, bool)>,
    names: HashSet<RecordId>,
    openings: usize,
    refusals: usize,
    releases: usize,
}

impl Onlooker {
    fn watch(&mut self, now: Duration, controller: &mut Controller, open_wait: Duration) {
        let mut count = 0;
        while let Some(action) = controller.poll_action() {
            count += 1;
            assert!(count < 24, "an action storm");
            self.see(now, action, open_wait);
        }
    }

    fn see(&mut self, now: Duration, action: Action, open_wait: Duration) {
        match action {
            Action::PlaceCall { leg, line, .. } => {
                let ringing = self.legs.values().filter(|of| **of == Some(line)).count();
                assert_eq!(ringing, 0, "two calls for one visitor");
                self.legs.insert(leg, Some(line));
            }
            Action::HangUp { leg, .. } | Action::RejectIncoming { leg, .. } => {
                self.legs.remove(&leg);
                self.joined.remove(&leg);
            }
            Action::AnswerIncoming { leg, line } => {
                assert!(self.legs.contains_key(&leg), "a dead leg is answered");
                self.legs.insert(leg, Some(line));
            }
            Action::AnswerLine { line, leg } => {
                assert_eq!(
                    self.legs.get(&leg),
                    Some(&Some(line)),
                    "a leg of another line"
                );
                assert!(
                    !self.joined.values().any(|(of, _)| *of == line),
                    "two talkers"
                );
                self.joined.insert(leg, (line, true));
            }
            Action::Record { record, event } => self.recorded(now, record, &event),
            Action::ReleaseDoor { line, .. } => {
                let due = self
                    .records
                    .values_mut()
                    .find(|(of, at, written, released)| {
                        *of == line && !*released && (*written || now >= *at + open_wait)
                    });
                let Some(due) = due else {
                    panic!("a release without its record");
                };
                due.3 = true;
                self.releases += 1;
            }
            Action::TakeLine { .. } | Action::HangUpLine { .. } | Action::Tell(_) => {}
        }
    }

    fn recorded(&mut self, now: Duration, record: RecordId, event: &Event) {
        assert!(self.names.insert(record), "one name for two records");
        match event {
            Event::DoorOpened { line, cause, .. } => {
                let line = usize::from(line == "b");
                match cause {
                    Cause::Handset => return,
                    Cause::Dtmf => {
                        assert!(self.keys[line] > 0, "an opening without a key");
                        self.keys[line] -= 1;
                    }
                    Cause::Cli | Cause::Console => {
                        assert!(self.tool[line] > 0, "an opening without the tool");
                        self.tool[line] -= 1;
                    }
                }
                self.openings += 1;
                self.records.insert(record, (line, now, false, false));
            }
            Event::DoorRefused { .. } => self.refusals += 1,
            other => panic!("{other:?} is no record"),
        }
    }
}

fn line_event(dice: &mut Dice) -> LineEvent {
    match dice.below(14) {
        0..=2 => LineEvent::RingConfirmed,
        3 => LineEvent::CallDetected,
        4 => LineEvent::PanelGaveUp,
        5 => LineEvent::PanelEnded,
        6 => LineEvent::HandsetLifted,
        7 => LineEvent::HandsetReplaced,
        8 => LineEvent::OffHookSettled,
        9 => LineEvent::DoorReleaseStarted { token: 1 },
        10 => LineEvent::DoorReleaseEnded { token: 1 },
        11 => LineEvent::DoorReleaseFailed {
            token: 1,
            reason: DoorFailure::PanelEnded,
        },
        12 => LineEvent::DoorButton,
        _ => LineEvent::Idle,
    }
}

fn any<T: Copy + Ord>(dice: &mut Dice, of: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = of.collect();
    all.sort();
    (!all.is_empty()).then(|| all[dice.below(all.len() as u64) as usize])
}

fn input(dice: &mut Dice, now: Duration, controller: &mut Controller, seen: &mut Onlooker) {
    let line = dice.below(LINES as u64) as usize;
    let leg = any(dice, seen.legs.keys().copied());
    match (dice.below(16), leg) {
        (0..=3, _) => {
            let event = line_event(dice);
            controller.line_event(now, line, event);
        }
        (4 | 5, Some(leg)) => controller.leg_answered(now, leg),
        (6, Some(leg)) => controller.leg_provisional(leg, 180),
        (7, Some(leg)) => {
            seen.legs.remove(&leg);
            seen.joined.remove(&leg);
            controller.leg_ended(now, leg, Some(486), "busy");
        }
        (8..=10, Some(leg)) => {
            // Only keys of a joined leg may ever count.
            if let Some((line, _)) = seen.joined.get(&leg) {
                seen.keys[*line] += 1;
            }
            controller.leg_digit(now, leg, '9', "rfc4733");
        }
        (11, _) => {
            let leg = controller.new_leg();
            seen.legs.insert(leg, None);
            let user = ["1", "2", "a", "600", "77"][dice.below(5) as usize];
            let caller = ["200", "201", "200;x"][dice.below(3) as usize];
            controller.leg_incoming(now, leg, user, caller);
        }
        (12, _) => {
            let waiting = seen.records.iter().filter(|(_, record)| !record.2);
            if let Some(record) = any(dice, waiting.map(|(record, _)| *record)) {
                seen.records.get_mut(&record).unwrap().2 = true;
                controller.journal_done(now, record);
            }
        }
        (13, _) if dice.below(4) == 0 => controller.line_lost(now, line),
        (14, _) if dice.below(4) == 0 => {
            seen.tool[line] += 1;
            // A refusal is recorded, which is all that is looked at here.
            let _ = controller.door_test(now, line, Cause::Cli);
        }
        (15, Some(leg)) if dice.below(4) == 0 => controller.leg_media_lost(now, leg),
        _ => controller.handle_timeout(now),
    }
}

#[test]
fn no_order_of_inputs_breaks_the_promises() {
    let (mut openings, mut refusals, mut releases) = (0, 0, 0);
    for number in 0..3000_u64 {
        let mut dice = Dice(number);
        let settings = settings_once();
        let open_wait = settings.open_wait;
        let mut controller = Controller::new(settings);
        let mut seen = Onlooker::default();
        let mut now = Duration::from_secs(dice.below(1000));
        for _ in 0..120 {
            now += Duration::from_millis([0, 0, 1, 20, 400, 9000][dice.below(6) as usize]);
            input(&mut dice, now, &mut controller, &mut seen);
            seen.watch(now, &mut controller, open_wait);
            controller.handle_timeout(now);
            seen.watch(now, &mut controller, open_wait);
            assert!(seen.legs.len() <= LINES, "legs pile up in {number}");
        }
        for line in 0..LINES {
            controller.line_event(now, line, LineEvent::Idle);
        }
        seen.watch(now, &mut controller, open_wait);
        assert!(
            seen.legs.is_empty(),
            "a leg outlives its visitor in {number}"
        );
        assert_eq!(controller.next_deadline(), None, "{number}");
        openings += seen.openings;
        refusals += seen.refusals;
        releases += seen.releases;
    }
    assert!(
        openings > 2000 && refusals > 500 && releases > 1000 && releases <= openings,
        "{openings} {refusals} {releases}: too tame"
    );
}

/// Reading the configuration costs more than a schedule.
fn settings_once() -> Settings {
    static ONCE: std::sync::OnceLock<Settings> = std::sync::OnceLock::new();
    ONCE.get_or_init(settings).clone()
}
