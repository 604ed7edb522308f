//! Sending: client transactions, responses, and the log of refusals.

use super::streams::MAX_UDP_REQUEST_BYTES;
use super::{ALLOW, MAX_CLIENT_TRANSACTIONS, MAX_SERVER_TRANSACTIONS, Owner, TimerKey, UserAgent};
use crate::hop::Hop;
use crate::message::{MAGIC_COOKIE, Message, Method, Via};
use crate::options::MIN_SE_S;
use crate::transaction::{ClientTransaction, ServerTransaction, T1X64};
use crate::{Transmit, Transport, UaEvent};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

/// `Refused` events per second in the long run, and at once.
const REFUSED_PER_SECOND: f64 = 5.0;
const REFUSED_BURST: f64 = 20.0;

impl UserAgent {
    pub(super) fn transmit(&mut self, destination: Hop, payload: Vec<u8>) {
        let source = self.source_towards(destination);
        self.transmits.push_back(Transmit {
            transport: destination.transport,
            source,
            destination: destination.address,
            payload,
        });
    }

    /// The address we send from.
    fn source_towards(&self, hop: Hop) -> SocketAddr {
        match self.addresses.ipv6 {
            Some(six) if hop.address.is_ipv6() && self.config.local.is_ipv4() => six,
            _ => self.config.local,
        }
    }

    /// The address a peer reaches us at: of its family, and with the port of its transport.
    pub(super) fn address_towards(&self, hop: Hop) -> SocketAddr {
        let mut address = match self.addresses.ipv6 {
            Some(six) if hop.address.is_ipv6() && self.config.local.is_ipv4() => six,
            _ => self.config.public_address(),
        };
        if let Some(port) = self
            .addresses
            .tls_port
            .filter(|_| hop.transport == Transport::Tls)
        {
            address.set_port(port);
        }
        address
    }

    /// Names the registrar address in a Route header if it is an outbound proxy.
    pub(super) fn push_proxy_route(&self, account: usize, hop: Hop, request: &mut Message) {
        let through = self.options.get(account).is_some_and(|o| o.outbound_proxy);
        if through && self.is_registrar(account, hop) {
            let word = transport_word(hop.transport);
            request.headers.remove("Route");
            request
                .headers
                .push("Route", format!("<sip:{}{word};lr>", hop.address));
        }
    }

    pub(super) fn new_via(&mut self, hop: Hop) -> String {
        let branch = self.token();
        let address = self.address_towards(hop);
        let transport = hop.transport.via_name();
        format!("SIP/2.0/{transport} {address};branch={MAGIC_COOKIE}{branch};rport")
    }

    /// Our Contact. Over streams it says so, or the peer would call back over UDP.
    pub(super) fn contact(&self, user: &str, hop: Hop) -> String {
        let word = transport_word(hop.transport);
        format!("<sip:{user}@{}{word}>", self.address_towards(hop))
    }

    /// Sends a request in a new transaction. Via and User-Agent are written here. `None` if the
    /// table is full.
    pub(super) fn send_request(
        &mut self,
        now: Duration,
        mut request: Message,
        destination: Hop,
        owner: Owner,
    ) -> Option<u64> {
        if self.clients.len() >= MAX_CLIENT_TRANSACTIONS {
            return None;
        }
        request.headers.remove("Via");
        let via = self.new_via(destination);
        request.headers.prepend("Via", via);
        request.headers.set("User-Agent", &self.config.user_agent);
        Some(self.start_client(now, request, destination, owner))
    }

    /// Starts a transaction for a request that has its Via (CANCEL).
    pub(super) fn start_client(
        &mut self,
        now: Duration,
        request: Message,
        destination: Hop,
        owner: Owner,
    ) -> u64 {
        let id = self.new_id();
        let mut client = ClientTransaction::new(request, destination, owner, now);
        if self.tcp_available && client.payload().len() > MAX_UDP_REQUEST_BYTES {
            client.go_over_tcp();
        }
        let destination = client.destination;
        if matches!(owner, Owner::Reinvite(_)) {
            client.proceeding_limit = Some(T1X64);
        }
        self.transmit(destination, client.payload().to_vec());
        if let Some(key) = client_key(&client.request) {
            self.client_index.insert(key, id);
        }
        self.timers.set(TimerKey::Client(id), client.deadline());
        self.clients.insert(id, client);
        id
    }

    /// Brings the timer up to date with a client transaction, or forgets a finished one.
    pub(super) fn settle_client(&mut self, id: u64) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        if !client.is_terminated() {
            self.timers.set(TimerKey::Client(id), client.deadline());
            return;
        }
        if let Some(key) = client_key(&client.request) {
            self.client_index.remove(&key);
        }
        self.timers.set(TimerKey::Client(id), None);
        self.clients.remove(&id);
    }

    pub(super) fn settle_server(&mut self, id: u64) {
        let Some(server) = self.servers.get(&id) else {
            return;
        };
        if !server.is_terminated() {
            self.timers.set(TimerKey::Server(id), server.deadline());
            return;
        }
        self.server_index.remove(&server.key);
        if let Some(key) = &server.merge_key
            && self.merge_index.get(key) == Some(&id)
        {
            self.merge_index.remove(key);
        }
        self.timers.set(TimerKey::Server(id), None);
        self.servers.remove(&id);
    }

    /// A server transaction for `request`, whose Via is already completed. `None` if the table is
    /// full.
    pub(super) fn start_server(&mut self, source: Hop, request: Message) -> Option<u64> {
        if self.servers.len() >= MAX_SERVER_TRANSACTIONS {
            return None;
        }
        let destination = response_hop(&request.top_via()?, source);
        let key = server_key(&request)?;
        let merge_key = merge_key(&request);
        let id = self.new_id();
        let mut server = ServerTransaction::new(request, destination, key.clone());
        self.server_index.insert(key, id);
        if let Some(merge_key) = merge_key {
            // A copy that is refused does not displace the first.
            self.merge_index.entry(merge_key.clone()).or_insert(id);
            server.merge_key = Some(merge_key);
        }
        self.servers.insert(id, server);
        Some(id)
    }

    /// Sends a response in its transaction. False if a final one went before.
    pub(super) fn respond(&mut self, now: Duration, server: u64, mut response: Message) -> bool {
        response.headers.set("Server", &self.config.user_agent);
        let Some(transaction) = self.servers.get_mut(&server) else {
            return false;
        };
        let payload = response.to_bytes();
        let destination = transaction.destination;
        if !transaction.respond(now, response.status().unwrap_or(500), payload.clone()) {
            return false;
        }
        self.transmit(destination, payload);
        self.settle_server(server);
        true
    }

    /// A bare response in a transaction.
    pub(super) fn respond_status(&mut self, now: Duration, server: u64, status: u16) {
        let Some(transaction) = self.servers.get(&server) else {
            return;
        };
        let tag = self.stateless_tag(&transaction.request);
        let response = Message::response_to(&transaction.request, status, Some(&tag));
        self.respond(now, server, response);
    }

    /// A To tag that is the same for every retransmission of a request (RFC 3261 8.2.7).
    pub(super) fn stateless_tag(&self, request: &Message) -> String {
        let mut hasher = DefaultHasher::new();
        self.salt.hash(&mut hasher);
        request.call_id().hash(&mut hasher);
        request.headers.get("CSeq").hash(&mut hasher);
        request.headers.get("From").hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// Answers without keeping state; an INVITE gets a transaction if there is room, so that its
    /// answer is retransmitted. ACK is never answered.
    pub(super) fn answer_statelessly(
        &mut self,
        now: Duration,
        source: Hop,
        request: &Message,
        mut response: Message,
    ) {
        if request.method() == Some(&Method::ACK) {
            return;
        }
        if request.method() == Some(&Method::INVITE)
            && let Some(server) = self.start_server(source, request.clone())
        {
            self.respond(now, server, response);
            return;
        }
        let Some(via) = request.top_via() else { return };
        response.headers.set("Server", &self.config.user_agent);
        self.transmit(response_hop(&via, source), response.to_bytes());
    }

    /// Refuses a request with a status, counts it and reports it.
    pub(super) fn refuse(
        &mut self,
        now: Duration,
        source: Hop,
        request: &Message,
        status: u16,
        why: &'static str,
    ) {
        let tag = self.stateless_tag(request);
        let mut response = Message::response_to(request, status, Some(&tag));
        match status {
            405 | 501 => response.headers.push("Allow", ALLOW),
            415 => response.headers.push("Accept", ACCEPT),
            422 => response.headers.push("Min-SE", MIN_SE_S.to_string()),
            420 => {
                let unsupported = super::session_timer::unsupported(request).join(", ");
                response.headers.push("Unsupported", unsupported);
            }
            500 | 503 => {
                let seconds = 1 + (self.fraction() * 10.0) as u32;
                response.headers.push("Retry-After", seconds.to_string());
            }
            400 => {
                let start = crate::message::StartLine::Response {
                    status,
                    reason: why.to_owned(),
                };
                response.start = start;
            }
            _ => {}
        }
        self.counters.refused += 1;
        self.answer_statelessly(now, source, request, response);
        let method = request.method().map_or("", |m| m.as_str()).to_owned();
        self.report_refusal(now, source, method, status, why);
    }

    pub(super) fn report_refusal(
        &mut self,
        now: Duration,
        source: Hop,
        method: String,
        status: u16,
        why: &'static str,
    ) {
        let elapsed = now.saturating_sub(self.refused_at).as_secs_f64();
        self.refused_at = now;
        let budget = self.refused_budget + elapsed * REFUSED_PER_SECOND;
        self.refused_budget = budget.min(REFUSED_BURST);
        if self.refused_budget < 1.0 {
            self.counters.refused_events_suppressed += 1;
            return;
        }
        self.refused_budget -= 1.0;
        self.events.push_back(UaEvent::Refused {
            source: source.address,
            method,
            status,
            why,
        });
    }
}

/// How a URI names a transport.
fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
    }
}

/// Body types we take.
pub(super) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";

/// Where a response goes: over a stream back on the same connection (RFC 3261 18.2.2).
fn response_hop(via: &Via, source: Hop) -> Hop {
    if source.transport.is_reliable() {
        return source;
    }
    Hop::udp(via.response_address(source.address))
}

fn client_key(request: &Message) -> Option<(String, String)> {
    let branch = request.top_via()?.branch()?.to_owned();
    Some((branch, request.method()?.as_str().to_owned()))
}

/// Key of a server transaction (RFC 3261 17.2.3). ACK has the key of its INVITE.
pub(super) fn server_key(request: &Message) -> Option<String> {
    let method = request.method()?;
    let method = if *method == Method::ACK {
        &Method::INVITE
    } else {
        method
    };
    server_key_as(request, method)
}

/// Key of the transaction of `method` with the request's branch (for CANCEL).
pub(super) fn server_key_as(request: &Message, method: &Method) -> Option<String> {
    let via = request.top_via()?;
    let sent_by = format!("{}:{}", via.host, via.port.unwrap_or(5060));
    if let Some(branch) = via.branch().filter(|b| b.starts_with(MAGIC_COOKIE)) {
        return Some(format!("{branch}|{sent_by}|{method}"));
    }
    // RFC 2543 peers: To tag is left out, since the ACK has one and the INVITE has not.
    let (cseq, _) = request.cseq()?;
    Some(format!(
        "{}|{}|{}|{cseq}|{sent_by}|{method}",
        request.request_uri()?,
        request.from_tag().unwrap_or_default(),
        request.call_id()?,
    ))
}

/// Key of requests that are one request that came by two ways (RFC 3261 8.2.2.2).
pub(super) fn merge_key(request: &Message) -> Option<String> {
    if request.to_tag().is_some() {
        return None;
    }
    let (cseq, method) = request.cseq()?;
    Some(format!(
        "{}|{}|{cseq}|{method}",
        request.from_tag()?,
        request.call_id()?
    ))
}
