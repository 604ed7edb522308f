//! Whether it went well: the panel's word on the lock, and the recordings' on the speech.

use std::fmt::Write as _;

use peers::wav::{FOUND, Recording};
use serde_json::{Value, json};

use super::stage::{APARTMENT, Stage, read_wav};
use super::story::{Source, Story};
use crate::exit::Failed;

/// What came of the play.
#[derive(Debug)]
pub(crate) struct Verdict {
    lock_opened: usize,
    /// Whose door it was: by the panel that opened it, and by our journal.
    doors: (String, String),
    /// The simulator saw our load on a pair that was not called.
    wrong_pairs: usize,
    records: usize,
    visitor_heard_resident: f32,
    phone_heard_visitor: f32,
    /// The same while both spoke, where they did.
    heard_while_both_spoke: Option<f32>,
    own_share_ms: Option<u64>,
    steps: Vec<(&'static str, Option<u64>)>,
}

/// Judges by the story and the recordings.
pub(crate) fn judge(stage: &Stage, story: &Story, phone_heard: &[i16]) -> Result<Verdict, Failed> {
    use Source::{Gateway, Panel, Phone};
    let visitor_heard = read_wav(&stage.path("visitor-heard.wav"))?;
    let profile = stage.profile();
    let ring_minimum = profile.map_or(0, |profile| profile.ring.minimum_ms.value);
    let field = |source, name| {
        let told = story.find(source, name);
        told.map(|told| told.field("apartment")).unwrap_or_default()
    };
    let between = |from, to| story.between(from, to).map(|time| time.as_millis() as u64);
    let first_burst = between((Panel, "ring_burst"), (Gateway, "call_placed"));
    let detect = first_burst.map(|time| time.saturating_sub(ring_minimum));
    let answer = between((Phone, "answered"), (Gateway, "call_answered"));
    let release = between((Phone, "pressed"), (Gateway, "door_release_started"));
    let own_share_ms = [detect, answer, release].into_iter().sum::<Option<u64>>();
    Ok(Verdict {
        lock_opened: story.count(Panel, "lock_opened"),
        doors: (field(Panel, "lock_opened"), field(Gateway, "door_opened")),
        wrong_pairs: story.count(Panel, "wrong_pair_loaded"),
        records: story.count(Gateway, "door_opened"),
        visitor_heard_resident: Recording::likeness_of(&stage.resident_speech, &visitor_heard),
        phone_heard_visitor: Recording::likeness_of(&stage.visitor_speech, phone_heard),
        heard_while_both_spoke: stage
            .pbx
            .together
            .as_ref()
            .map(|together| Recording::likeness_of(&together.visitor, phone_heard)),
        own_share_ms,
        steps: vec![
            (
                "visitor dialled -> first ring burst (panel)",
                between((Panel, "dialled"), (Panel, "ring_burst")),
            ),
            (
                "first ring burst -> INVITE, less the ring rule's minimum",
                detect,
            ),
            (
                "INVITE -> phone rings",
                between((Gateway, "call_placed"), (Phone, "ringing")),
            ),
            ("phone answered -> off-hook", answer),
            (
                "off-hook -> panel connected (panel)",
                between((Gateway, "call_answered"), (Panel, "answered")),
            ),
            ("key pressed -> load removed", release),
            (
                "load removed -> lock open (panel)",
                between((Gateway, "door_release_started"), (Panel, "lock_opened")),
            ),
            (
                "visitor dialled -> lock open, all in all",
                between((Panel, "dialled"), (Panel, "lock_opened")),
            ),
        ],
    })
}

impl Verdict {
    pub(crate) fn good(&self) -> bool {
        self.right_door()
            && self.visitor_heard_resident > FOUND
            && self.phone_heard_visitor > FOUND
            && self
                .heard_while_both_spoke
                .is_none_or(|likeness| likeness > FOUND)
    }

    /// The called apartment's, once, and nothing of ours on any other pair.
    fn right_door(&self) -> bool {
        let called = APARTMENT.to_string();
        self.lock_opened == 1
            && self.records == 1
            && self.doors.0 == called
            && self.doors.1 == called
            && self.wrong_pairs == 0
    }

    pub(crate) fn json(&self) -> Value {
        let steps: serde_json::Map<String, Value> = self
            .steps
            .iter()
            .map(|(name, time)| ((*name).to_owned(), json!(time)))
            .collect();
        json!({
            "good": self.good(),
            "lock_opened": self.lock_opened,
            "door_of_apartment": self.doors.0,
            "journal_names_apartment": self.doors.1,
            "wrong_pairs_loaded": self.wrong_pairs,
            "journal_records_of_the_opening": self.records,
            "visitor_heard_resident": self.visitor_heard_resident,
            "phone_heard_visitor": self.phone_heard_visitor,
            "phone_heard_visitor_while_both_spoke": self.heard_while_both_spoke,
            "gateway_share_ms": self.own_share_ms,
            "steps_ms": steps,
        })
    }

    pub(crate) fn text(&self, stage: &Stage) -> String {
        let mut text = String::from("\ntimes\n");
        for (name, time) in &self.steps {
            let time = time.map_or("-".to_owned(), |time| format!("{time} ms"));
            let _ = writeln!(text, "  {name:<58} {time:>9}");
        }
        let share = self
            .own_share_ms
            .map_or("-".to_owned(), |time| format!("{time} ms"));
        let _ = writeln!(text, "  {:<58} {share:>9}", "the gateway's own share");
        let mark = |good: bool| if good { "ok  " } else { "FAIL" };
        let _ = writeln!(
            text,
            "\n{} the panel opened the lock {} time(s) in the call to {}, {} record(s) say {}",
            mark(self.right_door()),
            self.lock_opened,
            self.doors.0,
            self.records,
            self.doors.1
        );
        let _ = writeln!(
            text,
            "{} the visitor heard the phone    (likeness {:.2}, over {FOUND} is the same speech)",
            mark(self.visitor_heard_resident > FOUND),
            self.visitor_heard_resident
        );
        let _ = writeln!(
            text,
            "{} the phone heard the visitor    (likeness {:.2})",
            mark(self.phone_heard_visitor > FOUND),
            self.phone_heard_visitor
        );
        if let Some(likeness) = self.heard_while_both_spoke {
            let _ = writeln!(
                text,
                "{} the same while both spoke      (likeness {likeness:.2})",
                mark(likeness > FOUND)
            );
        }
        let _ = writeln!(text, "\nlook and listen in {}:", stage.path("").display());
        for (file, what) in [
            ("line.svg", "the line's voltage over time, events marked"),
            ("visitor-heard.wav", "what the visitor heard at the panel"),
            ("phone-heard.wav", "what the phone heard"),
            ("journal.json", "the journal"),
            ("capture.pcap", "SIP and RTP, secrets removed"),
            ("trubka.toml", "the configuration used"),
        ] {
            let _ = writeln!(text, "  {file:<18} {what}");
        }
        text
    }
}
