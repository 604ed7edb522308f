//! `trubka line learn --live LINE`: the technician at the panel, step by step.

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::ArgMatches;
use control::Client;
use learn::{LearnError, Session, Target, today};

use super::learn::proposed;
use crate::arguments::Globals;
use crate::exit::{CONFIG, FAILURE, Failed, LINE_FAULT};
use crate::remote::{ask, print, socket};

/// How long the session waits for readings before it looks at the clock.
const WAIT: Duration = Duration::from_secs(1);

impl From<LearnError> for Failed {
    fn from(error: LearnError) -> Failed {
        let code = match &error {
            LearnError::Client(_) | LearnError::File { .. } => FAILURE,
            LearnError::Config(_) => CONFIG,
            LearnError::Refused(_) | LearnError::Silent { .. } => LINE_FAULT,
        };
        match error {
            LearnError::Client(error) => error.into(),
            other => Failed::new(code, other.to_string()),
        }
    }
}

pub(super) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let line = matches.get_one::<String>("live").map_or("", String::as_str);
    let calls = matches.get_one::<u32>("calls").copied().unwrap_or(1);
    let client = Client::connect(&socket(globals))?;
    let mut session = Session::begin(client, &globals.config, line, calls, WAIT)?;
    eprint!("{}", session.introduction());
    while !session.is_done() {
        for words in session.poll()? {
            eprintln!("{words}");
        }
    }
    let target = if matches.get_flag("override") {
        Target::Override
    } else {
        Target::Profile
    };
    let plan = session.plan(target, &today())?;
    if globals.json {
        let guess = (plan.brand.clone(), plan.confidence, plan.why.clone());
        print(&format!(
            "{:#}\n",
            proposed(&plan.line, &plan.proposal, guess)
        ))?;
    } else {
        print(&format!("{}\n{}", plan.measured(), plan.diff()))?;
    }
    if !globals.yes {
        if !std::io::stdin().is_terminal() {
            eprintln!("nothing is written: nobody is there to ask; --yes accepts the proposal");
            return Ok(());
        }
        ask("Write this and start anew with it? Calls that are up will be ended.")?;
    }
    plan.write()?;
    Client::connect(&socket(globals))?.call("reload", &[])?;
    eprintln!("written; the daemon starts anew");
    Ok(())
}
