//! Switches and pulse lines: the apartment is read for every call, and what is nobody's stays untouched.

use line_interface::{Drive, DriveSide, Load};
use line_simulation::{Fault, PanelEvent};
use peers::wav::{FOUND, Recording};
use phone::{Speaker, speak};

use crate::world::{Options, Topology, World, answers, ms, seconds};

const ALL: [Topology; 4] = [
    Topology::Matrix("bk-4", DriveSide::Tens),
    Topology::Matrix("km20-1", DriveSide::Units),
    Topology::Matrix("factorial-8x8", DriveSide::Tens),
    Topology::Pulse,
];

#[test]
fn the_called_door_opens_once_and_both_hear_each_other() {
    for topology in ALL {
        let mut options = Options {
            topology,
            brand: "eltis",
            ..Options::default()
        };
        options.keep_sound = true;
        options.phone.says = vec![0; 8 * 3300];
        options.phone.says.extend(speak(Speaker::Resident, 3000));
        options.phone.keys[0].after = seconds(7);
        let mut world = World::ready(options);
        world.visit_until("call_answered");
        let status = &world.gateway.line_statuses()[0];
        assert_eq!(status.apartment, Some(42), "{topology:?}");
        assert!(!status.code.is_empty());
        world.run_for(ms(300));
        let visitor = speak(Speaker::Visitor, 3000);
        world.panel.visitor_say(&visitor);
        world.wait("line_idle", 1);
        assert_eq!(world.opened(), 1, "{topology:?}\n{}", world.story());
        assert_eq!(world.records("door_opened"), 1);
        assert!(world.last_words("door_opened").contains("apartment: 42"));
        let heard = Recording::likeness_of(&visitor, world.phone.heard());
        assert!(heard > FOUND, "{topology:?}: the phone heard {heard}");
        let resident = speak(Speaker::Resident, 3000);
        let heard = Recording::likeness_of(&resident, &world.heard_by_visitor);
        assert!(heard > FOUND, "{topology:?}: the visitor heard {heard}");
        assert_eq!(world.happened("line_fault"), 0, "{}", world.story());
    }
}

#[test]
fn a_neighbour_without_a_route_is_journalled_and_left_to_the_old_handset() {
    for topology in ALL {
        let mut world = World::ready(Options {
            topology,
            ..Options::default()
        });
        world.dial_apartment(43);
        world.wait("unknown_apartment", 1);
        assert_eq!(world.phase(), "unserved");
        // The box is called for the neighbour and refuses; the tool is refused too.
        world.phone.call(world.now, "600");
        let line = 0;
        assert!(
            world
                .gateway
                .door_test(world.now, line, call::Cause::Cli)
                .is_err()
        );
        world.run_for(seconds(1));
        world.lift();
        world.wait_panel(PanelEvent::Answered);
        world.run_for(seconds(2));
        assert_eq!(world.driven(), Drive::SAFE);
        world.hold_button(true);
        world.wait_panel(PanelEvent::LockOpened);
        world.hold_button(false);
        world.run_for(seconds(1));
        world.replace();
        world.panel.visitor_leave();
        world.wait("line_idle", 1);
        assert_eq!(world.gateway_sent("INVITE"), 0, "{}", world.story());
        for none in ["ring", "handset_lifted", "handset_replaced", "door_opened"] {
            assert_eq!(
                world.happened(none),
                0,
                "{topology:?} {none}\n{}",
                world.story()
            );
        }
        world.next_visit_works();
    }
}

#[test]
fn buses_that_name_no_one_pair_are_told_with_a_reason_and_nothing_is_loaded() {
    let topology = Topology::Matrix("km20-1", DriveSide::Tens);
    for ringing in [false, true] {
        let mut world = World::ready(Options {
            topology,
            ..Options::with(answers(seconds(4)))
        });
        if ringing {
            world.visit_until("call_ringing");
            world.break_line(Fault::BusShort);
        } else {
            world.panel.visitor_dial(42);
            world.run_for(ms(100));
            world.break_line(Fault::BusShort);
        }
        world.wait("line_fault", 1);
        let told = world.last_words("line_fault");
        assert!(
            told.contains("bus_short") || told.contains("ambiguous"),
            "{told}"
        );
        assert!(
            told.contains("look for") || told.contains("two panels"),
            "{told}"
        );
        world.run_for(seconds(5));
        assert_eq!(world.driven().load, Load::Off);
        assert_eq!(world.connected(), None);
        assert!(
            world.gateway.call_statuses().is_empty(),
            "{}",
            world.story()
        );
        world.mend_line();
        world.panel.visitor_leave();
        world.wait("line_fault_cleared", 1);
        world.next_visit_works();
    }
}

#[test]
fn a_call_turns_to_the_next_apartment_with_its_own_route() {
    for topology in ALL {
        let mut world = World::ready(Options {
            topology,
            ..Options::with(answers(seconds(3)))
        });
        world.dial_apartment(41);
        world.wait("call_placed", 1);
        assert!(world.last_words("call_placed").contains("499"));
        world.panel.visitor_leave();
        world.run_until("the panel rests", seconds(20), |world| {
            world.saw(PanelEvent::Idle) == 1
        });
        world.dial_apartment(42);
        world.wait("call_placed", 2);
        assert!(world.last_words("call_placed").contains("400"));
        world.next_visit_works();
    }
}
