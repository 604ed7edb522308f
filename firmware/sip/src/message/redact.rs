//! Messages fit for a capture or a screen: what would let somebody in is blotted out.

/// Header fields whose whole value is a credential, or lets one be guessed.
const CREDENTIALS: &[&[u8]] = &[
    b"authorization",
    b"proxy-authorization",
    b"authentication-info",
    b"proxy-authentication-info",
];

/// The message with secrets overwritten by `*`, byte for byte, so that every length stays: digest
/// credentials, passwords in URIs, keys of media (RFC 4568 `inline:`, RFC 4566 `k=`, RFC 4567
/// `key-mgmt`), and the keys that a caller pressed (INFO), since they may be a PIN. Works on
/// broken messages too.
pub fn without_secrets(message: &[u8]) -> Vec<u8> {
    let mut out = message.to_vec();
    let mut digits = Digits::None;
    let (mut start, mut blot, mut body) = (0, false, false);
    let first = message
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .unwrap_or(message.len());
    while start < message.len() {
        let end = line_end(message, start);
        let line = content(message, start, end);
        if body {
            body_line(&mut out, start, line, digits);
        } else if line.is_empty() {
            body = start > first;
        } else {
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            let colon = line.iter().position(|byte| *byte == b':');
            if !folded {
                let name = line
                    .get(..colon.unwrap_or(0))
                    .unwrap_or(&[])
                    .trim_ascii_end()
                    .to_ascii_lowercase();
                blot = CREDENTIALS.contains(&name.as_slice());
                if name == b"content-type" || name == b"c" {
                    digits = Digits::of(line);
                }
            } else if matches!(digits, Digits::None) {
                // A content type may stand on a folded line of its own.
                digits = Digits::of(line);
            }
            if blot {
                let from = if folded {
                    0
                } else {
                    colon.map_or(0, |at| at + 1)
                };
                fill(&mut out, start + from, start + line.len());
            } else {
                passwords_of_uris(&mut out, start, line);
            }
        }
        start = end + 1;
    }
    // Keys of SRTP, wherever they stand: the end of the head of a broken message is anybody's guess.
    blot_after(&mut out, b"inline:", b"\r\n |;");
    blot_after(&mut out, b"key-mgmt:", b"\r\n");
    out
}

/// What a body tells of pressed keys.
#[derive(Clone, Copy)]
enum Digits {
    /// Nothing.
    None,
    /// A line `Signal=`.
    Signal,
    /// All of it.
    Whole,
}

impl Digits {
    fn of(line: &[u8]) -> Digits {
        let line = line.to_ascii_lowercase();
        let holds = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
        if holds(b"dtmf-relay") {
            Digits::Signal
        } else if holds(b"dtmf") || holds(b"kpml") || holds(b"telephone-event") {
            Digits::Whole
        } else {
            Digits::None
        }
    }
}

fn line_end(message: &[u8], start: usize) -> usize {
    message
        .get(start..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        .map_or(message.len(), |at| start + at)
}

fn content(message: &[u8], start: usize, end: usize) -> &[u8] {
    let line = message.get(start..end).unwrap_or(&[]);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn fill(out: &mut [u8], from: usize, until: usize) {
    if let Some(piece) = out.get_mut(from..until) {
        for byte in piece.iter_mut().filter(|byte| !b"\r\n".contains(byte)) {
            *byte = b'*';
        }
    }
}

fn body_line(out: &mut [u8], start: usize, line: &[u8], digits: Digits) {
    let end = start + line.len();
    let signal = line
        .trim_ascii_start()
        .get(..6)
        .is_some_and(|word| word.eq_ignore_ascii_case(b"signal"));
    match digits {
        Digits::Whole => fill(out, start, end),
        Digits::Signal if signal => {
            // A line without `=` or `:` is blotted out behind its word.
            let word = line.len() - line.trim_ascii_start().len() + 6;
            let from = line.iter().position(|byte| b"=:".contains(byte));
            fill(out, start + from.map_or(word, |at| at + 1), end);
        }
        // Some phones send the bare digit under the name of the other form.
        Digits::Signal if line.trim_ascii().len() == 1 => fill(out, start, end),
        _ if line.starts_with(b"k=") => fill(out, start + 2, end),
        _ => {}
    }
}

/// `sip:user:password@host`.
fn passwords_of_uris(out: &mut [u8], start: usize, line: &[u8]) {
    let mut at = 0;
    while let Some(found) = line
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b':'))
    {
        let colon = at + found;
        at = colon + 1;
        let scheme = line.get(..colon).unwrap_or(&[]).to_ascii_lowercase();
        if !scheme.ends_with(b"sip") && !scheme.ends_with(b"sips") {
            continue;
        }
        let rest = line.get(at..).unwrap_or(&[]);
        let end = rest
            .iter()
            .position(|byte| b"<>\" \t".contains(byte))
            .unwrap_or(rest.len());
        let uri = rest.get(..end).unwrap_or(&[]);
        let sign = uri.iter().rposition(|byte| *byte == b'@');
        let user_end = uri.iter().position(|byte| *byte == b':');
        if let (Some(sign), Some(user_end)) = (sign, user_end)
            && user_end < sign
        {
            fill(out, start + at + user_end + 1, start + at + sign);
        }
    }
}

fn blot_after(out: &mut [u8], mark: &[u8], ends: &[u8]) {
    let mut at = 0;
    while let Some(found) = out.get(at..).and_then(|rest| {
        rest.windows(mark.len())
            .position(|window| window.eq_ignore_ascii_case(mark))
    }) {
        let from = at + found + mark.len();
        let until = out
            .get(from..)
            .and_then(|rest| rest.iter().position(|byte| ends.contains(byte)))
            .map_or(out.len(), |length| from + length);
        fill(out, from, until);
        at = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(message: &str) -> String {
        let out = without_secrets(message.as_bytes());
        assert_eq!(out.len(), message.len());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn credentials_and_keys_are_blotted_out_and_lengths_stay() {
        let text = clean(
            "REGISTER sip:a SIP/2.0\r\nVia: x\r\nAuthorization : Digest username=\"600\",\r\n \
             response=\"abc\"\r\nCall-ID: 1\r\nPROXY-authorization: Digest xyz\r\n\r\n\
             a=crypto:1 AES inline:SECRETKEY|2^20|1:4;INLINE:OTHERKEY\r\nk=clear:pass\r\n",
        );
        for secret in [
            "abc",
            "600",
            "SECRETKEY",
            "xyz",
            "OTHERKEY",
            "clear",
            "Digest",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("Call-ID: 1") && text.contains("|2^20"));
    }

    #[test]
    fn passwords_in_uris_are_blotted_out_and_ports_stay() {
        let text = clean(
            "INVITE sip:42:pw1@h:5060 SIP/2.0\nFrom: \"a\" <sips:b:pw2@h>;tag=1\nTo: sip:c:pw:3@h\n\
             Contact: <sip:127.0.0.1:5060>\nRoute: <sip:p:5061;lr>, <sip:q:5062;lr>\n\n",
        );
        assert!(!text.contains("pw"), "{text}");
        for port in ["h:5060", "127.0.0.1:5060", "p:5061", "q:5062"] {
            assert!(text.contains(port), "{port} in {text}");
        }
    }

    #[test]
    fn pressed_keys_are_blotted_out() {
        for (kind, body, left) in [
            (
                "application/dtmf-relay",
                "Signal=7\r\nDuration=160\r\n",
                "Signal=*\r\nDuration=160",
            ),
            (
                "Application/DTMF-Relay;x=y",
                " signal : 7\r\n",
                " signal :**",
            ),
            ("application/dtmf-relay", "7\r\n", "*"),
            ("application/dtmf", "7", "*"),
            ("application/kpml-response+xml", "<r digits=\"7\"/>", "****"),
        ] {
            let text = clean(&format!(
                "INFO sip:a SIP/2.0\r\nc:\r\n {kind}\r\n\r\n{body}"
            ));
            let found = text.rsplit("\r\n\r\n").next().unwrap();
            assert!(
                !found.contains('7') && found.contains(left),
                "{kind}: {text}"
            );
        }
        let sdp = "m=audio 7077 RTP/AVP 0\r\n";
        let text = clean(&format!(
            "INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n{sdp}"
        ));
        assert!(text.ends_with(sdp));
    }
}
