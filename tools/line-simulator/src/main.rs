//! A panel, a line and a handset as a process behind the virtual line card protocol.
//!
//! Protocol: `docs/reference/virtual-line-card.md`. Scripts and live commands:
//! `docs/reference/visitor-scripts.md`.

mod commands;
mod gateway;
mod lines;
mod output;
mod station;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Parser, ValueEnum};
use line_simulation::{Script, ScriptError, read_wav};

/// How the simulator's clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Speed {
    /// A block every 10 ms of wall time, whatever the gateway does.
    Realtime,
    /// A block for every drive frame, as fast as the gateway sends them.
    Lockstep,
}

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topology {
    /// The pair of one apartment.
    Pair,
    /// A switch with all its apartments.
    Matrix,
    /// Two wires with address pulses.
    Pulse,
}

/// A bus of a switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// Tens lines.
    Tens,
    /// Units lines.
    Units,
}

/// Simulates legacy intercom lines for a gateway that connects over a local socket.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Unix socket to listen on.
    #[arg(long, value_name = "PATH")]
    listen: PathBuf,
    /// Panel: vizit, cyfral, eltis or metakom.
    #[arg(long, default_value = "vizit")]
    brand: String,
    /// Number of lines, 1 to 64, all of the same brand.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    lines: u16,
    /// What the lines are.
    #[arg(long, value_enum, default_value_t = Topology::Pair)]
    topology: Topology,
    /// Matrix: built-in switch or switch file.
    #[arg(long, default_value = "kmg-100")]
    switch: String,
    /// Matrix: lowest apartment of the entrance.
    #[arg(long, default_value_t = 1)]
    first_apartment: u16,
    /// Matrix: the digits of the door number are those on the terminals.
    #[arg(long)]
    absolute: bool,
    /// Matrix: which bus the panel feeds.
    #[arg(long, value_enum, default_value_t = Side::Tens)]
    sourced: Side,
    /// Pulse: addresses of the old handset behind the card's relay.
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    handset_at: Vec<u16>,
    /// What the visitor and the resident do; without it, commands on standard input.
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Records what the visitor heard; line 1 and up get "-1" and so on before the extension.
    #[arg(long, value_name = "OUT.wav")]
    heard: Option<PathBuf>,
    /// Records the wires, 16 V at full scale: of a pair volts and milliamps (100 mA) as two channels,
    /// of a switch all taps, of a pulse line the wire at 200 kHz. `trubka line analyze` reads it;
    /// the event "recording" tells with which --channels.
    #[arg(long, value_name = "OUT.wav")]
    record: Option<PathBuf>,
    /// Records volts, milliamps, load and panel state every 10 ms.
    #[arg(long, value_name = "OUT.csv")]
    trace: Option<PathBuf>,
    /// Where the panel's verdicts go, one JSON object a line; "-" is standard output.
    #[arg(long, value_name = "OUT.jsonl", default_value = "-")]
    events: PathBuf,
    /// Clock.
    #[arg(long, value_enum, default_value_t = Speed::Realtime)]
    speed: Speed,
    /// Begins the script anew whenever it has ended.
    #[arg(long)]
    repeat: bool,
    /// Time stands still until a gateway connects for the first time.
    #[arg(long)]
    wait_for_gateway: bool,
    /// The script's time stands still until the command "begin" comes; the line rests meanwhile.
    #[arg(long, requires = "script")]
    wait_for_begin: bool,
    /// No old handset is there.
    #[arg(long)]
    no_handset: bool,
    /// The panel gives up ringing after so many seconds, 1 to 600; without it after its own time.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=600))]
    rings_s: Option<u64>,
    /// Seed of the parts' spread and the noise; 0 gives nominal parts.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// What ends the program with an error: a cause and a hint.
#[derive(Debug)]
struct Failure {
    cause: String,
    hint: String,
}

impl Failure {
    fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {}\nhint: {}", e.cause, e.hint);
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let script = args.script.as_deref().map(load_script).transpose()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(|e| {
            Failure::new(
                format!("signal {signal} cannot be caught: {e}"),
                "report this",
            )
        })?;
    }
    let outputs = output::Outputs::open(args)?;
    let station = station::Station::new(args, script, outputs)?;
    let (messages, inbox) = std::sync::mpsc::sync_channel(1024);
    let socket = gateway::listen(&args.listen, station.kinds(), messages.clone())?;
    commands::read_stdin(messages);
    let result = station.run(&inbox, &stop);
    drop(socket);
    result
}

/// Paths of recordings in a script are relative to the script.
fn load_script(path: &Path) -> Result<Script, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(
            format!("{}: {e}", path.display()),
            "give the path of a script file",
        )
    })?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    Script::from_toml(&text, |name| load_sound(&folder.join(name)))
        .map_err(|e| Failure::new(format!("{}: {}", path.display(), e.cause), e.hint))
}

fn load_sound(path: &Path) -> Result<Vec<i16>, ScriptError> {
    let file = std::fs::File::open(path).map_err(|e| ScriptError {
        cause: format!("{}: {e}", path.display()),
        hint: "give a WAV file of 8000 Hz, one channel, 16 bit",
    })?;
    read_wav(std::io::BufReader::new(file)).map_err(|e| ScriptError {
        cause: format!("{}: {}", path.display(), e.cause),
        hint: e.hint,
    })
}
