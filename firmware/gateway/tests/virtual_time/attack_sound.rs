//! Tones are sound and never commands, whoever makes them.

use crate::world::{Options, World, answers, ms, seconds};

/// DTMF `key` of the given length, loud.
fn dtmf(key: char, length_ms: usize) -> Vec<i16> {
    let at = "123A456B789C*0#D".find(key).unwrap();
    let low = [697.0, 770.0, 852.0, 941.0][at / 4];
    let high = [1209.0, 1336.0, 1477.0, 1633.0][at % 4];
    (0..length_ms * 8)
        .map(|n| {
            let t = n as f32 / 8000.0 * std::f32::consts::TAU;
            ((t * low).sin() * 12_000.0 + (t * high).sin() * 12_000.0) as i16
        })
        .collect()
}

fn nothing_counted(world: &World) {
    assert_eq!(world.opened(), 0);
    assert_eq!(world.happened("digit"), 0, "{}", world.story());
    assert_eq!(
        world.records("door_opened") + world.records("door_refused"),
        0
    );
}

#[test]
fn dtmf_said_at_the_panel_never_opens() {
    for brand in ["vizit", "cyfral", "eltis", "metakom"] {
        let mut world = World::ready(Options {
            brand,
            ..Options::with(answers(ms(300)))
        });
        world.visit_until("call_answered");
        for key in "1234567890*#9ABCD9".chars() {
            world.panel.visitor_say(&dtmf(key, 120));
            world.run_for(ms(250));
        }
        world.panel.visitor_say(&dtmf('9', 3000));
        world.run_for(seconds(5));
        assert_eq!(world.phase(), "talking", "{brand}");
        nothing_counted(&world);
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn dtmf_said_into_the_old_handset_or_while_it_rings_never_opens() {
    let mut world = World::ready(Options::with(answers(seconds(5))));
    world.visit_until("call_ringing");
    world.panel.visitor_say(&dtmf('9', 3000));
    world.run_for(seconds(1));
    world.lift();
    world.panel.resident_say(&dtmf('9', 3000));
    world.run_for(seconds(4));
    nothing_counted(&world);
    world.next_visit_works();
}

#[test]
fn in_band_tones_of_the_phone_and_their_echo_never_open() {
    let mut script = answers(ms(300));
    for _ in 0..12 {
        script.says.extend(dtmf('9', 150));
        script.says.extend([0; 1200]);
    }
    // The loudspeaker's tone comes back through the panel's microphone and the hybrid.
    let mut world = World::ready(Options::with(script));
    world.visit_until("call_answered");
    world.run_for(seconds(6));
    nothing_counted(&world);
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn speech_that_is_full_of_tones_never_opens() {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    let voice = phone::speak(phone::Speaker::Visitor, 8000);
    let mixed: Vec<i16> = voice
        .iter()
        .zip(dtmf('9', 8000))
        .map(|(voice, tone)| voice.saturating_add(tone / 2))
        .collect();
    world.panel.visitor_say(&mixed);
    world.run_for(seconds(9));
    nothing_counted(&world);
}
