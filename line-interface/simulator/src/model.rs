//! What every simulated line can do, whatever its topology.

use std::time::Duration;

use line_interface::{DriveBlock, LineKind, SenseBlock};

use crate::panel::{PanelState, Stamped};
use crate::script::{Action, Script};
use crate::setup::Fault;

/// A panel, its line and its handsets behind a line card, advanced 10 ms at a time.
pub trait LineModel: std::fmt::Debug + Send {
    /// What the card's line is wired to.
    fn kind(&self) -> LineKind;

    /// Advances by 10 ms with what the card drives, and returns what the card reads.
    fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock);

    /// Time since the beginning.
    fn now(&self) -> Duration;

    /// The panel's next verdict, oldest first.
    fn poll_event(&mut self) -> Option<Stamped>;

    /// What the panel's loudspeaker played since the last call, 8 kHz.
    fn heard_by_visitor(&mut self) -> Vec<i16>;

    /// The script has nothing left to do and the panel is at rest with its lock closed.
    fn finished(&self) -> bool;

    /// Where the panel stands.
    fn panel_state(&self) -> PanelState;

    /// The apartment, or on a pulse line the address, that was dialled last.
    fn dialled(&self) -> u16;

    /// The lock is open.
    fn lock_open(&self) -> bool;

    /// Runs the script once more from its beginning.
    fn restart_script(&mut self);

    /// Runs a script, whose time begins now, instead of the one so far.
    fn begin_script(&mut self, script: Script);

    /// Does one action now.
    fn act(&mut self, action: &Action);

    /// The resident presses or releases the old handset's door button.
    fn press_handset_button(&mut self, pressed: bool);

    /// The resident lifts the old handset.
    fn lift_handset(&mut self) {
        self.act(&Action::Lift);
    }

    /// The resident puts it back.
    fn replace_handset(&mut self) {
        self.act(&Action::Replace);
    }

    /// The visitor dials.
    fn visitor_dial(&mut self, apartment: u16) {
        self.act(&Action::Dial(apartment));
    }

    /// The visitor presses the reset key.
    fn visitor_leave(&mut self) {
        self.act(&Action::Leave);
    }

    /// The visitor speaks; heard on the line while the panel talks.
    fn visitor_say(&mut self, samples: &[i16]) {
        self.act(&Action::Say(samples.into()));
    }

    /// The resident speaks into the old handset.
    fn resident_say(&mut self, samples: &[i16]) {
        self.act(&Action::ResidentSay(samples.into()));
    }

    /// Puts a fault into the line.
    fn inject(&mut self, fault: Fault) {
        self.act(&Action::Fault(fault));
    }

    /// Takes all faults away.
    fn clear_faults(&mut self) {
        self.act(&Action::Clear);
    }

    /// Begins to keep what a recorder on every wire would read.
    fn record(&mut self);

    /// What it read in the last block, one series for each wire, at [`LineModel::recorded_hz`].
    fn recorded(&self) -> &[Vec<f32>];

    /// The wires as `trubka line analyze --channels` names them.
    fn recorded_channels(&self) -> Vec<String>;

    /// Sample rate of the recorder.
    fn recorded_hz(&self) -> u32;
}
