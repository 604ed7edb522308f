//! The `[[card]]` sections: which keys belong to which kind, and what two cards cannot share.

use std::path::PathBuf;
use std::time::Duration;

use crate::document::Entry;
use crate::model::{Board, Card, CardKind, Headset, Line, Sound};
use crate::problem::ProblemKind;
use crate::resolve::{Resolver, number};

/// Keys that only one kind of card has.
const OF_LINUX: [&str; 12] = [
    "board",
    "spi",
    "spi_hz",
    "i2c",
    "gpio_chip",
    "watchdog_gpio",
    "sound_capture",
    "sound_playback",
    "sound_capture_channel",
    "sound_playback_channel",
    "sound_rate_hz",
    "sound_delay_ms",
];

/// Whether a key of an entry has a meaning for what the entry is.
pub(crate) fn belongs(entry: &Entry, key: &str) -> bool {
    entry.schema.name != "card"
        || match entry.text("kind").as_str() {
            "linux" => key != "socket",
            _ => !OF_LINUX.contains(&key),
        }
}

/// What stands for "no sound device".
const NONE: &str = "none";

impl Resolver<'_> {
    pub(crate) fn cards(&mut self) -> Vec<Card> {
        self.unique("card", "name", |entry| entry.text("name"));
        let linux = |entry: &Entry| entry.text("kind") == "linux";
        // A card that does not have the device is told by its line, which is unique.
        let device = move |entry: &Entry, key: &str, of_linux: bool| {
            let path = entry.text(key);
            if linux(entry) == of_linux && !path.is_empty() {
                path
            } else {
                format!("none of the card at line {}", entry.line)
            }
        };
        self.unique("card", "socket", |entry| device(entry, "socket", false));
        self.unique("card", "spi", |entry| device(entry, "spi", true));
        self.unique("card", "i2c", |entry| device(entry, "i2c", true));
        let document = self.document;
        let mut cards = Vec::new();
        for entry in document.many("card") {
            let kind = if linux(entry) {
                self.refuse(entry, &["socket"], "linux", "virtual");
                CardKind::Linux(Box::new(self.board(entry)))
            } else {
                self.refuse(entry, &OF_LINUX, "virtual", "linux");
                if entry.get("socket").is_none() {
                    let cause = "a virtual line card needs its socket".to_owned();
                    let hint = "write socket = \"/run/trubka/card.sock\", or kind = \"linux\" for the real board";
                    self.problem(entry, "socket", ProblemKind::MissingKey, cause, hint);
                }
                CardKind::Virtual {
                    socket: PathBuf::from(entry.text("socket")),
                }
            };
            cards.push(Card {
                name: entry.text("name"),
                kind,
            });
        }
        cards
    }

    /// The board carries one line.
    pub(crate) fn channels_of_boards(&mut self, lines: &[Line], cards: &[Card]) {
        let document = self.document;
        for (entry, line) in document.many("line").zip(lines) {
            let board = cards
                .get(line.card)
                .is_some_and(|card| matches!(card.kind, CardKind::Linux(_)));
            if board && line.channel != 0 {
                let cause = format!("the board carries one line, number 0, not {}", line.channel);
                let hint = "write channel = 0; a second board is a second [[card]] on its own bus";
                self.problem(entry, "channel", ProblemKind::OutOfRange, cause, hint);
            }
        }
    }

    /// Keys of the other kind that were given.
    fn refuse(&mut self, entry: &Entry, keys: &[&str], kind: &str, other: &str) {
        for key in keys {
            if entry.get(key).is_some_and(|setting| setting.line > 0) {
                let cause = format!("a {kind} card has no {key}");
                let hint = format!("remove it, or write kind = \"{other}\"");
                self.problem(entry, key, ProblemKind::UnknownKey, cause, hint);
            }
        }
    }

    fn board(&mut self, entry: &Entry) -> Board {
        Board {
            matrix: entry.text("board") == "matrix",
            spi: PathBuf::from(entry.text("spi")),
            spi_hz: number(entry, "spi_hz"),
            i2c: PathBuf::from(entry.text("i2c")),
            gpio_chip: PathBuf::from(entry.text("gpio_chip")),
            watchdog_gpio: entry
                .get("watchdog_gpio")
                .map(|_| number(entry, "watchdog_gpio")),
            sound: self.sound(entry, "sound_"),
        }
    }

    /// The sound devices of an entry whose keys begin with `prefix`.
    fn sound(&mut self, entry: &Entry, prefix: &str) -> Option<Sound> {
        let key = |name: &str| format!("{prefix}{name}");
        let mut names = Vec::new();
        for (name, lister) in [("capture", "arecord -L"), ("playback", "aplay -L")] {
            let key = key(name);
            let name = entry.optional_text(&key);
            if name.is_none() {
                let cause = format!("the PCM {key} is not named");
                let hint = format!(
                    "{lister} lists the names: {key} = \"plughw:CARD=...,DEV=0\"; \"none\" for no sound at all"
                );
                self.problem(entry, &key, ProblemKind::MissingKey, cause, hint);
            }
            names.push(name.unwrap_or_default());
        }
        let rate_hz = number(entry, &key("rate_hz"));
        if ![8000, 16_000, 48_000].contains(&rate_hz) {
            let cause = format!("{rate_hz} Hz is none of 8000, 16000 and 48000");
            let hint = "8000 is the rate of the line; use another only where the device cannot";
            let key = key("rate_hz");
            self.problem(entry, &key, ProblemKind::OutOfRange, cause, hint);
        }
        let [capture, playback] = names.try_into().unwrap_or_default();
        match (capture == NONE, playback == NONE) {
            (true, true) => None,
            (false, false) => Some(Sound {
                capture,
                playback,
                capture_channel: number(entry, &key("capture_channel")) as u16,
                playback_channel: number(entry, &key("playback_channel")) as u16,
                rate_hz,
                delay_ms: number(entry, &key("delay_ms")),
            }),
            _ => {
                let cause = "one direction of the sound is \"none\", the other is not".to_owned();
                let hint = "name both PCMs, or write \"none\" for both";
                let key = key("playback");
                self.problem(entry, &key, ProblemKind::OutOfRange, cause, hint);
                None
            }
        }
    }

    /// The headset, where one is named.
    pub(crate) fn headset(&mut self, entry: &Entry) -> Option<Headset> {
        if entry.get("capture").is_none() && entry.get("playback").is_none() {
            return None;
        }
        let limit = Duration::from_secs(number(entry, "limit_s").into());
        self.sound(entry, "").map(|sound| Headset { sound, limit })
    }
}
