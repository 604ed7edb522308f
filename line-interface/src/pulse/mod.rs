//! Two-wire lines on which the panel counts out the address in short pulses (line-facts 3).

mod capture;
mod profile;
mod reader;
mod tone;

pub use capture::{CAPTURE_BYTES, CAPTURE_HZ, Capture};
pub use profile::{PulseAddress, PulseDoor, PulseLevel, PulseProfile, PulseTiming, PulseTone};
pub use reader::{PulseDoubt, PulseEvent, PulseReader};
pub use tone::{PanelTone, ToneReader};
