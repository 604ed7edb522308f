//! Where the PBXs are: NAPTR, SRV, A and AAAA records to addresses in the order in which they are to
//! be tried (RFC 3263), looked up again when their time runs out.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use config::{Config, HostPort, SipTransport};
use gateway::SipServer;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use sip::{NaptrRecord, SrvRecord, Transport, order_srv, srv_names};

use crate::input::{Inbox, Input};

/// How long one question to one name server may take, and how often it is asked.
const QUESTION_LIMIT: Duration = Duration::from_secs(1);
const ATTEMPTS: usize = 2;
/// Bounds of the pause until a name is looked up again.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(3600);
/// Pause after a name that did not resolve.
const AFTER_FAILURE: Duration = Duration::from_secs(10);
/// SRV targets whose addresses are looked up.
const MAX_TARGETS: usize = 8;

/// What was found for an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Addresses, best first.
    pub(crate) servers: Vec<SipServer>,
    /// Names that did not resolve, and why.
    pub(crate) missing: Vec<(String, String)>,
    /// How long this holds; none if there is no name in it.
    pub(crate) good_for: Option<Duration>,
}

/// Asks the name servers.
#[derive(Clone)]
pub(crate) struct Names {
    resolver: Option<TokioResolver>,
    /// Whether the system's own resolver may be asked when the records tell nothing.
    system: bool,
    ipv4: bool,
    ipv6: bool,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// Addresses of one host, and until when they hold.
type Answer = Result<(Vec<SocketAddr>, Instant), String>;

impl Names {
    /// A resolver that asks the configured name servers, or those of the system.
    pub(crate) fn new(config: &Config) -> Names {
        let servers = &config.sip.dns_servers;
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let server = |address: &SocketAddr| {
                let with_port = |mut connection: ConnectionConfig| {
                    connection.port = address.port();
                    connection
                };
                let ways = vec![
                    with_port(ConnectionConfig::udp()),
                    with_port(ConnectionConfig::tcp()),
                ];
                NameServerConfig::new(address.ip(), true, ways)
            };
            let servers = servers.iter().map(server).collect();
            let wanted = ResolverConfig::from_name_servers(servers);
            let provider = TokioRuntimeProvider::default();
            Some(TokioResolver::builder_with_config(wanted, provider))
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = QUESTION_LIMIT;
            options.attempts = ATTEMPTS;
            // A PBX that gets its name later is found soon.
            options.negative_max_ttl = Some(SOONEST);
            builder.build().ok()
        });
        let listen = config.sip.listen;
        Names {
            resolver,
            system: servers.is_empty(),
            ipv4: listen.is_ipv4(),
            ipv6: listen.is_ipv6() || config.sip.listen_ipv6.is_some(),
        }
    }

    /// Every address of an account's servers.
    pub(crate) async fn servers_of(&self, account: &config::Account) -> Found {
        let mut found = Found::default();
        let backup = account
            .backup_proxy
            .as_ref()
            .map(|proxy| (&proxy.host, true));
        for (host, backup) in std::iter::once((&account.registrar, false)).chain(backup) {
            let default_port = account.transport.default_port();
            if let Some(address) = host.socket_addr(default_port) {
                found.servers.push(SipServer { address, backup });
                continue;
            }
            match self.addresses(host, account.transport, default_port).await {
                Ok((addresses, until)) => {
                    let servers = addresses.into_iter();
                    found
                        .servers
                        .extend(servers.map(|address| SipServer { address, backup }));
                    let left = until.saturating_duration_since(Instant::now());
                    found.wait(left.clamp(SOONEST, LATEST));
                }
                Err(why) => {
                    found.missing.push((host.to_string(), why));
                    found.wait(AFTER_FAILURE);
                }
            }
        }
        found
    }

    async fn addresses(&self, host: &HostPort, carrier: SipTransport, port: u16) -> Answer {
        let Some(resolver) = &self.resolver else {
            return self.ask_system(host, host.port.unwrap_or(port)).await;
        };
        if let Some(port) = host.port {
            // A port that is named leaves nothing to be looked up but the address (RFC 3263 4.2).
            return self.host_addresses(resolver, &host.host, port).await;
        }
        let transport = match carrier {
            SipTransport::Udp => Transport::Udp,
            SipTransport::Tcp => Transport::Tcp,
            SipTransport::Tls => Transport::Tls,
        };
        let usual = srv_names(&host.host, &[], &[transport]);
        let usual = usual
            .first()
            .map(|(_, name)| name.clone())
            .unwrap_or_default();
        // All questions at once: the answers that turn out not to be needed cost little.
        let (naptr, srv, plain) = tokio::join!(
            naptr(resolver, &host.host),
            srv(resolver, &usual),
            self.host_addresses(resolver, &host.host, port),
        );
        let mut records = srv;
        if let Some((naptr, until)) = naptr {
            let named = srv_names(&host.host, &naptr, &[transport]);
            if let Some((_, name)) = named.first().filter(|(_, name)| *name != usual) {
                records = crate::names::srv(resolver, name).await;
            }
            records = records.map(|(found, end)| (found, end.min(until)));
        }
        let Some((records, mut until)) = records else {
            return plain;
        };
        let mut addresses = Vec::new();
        let mut last = "SRV says that there is no such service".to_owned();
        for server in order_srv(&records, seed()).iter().take(MAX_TARGETS) {
            match self
                .host_addresses(resolver, &server.target, server.port)
                .await
            {
                Ok((more, end)) => {
                    until = until.min(end);
                    addresses.extend(more);
                }
                Err(why) => last = format!("{}: {why}", server.target),
            }
        }
        if addresses.is_empty() {
            return Err(last);
        }
        Ok((addresses, until))
    }

    async fn host_addresses(&self, resolver: &TokioResolver, host: &str, port: u16) -> Answer {
        if let Ok(address) = host.trim_end_matches('.').parse::<IpAddr>() {
            let until = Instant::now() + LATEST;
            return Ok((vec![SocketAddr::new(address, port)], until));
        }
        let why = match resolver.lookup_ip(absolute(host)).await {
            Ok(found) => {
                let usable: Vec<SocketAddr> = found
                    .iter()
                    .filter(|ip| if ip.is_ipv4() { self.ipv4 } else { self.ipv6 })
                    .map(|ip| SocketAddr::new(ip, port))
                    .collect();
                if !usable.is_empty() {
                    return Ok((usable, found.valid_until()));
                }
                "it has addresses only of a family that sip.listen has not".to_owned()
            }
            Err(error) => error.to_string(),
        };
        if self.system {
            let host = HostPort {
                host: host.to_owned(),
                port: Some(port),
            };
            if let Ok(found) = self.ask_system(&host, port).await {
                return Ok(found);
            }
        }
        Err(why)
    }

    /// What the system knows by other ways: its own name service switch.
    async fn ask_system(&self, host: &HostPort, port: u16) -> Answer {
        let found = tokio::net::lookup_host((host.host.as_str(), port)).await;
        let found = found.map_err(|error| error.to_string())?;
        let usable = |address: &SocketAddr| {
            if address.is_ipv4() {
                self.ipv4
            } else {
                self.ipv6
            }
        };
        let found: Vec<SocketAddr> = found.filter(usable).collect();
        if found.is_empty() {
            return Err("no usable address".to_owned());
        }
        Ok((found, Instant::now() + Duration::from_secs(60)))
    }
}

impl Found {
    fn wait(&mut self, wait: Duration) {
        self.good_for = Some(self.good_for.map_or(wait, |known| known.min(wait)));
    }
}

/// A name with dots is whole; one without is sought in the system's search list.
fn absolute(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') {
        format!("{name}.")
    } else {
        name.to_owned()
    }
}

fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    // Without random numbers the order within a priority is the same each time, and still right.
    let _ = getrandom::fill(&mut seed);
    seed
}

async fn srv(resolver: &TokioResolver, name: &str) -> Option<(Vec<SrvRecord>, Instant)> {
    let name = format!("{}.", name.trim_end_matches('.'));
    let found = resolver.lookup(name, RecordType::SRV).await.ok()?;
    let record = |data: &RData| match data {
        RData::SRV(srv) => Some(SrvRecord {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_string(),
        }),
        _ => None,
    };
    let records: Vec<SrvRecord> = found
        .answers()
        .iter()
        .filter_map(|r| record(&r.data))
        .collect();
    (!records.is_empty()).then(|| (records, found.valid_until()))
}

async fn naptr(resolver: &TokioResolver, name: &str) -> Option<(Vec<NaptrRecord>, Instant)> {
    let name = format!("{}.", name.trim_end_matches('.'));
    let found = resolver.lookup(name, RecordType::NAPTR).await.ok()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let record = |data: &RData| match data {
        RData::NAPTR(naptr) => Some(NaptrRecord {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            service: text(&naptr.services),
            replacement: naptr.replacement.to_string(),
        }),
        _ => None,
    };
    let records: Vec<NaptrRecord> = found
        .answers()
        .iter()
        .filter_map(|r| record(&r.data))
        .collect();
    (!records.is_empty()).then(|| (records, found.valid_until()))
}

/// Looks an account's names up for ever, beginning after `pause`, and passes on what changed.
pub(crate) async fn watch(
    names: Names,
    account: usize,
    settings: config::Account,
    mut pause: Duration,
    inbox: Inbox,
) {
    loop {
        tokio::time::sleep(pause).await;
        let found = names.servers_of(&settings).await;
        let Some(next) = found.good_for else { return };
        pause = next;
        if inbox
            .send(Input::ServersFound { account, found })
            .await
            .is_err()
        {
            return;
        }
    }
}
