//! What a call sounded like, gains of an apartment, and silencing one side.

use call::{CallFigures, Event};
use config::LocalTime;
use peers::wav::Recording;
use phone::{Speaker, speak};

use crate::world::{Options, Weather, World, answers, ms, seconds};

fn figures(world: &World) -> CallFigures {
    match world.last("call_quality") {
        Some(Event::CallQuality(figures)) => (**figures).clone(),
        other => panic!("{other:?}"),
    }
}

fn house(options: Options) -> World {
    let mut script = answers(ms(300));
    script.says = vec![0; 8000];
    script.says.extend(speak(Speaker::Resident, 5000));
    let mut world = World::ready(Options {
        keep_sound: true,
        phone: script,
        ..options
    });
    let (weekday, second) = (2, 12 * 3600);
    let now = world.now;
    world
        .gateway
        .set_local_time(now, LocalTime { weekday, second });
    world.visit_until("call_answered");
    world.run_for(seconds(6));
    let words = speak(Speaker::Visitor, 4000);
    world.panel.visitor_say(&words);
    world.run_for(seconds(5));
    world
}

#[test]
fn every_answered_call_leaves_its_figures_once() {
    let mut world = house(Options::default());
    let status = world.gateway.call_statuses().remove(0);
    assert_eq!(
        (
            status.figures.codec.as_str(),
            status.figures.encryption.as_str()
        ),
        ("PCMA", "none")
    );
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    assert_eq!(world.happened("call_quality"), 1, "{}", world.story());
    let told = figures(&world);
    assert_eq!((told.line.as_str(), told.party.as_str()), ("apt42", "400"));
    assert_eq!(
        (told.account.as_str(), told.dtmf_mode.as_str()),
        ("pbx", "rfc4733")
    );
    assert!(
        (10_000..14_000).contains(&told.talk_ms.unwrap()),
        "{told:?}"
    );
    assert!(told.packets_received > 500 && told.lost == 0, "{told:?}");
    assert_eq!(told.concealed_percent, 0.0, "{told:?}");
    assert!(told.mos.is_some_and(|mos| mos > 4.3), "{told:?}");
    for level in [
        told.from_line_dbm0,
        told.to_phone_dbm0,
        told.from_phone_dbm0,
        told.to_line_dbm0,
    ] {
        assert!(
            level.is_some_and(|level| (-45.0..3.2).contains(&level)),
            "{told:?}"
        );
    }
    world.next_visit_works();
    assert_eq!(world.happened("call_quality"), 2);
}

#[test]
fn a_bad_network_shows() {
    let mut world = house(Options {
        weather: Weather {
            loss: 50,
            jitter: ms(12),
            ..Weather::fine()
        },
        ..Options::default()
    });
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    let told = figures(&world);
    assert!((1.0..12.0).contains(&told.lost_percent), "{told:?}");
    assert!((1.0..20.0).contains(&told.concealed_percent), "{told:?}");
    assert!(
        told.jitter_ms > 1.0 && told.mos.is_some_and(|mos| mos < 4.3),
        "{told:?}"
    );
}

#[test]
fn an_unanswered_call_has_no_figures() {
    let mut world = World::ready(Options::with(crate::world::never_answers()));
    world.visit_until("call_ringing");
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    assert_eq!(world.happened("call_quality"), 0);
}

#[test]
fn the_gains_of_the_apartment_go_before_those_of_the_box() {
    let level = |config: &'static str, route: &'static str| {
        let mut world = house(Options {
            config,
            route,
            ..Options::default()
        });
        world.panel.visitor_leave();
        world.run_for(seconds(5));
        let told = figures(&world);
        told.to_line_dbm0.unwrap() - told.from_phone_dbm0.unwrap()
    };
    let flat = level("", "");
    let quiet = level("[media]\ngain_to_line_db = -12", "");
    let apartment = level("[media]\ngain_to_line_db = -12", "gain_to_line_db = -6");
    let by_day = "[media]\ngain_to_line_db = -12\n\
        [[schedule]]\nname = \"day\"\nfrom = \"08:00\"\nto = \"18:00\"\n\
        [[route]]\napartment = 42\nwhen = \"day\"\ntargets = [\"400\"]\ngain_to_line_db = -3\n";
    let in_force = level(by_day, "gain_to_line_db = -6");
    // Pauses and the voice switch move the means a little.
    assert!((quiet - flat + 12.0).abs() < 2.0, "{flat} {quiet}");
    assert!((apartment - flat + 6.0).abs() < 2.0, "{flat} {apartment}");
    // The route in force when the visitor rang counts, not the one without a schedule.
    assert!((in_force - flat + 3.0).abs() < 1.4, "{flat} {in_force}");
}

#[test]
fn who_is_silenced_is_not_heard_until_the_call_ends() {
    let mut world = World::ready(Options {
        keep_sound: true,
        ..Options::with(answers(ms(300)))
    });
    assert!(!world.gateway.mute(0, false, true), "there is no call yet");
    world.visit_until("call_answered");
    world.run_for(seconds(3));
    let reaches_the_phone = |world: &mut World| {
        let words = speak(Speaker::Visitor, 1500);
        let from = world.phone.heard().len();
        world.panel.visitor_say(&words);
        world.run_for(seconds(2));
        Recording::likeness_of(&words, &world.phone.heard()[from..])
    };
    assert!(reaches_the_phone(&mut world) > 0.6);
    assert!(world.gateway.mute(0, false, true));
    assert!(reaches_the_phone(&mut world) < 0.2);
    assert!(world.gateway.mute(0, false, false));
    assert!(reaches_the_phone(&mut world) > 0.6);
    assert!(world.gateway.mute(0, true, true));
    world.panel.visitor_leave();
    world.next_visit_works();
    assert!(!world.gateway.mute(5, false, true), "there is no such line");
}

/// The canceller's knowledge of an apartment goes into the next life of the daemon.
#[test]
fn what_was_learned_of_the_echo_is_kept_and_used() {
    let mut script = answers(ms(300));
    script.says = speak(Speaker::Resident, 12_000);
    let options = || Options::with(script.clone());
    let first_second = |world: &mut World| {
        world.visit_until("call_answered");
        world.run_for(ms(1500));
        world.gateway.call_statuses()[0].figures.erle_db
    };
    let mut world = World::ready(options());
    let untaught = first_second(&mut world);
    world.run_for(seconds(9));
    let learned = world.gateway.call_statuses()[0].figures.erle_db;
    assert!(learned > 6.0, "{learned} dB");
    world.panel.visitor_leave();
    world.run_for(seconds(5));
    assert_eq!(world.echo_paths.keys().collect::<Vec<_>>(), [&42]);
    let mut again = World::ready(options());
    again.gateway.restore_echo_paths(world.echo_paths.clone());
    let taught = first_second(&mut again);
    assert!(
        taught >= untaught,
        "{untaught} dB untaught, {taught} dB taught"
    );
    again.panel.visitor_leave();
    again.next_visit_works();
}
