//! Learning a line: measures its levels over one or more calls, guides the person who makes those
//! calls, and proposes profile values. The same measuring serves recordings and a live line.

mod guide;
mod measure;
mod propose;

pub use guide::{Fitting, Guide, Step, slug};
pub use measure::{Heard, Measurer, Phase};
pub use propose::{Change, Proposal, Refusal, Stamp, guess_brand, propose};
