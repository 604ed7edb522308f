//! Messages of RFC 5118 (IPv6) from the archive in its appendix, under the RFC's names, each with the verdict it
//! deserves. The archive writes line ends as LF; here they are CRLF. Two of its lengths and two of its ends are
//! wrong, so these messages have two verdicts: as they stand, and mended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::net::SocketAddr;
use trubka_sip::message::{Uri, read};
use trubka_sip::*;

const UA: &str = "[2001:db8::10]:5060";
const SOURCE: &str = "[2001:db8::9:1]:5062";

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data5118/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// The message with the right length and end.
fn mended(name: &str) -> Vec<u8> {
    let text = String::from_utf8(data(name)).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
    let lines = head
        .lines()
        .filter(|line| !line.starts_with("Content-Length"));
    let head: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Destination and text of the answer.
fn answer(message: &[u8]) -> Option<(SocketAddr, String)> {
    let config = UaConfig {
        local: addr(UA),
        advertised: None,
        user_agent: "test".into(),
        accounts: vec![],
        allowed_sources: SourcePolicy::Anyone,
    };
    let mut ua = UserAgent::new(config, seed(1));
    ua.handle_datagram(ms(0), addr(SOURCE), message);
    let sent = ua.poll_transmit()?;
    assert!(ua.poll_transmit().is_none(), "one datagram in, one out");
    Some((sent.destination, String::from_utf8(sent.payload).unwrap()))
}

/// What the mended ones get; in 4.10 both readings are allowed, nothing in the request hangs on that address.
const MENDED: &[(&str, u16)] = &[
    ("ipv6-in-sdp", 100),
    ("ipv6-bug-abnf-3-colons", 200),
    ("ipv6-correct-abnf-2-colons", 200),
];

/// Section, name, status (100: an INVITE that is taken; 405: REGISTER, understood but not ours),
/// port of the answer (no rport in any of them: the port of sent-by).
const VERDICTS: &[(&str, &str, u16, u16)] = &[
    ("4.1", "ipv6-good", 405, 5060),
    ("4.2", "ipv6-bad", 400, 5060),
    // The last part counts as a part of the address, not as a port.
    ("4.3", "port-ambiguous", 405, 5060),
    ("4.4", "port-unambiguous", 405, 5060),
    ("4.5", "via-received-param-with-delim", 481, 5060),
    ("4.5", "via-received-param-no-delim", 200, 5060),
    // Its Content-Length is larger than its body.
    ("4.6", "ipv6-in-sdp", 400, 5060),
    ("4.7", "mult-ip-in-header", 481, 6050),
    ("4.8", "mult-ip-in-sdp", 100, 5060),
    ("4.9", "ipv4-mapped-ipv6", 100, 19823),
    // Without the empty line behind the headers.
    ("4.10", "ipv6-bug-abnf-3-colons", 400, 5060),
    ("4.10", "ipv6-correct-abnf-2-colons", 400, 5060),
];

#[test]
fn every_ipv6_message_gets_its_answer() {
    let source = addr(SOURCE);
    for (section, name, status, port) in VERDICTS {
        let (to, text) = answer(&data(name)).unwrap_or_else(|| panic!("{section} {name}: silence"));
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with(&format!("SIP/2.0 {status} ")),
            "{section} {name}: {first}"
        );
        assert_eq!(to, SocketAddr::new(source.ip(), *port), "{section} {name}");
        // The true source replaces whatever the sender put into received.
        let via = text.lines().find(|l| l.starts_with("Via: ")).unwrap();
        assert!(
            via.ends_with(";received=2001:db8::9:1"),
            "{section} {name}: {via}"
        );
        assert_eq!(
            via.matches("received").count(),
            1,
            "{section} {name}: {via}"
        );
    }
    for (name, status) in MENDED {
        let (_, text) = answer(&mended(name)).unwrap_or_else(|| panic!("{name}: silence"));
        let wanted = format!("SIP/2.0 {status} ");
        assert!(text.starts_with(&wanted), "{name}: {text}");
    }
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data5118"));
    assert_eq!(VERDICTS.len(), files.unwrap().count());
}

#[test]
fn addresses_and_ports_are_told_apart() {
    let uri = |name| {
        let message = read(&data(name)).unwrap();
        Uri::parse(message.request_uri().unwrap())
    };
    let address = |name| uri(name).and_then(|uri: Uri| uri.address());
    assert_eq!(address("ipv6-good"), Some(addr("[2001:db8::10]:5060")));
    assert_eq!(address("ipv6-bad"), None);
    assert_eq!(
        address("port-ambiguous"),
        Some(addr("[2001:db8::10:5070]:5060"))
    );
    assert_eq!(
        address("port-unambiguous"),
        Some(addr("[2001:db8::10]:5070"))
    );
    let several = read(&data("mult-ip-in-header")).unwrap();
    assert_eq!(several.headers.list("Via").count(), 3);
    let mapped = read(&data("ipv4-mapped-ipv6")).unwrap();
    let contact = Uri::parse(&mapped.contacts()[0].uri).unwrap();
    assert_eq!(contact.address(), Some(addr("[::ffff:192.0.2.2]:5060")));
    for name in ["ipv6-in-sdp", "mult-ip-in-sdp", "ipv4-mapped-ipv6"] {
        assert!(read(&mended(name)).unwrap().sdp().is_some(), "{name}");
    }
}
