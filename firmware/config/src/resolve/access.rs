//! Limits of a call, who may call in, and where calls may go.

use std::path::PathBuf;

use super::{Resolver, is_extension, number, seconds};
use crate::document::Entry;
use crate::host::HostPort;
use crate::model::{Access, Account, Call, Incoming, Unanswered};
use crate::party::{At, Party};
use crate::pbx::pbx_of_each;
use crate::problem::ProblemKind;
use crate::template::Header;

/// Most headers of our own: an INVITE has to fit into a datagram.
const MOST_HEADERS: usize = 8;

impl Resolver<'_> {
    pub(super) fn call(&mut self, entry: &Entry) -> Call {
        let texts = entry.list("headers");
        if texts.len() > MOST_HEADERS {
            let cause = format!("{} headers are too many", texts.len());
            let hint = "8 at the most: the message has to fit into a datagram";
            self.problem(entry, "headers", ProblemKind::OutOfRange, cause, hint);
        }
        let mut headers = Vec::new();
        for text in &texts {
            match Header::parse(text) {
                Ok(header) => headers.push(header),
                Err(why) => {
                    let cause = format!("\"{text}\" {why}");
                    let hint = "write for example \"X-Apartment: {apartment}\"; the places are {apartment}, {panel} and {line}";
                    self.problem(entry, "headers", ProblemKind::OutOfRange, cause, hint);
                }
            }
        }
        let unanswered = match entry.text("unanswered").as_str() {
            "tone" => Unanswered::Tone,
            "leave" => Unanswered::Leave,
            _ => Unanswered::Auto,
        };
        let unanswered_wav = entry.optional_text("unanswered_wav").map(PathBuf::from);
        if unanswered_wav.is_some() && unanswered == Unanswered::Leave {
            let cause = "would never be played, since unanswered is \"leave\"".to_owned();
            let hint = "set unanswered = \"tone\", or remove unanswered_wav";
            self.problem(
                entry,
                "unanswered_wav",
                ProblemKind::OutOfRange,
                cause,
                hint,
            );
        }
        Call {
            ring_limit: seconds(entry, "ring_limit_s"),
            talk_limit: seconds(entry, "talk_limit_s"),
            rtp_timeout: seconds(entry, "rtp_timeout_s"),
            display_name: self.template(entry, "display_name"),
            headers,
            decline_stops: entry.text("when_declined") == "stop",
            max_redirects: number(entry, "max_redirects") as u8,
            unanswered,
            early_media: entry.text("early_media") == "line",
            unanswered_wav,
        }
    }

    pub(super) fn access(&mut self, entry: &Entry, accounts: &[Account]) -> Access {
        let incoming = match entry.text("incoming").as_str() {
            "listed" => Incoming::Listed,
            "off" => Incoming::Off,
            _ => Incoming::Managed,
        };
        let callers = self.parties(entry, "callers", accounts, &[]);
        if incoming == Incoming::Listed && callers.is_empty() {
            let cause = "incoming is \"listed\" but nobody is listed".to_owned();
            let hint = "name them, callers = [\"200\"], or set incoming = \"off\"";
            self.problem(entry, "callers", ProblemKind::OutOfRange, cause, hint);
        }
        let (dnd_on, dnd_off) = (
            entry.text("do_not_disturb_on"),
            entry.text("do_not_disturb_off"),
        );
        if !dnd_on.is_empty() && (dnd_on.starts_with(&dnd_off) || dnd_off.starts_with(&dnd_on)) {
            let cause =
                format!("\"{dnd_off}\" cannot be told from do_not_disturb_on = \"{dnd_on}\"");
            let hint = "use two codes of which none begins with the other";
            self.problem(
                entry,
                "do_not_disturb_off",
                ProblemKind::Duplicate,
                cause,
                hint,
            );
        }
        let mut forward_hosts = Vec::new();
        for host in &entry.list("forward_hosts") {
            let (why, hint) = match HostPort::parse(host) {
                Ok(HostPort { host, port: None }) => {
                    forward_hosts.push(host.to_ascii_lowercase());
                    continue;
                }
                Ok(_) => (
                    "a host with a port",
                    "leave the port out: a host is allowed whatever the port",
                ),
                Err(why) => (
                    why,
                    "write host names or addresses, for example [\"sip.example.org\"]",
                ),
            };
            let cause = format!("\"{host}\": {why}");
            self.problem(entry, "forward_hosts", ProblemKind::OutOfRange, cause, hint);
        }
        let forward_targets = entry.list("forward_targets");
        for target in &forward_targets {
            let number = target.strip_suffix('*').unwrap_or(target);
            if !number.is_empty() && !is_extension(number) || target.is_empty() {
                let cause = format!("\"{target}\" is no number");
                let hint = "write numbers, or beginnings of numbers with a * behind: [\"4*\", \"+49170*\"]";
                self.problem(
                    entry,
                    "forward_targets",
                    ProblemKind::OutOfRange,
                    cause,
                    hint,
                );
            }
        }
        Access {
            incoming,
            callers,
            refuse_status: number(entry, "refuse_status") as u16,
            asserted_identity: entry.bool("asserted_identity"),
            dnd_status: number(entry, "do_not_disturb_status") as u16,
            dnd_covers_visitors: entry.text("do_not_disturb_covers") == "all",
            dnd_on,
            dnd_off,
            feature_callers: self.parties(entry, "feature_callers", accounts, &[]),
            forward_hosts,
            forward_targets,
            transfer: entry.bool("transfer"),
            requests_per_second: number(entry, "requests_per_second"),
            state_file: PathBuf::from(entry.text("state_file")),
        }
    }

    /// A list of callers; `others` are words of the list that name nobody.
    pub(super) fn parties(
        &mut self,
        entry: &Entry,
        key: &str,
        accounts: &[Account],
        others: &[&str],
    ) -> Vec<Party> {
        let mut parties = Vec::new();
        for text in entry.list(key) {
            if others.contains(&text.as_str()) {
                continue;
            }
            match Party::parse(&text, accounts, is_extension) {
                Ok(party) => parties.push(party),
                Err(why) => {
                    let cause = format!("\"{text}\": {why}");
                    let hint = format!(
                        "write {key} = [\"200\"] for an extension of any PBX, \"200@HOST\" or \"200@HOST:PORT\" for one of the account with that domain or registrar, or for a phone that calls from that host"
                    );
                    self.problem(entry, key, ProblemKind::OutOfRange, cause, hint);
                }
            }
        }
        self.ambiguous(entry, key, accounts, &parties);
        parties
    }

    /// An extension that is named without its PBX where there are several.
    fn ambiguous(&mut self, entry: &Entry, key: &str, accounts: &[Account], parties: &[Party]) {
        let pbxs = pbx_of_each(accounts);
        let several = pbxs.iter().any(|pbx| Some(pbx) != pbxs.first());
        let plain = parties.iter().find(|party| party.at == At::AnyPbx);
        if let Some(party) = plain.filter(|_| several) {
            let user = &party.user;
            let cause = format!("\"{user}\" is that extension of every account's PBX");
            let hint = "write \"200@HOST\" with the domain or the registrar of the account whose extension is meant, and its port where two are at one host";
            self.warning(entry, key, cause, hint);
        }
    }
}
