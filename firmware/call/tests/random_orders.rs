//! Every input in every order: whatever line, PBX, disk and people do, the controller opens a door
//! only for a key of the party in that line's call, once, and after its record.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use config::Config;
use line_interface::{DoorFailure, LineCode, LineEvent};
use trubka_call::{Action, Cause, Controller, Event, LegId, RecordId, Settings};

const LINES: usize = 2;

fn settings() -> Settings {
    let text = "[sip]\nlisten = \"127.0.0.1:5060\"\n\
        [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"127.0.0.2\"\npassword = \"x\"\n\
        [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
        [[line]]\nname = \"a\"\ncard = \"card\"\nprofile = \"vizit\"\napartment = 1\n\
        [[line]]\nname = \"b\"\ncard = \"card\"\nchannel = 1\nprofile = \"vizit\"\napartment = 2\n\
        [[schedule]]\nname = \"night\"\nfrom = \"22:00\"\nto = \"06:00\"\n\
        [[route]]\napartment = 1\ntargets = [\"400\", \"401\"]\nmay_open = [\"called\", \"200\"]\n\
        [[route]]\napartment = 2\nwhen = \"night\"\nring = \"together\"\ntargets = [\"501\", \"502\", \"503\"]\n\
        [[route]]\napartment = 2\ntargets = [\"500\"]\nmay_open = [\"200\"]\n\
        [call]\nunanswered = \"tone\"\nwhen_declined = \"stop\"\n\
        [access]\nfeature_callers = [\"201\"]\n";
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
    /// Legs that dial a feature code: never joined to a line.
    services: HashSet<LegId>,
    /// Targets called on behalf of the visitor of each line at the moment.
    called: HashMap<LegId, String>,
    /// Lines in which nobody answered and the visitor is told so.
    announcing: HashSet<usize>,
    together: usize,
    transfers: usize,
    switched: usize,
    announcements: usize,
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
            assert!(count < 40, "an action storm");
            self.see(now, action, open_wait);
        }
    }

    fn see(&mut self, now: Duration, action: Action, open_wait: Duration) {
        match action {
            Action::PlaceCall {
                leg, line, target, ..
            } => {
                let ringing = self
                    .legs
                    .iter()
                    .filter(|(leg, of)| **of == Some(line) && !self.joined.contains_key(leg));
                let ringing = ringing.count();
                // Only the night's route of apartment 2 calls several at once: its three targets and
                // the two places that they may redirect to.
                let most = [1, 5][line];
                assert!(ringing < most, "{} calls for one visitor", ringing + 1);
                self.together += usize::from(ringing == 2);
                let twice = self.called.iter().any(|(leg, other)| {
                    *other == target
                        && self.legs.contains_key(leg)
                        && self.legs[leg] == Some(line)
                        && !self.joined.contains_key(leg)
                });
                assert!(!twice, "{target} is called twice at once");
                self.called.insert(leg, target);
                self.legs.insert(leg, Some(line));
            }
            Action::HangUp { leg, .. } | Action::RejectIncoming { leg, .. } => {
                self.legs.remove(&leg);
                self.joined.remove(&leg);
                self.services.remove(&leg);
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
                assert!(!self.services.contains(&leg), "a code's leg on a line");
                let others = self
                    .legs
                    .iter()
                    .filter(|(other, of)| **other != leg && **of == Some(line));
                assert_eq!(others.count(), 0, "a losing fork goes on ringing");
                self.joined.insert(leg, (line, true));
            }
            Action::JoinLine { line, leg } => {
                assert_eq!(
                    self.legs.get(&leg),
                    Some(&Some(line)),
                    "a leg of another line"
                );
                // The party that passed the visitor on is out of it from here on.
                self.joined.retain(|_, (of, _)| *of != line);
                self.keys[line] = 0;
                self.joined.insert(leg, (line, true));
                self.transfers += 1;
            }
            Action::PlayToLeg { leg, last, .. } => {
                assert!(self.legs.contains_key(&leg), "a dead leg is played to");
                self.services.insert(leg);
                if last {
                    self.legs.remove(&leg);
                    self.services.remove(&leg);
                }
            }
            Action::KeepDoNotDisturb { .. } => self.switched += 1,
            Action::PlayFailure { line } => {
                assert!(self.announcing.contains(&line), "nobody hears that");
                self.announcements += 1;
            }
            Action::TransferProgress { leg, .. } => {
                assert!(
                    self.joined.contains_key(&leg) || self.legs.contains_key(&leg),
                    "told to a dead leg"
                );
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
            Action::TakeLine { line } => {
                self.announcing.insert(line);
            }
            Action::HangUpLine { line } => {
                self.announcing.remove(&line);
            }
            Action::Tell(_) => {}
        }
    }

    fn recorded(&mut self, now: Duration, record: RecordId, event: &Event) {
        assert!(self.names.insert(record), "one name for two records");
        match event {
            Event::DoorOpened {
                line, cause, party, ..
            } => {
                let line = usize::from(line == "b");
                match cause {
                    Cause::Handset => return,
                    Cause::Dtmf => {
                        assert_ne!(party, "201", "an opening by one who may not");
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

fn line_event(dice: &mut Dice, line: usize) -> LineEvent {
    match dice.below(15) {
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
        // A pulse line names the next apartment whenever it likes.
        13 => LineEvent::Addressed {
            code: LineCode::Address(1),
            apartment: (dice.below(4) > 0).then_some(line as u16 + 1),
        },
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
    match (dice.below(21), leg) {
        (0..=3, _) => {
            let event = line_event(dice, line);
            controller.line_event(now, line, event);
        }
        (4 | 5, Some(leg)) => controller.leg_answered(now, leg),
        (6, Some(leg)) => controller.leg_provisional(leg, 180),
        (7, Some(leg)) => {
            seen.legs.remove(&leg);
            seen.joined.remove(&leg);
            let status = [486, 603, 480][dice.below(3) as usize];
            controller.leg_ended(now, leg, Some(status), "busy");
        }
        (16, Some(leg)) => {
            seen.legs.remove(&leg);
            seen.joined.remove(&leg);
            let contacts = ["sip:700@127.0.0.2", "sip:1@evil", "sip:400@127.0.0.2"];
            let contacts = contacts[..dice.below(4) as usize]
                .iter()
                .map(|c| (*c).to_owned());
            let contacts: Vec<String> = contacts.collect();
            controller.leg_redirected(now, leg, 302, &contacts);
        }
        (17, Some(leg)) => {
            let target = ["sip:800@127.0.0.2", "sip:1@evil"][dice.below(2) as usize];
            let joined = seen.joined.contains_key(&leg);
            let asked = controller.leg_transfer(now, leg, target, Vec::new());
            assert!(asked.is_err() || joined && !target.contains("evil"));
        }
        (18, _) => {
            let hour = dice.below(24) as u32;
            controller.set_local_time(
                now,
                config::LocalTime {
                    weekday: 1,
                    second: hour * 3600,
                },
            );
        }
        (19, _) if dice.below(4) == 0 => controller.set_do_not_disturb(dice.below(2) == 0, "cli"),
        (19, _) => controller.sound_ended(line),
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
            let user = ["1", "2", "a", "600", "77", "78", "79"][dice.below(7) as usize];
            let caller = ["200", "201", "200;x"][dice.below(3) as usize];
            controller.leg_incoming(
                now,
                leg,
                user,
                &trubka_call::Caller::extension(&[0], caller, None),
            );
        }
        (20, Some(old)) => {
            let leg = controller.new_leg();
            seen.legs.insert(leg, None);
            // 201 may open nowhere, whosever place he takes.
            let caller = ["200", "201"][dice.below(2) as usize];
            controller.leg_replaces(
                now,
                leg,
                old,
                &trubka_call::Caller::extension(&[0], caller, None),
            );
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
    let (mut together, mut transfers, mut switched, mut announcements) = (0, 0, 0, 0);
    for number in 0..4500_u64 {
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
            // On one line five calls at once; on the other a talker and whom he passes the visitor
            // on to; besides two that dial a code.
            assert!(seen.legs.len() <= 5 + 2 + 2, "legs pile up in {number}");
        }
        for line in 0..LINES {
            controller.line_event(now, line, LineEvent::Idle);
        }
        // Who dials a code has 15 s.
        now += Duration::from_secs(16);
        controller.handle_timeout(now);
        seen.watch(now, &mut controller, open_wait);
        assert!(
            seen.legs.is_empty(),
            "a leg outlives its visitor in {number}"
        );
        assert_eq!(controller.next_deadline(), None, "{number}");
        openings += seen.openings;
        refusals += seen.refusals;
        releases += seen.releases;
        together += seen.together;
        transfers += seen.transfers;
        switched += seen.switched;
        announcements += seen.announcements;
    }
    let news = [together, transfers, switched, announcements];
    assert!(news.iter().all(|count| *count > 100), "{news:?}: too tame");
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
