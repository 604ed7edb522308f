//! `a=crypto` (RFC 4568, 9).

use std::fmt;

use zeroize::Zeroize;

use super::{CryptoSuite, MasterKey};

/// Longest key identifier (RFC 4568, 9.2: 128 octets).
const LONGEST_IDENTIFIER: usize = 128;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One usable crypto attribute.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CryptoLine {
    /// Its number, which an answer repeats.
    pub(crate) tag: u32,
    /// The suite as the writer spells it.
    pub(crate) spelling: String,
    /// Key and suite.
    pub(crate) key: MasterKey,
    /// The key's name in every packet; empty when the packets carry none.
    pub(crate) identifier: Vec<u8>,
}

impl fmt::Debug for CryptoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CryptoLine({} {} ***)", self.tag, self.spelling)
    }
}

/// Reads the value of an `a=crypto`; `None` when it is malformed or asks for what we do not do: an unknown suite, several
/// keys, a key derivation rate, streams without encryption or authentication.
pub(crate) fn read_crypto(value: &str) -> Option<CryptoLine> {
    let mut words = value.split_ascii_whitespace();
    let tag = words.next().filter(|word| word.len() <= 9)?;
    let tag = tag.parse().ok()?;
    let spelling = words.next()?;
    let suite = CryptoSuite::from_name(spelling)?;
    let (key, identifier) = read_key(suite, words.next()?)?;
    if !words.all(is_harmless) {
        return None;
    }
    Some(CryptoLine {
        tag,
        spelling: spelling.to_owned(),
        key,
        identifier,
    })
}

/// The value of an `a=crypto` for a key of ours: no lifetime, no identifier, no parameters.
pub(crate) fn write_crypto(tag: u32, spelling: &str, key: &MasterKey) -> String {
    format!("{tag} {spelling} inline:{}", to_base64(key.reveal()))
}

/// `inline:KEY||SALT[|LIFETIME][|MKI:LENGTH]`
fn read_key(suite: CryptoSuite, word: &str) -> Option<(MasterKey, Vec<u8>)> {
    let (method, rest) = word.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || rest.contains(';') {
        return None;
    }
    let mut parts = rest.split('|');
    let mut octets = from_base64(parts.next()?)?;
    let key = MasterKey::from_octets(suite, &octets);
    octets.zeroize();
    let mut identifier = Vec::new();
    for part in parts {
        match part.split_once(':') {
            Some((value, length)) => identifier = identifier_octets(value, length)?,
            // The lifetime: every call ends long before the longest allowed, 2^48 packets.
            None => {
                let digits = part.strip_prefix("2^").unwrap_or(part);
                if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                    return None;
                }
            }
        }
    }
    Some((key?, identifier))
}

/// The identifier as a big-endian number of the given length.
fn identifier_octets(value: &str, length: &str) -> Option<Vec<u8>> {
    let value: u64 = value.parse().ok()?;
    let length: usize = length.parse().ok()?;
    if length == 0 || length > LONGEST_IDENTIFIER {
        return None;
    }
    let number = value.to_be_bytes();
    let kept = length.min(number.len());
    let (high, low) = number.split_at(number.len() - kept);
    if high.iter().any(|octet| *octet != 0) {
        return None;
    }
    let mut octets = vec![0; length - kept];
    octets.extend_from_slice(low);
    Some(octets)
}

/// Session parameters that change nothing for us. RFC 4568, 6.3: an unknown one is refused unless it begins with a dash.
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-')
        || parameter.eq_ignore_ascii_case("KDR=0")
        || parameter
            .get(..4)
            .is_some_and(|name| name.eq_ignore_ascii_case("WSH="))
}

fn to_base64(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes(bits);
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place > group.len() {
                '='
            } else {
                char::from(ALPHABET[digit])
            });
        }
    }
    text
}

/// Reads base64 with or without its padding; `None` for any other character.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() > 128 || text.len() % 4 == 1 {
        return None;
    }
    // Large enough at once, so that no copy of a key is left behind by growing.
    let mut octets = Vec::with_capacity(100);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            let digit = match group.get(place) {
                Some(letter) => ALPHABET.iter().position(|known| known == letter)? as u32,
                None => 0,
            };
            bits = bits << 6 | digit;
        }
        octets.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn parsed(value: &str) -> Option<CryptoLine> {
        read_crypto(value)
    }

    #[test]
    fn the_example_of_the_rfc() {
        let line = parsed(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:32")).unwrap();
        assert_eq!(line.tag, 1);
        assert_eq!(line.key.suite(), CryptoSuite::AesCm128HmacSha1_80);
        assert_eq!(line.key.reveal(), b"wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#");
        assert_eq!((line.identifier.len(), line.identifier[31]), (32, 1));
        assert_eq!(
            format!("{line:?}"),
            "CryptoLine(1 AES_CM_128_HMAC_SHA1_80 ***)"
        );
    }

    #[test]
    fn what_is_written_is_read_again() {
        for suite in CryptoSuite::ALL {
            let octets: Vec<u8> = (0..suite.key_length() as u8 + 14)
                .map(|n| n.wrapping_mul(37))
                .collect();
            let key = MasterKey::from_octets(suite, &octets).unwrap();
            let text = write_crypto(7, suite.name(), &key);
            let line = parsed(&text).unwrap();
            assert_eq!((line.tag, &line.key), (7, &key));
            // Some write no padding.
            assert_eq!(parsed(text.trim_end_matches('=')).unwrap().key, key);
            // A key of another length is none.
            assert_eq!(parsed(&text.replace("inline:", "inline:AAAA")), None);
        }
        assert_eq!(to_base64(b"light w"), "bGlnaHQgdw==");
    }

    #[test]
    fn spellings_and_parameters() {
        let long = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
        for name in [
            "AES_256_CM_HMAC_SHA1_80",
            "AES_CM_256_HMAC_SHA1_80",
            "aes_cm_256_hmac_sha1_80",
        ] {
            let line = parsed(&format!("2 {name} inline:{long}")).unwrap();
            assert_eq!(line.key.suite(), CryptoSuite::AesCm256HmacSha1_80);
            assert_eq!(line.spelling, name);
        }
        let with = |more: &str| parsed(&format!("1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}{more}"));
        for fine in [
            "",
            "|2^31",
            "|1048576",
            "|1:1",
            " WSH=1024",
            " KDR=0",
            " -X=1",
            "|2^48|99:4 WSH=64 -y",
        ] {
            assert!(with(fine).is_some(), "{fine}");
        }
        for foul in [
            "|",
            "|2^",
            "|x",
            "|1:0",
            "|1:129",
            "|256:1",
            "|-1:4",
            "|1:",
            " KDR=24",
            " UNENCRYPTED_SRTP",
            " UNENCRYPTED_SRTCP",
            " UNAUTHENTICATED_SRTP",
            " FEC_KEY=x",
            " surprise",
            ";inline:AAAA|1:4",
        ] {
            assert!(with(foul).is_none(), "{foul}");
        }
        for foul in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "x AES_CM_128_HMAC_SHA1_80 inline:",
            "1 F8_128_HMAC_SHA1_80 inline:AAAA",
            "9999999999 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 AES_CM_128_HMAC_SHA1_80 uri:http://a",
        ] {
            assert!(parsed(foul).is_none(), "{foul}");
        }
    }
}
