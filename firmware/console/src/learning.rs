//! Learning a line from the console: what to do next, line by line; then the proposal.

use std::io::{Read, Write};
use std::time::Duration;

use control::Client;
use learn::{LearnError, Plan, Session, Target, today};

use crate::Setup;
use crate::menu::{ask_daemon, choose, read_config};
use crate::terminal::{Closed, Terminal};

/// Readings are taken as they are there; the terminal's own reads do the waiting.
const WAIT: Duration = Duration::from_millis(5);

/// Lets the technician pick a line and learns it.
pub(crate) fn learn<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let names: Vec<String> = read_config(setup)
        .map(|config| config.lines.into_iter().map(|line| line.name).collect())
        .unwrap_or_default();
    let Some(index) = choose(terminal, "line", &names)? else {
        return Ok(());
    };
    let calls = terminal.ask("how many calls [1]: ")?.parse().unwrap_or(1);
    let own = terminal.confirm("Only for this apartment, as an override?")?;
    let target = if own {
        Target::Override
    } else {
        Target::Profile
    };
    match follow(terminal, setup, &names[index], (calls, target))? {
        Ok(Some(plan)) => propose(terminal, setup, &plan),
        Ok(None) => terminal.write("ended; nothing was changed\n"),
        Err(error) => terminal.write(&format!("{error}\n")),
    }
}

/// Follows the line until enough is measured; `None` when the technician ended it.
fn follow<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
    line: &str,
    (calls, target): (u32, Target),
) -> Result<Result<Option<Plan>, LearnError>, Closed> {
    let begun = Client::connect(&setup.socket)
        .map_err(LearnError::from)
        .and_then(|client| Session::begin(client, &setup.config_file, line, calls, WAIT));
    let mut session = match begun {
        Ok(session) => session,
        Err(error) => return Ok(Err(error)),
    };
    terminal.write(&session.introduction())?;
    terminal.write("Any key ends it.\n")?;
    while !session.is_done() {
        match session.poll() {
            Ok(told) => {
                for words in told {
                    terminal.write(&format!("{words}\n"))?;
                }
            }
            Err(error) => return Ok(Err(error)),
        }
        if !session.has_more() && terminal.key()? {
            return Ok(Ok(None));
        }
    }
    Ok(session.plan(target, &today()).map(Some))
}

fn propose<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
    plan: &Plan,
) -> Result<(), Closed> {
    terminal.pages(&format!("{}\n{}", plan.measured(), plan.diff()))?;
    if !terminal.confirm("Write this and start anew with it? Calls that are up will be ended.")? {
        return terminal.write("nothing was changed\n");
    }
    if let Err(error) = plan.write() {
        return terminal.write(&format!("{error}\n"));
    }
    match ask_daemon(setup, "reload", &[]) {
        Ok(_) => terminal.write("written; the daemon starts anew\n"),
        Err(error) => terminal.write(&format!("written, but: {error}\n")),
    }
}
