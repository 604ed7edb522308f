//! Changing the configuration: every value is shown, Enter keeps it, the whole is checked before
//! anything is written.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt as _;

use config::{Change, Config, apply_changes, write_whole};

use crate::Setup;
use crate::menu::{ask_daemon, choose, read_config};
use crate::terminal::{Closed, Terminal};

/// One question: the key, its words, its present value.
struct Question<'a> {
    key: &'a str,
    text: &'a str,
    present: String,
}

fn question<'a>(key: &'a str, text: &'a str, present: impl Into<String>) -> Question<'a> {
    Question {
        key,
        text,
        present: present.into(),
    }
}

/// The account's address and password.
pub(crate) fn account<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let Some(config) = config_or_say(terminal, setup)? else {
        return Ok(());
    };
    let names: Vec<String> = config
        .accounts
        .iter()
        .map(|account| account.name.clone())
        .collect();
    let Some(index) = choose(terminal, "account", &names)? else {
        return Ok(());
    };
    let account = &config.accounts[index];
    let questions = [
        question("domain", "PBX name or address", account.domain.to_string()),
        question("extension", "extension", account.extension.clone()),
        question(
            "auth_user",
            "authentication name, if another",
            account.auth_user.clone().unwrap_or_default(),
        ),
        question(
            "display_name",
            "name shown on phones",
            account.display_name.clone().unwrap_or_default(),
        ),
    ];
    let mut changes = ask_all(terminal, "account", index, &questions)?;
    let password = terminal.ask_hidden("password [unchanged]: ")?;
    let mut new_password = None;
    if !password.is_empty() {
        match &account.password_file {
            Some(file) => new_password = Some((file.clone(), password)),
            None => changes.push(Change {
                section: "account".into(),
                index,
                key: "password".into(),
                value: password,
            }),
        }
    }
    if changes.is_empty() && new_password.is_none() {
        return terminal.write("nothing was changed\n");
    }
    save(terminal, setup, &changes, || match &new_password {
        Some((file, password)) => write_whole(file, &format!("{password}\n"), 0o600),
        None => Ok(()),
    })
}

/// The line's profile, apartment and handset.
pub(crate) fn line<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let Some(config) = config_or_say(terminal, setup)? else {
        return Ok(());
    };
    let names: Vec<String> = config.lines.iter().map(|line| line.name.clone()).collect();
    let Some(index) = choose(terminal, "line", &names)? else {
        return Ok(());
    };
    let line = &config.lines[index];
    let handset = if line.handset == config::Handset::Absent {
        "absent"
    } else {
        "relayed"
    };
    terminal.write("profiles: vizit, cyfral, eltis, metakom, or the path of a profile file\n")?;
    let questions = [
        question("profile", "profile", line.profile.clone()),
        question("handset", "old handset: relayed or absent", handset),
    ];
    let changes = ask_all(terminal, "line", index, &questions)?;
    if changes.is_empty() {
        return terminal.write("nothing was changed\n");
    }
    save(terminal, setup, &changes, || Ok(()))
}

/// Whom a visitor's call goes to.
pub(crate) fn targets<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<(), Closed> {
    let Some(config) = config_or_say(terminal, setup)? else {
        return Ok(());
    };
    let names: Vec<String> = config
        .routes
        .iter()
        .map(|route| format!("apartment {}", route.apartment))
        .collect();
    let Some(index) = choose(terminal, "route", &names)? else {
        return Ok(());
    };
    let route = &config.routes[index];
    let questions = [
        question(
            "targets",
            "whom to call, commas between",
            route.targets.join(", "),
        ),
        question(
            "target_timeout_s",
            "seconds for each",
            route.target_timeout.as_secs().to_string(),
        ),
    ];
    let changes = ask_all(terminal, "route", index, &questions)?;
    if changes.is_empty() {
        return terminal.write("nothing was changed\n");
    }
    save(terminal, setup, &changes, || Ok(()))
}

fn config_or_say<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
) -> Result<Option<Config>, Closed> {
    let config = read_config(setup);
    if config.is_none() {
        terminal.write(&format!(
            "{} cannot be read or has problems\n    hint: trubka config check says which\n",
            setup.config_file.display()
        ))?;
    }
    Ok(config)
}

fn ask_all<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    section: &str,
    index: usize,
    questions: &[Question<'_>],
) -> Result<Vec<Change>, Closed> {
    let mut changes = Vec::new();
    terminal.write("Enter keeps what stands in brackets.\n")?;
    for question in questions {
        let answer = terminal.ask(&format!("{} [{}]: ", question.text, question.present))?;
        if !answer.is_empty() && answer != question.present {
            changes.push(Change {
                section: section.into(),
                index,
                key: question.key.into(),
                value: answer,
            });
        }
    }
    Ok(changes)
}

/// Checks, asks, writes and starts the daemon anew with it.
fn save<S: Read + Write, F: FnMut() -> bool>(
    terminal: &mut Terminal<S, F>,
    setup: &Setup,
    changes: &[Change],
    also: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), Closed> {
    let file = setup.config_file.display().to_string();
    let text = match std::fs::read_to_string(&setup.config_file) {
        Ok(text) => text,
        Err(error) => return terminal.write(&format!("{file}: {error}\n")),
    };
    let new = match apply_changes(&text, &file, changes) {
        Ok(new) => new,
        Err(problems) => {
            for problem in problems {
                terminal.write(&format!("{problem}\n"))?;
            }
            return terminal.write("nothing was changed\n");
        }
    };
    if !terminal.confirm("Save and start anew with it? Calls that are up will be ended.")? {
        return terminal.write("nothing was changed\n");
    }
    let mode = std::fs::metadata(&setup.config_file)
        .map_or(0o600, |data| data.permissions().mode() & 0o777);
    if let Err(error) = also().and_then(|()| write_whole(&setup.config_file, &new, mode)) {
        return terminal.write(&format!("cannot write: {error}\nnothing was changed\n"));
    }
    match ask_daemon(setup, "reload", &[]) {
        Ok(_) => terminal.write("saved; the daemon starts anew\n"),
        Err(error) => terminal.write(&format!("saved, but: {error}\n")),
    }
}
