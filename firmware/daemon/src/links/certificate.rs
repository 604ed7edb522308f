//! The validity of a certificate, read from its DER; the TLS library checks it but does not tell it.

use std::time::{Duration, SystemTime};

/// When a certificate (X.509 in DER) ends to be valid. `None` if it cannot be read, or ended
/// before 1970.
pub(crate) fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (body, _) = element(certificate, SEQUENCE)?;
    // The version is tagged and may be left out (RFC 5280 4.1).
    let body = match element(body, VERSION) {
        Some((_, rest)) => rest,
        None => body,
    };
    let (_, body) = element(body, INTEGER)?;
    let (_, body) = element(body, SEQUENCE)?;
    let (_, body) = element(body, SEQUENCE)?;
    let (validity, _) = element(body, SEQUENCE)?;
    let (_, rest) = any_time(validity)?;
    any_time(rest).map(|(time, _)| time)
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Content of the element at the start of `bytes`, which has to have that tag, and what follows.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        let length = digits.iter().fold(0, |sum, d| sum << 8 | usize::from(*d));
        (length, rest)
    };
    rest.split_at_checked(length)
}

fn any_time(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    if let Some((text, rest)) = element(bytes, UTC_TIME) {
        // RFC 5280 4.1.2.5.1: two digits of the year, from 1950 on.
        let year: i64 = number(text.get(..2)?)?;
        let year = if year < 50 { 2000 + year } else { 1900 + year };
        return Some((time(year, text.get(2..)?)?, rest));
    }
    let (text, rest) = element(bytes, GENERALIZED_TIME)?;
    Some((time(number(text.get(..4)?)?, text.get(4..)?)?, rest))
}

fn number(digits: &[u8]) -> Option<i64> {
    let digit = |sum: i64, d: &u8| d.is_ascii_digit().then(|| sum * 10 + i64::from(d - b'0'));
    digits.iter().try_fold(0, digit)
}

/// A time from its year and `MMDDHHMMSSZ`.
fn time(year: i64, rest: &[u8]) -> Option<SystemTime> {
    let part = |at: usize| number(rest.get(at..at + 2)?);
    let (month, day) = (part(0)?, part(2)?);
    if rest.get(10) != Some(&b'Z') || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 of a date of the Gregorian calendar, counted in years that begin in March.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day
            - 1
            - 719_468;
    let seconds = days * 86_400 + part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    let since = Duration::from_secs(u64::try_from(seconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let utc = |text: &str| {
            let mut bytes = vec![UTC_TIME, text.len() as u8];
            bytes.extend_from_slice(text.as_bytes());
            any_time(&bytes).map(|(time, _)| time)
        };
        assert_eq!(utc("700101000000Z"), Some(SystemTime::UNIX_EPOCH));
        assert_eq!(utc("240229235959Z"), Some(at("2024-02-29T23:59:59Z")));
        assert_eq!(utc("491231120000Z"), Some(at("2049-12-31T12:00:00Z")));
        assert_eq!(utc("500101000000Z"), None);
        assert_eq!(utc("241301000000Z"), None);
        assert_eq!(utc("240101000000+"), None);
        let long = b"\x18\x0f21000301000000Z";
        assert_eq!(any_time(long).unwrap().0, at("2100-03-01T00:00:00Z"));
    }

    #[test]
    fn a_certificate_tells_its_end_and_rubbish_nothing() {
        let mut parameters = rcgen::CertificateParams::new(vec!["pbx.test".into()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2031, 7, 9);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = parameters.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(not_after(&der), Some(at("2031-07-09T00:00:00Z")));
        // Every cut and every changed byte is taken or refused, and never worse.
        for cut in 0..der.len() {
            let _ = not_after(&der[..cut]);
            let mut changed = der.clone();
            for value in [0x00, 0x7f, 0x84, 0xff] {
                changed[cut] = value;
                let _ = not_after(&changed);
            }
        }
        assert_eq!(not_after(&der[..50]), None);
    }
}
