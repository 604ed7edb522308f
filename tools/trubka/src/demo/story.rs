//! The story as it happens: who did what, when, and how long after the step before.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::text_field;

/// Who tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Panel,
    Gateway,
    Phone,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) at: Instant,
    pub(crate) source: Source,
    pub(crate) event: Value,
}

impl Told {
    pub(crate) fn now(source: Source, event: Value) -> Told {
        Told {
            at: Instant::now(),
            source,
            event,
        }
    }

    pub(crate) fn is(&self, source: Source, name: &str) -> bool {
        self.source == source && self.event.get("event").and_then(Value::as_str) == Some(name)
    }

    pub(crate) fn field(&self, name: &str) -> String {
        text_field(&self.event, name)
    }
}

/// The story.
#[derive(Debug)]
pub(crate) struct Story {
    live: bool,
    start: Instant,
    last: Option<Instant>,
    all: Vec<Told>,
    text: String,
}

impl Story {
    pub(crate) fn new(live: bool) -> Story {
        Story {
            live,
            start: Instant::now(),
            last: None,
            all: Vec::new(),
            text: String::new(),
        }
    }

    pub(crate) fn add(&mut self, told: Told) {
        if let Some(sentence) = sentence(&told) {
            let at = told.at.saturating_duration_since(self.start).as_secs_f64();
            let step = self.last.map_or(0, |last| {
                told.at.saturating_duration_since(last).as_millis()
            });
            let who = match told.source {
                Source::Panel => "panel",
                Source::Gateway => "gateway",
                Source::Phone => "phone",
            };
            let line = format!(
                "{at:8.3} s {:>9}  {who:<8} {sentence}",
                format!("+{step} ms")
            );
            if self.live {
                // A closed pipe ends the telling, not the play.
                let _ = crate::remote::print(&format!("{line}\n"));
            }
            let _ = writeln!(self.text, "{line}");
            self.last = Some(told.at);
        }
        self.all.push(told);
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// First event of that name.
    pub(crate) fn find(&self, source: Source, name: &str) -> Option<&Told> {
        self.all.iter().find(|told| told.is(source, name))
    }

    pub(crate) fn count(&self, source: Source, name: &str) -> usize {
        self.all.iter().filter(|told| told.is(source, name)).count()
    }

    /// Time from one event to another.
    pub(crate) fn between(&self, from: (Source, &str), to: (Source, &str)) -> Option<Duration> {
        let from = self.find(from.0, from.1)?.at;
        let to = self.find(to.0, to.1)?.at;
        Some(to.saturating_duration_since(from))
    }

    pub(crate) fn all(&self) -> &[Told] {
        &self.all
    }
}

/// What a person would say; events that add nothing to the story have no sentence.
fn sentence(told: &Told) -> Option<String> {
    let name = told.field("event");
    let field = |name: &str| told.field(name);
    Some(match (told.source, name.as_str()) {
        (Source::Panel, "dialled") => format!("the visitor has dialled {}", field("apartment")),
        (Source::Panel, "selected") => "feeds the pair of the apartment".into(),
        (Source::Panel, "ringing") => "rings".into(),
        (Source::Panel, "answered") => "sees off-hook: the visitor is connected".into(),
        (Source::Panel, "door_button_seen") => "sees the door button: the load is gone".into(),
        (Source::Panel, "lock_opened") => {
            format!("THE LOCK OPENS in the call to {}", field("apartment"))
        }
        (Source::Panel, "wrong_pair_loaded") => "THE WRONG PAIR IS LOADED".into(),
        (Source::Panel, "lock_closed") => "the lock closes".into(),
        (Source::Panel, "call_dropped") => {
            format!("ends the call ({})", field("why").replace('_', " "))
        }
        (Source::Panel, "line_error") => format!("shows Err ({})", field("why").replace('_', " ")),
        (Source::Gateway, "registration") if field("state") == "registered" => {
            format!("is registered at the PBX {}", field("detail"))
        }
        (Source::Gateway, "ring") => {
            let (apartment, code) = (field("apartment"), field("code"));
            if code.is_empty() {
                format!("knows: a visitor for apartment {apartment} (ring rule met)")
            } else {
                format!("reads {code}: a visitor for apartment {apartment}")
            }
        }
        (Source::Gateway, "call_placed") => format!("INVITE to {}", field("target")),
        (Source::Gateway, "call_answered") => format!(
            "{} answered: goes off-hook, joins the audio",
            field("party")
        ),
        (Source::Gateway, "call_failed") => {
            format!("call failed: {} {}", field("status"), field("reason"))
        }
        (Source::Gateway, "digit") => format!(
            "key from {} by {}{}",
            field("party"),
            field("via"),
            if field("complete") == "true" {
                ": opens"
            } else {
                ""
            }
        ),
        (Source::Gateway, "door_opened") => format!(
            "journal: door opened by {} ({})",
            field("party"),
            field("cause")
        ),
        (Source::Gateway, "door_refused") => format!(
            "journal: door refused to {}: {}",
            field("party"),
            field("reason")
        ),
        (Source::Gateway, "door_release_started") => "removes the load".into(),
        (Source::Gateway, "door_release_ended") => "restores the load".into(),
        (Source::Gateway, "call_ended") => format!(
            "call ended: {}, {} ms of talk",
            field("reason"),
            field("talk_ms")
        ),
        (Source::Gateway, "line_idle") => "the line is free again".into(),
        (Source::Gateway, "line_fault") => {
            format!("line fault {}: {}", field("kind"), field("reading"))
        }
        (Source::Phone, "version") => format!("is {}", field("version")),
        (Source::Phone, "registered") => {
            format!("PBX takes the registration ({})", field("digest"))
        }
        (Source::Phone, "ringing") => format!("rings: {}", field("from")),
        (Source::Phone, "answered") => "is answered".into(),
        (Source::Phone, "pressed") => format!("presses {}", field("key")),
        (Source::Phone, "ended") => "the call is over".into(),
        _ => return None,
    })
}
