//! A visitor dials, a phone rings, they talk, 9 opens the door.

use line_simulation::PanelEvent;
use peers::wav::{FOUND, Recording};
use phone::{Speaker, speak};

use crate::world::{Options, World, ms, seconds};

#[test]
fn the_door_opens_once_and_both_hear_each_other() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let mut options = Options {
            brand,
            ..Options::default()
        };
        options.keep_sound = true;
        // One after the other, so that each recording tells clearly who is heard.
        options.phone.says = vec![0; 8 * 3300];
        options.phone.says.extend(speak(Speaker::Resident, 3000));
        options.phone.keys[0].after = seconds(7);
        let mut world = World::new(options);
        world.wait_registered();
        world.run_for(seconds(1));
        world.dial();
        world.run_until("answer", seconds(20), |world| {
            world.happened("call_answered") == 1
        });
        let visitor = speak(Speaker::Visitor, 3000);
        world.panel.visitor_say(&visitor);
        world.run_until("lock", seconds(10), |world| {
            world.saw(PanelEvent::LockOpened) == 1
        });
        world.run_until("idle line", seconds(40), |world| {
            world.happened("line_idle") == 1
        });
        world.run_for(seconds(3));
        assert_eq!(
            world.saw(PanelEvent::LockOpened),
            1,
            "{brand}\n{}",
            world.story()
        );
        let opened: Vec<_> = world
            .journal
            .iter()
            .filter(|(_, event)| event.name() == "door_opened")
            .collect();
        assert_eq!(opened.len(), 1, "{brand}");
        let heard = Recording::likeness_of(&visitor, world.phone.heard());
        assert!(
            heard > FOUND,
            "{brand}: the phone heard the visitor at {heard}"
        );
        let heard =
            Recording::likeness_of(&speak(Speaker::Resident, 3000), &world.heard_by_visitor);
        assert!(
            heard > FOUND,
            "{brand}: the visitor heard the resident at {heard}"
        );
        assert_eq!(world.phase(), "idle");
    }
}

#[test]
fn a_second_visitor_is_served_like_the_first() {
    let mut world = World::new(Options::default());
    world.wait_registered();
    for visit in 1..=3 {
        world.dial();
        world.run_until("lock", seconds(30), |world| {
            world.saw(PanelEvent::LockOpened) == visit
        });
        world.run_until("idle", seconds(40), |world| {
            world.happened("line_idle") == visit
        });
        world.run_until("panel idle", seconds(40), |world| {
            world.saw(PanelEvent::Idle) >= visit
        });
        world.run_for(ms(500));
    }
    assert_eq!(
        world
            .journal
            .iter()
            .filter(|(_, event)| event.name() == "door_opened")
            .count(),
        3
    );
}
