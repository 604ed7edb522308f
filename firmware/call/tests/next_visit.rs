//! An address that is read in the middle of a call: the visit keeps its route, the next one has the new one.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use config::Config;
use line_interface::{LineCode, LineEvent};
use trubka_call::{Action, Controller, Event, Settings};

fn controller() -> Controller {
    let text = "[sip]\nlisten = \"127.0.0.1:5060\"\n\
        [[account]]\nname = \"pbx\"\nextension = \"600\"\ndomain = \"127.0.0.2\"\npassword = \"x\"\n\
        [[card]]\nname = \"card\"\nkind = \"virtual\"\nsocket = \"/nowhere\"\n\
        [[line]]\nname = \"p\"\ncard = \"card\"\nprofile = \"laskomex-class\"\ntopology = \"pulse\"\n\
        addresses = [\"6=42\", \"7=41\"]\n\
        [[route]]\napartment = 42\ntargets = [\"400\", \"402\"]\nmay_open = [\"called\"]\n\
        [[route]]\napartment = 41\ntargets = [\"401\"]\nmay_open = [\"777\"]\n";
    let config = Config::parse(text, "next.toml").map_err(|problems| format!("{problems:?}"));
    Controller::new(Settings::new(&config.unwrap()))
}

fn named(controller: &mut Controller, apartment: Option<u16>) {
    let code = LineCode::Address(7);
    let event = LineEvent::Addressed { code, apartment };
    controller.line_event(Duration::from_secs(2), 0, event);
}

fn actions(controller: &mut Controller) -> Vec<Action> {
    std::iter::from_fn(|| controller.poll_action()).collect()
}

fn placed(controller: &mut Controller) -> Vec<(trubka_call::LegId, String)> {
    let mut found = Vec::new();
    for action in actions(controller) {
        if let Action::PlaceCall { leg, target, .. } = action {
            found.push((leg, target));
        }
    }
    found
}

/// The apartment and party of an opening that was ordered, if one was.
fn opening(controller: &mut Controller) -> Option<(u16, String)> {
    actions(controller)
        .into_iter()
        .find_map(|action| match action {
            Action::Record {
                event:
                    Event::DoorOpened {
                        apartment, party, ..
                    },
                ..
            } => Some((apartment, party)),
            _ => None,
        })
}

#[test]
fn the_route_of_a_visit_stays_whoever_is_named_meanwhile() {
    for other in [Some(41), None] {
        let mut c = controller();
        let at = Duration::from_secs;
        named(&mut c, Some(42));
        c.line_event(at(1), 0, LineEvent::RingConfirmed);
        let (first, target) = placed(&mut c).remove(0);
        assert_eq!(target, "400");
        // While it rings: the next target is that of the same route.
        named(&mut c, other);
        c.leg_ended(at(2), first, Some(486), "busy");
        let (leg, target) = placed(&mut c).remove(0);
        assert_eq!(target, "402");
        c.leg_answered(at(3), leg);
        actions(&mut c);
        // While they talk: who may open and what is recorded are the visit's.
        named(&mut c, other);
        assert_eq!(c.view(0).unwrap().apartment, Some(42));
        c.leg_digit(at(5), leg, '9', "rfc4733");
        assert_eq!(opening(&mut c), Some((42, "402".to_owned())));
        c.line_event(at(9), 0, LineEvent::PanelEnded);
        c.line_event(at(10), 0, LineEvent::Idle);
        actions(&mut c);
        // The one who was named comes next.
        c.line_event(at(11), 0, LineEvent::RingConfirmed);
        let next: Vec<String> = placed(&mut c)
            .into_iter()
            .map(|(_, target)| target)
            .collect();
        let wanted: &[&str] = if other.is_some() { &["401"] } else { &[] };
        assert_eq!(next, wanted, "{other:?}");
    }
}
