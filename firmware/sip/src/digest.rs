//! Digest authentication (RFC 7616, RFC 8760): MD5, SHA-256, their `-sess` forms, `qop=auth` and
//! the old form without qop. Both sides: answering a challenge and checking an answer.

use crate::message::{AuthChallenge, AuthParams, Message};
use md5::{Digest, Md5};
use sha2::Sha256;

/// Hash of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `MD5` (RFC 2617).
    Md5,
    /// `MD5-sess`.
    Md5Sess,
    /// `SHA-256` (RFC 8760).
    Sha256,
    /// `SHA-256-sess`.
    Sha256Sess,
}

impl Algorithm {
    /// Reads a token without case.
    pub fn parse(token: &str) -> Option<Self> {
        [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess]
            .into_iter()
            .find(|a| a.token().eq_ignore_ascii_case(token.trim()))
    }

    /// Token on the wire.
    pub fn token(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    fn is_sess(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess)
    }

    /// Order of preference, larger is better.
    fn rank(self) -> u8 {
        match self {
            Self::Md5 => 0,
            Self::Md5Sess => 1,
            Self::Sha256 => 2,
            Self::Sha256Sess => 3,
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(text.as_bytes())),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

/// Everything a response is computed from. The caller keeps it out of logs.
#[derive(Clone, Copy)]
pub struct DigestInput<'a> {
    /// Hash.
    pub algorithm: Algorithm,
    /// User name.
    pub username: &'a str,
    /// Protection space.
    pub realm: &'a str,
    /// Password.
    pub password: &'a str,
    /// Request method.
    pub method: &'a str,
    /// The digest-uri.
    pub uri: &'a str,
    /// Server nonce.
    pub nonce: &'a str,
    /// `(nc, cnonce)` with qop=auth, `None` for the old form.
    pub qop_auth: Option<(u32, &'a str)>,
}

/// The `response` value (RFC 7616 3.4.1).
pub fn response(input: &DigestInput<'_>) -> String {
    let DigestInput {
        algorithm,
        username,
        realm,
        password,
        method,
        uri,
        nonce,
        qop_auth,
    } = *input;
    let mut ha1 = algorithm.hash(&format!("{username}:{realm}:{password}"));
    if algorithm.is_sess() {
        let cnonce = qop_auth.map_or("", |(_, cnonce)| cnonce);
        ha1 = algorithm.hash(&format!("{ha1}:{nonce}:{cnonce}"));
    }
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    match qop_auth {
        Some((nc, cnonce)) => {
            algorithm.hash(&format!("{ha1}:{nonce}:{nc:08x}:{cnonce}:auth:{ha2}"))
        }
        None => algorithm.hash(&format!("{ha1}:{nonce}:{ha2}")),
    }
}

/// The best challenge of a 401 or 407 that we can answer: SHA-256 before MD5. The flag tells
/// whether qop=auth is used.
pub fn choose(message: &Message, header: &str) -> Option<(AuthChallenge, Algorithm, bool)> {
    message
        .headers
        .all(header)
        .take(16)
        .filter_map(|value| {
            let challenge = AuthChallenge::parse(value)?;
            let algorithm = Algorithm::parse(&challenge.algorithm)?;
            let auth = challenge.qop.iter().any(|q| q == "auth");
            // A server that offers auth-int only cannot be answered, and a -sess form needs a
            // client nonce, which only qop brings.
            let usable = if challenge.qop.is_empty() {
                !algorithm.is_sess()
            } else {
                auth
            };
            usable.then_some((challenge, algorithm, auth))
        })
        // Among equals the first one wins, as the server put it first.
        .reduce(|best, next| {
            if next.1.rank() > best.1.rank() {
                next
            } else {
                best
            }
        })
}

/// A header-safe quoted string.
fn quoted(text: &str) -> String {
    crate::message::quote(text)
}

/// Value of an Authorization or Proxy-Authorization header.
pub fn authorization(challenge: &AuthChallenge, input: &DigestInput<'_>) -> String {
    let mut out = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}",
        quoted(input.username),
        quoted(input.realm),
        quoted(input.nonce),
        quoted(input.uri),
        response(input),
        input.algorithm.token()
    );
    if let Some((nc, cnonce)) = input.qop_auth {
        out.push_str(&format!(
            ", qop=auth, nc={nc:08x}, cnonce={}",
            quoted(cnonce)
        ));
    }
    if let Some(opaque) = &challenge.opaque {
        out.push_str(&format!(", opaque={}", quoted(opaque)));
    }
    out
}

/// Value of a WWW-Authenticate or Proxy-Authenticate header that offers qop=auth. A server sends
/// one per algorithm, the strongest first (RFC 8760 2.4).
pub fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
    format!(
        "Digest realm={}, nonce={}, qop=\"auth\", algorithm={}{}",
        quoted(realm),
        quoted(nonce),
        algorithm.token(),
        if stale { ", stale=true" } else { "" }
    )
}

/// What a server found out about credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Password and nonce right.
    Accepted {
        /// Nonce count; the caller refuses one it has seen for this nonce. 0 without qop.
        nonce_count: u32,
    },
    /// No digest credentials for this realm, or unreadable ones.
    Missing,
    /// Credentials for a nonce other than the one given (answer with `stale=true`).
    OtherNonce,
    /// Wrong user, password, URI or algorithm.
    Wrong,
}

/// What a server expects in credentials.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// User name.
    pub username: &'a str,
    /// Password.
    pub password: &'a str,
    /// Realm of our challenge.
    pub realm: &'a str,
    /// Nonce of our challenge.
    pub nonce: &'a str,
    /// Algorithms of our challenges.
    pub algorithms: &'a [Algorithm],
    /// Whether credentials without qop are taken.
    pub allow_without_qop: bool,
}

/// Checks the credentials of a request (`header` is `Authorization` or `Proxy-Authorization`).
pub fn verify(request: &Message, header: &str, expected: &Expected<'_>) -> Verdict {
    let Some(method) = request.method() else {
        return Verdict::Missing;
    };
    let credentials = request
        .headers
        .all(header)
        .take(16)
        .filter_map(AuthParams::parse);
    let Some(found) = credentials
        .filter(|c| c.scheme.eq_ignore_ascii_case("Digest"))
        .find(|c| c.get("realm") == Some(expected.realm))
    else {
        return Verdict::Missing;
    };
    if found.get("nonce") != Some(expected.nonce) {
        return Verdict::OtherNonce;
    }
    let algorithm = Algorithm::parse(found.get("algorithm").unwrap_or("MD5"));
    let Some(algorithm) = algorithm.filter(|a| expected.algorithms.contains(a)) else {
        return Verdict::Wrong;
    };
    let (Some(uri), Some(given)) = (found.get("uri"), found.get("response")) else {
        return Verdict::Missing;
    };
    let nc = found
        .get("nc")
        .and_then(|nc| u32::from_str_radix(nc, 16).ok());
    let qop_auth = match (found.get("qop"), nc, found.get("cnonce")) {
        (Some(qop), Some(nc), Some(cnonce)) if qop.eq_ignore_ascii_case("auth") => {
            Some((nc, cnonce))
        }
        (None, _, _) if expected.allow_without_qop && !algorithm.is_sess() => None,
        _ => return Verdict::Wrong,
    };
    let computed = response(&DigestInput {
        algorithm,
        username: expected.username,
        realm: expected.realm,
        password: expected.password,
        method: method.as_str(),
        uri,
        nonce: expected.nonce,
        qop_auth,
    });
    let user_right = found.get("username") == Some(expected.username);
    let uri_right = request.request_uri().is_some_and(|r| same_resource(r, uri));
    if user_right && uri_right && equal_in_constant_time(&computed, given) {
        Verdict::Accepted {
            nonce_count: qop_auth.map_or(0, |(nc, _)| nc),
        }
    } else {
        Verdict::Wrong
    }
}

/// The digest-uri should be the Request-URI; clients differ in port and parameters, so user and
/// host are compared.
fn same_resource(request_uri: &str, digest_uri: &str) -> bool {
    use crate::message::Uri;
    match (Uri::parse(request_uri), Uri::parse(digest_uri)) {
        (Some(a), Some(b)) => a.user == b.user && a.host == b.host,
        _ => request_uri == digest_uri,
    }
}

/// Compares without telling by time how many characters are right.
fn equal_in_constant_time(a: &str, b: &str) -> bool {
    let b = b.to_ascii_lowercase();
    a.len() == b.len()
        && a.bytes()
            .zip(b.bytes())
            .fold(0, |acc, (x, y)| acc | (x ^ y))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Method;

    fn mufasa(algorithm: Algorithm, nonce: &str, cnonce: &str, realm: &str) -> String {
        response(&DigestInput {
            algorithm,
            username: "Mufasa",
            realm,
            password: if realm == "testrealm@host.com" {
                "Circle Of Life"
            } else {
                "Circle of Life"
            },
            method: "GET",
            uri: "/dir/index.html",
            nonce,
            qop_auth: Some((1, cnonce)),
        })
    }

    #[test]
    fn vector_of_rfc_2617_3_5() {
        let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
        let got = mufasa(Algorithm::Md5, nonce, "0a4f113b", "testrealm@host.com");
        assert_eq!(got, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn vectors_of_rfc_7616_3_9_1() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let realm = "http-auth@example.org";
        let md5 = mufasa(Algorithm::Md5, nonce, cnonce, realm);
        assert_eq!(md5, "8ca523f5e9506fed4657c9700eebdbec");
        let sha = mufasa(Algorithm::Sha256, nonce, cnonce, realm);
        assert_eq!(
            sha,
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn sha_256_is_preferred_and_auth_int_alone_is_not_answered() {
        let mut message = Message::response(401);
        for value in [
            r#"Digest realm="r", nonce="1", qop="auth-int", algorithm=SHA-256"#,
            r#"Digest realm="r", nonce="2", qop="auth""#,
            r#"Digest realm="r", nonce="3", qop="auth-int,auth", algorithm=SHA-256"#,
            r#"Digest realm="r", nonce="4", qop="auth", algorithm=SHA-512-256"#,
        ] {
            message.headers.push("WWW-Authenticate", value);
        }
        let (challenge, algorithm, auth) = choose(&message, "WWW-Authenticate").unwrap();
        assert_eq!(
            (challenge.nonce.as_str(), algorithm, auth),
            ("3", Algorithm::Sha256, true)
        );
    }

    #[test]
    fn a_challenge_reads_back() {
        let value = challenge("a \"b\"", "n,1", Algorithm::Sha256, true);
        let read = AuthChallenge::parse(&value).unwrap();
        assert_eq!(
            (read.realm.as_str(), read.nonce.as_str()),
            ("a \"b\"", "n,1")
        );
        assert_eq!((read.algorithm.as_str(), read.stale), ("SHA-256", true));
        assert_eq!(read.qop, ["auth"]);
    }

    #[test]
    fn a_server_accepts_what_a_client_computes_and_nothing_else() {
        let challenge = AuthChallenge::parse(r#"Digest realm="r", nonce="n", qop="auth""#).unwrap();
        for algorithm in [
            Algorithm::Md5,
            Algorithm::Md5Sess,
            Algorithm::Sha256,
            Algorithm::Sha256Sess,
        ] {
            let mut request = Message::request(Method::REGISTER, "sip:pbx");
            let input = DigestInput {
                algorithm,
                username: "42",
                realm: "r",
                password: "secret",
                method: "REGISTER",
                uri: "sip:pbx",
                nonce: "n",
                qop_auth: Some((0xab, "c")),
            };
            request
                .headers
                .push("Authorization", authorization(&challenge, &input));
            let expected = Expected {
                username: "42",
                password: "secret",
                realm: "r",
                nonce: "n",
                algorithms: &[algorithm],
                allow_without_qop: false,
            };
            let check = |e: &Expected<'_>| verify(&request, "Authorization", e);
            assert_eq!(check(&expected), Verdict::Accepted { nonce_count: 0xab });
            assert_eq!(
                check(&Expected {
                    password: "other",
                    ..expected
                }),
                Verdict::Wrong
            );
            assert_eq!(
                check(&Expected {
                    username: "43",
                    ..expected
                }),
                Verdict::Wrong
            );
            assert_eq!(
                check(&Expected {
                    nonce: "m",
                    ..expected
                }),
                Verdict::OtherNonce
            );
            assert_eq!(
                check(&Expected {
                    realm: "s",
                    ..expected
                }),
                Verdict::Missing
            );
            assert_eq!(
                check(&Expected {
                    algorithms: &[],
                    ..expected
                }),
                Verdict::Wrong
            );
        }
    }
}
