//! Every kind of mistake is refused with file, line, key, kind and a hint that helps.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

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

/// The good file with the real board in place of the virtual card.
fn with_board(keys: &str) -> String {
    let virtual_card = "kind = \"virtual\"\nsocket = \"/run/card.sock\"\n";
    assert!(GOOD.contains(virtual_card));
    GOOD.replacen(virtual_card, &format!("kind = \"linux\"\n{keys}"), 1)
}

const PCMS: &str = "sound_capture = \"hw:CARD=trubka\"\nsound_playback = \"hw:CARD=trubka\"\n";

#[test]
fn the_real_board_is_taken_with_its_devices() {
    let config = Config::parse(&with_board(PCMS), "box.toml").unwrap();
    let trubka_config::CardKind::Linux(board) = &config.cards[0].kind else {
        panic!("not the board");
    };
    assert!(!board.matrix && board.watchdog_gpio.is_none());
    assert_eq!(board.spi.to_str(), Some("/dev/spidev0.0"));
    let sound = board.sound.as_ref().unwrap();
    assert_eq!((sound.rate_hz, sound.capture_channel), (8000, 0));
    let silent = "sound_capture = \"none\"\nsound_playback = \"none\"\nwatchdog_gpio = 5\n";
    let config = Config::parse(&with_board(silent), "box.toml").unwrap();
    let trubka_config::CardKind::Linux(board) = &config.cards[0].kind else {
        panic!("not the board");
    };
    assert_eq!((board.sound.clone(), board.watchdog_gpio), (None, Some(5)));
    // A card is a virtual one unless it says otherwise, as ever.
    let config = Config::parse(&GOOD.replacen("kind = \"virtual\"\n", "", 1), "box.toml").unwrap();
    assert!(matches!(
        config.cards[0].kind,
        trubka_config::CardKind::Virtual { .. }
    ));
}

#[test]
fn mistakes_about_the_real_board_are_told_with_their_cure() {
    use ProblemKind::{Duplicate, MissingKey, OutOfRange, UnknownKey};
    let cases: [(String, &str, ProblemKind, &str); 7] = [
        (
            with_board("sound_playback = \"hw:0\"\n"),
            "card.sound_capture",
            MissingKey,
            "arecord -L",
        ),
        (
            with_board("sound_playback = \"none\"\nsound_capture = \"hw:0\"\n"),
            "card.sound_playback",
            OutOfRange,
            "both",
        ),
        (
            with_board(&format!("{PCMS}sound_rate_hz = 44100\n")),
            "card.sound_rate_hz",
            OutOfRange,
            "8000 is the rate of the line",
        ),
        (
            with_board(&format!("{PCMS}socket = \"/run/x\"\n")),
            "card.socket",
            UnknownKey,
            "kind = \"virtual\"",
        ),
        (
            GOOD.replacen("socket =", "spi = \"/dev/spidev0.1\"\nsocket =", 1),
            "card.spi",
            UnknownKey,
            "kind = \"linux\"",
        ),
        (
            with_board(PCMS).replacen("profile =", "channel = 1\nprofile =", 1),
            "line.channel",
            OutOfRange,
            "second board",
        ),
        (
            with_board(PCMS).replacen(
                "[[line]]",
                &format!(
                    "[[card]]\nname = \"two\"\nkind = \"linux\"\nspi = \"/dev/spidev1.0\"\n{PCMS}\n[[line]]"
                ),
                1,
            ),
            "card.i2c",
            Duplicate,
            "needs its own i2c",
        ),
    ];
    for (text, key, kind, hint) in cases {
        let found = problems(&text);
        assert_eq!(found.len(), 1, "{key}: {found:#?}");
        assert_eq!((found[0].key.as_str(), found[0].kind), (key, kind));
        assert!(
            found[0].line > 0 && found[0].hint.contains(hint),
            "{}",
            found[0]
        );
    }
    let found = problems(&GOOD.replacen("socket = \"/run/card.sock\"\n", "", 1));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].key, "card.socket");
    assert!(found[0].hint.contains("kind = \"linux\""));
}

#[test]
fn keys_of_srtp_do_not_travel_in_the_clear_unawares() {
    let with = |more: &str| {
        GOOD.replacen(
            "password = \"geheim\"",
            &format!("password = \"geheim\"\n{more}"),
            1,
        )
    };
    for wish in ["optional", "required"] {
        let found = problems(&with(&format!("media_encryption = \"{wish}\"")));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, "account.media_encryption");
        assert_eq!(found[0].kind, ProblemKind::Unwise);
        assert!(found[0].hint.contains("media_encryption_without_tls"));
        let text = with(&format!(
            "media_encryption = \"{wish}\"\nmedia_encryption_without_tls = true"
        ));
        let config = Config::parse(&text, "box.toml").unwrap();
        assert_eq!(config.warnings.len(), 1);
        assert!(
            config.warnings[0].hint.contains("TLS"),
            "{}",
            config.warnings[0]
        );
    }
    assert!(Config::parse(GOOD, "box.toml").unwrap().warnings.is_empty());
    assert!(problems(&with("media_encryption = \"off\"")).is_empty());
}

#[test]
fn suites_of_srtp_have_names() {
    let with = |list: &str| format!("{GOOD}\n[media]\ncrypto_suites = {list}\n");
    for list in ["[]", "[\"AES\"]", "[\"AES_CM_128_HMAC_SHA1_80\", \"f8\"]"] {
        let found = problems(&with(list));
        assert_eq!(found.len(), 1, "{list}");
        assert!(found[0].hint.contains("AES_CM_128_HMAC_SHA1_80"));
    }
    let config = Config::parse(&with("[\"AES_256_CM_HMAC_SHA1_32\"]"), "box.toml").unwrap();
    assert_eq!(config.media.crypto_suites.len(), 1);
}

#[test]
fn an_apartment_may_have_values_of_its_own() {
    let with = |more: &str| GOOD.replacen("[door]", &format!("[[override]]\n{more}\n\n[door]"), 1);
    let text = with("apartment = 42\non_hook_max_volts = 4.0\noff_hook_min_volts = 5");
    let config = Config::parse(&text, "box.toml").unwrap();
    let own = config.override_of(42).unwrap();
    assert_eq!(
        own.words(),
        ["on_hook_max_volts = 4", "off_hook_min_volts = 5"]
    );
    assert!(
        effective(&text, "")
            .unwrap()
            .contains("off_hook_min_volts = 5")
    );
    for (more, line, key, kind, hint) in [
        (
            "apartment = 43\nopen_min_volts = 9.3",
            26,
            "apartment",
            ProblemKind::UnknownReference,
            "correct the apartment",
        ),
        (
            "apartment = 42",
            26,
            "apartment",
            ProblemKind::MissingKey,
            "give a value",
        ),
        (
            "open_min_volts = 9.3",
            25,
            "apartment",
            ProblemKind::MissingKey,
            "apartment =",
        ),
        (
            "apartment = 42\nopen_min_volts = \"9.3\"",
            27,
            "open_min_volts",
            ProblemKind::WrongType,
            "bare number of volts",
        ),
        (
            "apartment = 42\nopen_min_volts = -9.3",
            27,
            "open_min_volts",
            ProblemKind::OutOfRange,
            "door button",
        ),
        (
            "apartment = 42\nopen_min_volts = nan",
            27,
            "open_min_volts",
            ProblemKind::OutOfRange,
            "door button",
        ),
        (
            "apartment = 42\nhold_off_ms = 4000",
            27,
            "hold_off_ms",
            ProblemKind::UnknownKey,
            "known here",
        ),
        // The rules of the line's profile hold with them too.
        (
            "apartment = 42\nopen_min_volts = 9.3\non_hook_max_volts = 5.0",
            28,
            "on_hook_max_volts",
            ProblemKind::OutOfRange,
            "rise in the order",
        ),
        (
            "apartment = 42\noff_hook_min_volts = 4.4",
            27,
            "off_hook_min_volts",
            ProblemKind::OutOfRange,
            "wiring fault",
        ),
        (
            "apartment = 42\nopen_min_volts = 9.3\n\n[[override]]\napartment = 42\nopen_min_volts = 9.4",
            30,
            "apartment",
            ProblemKind::Duplicate,
            "its own apartment",
        ),
    ] {
        let found = problems(&with(more));
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 1, "{more}: {texts:#?}");
        let path = format!("override.{key}");
        assert_eq!(
            (found[0].line, found[0].key.as_str(), found[0].kind),
            (line, path.as_str(), kind),
            "{more}: {texts:?}"
        );
        assert!(found[0].hint.contains(hint), "{more}: {texts:?}");
    }
}

#[test]
fn an_edit_may_add_an_entry_and_takes_decimals() {
    use trubka_config::{Change, apply_changes};
    let change = |index: usize, key: &str, value: &str| Change {
        section: "override".into(),
        index,
        key: key.into(),
        value: value.into(),
    };
    let new = apply_changes(
        GOOD,
        "box.toml",
        &[
            change(0, "apartment", "42"),
            change(0, "open_min_volts", "9.35"),
        ],
    )
    .unwrap();
    let config = Config::parse(&new, "box.toml").unwrap();
    assert_eq!(
        config.override_of(42).unwrap().words(),
        ["open_min_volts = 9.35"]
    );
    let gap = apply_changes(GOOD, "box.toml", &[change(1, "apartment", "42")]).unwrap_err();
    assert_eq!(gap[0].kind, ProblemKind::MissingKey);
    let bad = apply_changes(GOOD, "box.toml", &[change(0, "open_min_volts", "much")]).unwrap_err();
    assert_eq!(bad[0].kind, ProblemKind::WrongType);
}

#[test]
fn a_headset_is_there_when_both_its_devices_are_named() {
    let with = |keys: &str| format!("{GOOD}\n[headset]\n{keys}\n");
    assert!(Config::parse(GOOD, "box.toml").unwrap().headset.is_none());
    let text = with("capture = \"hw:1\"\nplayback = \"hw:1\"\nlimit_s = 60");
    let headset = Config::parse(&text, "box.toml").unwrap().headset.unwrap();
    assert_eq!(
        (headset.sound.rate_hz, headset.limit.as_secs()),
        (48_000, 60)
    );
    let found = problems(&with("capture = \"hw:1\""));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].key, "headset.playback");
    assert!(found[0].hint.contains("aplay -L"));
    let found = problems(&with("capture = \"a\"\nplayback = \"b\"\nrate_hz = 44100"));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].key, "headset.rate_hz");
}

/// Adds a line below another one of the good file and expects one problem of that kind for that key.
#[track_caller]
fn expect_below(line: &str, added: &str, key: &str, kind: ProblemKind, hint: &str) {
    assert!(GOOD.contains(line), "{line} is not in the good file");
    let found = problems(&GOOD.replacen(line, &format!("{line}\n{added}"), 1));
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 1, "{texts:#?}");
    assert_eq!(
        (found[0].key.as_str(), found[0].kind),
        (key, kind),
        "{texts:#?}"
    );
    assert!(found[0].hint.contains(hint), "{texts:#?}");
}

#[test]
fn keys_of_transports_that_do_not_go_together_are_refused() {
    use ProblemKind::{Duplicate, MissingKey, OutOfRange, UnknownReference, WrongType};
    let listen = "listen = \"127.0.0.1:5060\"";
    let domain = "domain = \"192.0.2.10\"";
    for (line, added, key, kind, hint) in [
        (
            listen,
            "tls_listen = \"127.0.0.1:5061\"",
            "sip.tls_listen",
            MissingKey,
            "tls_certificate_file",
        ),
        (
            listen,
            "tls_key_file = \"/k\"",
            "sip.tls_key_file",
            MissingKey,
            "tls_certificate_file",
        ),
        (
            listen,
            "listen_ipv6 = \"127.0.0.2:5060\"",
            "sip.listen_ipv6",
            OutOfRange,
            "[::]:5060",
        ),
        (
            listen,
            "dns_servers = [\"dns.test\"]",
            "sip.dns_servers",
            WrongType,
            "addresses",
        ),
        (
            listen,
            "direct_sources = [\"phone\"]",
            "sip.direct_sources",
            WrongType,
            "addresses",
        ),
        (
            domain,
            "backup_account = \"pbx\"",
            "account.backup_account",
            UnknownReference,
            "pbx",
        ),
        (
            domain,
            "session_expires_s = 30",
            "account.session_expires_s",
            OutOfRange,
            "90..7200",
        ),
        (
            domain,
            "tls_ca_file = \"/ca\"",
            "account.tls_ca_file",
            UnknownReference,
            "transport",
        ),
        (
            domain,
            "backup_proxy_user = \"u\"",
            "account.backup_proxy_user",
            MissingKey,
            "auth_user",
        ),
        (
            domain,
            "outbound_proxy = \"a\"\nregistrar = \"b\"",
            "account.outbound_proxy",
            Duplicate,
            "Route",
        ),
        (
            domain,
            "proxy_password = \"a\"\nproxy_password_file = \"/b\"",
            "account.proxy_password",
            Duplicate,
            "proxy_password_file",
        ),
    ] {
        expect_below(line, added, key, kind, hint);
    }
}

#[test]
fn direct_calls_have_to_be_wanted() {
    let far = GOOD.replacen("guard@192.0.2.10:5070", "guard@192.0.2.77", 1);
    let found = problems(&far);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, ProblemKind::UnroutableTarget);
    assert!(found[0].hint.contains("sip.direct_calls = true"));
    let wanted = far.replacen("[sip]", "[sip]\ndirect_calls = true", 1);
    assert!(Config::parse(&wanted, "box.toml").unwrap().sip.direct_calls);
    // Where calls are forwarded to as well; a name is called through the PBX.
    for (host, wanted_too) in [
        ("192.0.2.66", true),
        ("gate.test", false),
        ("192.0.2.10", false),
    ] {
        let forwards = format!("{GOOD}\n[access]\nforward_hosts = [\"{host}\"]\n");
        let allowed = forwards.replacen("[sip]", "[sip]\ndirect_calls = true", 1);
        assert!(Config::parse(&allowed, "box.toml").is_ok(), "{host}");
        if wanted_too {
            let found = problems(&forwards);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!(found[0].kind, ProblemKind::UnroutableTarget);
            assert!(found[0].hint.contains("sip.direct_calls = true"));
        } else {
            assert!(Config::parse(&forwards, "box.toml").is_ok(), "{host}");
        }
    }
}

#[test]
fn hosts_of_forwarded_calls_are_compared_as_they_are_written_in_an_address() {
    let listed = |host: &str| {
        let text = format!("{GOOD}\n[access]\nforward_hosts = [\"{host}\"]\n");
        text.replacen("[sip]", "[sip]\ndirect_calls = true", 1)
    };
    for (host, kept) in [("Gate.Test", "gate.test"), ("[2001:DB8::7]", "2001:db8::7")] {
        let config = Config::parse(&listed(host), "box.toml").unwrap();
        assert_eq!(config.access.forward_hosts, [kept]);
    }
    let found = problems(&listed("gate.test:5080"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].hint.contains("leave the port out"));
}

#[test]
fn a_proxy_takes_the_place_of_the_registrar_and_tls_checks_the_domain() {
    let text = GOOD.replacen(
        "domain = \"192.0.2.10\"",
        "domain = \"pbx.test\"\ntransport = \"tls\"\noutbound_proxy = \"edge.test:5061\"\nproxy_user = \"u\"",
        1,
    );
    let config = Config::parse(
        &text.replace("sip:guard@192.0.2.10:5070", "401"),
        "box.toml",
    )
    .unwrap();
    let account = &config.accounts[0];
    assert_eq!(account.registrar.to_string(), "edge.test:5061");
    assert_eq!(account.tls_server_name, "pbx.test");
    assert_eq!(
        account.outbound_proxy.as_ref().unwrap().user.as_deref(),
        Some("u")
    );
}
