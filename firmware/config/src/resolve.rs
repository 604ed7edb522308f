//! From checked keys to the typed configuration: references, duplicates, targets.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use line_interface::pulse::PulseProfile;
use line_interface::{OVERRIDE_KEYS, OverrideKey, Profile};

mod accounts;
mod lines;
mod media;

mod access;
mod routes;

pub use routes::check_target;

use crate::document::{Document, Entry};
use crate::model::{
    Card, Config, Console, Door, Handset, Journal, Line, Override, PcapRtp, Topology, Trace,
};
use crate::problem::{Problem, ProblemKind};

/// Builds the typed configuration, or says everything that does not fit.
pub(crate) fn resolve(document: &Document) -> Result<Config, Vec<Problem>> {
    let mut resolver = Resolver {
        document,
        problems: Vec::new(),
        warnings: Vec::new(),
    };
    let config = resolver.config();
    if resolver.problems.is_empty() {
        Ok(config)
    } else {
        Err(resolver.problems)
    }
}

pub(crate) struct Resolver<'a> {
    pub(crate) document: &'a Document,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn problem(
        &mut self,
        entry: &Entry,
        key: &str,
        kind: ProblemKind,
        cause: String,
        hint: impl Into<String>,
    ) {
        let problem = self.at(entry, key, kind, cause, hint.into());
        self.problems.push(problem);
    }

    /// Something that works but is not wise.
    fn warning(&mut self, entry: &Entry, key: &str, cause: String, hint: &str) {
        let warning = self.at(entry, key, ProblemKind::Unwise, cause, hint.to_owned());
        self.warnings.push(warning);
    }

    fn at(
        &self,
        entry: &Entry,
        key: &str,
        kind: ProblemKind,
        cause: String,
        hint: String,
    ) -> Problem {
        Problem {
            file: self.document.file.clone(),
            line: entry.line_of(key),
            key: format!("{}.{key}", entry.schema.name),
            kind,
            cause,
            hint,
        }
    }

    fn missing_section(&mut self, name: &str, hint: &str) {
        self.problems.push(Problem {
            file: self.document.file.clone(),
            line: 0,
            key: name.to_owned(),
            kind: ProblemKind::MissingKey,
            cause: format!("there is no [[{name}]]"),
            hint: hint.to_owned(),
        });
    }

    fn config(&mut self) -> Config {
        let accounts = self.accounts();
        let cards = self.cards();
        let lines = self.lines(&cards);
        self.channels_of_boards(&lines, &cards);
        let overrides = self.overrides(&lines);
        let schedules = self.schedules();
        let routes = self.routes(&accounts, &lines, &schedules);
        let empty = Entry {
            schema: &crate::schema::SECTIONS[0],
            line: 0,
            settings: HashMap::new(),
        };
        let one = |name: &str| self.document.one(name).unwrap_or(&empty);
        let (sip, door, call, journal) = (one("sip"), one("door"), one("call"), one("journal"));
        let (console, trace, control) = (one("console"), one("trace"), one("control"));
        let media = self.media(one("media"));
        let headset = self.headset(one("headset"));
        let sip = self.sip(sip);
        self.direct_targets(&sip, &accounts);
        let access = self.access(one("access"), &accounts);
        Config {
            file: self.document.file.clone(),
            sip,
            accounts,
            cards,
            lines,
            overrides,
            routes,
            schedules,
            time_zone: one("time").optional_text("zone"),
            access,
            door: Door {
                digits: door.text("digits"),
                max_wrong_digits: number(door, "max_wrong_digits"),
                hangup_after_open: Some(seconds(door, "hangup_after_open_s"))
                    .filter(|time| !time.is_zero()),
            },
            call: self.call(call),
            media,
            headset,
            journal: Journal {
                path: PathBuf::from(journal.text("path")),
                open_wait: Duration::from_millis(number(journal, "open_wait_ms").into()),
                syslog_socket: PathBuf::from(journal.text("syslog_socket")),
                keep_days: number(journal, "keep_days"),
            },
            control_socket: PathBuf::from(control.text("socket")),
            console: console.optional_text("device").map(|device| Console {
                device: PathBuf::from(device),
                baud: number(console, "baud"),
                password_file: PathBuf::from(console.text("password_file")),
                idle_logout: seconds(console, "idle_logout_s"),
            }),
            trace: Trace {
                pcap: trace.optional_text("pcap").map(PathBuf::from),
                pcap_limit_bytes: u64::from(number(trace, "pcap_limit_kib")) * 1024,
                pcap_limit: seconds(trace, "pcap_limit_s"),
                pcap_rtp: match trace.text("pcap_rtp").as_str() {
                    "all" => PcapRtp::All,
                    "none" => PcapRtp::None,
                    _ => PcapRtp::Headers,
                },
            },
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    /// Refuses a value that stands in an earlier entry of the same section.
    pub(crate) fn unique(
        &mut self,
        section: &'a str,
        key: &str,
        value_of: impl Fn(&Entry) -> String,
    ) {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let document = self.document;
        for entry in document.many(section) {
            let value = value_of(entry);
            if let Some(first) = seen.get(&value) {
                let cause =
                    format!("{key} {value} stands already in the [[{section}]] at line {first}");
                let hint = format!(
                    "each [[{section}]] needs its own {key}; change or remove one of the two"
                );
                self.problem(entry, key, ProblemKind::Duplicate, cause, hint);
            } else {
                seen.insert(value, entry.line);
            }
        }
    }

    fn lines(&mut self, cards: &[Card]) -> Vec<Line> {
        self.unique("line", "name", |entry| entry.text("name"));
        self.unique_apartments();
        self.unique("line", "channel", |entry| {
            format!(
                "{} of card {}",
                entry.integer("channel"),
                entry.text("card")
            )
        });
        let document = self.document;
        let mut lines = Vec::new();
        for entry in document.many("line") {
            let wanted = entry.text("card");
            let card = cards.iter().position(|card| card.name == wanted);
            if card.is_none() {
                let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
                let cause = format!("there is no card named \"{wanted}\"");
                let hint = format!(
                    "add a [[card]] of that name, or use one of: {}",
                    names.join(", ")
                );
                self.problem(entry, "card", ProblemKind::UnknownReference, cause, hint);
            }
            let topology = self.topology(entry);
            let profile = entry.text("profile");
            let builtin: Vec<&str> = match topology {
                Topology::Pulse { .. } => PulseProfile::builtin_names().collect(),
                Topology::Pair { .. } | Topology::Matrix(_) => Profile::builtin_names().collect(),
            };
            if !profile.ends_with(".toml") && !builtin.contains(&profile.as_str()) {
                let kind = topology.name();
                let cause = format!("there is no built-in profile \"{profile}\" of {kind} lines");
                let hint = format!(
                    "use one of {}, or the path of a profile file ending in .toml",
                    builtin.join(", ")
                );
                self.problem(entry, "profile", ProblemKind::UnknownReference, cause, hint);
            }
            lines.push(Line {
                name: entry.text("name"),
                card: card.unwrap_or(0),
                channel: number(entry, "channel") as usize,
                profile,
                topology,
                panel: entry
                    .optional_text("panel")
                    .unwrap_or_else(|| entry.text("name")),
                handset: if entry.text("handset") == "absent" {
                    Handset::Absent
                } else {
                    Handset::Relayed
                },
            });
        }
        lines
    }

    fn overrides(&mut self, lines: &[Line]) -> Vec<Override> {
        self.unique("override", "apartment", |entry| {
            entry.integer("apartment").to_string()
        });
        let document = self.document;
        let mut overrides = Vec::new();
        for entry in document.many("override") {
            let apartment = number(entry, "apartment") as u16;
            let given = |key: &OverrideKey| Some((key.name, entry.optional_decimal(key.name)?));
            let values: Vec<(&'static str, f32)> = OVERRIDE_KEYS.iter().filter_map(given).collect();
            let at = values.iter().map(|(name, _)| entry.line_of(name)).collect();
            let of_apartment = Override {
                apartment,
                source: entry.text("source"),
                values,
                lines: (entry.line, at),
            };
            let serving: Vec<&Line> = lines.iter().filter(|l| l.serves(apartment)).collect();
            if serving.is_empty() && !lines.is_empty() {
                let cause = format!("no [[line]] serves apartment {apartment}");
                let hint = "correct the apartment or remove this override";
                self.problem(
                    entry,
                    "apartment",
                    ProblemKind::UnknownReference,
                    cause,
                    hint,
                );
            }
            if of_apartment.values.is_empty() {
                let cause = format!("nothing of apartment {apartment} is overridden");
                let hint =
                    "give a value, for example on_hook_max_volts = 4.4, or remove the section";
                self.problem(entry, "apartment", ProblemKind::MissingKey, cause, hint);
            }
            // Profiles that are files are read later; what they make of it is checked then.
            let builtin = |line: &&Line| match line.topology {
                Topology::Pulse { .. } => {
                    PulseProfile::builtin(&line.profile).map(|profile| profile.line())
                }
                Topology::Pair { .. } | Topology::Matrix(_) => Profile::builtin(&line.profile),
            };
            for profile in serving.iter().filter_map(builtin) {
                if let Err(problem) = of_apartment.apply(&profile) {
                    self.problems.push(Problem {
                        file: self.document.file.clone(),
                        ..problem
                    });
                }
            }
            overrides.push(of_apartment);
        }
        overrides
    }
}

/// A number whose range the schema has checked.
pub(crate) fn number(entry: &Entry, key: &str) -> u32 {
    u32::try_from(entry.integer(key)).unwrap_or(0)
}

fn seconds(entry: &Entry, key: &str) -> Duration {
    Duration::from_secs(number(entry, key).into())
}

fn is_extension(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.+*#".contains(&byte))
}
