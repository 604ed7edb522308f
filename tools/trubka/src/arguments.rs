//! The command line, made from the one table of commands plus what runs without a daemon.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use control::table::{self, COMMANDS};

/// Options that every command takes.
#[derive(Debug)]
pub(crate) struct Globals {
    pub(crate) socket: Option<PathBuf>,
    pub(crate) config: PathBuf,
    pub(crate) json: bool,
    pub(crate) yes: bool,
}

impl Globals {
    pub(crate) fn read(matches: &ArgMatches) -> Globals {
        Globals {
            socket: matches.get_one::<PathBuf>("socket").cloned(),
            config: matches
                .get_one::<PathBuf>("config-file")
                .cloned()
                .unwrap_or_default(),
            json: matches.get_flag("json"),
            yes: matches.get_flag("yes"),
        }
    }
}

/// The whole command line.
pub(crate) fn command() -> Command {
    let path = clap::value_parser!(PathBuf);
    let mut root = Command::new("trubka")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Joins a legacy apartment intercom to a SIP PBX: set up, examine, test.")
        .after_help("Examples:\n  trubka demo                  the whole path on this machine, without a PBX\n  trubka status                lines, accounts and calls\n  trubka doctor                what is wrong and what to do\n  trubka config explain door   what the keys mean")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(Arg::new("socket").long("socket").global(true).value_name("PATH").value_parser(path.clone()).help("control socket of the daemon; taken from the configuration unless given"))
        .arg(Arg::new("config-file").long("config").global(true).value_name("FILE").value_parser(path).default_value("/etc/trubka/trubka.toml").help("configuration file"))
        .arg(Arg::new("json").long("json").global(true).action(ArgAction::SetTrue).help("print JSON"))
        .arg(Arg::new("yes").long("yes").global(true).action(ArgAction::SetTrue).help("do not ask before acting on the building"))
        .subcommand(crate::audio::command())
        .subcommand(config_command())
        .subcommand(demo_command());
    let mut groups: Vec<Command> = Vec::new();
    for entry in COMMANDS {
        match entry.name.split_once(' ') {
            None => root = root.subcommand(leaf(entry.name, entry)),
            Some((group, word)) => {
                let leaf = leaf(word, entry);
                match groups.iter().position(|known| known.get_name() == group) {
                    Some(at) => {
                        let known = groups.remove(at);
                        groups.insert(at, known.subcommand(leaf));
                    }
                    None => groups.push(
                        Command::new(group)
                            .about(group_help(group))
                            .subcommand_required(true)
                            .arg_required_else_help(true)
                            .subcommand(leaf),
                    ),
                }
            }
        }
    }
    root.subcommands(groups.into_iter().map(|group| match group.get_name() {
        "line" => crate::line_command::add_to(group),
        "sip" => crate::sip_command::add_to(group),
        _ => group,
    }))
}

fn group_help(group: &str) -> &'static str {
    match group {
        "line" => "The analog lines.",
        "sip" => "The SIP side.",
        "door" => "The door.",
        _ => "Further commands.",
    }
}

fn leaf(word: &'static str, entry: &'static table::Command) -> Command {
    let mut leaf = Command::new(word)
        .about(entry.help)
        .after_help(format!("Example:\n  {}", entry.example));
    for argument in entry.arguments {
        let mut arg = Arg::new(argument.name)
            .required(argument.required)
            .help(argument.doc);
        if argument.named {
            arg = arg.long(argument.name);
        }
        leaf = leaf.arg(arg);
    }
    leaf
}

fn config_command() -> Command {
    Command::new("config")
        .about("The configuration file.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("check")
                .about("Checks the file: every problem with its line, key and a hint."),
        )
        .subcommand(
            Command::new("show")
                .about("Shows the file, secrets hidden.")
                .arg(
                    Arg::new("effective")
                        .long("effective")
                        .action(ArgAction::SetTrue)
                        .help("with every default, as it is in force"),
                ),
        )
        .subcommand(
            Command::new("explain")
                .about("Explains a key or a whole section.")
                .arg(
                    Arg::new("key")
                        .value_name("KEY")
                        .help("section or section.key; a list of sections unless given"),
                )
                .after_help("Example:\n  trubka config explain door.digits"),
        )
}

fn demo_command() -> Command {
    Command::new("demo")
        .about("A visitor dials, a phone rings, they talk, 9 opens the door: all on this machine.")
        .arg(
            Arg::new("brand")
                .long("brand")
                .value_name("BRAND")
                .default_value("vizit")
                .help("panel and line profile: vizit, cyfral, eltis, metakom"),
        )
        .arg(
            Arg::new("topology")
                .long("topology")
                .value_name("TOPOLOGY")
                .value_parser(["pair", "matrix", "pulse"])
                .default_value("pair")
                .help("one apartment's pair, the brand's switch, or a line with address pulses"),
        )
        .arg(
            Arg::new("pbx")
                .long("pbx")
                .value_name("PBX")
                .value_parser(["builtin", "asterisk"])
                .default_value("builtin")
                .help("who plays the PBX"),
        )
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .default_value("demo-out")
                .help("where sound, picture, journal and capture are written"),
        )
        .after_help("Example:\n  trubka demo --brand cyfral --topology matrix --out /tmp/demo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_command_of_the_table_can_be_typed() {
        for entry in COMMANDS {
            let mut words: Vec<&str> = vec!["trubka"];
            words.extend(entry.name.split(' '));
            words.extend(
                entry
                    .arguments
                    .iter()
                    .filter(|argument| argument.required)
                    .map(|_| "x"),
            );
            command().try_get_matches_from(words).unwrap();
        }
    }
}
