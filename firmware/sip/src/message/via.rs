//! One Via element (RFC 3261 20.42, RFC 3581).

use super::address::{Params, split_host_port};
use std::net::SocketAddr;

/// Prefix of branches that identify a transaction by themselves (RFC 3261 8.1.1.7).
pub(crate) const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Via {
    /// `2.0`; another one only where a request of another version is refused.
    pub version: String,
    /// `UDP`, `TCP`, `TLS` or whatever was written, upper case.
    pub transport: String,
    /// Host of sent-by, lower case.
    pub host: String,
    /// Port of sent-by.
    pub port: Option<u16>,
    /// branch, rport, received, ...
    pub params: Params,
}

impl Via {
    /// Reads one element, blanks around slashes and separators allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '/');
        let name = parts.next()?.trim();
        let version = parts.next()?.trim();
        let number = |b: u8| b.is_ascii_digit() || b == b'.';
        if !name.eq_ignore_ascii_case("SIP")
            || !(1..=8).contains(&version.len())
            || !version.bytes().all(number)
        {
            return None;
        }
        let rest = parts.next()?.trim();
        let (transport, rest) = rest.split_once(|c: char| c.is_ascii_whitespace())?;
        if transport.is_empty() {
            return None;
        }
        let (sent_by, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_host_port(sent_by)?;
        let transport = transport.to_ascii_uppercase();
        Some(Self {
            version: version.to_owned(),
            transport,
            host,
            port,
            params: Params::parse(params),
        })
    }

    /// The branch parameter.
    pub fn branch(&self) -> Option<&str> {
        self.params
            .get("branch")
            .filter(|branch| !branch.is_empty())
    }

    /// The element as it is written with `received` and `rport` filled in (RFC 3581 4).
    pub(crate) fn with_received(&self, source: SocketAddr) -> String {
        let mut out = format!("SIP/2.0/{} {}", self.transport, self.host);
        if let Some(port) = self.port {
            out.push_str(&format!(":{port}"));
        }
        for (name, value) in self.params.iter() {
            if name.eq_ignore_ascii_case("received") {
                continue;
            }
            out.push(';');
            out.push_str(name);
            if name.eq_ignore_ascii_case("rport") {
                out.push_str(&format!("={}", source.port()));
            } else if let Some(value) = value {
                out.push('=');
                out.push_str(&quoted_if_needed(value));
            }
        }
        out.push_str(&format!(";received={}", source.ip()));
        out
    }

    /// Where responses go (RFC 3261 18.2.2, RFC 3581): the source address; its port with `rport`,
    /// else the port of sent-by.
    pub(crate) fn response_address(&self, source: SocketAddr) -> SocketAddr {
        if self.params.has("rport") {
            return source;
        }
        SocketAddr::new(source.ip(), self.port.unwrap_or(5060))
    }
}

fn quoted_if_needed(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~:[]".contains(&b);
    if value.bytes().all(plain) {
        value.to_owned()
    } else {
        super::address::quote(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn via_takes_blanks_ipv6_and_unknown_transports() {
        let via =
            Via::parse("SIP  / 2.0  /  UDP 192.0.2.2 : 5070 ; branch = z9hG4bK1;rport").unwrap();
        assert_eq!((via.host.as_str(), via.port), ("192.0.2.2", Some(5070)));
        assert_eq!(via.branch(), Some("z9hG4bK1"));
        let source = "127.0.0.9:7777".parse().unwrap();
        let text = via.with_received(source);
        assert!(
            text.ends_with(";branch=z9hG4bK1;rport=7777;received=127.0.0.9"),
            "{text}"
        );
        assert_eq!(via.response_address(source), source);
        assert_eq!(
            Via::parse("SIP/2.0/UNKNOWN [::1]:9;branch=x").unwrap().host,
            "[::1]"
        );
        // Another version is read, so that its request can be refused with 505.
        assert_eq!(Via::parse("SIP/7.0/UDP a;branch=x").unwrap().version, "7.0");
        assert_eq!(Via::parse("SIP/x/UDP a;branch=x"), None);
        assert_eq!(Via::parse("SIP/2.0/UDP"), None);
    }
}
