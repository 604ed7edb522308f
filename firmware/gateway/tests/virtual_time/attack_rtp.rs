//! Packets at the audio port that are not the phone's never open the door.

use phone::KeyBy;

use crate::world::{
    EventPacket, Options, PHONE_RTP, Port, World, answers, ms, never_answers, seconds,
};

fn talking() -> World {
    let mut world = World::ready(Options::with(answers(ms(300))));
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    world
}

/// Sends the press in the shape most phones give it.
fn press(world: &mut World, to: Port, source: &str, key: EventPacket) {
    for at in 0..6 {
        let packet = EventPacket {
            sequence: key.sequence.wrapping_add(at),
            marker: at == 0,
            end: at >= 3,
            duration: 160 * (at + 1).min(4),
            ..key
        };
        world.inject(to, source, packet.to_bytes());
        world.run_for(ms(20));
    }
}

fn nothing_opened(world: &mut World) {
    world.run_for(seconds(3));
    assert_eq!((world.opened(), world.records("door_opened")), (0, 0));
    assert_eq!(world.happened("digit"), 0, "{}", world.story());
}

fn honest_key_opens(world: &mut World) {
    world.press('9', KeyBy::Rfc4733);
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    world.next_visit_works();
}

#[test]
fn a_key_from_another_address_opens_nothing() {
    for source in ["127.77.0.66:4000", "127.77.0.1:4000", "10.0.0.1:4000"] {
        let mut world = talking();
        let (to, key) = (world.call_rtp(), world.next_event(9));
        press(&mut world, to, source, key);
        nothing_opened(&mut world);
        honest_key_opens(&mut world);
    }
}

#[test]
fn a_key_from_another_port_of_the_phone_opens_nothing() {
    for source in [
        "127.77.0.2:4001",
        "127.77.0.2:4002",
        "127.77.0.2:5060",
        "127.77.0.2:1",
    ] {
        let mut world = talking();
        let (to, key) = (world.call_rtp(), world.next_event(9));
        press(&mut world, to, source, key);
        nothing_opened(&mut world);
        honest_key_opens(&mut world);
    }
}

#[test]
fn a_key_of_another_ssrc_beside_the_running_stream_opens_nothing() {
    let mut world = talking();
    let (to, key) = (world.call_rtp(), world.next_event(9));
    let key = EventPacket {
        ssrc: key.ssrc ^ 1,
        ..key
    };
    press(&mut world, to, PHONE_RTP, key);
    nothing_opened(&mut world);
    honest_key_opens(&mut world);
}

#[test]
fn a_key_of_a_payload_type_not_agreed_opens_nothing() {
    for payload_type in [0, 8, 13, 96, 97, 100, 102, 127] {
        let mut world = talking();
        let (to, key) = (world.call_rtp(), world.next_event(9));
        let key = EventPacket {
            payload_type,
            ..key
        };
        press(&mut world, to, PHONE_RTP, key);
        nothing_opened(&mut world);
        world.panel.visitor_leave();
        world.next_visit_works();
    }
}

#[test]
fn a_key_at_the_other_ports_of_the_box_opens_nothing() {
    let mut world = talking();
    let key = world.next_event(9);
    for slot in 0..4 {
        for rtcp in [false, true] {
            let to = Port::GatewayRtp { slot, rtcp };
            if to != world.call_rtp() {
                press(&mut world, to, PHONE_RTP, key);
            }
        }
    }
    nothing_opened(&mut world);
    honest_key_opens(&mut world);
}

#[test]
fn a_key_before_the_answer_opens_nothing_then_or_later() {
    let mut world = World::ready(Options::with(never_answers()));
    world.visit_until("call_ringing");
    let key = EventPacket {
        payload_type: 101,
        sequence: 1,
        timestamp: 160,
        ssrc: 7,
        marker: true,
        code: 9,
        end: false,
        duration: 160,
    };
    let to = Port::GatewayRtp {
        slot: 0,
        rtcp: false,
    };
    press(&mut world, to, PHONE_RTP, key);
    nothing_opened(&mut world);
    world.panel.visitor_leave();
    world.next_visit_works();
}

#[test]
fn a_key_after_bye_opens_nothing() {
    let mut world = talking();
    let (to, key) = (world.call_rtp(), world.next_event(9));
    world.hang_up();
    world.run_for(ms(5));
    press(&mut world, to, PHONE_RTP, key);
    nothing_opened(&mut world);
    world.next_visit_works();
}

#[test]
fn replayed_keys_of_the_last_call_do_not_open_in_the_next() {
    // Without SRTP a replay from the right address and port, in a silence, cannot be told; while
    // the honest stream runs it is refused.
    let mut world = talking();
    let key = world.next_event(9);
    world.hang_up();
    world.settle();
    world.visit_until("call_answered");
    world.run_for(seconds(2));
    let to = world.call_rtp();
    press(&mut world, to, PHONE_RTP, key);
    nothing_opened(&mut world);
    honest_key_opens(&mut world);
}

#[test]
fn a_flood_at_the_port_does_not_keep_the_honest_key_out() {
    let mut world = talking();
    let (to, key) = (world.call_rtp(), world.next_event(9));
    for round in 0..400_u16 {
        for at in 0..20_u16 {
            let packet = EventPacket {
                ssrc: u32::from(round) << 8 | u32::from(at),
                sequence: round.wrapping_mul(20).wrapping_add(at),
                ..key
            };
            let source = if at % 2 == 0 {
                "127.77.0.66:4000"
            } else {
                PHONE_RTP
            };
            world.inject(to, source, packet.to_bytes());
            world.inject(to, source, vec![at as u8; usize::from(at) * 7]);
        }
        if round == 200 {
            world.press('9', KeyBy::Rfc4733);
        }
        world.run_for(ms(5));
    }
    world.wait("door_release_ended", 1);
    assert_eq!((world.opened(), world.records("door_opened")), (1, 1));
    assert_eq!(world.happened("digit"), 1);
    world.next_visit_works();
}

#[test]
fn an_rtcp_bye_of_a_stranger_ends_nothing() {
    let mut world = talking();
    let key = world.next_event(9);
    let mut bye = vec![0x81, 203, 0, 1];
    bye.extend(key.ssrc.to_be_bytes());
    for source in ["127.77.0.66:4001", "127.77.0.2:4001", PHONE_RTP] {
        world.inject(
            Port::GatewayRtp {
                slot: 0,
                rtcp: true,
            },
            source,
            bye.clone(),
        );
        world.inject(
            Port::GatewayRtp {
                slot: 0,
                rtcp: false,
            },
            source,
            bye.clone(),
        );
    }
    world.run_for(seconds(3));
    assert_eq!(world.phase(), "talking");
    honest_key_opens(&mut world);
}

#[test]
fn one_press_in_every_odd_shape_opens_once() {
    // (first packet has a marker, packets of the press, of these with the end bit, timestamps drift)
    for (marker, packets, ends, drift) in [
        (true, 1, 1, false),
        (false, 1, 1, false),
        (false, 6, 3, false),
        (true, 3, 3, false),
        (true, 5, 0, false),
        (false, 5, 0, false),
        (true, 2, 1, false),
        (true, 100, 3, false),
        (false, 8, 3, true),
    ] {
        let mut world = talking();
        let (to, key) = (world.call_rtp(), world.next_event(9));
        for at in 0..packets {
            let fresh = world.next_event(9);
            let packet = EventPacket {
                sequence: fresh.sequence,
                timestamp: key.timestamp + if drift { 160 * u32::from(at) } else { 0 },
                marker: marker && at == 0,
                end: at + ends >= packets,
                duration: 160 * (at + 1),
                ..key
            };
            world.inject(to, PHONE_RTP, packet.to_bytes());
            world.promises.without_key = 1;
            world.run_for(ms(20));
        }
        world.run_for(seconds(3));
        let shape = format!("marker {marker}, {packets} packets, {ends} ends, drift {drift}");
        assert_eq!(world.opened(), 1, "{shape}\n{}", world.story());
        assert_eq!(world.records("door_opened"), 1, "{shape}");
        assert_eq!(world.records("door_refused"), 0, "{shape}");
    }
}
