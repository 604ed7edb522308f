//! `trubka config`: works on the file alone, without a daemon.

use clap::ArgMatches;

use crate::arguments::Globals;
use crate::exit::{CONFIG, Failed, USAGE};
use crate::remote::print;

pub(crate) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    match matches.subcommand() {
        Some(("check", _)) => check(globals),
        Some(("show", sub)) => show(globals, sub.get_flag("effective")),
        Some(("explain", sub)) => explain(sub.get_one::<String>("key").map(String::as_str)),
        _ => Ok(()),
    }
}

pub(crate) fn read(globals: &Globals) -> Result<String, Failed> {
    std::fs::read_to_string(&globals.config).map_err(|error| {
        let file = globals.config.display();
        Failed::new(
            CONFIG,
            format!("cannot read {file}: {error}\n    hint: name the file with --config FILE"),
        )
    })
}

fn check(globals: &Globals) -> Result<(), Failed> {
    let file = globals.config.display().to_string();
    let parsed = config::Config::parse(&read(globals)?, &file);
    if globals.json {
        let problems: Vec<_> = parsed
            .as_ref()
            .err()
            .into_iter()
            .flatten()
            .map(|problem| {
                serde_json::json!({
                    "file": problem.file, "line": problem.line, "key": problem.key,
                    "kind": problem.kind.name(), "cause": problem.cause, "hint": problem.hint,
                })
            })
            .collect();
        print(&format!(
            "{:#}\n",
            serde_json::json!({ "problems": problems })
        ))?;
    }
    match parsed {
        Ok(config) => {
            if !globals.json {
                print(&format!(
                    "{file} is good: {} line(s), {} account(s)\n",
                    config.lines.len(),
                    config.accounts.len()
                ))?;
            }
            Ok(())
        }
        Err(problems) => Err(Failed::new(CONFIG, format_problems(&problems))),
    }
}

fn format_problems(problems: &[config::Problem]) -> String {
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("{} problem(s)\n{}", problems.len(), texts.join("\n"))
}

fn show(globals: &Globals, effective: bool) -> Result<(), Failed> {
    let text = read(globals)?;
    let file = globals.config.display().to_string();
    let shown = if effective {
        config::effective(&text, &file)
            .map_err(|problems| Failed::new(CONFIG, format_problems(&problems)))?
    } else {
        config::redacted(&text)
    };
    print(&shown)
}

fn explain(key: Option<&str>) -> Result<(), Failed> {
    let Some(key) = key else {
        let section =
            |section: &config::schema::Section| format!("{:<9} {}\n", section.name, section.doc);
        return print(
            &config::schema::SECTIONS
                .iter()
                .map(section)
                .collect::<String>(),
        );
    };
    match config::explain(key) {
        Some(text) => print(&text),
        None => {
            let names: Vec<&str> = config::schema::SECTIONS
                .iter()
                .map(|section| section.name)
                .collect();
            Err(Failed::new(
                USAGE,
                format!(
                    "there is no key \"{key}\"\n    hint: sections: {}",
                    names.join(", ")
                ),
            ))
        }
    }
}
