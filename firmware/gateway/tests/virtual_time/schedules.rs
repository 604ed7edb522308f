//! Who is called depends on the time of the week.

use config::LocalTime;

use crate::extra_phones::{Does, extra_phones};
use crate::world::{Options, World, never_answers, seconds};

const CONFIG: &str = "[[schedule]]\nname = \"office\"\ndays = [\"mon-fri\"]\nfrom = \"08:00\"\nto = \"18:00\"\n\
    [[schedule]]\nname = \"night\"\nfrom = \"22:00\"\nto = \"06:00\"\n\
    [[route]]\napartment = 42\nwhen = \"office\"\ntargets = [\"401\"]\n\
    [[route]]\napartment = 42\nwhen = \"night\"\ntargets = [\"402\"]\nmay_open = [\"777\"]\n";

fn house() -> World {
    World::ready(Options {
        config: CONFIG,
        ..Options::with(never_answers())
    })
}

fn called(world: &mut World) -> String {
    let rings = Does::Rings;
    extra_phones(world, &[("401", rings), ("402", rings)]);
    world.visit_until("call_ringing");
    let called = world.last_words("call_placed");
    world.panel.visitor_leave();
    world.settle();
    called
}

#[test]
fn the_route_in_force_when_the_visitor_rings_is_taken() {
    let mut world = house();
    // Without a clock only the route that is always in force counts.
    assert!(called(&mut world).contains("\"400\""));
    for (weekday, hour, target) in [
        (0, 9, "\"401\""),
        (4, 17, "\"401\""),
        (5, 9, "\"400\""),
        (2, 19, "\"400\""),
        (2, 23, "\"402\""),
        (3, 5, "\"402\""),
        (3, 7, "\"400\""),
    ] {
        let time = LocalTime {
            weekday,
            second: hour * 3600,
        };
        let now = world.now;
        world.gateway.set_local_time(now, time);
        let called = called(&mut world);
        assert!(
            called.contains(target),
            "day {weekday}, {hour}:00: {called}"
        );
    }
}

#[test]
fn the_clock_goes_on_by_itself() {
    let mut world = house();
    let time = LocalTime {
        weekday: 0,
        second: 8 * 3600 - 60,
    };
    let now = world.now;
    world.gateway.set_local_time(now, time);
    world.run_for(seconds(30));
    assert!(called(&mut world).contains("\"400\""));
    world.run_for(seconds(60));
    assert!(called(&mut world).contains("\"401\""));
}

#[test]
fn who_may_open_is_decided_by_the_route_in_force_when_he_rang() {
    let mut world = World::ready(Options {
        config: CONFIG,
        ..Options::default()
    });
    // Night: 402 is called, and only 777 may open.
    let time = LocalTime {
        weekday: 0,
        second: 23 * 3600,
    };
    let now = world.now;
    world.gateway.set_local_time(now, time);
    let answers = Does::Answers(seconds(1));
    let seen = extra_phones(&mut world, &[("402", answers)]);
    world.visit_until("call_answered");
    world.run_for(seconds(1));
    crate::extra_phones::presses_nine(&mut world, &seen, "402", 1);
    world.wait("door_refused", 1);
    assert!(world.last_words("door_refused").contains("PartyNotAllowed"));
    // The morning comes while they talk: it changes nothing for this visitor.
    let morning = LocalTime {
        weekday: 1,
        second: 7 * 3600,
    };
    let now = world.now;
    world.gateway.set_local_time(now, morning);
    crate::extra_phones::presses_nine(&mut world, &seen, "402", 2);
    world.wait("door_refused", 2);
    assert_eq!(world.opened(), 0);
    world.next_visit_works();
}
