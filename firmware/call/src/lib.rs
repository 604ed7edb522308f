//! The call controller: what the gateway does when a visitor rings, a phone answers, a key is
//! pressed, a handset is lifted. It owns the promises about the door (ARCHITECTURE.md, promises
//! 1, 2 and 6) and knows no socket, no clock and no packet: inputs and `now` go in, actions and
//! events come out.

mod access;
mod controller;
mod digits;
mod door;
pub mod event;
mod leg;

pub use access::{Caller, Opener, extension_name, may_forward, may_open};
pub use control::figures::CallFigures;
pub use controller::{AccountSettings, Controller, LineSettings, LineView, Settings};
pub use digits::DigitMatcher;
pub use event::{Cause, Event, Refusal};
pub use leg::{Action, LegId, RecordId, Sound};
