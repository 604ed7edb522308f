//! Live commands on standard input, one a line.

use std::io::BufRead;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use line_simulation::{Action, ScriptError, parse_fault};

use crate::gateway::Message;

/// A command that was understood.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    /// Something happens on a line.
    Act {
        /// Line, counted from 0.
        line: usize,
        /// What.
        action: Action,
    },
    /// The script's time begins.
    Begin,
    /// The program ends.
    Quit,
}

/// Longest press and poll.
const MAX_MS: u64 = 3_600_000;
/// A press of the handset's button when no time is given.
const PRESS_MS: u64 = 500;

const HINT: &str = "dial N, say FILE, resident FILE, leave, lift, replace, button [MS], fault NAME, clear, poll MS, click, begin, quit; \"1: dial 42\" names line 1";

/// Reads commands on a thread of its own until the input ends.
pub(crate) fn read_stdin(messages: SyncSender<Message>) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if line.trim().is_empty() {
                continue;
            }
            let command = parse(&line);
            if messages
                .send(Message::Command {
                    text: line,
                    command,
                })
                .is_err()
            {
                break;
            }
        }
    });
}

/// Parses one line of text.
pub(crate) fn parse(text: &str) -> Result<Command, ScriptError> {
    let bad = |cause: String| ScriptError { cause, hint: HINT };
    let (line, rest) = match text.split_once(':') {
        Some((number, rest)) if number.trim().bytes().all(|b| b.is_ascii_digit()) => {
            let line = number
                .trim()
                .parse()
                .map_err(|_| bad(format!("no line {number:?}")))?;
            (line, rest.trim())
        }
        _ => (0, text.trim()),
    };
    let (verb, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let argument = argument.trim();
    let ms = |default: Option<u64>| match (argument, default) {
        ("", Some(ms)) => Ok(Duration::from_millis(ms)),
        (text, _) => text
            .parse::<u64>()
            .ok()
            .filter(|ms| *ms <= MAX_MS)
            .map(Duration::from_millis)
            .ok_or_else(|| bad(format!("{verb} needs milliseconds, not {text:?}"))),
    };
    let sound = || crate::load_sound(Path::new(argument));
    let action = match verb {
        "dial" => Action::Dial(
            argument
                .parse()
                .map_err(|_| bad(format!("{argument:?} is no apartment")))?,
        ),
        "say" => Action::Say(sound()?.into()),
        "resident" => Action::ResidentSay(sound()?.into()),
        "button" => Action::Press(ms(Some(PRESS_MS))?),
        "poll" => Action::Poll(ms(None)?),
        "fault" => Action::Fault(parse_fault(argument)?),
        _ if !argument.is_empty() => return Err(bad(format!("{rest:?} is not a command"))),
        "leave" => Action::Leave,
        "lift" => Action::Lift,
        "replace" => Action::Replace,
        "clear" => Action::Clear,
        "click" => Action::Click,
        "begin" => return Ok(Command::Begin),
        "quit" => return Ok(Command::Quit),
        other => return Err(bad(format!("{other:?} is not a command"))),
    };
    Ok(Command::Act { line, action })
}

#[cfg(test)]
mod tests {
    use super::*;
    use line_simulation::Fault;

    #[test]
    fn commands_are_read() {
        for (text, line, action) in [
            ("dial 42", 0, Action::Dial(42)),
            (" 3: dial 7 ", 3, Action::Dial(7)),
            ("leave", 0, Action::Leave),
            ("button", 0, Action::Press(Duration::from_millis(500))),
            ("1:button 80", 1, Action::Press(Duration::from_millis(80))),
            ("fault riser_open", 0, Action::Fault(Fault::RiserOpen)),
        ] {
            assert_eq!(
                parse(text).unwrap(),
                Command::Act { line, action },
                "{text}"
            );
        }
        assert_eq!(parse("begin").unwrap(), Command::Begin);
        assert_eq!(parse("quit").unwrap(), Command::Quit);
    }

    #[test]
    fn nonsense_is_refused_with_the_list_of_commands() {
        for text in [
            "dial",
            "dial x",
            "dial 70000",
            "jump",
            "leave now",
            "button x",
            "poll",
            "9999999999999999999999: lift",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.hint.contains("dial N"), "{text}");
        }
        assert!(
            parse("fault rain")
                .unwrap_err()
                .hint
                .contains("riser_short")
        );
        assert!(
            parse("say /does/not/exist.wav")
                .unwrap_err()
                .cause
                .contains("exist")
        );
    }
}
