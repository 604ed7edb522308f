//! Schedules and routes.

use std::collections::BTreeSet;

use super::{Resolver, is_extension, number, seconds};
use crate::document::Entry;
use crate::host::HostPort;
use crate::model::{Account, Line, Ring, Route, Topology};
use crate::problem::ProblemKind;
use crate::schedule::{Schedule, read_days, read_minute};
use crate::template::Template;

/// Most targets of one route: each that rings takes a pair of audio ports.
const MOST_TARGETS: usize = 16;

impl Resolver<'_> {
    pub(super) fn schedules(&mut self) -> Vec<Schedule> {
        self.unique("schedule", "name", |entry| entry.text("name"));
        let document = self.document;
        let mut schedules = Vec::new();
        for entry in document.many("schedule") {
            let days = read_days(&entry.list("days")).unwrap_or_else(|cause| {
                let hint = "write for example days = [\"mon-fri\", \"sun\"]";
                self.problem(entry, "days", ProblemKind::OutOfRange, cause, hint);
                [true; 7]
            });
            let mut minute = |key: &str| {
                read_minute(&entry.text(key)).unwrap_or_else(|cause| {
                    let hint = "write hours and minutes, for example \"22:30\"; \"24:00\" is the end of the day";
                    self.problem(entry, key, ProblemKind::OutOfRange, cause, hint);
                    0
                })
            };
            let (from, to) = (minute("from"), minute("to"));
            let schedule = Schedule {
                name: entry.text("name"),
                days,
                from_minute: from % 1440,
                to_minute: to,
            };
            if from == to && !entry.text("from").is_empty() {
                let cause = "begins and ends at the same time".to_owned();
                let hint = "for a whole day leave out \"from\" and \"to\"";
                self.problem(entry, "to", ProblemKind::OutOfRange, cause, hint);
            }
            schedules.push(schedule);
        }
        schedules
    }

    pub(super) fn routes(
        &mut self,
        accounts: &[Account],
        lines: &[Line],
        schedules: &[Schedule],
    ) -> Vec<Route> {
        // An apartment may have a route for each schedule.
        self.unique("route", "apartment", |entry| {
            let when = entry.optional_text("when");
            let when = when.map_or(String::new(), |when| format!(" when \"{when}\""));
            format!("{}{when}", entry.integer("apartment"))
        });
        let document = self.document;
        let mut routes = Vec::new();
        for entry in document.many("route") {
            let route = self.route(entry, accounts, lines, schedules);
            routes.push(route);
        }
        for (entry, line) in document.many("line").zip(lines) {
            self.line_has_routes(entry, line, &routes);
        }
        routes
    }

    /// Every apartment of a line has somebody to call, at any time.
    fn line_has_routes(&mut self, entry: &Entry, line: &Line, routes: &[Route]) {
        let (key, apartments) = match &line.topology {
            Topology::Pair { apartment } => ("apartment", vec![*apartment]),
            Topology::Pulse { addresses } => {
                ("addresses", addresses.iter().map(|(_, own)| *own).collect())
            }
            // A switch has everybody's pairs; those without a route are left to their handsets.
            Topology::Matrix(_) => {
                let served: BTreeSet<u16> = routes
                    .iter()
                    .map(|route| route.apartment)
                    .filter(|apartment| line.serves(*apartment))
                    .collect();
                if served.is_empty() {
                    let cause = "no [[route]] is for an apartment of this switch".to_owned();
                    let hint = "add [[route]] for the apartments that have phones, or correct first_apartment and switch";
                    self.problem(entry, "switch", ProblemKind::UnroutableTarget, cause, hint);
                }
                ("switch", served.into_iter().collect())
            }
        };
        for apartment in apartments.into_iter().filter(|apartment| *apartment != 0) {
            let own = |route: &&Route| route.apartment == apartment;
            if routes.iter().filter(own).any(|route| route.when.is_none()) {
                continue;
            }
            let (cause, hint) = if routes.iter().any(|route| own(&route)) {
                (
                    format!(
                        "every route of apartment {apartment} has \"when\", so that at other times its visitors would call nobody"
                    ),
                    format!("add a [[route]] with apartment = {apartment} and without \"when\""),
                )
            } else {
                (
                    format!(
                        "apartment {apartment} has a line but no route, so its visitors would call nobody"
                    ),
                    format!("add [[route]] with apartment = {apartment} and targets = [\"...\"]"),
                )
            };
            self.problem(entry, key, ProblemKind::UnroutableTarget, cause, hint);
        }
    }

    fn route(
        &mut self,
        entry: &Entry,
        accounts: &[Account],
        lines: &[Line],
        schedules: &[Schedule],
    ) -> Route {
        let apartment = number(entry, "apartment") as u16;
        let account_names: Vec<&str> = accounts.iter().map(|one| one.name.as_str()).collect();
        let schedule_names: Vec<&str> = schedules.iter().map(|one| one.name.as_str()).collect();
        let account = self.reference(entry, "account", &account_names);
        let when = self.reference(entry, "when", &schedule_names);
        let targets = self.targets(entry, apartment);
        if !lines.is_empty() && !lines.iter().any(|line| line.serves(apartment)) {
            let cause = format!("no [[line]] serves apartment {apartment}");
            let hint =
                "add the [[line]] (or its address, or more of its switch), or remove this route";
            self.problem(
                entry,
                "apartment",
                ProblemKind::UnknownReference,
                cause,
                hint,
            );
        }
        let called_may_open = entry.list("may_open").iter().any(|party| party == "called");
        let callers_may_open = self.parties(entry, "may_open", accounts, &["called"]);
        Route {
            apartment,
            when,
            account: account.unwrap_or(0),
            targets,
            ring: match entry.text("ring").as_str() {
                "together" => Ring::Together,
                _ => Ring::InTurn,
            },
            target_timeout: seconds(entry, "target_timeout_s"),
            display_name: self.template(entry, "display_name"),
            alert_info: self.template(entry, "alert_info"),
            gain_to_line_db: super::media::optional_db(entry, "gain_to_line_db"),
            gain_to_phone_db: super::media::optional_db(entry, "gain_to_phone_db"),
            called_may_open,
            callers_may_open,
        }
    }

    /// The index of what a key names, if it names anything.
    fn reference(&mut self, entry: &Entry, key: &str, names: &[&str]) -> Option<usize> {
        let name = entry.optional_text(key)?;
        let section = if key == "when" { "schedule" } else { key };
        let found = names.iter().position(|known| **known == *name);
        if found.is_none() {
            let cause = format!("there is no {section} named \"{name}\"");
            let hint = if names.is_empty() {
                format!("add a [[{section}]] of that name")
            } else {
                format!("use one of: {}", names.join(", "))
            };
            self.problem(entry, key, ProblemKind::UnknownReference, cause, hint);
        }
        Some(found.unwrap_or(0))
    }

    fn targets(&mut self, entry: &Entry, apartment: u16) -> Vec<String> {
        let targets = entry.list("targets");
        let mut problem = |cause: String, hint: &str| {
            self.problem(entry, "targets", ProblemKind::UnroutableTarget, cause, hint);
        };
        if targets.is_empty() {
            let cause = format!("apartment {apartment} would call nobody");
            problem(cause, "name at least one: targets = [\"400\"]");
        }
        if targets.len() > MOST_TARGETS {
            let cause = format!("{} targets are too many", targets.len());
            problem(cause, "16 at the most; let the PBX ring larger groups");
        }
        for (index, target) in targets.iter().enumerate() {
            if let Err(why) = check_target(target) {
                let cause = format!("\"{target}\" cannot be called: {why}");
                let hint = "write an extension (\"400\") or an address (\"sip:400@host\" or \"sip:400@host:port\")";
                problem(cause, hint);
            }
            if targets.iter().take(index).any(|earlier| earlier == target) {
                problem(
                    format!("\"{target}\" stands twice"),
                    "name each target once",
                );
            }
        }
        targets
    }

    pub(super) fn template(&mut self, entry: &Entry, key: &str) -> Option<Template> {
        let text = entry.optional_text(key)?;
        match Template::parse(&text) {
            Ok(template) => Some(template),
            Err(why) => {
                let cause = format!("\"{text}\" {why}");
                let hint = "the places are {apartment}, {panel} and {line}";
                self.problem(entry, key, ProblemKind::OutOfRange, cause, hint);
                None
            }
        }
    }
}

/// Whether a call target can be called: an extension, or `sip:user@host[:port]`.
pub fn check_target(target: &str) -> Result<(), &'static str> {
    let Some(rest) = target.strip_prefix("sip:") else {
        return if is_extension(target) {
            Ok(())
        } else {
            Err("neither an extension nor a sip: address")
        };
    };
    let (user, host) = rest.split_once('@').ok_or("no user@host behind sip:")?;
    if !is_extension(user) {
        return Err("the user part holds characters that are not allowed");
    }
    HostPort::parse(host).map(|_| ())
}
