//! Lines, their board, apartments with values of their own, the headset.

use super::*;

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
