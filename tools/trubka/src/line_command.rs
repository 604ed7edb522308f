//! `trubka line analyze` and `trubka line learn`: recordings of a line, without a daemon; and
//! learning a live line, with one.

mod analyze;
mod channels;
mod learn;
mod learn_live;
mod recording;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::arguments::Globals;
use crate::exit::{Failed, USAGE};

/// A failed command with its hint.
fn failed(code: u8, cause: impl std::fmt::Display, hint: impl std::fmt::Display) -> Failed {
    Failed::new(code, format!("{cause}\n    hint: {hint}"))
}

fn number(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .allow_negative_numbers(true)
        .value_parser(clap::value_parser!(f32))
}

/// Adds the commands to the `line` group.
pub(crate) fn add_to(group: Command) -> Command {
    let file = Arg::new("file")
        .value_name("FILE.wav")
        .required(true)
        .value_parser(clap::value_parser!(PathBuf))
        .help("recording, DC coupled, one channel for each tapped wire");
    let volts = number("full-scale-volts", "V")
        .required(true)
        .help("volts at full scale of the recording");
    let profile = Arg::new("profile")
        .long("profile")
        .value_name("NAME")
        .default_value("auto")
        .help("line profile, a profile file, or auto");
    group
        .subcommand(
            Command::new("analyze")
                .about("Tells what happened in a recording of a line; with --json one object a line.")
                .arg(file.clone())
                .arg(volts.clone())
                .arg(
                    Arg::new("topology")
                        .long("topology")
                        .value_name("KIND")
                        .value_parser(["pair", "matrix", "pulse"])
                        .help("pair unless channels, switch or profile say otherwise"),
                )
                .arg(
                    Arg::new("channels")
                        .long("channels")
                        .value_name("NAMES")
                        .help("names of the channels: D0,..,D9,E0,..,E9 for taps; line,current for a pair"),
                )
                .arg(
                    Arg::new("switch")
                        .long("switch")
                        .value_name("NAME")
                        .help("switch type; 10 x 10 unless given"),
                )
                .arg(
                    Arg::new("first-apartment")
                        .long("first-apartment")
                        .value_name("N")
                        .default_value("1")
                        .value_parser(clap::value_parser!(u16))
                        .help("lowest apartment of the entrance"),
                )
                .arg(
                    Arg::new("absolute")
                        .long("absolute")
                        .action(clap::ArgAction::SetTrue)
                        .help("pairs follow the digits of the door number"),
                )
                .arg(
                    Arg::new("sourced")
                        .long("sourced")
                        .value_name("BUS")
                        .value_parser(["tens", "units"])
                        .help("which bus the switch feeds; as the profile says unless given"),
                )
                .arg(
                    number("full-scale-milliamps", "MA")
                        .default_value("100")
                        .help("milliamps at full scale of a channel called current"),
                )
                .arg(profile.clone())
                .after_help("Example:\n  trubka line analyze call.wav --full-scale-volts 16 --profile eltis\n  trubka line analyze taps.wav --full-scale-volts 16 --topology matrix --switch km100-7.1 --channels D0,..,D9,E0,..,E9"),
        )
        .subcommand(
            Command::new("learn")
                .about("Measures a line over calls, live or recorded, and proposes profile values as a diff.")
                .arg(file.required(false).num_args(1..).required_unless_present("live"))
                .arg(volts.required(false).required_unless_present("live"))
                .arg(profile)
                .arg(
                    Arg::new("topology")
                        .long("topology")
                        .value_name("KIND")
                        .value_parser(["pair", "pulse"])
                        .default_value("pair")
                        .help("what the recording is of; pulses need 96000 Hz or more"),
                )
                .arg(
                    Arg::new("live")
                        .long("live")
                        .value_name("LINE")
                        .conflicts_with_all(["file", "full-scale-volts"])
                        .help("measure this line of the running daemon, step by step"),
                )
                .arg(
                    Arg::new("override")
                        .long("override")
                        .action(clap::ArgAction::SetTrue)
                        .requires("live")
                        .help("propose an [[override]] for this apartment, keep the line's profile"),
                )
                .arg(
                    Arg::new("calls")
                        .long("calls")
                        .value_name("N")
                        .default_value("1")
                        .value_parser(clap::value_parser!(u32).range(1..=20))
                        .help("calls to measure live"),
                )
                .after_help("In each call the old handset answers and its button is pressed.\nExample:\n  trubka line learn --live apt42\n  trubka line learn call1.wav call2.wav --full-scale-volts 16 --profile vizit"),
        )
}

/// Runs one of the offline commands; `None` when the command is the daemon's.
pub(crate) fn run(globals: &Globals, matches: &ArgMatches) -> Option<Result<(), Failed>> {
    match matches.subcommand() {
        Some(("analyze", sub)) => Some(analyze::run(globals, sub)),
        Some(("learn", sub)) if sub.contains_id("live") => Some(learn_live::run(globals, sub)),
        Some(("learn", sub)) => Some(learn::run(globals, sub)),
        _ => None,
    }
}

fn full_scale(matches: &ArgMatches, name: &str) -> Result<f32, Failed> {
    let value = matches.get_one::<f32>(name).copied().unwrap_or(0.0);
    if value.is_finite() && value > 0.0 && value <= 1000.0 {
        Ok(value)
    } else {
        Err(failed(
            USAGE,
            format!("--{name} {value}"),
            "give the reading at full scale of the recording, such as 16",
        ))
    }
}

/// A built-in profile, a profile file, or the generous one for `auto`.
fn profile(name: &str) -> Result<line_interface::Profile, Failed> {
    use line_interface::Profile;
    let key = if name == "auto" { "custom" } else { name };
    if let Some(profile) = Profile::builtin(key) {
        return Ok(profile);
    }
    if line_interface::pulse::PulseProfile::builtin(name).is_some() {
        return Err(failed(
            USAGE,
            format!("{name} is the profile of a pulse line"),
            "add --topology pulse, or name the profile of a brand",
        ));
    }
    let known: Vec<&str> = Profile::builtin_names().collect();
    let text = std::fs::read_to_string(name).map_err(|e| {
        failed(
            USAGE,
            format!("no profile {name:?}: {e}"),
            format!("a file, auto, or one of {}", known.join(", ")),
        )
    })?;
    Profile::from_toml(&text).map_err(|e| failed(crate::exit::CONFIG, &e, e.hint))
}
