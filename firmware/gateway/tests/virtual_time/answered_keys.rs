//! The phone answers and a key opens the door, whichever way it travels.

use phone::KeyBy;

use crate::world::{Options, World, ms, presses, seconds};

fn keys(keys: &[(u64, char, KeyBy)]) -> World {
    let mut world = World::ready(Options::with(presses(ms(400), keys)));
    world.visit_until("call_ended");
    world.settle();
    world
}

#[test]
fn an_rfc4733_key_opens_once() {
    let world = keys(&[(2000, '9', KeyBy::Rfc4733)]);
    assert_eq!(world.opened(), 1);
    assert_eq!(world.records("door_opened"), 1);
    assert_eq!(world.records("door_refused"), 0);
    let record = world.last_words("door_opened");
    for part in ["apt42", "42", "\"400\"", "Dtmf"] {
        assert!(record.contains(part), "{part} in {record}");
    }
    assert!(world.last_words("digit").contains("rfc4733"));
}

#[test]
fn an_info_relay_key_opens_once() {
    let world = keys(&[(2000, '9', KeyBy::InfoRelay)]);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert!(world.last_words("digit").contains("info_dtmf_relay"));
}

#[test]
fn an_info_dtmf_key_opens_once() {
    let world = keys(&[(2000, '9', KeyBy::InfoDtmf)]);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert!(world.last_words("digit").contains("info_dtmf"));
}

#[test]
fn one_press_that_comes_both_ways_opens_once() {
    for info in [KeyBy::InfoRelay, KeyBy::InfoDtmf] {
        for late in [0, 40, 300, 900] {
            for (first, second) in [(KeyBy::Rfc4733, info), (info, KeyBy::Rfc4733)] {
                let world = keys(&[(2000, '9', first), (2000 + late, '9', second)]);
                let story = || format!("{first:?} then {second:?} {late} ms later");
                assert_eq!(world.opened(), 1, "{}", story());
                assert_eq!(world.records("door_opened"), 1, "{}", story());
                assert_eq!(world.records("door_refused"), 0, "{}", story());
            }
        }
    }
}

#[test]
fn every_other_key_opens_nothing() {
    for key in "012345678*#ABCD".chars() {
        for by in [KeyBy::Rfc4733, KeyBy::InfoRelay, KeyBy::InfoDtmf] {
            let mut script = presses(ms(300), &[(2000, key, by)]);
            script.hang_up_after = Some(seconds(4));
            let mut world = World::ready(Options::with(script));
            world.visit_until("call_ended");
            assert_eq!(world.opened(), 0, "{key}");
            assert_eq!(world.happened("digit"), 1, "{key} by {by:?}");
        }
    }
}

#[test]
fn a_code_of_several_keys_opens_when_whole() {
    for (pressed, opens) in [("19#", 1), ("119#", 1), ("1#9", 0), ("9#1", 0), ("19", 0)] {
        let keys: Vec<_> = pressed
            .chars()
            .enumerate()
            .map(|(at, key)| (2000 + 400 * at as u64, key, KeyBy::Rfc4733))
            .collect();
        let mut script = presses(ms(300), &keys);
        script.hang_up_after = Some(seconds(6));
        let mut world = World::ready(Options {
            config: "[door]\ndigits = \"19#\"",
            ..Options::with(script)
        });
        world.visit_until("call_ended");
        world.settle();
        assert_eq!(world.opened(), opens, "{pressed}");
    }
}

#[test]
fn two_presses_with_a_pause_open_twice() {
    let world = keys(&[(2000, '9', KeyBy::Rfc4733), (4500, '9', KeyBy::Rfc4733)]);
    assert_eq!(world.records("door_opened"), 2);
    assert_eq!(world.happened("door_release_ended"), 2);
}

#[test]
fn a_press_while_the_door_is_released_is_refused_and_recorded() {
    let world = keys(&[(2000, '9', KeyBy::Rfc4733), (2250, '9', KeyBy::Rfc4733)]);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert_eq!(world.records("door_refused"), 1);
    assert!(world.last_words("door_refused").contains("AlreadyOpening"));
}

#[test]
fn several_visits_in_a_row_are_alike() {
    let mut world = World::ready(Options::default());
    for visit in 1..=6 {
        world.visit_until("line_idle");
        world.settle();
        assert_eq!(world.opened(), visit);
        assert_eq!(world.records("door_opened"), visit);
        world.run_for(ms(370 * visit as u64));
    }
}
