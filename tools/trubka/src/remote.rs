//! Commands of the table, asked of the running daemon.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;
use control::reply::{Doctor, TestCall, Verdict};
use control::{Client, render, table};
use serde_json::Value;

use crate::arguments::Globals;
use crate::exit::{ABSENT, FAILURE, Failed, LINE_FAULT, NOT_REGISTERED};

/// Prints to standard output. A reader who left has seen enough: the program ends.
pub(crate) fn print(text: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(()),
    }
}

/// The control socket: as given, else as the configuration says, else the default.
pub(crate) fn socket(globals: &Globals) -> PathBuf {
    let configured = || {
        let text = std::fs::read_to_string(&globals.config).ok()?;
        let config = config::Config::parse(&text, "").ok()?;
        Some(config.control_socket)
    };
    globals
        .socket
        .clone()
        .or_else(configured)
        .unwrap_or_else(|| PathBuf::from("/run/trubka/control.sock"))
}

pub(crate) fn run(globals: &Globals, word: &str, matches: &ArgMatches) -> Result<(), Failed> {
    let (words, matches) = match matches.subcommand() {
        Some((second, sub)) => (vec![word, second], sub),
        None => (vec![word], matches),
    };
    let Some((command, _)) = table::find(&words) else {
        return Err(Failed::new(
            FAILURE,
            format!("no such command: {}", words.join(" ")),
        ));
    };
    let value = |argument: &table::Argument| {
        let value = matches.get_one::<String>(argument.name)?;
        Some(match argument.named {
            true => format!("{}={value}", argument.name),
            false => value.clone(),
        })
    };
    let arguments: Vec<String> = command.arguments.iter().filter_map(value).collect();
    if let Some(question) = command.ask_first
        && !globals.yes
    {
        ask(question)?;
    }
    let mut client = Client::connect(&socket(globals))?;
    if matches!(command.name, "events" | "line tap") {
        return follow(globals, &mut client, command.name, &arguments);
    }
    client.set_timeout(Some(Duration::from_secs(60)))?;
    let result = match command.name {
        "journal" => whole_journal(&mut client, &arguments)?,
        name => client.call(name, &arguments)?,
    };
    if globals.json {
        print(&format!("{result:#}\n"))?;
    } else {
        print(&render::answer(command.name, &result))?;
    }
    verdict(command.name, &result)
}

/// As many records as were asked for: what does not fit into one answer is asked for with the next.
fn whole_journal(client: &mut Client, arguments: &[String]) -> Result<Value, Failed> {
    let mut result = client.call("journal", arguments)?;
    let count = |word: &String| match word.split_once('=') {
        None => word.parse().ok(),
        Some(("last" | "limit", value)) => value.parse().ok(),
        Some(_) => None,
    };
    let wanted: usize = arguments.iter().filter_map(count).next_back().unwrap_or(20);
    let records = |page: &Value| page["records"].as_array().cloned().unwrap_or_default();
    let mut all = records(&result);
    while let Some(before) = result["more_before"]
        .as_i64()
        .filter(|_| all.len() < wanted)
    {
        let left = wanted - all.len();
        let mut words = arguments.to_vec();
        words.retain(|word| count(word).is_none() && !word.starts_with("before="));
        words.extend([format!("last={left}"), format!("before={before}")]);
        result = client.call("journal", &words)?;
        all.splice(0..0, records(&result));
    }
    result["records"] = all.into();
    Ok(result)
}

/// Asks on the terminal; without one nothing is done.
pub(crate) fn ask(question: &str) -> Result<(), Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::new(
            FAILURE,
            format!("{question}\n    hint: nobody is there to ask; give --yes to go on without"),
        ));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failed::new(FAILURE, "nothing was done"))
    }
}

fn follow(
    globals: &Globals,
    client: &mut Client,
    command: &str,
    arguments: &[String],
) -> Result<(), Failed> {
    client.call(command, arguments)?;
    loop {
        let event = client.next_event()?;
        print(&if globals.json {
            format!("{event}\n")
        } else if command == "events" {
            event_line(&event)
        } else {
            render::readings(&event)
        })?;
    }
}

/// An event as a line for a person.
pub(crate) fn event_line(event: &Value) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("");
    let time = text("time").get(11..23).unwrap_or("");
    let fields = event
        .as_object()
        .map(render::event_fields)
        .unwrap_or_default();
    format!("{time} {:<20} {fields}\n", text("event"))
}

/// The exit code that the answer deserves.
fn verdict(command: &str, result: &Value) -> Result<(), Failed> {
    fn read<T: serde::de::DeserializeOwned>(result: &Value) -> Option<T> {
        serde_json::from_value(result.clone()).ok()
    }
    let failed = |code, message: &str| Err(Failed::new(code, message));
    match command {
        "doctor" => match read::<Doctor>(result) {
            Some(doctor) if doctor.verdict() == Verdict::Fail => {
                let first = doctor
                    .checks
                    .iter()
                    .find(|check| check.verdict == Verdict::Fail);
                let code = match first.map(|check| check.name.split(' ').next().unwrap_or("")) {
                    Some("card" | "supply") => ABSENT,
                    Some("line") => LINE_FAULT,
                    Some("account") => NOT_REGISTERED,
                    _ => FAILURE,
                };
                failed(code, "some checks failed")
            }
            _ => Ok(()),
        },
        "sip test-call" => match read::<TestCall>(result) {
            Some(call) if !call.answered => failed(FAILURE, "the call was not answered"),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
