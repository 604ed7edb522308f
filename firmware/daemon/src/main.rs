//! `trubkad`: sockets, disk, clocks and line cards around the gateway core.

mod audio_ports;
mod cards;
mod clock;
mod commands;
mod console;
mod control_server;
mod doctor;
mod echo_store;
mod fanout;
mod headset;
mod input;
mod journal;
mod links;
mod logging;
mod names;
mod public_address;
mod recording;
mod run;
mod sockets;
mod sound_test;
mod startup;
mod state;
mod taps;
mod tracer;
mod wall_clock;

use std::process::ExitCode;

use startup::Arguments;

/// Exit codes: 0 ended in order, 2 usage, 3 configuration, 1 anything else.
fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(usage) => {
            eprintln!("{usage}");
            return ExitCode::from(2);
        }
    };
    logging::start(arguments.log_level);
    if let Some(test) = &arguments.sound_test {
        return sound_test::run(test);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(run::run(&arguments))
}
