//! What a phone and a PBX are told of the visitor: names, headers, ring tone.

use sip::message::Message;

use crate::extra_phones::{Does, extra_phones};
use crate::world::{Options, World, never_answers};

fn invite(config: &'static str, route: &'static str, account: &'static str) -> Message {
    let mut world = World::ready(Options {
        config,
        route,
        account,
        targets: "\"401\"",
        ..Options::with(never_answers())
    });
    let seen = extra_phones(&mut world, &[("401", Does::Rings)]);
    world.visit_until("call_ringing");
    let invite = seen.of("401", "INVITE").remove(0);
    world.panel.visitor_leave();
    world.settle();
    invite
}

fn name_of(invite: &Message) -> Option<String> {
    invite.from().unwrap().display_name
}

#[test]
fn the_display_name_of_route_call_and_account_in_this_order() {
    let account = "display_name = \"Gate\"";
    let call = "[call]\ndisplay_name = \"{panel}, apt {apartment}\"";
    let route = "display_name = \"Visitor for {apartment}\"";
    for (config, route, account, name) in [
        (call, route, account, Some("Visitor for 42")),
        (call, "", account, Some("apt42, apt 42")),
        ("", "", account, Some("Gate")),
        ("", "", "", None),
    ] {
        let invite = invite(config, route, account);
        assert_eq!(name_of(&invite).as_deref(), name);
    }
}

#[test]
fn names_with_quotes_and_letters_of_any_script_arrive_whole() {
    let invite = invite(
        "[call]\ndisplay_name = 'Подъезд \"2\" \\ {apartment}, <x>;tag=1'",
        "",
        "",
    );
    assert_eq!(
        name_of(&invite).as_deref(),
        Some("Подъезд \"2\" \\ 42, <x>;tag=1")
    );
    assert_ne!(invite.from_tag().as_deref(), Some("1"));
}

#[test]
fn headers_with_apartment_and_panel_and_a_ring_tone() {
    let invite = invite(
        "[call]\nheaders = [\"X-Apartment: {apartment}\", \"X-Panel: {panel}/{line}\", \"Priority: urgent\"]",
        "alert_info = \"<http://127.0.0.1/door>;info=alert-{apartment}\"",
        "",
    );
    assert_eq!(invite.headers.get("X-Apartment"), Some("42"));
    assert_eq!(invite.headers.get("X-Panel"), Some("apt42/apt42"));
    assert_eq!(invite.headers.get("Priority"), Some("urgent"));
    let alert = invite.headers.get("Alert-Info");
    assert_eq!(alert, Some("<http://127.0.0.1/door>;info=alert-42"));
}

#[test]
fn a_header_that_the_user_agent_writes_itself_is_refused_by_the_configuration() {
    for name in sip::OWN_HEADERS {
        let header = config::Header::parse(&format!("{name}: x"));
        assert!(header.is_err(), "{name}");
    }
}
