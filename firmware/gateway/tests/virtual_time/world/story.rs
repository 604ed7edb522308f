//! Asking the world what happened, and short words for what most tests do.

use std::time::Duration;

use call::Event;
use line_simulation::{PanelEvent, PanelState};
use phone::PhoneEvent;
use trubka_gateway::UnderWay;

use super::{Weather, World, ms, seconds};

impl World {
    /// A building that is registered and quiet.
    pub(crate) fn ready(options: super::Options) -> World {
        let mut world = World::new(options);
        world.wait_registered();
        world.run_for(ms(200));
        world
    }

    pub(crate) fn wait_registered(&mut self) {
        self.run_until("registration", seconds(60), |world| {
            world.gateway.account_statuses()[0].state == "registered"
        });
    }

    pub(crate) fn dial(&mut self) {
        self.dial_apartment(42);
    }

    /// The visitor dials what the apartment's number is at this panel.
    pub(crate) fn dial_apartment(&mut self, apartment: u16) {
        self.panel.visitor_dial(self.topology.number(apartment));
    }

    /// Runs until the event has happened `times` times in all.
    pub(crate) fn wait(&mut self, event: &str, times: usize) {
        self.run_until(event, seconds(60), |world| world.happened(event) >= times);
    }

    /// A visitor dials and runs until `event` happens once more.
    pub(crate) fn visit_until(&mut self, event: &str) {
        let times = self.happened(event) + 1;
        self.dial();
        self.wait(event, times);
    }

    /// The resident presses a key of the phone.
    pub(crate) fn press(&mut self, key: char, by: phone::KeyBy) {
        self.phone.press(self.now, key, by);
        self.collect();
    }

    pub(crate) fn hang_up(&mut self) {
        self.phone.hang_up(self.now);
        self.collect();
    }

    pub(crate) fn hold(&mut self, on: bool) {
        self.phone.hold(self.now, on);
        self.collect();
    }

    pub(crate) fn wait_panel(&mut self, verdict: PanelEvent) {
        let times = self.saw(verdict) + 1;
        self.run_until(&format!("{verdict:?}"), seconds(60), |world| {
            world.saw(verdict) >= times
        });
    }

    pub(crate) fn happened(&self, name: &str) -> usize {
        let named = |(_, event): &&(Duration, Event)| event.name() == name;
        self.events.iter().filter(named).count()
    }

    pub(crate) fn saw(&self, verdict: PanelEvent) -> usize {
        let same = |(_, event): &&(Duration, PanelEvent)| *event == verdict;
        self.verdicts.iter().filter(same).count()
    }

    pub(crate) fn opened(&self) -> usize {
        self.saw(PanelEvent::LockOpened)
    }

    /// Records of that name in the journal.
    pub(crate) fn records(&self, name: &str) -> usize {
        let named = |(_, event): &&(Duration, Event)| event.name() == name;
        self.journal.iter().filter(named).count()
    }

    pub(crate) fn last(&self, name: &str) -> Option<&Event> {
        let named = |(_, event): &&(Duration, Event)| event.name() == name;
        self.events.iter().rev().find(named).map(|(_, event)| event)
    }

    /// The last event of that name in words, empty without one.
    pub(crate) fn last_words(&self, name: &str) -> String {
        self.last(name)
            .map(|event| format!("{event:?}"))
            .unwrap_or_default()
    }

    pub(crate) fn time_of(&self, name: &str) -> Option<Duration> {
        self.events
            .iter()
            .find(|(_, event)| event.name() == name)
            .map(|(at, _)| *at)
    }

    pub(crate) fn phone_saw(&self, matches: impl Fn(&PhoneEvent) -> bool) -> usize {
        self.phone_events
            .iter()
            .filter(|(_, event)| matches(event))
            .count()
    }

    pub(crate) fn phase(&self) -> String {
        self.gateway.line_statuses()[0].phase.clone()
    }

    pub(crate) fn line_state(&self) -> String {
        self.gateway.line_statuses()[0].state.clone()
    }

    /// How often the gateway sent a SIP message that begins with `start`.
    pub(crate) fn gateway_sent(&self, start: &str) -> usize {
        self.network
            .sip
            .iter()
            .filter(|(_, ours, message)| *ours && message.starts_with(start.as_bytes()))
            .count()
    }

    /// Whether line, panel, phone and gateway are all at rest.
    pub(crate) fn at_rest(&self) -> bool {
        self.panel.panel_state() == PanelState::Idle
            && !self.panel.lock_open()
            && self.line_state() == "idle"
            && self.phase() == "idle"
            && self.gateway.call_statuses().is_empty()
            && self.gateway.audio_ports_in_use() == 0
    }

    /// Takes every trouble away and waits until all is at rest, which must come by itself.
    pub(crate) fn settle(&mut self) {
        self.weather = Weather::fine();
        self.mend_line();
        self.hold_button(false);
        self.replace();
        self.return_card();
        if !self.pbx_up {
            self.restart_pbx();
        }
        self.run_until("everything at rest", seconds(180), World::at_rest);
        self.run_until("no signalling left", seconds(70), |world| {
            world.gateway.is_quiet() && !world.phone.is_busy()
        });
        self.check_quiet();
    }

    /// After `settle`: neither side keeps anything of a call, a timer or a port.
    pub(crate) fn nothing_is_left(&mut self) {
        // The longest transaction lives 32 s, and one may have begun just now.
        self.run_until("nothing left of calls", seconds(70), |world| {
            world.gateway.under_way() == UnderWay::default() && world.phone.is_quiet()
        });
    }

    /// The next visit works: a phone that answers and presses the right key opens once.
    pub(crate) fn next_visit_works(&mut self) {
        self.settle();
        let opened = self.opened();
        self.network.watcher = None;
        self.phone
            .set_script(phone::Script::answer_and_press(ms(300), seconds(2), '9'));
        self.run_until("registered", seconds(400), |world| {
            world.gateway.account_statuses()[0].state == "registered"
        });
        self.dial();
        self.run_until("the next visit's opening", seconds(40), |world| {
            world.opened() > opened
        });
        self.settle();
        assert_eq!(self.opened(), opened + 1, "{}", self.story());
    }

    /// Everything that happened, for the message of a failed test.
    pub(crate) fn story(&self) -> String {
        let mut lines: Vec<(Duration, String)> = Vec::new();
        let gateway = |(at, event): &(Duration, Event)| (*at, format!("gateway {event:?}"));
        lines.extend(self.events.iter().map(gateway));
        let panel = |(at, event): &(Duration, PanelEvent)| (*at, format!("panel   {event:?}"));
        lines.extend(self.verdicts.iter().map(panel));
        let phone = |(at, event): &(Duration, PhoneEvent)| (*at, format!("phone   {event:?}"));
        lines.extend(self.phone_events.iter().map(phone));
        let sip = |(at, ours, message): &(Duration, bool, Vec<u8>)| {
            let first = message.split(|byte| *byte == b'\r').next().unwrap_or(&[]);
            let way = if *ours { "->" } else { "<-" };
            (
                *at,
                format!("sip {way}  {}", String::from_utf8_lossy(first)),
            )
        };
        lines.extend(self.network.sip.iter().map(sip));
        lines.sort_by_key(|(at, _)| *at);
        let status = &self.gateway.line_statuses()[0];
        let text: Vec<String> = lines
            .iter()
            .map(|(at, line)| format!("{:>9.3} {line}", at.as_secs_f64()))
            .collect();
        format!(
            "{}\nnow {:?}: {status:?}\npanel {:?}, calls {:?}",
            text.join("\n"),
            self.now,
            self.panel.panel_state(),
            self.gateway.call_statuses()
        )
    }
}
