//! A technician's headset on a line: who hears whom, and that it is told and ends by itself.

use line_simulation::PanelEvent;
use peers::wav::{FOUND, Recording};
use phone::{Speaker, speak};
use trubka_gateway::HeadsetMode;

use crate::world::{Options, World, seconds};

/// A visit with all three speaking one after the other; gives the world and what the headset heard.
fn visit(mode: HeadsetMode) -> (World, Vec<i16>) {
    let mut options = Options {
        keep_sound: true,
        ..Options::default()
    };
    options.phone.says = vec![0; 8 * 3300];
    options.phone.says.extend(speak(Speaker::Resident, 3000));
    options.phone.keys[0].after = seconds(14);
    let mut world = World::new(options);
    world.wait_registered();
    world.join_headset(mode, seconds(60));
    world.run_for(seconds(1));
    world.dial();
    world.run_until("answer", seconds(20), |world| {
        world.happened("call_answered") == 1
    });
    world.panel.visitor_say(&speak(Speaker::Visitor, 3000));
    world.run_for(seconds(7));
    world.headset_says(&speak(Speaker::Technician, 3000));
    world.run_until("lock", seconds(15), |world| {
        world.saw(PanelEvent::LockOpened) == 1
    });
    world.run_until("idle line", seconds(40), |world| {
        world.happened("line_idle") == 1
    });
    let heard = world.headset_heard().to_vec();
    (world, heard)
}

fn hears(recording: &[i16], speaker: Speaker) -> f64 {
    f64::from(Recording::likeness_of(&speak(speaker, 3000), recording))
}

#[test]
fn it_hears_street_and_phone_and_is_heard_only_when_it_talks() {
    for mode in [HeadsetMode::Listen, HeadsetMode::Talk] {
        let (world, heard) = visit(mode);
        let found = f64::from(FOUND);
        for speaker in [Speaker::Visitor, Speaker::Resident] {
            let likeness = hears(&heard, speaker);
            assert!(likeness > found, "{mode:?} {speaker:?}: {likeness}");
        }
        let talks = mode == HeadsetMode::Talk;
        let on_the_phone = hears(world.phone.heard(), Speaker::Technician);
        let in_the_street = hears(&world.heard_by_visitor, Speaker::Technician);
        assert_eq!(on_the_phone > found, talks, "{mode:?}: {on_the_phone}");
        assert_eq!(in_the_street > found, talks, "{mode:?}: {in_the_street}");
        // Nobody else loses anything by it.
        assert!(hears(world.phone.heard(), Speaker::Visitor) > found);
        assert!(hears(&world.heard_by_visitor, Speaker::Resident) > found);
        assert_eq!(world.saw(PanelEvent::LockOpened), 1);
        assert_eq!(world.happened("headset"), 1);
    }
}

#[test]
fn a_forgotten_headset_leaves_and_commands_nothing() {
    let mut world = World::new(Options::default());
    world.wait_registered();
    world.join_headset(HeadsetMode::Talk, seconds(20));
    world.run_for(seconds(19));
    assert_eq!(world.happened("headset"), 1);
    world.run_for(seconds(2));
    assert_eq!(world.happened("headset"), 2);
    assert!(world.gateway.headset_line().is_none());
    // On a line without a call it changes nothing: no load, no relay, no call.
    assert_eq!(world.happened("call_placed"), 0);
    assert_eq!(world.saw(PanelEvent::LockOpened), 0);
    assert_eq!(world.phase(), "idle");
}
