//! What a PBX plays before a phone answers: heard only where `call.early_media` wants it, and never a key.

use line_interface::Load;
use line_simulation::PanelEvent;

use crate::extra_phones::{Does, Seen, extra_phones, presses_nine};
use crate::world::{EventPacket, Options, Port, World, answers, ms, seconds};

/// Where the phones behind the PBX send their sound from.
const EARLY: &str = "127.77.0.2:4100";
const SLOT: Port = Port::GatewayRtp {
    slot: 0,
    rtcp: false,
};

fn house(config: &'static str, phones: &[(&'static str, Does)], handset: bool) -> (World, Seen) {
    let mut world = World::ready(Options {
        targets: "\"401\", \"402\"",
        route: "target_timeout_s = 5",
        config,
        handset,
        keep_sound: true,
        ..Options::with(answers(ms(300)))
    });
    let seen = extra_phones(&mut world, phones);
    world.visit_until("call_placed");
    (world, seen)
}

/// The PBX plays a loud tone for so long; every tenth packet is a key.
fn plays(world: &mut World, packets: u16, source: &str, keys: bool) {
    for number in 0..packets {
        let sequence = 100 + number;
        let timestamp = u32::from(number) * 160;
        let packet = if keys && number % 10 == 9 {
            let key = EventPacket {
                payload_type: 101,
                sequence,
                timestamp,
                ssrc: 7,
                marker: true,
                code: 9,
                end: true,
                duration: 800,
            };
            key.to_bytes()
        } else {
            let mut packet = vec![0x80, 8];
            packet.extend(sequence.to_be_bytes());
            packet.extend(timestamp.to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            // 400 Hz in A-law, nearly full scale.
            packet.extend((0..160).map(|at| if at / 10 % 2 == 0 { 0xaa } else { 0x2a }));
            packet
        };
        world.inject(SLOT, source, packet);
        world.run_for(ms(20));
    }
}

/// How loud it was for the visitor in the last half second.
fn loudness(world: &World) -> i64 {
    let heard = &world.heard_by_visitor;
    let last = &heard[heard.len().saturating_sub(4_000)..];
    last.iter()
        .map(|sample| i64::from(sample.abs()))
        .sum::<i64>()
        / last.len().max(1) as i64
}

const ON: &str = "[call]\nearly_media = \"line\"\nrtp_timeout_s = 60";

#[test]
fn by_default_the_line_is_left_alone_until_the_answer() {
    let (mut world, seen) = house("", &[("401", Does::AnswersReliably(seconds(3)))], true);
    world.run_for(ms(500));
    plays(&mut world, 50, EARLY, true);
    assert_eq!(
        (world.phase().as_str(), world.driven().load),
        ("ringing", Load::Off)
    );
    assert_eq!(
        (world.happened("digit"), world.happened("call_early_media")),
        (0, 0)
    );
    assert_eq!(seen.count("401", "PRACK"), 1);
    world.wait("call_answered", 1);
    // The answer that was given early is the call's.
    world.run_for(seconds(1));
    plays(&mut world, 50, EARLY, false);
    assert!(loudness(&world) > 1_000, "{}", loudness(&world));
    world.promises.without_key = 1;
    presses_nine(&mut world, &seen, "401", 5);
    world.wait("door_release_ended", 1);
    assert_eq!(world.opened(), 1);
    world.next_visit_works();
}

#[test]
fn the_visitor_hears_the_pbx_and_no_key_counts_before_the_answer() {
    let (mut world, seen) = house(ON, &[("401", Does::AnswersReliably(seconds(4)))], false);
    world.wait("call_early_media", 1);
    world.run_for(seconds(1));
    assert_eq!(
        (world.phase().as_str(), world.driven().load),
        ("ringing", Load::OffHook)
    );
    world.network.tap = Some(Vec::new());
    plays(&mut world, 75, EARLY, true);
    assert!(loudness(&world) > 1_000, "{}", loudness(&world));
    presses_nine(&mut world, &seen, "401", 3);
    world.run_for(ms(200));
    assert_eq!(
        (world.happened("digit"), world.journal.len(), world.opened()),
        (0, 0, 0)
    );
    // The visitor is not heard yet: silence goes out.
    let sent = world.network.tap.take().unwrap();
    let ours: Vec<_> = sent.iter().filter(|(_, ours, _)| *ours).collect();
    assert!(ours.len() > 40);
    for (_, _, packet) in ours {
        assert!(
            packet[12..].iter().all(|byte| matches!(byte, 0xd5 | 0x55)),
            "{packet:?}"
        );
    }
    world.wait("call_answered", 1);
    assert_eq!(
        world.driven().load,
        Load::OffHook,
        "the same call for the panel"
    );
    assert_eq!(world.saw(PanelEvent::DoorButtonSeen), 0);
    world.run_for(ms(500));
    world.promises.without_key = 1;
    presses_nine(&mut world, &seen, "401", 5);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.panel.visitor_leave();
    world.run_for(seconds(3));
    world.settle();
}

#[test]
fn sound_from_elsewhere_is_not_heard_early_either() {
    let (mut world, _) = house(ON, &[("401", Does::AnswersReliably(seconds(60)))], false);
    world.wait("call_early_media", 1);
    world.run_for(seconds(1));
    for source in ["127.77.0.2:4102", "127.77.0.66:4100"] {
        plays(&mut world, 40, source, true);
        assert!(loudness(&world) < 300, "{source}: {}", loudness(&world));
    }
    world.panel.visitor_leave();
    world.run_for(seconds(3));
    world.settle();
}

#[test]
fn a_line_that_was_taken_is_freed_however_the_visit_ends() {
    for handset in [true, false] {
        for what in 0..4 {
            let does = Does::AnswersReliably(seconds(60));
            let (mut world, seen) = house(ON, &[("401", does), ("402", does)], handset);
            world.wait("call_early_media", 1);
            world.run_for(ms(500));
            match what {
                0 => world.panel.visitor_leave(),
                1 if handset => world.lift(),
                2 => {
                    let now = world.now;
                    world.gateway.shutdown(now);
                }
                // Both phones ring their time: the second one's sound follows the first one's.
                _ => {
                    world.wait("call_early_media", 2);
                    world.wait("call_unanswered", 1);
                }
            }
            world.run_for(seconds(6));
            assert_eq!(
                seen.count("401", "CANCEL"),
                1,
                "{what} {handset}\n{}",
                world.story()
            );
            assert!(world.gateway.call_statuses().is_empty(), "{what} {handset}");
            assert_ne!(world.driven().load, Load::OffHook, "{what} {handset}");
            assert_eq!(world.opened(), 0);
            world.panel.visitor_leave();
            if what != 2 {
                world.next_visit_works();
            }
        }
    }
}

#[test]
fn a_handset_or_a_caller_takes_a_visitor_who_hears_the_pbx() {
    let (mut world, _) = house(ON, &[("401", Does::AnswersReliably(seconds(60)))], false);
    world.wait("call_early_media", 1);
    world.run_for(seconds(1));
    let now = world.now;
    assert!(world.phone.call(now, "42"));
    world.run_for(ms(500));
    assert_eq!(
        (world.phase().as_str(), world.happened("call_answered")),
        ("talking", 1)
    );
    assert_eq!(world.driven().load, Load::OffHook);
    assert_eq!(world.saw(PanelEvent::DoorButtonSeen), 0);
    world.panel.visitor_leave();
    world.next_visit_works();
}
