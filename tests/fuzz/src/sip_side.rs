//! SIP messages and streams.

use sip::message::{AuthChallenge, NameAddr, Uri, Via, read, split_list, without_secrets};
use sip::{StreamItem, StreamReader};

/// One datagram: what is read can be written and read again; secrets go and lengths stay.
pub(crate) fn message(data: &[u8]) {
    match read(data) {
        Ok(message) => {
            let again = read(&message.to_bytes()).expect("what is written can be read");
            assert_eq!(again.start, message.start);
            assert_eq!(again.body, message.body);
            assert_eq!(again.call_id(), message.call_id());
            assert_eq!(again.cseq(), message.cseq());
            for field in message.headers.iter() {
                assert!(!field.value.contains(['\r', '\n', '\0']));
                typed(&field.value);
            }
            let (_, _) = (message.contacts(), message.sdp());
        }
        Err(error) => assert!(matches!(error.status, 400 | 413 | 505)),
    }
    let clean = without_secrets(data);
    assert_eq!(clean.len(), data.len());
    assert_eq!(without_secrets(&clean), clean, "removing secrets twice");
    for mark in [&b"inline:"[..], b"key-mgmt:"] {
        let mut rest = clean.as_slice();
        while let Some(at) = rest.windows(mark.len()).position(|w| w == mark) {
            rest = rest.get(at + mark.len()..).unwrap_or(&[]);
            assert!(rest.first().is_none_or(|byte| b"*\r\n |;".contains(byte)));
        }
    }
    typed(&String::from_utf8_lossy(data));
}

fn typed(text: &str) {
    for element in split_list(text) {
        let _ = Via::parse(element);
        let _ = AuthChallenge::parse(element);
        if let Some(name) = NameAddr::parse(element) {
            let _ = Uri::parse(&name.uri).map(|uri| (uri.decoded_user(), uri.address()));
        }
        let _ = Uri::parse(element).map(|uri| (uri.decoded_user(), uri.address()));
    }
}

/// A stream: any cut gives the same messages, and the buffer is bounded.
pub(crate) fn stream(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else {
        return;
    };
    let read_all = |cut: usize| {
        let (mut reader, mut messages) = (StreamReader::new(), Vec::new());
        let mut broken = false;
        for piece in bytes.chunks(cut) {
            let result = reader.push(piece, |item| {
                if let StreamItem::Message(message) = item {
                    messages.push(message);
                }
            });
            assert!(reader.buffered_bytes() <= 65_535 + 4_096);
            broken |= result.is_err();
        }
        (messages, broken)
    };
    let whole = read_all(bytes.len().max(1));
    let pieces = read_all(usize::from(*cut) + 1);
    assert_eq!(whole, pieces, "a cut changed what was read");
}
