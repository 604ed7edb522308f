//! Learning a line: measures its levels over one or more calls, guides the person who makes those
//! calls, and proposes profile values. The same measuring serves recordings and a live line.

mod guide;
mod measure;
mod propose;
mod propose_pulse;
mod pulses;

pub use guide::{Fitting, Guide, Step, slug};
pub use measure::{Heard, Measurer, Phase};
pub use propose::{Change, Proposal, Refusal, Stamp, guess_brand, propose};
pub use propose_pulse::{guess_pulse, propose_pulse};
pub use pulses::{PulseBook, WireRuns};
