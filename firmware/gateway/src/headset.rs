//! A technician's headset in the sound of a line: it hears street and phone, and in talk mode both hear
//! it. It commands nothing: no door, no line, no call.

use std::time::Duration;

use call::Event;
use line_interface::BLOCK_SAMPLES;

use crate::{Gateway, Output};

/// What a headset does on its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadsetMode {
    /// It hears.
    Listen,
    /// It hears and is heard.
    Talk,
}

impl HeadsetMode {
    /// Stable lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            HeadsetMode::Listen => "listen",
            HeadsetMode::Talk => "talk",
        }
    }
}

/// A headset on a line.
#[derive(Debug)]
pub(crate) struct Headset {
    line: usize,
    mode: HeadsetMode,
    since: Duration,
    limit: Duration,
    speaks: [i16; BLOCK_SAMPLES],
    hears: [i16; BLOCK_SAMPLES],
}

impl Headset {
    /// What goes from the street to the phone, with the headset's voice.
    pub(crate) fn towards_phone(&mut self, street: &[i16; BLOCK_SAMPLES]) -> [i16; BLOCK_SAMPLES] {
        self.hears = *street;
        let mut audio = *street;
        if self.mode == HeadsetMode::Talk {
            add(&mut audio, &self.speaks);
        }
        audio
    }

    /// What goes from the phone to the street, with the headset's voice.
    pub(crate) fn towards_street(&mut self, audio: &mut [i16; BLOCK_SAMPLES]) {
        add(&mut self.hears, audio);
        if self.mode == HeadsetMode::Talk {
            add(audio, &self.speaks);
        }
    }
}

fn add(to: &mut [i16; BLOCK_SAMPLES], from: &[i16; BLOCK_SAMPLES]) {
    for (slot, sample) in to.iter_mut().zip(from) {
        *slot = slot.saturating_add(*sample);
    }
}

impl Gateway {
    /// Puts the headset on a line for at most `limit`; it leaves the one it was on.
    pub fn join_headset(&mut self, now: Duration, line: usize, mode: HeadsetMode, limit: Duration) {
        if line >= self.lines.len() {
            return;
        }
        if self.headset.as_ref().is_some_and(|old| old.line != line) {
            self.leave_headset("moved to another line");
        }
        self.headset = Some(Headset {
            line,
            mode,
            since: now,
            limit,
            speaks: [0; BLOCK_SAMPLES],
            hears: [0; BLOCK_SAMPLES],
        });
        self.tell_headset(line, mode.name(), "");
    }

    /// Takes the headset off its line, if it is on one.
    pub fn leave_headset(&mut self, reason: &str) {
        if let Some(headset) = self.headset.take() {
            self.tell_headset(headset.line, "off", reason);
        }
    }

    /// Line and mode of the headset, while it is on a line.
    pub fn headset_line(&self) -> Option<(&str, HeadsetMode)> {
        let headset = self.headset.as_ref()?;
        let line = self.config.lines.get(headset.line)?;
        Some((&line.name, headset.mode))
    }

    /// The card whose blocks carry the headset's sound.
    pub fn headset_card(&self) -> Option<usize> {
        let headset = self.headset.as_ref()?;
        self.lines.get(headset.line).map(|slot| slot.card)
    }

    /// What the headset says during the coming block of its card.
    pub fn headset_speaks(&mut self, audio: &[i16; BLOCK_SAMPLES]) {
        if let Some(headset) = &mut self.headset {
            headset.speaks = *audio;
        }
    }

    /// What the headset hears of the last block of its card.
    pub fn headset_hears(&self) -> [i16; BLOCK_SAMPLES] {
        self.headset
            .as_ref()
            .map_or([0; BLOCK_SAMPLES], |headset| headset.hears)
    }

    /// A sound device of the headset came or went: `device` is `microphone` or `earpiece`, `detail` says how it runs or why
    /// it does not. Told while the headset is on a line.
    pub fn headset_device(&mut self, device: &str, present: bool, detail: &str) {
        let line = self
            .headset
            .as_ref()
            .and_then(|headset| self.config.lines.get(headset.line));
        let Some(line) = line.map(|line| line.name.clone()) else {
            return;
        };
        self.outputs.push_back(Output::Event(Event::HeadsetDevice {
            line,
            device: device.to_owned(),
            present,
            detail: detail.to_owned(),
        }));
    }

    /// The headset on a line.
    pub(crate) fn headset_on(headset: &mut Option<Headset>, line: usize) -> Option<&mut Headset> {
        headset.as_mut().filter(|headset| headset.line == line)
    }

    /// A headset that was forgotten leaves.
    pub(crate) fn watch_headset(&mut self, now: Duration) {
        let over = self
            .headset
            .as_ref()
            .is_some_and(|headset| now.saturating_sub(headset.since) >= headset.limit);
        if over {
            self.leave_headset("the time of headset.limit_s is over");
        }
    }

    fn tell_headset(&mut self, line: usize, mode: &str, reason: &str) {
        let Some(settings) = self.config.lines.get(line) else {
            return;
        };
        self.outputs.push_back(Output::Event(Event::Headset {
            line: settings.name.clone(),
            mode: mode.to_owned(),
            reason: reason.to_owned(),
        }));
    }
}
