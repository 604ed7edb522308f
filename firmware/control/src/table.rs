//! What can be asked of the daemon.

/// One argument of a command.
#[derive(Debug)]
pub struct Argument {
    /// Name, lower case.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it is named: `--name VALUE` on the command line, `name=VALUE` on the socket, in any place.
    pub named: bool,
    /// What it is.
    pub doc: &'static str,
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Words of the command, one blank between them.
    pub name: &'static str,
    /// Positional arguments, required ones first.
    pub arguments: &'static [Argument],
    /// A question to ask a person first, for commands that act on the building.
    pub ask_first: Option<&'static str>,
    /// What it does, in a sentence.
    pub help: &'static str,
    /// A line to try.
    pub example: &'static str,
}

impl Command {
    /// How the command is written.
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for argument in self.arguments {
            let upper = argument.name.to_uppercase();
            usage += &if argument.named {
                format!(" [--{} {upper}]", argument.name)
            } else if argument.required {
                format!(" {upper}")
            } else {
                format!(" [{upper}]")
            };
        }
        usage
    }
}

const fn argument(name: &'static str, required: bool, doc: &'static str) -> Argument {
    Argument {
        name,
        required,
        named: false,
        doc,
    }
}

const fn option(name: &'static str, doc: &'static str) -> Argument {
    Argument {
        name,
        required: false,
        named: true,
        doc,
    }
}

/// Every command of the daemon.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "status",
        arguments: &[],
        ask_first: None,
        help: "Lines, accounts and calls as they are now.",
        example: "trubka status",
    },
    Command {
        name: "line levels",
        arguments: &[argument("line", false, "line name; all lines unless given")],
        ask_first: None,
        help: "Volts and milliamps of each line, with the band they lie in.",
        example: "trubka line levels apt42",
    },
    Command {
        name: "line tap",
        arguments: &[argument("line", true, "line name")],
        ask_first: None,
        help: "Shows the readings of a line as they come, ten blocks of 10 ms at a time, until interrupted.",
        example: "trubka line tap apt42",
    },
    Command {
        name: "rtp stats",
        arguments: &[argument("line", false, "line name; all calls unless given")],
        ask_first: None,
        help: "The sound of each call: codec, encryption, keys, loss, jitter, score, echo and levels.",
        example: "trubka rtp stats",
    },
    Command {
        name: "call mute",
        arguments: &[
            argument("line", true, "line name"),
            argument(
                "whom",
                true,
                "who is no longer heard: visitor, resident, both or none",
            ),
        ],
        ask_first: None,
        help: "Silences one or both sides of the call on a line until it ends; none lets both be heard again.",
        example: "trubka call mute apt42 visitor",
    },
    Command {
        name: "sip test-call",
        arguments: &[
            argument("target", true, "extension or sip: address to call"),
            argument(
                "account",
                false,
                "account to call by; the first unless given",
            ),
        ],
        ask_first: None,
        help: "Calls a phone, plays a tone, tells what came back, and hangs up.",
        example: "trubka sip test-call 400",
    },
    Command {
        name: "sip trace",
        arguments: &[],
        ask_first: None,
        help: "Shows SIP messages as they come and go, secrets removed, until interrupted; or those of a capture file.",
        example: "trubka sip trace --call 400",
    },
    Command {
        name: "door test",
        arguments: &[
            argument("line", true, "line name"),
            argument(
                "from",
                false,
                "where the technician sits, for the journal: cli or console",
            ),
        ],
        ask_first: Some("This opens the entrance door if a visitor's call is on the line. Go on?"),
        help: "Releases the door of a line on which a visitor is, as a technician's test.",
        example: "trubka door test apt42",
    },
    Command {
        name: "headset listen",
        arguments: &[argument("line", true, "line name")],
        ask_first: None,
        help: "Puts the line's sound, street and phone, on the headset of the box; nobody hears the headset. The journal keeps who was listened to.",
        example: "trubka headset listen apt42",
    },
    Command {
        name: "headset talk",
        arguments: &[argument("line", true, "line name")],
        ask_first: None,
        help: "As headset listen, and the headset is heard in the street and on the phone.",
        example: "trubka headset talk apt42",
    },
    Command {
        name: "headset off",
        arguments: &[],
        ask_first: None,
        help: "Takes the headset off the line.",
        example: "trubka headset off",
    },
    Command {
        name: "do-not-disturb",
        arguments: &[
            argument("state", false, "on or off; only shown unless given"),
            argument(
                "from",
                false,
                "where it is switched, for the journal: cli or console",
            ),
        ],
        ask_first: None,
        help: "Shows or switches do-not-disturb: calls to the box are refused.",
        example: "trubka do-not-disturb on",
    },
    Command {
        name: "journal",
        arguments: &[
            argument(
                "limit",
                false,
                "how many records, newest last; 20 unless given, 10000 at the most",
            ),
            option("last", "the same"),
            option(
                "since",
                "only records from then on: 2026-11-21, 2026-11-21T18:30 (UTC), or 30m, 12h, 7d for so long ago",
            ),
            option("apartment", "only records that name this apartment"),
            option(
                "before",
                "only records with a smaller number, for those that come before an answer",
            ),
        ],
        ask_first: None,
        help: "The last records of the journal.",
        example: "trubka journal --since 7d --apartment 42",
    },
    Command {
        name: "doctor",
        arguments: &[],
        ask_first: None,
        help: "Checks supply, lines, registration, codec and disk; says what to do.",
        example: "trubka doctor",
    },
    Command {
        name: "events",
        arguments: &[],
        ask_first: None,
        help: "Shows events as they happen, until interrupted.",
        example: "trubka events",
    },
    Command {
        name: "reload",
        arguments: &[],
        ask_first: Some("Calls that are up will be ended. Go on?"),
        help: "Checks the configuration file and, if it is good, starts anew with it.",
        example: "trubka reload",
    },
];

/// The command whose words begin `words`, and how many words it took.
pub fn find(words: &[&str]) -> Option<(&'static Command, usize)> {
    COMMANDS
        .iter()
        .filter_map(|command| {
            let parts: Vec<&str> = command.name.split(' ').collect();
            words.starts_with(&parts).then_some((command, parts.len()))
        })
        .max_by_key(|(_, taken)| *taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_commands_by_their_words() {
        let (command, taken) = find(&["line", "levels", "apt42"]).unwrap();
        assert_eq!((command.name, taken), ("line levels", 2));
        assert!(find(&["line"]).is_none());
    }

    #[test]
    fn every_command_can_be_found_and_its_example_names_it() {
        for command in COMMANDS {
            let words: Vec<&str> = command.name.split(' ').collect();
            assert_eq!(find(&words).unwrap().0.name, command.name);
            assert!(command.example.contains(command.name), "{}", command.name);
            let required: Vec<bool> = command
                .arguments
                .iter()
                .map(|argument| argument.required)
                .collect();
            assert!(
                required.is_sorted_by(|a, b| a >= b),
                "{}: required arguments come first",
                command.name
            );
        }
    }
}
