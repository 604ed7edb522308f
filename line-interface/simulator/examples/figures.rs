//! Every figure that the lines must reach, with its goal and whether it is reached:
//! `cargo run --release -p line-simulation --example figures` in a minute or two,
//! with `-- --full` at full length (some minutes more). docs/reference/lines.md keeps the outcome.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::time::Instant;

use line_simulation::figures::{Failure, calls, costs, idle_rings, matrix, pulse, speeds};

/// How much of each experiment is made.
struct Counts {
    /// Every how manieth apartment.
    apartments: usize,
    /// Places at which faults are tried.
    places: usize,
    idle_hours: f64,
    calls: u64,
    /// Times each address.
    addresses: u64,
}

const SHORT: Counts = Counts {
    apartments: 5,
    places: 3,
    idle_hours: 1.0,
    calls: 400,
    addresses: 20,
};
const FULL: Counts = Counts {
    apartments: 1,
    places: 14,
    idle_hours: 24.0,
    calls: 10_000,
    addresses: 1000,
};

struct Table {
    missed: u32,
    start: Instant,
}

impl Table {
    fn row(&mut self, what: &str, goal: &str, found: &str, reached: bool) {
        let verdict = if reached { "reached" } else { "MISSED" };
        self.missed += u32::from(!reached);
        let took = self.start.elapsed().as_secs_f64();
        println!("| {what} | {goal} | {found} | {verdict} | {took:.0} s |");
        self.start = Instant::now();
    }
}

fn main() -> Result<ExitCode, Failure> {
    let full = std::env::args().any(|word| word == "--full");
    let count = if full { FULL } else { SHORT };
    println!(
        "machine: {}\n{}\n\n| what | goal | found | verdict | took |\n|---|---|---|---|---|",
        machine(),
        if full {
            "full counts"
        } else {
            "short counts; --full for all"
        }
    );
    let mut table = Table {
        missed: 0,
        start: Instant::now(),
    };
    // Costs first, before the processor is warm from hours of simulation.
    let cost = costs()?;
    table.row(
        "detectors of a pair, each 10 ms",
        "<= 2 us",
        &format!("{:.2} us", cost.pair_us),
        cost.pair_us <= 2.0,
    );
    table.row(
        "detectors of a 10 x 10 matrix, each 10 ms",
        "<= 40 us",
        &format!("{:.2} us", cost.matrix_us),
        cost.matrix_us <= 40.0,
    );
    let speed = speeds()?;
    table.row(
        "simulator, a pair",
        "hundreds of times real time",
        &format!("{:.0} times", speed.pair),
        speed.pair >= 200.0,
    );
    table.row(
        "simulator, 10 x 10 matrix at rest, ringing, in a talk",
        "stated",
        &format!(
            "{:.0}, {:.0}, {:.0} times",
            speed.matrix_at_rest, speed.matrix_ringing, speed.matrix_talking
        ),
        true,
    );
    let a = matrix::apartments(count.apartments)?;
    table.row(
        "apartment right, every switch file, 50 mV rms, 1 V hum, 5 % missing",
        "100 %, ambiguous 0",
        &format!("{} of {}, ambiguous {}", a.right, a.all, a.ambiguous),
        a.right == a.all && a.ambiguous == 0,
    );
    let f = matrix::faults(count.places)?;
    table.row(
        "wrong apartment under a single fault",
        "0",
        &format!(
            "{} ({} calls: {} right, {} ambiguous, {} not seen)",
            f.wrong, f.all, f.right, f.ambiguous, f.missed
        ),
        f.wrong == 0,
    );
    let rings = idle_rings(count.idle_hours)?;
    table.row(
        &format!("false rings in {} h of an idle line", count.idle_hours),
        "0",
        &rings.to_string(),
        rings == 0,
    );
    let c = calls(count.calls)?;
    table.row(
        &format!("rings missed in {} calls", c.all),
        "0",
        &(c.all - c.rang).to_string(),
        c.rang == c.all,
    );
    table.row(
        &format!("doors opened in {} calls", c.all),
        "100 %",
        &c.opened.to_string(),
        c.opened == c.all,
    );
    let p = pulse::addresses(count.addresses)?;
    table.row(
        &format!("pulse addresses 1 to 255, {} times each", count.addresses),
        "100 %",
        &format!("{} of {}", p.right, p.all),
        p.right == p.all,
    );
    table.row(
        "pulse counts of 256 to 400",
        "rejected",
        &format!("{} of {}", p.rejected, p.beyond),
        p.rejected == p.beyond,
    );
    for trouble in [a.first_trouble, f.first_trouble].into_iter().flatten() {
        println!("\n{trouble}");
    }
    Ok(if table.missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The processor, as Linux names it.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown processor", |rest| {
            rest.trim_start_matches([':', ' ', '\t'])
        });
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} core(s)")
}
