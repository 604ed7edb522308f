//! The simulation as a line that the line-simulator program and the tests drive.

use std::sync::Arc;
use std::time::Duration;

use line_interface::{DriveBlock, LineKind, SAMPLE_RATE_HZ, SenseBlock};

use super::{Entrance, MatrixSimulation};
use crate::model::LineModel;
use crate::panel::{PanelState, Stamped};
use crate::script::{Action, Script};

impl LineModel for MatrixSimulation {
    fn kind(&self) -> LineKind {
        LineKind::Matrix {
            taps: u16::try_from(self.layout.taps()).unwrap_or(u16::MAX),
        }
    }
    fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        Self::step(self, drive, sense);
    }
    fn now(&self) -> Duration {
        self.now
    }
    fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front().map(|(_, stamped)| stamped)
    }
    fn heard_by_visitor(&mut self) -> Vec<i16> {
        let first = self.panels.first_mut();
        first.map_or_else(Vec::new, |e| e.acoustics.heard())
    }
    fn finished(&self) -> bool {
        let rests = |e: &Entrance| e.panel.state() == PanelState::Idle && !e.panel.lock_open();
        self.runner.finished() && self.panels.iter().all(rests)
    }
    fn panel_state(&self) -> PanelState {
        Self::panel_state(self, 0).unwrap_or(PanelState::Idle)
    }
    fn dialled(&self) -> u16 {
        self.panels.first().map_or(0, |e| e.panel.apartment())
    }
    fn lock_open(&self) -> bool {
        self.panels.iter().any(|e| e.panel.lock_open())
    }
    fn restart_script(&mut self) {
        self.runner.restart(self.now);
    }
    fn begin_script(&mut self, script: Script) {
        self.runner.begin(script, self.now);
    }
    /// Handset and faults are those of the pair that the first panel calls or called last.
    fn act(&mut self, action: &Action) {
        let called = self.called();
        match action {
            Action::Dial(apartment) => self.dial(0, *apartment),
            Action::Leave => {
                self.leave(0);
                if let Some(entrance) = self.panels.first_mut() {
                    entrance.acoustics.visitor.clear();
                }
            }
            Action::Lift => self.lift(called),
            Action::Replace => {
                self.lifted.clear();
                self.dirty = true;
                if let Some(entrance) = self.panels.first_mut() {
                    entrance.acoustics.resident.clear();
                }
            }
            Action::Press(duration) => {
                self.press(called, true);
                self.button_until = Some(self.now + *duration);
            }
            Action::Fault(fault) => self.break_something(*fault),
            Action::Clear => {
                self.power(true);
                self.clear_faults();
            }
            Action::Click => self.click = true,
            Action::Say(samples) => {
                if let Some(entrance) = self.panels.first_mut() {
                    entrance.acoustics.visitor.say(Arc::clone(samples));
                }
            }
            Action::ResidentSay(samples) => {
                if let Some(entrance) = self.panels.first_mut() {
                    entrance.acoustics.resident.say(Arc::clone(samples));
                }
            }
            Action::Poll(duration) => {
                if let Some(entrance) = self.panels.first_mut() {
                    entrance.cell = entrance.cell.or(Some(called));
                    entrance.panel.poll_pulse(duration.as_millis() as u64);
                }
            }
        }
    }
    fn press_handset_button(&mut self, pressed: bool) {
        self.button_until = None;
        self.press(self.called(), pressed);
    }
    fn record(&mut self) {
        Self::record(self);
    }
    fn recorded(&self) -> &[Vec<f32>] {
        &self.recorded
    }
    fn recorded_channels(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (number, module) in (1..).zip(self.layout.modules()) {
            for (letter, first, count) in [
                ('D', module.first_tens, module.tens),
                ('E', module.first_units, module.units),
            ] {
                let labels = (usize::from(first)..).take(count);
                names.extend(labels.map(|label| format!("{number}:{letter}{label}")));
            }
        }
        names
    }
    fn recorded_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }
}
