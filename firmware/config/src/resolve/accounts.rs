//! Sections `sip` and `account`: from checked keys to typed settings.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::{Resolver, is_extension, number};
use crate::document::Entry;
use crate::host::HostPort;
use crate::model::{
    Account, Keepalive, Proxy, Secret, SessionRefresher, Sip, SipTransport, TlsIdentity,
};
use crate::problem::ProblemKind;

/// Default port of name servers.
const DNS_PORT: u16 = 53;

impl Resolver<'_> {
    /// Section `sip`.
    pub(super) fn sip(&mut self, entry: &Entry) -> Sip {
        let address = |key: &str| {
            let text = entry.optional_text(key)?;
            text.parse::<SocketAddr>().ok()
        };
        let listen = address("listen").unwrap_or(SocketAddr::from(([0, 0, 0, 0], 5060)));
        let listen_ipv6 = address("listen_ipv6");
        if listen_ipv6.is_some_and(|six| six.is_ipv4() || listen.is_ipv6()) {
            let cause = "listen_ipv6 is the second address, of IPv6, beside an IPv4 listen".into();
            let hint = "with IPv6 alone set listen itself, for example \"[::]:5060\"";
            self.problem(entry, "listen_ipv6", ProblemKind::OutOfRange, cause, hint);
        }
        let tls_identity = self.tls_identity(entry);
        let tls_listen = address("tls_listen");
        if tls_listen.is_some() && tls_identity.is_none() {
            let cause = "tls_listen needs a certificate".to_owned();
            let hint = "set sip.tls_certificate_file and sip.tls_key_file";
            self.problem(entry, "tls_listen", ProblemKind::MissingKey, cause, hint);
        }
        if tls_listen == Some(listen) {
            let cause = "tls_listen and listen are the same".to_owned();
            let hint = "TLS has a port of its own, usually 5061";
            self.problem(entry, "tls_listen", ProblemKind::Duplicate, cause, hint);
        }
        let tls_listen_ca_file = entry.optional_text("tls_listen_ca_file").map(PathBuf::from);
        if tls_listen_ca_file.is_some() && tls_listen.is_none() {
            let cause = "tls_listen_ca_file stands without tls_listen".to_owned();
            let hint =
                "set sip.tls_listen, or an account's tls_ca_file for the PBX that we connect to";
            let kind = ProblemKind::MissingKey;
            self.problem(entry, "tls_listen_ca_file", kind, cause, hint);
        }
        let mut dns_servers = Vec::new();
        for text in entry.list("dns_servers") {
            match HostPort::parse(&text)
                .ok()
                .and_then(|h| h.socket_addr(DNS_PORT))
            {
                Some(server) => dns_servers.push(server),
                None => {
                    let cause = format!("\"{text}\" is no address of a name server");
                    let hint = "write addresses: dns_servers = [\"192.168.1.1\"]";
                    self.problem(entry, "dns_servers", ProblemKind::WrongType, cause, hint);
                }
            }
        }
        let mut direct_sources: Vec<IpAddr> = Vec::new();
        for text in entry.list("direct_sources") {
            match text.parse() {
                Ok(address) => direct_sources.push(address),
                Err(_) => {
                    let cause = format!("\"{text}\" is no IP address");
                    let hint = "write addresses: direct_sources = [\"192.168.1.50\"]";
                    self.problem(entry, "direct_sources", ProblemKind::WrongType, cause, hint);
                }
            }
        }
        Sip {
            dscp: number(entry, "dscp") as u8,
            stun_server: entry
                .optional_text("stun_server")
                .and_then(|text| HostPort::parse(&text).ok()),
            listen,
            listen_ipv6,
            tls_listen,
            tls_listen_ca_file,
            tls_identity,
            dns_servers,
            direct_calls: entry.bool("direct_calls"),
            direct_sources,
            user_agent: entry.text("user_agent"),
        }
    }

    /// Certificate and key, which stand together or not at all.
    fn tls_identity(&mut self, entry: &Entry) -> Option<TlsIdentity> {
        let path = |key: &str| entry.optional_text(key).map(PathBuf::from);
        match (path("tls_certificate_file"), path("tls_key_file")) {
            (Some(certificate_file), Some(key_file)) => Some(TlsIdentity {
                certificate_file,
                key_file,
            }),
            (None, None) => None,
            (given, _) => {
                let (key, other) = match given {
                    Some(_) => ("tls_certificate_file", "tls_key_file"),
                    None => ("tls_key_file", "tls_certificate_file"),
                };
                let cause = format!("{key} stands without {other}");
                let hint = format!("set {other} as well");
                self.problem(entry, key, ProblemKind::MissingKey, cause, hint);
                None
            }
        }
    }

    /// What of an account's keys does not go together.
    fn check_account(&mut self, entry: &Entry) {
        if entry.get("outbound_proxy").is_some() && entry.get("registrar").is_some() {
            let cause = "both registrar and outbound_proxy are given".to_owned();
            let hint = "registrar: requests go there; outbound_proxy: there, with a Route header. Keep one";
            self.problem(entry, "outbound_proxy", ProblemKind::Duplicate, cause, hint);
        }
        for (proxy, user) in [
            ("outbound_proxy", "proxy_user"),
            ("backup_proxy", "backup_proxy_user"),
        ] {
            if entry.get(user).is_some() && entry.get(proxy).is_none() {
                let cause = format!("{user} stands without {proxy}");
                let hint = format!("set {proxy}, or use auth_user for the account itself");
                self.problem(entry, user, ProblemKind::MissingKey, cause, hint);
            }
        }
        for name in ["password", "proxy_password", "backup_proxy_password"] {
            if entry.get(name).is_some() && entry.get(&format!("{name}_file")).is_some() {
                let cause = format!("both {name} and {name}_file are given");
                let hint = format!("keep {name}_file and remove {name}");
                self.problem(entry, name, ProblemKind::Duplicate, cause, hint);
            }
        }
        if (1..90).contains(&entry.integer("session_expires_s")) {
            let cause = "session timers of less than 90 s are not allowed (RFC 4028)".to_owned();
            let hint = "90..7200, or 0 for none";
            let key = "session_expires_s";
            self.problem(entry, key, ProblemKind::OutOfRange, cause, hint);
        }
        let tls_key = ["tls_ca_file", "tls_server_name", "tls_certificate_file"]
            .into_iter()
            .find(|key| entry.get(key).is_some());
        if let Some(key) = tls_key.filter(|_| entry.text("transport") != "tls") {
            let cause = format!("{key} means nothing without TLS");
            let hint = "set transport = \"tls\"";
            self.problem(entry, key, ProblemKind::UnknownReference, cause, hint);
        }
    }

    fn realm(&mut self, entry: &Entry) -> Option<String> {
        let realm = entry.optional_text("realm")?;
        if realm.contains(['"', '\\']) {
            let cause = format!("\"{}\" is no realm", realm.escape_debug());
            let hint = "write it as the PBX does, without quotes; Asterisk's is \"asterisk\", often it is the domain";
            self.problem(entry, "realm", ProblemKind::OutOfRange, cause, hint);
        }
        Some(realm)
    }

    /// Index of the account that steps in.
    fn backup_account(&mut self, entry: &Entry) -> Option<usize> {
        let wanted = entry.optional_text("backup_account")?;
        let document = self.document;
        let names: Vec<String> = document.many("account").map(|e| e.text("name")).collect();
        let found = names.iter().position(|name| *name == wanted);
        if found.is_none() || wanted == entry.text("name") {
            let cause = format!("\"{wanted}\" is no other account");
            let hint = format!("use another one of: {}", names.join(", "));
            let kind = ProblemKind::UnknownReference;
            self.problem(entry, "backup_account", kind, cause, hint);
            return None;
        }
        found
    }

    /// Calls by address to somebody who is no account's PBX have to be wanted.
    pub(super) fn direct_targets(&mut self, sip: &Sip, accounts: &[Account]) {
        if sip.direct_calls {
            return;
        }
        let document = self.document;
        let is_pbx = |address: SocketAddr| {
            accounts.iter().any(|account| {
                let backup = account.backup_proxy.as_ref().map(|proxy| &proxy.host);
                [&account.domain, &account.registrar]
                    .into_iter()
                    .chain(backup)
                    .any(|host| host.host.parse() == Ok(address.ip()))
            })
        };
        if let Some(entry) = document.one("access") {
            for host in entry.list("forward_hosts") {
                let address = HostPort::parse(&host).ok();
                let address = address.and_then(|host| host.socket_addr(5060));
                if address.is_some_and(|address| !is_pbx(address)) {
                    let cause = format!("\"{host}\" is called directly, and direct calls are off");
                    let hint = "set sip.direct_calls = true, or name a host that the PBX knows";
                    let kind = ProblemKind::UnroutableTarget;
                    self.problem(entry, "forward_hosts", kind, cause, hint);
                }
            }
        }
        for entry in document.many("route") {
            for target in entry.list("targets") {
                let host = target.strip_prefix("sip:").and_then(|t| t.split_once('@'));
                let host = host.and_then(|(_, host)| HostPort::parse(host).ok());
                let Some(address) = host.and_then(|host| host.socket_addr(5060)) else {
                    continue;
                };
                if !is_pbx(address) {
                    let cause = format!("\"{target}\" is a direct call, and these are off");
                    let hint = "set sip.direct_calls = true, or name an extension of the PBX";
                    let kind = ProblemKind::UnroutableTarget;
                    self.problem(entry, "targets", kind, cause, hint);
                }
            }
        }
    }

    pub(super) fn accounts(&mut self) -> Vec<Account> {
        self.unique("account", "name", |entry| entry.text("name"));
        let document = self.document;
        let mut accounts = Vec::new();
        for entry in document.many("account") {
            let host = |key: &str| {
                entry
                    .optional_text(key)
                    .and_then(|text| HostPort::parse(&text).ok())
            };
            let domain = host("domain").unwrap_or(HostPort {
                host: String::new(),
                port: None,
            });
            let proxy = |name: &str, login: &str| {
                host(name).map(|host| Proxy {
                    host,
                    user: entry.optional_text(&format!("{login}_user")),
                    password: Secret::new(entry.text(&format!("{login}_password"))),
                    password_file: entry
                        .optional_text(&format!("{login}_password_file"))
                        .map(PathBuf::from),
                })
            };
            let outbound_proxy = proxy("outbound_proxy", "proxy");
            let backup_proxy = proxy("backup_proxy", "backup_proxy");
            self.check_account(entry);
            let extension = entry.text("extension");
            if !is_extension(&extension) {
                let cause = format!("\"{extension}\" cannot be the user part of a SIP address");
                let hint = "letters, digits and -_.+*# only, for example 600";
                self.problem(entry, "extension", ProblemKind::OutOfRange, cause, hint);
            }
            let media_encryption = self.media_encryption(entry);
            let codecs = match entry.get("codecs") {
                Some(_) => self.codecs(entry),
                None => Vec::new(),
            };
            accounts.push(Account {
                name: entry.text("name"),
                extension,
                registrar: (outbound_proxy.as_ref().map(|proxy| proxy.host.clone()))
                    .or_else(|| host("registrar"))
                    .unwrap_or_else(|| domain.clone()),
                transport: match entry.text("transport").as_str() {
                    "tcp" => SipTransport::Tcp,
                    "tls" => SipTransport::Tls,
                    _ => SipTransport::Udp,
                },
                outbound_proxy,
                backup_proxy,
                backup_account: self.backup_account(entry),
                tls_ca_file: entry.optional_text("tls_ca_file").map(PathBuf::from),
                tls_server_name: entry
                    .optional_text("tls_server_name")
                    .unwrap_or_else(|| domain.host.clone()),
                tls_identity: self.tls_identity(entry),
                domain,
                realm: self.realm(entry),
                auth_user: entry.optional_text("auth_user"),
                password: Secret::new(entry.text("password")),
                password_file: entry.optional_text("password_file").map(PathBuf::from),
                display_name: entry.optional_text("display_name"),
                register: entry.bool("register"),
                expires_s: number(entry, "expires_s"),
                keepalive_s: number(entry, "keepalive_s"),
                keepalive: match entry.text("keepalive").as_str() {
                    "crlf" => Keepalive::Crlf,
                    _ => Keepalive::Options,
                },
                keepalive_losses: number(entry, "keepalive_losses"),
                session_expires_s: number(entry, "session_expires_s"),
                session_refresher: match entry.text("session_refresher").as_str() {
                    "local" => SessionRefresher::Local,
                    "remote" => SessionRefresher::Remote,
                    _ => SessionRefresher::Any,
                },
                media_encryption,
                inband_keys: super::media::inband_keys(entry),
                codecs,
                reliable_provisionals: entry.bool("reliable_provisionals"),
            });
        }
        if accounts.is_empty() {
            self.missing_section(
                "account",
                "add an [[account]] with name, extension, domain and password_file",
            );
        }
        accounts
    }
}
