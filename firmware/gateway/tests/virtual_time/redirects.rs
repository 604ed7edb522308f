//! A phone forwards the visitor (3xx): followed a few times, and only where that is allowed.

use phone::KeyBy;

use crate::extra_phones::{Does, extra_phones};
use crate::world::{Options, World, ms, presses, seconds};

fn house(config: &'static str) -> World {
    World::ready(Options {
        targets: "\"401\"",
        config,
        ..Options::with(presses(ms(500), &[(2000, '9', KeyBy::Rfc4733)]))
    })
}

#[test]
fn a_302_to_another_number_of_the_pbx_is_followed_and_that_phone_opens() {
    for contact in [
        "<sip:400@127.77.0.2:5060>",
        "<sip:400@127.77.0.2;transport=tcp>;q=0.5",
    ] {
        let mut world = house("");
        let seen = extra_phones(&mut world, &[("401", Does::Redirects(contact))]);
        world.visit_until("door_release_ended");
        assert_eq!(world.happened("call_redirected"), 1);
        assert!(world.last_words("call_answered").contains("\"400\""));
        assert_eq!(seen.count("401", "ACK"), 1);
        assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
        world.next_visit_works();
    }
}

#[test]
fn addresses_are_tried_by_their_q() {
    let mut world = house("");
    let contacts = "<sip:402@127.77.0.2>;q=0.2, <sip:403@127.77.0.2>;q=0.9, <sip:404@127.77.0.2>";
    let phones = [
        ("401", Does::Redirects(contacts)),
        ("402", Does::Refuses(486)),
        ("403", Does::Refuses(486)),
        ("404", Does::Refuses(486)),
    ];
    extra_phones(&mut world, &phones);
    world.visit_until("call_unanswered");
    let placed: Vec<String> = world
        .events
        .iter()
        .filter(|(_, event)| event.name() == "call_placed")
        .map(|(_, event)| format!("{event:?}"))
        .collect();
    let order = ["401", "404", "403", "402"];
    assert_eq!(placed.len(), 4);
    for (event, number) in placed.iter().zip(order) {
        assert!(event.contains(&format!("target: \"{number}\"")), "{event}");
    }
}

#[test]
fn a_foreign_host_another_scheme_and_a_barred_number_are_not_called() {
    for (contact, why) in [
        ("<sip:400@127.77.0.66>", "forward_hosts"),
        ("<sip:400@evil.example>", "forward_hosts"),
        ("<tel:0900123>", "sip:"),
        ("<sip:0900@127.77.0.2>", "forward_targets"),
        ("<sip:400@127.77.0.2@evil>", "host"),
        ("*", "no address"),
    ] {
        let mut world = house("[access]\nforward_targets = [\"4*\"]");
        extra_phones(&mut world, &[("401", Does::Redirects(contact))]);
        world.visit_until("call_unanswered");
        let failed = world.last_words("call_failed");
        assert!(
            failed.contains("not followed") && failed.contains(why),
            "{contact}: {failed}"
        );
        assert!(failed.contains("access.forward_hosts"), "{failed}");
        world.run_for(seconds(1));
        assert_eq!(world.happened("call_placed"), 1, "{contact}");
        assert!(world.network.to_strangers.is_empty());
        world.panel.visitor_leave();
        world.settle();
    }
}

#[test]
fn a_listed_host_is_called_there() {
    let mut world = World::ready(Options {
        targets: "\"401\"",
        sip: "direct_calls = true",
        config: "[access]\nforward_hosts = [\"127.77.0.66\"]",
        ..Options::with(presses(ms(500), &[(2000, '9', KeyBy::Rfc4733)]))
    });
    extra_phones(
        &mut world,
        &[("401", Does::Redirects("<sip:0170@127.77.0.66>"))],
    );
    world.visit_until("call_redirected");
    world.run_for(ms(100));
    let (to, message) = world
        .network
        .to_strangers
        .first()
        .expect("a call to the host");
    assert_eq!(*to, crate::world::address("127.77.0.66:5060"));
    let text = String::from_utf8_lossy(message);
    assert!(
        text.starts_with("INVITE sip:0170@127.77.0.66 SIP/2.0"),
        "{text}"
    );
    // Nothing that belongs to the PBX alone goes there.
    assert!(!text.contains("uthorization"), "{text}");
    world.panel.visitor_leave();
    world.run_for(seconds(40));
    world.next_visit_works();
}

#[test]
fn redirections_in_circles_and_without_end_are_cut() {
    let mut world = house("");
    let phones = [
        ("401", Does::Redirects("<sip:402@127.77.0.2>")),
        ("402", Does::Redirects("<sip:401@127.77.0.2>")),
    ];
    extra_phones(&mut world, &phones);
    world.visit_until("call_unanswered");
    assert!(world.last_words("call_failed").contains("a loop"));
    assert_eq!(world.happened("call_placed"), 2);
    world.panel.visitor_leave();
    world.settle();

    let mut world = house("[call]\nmax_redirects = 2");
    let phones = [
        ("401", Does::Redirects("<sip:402@127.77.0.2>")),
        ("402", Does::Redirects("<sip:403@127.77.0.2>")),
        ("403", Does::Redirects("<sip:404@127.77.0.2>")),
        ("404", Does::Rings),
    ];
    let seen = extra_phones(&mut world, &phones);
    world.visit_until("call_unanswered");
    assert!(world.last_words("call_failed").contains("too many"));
    assert_eq!(
        (seen.count("403", "INVITE"), seen.count("404", "INVITE")),
        (1, 0)
    );
}
