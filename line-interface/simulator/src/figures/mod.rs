//! The figures that the lines must reach (docs/reference/lines.md), each an experiment that tests run
//! short and `cargo run --release -p line-simulation --example figures` runs as long as wanted.

mod cost;
mod dice;
pub mod matrix;
mod pair;
pub mod pulse;

pub use cost::{Costs, Speeds, costs, speeds};
pub use dice::Dice;
pub use pair::{BRANDS, Calls, calls, idle_rings};

/// Why an experiment could not be made.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
