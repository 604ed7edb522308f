//! URIs, name-addr and parameters (RFC 3261 19.1, 20.10, 25.1), read tolerantly.

use std::net::{IpAddr, SocketAddr};

/// Most parameters kept of one header; more are ignored.
const MAX_PARAMS: usize = 64;

/// Splits at `separator` outside quotes and angle brackets. Parts are trimmed.
fn split_outside(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
        for (index, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => depth = 1,
                b'>' if !quoted => depth = 0,
                b if b == separator && !quoted && depth == 0 => {
                    rest = text.get(index + 1..);
                    return Some(text.get(..index).unwrap_or("").trim());
                }
                _ => {}
            }
        }
        rest = None;
        Some(text.trim())
    })
}

/// Elements of a comma list; commas in quotes and angle brackets do not count. Empty ones are
/// left out.
pub fn split_list(value: &str) -> impl Iterator<Item = &str> {
    split_outside(value, b',').filter(|element| !element.is_empty())
}

/// Parameters of a header or URI, names compared without case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    pub(crate) fn parse(text: &str) -> Self {
        let parts = split_outside(text, b';').filter(|part| !part.is_empty());
        Self(
            parts
                .take(MAX_PARAMS)
                .map(|part| match part.split_once('=') {
                    Some((name, value)) => (name.trim().to_owned(), Some(unquote(value.trim()))),
                    None => (part.to_owned(), None),
                })
                .collect(),
        )
    }

    /// Value of a parameter; `Some("")` if it is there without value.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        Some(found.1.as_deref().unwrap_or(""))
    }

    /// True if the parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Name and value pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_deref()))
    }
}

/// Takes quotes and quoted-pairs off.
pub(crate) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut out = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            out.push(c);
        }
    }
    out
}

/// Puts quotes and quoted-pairs on.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// `host[:port]` with IPv6 in brackets; checks characters only.
pub(crate) fn split_host_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = if text.starts_with('[') {
        let end = text.find(']')?;
        let literal = text.get(1..end)?;
        if literal.contains(":::") {
            // The grammar of RFC 3261 makes three colons before an IPv4 part (RFC 5118 4.10).
            let fixed = text.replacen(":::", "::", 1);
            return split_host_port(&fixed).filter(|_| !fixed.contains(":::"));
        }
        literal.parse::<std::net::Ipv6Addr>().ok()?;
        (text.get(..=end)?, text.get(end + 1..)?)
    } else {
        match text.find(':') {
            Some(colon) => (text.get(..colon)?, text.get(colon..)?),
            None => (text, ""),
        }
    };
    let host = host.trim();
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:%".contains(&b);
    if host.is_empty() || !host.bytes().all(valid) {
        return None;
    }
    let port = match port.trim().strip_prefix(':').map(str::trim) {
        None if port.trim().is_empty() => None,
        None => return None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    Some((host.to_ascii_lowercase(), port))
}

fn ip_literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host)
        .parse()
        .ok()
}

/// The address in `host[:port]` if the host is an address literal.
pub fn host_port_literal(text: &str, default_port: u16) -> Option<SocketAddr> {
    let (host, port) = split_host_port(text)?;
    Some(SocketAddr::new(
        ip_literal(&host)?,
        port.unwrap_or(default_port),
    ))
}

/// A URI. `sip:` and `sips:` are taken apart; of other schemes only scheme and rest are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// Lower case scheme.
    pub scheme: String,
    /// User part as written (no password).
    pub user: Option<String>,
    /// Host, lower case, IPv6 in brackets; for other schemes everything after the colon.
    pub host: String,
    /// Port if written.
    pub port: Option<u16>,
    /// URI parameters.
    pub params: Params,
    /// Part after `?`, as written.
    pub headers: Option<String>,
}

impl Uri {
    /// Reads a URI. `None` for one no request can be sent to: no scheme, bad host or port, blanks.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let first = scheme.bytes().next()?;
        let scheme_byte = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        if !first.is_ascii_alphabetic() || !scheme.bytes().all(scheme_byte) || rest.is_empty() {
            return None;
        }
        if text
            .bytes()
            .any(|b| b.is_ascii_whitespace() || b == b'<' || b == b'>')
        {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        if scheme != "sip" && scheme != "sips" {
            let host = rest.to_owned();
            let params = Params::default();
            return Some(Self {
                scheme,
                user: None,
                host,
                port: None,
                params,
                headers: None,
            });
        }
        // The user part may hold ';' and '?', so '@' is looked for first.
        let (userinfo, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers.to_owned())),
            None => (rest, None),
        };
        let (host_port, params) = rest.split_once(';').unwrap_or((rest, ""));
        let (host, port) = split_host_port(host_port)?;
        let user = match userinfo {
            Some(info) => {
                let user = info.split_once(':').map_or(info, |(user, _)| user);
                if user.is_empty() || user.contains('@') {
                    return None;
                }
                Some(user.to_owned())
            }
            None => None,
        };
        Some(Self {
            scheme,
            user,
            host,
            port,
            params: Params::parse(params),
            headers,
        })
    }

    /// The address if the host is a literal; default port 5060, 5061 for sips.
    pub fn address(&self) -> Option<SocketAddr> {
        if self.scheme != "sip" && self.scheme != "sips" {
            return None;
        }
        let default = if self.scheme == "sips" { 5061 } else { 5060 };
        Some(SocketAddr::new(
            ip_literal(&self.host)?,
            self.port.unwrap_or(default),
        ))
    }

    /// User part with percent escapes decoded once; for `tel:` the number.
    pub fn decoded_user(&self) -> String {
        let raw = match (&self.user, self.scheme.as_str()) {
            (Some(user), _) => user.as_str(),
            (None, "tel") => self.host.split(';').next().unwrap_or(""),
            (None, _) => "",
        };
        percent_decode(raw)
    }
}

pub(crate) fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let hex = || {
            let pair = text.get(index + 1..index + 3)?;
            u8::from_str_radix(pair, 16)
                .ok()
                .filter(|_| !pair.starts_with('+'))
        };
        match (byte, if byte == b'%' { hex() } else { None }) {
            (_, Some(decoded)) => {
                out.push(decoded);
                index += 3;
            }
            _ => {
                out.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// `"name" <uri>;params` or `uri;params` (From, To, Contact, Route).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Display name without quotes.
    pub display_name: Option<String>,
    /// URI as written.
    pub uri: String,
    /// Parameters of the header (not of the URI).
    pub params: Params,
}

impl NameAddr {
    /// Reads one element. `None` for unbalanced quotes or brackets, an empty or blank-ridden URI.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mut quoted, mut escaped, mut open) = (false, false, None);
        for (index, byte) in text.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => {
                    open = Some(index);
                    break;
                }
                _ => {}
            }
        }
        if quoted {
            return None;
        }
        let (display_name, uri, params) = match open {
            Some(open) => {
                let name = text.get(..open)?.trim();
                let rest = text.get(open + 1..)?;
                let (uri, params) = rest.split_once('>')?;
                let params = params.trim();
                if !params.is_empty() && !params.starts_with(';') {
                    return None;
                }
                let name = (!name.is_empty())
                    .then(|| unquote(name))
                    .filter(|n| !n.is_empty());
                (name, uri.trim(), params)
            }
            None => {
                // In the addr-spec form every parameter belongs to the header (RFC 3261 20.10).
                let (uri, params) = text.split_once(';').unwrap_or((text, ""));
                (None, uri.trim(), params)
            }
        };
        let valid = |b: u8| !b.is_ascii_whitespace() && b != b'"' && b != b'<';
        if uri.is_empty() || !uri.contains(':') || !uri.bytes().all(valid) {
            return None;
        }
        let params = Params::parse(params);
        Some(Self {
            display_name,
            uri: uri.to_owned(),
            params,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_addr_takes_what_phones_send() {
        let cases = [
            (
                r#""a <b> c" <sip:x@y>;tag=1"#,
                Some("a <b> c"),
                "sip:x@y",
                Some("1"),
            ),
            (
                r#""a \" c" <sip:x@y> ; tag = 1"#,
                Some("a \" c"),
                "sip:x@y",
                Some("1"),
            ),
            ("sip:a@b;tag=x", None, "sip:a@b", Some("x")),
            ("<tel:+49123>", None, "tel:+49123", None),
            (
                "Door Phone <sip:[2001:db8::1]:5070;lr>",
                Some("Door Phone"),
                "sip:[2001:db8::1]:5070;lr",
                None,
            ),
        ];
        for (text, name, uri, tag) in cases {
            let parsed = NameAddr::parse(text).unwrap();
            assert_eq!(parsed.display_name.as_deref(), name, "{text}");
            assert_eq!(parsed.uri, uri);
            assert_eq!(parsed.params.get("tag"), tag);
        }
        for bad in [
            r#""open <sip:a@b>"#,
            "<sip:a@b",
            "<>",
            "<sip:a b@c>",
            "",
            "bob",
        ] {
            assert_eq!(NameAddr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn uri_takes_ipv6_semicolons_in_the_user_and_tel() {
        let uri = Uri::parse("sip:user;par=u%40ex@Example.com:5070;lr?a=b").unwrap();
        assert_eq!(uri.user.as_deref(), Some("user;par=u%40ex"));
        assert_eq!(uri.decoded_user(), "user;par=u@ex");
        assert_eq!(
            (uri.host.as_str(), uri.port, uri.params.has("LR")),
            ("example.com", Some(5070), true)
        );
        let v6 = Uri::parse("sip:a@[2001:DB8::1]").unwrap();
        assert_eq!(v6.address(), "[2001:db8::1]:5060".parse().ok());
        assert_eq!(Uri::parse("tel:+49-1;x=y").unwrap().decoded_user(), "+49-1");
        for bad in [
            "sip:",
            "sip:a@",
            "sip:a@b:99999",
            "sip:a@[zz]",
            "sip:@b",
            "a b:c",
            "<sip:a@b>",
            "400",
        ] {
            assert_eq!(Uri::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn params_keep_quoted_values() {
        let contact =
            NameAddr::parse(r#"<sip:a@b>;+sip.instance="<urn:uuid:1;2,3>";expires=4"#).unwrap();
        assert_eq!(
            contact.params.get("+sip.instance"),
            Some("<urn:uuid:1;2,3>")
        );
        assert_eq!(contact.params.get("expires"), Some("4"));
        assert_eq!(split_list(r#""a,b" <sip:a@b,c>, <sip:d@e> ,,"#).count(), 2);
    }
}
