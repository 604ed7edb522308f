//! `trubka audio`: the signal processing of the gateway on recordings, without a daemon.

mod aec;
mod dtmf;
mod error;
mod levels;
mod plc;
#[cfg(test)]
mod testing;
mod wav;

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::arguments::Globals;
use crate::exit::Failed;
use crate::remote::print;
use error::{AudioError, ErrorKind};

/// The command line of `trubka audio`.
pub(crate) fn command() -> Command {
    Command::new("audio")
        .about("Recordings: digits, echo, lost packets, levels.")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("dtmf")
                .about("Finds the digits in a recording.")
                .arg(file("FILE"))
                .arg(channel())
                .arg(
                    Arg::new("grade")
                        .long("grade")
                        .value_name("GRADE")
                        .value_parser(["dialling", "door"])
                        .default_value("dialling")
                        .help("dialling: from 40 ms on; door: what may open a door"),
                )
                .after_help("Example:\n  trubka audio dtmf call.wav --grade door --json"),
        )
        .subcommand(
            Command::new("aec")
                .about("Takes the echo out of a recording and says how much of it.")
                .arg(path("far", "FILE", "what went to the loudspeaker").required(true))
                .arg(path("mic", "FILE", "what the microphone picked up").required(true))
                .arg(path("out", "FILE", "where the result is written, 8 kHz"))
                .arg(channel())
                .arg(
                    Arg::new("engine")
                        .long("engine")
                        .value_name("ENGINE")
                        .value_parser(["own", "sonora"])
                        .default_value("own")
                        .help("own: that of calls; sonora: to compare with"),
                )
                .arg(
                    Arg::new("linear-only")
                        .long("linear-only")
                        .action(ArgAction::SetTrue)
                        .help("the echo canceller without the suppressor behind it"),
                )
                .arg(
                    Arg::new("tail")
                        .long("tail")
                        .value_name("MS")
                        .value_parser(clap::value_parser!(u32).range(10..=500))
                        .default_value("64")
                        .help("longest echo after the bulk delay"),
                )
                .after_help(
                    "Example:\n  trubka audio aec --far far.wav --mic mic.wav --out clean.wav",
                ),
        )
        .subcommand(
            Command::new("plc")
                .about("Loses packets of 20 ms from a recording and conceals them.")
                .arg(file("IN"))
                .arg(
                    Arg::new("OUT")
                        .required(true)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("where the result is written, 8 kHz"),
                )
                .arg(channel())
                .arg(
                    number("loss", "PERCENT", "packets lost by chance, 0 to 100")
                        .required_unless_present("pattern"),
                )
                .arg(
                    path(
                        "pattern",
                        "FILE",
                        "text: one 0 (comes) or 1 (lost) a packet",
                    )
                    .conflicts_with_all(["loss", "burst", "seed"]),
                )
                .arg(number(
                    "burst",
                    "PACKETS",
                    "mean length of a loss, 1 or more",
                ))
                .arg(
                    Arg::new("seed")
                        .long("seed")
                        .value_name("NUMBER")
                        .value_parser(clap::value_parser!(u64))
                        .default_value("1")
                        .help("another number, other packets"),
                )
                .after_help("Example:\n  trubka audio plc --loss 5 --burst 2.5 in.wav out.wav"),
        )
        .subcommand(
            Command::new("levels")
                .about("Levels, noise, clipping and offset of a recording.")
                .arg(file("FILE"))
                .arg(channel())
                .after_help("Example:\n  trubka audio levels call.wav --json"),
        )
}

/// Runs `trubka audio`.
pub(crate) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let Some((word, matches)) = matches.subcommand() else {
        return Ok(());
    };
    let text = output(word, matches, globals.json)?;
    print(&text)
}

/// What a command prints.
fn output(word: &str, matches: &ArgMatches, json: bool) -> Result<String, AudioError> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).map(PathBuf::as_path);
    let needed = |name: &str| {
        path(name).ok_or_else(|| {
            AudioError::new(
                ErrorKind::Usage,
                format!("{name} is missing"),
                "name a file",
            )
        })
    };
    let channel = matches.get_one::<u16>("channel").copied();
    match word {
        "dtmf" => {
            let door = matches
                .get_one::<String>("grade")
                .is_some_and(|g| g == "door");
            dtmf::run(needed("FILE")?, channel, door, json)
        }
        "aec" => {
            let engine = matches.get_one::<String>("engine");
            let options = aec::Options {
                engine: aec::Engine::named(engine.map_or("own", String::as_str))?,
                linear_only: matches.get_flag("linear-only"),
                tail_ms: matches.get_one("tail").copied().unwrap_or(64),
            };
            aec::run(
                needed("far")?,
                needed("mic")?,
                path("out"),
                channel,
                options,
                json,
            )
        }
        "plc" => {
            let loss = match path("pattern") {
                Some(pattern) => plc::Loss::Pattern(plc::read_pattern(pattern)?),
                None => plc::Loss::Random {
                    percent: matches.get_one("loss").copied().unwrap_or(0.0),
                    burst: matches.get_one("burst").copied(),
                    seed: matches.get_one("seed").copied().unwrap_or(1),
                },
            };
            plc::run(needed("IN")?, needed("OUT")?, channel, &loss, json)
        }
        _ => levels::run(needed("FILE")?, channel, json),
    }
}

fn file(name: &'static str) -> Arg {
    Arg::new(name)
        .required(true)
        .value_parser(clap::value_parser!(PathBuf))
        .help("a WAV file")
}

fn path(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(clap::value_parser!(PathBuf))
        .help(help)
}

fn number(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value)
        .value_parser(clap::value_parser!(f64))
        // So that the answer is what may be there, not that -1 is no option.
        .allow_negative_numbers(true)
        .help(help)
}

fn channel() -> Arg {
    Arg::new("channel")
        .long("channel")
        .value_name("N")
        .value_parser(clap::value_parser!(u16).range(1..))
        .help("channel of the file, from 1; needed when it has several")
}

/// A number with one decimal, for JSON.
fn tenth(value: f32) -> f64 {
    let value = (f64::from(value) * 10.0).round() / 10.0;
    // No minus zero in the output.
    if value == 0.0 { 0.0 } else { value }
}

/// The name of a file for people.
fn name(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::testing::{Format, Scratch};
    use super::*;

    #[test]
    fn the_commands_can_be_typed_and_nonsense_cannot() {
        let parses = |line: &str| command().try_get_matches_from(line.split(' ')).is_ok();
        assert!(parses("audio dtmf a.wav --grade door --channel 2"));
        assert!(parses("audio aec --far a --mic b --out c --linear-only"));
        assert!(parses("audio aec --far a --mic b --engine sonora"));
        assert!(!parses("audio aec --far a --mic b --engine other"));
        assert!(parses("audio plc --loss 5 in out"));
        assert!(parses("audio plc --pattern p in out"));
        // Refused later, with what may be there.
        assert!(parses("audio plc --loss -1 in out"));
        assert!(parses("audio levels a.wav"));
        assert!(!parses("audio dtmf a.wav --grade attic"));
        assert!(!parses("audio dtmf a.wav --channel 0"));
        assert!(!parses("audio plc in out"));
        assert!(!parses("audio plc --loss 5 --pattern p in out"));
        assert!(!parses("audio aec --far a"));
    }

    /// Every command with this file in every place.
    fn every_command(file: &Path) -> Vec<Result<String, AudioError>> {
        let name = file.display();
        [
            format!("audio dtmf {name}"),
            format!("audio aec --far {name} --mic {name}"),
            format!("audio plc --loss 5 {name} {name}.out"),
            format!("audio levels {name}"),
        ]
        .iter()
        .map(|line| {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            let (word, matches) = matches.subcommand().unwrap();
            output(word, matches, true)
        })
        .collect()
    }

    #[test]
    fn bad_files_are_refused_with_kind_cause_and_hint() {
        let scratch = Scratch::new("bad");
        let good = scratch.wav("good.wav", 8000, 1, Format::Int16, &[vec![0.1; 1600]]);
        let whole = std::fs::read(&good).unwrap();
        let zero_hz = |mut bytes: Vec<u8>| {
            bytes[24..28].fill(0);
            bytes[28..32].fill(0);
            bytes
        };
        let cases: [(&str, Vec<u8>, ErrorKind); 7] = [
            ("nothing.wav", Vec::new(), ErrorKind::NotWav),
            (
                "text.wav",
                b"this is no sound at all".to_vec(),
                ErrorKind::NotWav,
            ),
            ("half-header.wav", whole[..30].to_vec(), ErrorKind::NotWav),
            (
                "empty.wav",
                [&whole[..40], &[0; 4]].concat(),
                ErrorKind::Empty,
            ),
            (
                "cut.wav",
                whole[..whole.len() - 401].to_vec(),
                ErrorKind::Truncated,
            ),
            ("zero-hz.wav", zero_hz(whole.clone()), ErrorKind::Rate),
            (
                "mp3.wav",
                {
                    let mut b = whole.clone();
                    b[20] = 0x55;
                    b
                },
                ErrorKind::Unsupported,
            ),
        ];
        for (name, bytes, kind) in cases {
            let path = scratch.path(name);
            std::fs::write(&path, bytes).unwrap();
            for result in every_command(&path) {
                let error = result.unwrap_err();
                assert_eq!(error.kind, kind, "{name}: {error}");
                let failed = Failed::from(error);
                assert!(matches!(failed.code, 1 | 2), "{name}");
                assert!(failed.message.contains("hint: "), "{}", failed.message);
                assert!(failed.message.contains(name), "{}", failed.message);
            }
        }
        for result in every_command(&scratch.path("not-there.wav")) {
            assert_eq!(result.unwrap_err().kind, ErrorKind::Unreadable);
        }
    }

    #[test]
    fn a_rate_that_cannot_be_converted_names_those_that_can() {
        let scratch = Scratch::new("rate");
        let odd = scratch.wav("odd.wav", 383_987, 1, Format::Int16, &[vec![0.1; 4000]]);
        let error = dtmf::run(&odd, None, false, true).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rate);
        assert!(error.hint.contains("1000 to 384000"), "{error}");
        // Levels need no conversion.
        assert!(levels::run(&odd, None, true).is_ok());
    }

    #[test]
    fn of_several_channels_one_must_be_chosen() {
        let scratch = Scratch::new("channels");
        let stereo = [vec![0.1; 1600], vec![0.2; 1600]];
        let file = scratch.wav("stereo.wav", 8000, 2, Format::Int16, &stereo);
        for (channel, accepted) in [
            (None, false),
            (Some(1), true),
            (Some(2), true),
            (Some(3), false),
        ] {
            let result = dtmf::run(&file, channel, false, true);
            assert_eq!(result.is_ok(), accepted, "{channel:?}");
            if let Err(error) = result {
                assert_eq!(Failed::from(error).code, crate::exit::USAGE);
            }
        }
    }

    #[test]
    fn what_people_read_fits_80_columns() {
        let scratch = Scratch::new("columns");
        let file = scratch.wav(
            "a.wav",
            8000,
            1,
            Format::Int16,
            &[testing::digits("159D", 60, 50)],
        );
        let outputs = [
            dtmf::run(&file, None, false, false).unwrap(),
            aec::run(&file, &file, None, None, aec::Options::default(), false).unwrap(),
            levels::run(&file, None, false).unwrap(),
            plc::run(
                &file,
                &scratch.path("o.wav"),
                None,
                &plc::Loss::Random {
                    percent: 20.0,
                    burst: None,
                    seed: 1,
                },
                false,
            )
            .unwrap(),
        ];
        for text in outputs {
            assert!(text.lines().count() > 1, "{text}");
            assert!(
                text.lines().all(|line| line.chars().count() <= 80),
                "{text}"
            );
        }
        let long_help = command().render_long_help().to_string();
        assert!(long_help.lines().all(|line| line.chars().count() <= 80));
    }
}
