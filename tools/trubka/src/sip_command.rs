//! `trubka sip trace`: SIP messages of the running daemon, or of a capture file.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use control::Client;
use serde_json::Value;
use trace::{Capture, CaptureErrorKind, Filter, Ladder, Sighting, raw};

use crate::arguments::Globals;
use crate::exit::{FAILURE, Failed, USAGE};
use crate::remote;

/// Adds what the table of commands does not know to the `sip` group.
pub(crate) fn add_to(group: Command) -> Command {
    group.mut_subcommand("trace", |trace| {
        trace
            .arg(
                Arg::new("file")
                    .value_name("FILE")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help("capture of trubkad (trace.pcap), tcpdump or Wireshark; the running daemon unless given"),
            )
            .arg(
                Arg::new("call")
                    .long("call")
                    .value_name("TEXT")
                    .help("only messages with this in their Call-ID or in a caller's or callee's address"),
            )
            .arg(
                Arg::new("method")
                    .long("method")
                    .value_name("METHOD")
                    .action(ArgAction::Append)
                    .value_delimiter(',')
                    .help("only this method and the responses to it; may be given several times"),
            )
            .arg(
                Arg::new("raw")
                    .long("raw")
                    .action(ArgAction::SetTrue)
                    .help("whole messages instead of a ladder"),
            )
            .after_help("Examples:\n  trubka sip trace                       a ladder of what happens now\n  trubka sip trace --method INVITE,BYE   calls only\n  trubka sip trace capture.pcap --raw    every message of a file, whole\n  trubka sip trace capture.pcap --json   one JSON object a line\nDigest answers, media keys, passwords and pressed keys are shown as ***.")
    })
}

/// Carries out a command of the group that is not asked of the daemon as it stands in the table.
pub(crate) fn run(globals: &Globals, matches: &ArgMatches) -> Option<Result<(), Failed>> {
    let (word, matches) = matches.subcommand()?;
    (word == "trace").then(|| trace(globals, matches))
}

fn trace(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let methods = matches.get_many::<String>("method");
    let filter = Filter {
        call: matches.get_one::<String>("call").cloned(),
        methods: methods.into_iter().flatten().cloned().collect(),
    };
    let form = match (globals.json, matches.get_flag("raw")) {
        (true, true) => {
            return Err(Failed::new(
                USAGE,
                "--raw and --json exclude each other\n    hint: JSON holds the whole message already",
            ));
        }
        (true, false) => Form::Json,
        (false, true) => Form::Raw,
        (false, false) => Form::Ladder(Box::default()),
    };
    let screen = Screen { filter, form };
    match matches.get_one::<PathBuf>("file") {
        Some(file) => from_file(file, screen),
        None => live(globals, screen),
    }
}

enum Form {
    Ladder(Box<Ladder>),
    Raw,
    Json,
}

struct Screen {
    filter: Filter,
    form: Form,
}

impl Screen {
    /// Prints a message if it is wanted; `true` if it is.
    fn show(&mut self, sighting: &Sighting) -> Result<bool, Failed> {
        if !self.filter.wants(sighting) {
            return Ok(false);
        }
        let text = match &mut self.form {
            Form::Ladder(ladder) => ladder.lines(sighting),
            Form::Raw => raw(sighting),
            Form::Json => {
                let json = serde_json::to_string(sighting)
                    .map_err(|error| Failed::new(FAILURE, error.to_string()))?;
                json + "\n"
            }
        };
        remote::print(&text)?;
        Ok(true)
    }
}

fn from_file(path: &Path, mut screen: Screen) -> Result<(), Failed> {
    let named = |error: trace::CaptureError| {
        let code = match error.kind {
            CaptureErrorKind::Form => USAGE,
            CaptureErrorKind::Input | CaptureErrorKind::Damaged => FAILURE,
        };
        Failed::new(code, format!("{}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| named(error.into()))?;
    let mut capture = Capture::new(BufReader::new(file)).map_err(named)?;
    let mut shown = 0_u64;
    while let Some(sighting) = capture.next_message().map_err(named)? {
        shown += u64::from(screen.show(&sighting)?);
    }
    let left = capture.leftovers();
    if left.encrypted_streams > 0 {
        eprintln!(
            "trubka: {} TLS stream(s) cannot be read from outside\n    hint: set trace.pcap on the gateway, or run trubka sip trace there: both see inside",
            left.encrypted_streams
        );
    }
    if left.unknown_links > 0 {
        eprintln!(
            "trubka: {} frame(s) of an unknown link type were left out\n    hint: capture with tcpdump -i any",
            left.unknown_links
        );
    }
    if shown == 0 {
        return Err(Failed::new(
            FAILURE,
            format!(
                "{}: no SIP message among {} frame(s)\n    hint: {}",
                path.display(),
                left.frames,
                if screen.filter == Filter::default() {
                    "was the right interface captured? Wireshark shows what is in the file"
                } else {
                    "try without --call and --method"
                }
            ),
        ));
    }
    Ok(())
}

fn live(globals: &Globals, mut screen: Screen) -> Result<(), Failed> {
    let mut client = Client::connect(&remote::socket(globals))?;
    client.call("sip trace", &[])?;
    loop {
        let event = client.next_event()?;
        match serde_json::from_value::<Sighting>(event.clone()) {
            Ok(sighting) => {
                screen.show(&sighting)?;
            }
            // The daemon tells when this end reads too slowly.
            Err(_) => eprintln!(
                "trubka: {} message(s) missed: this end reads too slowly",
                event.get("count").and_then(Value::as_u64).unwrap_or(0)
            ),
        }
    }
}
