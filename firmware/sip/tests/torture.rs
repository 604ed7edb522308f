//! Messages of RFC 4475 (byte for byte from the archive in its appendix, under its names) and of our own,
//! each with the verdict it deserves:
//! how the reader takes it and what a user agent that listens to everybody answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::net::SocketAddr;
use trubka_sip::message::read;
use trubka_sip::*;

fn data(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}.dat", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// First final or provisional status the user agent answers; `None` for silence.
fn answer(name: &str) -> Option<u16> {
    let config = UaConfig {
        local: addr("127.0.0.2:5060"),
        advertised: None,
        user_agent: "test".into(),
        accounts: vec![],
        allowed_sources: SourcePolicy::Anyone,
    };
    let mut ua = UserAgent::new(config, seed(1));
    let source: SocketAddr = addr("127.0.0.1:5060");
    ua.handle_datagram(ms(0), source, &data(name));
    let sent: Vec<_> = std::iter::from_fn(|| ua.poll_transmit()).collect();
    assert!(sent.len() <= 1, "{name}: one datagram in, one out");
    // Not read with `read`: an answer to a broken request may lack what the request lacked.
    sent.first()
        .map(|t| String::from_utf8_lossy(&t.payload[8..11]).parse().unwrap())
}

/// Name, Vias, From tag, CSeq number, body bytes.
const VALID: &[(&str, usize, Option<&str>, u32, usize)] = &[
    ("wsinv", 3, Some("98asjd8"), 9, 150),
    ("intmeth", 1, Some("_token~1'+`*%!-."), 139_122_385, 0),
    ("esc01", 1, Some("938"), 234_234, 150),
    ("escnull", 1, Some("839923423"), 14_398_234, 0),
    ("esc02", 1, Some("f232jadfj23"), 29_344, 0),
    ("lwsdisp", 1, Some("323"), 60, 0),
    ("longreq", 34, None, 3_882_340, 150),
    ("dblreq", 1, Some("43251j3j324"), 8, 0),
    ("semiuri", 1, Some("33242"), 8, 0),
    ("transports", 5, Some("323"), 60, 0),
    ("mpart01", 1, Some("2fb0dcc9"), 1, 553),
    ("unreason", 1, Some("11141343"), 35, 154),
    ("noreason", 1, Some("39ansfi3"), 35, 0),
    ("latin1_display_name", 1, Some("1"), 8, 150),
    ("ipv6_everywhere", 1, Some("134161461246"), 8, 150),
    ("two_vias_in_one_line", 2, Some("134161461246"), 8, 150),
    ("tel_from", 1, Some("1"), 8, 150),
    ("compact_names", 1, Some("1"), 1, 150),
    ("no_content_length", 1, Some("1"), 1, 150),
    ("baddate", 1, Some("2234923"), 1_392_934, 150),
    ("badaspec", 1, Some("433423"), 3_923_239, 0),
    ("inv2543", 1, None, 56, 105),
];

#[test]
fn valid_messages_are_read_whole() {
    for (name, vias, tag, cseq, body) in VALID {
        let message = read(&data(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(message.headers.list("Via").count(), *vias, "{name}");
        if tag.is_some() {
            assert_eq!(message.from_tag().as_deref(), *tag, "{name}");
        }
        assert!(
            message.to().is_some() && message.call_id().is_some(),
            "{name}"
        );
        assert_eq!(message.cseq().unwrap().0, *cseq, "{name}");
        assert_eq!(message.body.len(), *body, "{name}");
        // What we write is read back the same.
        let again = read(&message.to_bytes()).unwrap_or_else(|e| panic!("{name} again: {e}"));
        assert_eq!(again.start, message.start, "{name}");
        assert_eq!(again.body, message.body, "{name}");
        assert_eq!(again.from(), message.from(), "{name}");
    }
}

#[test]
fn details_of_valid_messages() {
    let wsinv = read(&data("wsinv")).unwrap();
    assert_eq!(
        wsinv.from().unwrap().display_name.as_deref(),
        Some("J Rosenberg \\\"")
    );
    assert_eq!(wsinv.headers.get("Max-Forwards"), Some("0068"));
    assert_eq!(wsinv.contacts()[0].params.get("newparam"), Some("newvalue"));
    assert_eq!(
        wsinv.headers.get("NewFangledHeader"),
        Some("newfangled value continued newfangled value")
    );
    let latin1 = read(&data("latin1_display_name")).unwrap();
    assert_eq!(
        latin1.from().unwrap().display_name.as_deref(),
        Some("J\u{fc}rgen")
    );
    let binary = read(&data("mpart01")).unwrap();
    assert!(data("mpart01").ends_with(&binary.body) && binary.body.contains(&0));
}

/// What is answered: 100 stands for an INVITE that is taken, 200 for OPTIONS, 405 for methods of
/// others, silence for responses nobody waits for.
const VERDICTS: &[(&str, Option<u16>)] = &[
    ("wsinv", Some(481)), // its To has a tag, but there is no such dialog
    ("intmeth", Some(501)),
    ("esc01", Some(100)),
    ("escnull", Some(405)),
    ("esc02", Some(501)),
    ("lwsdisp", Some(200)),
    ("longreq", Some(100)),
    ("dblreq", Some(405)),
    ("semiuri", Some(200)),
    ("transports", Some(200)),
    ("mpart01", Some(405)),
    ("unreason", None),
    ("noreason", None),
    ("badinv01", Some(400)),
    ("clerr", Some(400)),
    ("ncl", Some(400)),
    ("scalar02", Some(400)),
    ("scalarlg", None),
    ("quotbal", Some(400)),
    ("ltgtruri", Some(400)),
    ("lwsruri", Some(400)),
    ("lwsstart", Some(400)),
    ("trws", Some(400)),
    ("escruri", Some(400)),
    ("baddate", Some(100)),
    ("regbadct", Some(405)),
    ("badaspec", Some(200)),
    ("baddn", Some(400)), // its headers do not end
    ("badvers", Some(505)),
    ("mismatch01", Some(400)),
    ("mismatch02", Some(400)),
    ("bigcode", None),
    ("badbranch", Some(400)),
    ("insuf", Some(400)),
    ("unkscm", Some(416)),
    ("novelsc", Some(416)),
    ("unksm2", Some(405)),
    ("bext01", Some(420)),
    ("invut", Some(415)),
    ("regaut01", Some(405)),
    ("multi01", Some(400)),
    ("mcl01", Some(400)),
    ("bcast", None),
    ("zeromf", Some(200)),
    ("cparam01", Some(405)),
    ("cparam02", Some(405)),
    ("regescrt", Some(405)),
    ("sdp01", Some(406)),
    ("inv2543", Some(400)), // without Contact nobody could be told of the end of the call
    ("latin1_display_name", Some(100)),
    ("ipv6_everywhere", Some(100)),
    ("two_vias_in_one_line", Some(100)),
    ("tel_from", Some(100)),
    ("compact_names", Some(100)),
    ("no_content_length", Some(100)),
    ("header_without_colon", Some(400)),
    ("huge_content_length", Some(400)),
];

#[test]
fn every_message_gets_its_answer() {
    let wrong: Vec<_> = VERDICTS
        .iter()
        .map(|(name, expected)| (*name, *expected, answer(name)))
        .filter(|(_, expected, got)| expected != got)
        .collect();
    assert!(wrong.is_empty(), "(name, expected, got): {wrong:?}");
    assert_eq!(
        VERDICTS.len(),
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().extension().is_some())
            .count()
    );
}
