//! The gateway is shut down in every phase: nothing of ours stays on the line or at the PBX.

use line_interface::Drive;
use phone::KeyBy;

use crate::world::{Options, World, ms, presses, seconds};

fn shut_down(brand: &'static str, event: &str, after: u64) {
    let phone = presses(ms(1500), &[(2500, '9', KeyBy::Rfc4733)]);
    let mut world = World::ready(Options {
        brand,
        ..Options::with(phone)
    });
    world.dial();
    if !event.is_empty() {
        world.wait(event, 1);
    }
    world.run_for(ms(after));
    let now = world.now;
    world.gateway.shutdown(now);
    let what = format!("{brand} {after} ms after {event}");
    world.run_for(ms(500));
    assert!(world.gateway.call_statuses().is_empty(), "{what}");
    assert!(world.gateway.is_unregistered(), "{what}");
    assert!(!world.phone.is_busy(), "{what}\n{}", world.story());
    assert_eq!(world.gateway.audio_ports_in_use(), 0, "{what}");
    let records = world.records("door_opened");
    world.run_until("quiet", seconds(4), |world| world.gateway.is_quiet());
    assert_eq!(world.driven(), Drive::SAFE, "{what}\n{}", world.story());
    // What was authorised before is carried out, unless the panel is too far gone to see it.
    let done = world.happened("door_release_ended") + world.happened("door_release_failed");
    assert_eq!(done, records, "{what}\n{}", world.story());
    world.run_for(seconds(40));
    assert_eq!(world.driven(), Drive::SAFE, "{what}");
    assert!(world.opened() <= world.records("door_opened"), "{what}");
    assert!(world.gateway.is_unregistered(), "{what}: registered again");
}

#[test]
fn in_every_phase_the_line_ends_in_the_safe_state() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        for (event, after) in [
            ("", 0),
            ("", 1100),
            ("ring", 0),
            ("call_placed", 0),
            ("call_ringing", 400),
            ("call_answered", 0),
            ("call_answered", 700),
            ("digit", 0),
            ("digit", 3),
            ("door_release_started", 0),
            ("door_release_started", 250),
            ("door_release_ended", 100),
            ("call_ended", 0),
            ("call_ended", 300),
            ("line_idle", 100),
        ] {
            shut_down(brand, event, after);
        }
    }
}

#[test]
fn a_visitor_after_the_shutdown_rings_no_phone() {
    let mut world = World::ready(Options::default());
    let now = world.now;
    world.gateway.shutdown(now);
    world.run_for(seconds(1));
    world.dial();
    world.run_for(seconds(20));
    assert_eq!(world.gateway_sent("INVITE"), 0);
    assert_eq!(world.driven(), Drive::SAFE);
}
