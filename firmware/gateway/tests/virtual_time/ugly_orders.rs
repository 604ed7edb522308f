//! Events that cross each other on the wires.

use phone::{KeyBy, PhoneEvent};

use crate::world::{Disk, Options, Verdict, World, answers, ms, presses, seconds};

fn building(phone: phone::Script) -> World {
    World::ready(Options::with(phone))
}

#[test]
fn a_cancel_that_crosses_the_200_leaves_no_call() {
    // The visitor leaves around the moment of the answer, a millisecond apart each time; the
    // answer travels for 30 ms.
    for early in (0..60).step_by(3) {
        let mut world = building(answers(ms(1000)));
        world.weather.delay = ms(30);
        world.visit_until("call_ringing");
        world.run_for(ms(905 + early));
        world.panel.visitor_leave();
        world.run_for(seconds(4));
        assert!(!world.phone.is_busy(), "{early}\n{}", world.story());
        assert!(world.gateway.call_statuses().is_empty(), "{early}");
        world.next_visit_works();
    }
}

#[test]
fn a_handset_that_is_lifted_as_the_200_travels_wins() {
    for early in (0..120).step_by(6) {
        let mut world = building(answers(ms(1000)));
        world.weather.delay = ms(30);
        world.visit_until("call_ringing");
        world.run_for(ms(850 + early));
        world.lift();
        world.run_for(seconds(2));
        assert_eq!(world.phase(), "handset", "{early}\n{}", world.story());
        assert!(!world.phone.is_busy(), "{early}\n{}", world.story());
        assert_eq!(world.opened(), 0);
        world.next_visit_works();
    }
}

#[test]
fn a_visitor_who_leaves_in_the_block_of_the_answer_is_no_call() {
    for late in 0..24 {
        let mut world = building(answers(ms(300 + 5 * late)));
        world.visit_until("call_ringing");
        world.run_for(ms(350));
        world.panel.visitor_leave();
        world.run_for(seconds(8));
        assert_eq!(world.phase(), "idle", "{late}\n{}", world.story());
        assert!(!world.phone.is_busy(), "{late}");
        assert_eq!(world.opened(), 0);
    }
}

#[test]
fn a_panel_that_gives_up_in_the_block_of_the_answer_is_no_call() {
    // The panel rings for 30 s; our INVITE leaves 50 ms after its first burst began.
    for early in 0..20 {
        let mut world = World::ready(Options {
            route: "target_timeout_s = 40",
            config: "[call]\ntalk_limit_s = 10",
            ..Options::with(answers(ms(29_840 + 10 * early)))
        });
        world.visit_until("call_ended");
        world.run_for(seconds(8));
        assert_eq!(world.phase(), "idle", "{early}\n{}", world.story());
        assert!(!world.phone.is_busy(), "{early}\n{}", world.story());
        assert_eq!(world.opened(), 0);
        world.next_visit_works();
    }
}

#[test]
fn a_key_in_the_last_packet_before_bye_opens_once() {
    for by in [KeyBy::Rfc4733, KeyBy::InfoRelay] {
        for disk in [ms(1), ms(100), seconds(9)] {
            let mut world = World::ready(Options {
                disk: Disk::TakesIn(disk),
                ..Options::with(answers(ms(300)))
            });
            world.visit_until("call_answered");
            world.run_for(seconds(3));
            world.press('9', by);
            world.run_for(ms(3));
            world.hang_up();
            world.run_for(seconds(6));
            assert_eq!(world.opened(), 1, "{by:?} {disk:?}\n{}", world.story());
            assert_eq!(world.records("door_opened"), 1);
            assert_eq!(world.happened("door_release_failed"), 0);
            world.next_visit_works();
        }
    }
}

#[test]
fn a_key_and_a_hang_up_before_the_line_has_settled_open_once() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let mut world = World::ready(Options {
            brand,
            ..Options::with(answers(ms(300)))
        });
        world.visit_until("call_answered");
        world.run_for(ms(60));
        world.press('9', KeyBy::InfoRelay);
        world.run_for(ms(100));
        world.hang_up();
        world.run_for(seconds(8));
        assert_eq!(world.opened(), 1, "{brand}\n{}", world.story());
        assert_eq!(world.happened("door_release_failed"), 0, "{brand}");
        world.next_visit_works();
    }
}

#[test]
fn a_key_pressed_before_the_line_has_settled_opens_once() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        for after in [5, 50, 400, 1100] {
            for by in [KeyBy::Rfc4733, KeyBy::InfoDtmf] {
                let mut world = World::ready(Options {
                    brand,
                    ..Options::with(presses(ms(300), &[(after, '9', by)]))
                });
                world.visit_until("line_idle");
                assert_eq!(world.opened(), 1, "{brand} {after}\n{}", world.story());
                assert_eq!(world.records("door_opened"), 1);
            }
        }
    }
}

#[test]
fn byes_that_cross_end_the_call_on_both_sides() {
    for early in 0..10 {
        let mut world = World::ready(Options {
            config: "[call]\ntalk_limit_s = 10",
            ..Options::with(answers(ms(300)))
        });
        world.weather.delay = ms(30);
        world.visit_until("call_answered");
        world.run_for(ms(9950 + 10 * early));
        world.hang_up();
        world.run_for(seconds(2));
        assert_eq!(world.happened("call_ended"), 1);
        assert!(!world.phone.is_busy() && world.gateway.call_statuses().is_empty());
        world.next_visit_works();
    }
}

#[test]
fn two_presses_of_one_key_50_ms_apart_never_open_twice() {
    for apart in [50, 100, 150] {
        let keys = [
            (2500, '9', KeyBy::Rfc4733),
            (2500 + apart, '9', KeyBy::Rfc4733),
        ];
        let mut world = building(presses(ms(300), &keys));
        world.visit_until("line_idle");
        assert_eq!(world.opened(), 1, "{apart}");
        assert_eq!(world.records("door_opened"), 1, "{apart}");
        assert!(world.records("door_refused") <= 1, "{apart}");
    }
}

#[test]
fn two_different_keys_50_ms_apart_are_both_taken() {
    for by in [KeyBy::InfoRelay, KeyBy::Rfc4733] {
        let mut world = World::ready(Options {
            config: "[door]\ndigits = \"19\"",
            ..Options::with(presses(ms(300), &[(2500, '1', by), (2550, '9', by)]))
        });
        world.visit_until("line_idle");
        assert_eq!(world.opened(), 1, "{by:?}\n{}", world.story());
    }
}

#[test]
fn copied_and_reordered_keys_open_once() {
    for seed in 0..25 {
        for by in [KeyBy::Rfc4733, KeyBy::InfoRelay, KeyBy::InfoDtmf] {
            let mut world = World::ready(Options {
                seed,
                ..Options::with(presses(ms(300), &[(2500, '9', by)]))
            });
            world.visit_until("call_answered");
            world.weather.jitter = ms(120);
            world.weather.duplicates = 600;
            world.wait("line_idle", 1);
            assert_eq!(world.opened(), 1, "{seed} {by:?}\n{}", world.story());
            assert_eq!(world.records("door_opened"), 1);
            assert_eq!(world.records("door_refused"), 0);
        }
    }
}

#[test]
fn a_key_opens_although_most_of_its_packets_are_lost() {
    let mut opened = 0;
    for seed in 0..20 {
        let mut world = World::ready(Options {
            seed,
            ..Options::with(presses(ms(300), &[(2500, '9', KeyBy::Rfc4733)]))
        });
        world.visit_until("call_answered");
        world.run_for(ms(2400));
        world.weather.loss = 500;
        world.run_for(ms(600));
        world.weather.loss = 0;
        world.wait("line_idle", 1);
        opened += world.opened();
    }
    assert!(opened >= 19, "{opened} of 20");
}

#[test]
fn an_answer_sent_again_and_again_is_one_call() {
    let mut world = building(presses(ms(300), &[(2500, '9', KeyBy::Rfc4733)]));
    let mut acks = 0;
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        if ours && bytes.starts_with(b"ACK") && acks < 4 {
            acks += 1;
            Verdict::Lose
        } else {
            Verdict::Pass
        }
    }));
    world.visit_until("line_idle");
    assert_eq!(world.happened("call_answered"), 1);
    assert_eq!(world.opened(), 1);
    assert!(world.phone_saw(|event| *event == PhoneEvent::Answered) == 1);
    assert!(world.gateway_sent("ACK") >= 5);
}

#[test]
fn a_bye_that_overtakes_the_200_leaves_the_line_free() {
    let mut world = building(answers(ms(300)));
    let mut held = false;
    world.network.watcher = Some(Box::new(move |ours, bytes| {
        let answer = !ours && bytes.starts_with(b"SIP/2.0 200") && find(bytes, b"m=audio");
        if answer && !held {
            held = true;
            return Verdict::Hold(ms(400));
        }
        Verdict::Pass
    }));
    world.visit_until("call_ringing");
    world.run_for(ms(500));
    world.hang_up();
    world.run_for(seconds(3));
    assert_ne!(world.phase(), "talking", "{}", world.story());
    assert_eq!(world.gateway.audio_ports_in_use(), 0);
    world.panel.visitor_leave();
    world.next_visit_works();
}

fn find(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
