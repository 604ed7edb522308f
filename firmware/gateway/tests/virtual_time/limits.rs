//! Talk limit, wrong keys.

use phone::KeyBy;

use crate::world::{Options, World, answers, ms, presses, seconds};

#[test]
fn the_talk_limit_ends_the_call_on_both_sides() {
    let mut world = World::ready(Options {
        config: "[call]\ntalk_limit_s = 12",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_ended");
    assert!(world.last_words("call_ended").contains("talk limit"));
    let talked = world.now - world.time_of("call_answered").unwrap();
    assert!(talked >= seconds(12) && talked < ms(12_100), "{talked:?}");
    world.run_for(ms(100));
    assert_eq!(world.gateway_sent("BYE"), 1);
    world.next_visit_works();
}

#[test]
fn the_panels_own_talk_limit_ends_the_call() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_ended");
    assert!(
        world.last_words("call_ended").contains("panel"),
        "{}",
        world.story()
    );
    world.next_visit_works();
}

#[test]
fn too_many_wrong_keys_lock_the_call_and_not_the_next_one() {
    let mut keys: Vec<_> = (0..5)
        .map(|at| (2000 + 300 * at, '1', KeyBy::Rfc4733))
        .collect();
    keys.push((4500, '9', KeyBy::Rfc4733));
    keys.push((5500, '9', KeyBy::Rfc4733));
    let mut script = presses(ms(300), &keys);
    script.hang_up_after = Some(seconds(8));
    let mut world = World::ready(Options {
        config: "[door]\nmax_wrong_digits = 5",
        ..Options::with(script)
    });
    world.visit_until("call_ended");
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    // One for reaching the limit, one for each whole code after it.
    assert_eq!(world.records("door_refused"), 3);
    assert!(
        world
            .last_words("door_refused")
            .contains("TooManyWrongDigits")
    );
    world.next_visit_works();
}

#[test]
fn guessing_a_code_key_by_key_runs_into_the_limit() {
    let mut world = World::ready(Options {
        config: "[door]\ndigits = \"7391\"\nmax_wrong_digits = 20",
        ..Options::with(answers(ms(300)))
    });
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    'guessing: for code in 0..10_000 {
        for key in format!("{code:04}").chars() {
            world.press(key, KeyBy::InfoRelay);
            world.run_for(ms(20));
            if world.phase() != "talking" {
                break 'guessing;
            }
        }
    }
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    assert!(world.records("door_refused") >= 1);
}

#[test]
fn the_call_ends_some_seconds_after_the_opening() {
    for (config, ends_ms) in [("", 5000), ("[door]\nhangup_after_open_s = 2", 2000)] {
        let mut world = World::ready(Options {
            config,
            ..Options::default()
        });
        world.visit_until("call_ended");
        assert!(world.last_words("call_ended").contains("door opened"));
        let after = world.now - world.time_of("door_release_ended").unwrap();
        assert!(
            after >= ms(ends_ms) && after <= ms(ends_ms + 50),
            "{after:?}"
        );
    }
}

#[test]
fn without_a_time_the_call_stays_up_after_the_opening() {
    let mut world = World::ready(Options {
        config: "[door]\nhangup_after_open_s = 0",
        ..Options::default()
    });
    world.visit_until("door_release_ended");
    world.run_for(seconds(15));
    assert_eq!(world.phase(), "talking");
    world.next_visit_works();
}
