//! Key presses in the bodies of SIP INFO.

use super::digit_of_code;
use crate::DigitSource;
use crate::error::{MediaError, MediaErrorKind};

/// Longest body looked at, octets; a key needs under 40.
const MAX_BODY: usize = 1024;
/// Duration assumed when a body names none, ms.
const DEFAULT_DURATION_MS: u32 = 160;

/// Reads the key and its duration in ms.
///
/// `application/dtmf-relay` carries `Signal=9` and `Duration=160` on lines of their own; `application/dtmf` carries the key
/// alone. Phones differ in case, spaces, line ends, quotes and in writing `*` and `#` as 10 and 11; all of that is taken.
pub(crate) fn parse_info(
    content_type: &str,
    body: &[u8],
) -> Result<(char, DigitSource, u32), MediaError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let source = if media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        DigitSource::InfoRelay
    } else if media_type.eq_ignore_ascii_case("application/dtmf") {
        DigitSource::InfoDtmf
    } else {
        return Err(MediaError::new(
            MediaErrorKind::UnsupportedContent,
            format!("content type {media_type:?}"),
        ));
    };
    if body.len() > MAX_BODY {
        return Err(MediaError::new(
            MediaErrorKind::BadBody,
            format!("{} octets", body.len()),
        ));
    }
    let text = String::from_utf8_lossy(body);
    let bad = || {
        MediaError::new(
            MediaErrorKind::BadBody,
            format!("no key in {:?}", shortened(&text)),
        )
    };
    let key = match field(&text, "signal") {
        Some(value) => value,
        // The bare form, which some phones also send as dtmf-relay.
        None if !text.contains('=') => trimmed(&text),
        None => return Err(bad()),
    };
    let digit = key_of(key).ok_or_else(bad)?;
    let duration_ms = field(&text, "duration")
        .and_then(|value| value.split(|c: char| !c.is_ascii_digit()).next())
        .and_then(|number| number.parse::<u32>().ok())
        .map_or(DEFAULT_DURATION_MS, |ms| ms.min(60_000));
    Ok((digit, source, duration_ms))
}

/// The value of `name = value`, in any case and on any line or after any blank.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(['\r', '\n', '\0', ';', ',']).find_map(|line| {
        // Also `Signal=9 Duration=160` on one line.
        let at = line.to_ascii_lowercase().find(name)?;
        let rest = line.get(at + name.len()..)?.trim_start();
        let value = rest.strip_prefix('=').or_else(|| rest.strip_prefix(':'))?;
        Some(
            trimmed(value.trim_start())
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default(),
        )
    })
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_ascii_whitespace() || matches!(c, '\0' | '"' | '\'' | '\u{feff}')
    })
}

/// The key: itself, or the number of its event code.
fn key_of(text: &str) -> Option<char> {
    let text = trimmed(text);
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => super::code_of_digit(only).and_then(digit_of_code),
        (Some(_), Some(_)) => text
            .parse::<u8>()
            .ok()
            .filter(|_| text.len() == 2)
            .and_then(digit_of_code),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn key(content_type: &str, body: &[u8]) -> (char, u32) {
        let (digit, _, duration_ms) = parse_info(content_type, body).unwrap();
        (digit, duration_ms)
    }

    #[test]
    fn bodies_that_phones_send() {
        let relay = "application/dtmf-relay";
        for (body, digit, duration_ms) in [
            (&b"Signal=9\r\nDuration=160\r\n"[..], '9', 160),
            (b"Signal= 9\r\nDuration= 160\r\n", '9', 160),
            (b"signal = 9\nduration = 250", '9', 250),
            (b"SIGNAL=9\rDURATION=100\r", '9', 100),
            (b"Duration=90\r\nSignal=#\r\n", '#', 90),
            (b"Signal=*\r\n", '*', 160),
            (b"Signal=10\r\nDuration=160\r\n", '*', 160),
            (b"Signal=11\r\nDuration=160\r\n", '#', 160),
            (b"Signal=a\r\nDuration=160\r\n", 'A', 160),
            (b"Signal=\"5\"\r\nDuration=160\r\n\0", '5', 160),
            (b"Signal=0 Duration=80", '0', 80),
            (b"Signal=1\r\nDuration=160 ms", '1', 160),
            (b"Signal=1\r\nDuration=-5", '1', 160),
            (b"Signal=1\r\nDuration=99999999999", '1', 160),
            (b"\r\nSignal=1\r\nDuration=4000000000\r\n\r\n", '1', 60_000),
            (b"7", '7', 160),
        ] {
            assert_eq!(
                key(relay, body),
                (digit, duration_ms),
                "{}",
                String::from_utf8_lossy(body)
            );
        }
        assert_eq!(
            key("Application/DTMF-Relay; charset=utf-8", b"Signal=9"),
            ('9', 160)
        );
        for body in [&b"9"[..], b" 9\r\n", b"9\0", b"Signal=9\r\n"] {
            assert_eq!(key("application/dtmf", body), ('9', 160));
        }
    }

    #[test]
    fn bodies_without_a_key() {
        for body in [
            &b""[..],
            b"\r\n",
            b"Signal=\r\nDuration=160",
            b"Signal=16\r\n",
            b"Signal=99",
            b"Signal=9 9x",
            b"Signal=hello",
            b"Duration=160",
            b"123",
            b"\xff\xfe",
            b"Sig",
        ] {
            let got = parse_info("application/dtmf-relay", body);
            if body == b"Signal=9 9x" {
                assert_eq!(got.unwrap().0, '9');
            } else {
                assert_eq!(
                    got.unwrap_err().kind,
                    MediaErrorKind::BadBody,
                    "{}",
                    String::from_utf8_lossy(body)
                );
            }
        }
        assert_eq!(
            parse_info("application/dtmf-relay", &[b'9'; 4000])
                .unwrap_err()
                .kind,
            MediaErrorKind::BadBody
        );
        let error = parse_info("text/plain", b"9").unwrap_err();
        assert_eq!(error.kind, MediaErrorKind::UnsupportedContent);
        assert!(error.hint.contains("application/dtmf-relay"));
    }
}
