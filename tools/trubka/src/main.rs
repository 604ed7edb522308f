//! `trubka`: the technician's command line. Data goes to standard output, messages to standard
//! error; see docs/reference/cli.md for the exit codes.

mod arguments;
mod audio;
mod config_command;
mod demo;
mod exit;
mod line_command;
mod remote;
mod sip_command;

use std::process::ExitCode;

fn main() -> ExitCode {
    let matches = arguments::command().get_matches();
    let globals = arguments::Globals::read(&matches);
    let done = match matches.subcommand() {
        Some(("audio", sub)) => audio::run(&globals, sub),
        Some(("config", sub)) => config_command::run(&globals, sub),
        Some(("demo", sub)) => demo::run(&globals, sub),
        Some(("line", sub)) => {
            line_command::run(&globals, sub).unwrap_or_else(|| remote::run(&globals, "line", sub))
        }
        Some(("sip", sub)) => {
            sip_command::run(&globals, sub).unwrap_or_else(|| remote::run(&globals, "sip", sub))
        }
        Some((word, sub)) => remote::run(&globals, word, sub),
        None => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("trubka: {failure}");
            ExitCode::from(failure.code)
        }
    }
}
