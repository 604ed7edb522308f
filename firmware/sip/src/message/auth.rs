//! `Digest name=value, ...` of the four authentication headers (RFC 7616 3.3).

use super::address::unquote;

/// Most parameters of one challenge.
const MAX_AUTH_PARAMS: usize = 32;

/// Scheme and parameters of a challenge or of credentials. No `Debug`: it may be credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthParams {
    /// `Digest`, as written.
    pub scheme: String,
    params: Vec<(String, String)>,
}

impl AuthParams {
    /// Reads one header value. Blanks around `=` and `,` and quoted-pairs are taken.
    pub fn parse(value: &str) -> Option<Self> {
        let (scheme, mut rest) = value.trim().split_once(|c: char| c.is_ascii_whitespace())?;
        let mut params = Vec::new();
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
            if rest.is_empty() || params.len() == MAX_AUTH_PARAMS {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let end = if after.starts_with('"') {
                closing_quote(after)? + 1
            } else {
                after.find(',').unwrap_or(after.len())
            };
            let raw = after.get(..end)?.trim_end();
            params.push((name.trim().to_ascii_lowercase(), unquote(raw)));
            rest = after.get(end..)?;
        }
        Some(Self { scheme: scheme.to_owned(), params })
    }

    /// A parameter by its lower case name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Index of the quote that ends the quoted string at the start of `text`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index),
            _ => {}
        }
    }
    None
}

/// A digest challenge of a WWW-Authenticate or Proxy-Authenticate header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthChallenge {
    /// Protection space.
    pub realm: String,
    /// Server nonce.
    pub nonce: String,
    /// To be returned unchanged.
    pub opaque: Option<String>,
    /// Algorithm token as written, `MD5` if none was.
    pub algorithm: String,
    /// The qop list, empty for RFC 2069 servers.
    pub qop: Vec<String>,
    /// The nonce was old, the password right.
    pub stale: bool,
}

impl AuthChallenge {
    /// Reads one header value; `None` if it is no digest challenge.
    pub fn parse(value: &str) -> Option<Self> {
        let params = AuthParams::parse(value)?;
        if !params.scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let qop = params.get("qop").unwrap_or("");
        Some(Self {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm: params.get("algorithm").unwrap_or("MD5").to_owned(),
            qop: qop
                .split(',')
                .map(|q| q.trim().to_ascii_lowercase())
                .filter(|q| !q.is_empty())
                .collect(),
            stale: params.get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_in_the_shapes_servers_send() {
        let c = AuthChallenge::parse(
            r#"Digest realm="a \"b\", c" , nonce = "n,1",qop="auth,auth-int", algorithm=SHA-256, stale=TRUE"#,
        )
        .unwrap();
        assert_eq!(c.realm, "a \"b\", c");
        assert_eq!(c.nonce, "n,1");
        assert_eq!(c.qop, ["auth", "auth-int"]);
        assert_eq!(c.algorithm, "SHA-256");
        assert!(c.stale);
        assert_eq!(AuthChallenge::parse("Basic realm=\"x\""), None);
        assert_eq!(AuthChallenge::parse("Digest realm=\"x"), None);
    }
}
