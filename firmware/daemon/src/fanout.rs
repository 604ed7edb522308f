//! One event, every ear: log, subscribers, journal.

use call::Event;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::clock;

/// An event with the time it happened.
#[derive(Debug, Clone)]
pub(crate) struct Stamped {
    pub(crate) time: String,
    pub(crate) event: Event,
}

impl Stamped {
    pub(crate) fn now(event: Event) -> Stamped {
        Stamped {
            time: clock::wall_time(),
            event,
        }
    }

    /// The event as JSON with its time in front.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("time".into(), self.time.clone().into());
        if let Ok(Value::Object(fields)) = serde_json::to_value(&self.event) {
            json.extend(fields);
        }
        json
    }
}

/// Events for whoever subscribed.
pub(crate) type Subscribers = broadcast::Sender<Stamped>;

/// Writes the event to the log, in the words of the event list.
pub(crate) fn log(event: &Event) {
    let json = match serde_json::to_value(event) {
        Ok(Value::Object(json)) => json,
        _ => return,
    };
    let name = event.name();
    let fields = control::render::event_fields(&json);
    if is_trouble(event) {
        tracing::warn!("{name} {fields}");
    } else {
        tracing::info!("{name} {fields}");
    }
}

fn is_trouble(event: &Event) -> bool {
    match event {
        Event::Registration { state, .. } => state == "failed",
        Event::PbxReachable { reachable, .. } => !reachable,
        Event::LineCard { present, .. } | Event::HeadsetDevice { present, .. } => !present,
        Event::JournalAlarm { failing, .. } => *failing,
        Event::CallFailed { .. } | Event::DoorRefused { .. } | Event::DoorReleaseFailed { .. } => {
            true
        }
        Event::NameService { resolved, .. } => !resolved,
        Event::TlsFailed { .. } | Event::CertificateExpires { .. } => true,
        Event::AccountSwitched { account, using } => account != using,
        Event::OutputsDropped { .. } | Event::LineFault { .. } | Event::SipRefused { .. } => true,
        _ => false,
    }
}
