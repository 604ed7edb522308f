//! What a technician sees: 80 columns, no secrets, nothing that a terminal obeys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::time::Duration;
use trubka_trace::*;

fn seen(ms: u64, from: &str, to: &str, bytes: &[u8]) -> Sighting {
    let at = AT + Duration::from_millis(ms);
    Sighting::new(at, address(from), address(to), Carrier::Udp, bytes)
}

fn ladder(all: &[Sighting]) -> String {
    let mut ladder = Ladder::new();
    let text: String = all.iter().map(|one| ladder.lines(one)).collect();
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    text
}

const BOX: &str = "127.0.0.2:5060";
const PBX: &str = "127.0.0.1:5060";

#[test]
fn a_call_is_a_ladder() {
    let invite = message("INVITE", "call-1");
    let all = [
        seen(0, BOX, PBX, &message("OPTIONS", "probe")),
        seen(1, PBX, BOX, &answer("200 OK", "OPTIONS", "probe")),
        seen(10, BOX, PBX, &invite),
        seen(510, BOX, PBX, &invite),
        seen(520, PBX, BOX, &answer("180 Ringing", "INVITE", "call-1")),
    ];
    let expected = "
                 127.0.0.2:5060                                   127.0.0.1:5060
22:13:20.123     |------------------------ OPTIONS 400 ----------------------->|
22:13:20.124     |<-------------------- 200 OK (OPTIONS) ----------------------|
               1 sip:42@127.0.0.1 calls sip:400@127.0.0.1
                 Call-ID call-1
22:13:20.133   1 |------------------------ INVITE 400 ------------------------>|
22:13:20.633   1 |--------------------- again: INVITE 400 -------------------->|
22:13:20.643   1 |<------------------ 180 Ringing (INVITE) --------------------|
";
    assert_eq!(ladder(&all), expected);
}

#[test]
fn many_parties_long_names_and_nonsense_fit() {
    let mut all = Vec::new();
    for n in 1..=9 {
        let from = format!("[2001:db8:aaaa:bbbb:cccc:dddd:eeee:{n:04x}]:5060");
        let to = format!("127.0.0.{n}:506{n}");
        let id = "x".repeat(300);
        let long = message(&"M".repeat(60), &id);
        all.push(seen(n, &from, PBX, &long));
        all.push(seen(n, PBX, &to, &message("INVITE", &format!("{id}{n}"))));
        all.push(seen(n, PBX, PBX, b"SIP/2.0 hm"));
        all.push(seen(n, PBX, BOX, b"SIP/2.0 200 OK\r\nVia: x\r\n\r\n"));
    }
    let text = ladder(&all);
    assert!(text.contains("no SIP message !! Bad status code"), "{text}");
    assert!(text.contains("(1) [2001:db8:aaaa"), "{text}");
}

#[test]
fn nothing_a_terminal_obeys_gets_out() {
    let evil = b"INVITE sip:\x1b[2J\x07a@b SIP/2.0\r\nFrom: \x1b]0;x\x07<sip:\x9b1m@b>\r\n\
        Call-ID: \x1b[31m\r\nX: \xe2\x80\xae\r\n\r\n\x1bc";
    let one = seen(0, PBX, BOX, evil);
    ladder(std::slice::from_ref(&one));
    let text = raw(&one);
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!text.contains(bad), "{text:?}");
    let json = serde_json::to_string(&one).unwrap();
    assert!(!json.contains('\x1b'));
}

#[test]
fn raw_messages_are_whole_and_break_at_80_columns() {
    let mut sent = message("REGISTER", "r");
    let end = sent.len() - 2;
    let long = format!("X-Long: {}end\r\n", "0123456789".repeat(20));
    sent.splice(end..end, long.bytes());
    let end = sent.len() - 2;
    sent.splice(end..end, *b"Authorization: Digest response=\"abc\"\r\n");
    let text = raw(&seen(0, BOX, PBX, &sent));
    assert!(text.starts_with("== 22:13:20.123456 UDP "), "{text}");
    assert!(text.contains("   127.0.0.2:5060 -> 127.0.0.1:5060\n"));
    assert!(text.contains("Authorization:***") && !text.contains("abc"));
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    assert!(text.replace("\\\n", "").contains(long.trim()), "{text}");
}

#[test]
fn filters_choose_calls_and_methods() {
    let all = [
        seen(0, BOX, PBX, &message("INVITE", "abc")),
        seen(1, PBX, BOX, &answer("180 Ringing", "INVITE", "abc")),
        seen(2, BOX, PBX, &message("BYE", "abc")),
        seen(3, BOX, PBX, &message("OPTIONS", "other")),
    ];
    let count = |call: Option<&str>, methods: &[&str]| {
        let filter = Filter {
            call: call.map(str::to_owned),
            methods: methods.iter().map(|&m| m.to_owned()).collect(),
        };
        all.iter().filter(|one| filter.wants(one)).count()
    };
    assert_eq!(count(None, &[]), 4);
    assert_eq!(count(Some("abc"), &[]), 3);
    assert_eq!(count(Some("sip:42@"), &[]), 4);
    assert_eq!(count(None, &["invite"]), 2);
    assert_eq!(count(None, &["BYE", "OPTIONS"]), 2);
    assert_eq!(count(Some("abc"), &["BYE"]), 1);
    assert_eq!(count(Some("nobody"), &[]), 0);
}

#[test]
fn json_goes_there_and_back() {
    let one = seen(7, BOX, PBX, &message("INVITE", "abc"));
    let json = serde_json::to_value(&one).unwrap();
    assert_eq!(json["event"], "sip_message");
    assert_eq!(json["transport"], "udp");
    assert_eq!(json["time"], "2023-11-14T22:13:20.130456Z");
    let back: Sighting = serde_json::from_value(json).unwrap();
    assert_eq!(back, one);
}
