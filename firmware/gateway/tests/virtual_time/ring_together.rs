//! All targets at once: the first that answers has the visitor, the others stop ringing.

use phone::KeyBy;

use crate::extra_phones::{Does, extra_phones, presses_nine};
use crate::world::{Options, World, answers, ms, never_answers, presses, seconds};

const TOGETHER: &str = "ring = \"together\"\ntarget_timeout_s = 10";

fn house(route: &'static str, phone: phone::Script) -> World {
    World::ready(Options {
        targets: "\"401\", \"400\", \"402\"",
        route,
        config: "[call]\nrtp_timeout_s = 60",
        ..Options::with(phone)
    })
}

#[test]
fn the_first_answer_wins_and_the_others_are_told_so() {
    let mut world = house(TOGETHER, presses(ms(1500), &[(2000, '9', KeyBy::Rfc4733)]));
    let seen = extra_phones(&mut world, &[("401", Does::Rings), ("402", Does::Rings)]);
    world.visit_until("call_answered");
    assert_eq!(world.happened("call_placed"), 3);
    assert!(world.last_words("call_answered").contains("\"400\""));
    world.run_for(ms(300));
    for number in ["401", "402"] {
        let cancels = seen.of(number, "CANCEL");
        assert_eq!(cancels.len(), 1, "{number}");
        let reason = cancels[0].headers.get("Reason").unwrap();
        assert_eq!(reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        assert_eq!(seen.count(number, "ACK"), 1, "the 487 of {number}");
    }
    assert_eq!(world.gateway.audio_ports_in_use(), 1);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.next_visit_works();
}

#[test]
fn answers_in_the_same_moment_leave_one_talker_and_the_other_gets_bye() {
    // From well before to well after the answer of the phone that talks; the CANCEL always
    // crosses the 200, or comes too late.
    let mut wins = [0, 0];
    for after in [0, 995, 999, 1000, 1001, 1002, 1003, 1010, 1400] {
        let mut world = house(TOGETHER, answers(ms(1000)));
        let seen = extra_phones(
            &mut world,
            &[("401", Does::Answers(ms(after))), ("402", Does::Rings)],
        );
        world.visit_until("call_answered");
        world.run_for(ms(800));
        assert_eq!(world.happened("call_answered"), 1, "{after}");
        let won = world.last_words("call_answered").contains("\"401\"");
        wins[usize::from(won)] += 1;
        if won {
            assert_eq!(
                (
                    seen.count("401", "BYE"),
                    world.gateway_sent("CANCEL sip:400")
                ),
                (0, 1)
            );
        } else {
            assert_eq!(seen.count("401", "BYE"), 1, "{after}\n{}", world.story());
            // The loser presses the key in the dialog that it believes to have.
            for cseq in 1..4 {
                presses_nine(&mut world, &seen, "401", cseq);
                world.run_for(ms(50));
            }
            assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
        }
        assert_eq!(world.gateway.call_statuses().len(), 1, "{after}");
        world.next_visit_works();
    }
    assert!(wins[0] > 1 && wins[1] > 1, "{wins:?}");
}

#[test]
fn one_who_is_busy_or_declines_leaves_the_others_ringing() {
    let mut world = house(TOGETHER, answers(ms(2000)));
    let seen = extra_phones(
        &mut world,
        &[("401", Does::Refuses(486)), ("402", Does::Refuses(603))],
    );
    world.visit_until("call_answered");
    assert_eq!(world.happened("call_failed"), 2);
    assert_eq!(seen.count("401", "CANCEL") + seen.count("402", "CANCEL"), 0);
    world.next_visit_works();
}

#[test]
fn a_decline_may_end_all_ringing() {
    for (ring, cancelled) in [(TOGETHER, 2), ("", 0)] {
        let mut world = World::ready(Options {
            targets: "\"401\", \"400\", \"402\"",
            route: ring,
            config: "[call]\nwhen_declined = \"stop\"",
            ..Options::with(never_answers())
        });
        let seen = extra_phones(
            &mut world,
            &[("401", Does::Refuses(603)), ("402", Does::Rings)],
        );
        world.visit_until("call_unanswered");
        assert!(world.last_words("call_unanswered").contains("declined"));
        world.run_for(ms(300));
        let cancels = seen.count("402", "CANCEL") + world.gateway_sent("CANCEL sip:400");
        assert_eq!(cancels, cancelled, "{}", world.story());
        assert_eq!(world.phase(), "unanswered");
        assert!(world.gateway.call_statuses().is_empty());
        world.panel.visitor_leave();
        world.settle();
    }
}

#[test]
fn nobody_answers_in_time_and_the_old_handset_rings_on() {
    let mut world = house(TOGETHER, never_answers());
    let seen = extra_phones(&mut world, &[("401", Does::Rings), ("402", Does::Rings)]);
    world.visit_until("call_unanswered");
    let rang = world.time_of("call_unanswered").unwrap() - world.time_of("ring").unwrap();
    assert!(rang >= seconds(10) && rang < ms(10_100), "{rang:?}");
    assert!(world.last_words("call_unanswered").contains("tried: 3"));
    world.run_for(ms(300));
    assert_eq!(seen.count("401", "CANCEL") + seen.count("402", "CANCEL"), 2);
    assert_eq!(
        (&*world.phase(), world.gateway.audio_ports_in_use()),
        ("unanswered", 0)
    );
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_handset_or_a_visitor_who_leaves_stops_all_of_them() {
    for lifts in [true, false] {
        let mut world = house(TOGETHER, never_answers());
        let seen = extra_phones(&mut world, &[("401", Does::Rings), ("402", Does::Rings)]);
        world.visit_until("call_ringing");
        world.run_for(seconds(1));
        if lifts {
            world.lift();
            world.wait("handset_lifted", 1);
        } else {
            world.panel.visitor_leave();
            world.wait("panel_ended", 1);
        }
        world.run_for(ms(300));
        for number in ["401", "402"] {
            let cancels = seen.of(number, "CANCEL");
            assert_eq!(cancels.len(), 1, "{number}");
            // Only who was served elsewhere is no missed call.
            let reason = cancels[0].headers.get("Reason").unwrap();
            assert_eq!(reason.contains("elsewhere"), lifts, "{reason}");
        }
        assert!(world.gateway.call_statuses().is_empty());
        world.next_visit_works();
    }
}

#[test]
fn more_targets_than_audio_ports_ring_as_many_as_there_are_ports() {
    // Four pairs of ports in this building.
    let mut world = World::ready(Options {
        targets: "\"401\", \"402\", \"403\", \"404\", \"405\", \"400\"",
        route: TOGETHER,
        ..Options::with(never_answers())
    });
    let rings = Does::Rings;
    let numbers = ["401", "402", "403", "404", "405"].map(|number| (number, rings));
    let seen = extra_phones(&mut world, &numbers);
    world.visit_until("call_ringing");
    world.run_for(ms(500));
    assert_eq!(world.gateway.audio_ports_in_use(), 4);
    assert_eq!(world.happened("call_failed"), 2);
    assert!(world.last_words("call_failed").contains("audio ports"));
    assert_eq!(seen.count("404", "INVITE"), 1);
    world.panel.visitor_leave();
    world.settle();
}
