//! What the person at the line does next.

use super::measure::{Heard, Measurer, Phase};
use super::pulses::{PulseBook, PulseWatch};
use crate::card::Drive;
use crate::observe::LevelBook;
use crate::reading::BlockReading;

/// Blocks of a line at rest that make its level.
const REST_BLOCKS: u64 = 200;
/// Blocks of a lifted handset that make its level.
const LIFTED_BLOCKS: u64 = 100;
/// Bursts that show the pause.
const BURSTS: usize = 2;

/// Addresses that wait to be told.
const MAX_TOLD: usize = 64;

/// Who lifts and presses on this line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fitting {
    /// The old handset; a call that a phone answers shows our load instead and is not measured.
    Handset,
    /// There is none: the box's own loads are what the panel sees, so a phone answers and opens.
    Box,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Leave the line alone.
    Rest,
    /// Dial the apartment at the panel.
    Dial,
    /// Let it ring.
    Ring,
    /// Lift the handset.
    Lift,
    /// Leave it lifted.
    Talk,
    /// Press its button.
    Press,
    /// Put it back.
    Replace,
    /// Wait for the end of the call.
    End,
    /// Enough is known; another call makes it surer.
    Again,
}

impl Step {
    /// Number and short name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "1 rest",
            Self::Dial => "2 dial",
            Self::Ring => "3 ring",
            Self::Lift => "4 lift",
            Self::Talk => "5 talk",
            Self::Press => "6 button",
            Self::Replace => "7 replace",
            Self::End => "8 end",
            Self::Again => "9 again",
        }
    }

    /// What to do, in a sentence.
    #[must_use]
    pub const fn words(self, fitting: Fitting) -> &'static str {
        match (self, fitting) {
            (Self::Rest, _) => "leave the line alone for some seconds",
            (Self::Dial, _) => "dial the apartment at the panel",
            (Self::Ring, _) => "let it ring twice, do not answer yet",
            (Self::Lift, Fitting::Handset) => "lift the old handset; no phone may answer",
            (Self::Lift, Fitting::Box) => "answer on the phone",
            (Self::Talk, _) => "wait two seconds",
            (Self::Press, Fitting::Handset) => {
                "press the door button of the handset, half a second"
            }
            (Self::Press, Fitting::Box) => "press the door key on the phone",
            (Self::Replace, Fitting::Handset) => "put the handset back on its hook",
            (Self::Replace, Fitting::Box) => "hang up the phone",
            (Self::End, _) => "wait until the panel is at rest",
            (Self::Again, _) => "enough is measured; dial again to be surer",
        }
    }
}

/// Measures, and says what to do next.
#[derive(Debug)]
pub struct Guide {
    fitting: Fitting,
    measurer: Measurer,
    /// On a pulse line: its pulses.
    pulses: Option<PulseWatch>,
    told: std::collections::VecDeque<Heard>,
    /// The button was pressed in the call under way.
    pressed: bool,
}

impl Guide {
    /// Begins with a line at rest.
    #[must_use]
    pub fn new(fitting: Fitting) -> Self {
        Self {
            fitting,
            measurer: Measurer::default(),
            pulses: None,
            told: std::collections::VecDeque::new(),
            pressed: false,
        }
    }

    /// The same for a pulse line: give its readings to [`Guide::handle_pulses`].
    #[must_use]
    pub fn of_pulses(fitting: Fitting) -> Self {
        Self {
            pulses: Some(PulseWatch::default()),
            ..Self::new(fitting)
        }
    }

    /// Takes the next 10 ms of a pulse line: the wire itself, the runs of a capture that was
    /// completed meanwhile (lows and highs in turn, from the low of the reset, microseconds; empty
    /// without one), and what the box put across the line.
    pub fn handle_pulses(&mut self, reading: &BlockReading, runs: &[u32], drive: Drive) {
        let Some(watch) = &mut self.pulses else {
            return self.handle_reading(reading, drive);
        };
        let lifted = matches!(self.measurer.phase(), Phase::Lifted | Phase::Button);
        let (reading, address) = watch.handle(reading, runs, lifted);
        if std::mem::take(&mut watch.ended)
            && let Some(hz) = self.measurer.handle_end()
        {
            watch.book.unanswered(hz);
        }
        if let Some(pulses) = address {
            if self.told.len() >= MAX_TOLD {
                self.told.pop_front();
            }
            self.told.push_back(Heard::Address { pulses });
        }
        self.handle_reading(&reading, drive);
    }

    /// What a pulse line showed of its pulses.
    #[must_use]
    pub fn pulses(&self) -> Option<&PulseBook> {
        self.pulses.as_ref().map(|watch| &watch.book)
    }

    /// Takes the next 10 ms and what the box put across the line meanwhile.
    pub fn handle_reading(&mut self, reading: &BlockReading, drive: Drive) {
        if self.fitting == Fitting::Handset && (drive != Drive::SAFE) {
            self.measurer.handle_own_load();
        } else {
            self.measurer.handle_reading(reading);
        }
    }

    /// Readings were lost on their way.
    pub fn handle_gap(&mut self) {
        self.measurer.handle_gap();
    }

    /// What happened, oldest first.
    pub fn poll(&mut self) -> Option<Heard> {
        let heard = self.told.pop_front().or_else(|| self.measurer.poll());
        match heard {
            Some(Heard::Button { .. }) => self.pressed = true,
            Some(Heard::Active | Heard::Over { .. }) => self.pressed = false,
            _ => {}
        }
        heard
    }

    /// What to do next.
    #[must_use]
    pub fn step(&self) -> Step {
        let levels = self.measurer.levels();
        match self.measurer.phase() {
            Phase::Rest if levels.idle.blocks < REST_BLOCKS => Step::Rest,
            Phase::Rest if self.measurer.complete_calls() == 0 => Step::Dial,
            Phase::Rest => Step::Again,
            Phase::Fed => Step::Ring,
            Phase::Ringing if levels.bursts.len() < BURSTS => Step::Ring,
            Phase::Ringing => Step::Lift,
            Phase::Lifted | Phase::Button if self.pressed => Step::Replace,
            Phase::Lifted if levels.off_hook.blocks < LIFTED_BLOCKS => Step::Talk,
            Phase::Lifted | Phase::Button => Step::Press,
            Phase::Replaced | Phase::Spoiled => Step::End,
        }
    }

    /// Calls measured from ring to button.
    #[must_use]
    pub const fn complete_calls(&self) -> u32 {
        self.measurer.complete_calls()
    }

    /// No call is under way.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.measurer.phase() == Phase::Rest
    }

    /// Levels so far.
    #[must_use]
    pub fn levels(&self) -> LevelBook {
        self.measurer.levels()
    }

    /// Who lifts and presses.
    #[must_use]
    pub const fn fitting(&self) -> Fitting {
        self.fitting
    }
}

/// A name that profiles and files may bear: lower-case letters, digits, dashes.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "line" } else { out }.to_owned()
}
