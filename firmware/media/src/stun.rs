//! Asking a STUN server how we look from outside (RFC 5389, Binding only), without I/O.
//!
//! [`StunClient`] gives the request to send and when to send it again, and reads what comes back. An answer counts only from
//! the server's address and with the transaction number of the request, which nobody off the path can know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// RFC 5389, 6.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
/// The number that servers of before the RFC used for it.
const OLD_XOR_MAPPED_ADDRESS: u16 = 0x8020;
/// First wait for an answer; each following one is twice as long (RFC 5389, 7.2.1).
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Requests at most. The RFC says seven; a start that waits 40 s for a dead server helps nobody.
const TRIES: u32 = 4;

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StunOutcome {
    /// Where our packets come from, seen by the server.
    Mapped(SocketAddr),
    /// The server refused, with this status.
    Refused(u16),
    /// No answer to any request.
    Silent,
}

/// One question to a server.
#[derive(Debug, Clone)]
pub struct StunClient {
    server: SocketAddr,
    transaction: [u8; 12],
    sent: u32,
    due: Duration,
    outcome: Option<StunOutcome>,
}

impl StunClient {
    /// A question to `server`. `transaction` must be unpredictable.
    pub fn new(now: Duration, server: SocketAddr, transaction: [u8; 12]) -> StunClient {
        StunClient {
            server,
            transaction,
            sent: 0,
            due: now,
            outcome: None,
        }
    }

    /// The request, when it is time to send it (again) to the server.
    pub fn poll_transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if self.outcome.is_some() || now < self.due {
            return None;
        }
        if self.sent == TRIES {
            self.outcome = Some(StunOutcome::Silent);
            return None;
        }
        self.due = now + FIRST_WAIT * (1 << self.sent);
        self.sent += 1;
        let mut request = vec![0, 1, 0, 0];
        request.extend(COOKIE);
        request.extend(self.transaction);
        Some(request)
    }

    /// When [`StunClient::poll_transmit`] wants to be called; `None` once there is an outcome.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.outcome.is_none().then_some(self.due)
    }

    /// Takes a datagram; true when it was the answer.
    pub fn handle(&mut self, source: SocketAddr, datagram: &[u8]) -> bool {
        let from_server = source.port() == self.server.port()
            && source.ip().to_canonical() == self.server.ip().to_canonical();
        if !from_server || self.sent == 0 || self.outcome.is_some() {
            return false;
        }
        self.outcome = read_answer(datagram, &self.transaction);
        self.outcome.is_some()
    }

    /// What came of it.
    pub fn outcome(&self) -> Option<StunOutcome> {
        self.outcome
    }
}

/// Reads a response to the request with this number; `None` when it is none, or says nothing.
fn read_answer(datagram: &[u8], transaction: &[u8; 12]) -> Option<StunOutcome> {
    let (header, rest) = datagram.split_at_checked(HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[4..8] != COOKIE || header[8..] != transaction[..] || length % 4 != 0 {
        return None;
    }
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let mut attributes = rest.get(..length)?;
    let (mut plain, mut exclusive, mut refused) = (None, None, None);
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let name = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        match name {
            MAPPED_ADDRESS => plain = plain.or(address(value, &[0; 16])),
            XOR_MAPPED_ADDRESS | OLD_XOR_MAPPED_ADDRESS => {
                let mut mask = [0; 16];
                mask[..4].copy_from_slice(&COOKIE);
                mask[4..].copy_from_slice(transaction);
                exclusive = exclusive.or(address(value, &mask));
            }
            ERROR_CODE => {
                if let [_, _, class, number, ..] = value {
                    refused = Some(u16::from(class & 7) * 100 + u16::from(*number));
                }
            }
            // What must be understood and is not spoils the answer (RFC 5389, 7.3).
            name if name < 0x8000 && !is_known(name) => return None,
            _ => {}
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    match kind {
        BINDING_SUCCESS => exclusive.or(plain).map(StunOutcome::Mapped),
        BINDING_ERROR => refused.map(StunOutcome::Refused),
        _ => None,
    }
}

/// Attributes that need not be read: sources and hints of RFC 3489 and RFC 5389 that servers add.
fn is_known(name: u16) -> bool {
    matches!(name, 0x0002..=0x000a | 0x0014 | 0x0015)
}

/// An address attribute with `mask` laid over port and address (RFC 5389, 15.2); nothing that cannot be a public address.
fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let (head, octets) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2] ^ mask[0], head[3] ^ mask[1]]);
    let ip: IpAddr = match (head[1], octets.len()) {
        (1, 4) => {
            let octets: [u8; 4] = std::array::from_fn(|i| octets[i] ^ mask[i]);
            Ipv4Addr::from(octets).into()
        }
        (2, 16) => {
            let octets: [u8; 16] = std::array::from_fn(|i| octets[i] ^ mask[i]);
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    let usable = port != 0 && !ip.is_unspecified() && !ip.is_multicast();
    usable.then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Number of the sample responses in RFC 5769.
    const SAMPLE: [u8; 12] = [
        0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
    ];

    fn server() -> SocketAddr {
        ([127, 0, 0, 9], 3478).into()
    }

    fn response(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in attributes {
            body.extend(name.to_be_bytes());
            body.extend((value.len() as u16).to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0x20);
        }
        let mut out = kind.to_be_bytes().to_vec();
        out.extend((body.len() as u16).to_be_bytes());
        out.extend(COOKIE);
        out.extend(SAMPLE);
        out.extend(body);
        out
    }

    fn asked() -> StunClient {
        let mut client = StunClient::new(Duration::ZERO, server(), SAMPLE);
        client.poll_transmit(Duration::ZERO).unwrap();
        client
    }

    #[test]
    fn the_sample_responses_of_rfc_5769() {
        // 2.2 and 2.3: SOFTWARE, then XOR-MAPPED-ADDRESS 192.0.2.1 and 2001:db8:1234:5678:11:2233:4455:6677, port 32853.
        let software: (u16, &[u8]) = (0x8022, b"test vector");
        let four = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let six = [
            0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25,
            0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        for (value, address) in [
            (&four[..], "192.0.2.1:32853"),
            (&six[..], "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
        ] {
            let mut client = asked();
            let answer = response(BINDING_SUCCESS, &[software, (XOR_MAPPED_ADDRESS, value)]);
            assert!(client.handle(server(), &answer));
            assert_eq!(
                client.outcome(),
                Some(StunOutcome::Mapped(address.parse().unwrap()))
            );
            assert_eq!(client.next_deadline(), None);
        }
    }

    #[test]
    fn the_request_is_a_binding_and_is_repeated_with_growing_pauses() {
        let mut client = StunClient::new(Duration::ZERO, server(), SAMPLE);
        let mut times = Vec::new();
        while let Some(due) = client.next_deadline() {
            if let Some(request) = client.poll_transmit(due) {
                assert_eq!(request.len(), 20);
                assert_eq!(request[..8], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
                assert_eq!(request[8..], SAMPLE);
                times.push(due.as_millis());
                assert_eq!(client.poll_transmit(due), None);
            }
        }
        assert_eq!(times, [0, 500, 1500, 3500]);
        assert_eq!(client.outcome(), Some(StunOutcome::Silent));
    }

    #[test]
    fn only_the_servers_own_answer_counts() {
        let mapped = [0, 1, 0x12, 0x34, 192, 0, 2, 7];
        let good = response(BINDING_SUCCESS, &[(MAPPED_ADDRESS, &mapped)]);
        let mut client = asked();
        assert!(!client.handle(([127, 0, 0, 8], 3478).into(), &good));
        assert!(!client.handle(([127, 0, 0, 9], 3479).into(), &good));
        for octet in 4..20 {
            let mut forged = good.clone();
            forged[octet] ^= 1;
            assert!(!client.handle(server(), &forged), "{octet}");
        }
        let strange = response(
            BINDING_SUCCESS,
            &[(MAPPED_ADDRESS, &mapped), (0x7777, b"must")],
        );
        assert!(!client.handle(server(), &strange));
        assert!(client.handle(server(), &good));
        assert_eq!(
            client.outcome(),
            Some(StunOutcome::Mapped(([192, 0, 2, 7], 0x1234).into()))
        );
        let mut client = StunClient::new(Duration::ZERO, server(), SAMPLE);
        assert!(!client.handle(server(), &good), "nothing was asked yet");
        let mut client = asked();
        let refused = response(BINDING_ERROR, &[(ERROR_CODE, &[0, 0, 4, 20, b'n', b'o'])]);
        assert!(client.handle(server(), &refused));
        assert_eq!(client.outcome(), Some(StunOutcome::Refused(420)));
    }

    #[test]
    fn mangled_answers_do_no_harm() {
        let value = [0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let good = response(
            BINDING_SUCCESS,
            &[
                (0x8022, b"abc"),
                (XOR_MAPPED_ADDRESS, &value),
                (0x8028, &[1, 2, 3, 4]),
            ],
        );
        let mut state = 7_u32;
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize
        };
        for _ in 0..100_000 {
            let mut mangled = good.clone();
            for _ in 0..=next() % 3 {
                let at = next() % (mangled.len() + 1);
                match next() % 3 {
                    0 => mangled.truncate(at),
                    1 => mangled.insert(at, next() as u8),
                    _ => {
                        if let Some(octet) = mangled.get_mut(at) {
                            *octet = next() as u8;
                        }
                    }
                }
            }
            let mut client = asked();
            client.handle(server(), &mangled);
            if let Some(StunOutcome::Mapped(address)) = client.outcome() {
                assert!(address.port() != 0 && !address.ip().is_multicast());
            }
        }
    }
}
