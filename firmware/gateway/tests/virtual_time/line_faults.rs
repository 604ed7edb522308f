//! Faults of the wires, idle and in a call.

use line_interface::Drive;
use line_simulation::Fault;
use phone::KeyBy;

use crate::world::{Options, World, answers, ms, presses, seconds};

#[test]
fn a_fault_on_an_idle_line_is_told_with_a_hint_at_the_next_visit() {
    for (fault, kind) in [
        (Fault::Open, "open_pair"),
        (Fault::Stuck, "stuck_off_hook"),
        (Fault::Reversed, "reversed_polarity"),
        (Fault::Short, "short"),
    ] {
        let mut world = World::ready(Options::with(answers(ms(300))));
        world.break_line(fault);
        world.dial();
        world.run_for(seconds(4));
        let told = world.last_words("line_fault");
        assert!(told.contains(kind), "{fault:?}: {told}\n{}", world.story());
        assert_eq!(world.happened("line_fault"), 1, "{fault:?}");
        assert_eq!(world.gateway_sent("INVITE"), 0, "{fault:?}");
        assert_eq!(world.driven(), Drive::SAFE);
        assert_eq!(
            world.gateway.line_statuses()[0].fault.as_deref(),
            Some(kind).filter(|_| world.happened("line_fault_cleared") == 0)
        );
        world.next_visit_works();
        assert_eq!(world.gateway.line_statuses()[0].fault, None, "{fault:?}");
    }
}

#[test]
fn a_fault_in_any_phase_of_a_call_never_opens_and_heals() {
    for fault in [
        Fault::Short,
        Fault::Stuck,
        Fault::RiserShort,
        Fault::Reversed,
        Fault::CardPowerOff,
        Fault::Open,
        Fault::RiserOpen,
    ] {
        for (event, after) in [
            ("call_ringing", 300),
            ("call_answered", 100),
            ("call_answered", 2500),
            ("door_release_started", 50),
        ] {
            for lasts in [100, 2500] {
                let phone = presses(ms(1000), &[(4000, '9', KeyBy::Rfc4733)]);
                let mut world = World::ready(Options::with(phone));
                world.visit_until(event);
                world.run_for(ms(after));
                world.break_line(fault);
                world.run_for(ms(lasts));
                world.mend_line();
                world.run_for(seconds(10));
                world.panel.visitor_leave();
                world.next_visit_works();
            }
        }
    }
}

#[test]
fn a_fault_in_a_call_frees_phone_and_line() {
    let mut world = World::ready(Options::with(answers(ms(500))));
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    world.break_line(Fault::RiserShort);
    world.wait("call_ended", 1);
    world.run_for(seconds(1));
    assert!(!world.phone.is_busy());
    assert_eq!(world.driven(), Drive::SAFE);
    world.next_visit_works();
}
