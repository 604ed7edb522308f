//! A host with an optional port, as people write it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Host name or address, with a port when one was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Host name, IPv4 address, or IPv6 address without brackets.
    pub host: String,
    /// Port, when given.
    pub port: Option<u16>,
}

impl HostPort {
    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
    pub fn parse(text: &str) -> Result<HostPort, &'static str> {
        if let Some(rest) = text.strip_prefix('[') {
            let (address, tail) = rest.split_once(']').ok_or("no closing bracket")?;
            address
                .parse::<Ipv6Addr>()
                .map_err(|_| "not an IPv6 address in the brackets")?;
            let port = match tail.strip_prefix(':') {
                Some(port) => Some(read_port(port)?),
                None if tail.is_empty() => None,
                None => return Err("something stands behind the bracket"),
            };
            return Ok(HostPort {
                host: address.to_owned(),
                port,
            });
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Ok(HostPort {
                host: text.to_owned(),
                port: None,
            });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(read_port(port)?)),
            None => (text, None),
        };
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.len() > 253 || !name.split('.').all(label) {
            return Err("not a host name or address");
        }
        Ok(HostPort {
            host: host.to_owned(),
            port,
        })
    }

    /// The socket address, when the host is an address and not a name.
    pub fn socket_addr(&self, default_port: u16) -> Option<SocketAddr> {
        let address: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(address, self.port.unwrap_or(default_port)))
    }
}

fn read_port(text: &str) -> Result<u16, &'static str> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => Err("the port is not a number 1..65535"),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.host.contains(':'), self.port) {
            (true, Some(port)) => write!(f, "[{}]:{port}", self.host),
            (true, None) => write!(f, "[{}]", self.host),
            (false, Some(port)) => write!(f, "{}:{port}", self.host),
            (false, None) => write!(f, "{}", self.host),
        }
    }
}
