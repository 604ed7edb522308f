//! The menu: each item shows the present value.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use config::Config;
use control::reply::{AccountStatus, LineStatus, Status};
use control::{Client, ClientError, render, table};
use serde_json::Value;

use crate::Setup;
use crate::learning;
use crate::login::{PasswordFile, new_password};
use crate::settings;
use crate::terminal::{Closed, Terminal};

/// A test call takes up to 35 s.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// Runs the menu until the technician leaves.
pub(crate) fn run<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
    passwords: &PasswordFile,
) -> Result<(), Closed> {
    loop {
        let status = ask_daemon(setup, "status", &[])
            .ok()
            .and_then(|value| serde_json::from_value::<Status>(value).ok());
        let config = read_config(setup);
        terminal.write(&screen(status.as_ref(), config.as_ref()))?;
        match terminal.ask("choose: ")?.as_str() {
            "1" => settings::account(terminal, setup)?,
            "2" => settings::line(terminal, setup)?,
            "3" => settings::targets(terminal, setup)?,
            "4" => test_call(terminal, setup)?,
            "5" => test_opening(terminal, setup)?,
            "6" => show(terminal, setup, "line levels", &[])?,
            "7" => show(terminal, setup, "journal", &["100".into()])?,
            "8" => show(terminal, setup, "doctor", &[])?,
            "9" => {
                new_password(terminal, passwords)?;
            }
            "l" => learning::learn(terminal, setup)?,
            "0" | "q" | "exit" => {
                terminal.write("logged out\n")?;
                return Err(Closed::LoggedOut);
            }
            "" => {}
            other => terminal.write(&format!(
                "there is no item \"{}\"\n",
                other.chars().take(20).collect::<String>()
            ))?,
        }
    }
}

pub(crate) fn read_config(setup: &Setup) -> Option<Config> {
    let text = std::fs::read_to_string(&setup.config_file).ok()?;
    Config::parse(&text, &setup.config_file.display().to_string()).ok()
}

fn clip(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// The menu with its present values; at most 20 rows of 80 columns.
fn screen(status: Option<&Status>, config: Option<&Config>) -> String {
    let head = match status {
        Some(status) => format!(
            "Trubka {}   up {} min   {} call(s)",
            status.version,
            status.uptime_s / 60,
            status.calls.len()
        ),
        None => format!(
            "Trubka {}   the daemon does not answer",
            env!("CARGO_PKG_VERSION")
        ),
    };
    let account = status
        .and_then(|status| status.accounts.first())
        .map_or("-".into(), account_words);
    let line = status
        .and_then(|status| status.lines.first())
        .map_or("no line is configured".into(), line_words);
    let more = status.map_or(0, |status| status.lines.len().saturating_sub(1));
    let line = if more > 0 {
        format!("{line} (+{more} more)")
    } else {
        line
    };
    let targets = config
        .and_then(|config| config.routes.first())
        .map_or("-".into(), |route| route.targets.join(", "));
    let rows = [
        ("1", "SIP account", account),
        ("2", "Line profile", line),
        ("3", "Who is called", targets),
        ("4", "Test call", "calls a phone and plays a tone".into()),
        (
            "5",
            "Test opening",
            "opens the door for a visitor who rings now".into(),
        ),
        ("6", "Levels", "volts and milliamps of every line".into()),
        ("7", "Log", "the last records of the journal".into()),
        ("8", "Doctor", "checks everything, says what to do".into()),
        ("9", "Password", "of this console".into()),
        (
            "l",
            "Learn a line",
            "measures it over a call, proposes a profile".into(),
        ),
        ("0", "Log out", String::new()),
    ];
    let mut text = format!("\n{}\n{}\n", clip(&head, 79), "-".repeat(79));
    for (number, name, value) in rows {
        text += &clip(&format!(" {number}  {name:<15} {value}"), 79);
        text.push('\n');
    }
    text.push('\n');
    text
}

fn account_words(account: &AccountStatus) -> String {
    format!(
        "{}  {} {}",
        account.address.trim_start_matches("sip:"),
        account.state,
        account.detail
    )
}

fn line_words(line: &LineStatus) -> String {
    let state = if line.present {
        line.fault.as_deref().unwrap_or(&line.state)
    } else {
        "no card"
    };
    let whose = match line.apartment {
        Some(apartment) => format!("apartment {apartment}"),
        None => line.topology.clone(),
    };
    format!(
        "{}, {whose}, {state}, {:.2} V {}",
        line.profile, line.volts, line.band
    )
}

/// Asks the daemon. After a reload its socket is away for a moment.
pub(crate) fn ask_daemon(
    setup: &Setup,
    command: &str,
    arguments: &[String],
) -> Result<Value, ClientError> {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        match Client::connect(&setup.socket) {
            Ok(mut client) => {
                client.set_timeout(Some(ANSWER_LIMIT))?;
                return client.call(command, arguments);
            }
            Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(error),
        }
    }
}

/// Runs a command of the table and shows its answer.
fn show<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
    command: &str,
    arguments: &[String],
) -> Result<(), Closed> {
    let text = match ask_daemon(setup, command, arguments) {
        Ok(answer) => render::answer(command, &answer),
        Err(error) => format!("{error}\n"),
    };
    terminal.pages(&text)?;
    terminal.ask("Enter goes back ").map(drop)
}

fn test_call<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let known = read_config(setup)
        .and_then(|config| Some(config.routes.first()?.targets.first()?.clone()))
        .unwrap_or_default();
    let target = terminal.ask(&format!("call whom [{known}]: "))?;
    let target = if target.is_empty() { known } else { target };
    if target.is_empty() {
        return Ok(());
    }
    terminal.write("calling, up to 35 s...\n")?;
    show(terminal, setup, "sip test-call", &[target])
}

fn test_opening<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let lines: Vec<String> = read_config(setup)
        .map(|config| config.lines.into_iter().map(|line| line.name).collect())
        .unwrap_or_default();
    let Some(line) = choose(terminal, "line", &lines)? else {
        return Ok(());
    };
    let question = table::find(&["door", "test"])
        .and_then(|(command, _)| command.ask_first)
        .unwrap_or("Open the door?");
    if terminal.confirm(question)? {
        show(
            terminal,
            setup,
            "door test",
            &[lines[line].clone(), "console".into()],
        )?;
    }
    Ok(())
}

/// Lets the technician pick one of several; the only one is taken without a question.
pub(crate) fn choose<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    what: &str,
    names: &[String],
) -> Result<Option<usize>, Closed> {
    if names.len() <= 1 {
        if names.is_empty() {
            terminal.write(&format!("the configuration has no {what}\n"))?;
        }
        return Ok((names.len() == 1).then_some(0));
    }
    for (index, name) in names.iter().enumerate() {
        terminal.write(&format!(" {}  {name}\n", index + 1))?;
    }
    let answer = terminal.ask(&format!("{what} number: "))?;
    Ok(answer
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_sub(1))
        .filter(|index| *index < names.len()))
}
