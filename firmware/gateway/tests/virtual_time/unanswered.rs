//! Nobody takes the visitor: he hears that, and the line is freed.

use line_simulation::PanelEvent;
use peers::wav::{FOUND, Recording};
use phone::{Behaviour, Script, Speaker, speak};

use crate::extra_phones::{Does, extra_phones};
use crate::world::{Options, World, answers, ms, never_answers, seconds};

fn busy() -> Script {
    Script {
        behaviour: Behaviour::Busy,
        ..answers(ms(0))
    }
}

fn house(handset: bool, config: &'static str, phone: Script) -> World {
    World::ready(Options {
        handset,
        config,
        keep_sound: true,
        ..Options::with(phone)
    })
}

/// Level of a tone in what the visitor heard, against all of it.
fn share_of(hertz: f32, samples: &[i16]) -> f32 {
    let step = std::f32::consts::TAU * hertz / 8000.0;
    let (mut best, block) = (0.0_f32, 1600);
    for part in samples.chunks_exact(block) {
        let (mut re, mut im, mut power) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (n, sample) in part.iter().enumerate() {
            let (value, angle) = (f32::from(*sample), step * n as f32);
            re += value * angle.cos();
            im += value * angle.sin();
            power += value * value;
        }
        if power > 1e6 {
            best = best.max(2.0 * (re * re + im * im) / (power * block as f32));
        }
    }
    best
}

#[test]
fn in_the_handsets_place_the_box_plays_a_tone_and_frees_the_line() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let mut world = World::ready(Options {
            brand,
            handset: false,
            keep_sound: true,
            ..Options::with(busy())
        });
        world.visit_until("call_unanswered");
        let from = world.heard_by_visitor.len();
        world.run_until("announcing", seconds(3), |world| {
            world.phase() == "announcing"
        });
        world.wait("line_idle", 1);
        let heard = &world.heard_by_visitor[from..];
        let share = share_of(425.0, heard);
        assert!(share > 0.5, "{brand}: the tone makes up {share}");
        let took = world.time_of("line_idle").unwrap() - world.time_of("call_unanswered").unwrap();
        assert!(took > seconds(3) && took < seconds(20), "{brand}: {took:?}");
        assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
        world.next_visit_works();
    }
}

#[test]
fn a_recording_is_played_instead_and_whole() {
    let words = speak(Speaker::Resident, 2500);
    let mut world = house(true, "[call]\nunanswered = \"tone\"", busy());
    world.gateway.set_failure_sound(words.clone());
    world.visit_until("line_idle");
    let heard = Recording::likeness_of(&words, &world.heard_by_visitor);
    assert!(heard > FOUND, "heard at {heard}");
    world.next_visit_works();
}

#[test]
fn with_an_old_handset_nothing_is_taken_from_it_unless_wanted() {
    for (config, plays) in [
        ("", false),
        ("[call]\nunanswered = \"leave\"", false),
        ("[call]\nunanswered = \"tone\"", true),
    ] {
        let mut world = house(true, config, busy());
        world.visit_until("call_unanswered");
        world.run_for(seconds(2));
        let took = world.saw(PanelEvent::Answered) > 0;
        assert_eq!(took, plays, "{config}\n{}", world.story());
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn no_answer_the_ring_limit_and_a_missing_number_end_in_the_same_way() {
    for (phone, config, why) in [
        (
            never_answers(),
            "[call]\nunanswered = \"tone\"\nring_limit_s = 6",
            "ring limit",
        ),
        (busy(), "[call]\nunanswered = \"tone\"", "Busy"),
        (answers(ms(0)), "[call]\nunanswered = \"tone\"", "Not Found"),
    ] {
        let mut world = house(true, config, phone);
        if why == "Not Found" {
            extra_phones(&mut world, &[("400", Does::Refuses(404))]);
        }
        world.visit_until("line_idle");
        assert_eq!(world.happened("call_unanswered"), 1, "{why}");
        let told = world.last_words("call_unanswered");
        assert!(told.contains(why), "{told}");
        assert_eq!(
            world.saw(PanelEvent::Answered),
            1,
            "{why}\n{}",
            world.story()
        );
        world.next_visit_works();
    }
}

#[test]
fn a_lifted_handset_a_visitor_who_leaves_and_a_lost_card_end_the_tone() {
    for what in 0..4 {
        let mut world = house(true, "[call]\nunanswered = \"tone\"", busy());
        world.visit_until("call_unanswered");
        world.run_for(ms(1500));
        assert_eq!(world.phase(), "announcing");
        match what {
            0 => world.lift(),
            1 => world.panel.visitor_leave(),
            2 => {
                world.promises.without_key += 1;
                world.lose_card();
            }
            _ => {
                let now = world.now;
                world.gateway.shutdown(now);
                world.run_until("quiet", seconds(10), |world| world.gateway.is_quiet());
                continue;
            }
        }
        world.run_for(seconds(2));
        assert_ne!(world.phase(), "announcing", "{what}\n{}", world.story());
        world.next_visit_works();
    }
}

#[test]
fn nobody_is_joined_to_a_visitor_who_is_told_that_nobody_answers() {
    let mut world = house(true, "[call]\nunanswered = \"tone\"", busy());
    world.visit_until("call_unanswered");
    world.run_for(ms(1500));
    world.inject_invite("late", "42", "400", "400");
    world.run_for(ms(200));
    assert_eq!(world.last_status_to("INVITE"), Some(480));
    assert_eq!(world.phase(), "announcing");
    // Nor does a technician open under it.
    let now = world.now;
    let opened = world.gateway.door_test(now, 0, call::Cause::Cli);
    assert_eq!(opened, Err(call::Refusal::NoCall));
    world.next_visit_works();
}
