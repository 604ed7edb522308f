//! Key presses: RFC 4733 in and out, SIP INFO, tones in the sound, and the merging of them.

mod inband;
mod info;
mod merge;
mod receiver;
mod sender;

pub(crate) use inband::InbandReceiver;
pub(crate) use info::parse_info;
pub(crate) use merge::{Merger, Road};
pub(crate) use receiver::{EventPacket, EventReceiver};
pub(crate) use sender::{EventClocks, EventSender};

/// The key of an RFC 4733 event code (section 3.2), or `None` for flash and everything above.
pub(crate) fn digit_of_code(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).map(|key| char::from(*key))
}

/// The event code of a key; letters in either case.
pub(crate) fn code_of_digit(digit: char) -> Option<u8> {
    let wanted = digit.to_ascii_uppercase();
    let index = KEYS.iter().position(|key| char::from(*key) == wanted)?;
    u8::try_from(index).ok()
}

const KEYS: &[u8; 16] = b"0123456789*#ABCD";
