//! Brings what phones send into a form the parser takes.
//!
//! The parser refuses some harmless things that are seen in the field: Latin-1 text, two `c=` lines in one section, a
//! trailing NUL, double spaces. An audio call needs few of the lines, so only those are passed on.

use crate::error::{SdpError, SdpErrorKind};

/// Largest body looked at, octets.
const MAX_BODY: usize = 16 * 1024;
/// Most media lines looked at.
const MAX_MEDIA: usize = 16;

/// The lines of `body` that matter, each in canonical form.
pub(crate) fn clean(body: &[u8]) -> Result<String, SdpError> {
    if body.len() > MAX_BODY {
        return Err(SdpError::new(
            SdpErrorKind::TooBig,
            format!("{} octets, at most {MAX_BODY}", body.len()),
        ));
    }
    let text = String::from_utf8_lossy(body);
    let mut out = String::with_capacity(text.len());
    let mut version_seen = false;
    let mut connection_in_section = false;
    let mut media_lines = 0;
    for raw in text.split(['\r', '\n']) {
        let line =
            raw.trim_matches(|c: char| c == '\0' || c == '\u{feff}' || c.is_ascii_whitespace());
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if !version_seen {
            // Anything before the version line is an artefact of transport (a BOM, an empty line).
            if key == "v" {
                if value.trim() != "0" {
                    return Err(SdpError::new(
                        SdpErrorKind::Malformed,
                        "the version is not 0",
                    ));
                }
                version_seen = true;
                out.push_str("v=0\r\n");
            }
            continue;
        }
        match key {
            "m" => {
                media_lines += 1;
                if media_lines > MAX_MEDIA {
                    return Err(SdpError::new(
                        SdpErrorKind::TooBig,
                        format!("more than {MAX_MEDIA} media lines"),
                    ));
                }
                connection_in_section = false;
                push_words(&mut out, "m=", value);
            }
            "c" if !connection_in_section => {
                connection_in_section = true;
                push_words(&mut out, "c=", value);
            }
            // A stray NUL inside a line is refused by the parser.
            "a" if !value.contains('\0') && !value.is_empty() => push_words(&mut out, "a=", value),
            _ => {}
        }
    }
    if !version_seen {
        return Err(SdpError::new(
            SdpErrorKind::Malformed,
            "there is no version line",
        ));
    }
    Ok(out)
}

/// Appends one line with single spaces between its words.
fn push_words(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    for (i, word) in value.split_ascii_whitespace().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
    out.push_str("\r\n");
}
