//! Every kind of mistake is refused with file, line, key, kind and a hint that helps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod accounts;
mod lines;

use trubka_config::{Config, ProblemKind, effective, explain, redacted, reference_page, schema};

const GOOD: &str = r#"[sip]
listen = "127.0.0.1:5060"

[[account]]
name = "pbx"
extension = "600"
domain = "192.0.2.10"
password = "geheim"

[[card]]
name = "card"
kind = "virtual"
socket = "/run/card.sock"

[[line]]
name = "apt42"
card = "card"
profile = "vizit"
apartment = 42

[[route]]
apartment = 42
targets = ["400", "sip:guard@192.0.2.10:5070"]

[door]
digits = "9"
"#;

fn problems(text: &str) -> Vec<trubka_config::Problem> {
    Config::parse(text, "box.toml").err().unwrap_or_default()
}

/// Changes one line of the good file and expects exactly one problem there.
#[track_caller]
fn expect(from: &str, to: &str, line: usize, key: &str, kind: ProblemKind, hint: &str) {
    assert!(GOOD.contains(from), "{from} is not in the good file");
    let found = problems(&GOOD.replacen(from, to, 1));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{texts:#?}");
    let problem = &found[0];
    assert_eq!(
        (problem.line, problem.key.as_str(), problem.kind),
        (line, key, kind),
        "{problem}"
    );
    assert!(problem.hint.contains(hint), "{problem}");
    assert!(problem.to_string().starts_with("box.toml:"), "{problem}");
}

#[test]
fn a_good_file_is_taken_with_its_defaults() {
    let config = Config::parse(GOOD, "box.toml").unwrap();
    assert_eq!(config.accounts[0].password.reveal(), "geheim");
    assert_eq!(config.media.rtp_ports.len(), 8);
    assert_eq!(config.routes[0].targets.len(), 2);
    assert!(config.routes[0].called_may_open && config.routes[0].callers_may_open.is_empty());
    assert!(config.console.is_none());
}

#[test]
fn an_unknown_key_is_refused_and_the_likely_one_named() {
    expect(
        "digits = \"9\"",
        "digit = \"9\"",
        26,
        "door.digit",
        ProblemKind::UnknownKey,
        "did you mean \"digits\"",
    );
    expect(
        "[door]",
        "[doors]",
        25,
        "doors",
        ProblemKind::UnknownKey,
        "did you mean \"door\"",
    );
}

#[test]
fn a_wrong_unit_is_told() {
    let call = |key: &str| format!("[call]\n{key}\n\n[door]");
    expect(
        "[door]",
        &call("talk_limit_ms = 90000"),
        26,
        "call.talk_limit_ms",
        ProblemKind::UnknownKey,
        "did you mean \"talk_limit_s\"",
    );
    expect(
        "[door]",
        &call("talk_limit_s = 90000"),
        26,
        "call.talk_limit_s",
        ProblemKind::OutOfRange,
        "talk_limit_s = 90",
    );
    expect(
        "[door]",
        &call("talk_limit_s = \"90s\""),
        26,
        "call.talk_limit_s",
        ProblemKind::WrongType,
        "bare number of seconds",
    );
}

#[test]
fn a_missing_key_is_told_at_its_section() {
    expect(
        "extension = \"600\"\n",
        "",
        4,
        "account.extension",
        ProblemKind::MissingKey,
        "extension = ",
    );
}

#[test]
fn duplicates_are_refused() {
    let second = |line: &str| format!("[[line]]\n{line}\n\n[[route]]");
    let twin = "name = \"b\"\ncard = \"card\"\nchannel = 1\nprofile = \"vizit\"\napartment = 42";
    expect(
        "[[route]]",
        &second(twin),
        26,
        "line.apartment",
        ProblemKind::Duplicate,
        "its own apartment",
    );
    let channel = "name = \"b\"\ncard = \"card\"\nprofile = \"vizit\"\napartment = 43\n\n[[route]]\napartment = 43\ntargets = [\"1\"]";
    expect(
        "[[route]]",
        &second(channel),
        21,
        "line.channel",
        ProblemKind::Duplicate,
        "its own channel",
    );
}

#[test]
fn references_that_lead_nowhere_are_refused() {
    expect(
        "card = \"card\"",
        "card = \"cart\"",
        17,
        "line.card",
        ProblemKind::UnknownReference,
        "use one of: card",
    );
    expect(
        "profile = \"vizit\"",
        "profile = \"wizit\"",
        18,
        "line.profile",
        ProblemKind::UnknownReference,
        "vizit",
    );
    expect(
        "targets =",
        "account = \"sip\"\ntargets =",
        23,
        "route.account",
        ProblemKind::UnknownReference,
        "pbx",
    );
}

#[test]
fn targets_that_cannot_be_called_are_refused() {
    for target in [
        "",
        "4 00",
        "sip:400",
        "sip:@host",
        "sip:400@",
        "sip:400@host:0",
        "tel:400",
        "400;x=1",
        "sip:a@b c",
    ] {
        let found = problems(&GOOD.replace("\"400\"", &format!("\"{target}\"")));
        assert_eq!(found.len(), 1, "{target:?}: {found:?}");
        assert_eq!(found[0].kind, ProblemKind::UnroutableTarget, "{target:?}");
    }
    expect(
        "targets = [\"400\", \"sip:guard@192.0.2.10:5070\"]",
        "targets = []",
        23,
        "route.targets",
        ProblemKind::UnroutableTarget,
        "at least one",
    );
}

#[test]
fn a_line_without_a_route_is_refused() {
    let text = GOOD.replace(
        "[[route]]\napartment = 42\ntargets = [\"400\", \"sip:guard@192.0.2.10:5070\"]\n",
        "",
    );
    let found = problems(&text);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].kind, found[0].line),
        (ProblemKind::UnroutableTarget, 19)
    );
}

#[test]
fn broken_text_is_one_problem_with_its_line() {
    expect(
        "digits = \"9\"",
        "digits = 9\"",
        26,
        "",
        ProblemKind::Syntax,
        "docs/reference/config.md",
    );
    assert_eq!(
        problems("")
            .iter()
            .map(|problem| problem.key.as_str())
            .collect::<Vec<_>>(),
        ["account"]
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let text = GOOD
        .replace("digits = \"9\"", "digits = \"9x\"")
        .replace("extension = \"600\"", "extension = 600")
        .replace("kind = \"virtual\"", "kind = \"real\"");
    assert_eq!(problems(&text).len(), 3);
}

#[test]
fn no_text_makes_the_reader_panic() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..3_000 {
        let mut bytes = GOOD.as_bytes().to_vec();
        for _ in 0..=random() % 8 {
            let at = random() as usize % bytes.len();
            match random() % 3 {
                0 => bytes[at] = random() as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"[]=\"'#\n{},.0"[random() as usize % 12]),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::parse(&text, "box.toml");
        let _ = effective(&text, "box.toml");
        let _ = redacted(&text);
    }
}

#[test]
fn secrets_are_never_shown() {
    assert!(!effective(GOOD, "box.toml").unwrap().contains("geheim"));
    assert!(!redacted(GOOD).contains("geheim"));
    assert!(!redacted("account = [{ extension = 1, password = 'geheim' }]").contains("geheim"));
    assert!(!redacted("\"password\"=\"geheim\"").contains("geheim"));
    assert!(redacted(GOOD).contains("extension = \"600\""));
    let config = Config::parse(GOOD, "box.toml").unwrap();
    assert!(!format!("{config:?}").contains("geheim"));
    let wrong = GOOD.replace("password = \"geheim\"", "password = [\"geheim\"]");
    assert!(!problems(&wrong)[0].to_string().contains("geheim"));
}

#[test]
fn what_is_in_force_is_itself_a_good_file_but_for_the_secrets() {
    let shown = effective(GOOD, "box.toml").unwrap();
    assert!(
        shown.contains("hangup_after_open_s = 5  # default"),
        "{shown}"
    );
    let again = Config::parse(&shown, "again.toml").unwrap();
    assert_eq!(
        again.routes[0].targets,
        ["400", "sip:guard@192.0.2.10:5070"]
    );
}

#[test]
fn every_key_explains_itself_and_every_default_is_valid() {
    for section in schema::SECTIONS {
        for key in section.keys {
            let text = explain(&format!("{}.{}", section.name, key.name)).unwrap();
            assert!(text.contains(key.doc) && key.doc.ends_with('.'), "{text}");
            if let schema::Fallback::Literal(literal) = key.default {
                assert!(
                    schema::is_valid(key, literal),
                    "{}.{} = {literal}",
                    section.name,
                    key.name
                );
            }
        }
    }
    assert!(explain("door.nonsense").is_none() && explain("nonsense").is_none());
}

#[test]
fn the_reference_page_is_what_the_table_says() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/config.md");
    if std::env::var_os("TRUBKA_WRITE_DOCS").is_some() {
        std::fs::write(&path, reference_page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        written,
        reference_page(),
        "write it anew: TRUBKA_WRITE_DOCS=1 cargo test -p trubka-config"
    );
}
