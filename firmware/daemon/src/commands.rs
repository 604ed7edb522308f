//! The commands of the table, carried out.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use call::{Cause, LegId};
use config::Config;
use control::reply::{Levels, RtpStats, Status, TestCall};
use control::{Failure, FailureKind, Request, Response, table};
use gateway::{Gateway, HeadsetMode};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::doctor;
use crate::headset::Headset;
use crate::journal::{Journal, Query};
use crate::startup;
use crate::taps::Taps;

type Reply = mpsc::Sender<Response>;

/// Carries out commands.
#[derive(Debug)]
pub(crate) struct Commands {
    config_file: PathBuf,
    config: Config,
    journal: Arc<Journal>,
    test_calls: HashMap<LegId, (u64, Reply)>,
    last_codec: Option<String>,
    taps: Taps,
    headset: Headset,
}

impl Commands {
    pub(crate) fn new(config_file: PathBuf, config: Config, journal: Arc<Journal>) -> Commands {
        Commands {
            config_file,
            config,
            journal,
            test_calls: HashMap::new(),
            last_codec: None,
            taps: Taps::default(),
            headset: Headset::default(),
        }
    }

    /// A card is about to get its block: the headset has its say.
    pub(crate) fn before_block(&mut self, gateway: &mut Gateway, card: usize) {
        self.headset.before(gateway, card);
    }

    /// A card delivered a block: whoever follows its lines gets the readings.
    pub(crate) fn block(&mut self, gateway: &mut Gateway, card: usize) {
        self.taps.block(gateway, card);
        self.headset.after(gateway, card);
    }

    /// Name of an account.
    pub(crate) fn account_name(&self, account: usize) -> String {
        let account = self.config.accounts.get(account);
        account
            .map(|account| account.name.clone())
            .unwrap_or_default()
    }

    /// Handles one request; `true` when it orders a reload.
    pub(crate) fn handle(
        &mut self,
        now: Duration,
        gateway: &mut Gateway,
        request: Request,
        reply: Reply,
    ) -> bool {
        let id = request.id;
        let answered = self.answer(now, gateway, &request, &reply);
        let reload = matches!(&answered, Ok(Answer::Reload));
        let response = match answered {
            Ok(Answer::Now(result)) => Some(Response::Done { id, result }),
            Ok(Answer::Reload) => Some(Response::Done {
                id,
                result: "starting anew with the checked configuration".into(),
            }),
            Ok(Answer::Later) => None,
            Err(failure) => Some(Response::Failed { id, failure }),
        };
        if let Some(response) = response {
            // A client that does not read loses its answer, not the daemon's time.
            let _ = reply.try_send(response);
        }
        reload
    }

    fn answer(
        &mut self,
        now: Duration,
        gateway: &mut Gateway,
        request: &Request,
        reply: &Reply,
    ) -> Result<Answer, Failure> {
        let words: Vec<&str> = request.command.split(' ').collect();
        let known = table::find(&words).filter(|(_, taken)| *taken == words.len());
        let Some((command, _)) = known else {
            let names: Vec<&str> = table::COMMANDS.iter().map(|command| command.name).collect();
            return Err(Failure::new(
                FailureKind::Usage,
                format!("there is no command \"{}\"", request.command),
                format!("commands: {}", names.join(", ")),
            ));
        };
        let required = command
            .arguments
            .iter()
            .filter(|argument| argument.required)
            .count();
        if request.arguments.len() < required || request.arguments.len() > command.arguments.len() {
            return Err(Failure::new(
                FailureKind::Usage,
                "wrong number of arguments",
                format!("usage: {}", command.usage()),
            ));
        }
        let argument = |index: usize| request.arguments.get(index).map(String::as_str);
        for call in gateway.call_statuses() {
            self.last_codec = Some(call.figures.codec)
                .filter(|codec| !codec.is_empty())
                .or(self.last_codec.take());
        }
        match command.name {
            "status" => now_json(&self.status(now, gateway)),
            "line levels" => levels(gateway, argument(0)),
            "line tap" => {
                let name = argument(0).unwrap_or("");
                let line = gateway
                    .line_named(name)
                    .ok_or_else(|| no_line(name, gateway))?;
                self.taps.open((line, name), request.id, reply)?;
                Ok(Answer::Now("following".into()))
            }
            "headset listen" | "headset talk" => {
                let name = argument(0).unwrap_or("");
                let line = gateway
                    .line_named(name)
                    .ok_or_else(|| no_line(name, gateway))?;
                let mode = if command.name == "headset talk" {
                    HeadsetMode::Talk
                } else {
                    HeadsetMode::Listen
                };
                self.headset.join(now, gateway, &self.config, line, mode)?;
                Ok(Answer::Now(
                    "the headset is on the line; trubka status shows its devices".into(),
                ))
            }
            "headset off" => {
                gateway.leave_headset("a technician took it off");
                Ok(Answer::Now("the headset is on no line".into()))
            }
            "rtp stats" => rtp_stats(gateway, argument(0)),
            "call mute" => call_mute(
                gateway,
                argument(0).unwrap_or(""),
                argument(1).unwrap_or(""),
            ),
            "sip test-call" => self.test_call(now, gateway, request, reply),
            "door test" => door_test(now, gateway, argument(0).unwrap_or(""), argument(1)),
            "do-not-disturb" => do_not_disturb(now, gateway, argument(0), argument(1)),
            "journal" => self.read_journal(request, reply),
            "doctor" => {
                self.doctor(request.id, gateway, reply);
                Ok(Answer::Later)
            }
            "reload" => match startup::load(&self.config_file) {
                Ok(_) => Ok(Answer::Reload),
                Err(problems) => {
                    let cause: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    Err(Failure::new(
                        FailureKind::Config,
                        cause.join("\n"),
                        "nothing was changed; mend the file and try again",
                    ))
                }
            },
            name => Err(Failure::new(
                FailureKind::Internal,
                format!("{name} has no handler"),
                "report this as a fault of the software",
            )),
        }
    }

    fn status(&self, now: Duration, gateway: &Gateway) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_s: now.as_secs(),
            lines: gateway.line_statuses(),
            accounts: gateway.account_statuses(),
            calls: gateway.call_statuses(),
            cards: gateway.card_statuses(),
            headset: self.headset.status(gateway),
            do_not_disturb: gateway.do_not_disturb(),
        }
    }

    fn test_call(
        &mut self,
        now: Duration,
        gateway: &mut Gateway,
        request: &Request,
        reply: &Reply,
    ) -> Result<Answer, Failure> {
        let account = match request.arguments.get(1) {
            None => 0,
            Some(name) => self
                .config
                .accounts
                .iter()
                .position(|account| account.name == *name)
                .ok_or_else(|| {
                    let names: Vec<&str> = self
                        .config
                        .accounts
                        .iter()
                        .map(|account| account.name.as_str())
                        .collect();
                    Failure::new(
                        FailureKind::NotFound,
                        format!("there is no account \"{name}\""),
                        format!("accounts: {}", names.join(", ")),
                    )
                })?,
        };
        let target = request.arguments.first().map(String::as_str).unwrap_or("");
        let leg = gateway.test_call(now, account, target).map_err(|why| {
            Failure::new(
                FailureKind::Refused,
                why,
                "give an extension (400) or an address (sip:400@host)",
            )
        })?;
        self.test_calls.insert(leg, (request.id, reply.clone()));
        Ok(Answer::Later)
    }

    /// A test call is over: its asker gets the report.
    pub(crate) fn test_call_done(&mut self, leg: LegId, report: &TestCall) {
        if !report.codec.is_empty() {
            self.last_codec = Some(report.codec.clone());
        }
        if let Some((id, reply)) = self.test_calls.remove(&leg) {
            let result = serde_json::to_value(report).unwrap_or_default();
            let _ = reply.try_send(Response::Done { id, result });
        }
    }

    fn read_journal(&self, request: &Request, reply: &Reply) -> Result<Answer, Failure> {
        let id = request.id;
        let query = Query::parse(&request.arguments).map_err(|why| {
            let usage = table::find(&["journal"]).map(|(command, _)| command.usage());
            let usage = usage.unwrap_or_default();
            Failure::new(FailureKind::Usage, why, format!("usage: {usage}"))
        })?;
        let (journal, reply) = (self.journal.clone(), reply.clone());
        tokio::spawn(async move {
            let response = match journal.read(query).await {
                Ok(page) => done(id, &page),
                Err(why) => Response::Failed {
                    id,
                    failure: Failure::new(FailureKind::Refused, why, "run: trubka doctor"),
                },
            };
            let _ = reply.send(response).await;
        });
        Ok(Answer::Later)
    }

    fn doctor(&self, id: u64, gateway: &Gateway, reply: &Reply) {
        let mut report = doctor::examine(gateway, &self.config, self.last_codec.as_deref());
        let (journal, reply, path) = (
            self.journal.clone(),
            reply.clone(),
            self.config.journal.path.clone(),
        );
        tokio::spawn(async move {
            report
                .checks
                .push(doctor::disk(&path, journal.check().await));
            let _ = reply.send(done(id, &report)).await;
        });
    }
}

enum Answer {
    Now(serde_json::Value),
    Later,
    Reload,
}

fn done(id: u64, result: &impl Serialize) -> Response {
    Response::Done {
        id,
        result: serde_json::to_value(result).unwrap_or_default(),
    }
}

fn now_json(result: &impl Serialize) -> Result<Answer, Failure> {
    Ok(Answer::Now(
        serde_json::to_value(result).unwrap_or_default(),
    ))
}

fn no_line(name: &str, gateway: &Gateway) -> Failure {
    let names: Vec<String> = gateway
        .line_statuses()
        .into_iter()
        .map(|line| line.name)
        .collect();
    Failure::new(
        FailureKind::NotFound,
        format!("there is no line \"{name}\""),
        format!("lines: {}", names.join(", ")),
    )
}

fn rtp_stats(gateway: &Gateway, name: Option<&str>) -> Result<Answer, Failure> {
    let mut calls = gateway.call_statuses();
    if let Some(name) = name {
        gateway
            .line_named(name)
            .ok_or_else(|| no_line(name, gateway))?;
        calls.retain(|call| call.figures.line == name);
    }
    now_json(&RtpStats { calls })
}

fn call_mute(gateway: &mut Gateway, name: &str, whom: &str) -> Result<Answer, Failure> {
    let line = gateway
        .line_named(name)
        .ok_or_else(|| no_line(name, gateway))?;
    // The visitor is heard by the phone, the resident by the line.
    let (to_line, to_phone, done) = match whom {
        "visitor" => (false, true, "the visitor is no longer heard in this call"),
        "resident" => (true, false, "the resident is no longer heard in this call"),
        "both" => (true, true, "nobody is heard in this call any more"),
        "none" => (false, false, "both are heard again"),
        _ => {
            return Err(Failure::new(
                FailureKind::Usage,
                format!("\"{whom}\" is nobody who can be silenced"),
                "usage: call mute LINE visitor|resident|both|none",
            ));
        }
    };
    if gateway.mute(line, to_line, to_phone) {
        Ok(Answer::Now(done.into()))
    } else {
        Err(Failure::new(
            FailureKind::Refused,
            "nobody talks on this line",
            "mute a call while it is up; trubka status shows the calls",
        ))
    }
}

fn levels(gateway: &Gateway, name: Option<&str>) -> Result<Answer, Failure> {
    let mut lines = gateway.line_statuses();
    if let Some(name) = name {
        lines.retain(|line| line.name == name);
        if lines.is_empty() {
            return Err(no_line(name, gateway));
        }
    }
    now_json(&Levels { lines })
}

fn do_not_disturb(
    now: Duration,
    gateway: &mut Gateway,
    state: Option<&str>,
    from: Option<&str>,
) -> Result<Answer, Failure> {
    let by = if from == Some("console") {
        "console"
    } else {
        "cli"
    };
    match state {
        None => {}
        Some("on") => gateway.set_do_not_disturb(now, true, by),
        Some("off") => gateway.set_do_not_disturb(now, false, by),
        Some(other) => {
            return Err(Failure::new(
                FailureKind::Usage,
                format!("\"{other}\" is neither on nor off"),
                "usage: do-not-disturb [STATE] [FROM]",
            ));
        }
    }
    let word = if gateway.do_not_disturb() {
        "on"
    } else {
        "off"
    };
    Ok(Answer::Now(format!("do-not-disturb is {word}").into()))
}

fn door_test(
    now: Duration,
    gateway: &mut Gateway,
    name: &str,
    from: Option<&str>,
) -> Result<Answer, Failure> {
    let cause = if from == Some("console") {
        Cause::Console
    } else {
        Cause::Cli
    };
    let line = gateway
        .line_named(name)
        .ok_or_else(|| no_line(name, gateway))?;
    match gateway.door_test(now, line, cause) {
        Ok(()) => Ok(Answer::Now(
            "the door release is ordered; trubka journal shows the record".into(),
        )),
        Err(refusal) => {
            let name = serde_json::to_value(refusal)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned))
                .unwrap_or_default();
            Err(Failure::new(
                FailureKind::Refused,
                format!("the door stays shut: {name}"),
                refusal.hint(),
            ))
        }
    }
}
