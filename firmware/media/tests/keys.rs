//! Key presses through a session: every road, every network, and every attack on them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use trubka_media::{DigitSource, MediaErrorKind, MediaEvent, Session, SessionConfig, TransmitKind};

const PEER_SSRC: u32 = 7;

/// A session in a call with the peer at .9:5000, events on 101.
fn in_call() -> Session {
    let mut session = Session::new(SessionConfig::new(address(1, 4000)), [1; 32]);
    let offer = "v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    session.answer_offer(ms(0), offer.as_bytes()).unwrap();
    session.start(ms(0));
    session
}

fn peer() -> std::net::SocketAddr {
    address(9, 5000)
}

/// The eleven packets of one press of 9 as Asterisk sends it.
fn press(sequence: u16, timestamp: u32, ssrc: u32, pt: u8) -> Vec<Vec<u8>> {
    (0..11_u16)
        .map(|i| {
            let duration = (160 * (i + 1).min(8)).to_be_bytes();
            let flags = if i >= 8 { 0x8a } else { 0x0a };
            let payload = [9, flags, duration[0], duration[1]];
            rtp(
                pt,
                i == 0,
                sequence.wrapping_add(i),
                timestamp,
                ssrc,
                &payload,
            )
        })
        .collect()
}

fn digits(session: &mut Session) -> usize {
    std::iter::from_fn(|| session.poll_event())
        .filter(|event| matches!(event, MediaEvent::Digit { .. }))
        .count()
}

#[test]
fn a_press_fires_on_its_first_packet() {
    let mut session = in_call();
    session.handle_rtp(ms(20), peer(), &press(0, 160, PEER_SSRC, 101)[0]);
    assert_eq!(
        session.poll_event(),
        Some(MediaEvent::Digit {
            digit: '9',
            via: DigitSource::Rfc4733,
            duration_ms: 20
        })
    );
}

#[test]
fn every_key_comes_through_a_poor_network_exactly_once() {
    let keys = "0123456789*#ABCD9911";
    for (name, conditions) in [
        ("clean", Conditions::default()),
        (
            "20 % lost",
            Conditions {
                delay_ms: 20.0,
                loss: 0.2,
                ..Default::default()
            },
        ),
        (
            "copies",
            Conditions {
                delay_ms: 20.0,
                copies: 0.5,
                ..Default::default()
            },
        ),
        (
            "reordered",
            Conditions {
                delay_ms: 20.0,
                reorder: 0.3,
                ..Default::default()
            },
        ),
        (
            "jitter",
            Conditions {
                delay_ms: 20.0,
                jitter_ms: 60.0,
                ..Default::default()
            },
        ),
        (
            "all of it",
            Conditions {
                delay_ms: 20.0,
                jitter_ms: 40.0,
                loss: 0.1,
                copies: 0.2,
                reorder: 0.1,
                spike: Some((2000, 2300)),
            },
        ),
    ] {
        for seed in 0..8 {
            let mut call = Call::new(conditions, seed * 3);
            call.a.voice = voice;
            call.run_until(ms(500));
            for key in keys.chars() {
                call.a.session.send_digit(call.now, key, 100).unwrap();
            }
            call.run_until(ms(8000));
            assert_eq!(call.b.digits(), keys, "{name}, seed {seed}");
            assert_eq!(call.b.session.stats().digits, keys.len() as u64);
        }
    }
}

#[test]
fn audio_stops_while_a_key_is_sent_and_comes_back_with_a_marker() {
    let mut call = Call::new(Conditions::default(), 1);
    call.a.voice = voice;
    call.run_until(ms(500));
    call.a.session.send_digit(call.now, '5', 160).unwrap();
    call.run_until(ms(1200));
    let packets: Vec<(u8, bool, u16, u32)> = call
        .a
        .sent
        .iter()
        .filter(|(at, t)| *at >= ms(480) && t.kind == TransmitKind::Rtp)
        .filter(|(_, t)| matches!(t.payload[1] & 0x7f, 8 | 101))
        .map(|(_, t)| {
            let p = &t.payload;
            let sequence = u16::from_be_bytes([p[2], p[3]]);
            let timestamp = u32::from_be_bytes([p[4], p[5], p[6], p[7]]);
            (p[1] & 0x7f, p[1] & 0x80 != 0, sequence, timestamp)
        })
        .collect();
    for pair in packets.windows(2) {
        assert_eq!(pair[1].2, pair[0].2.wrapping_add(1), "one sequence for all");
    }
    let first = packets.iter().position(|p| p.0 == 101).unwrap();
    let last = packets.iter().rposition(|p| p.0 == 101).unwrap();
    assert_eq!(
        last - first,
        10,
        "eight updates and three ends, nothing between"
    );
    let event_timestamp = packets[first].3;
    assert!(packets[first..=last].iter().all(|p| p.3 == event_timestamp));
    let back = packets[last + 1];
    assert_eq!((back.0, back.1), (8, true));
    // 10 intervals of 20 ms passed on the audio clock.
    let gap = back.3.wrapping_sub(event_timestamp);
    assert!((1440..=1760).contains(&gap), "{gap}");
    // Nothing was made up at the other end for the time of the key.
    assert!(
        call.b.session.stats().concealed_ms <= 30,
        "{}",
        call.b.session.stats().concealed_ms
    );
}

#[test]
fn the_field_script_opens_once_per_digit() {
    // Digits of 500 ms with 25 ms between, audio running all the while.
    let mut session = in_call();
    let mut sequence = 0_u16;
    for n in 0..150_u64 {
        let t = ms(n * 20);
        let audio = rtp(8, false, sequence, n as u32 * 160, PEER_SSRC, &[0xd5; 160]);
        session.handle_rtp(t, peer(), &audio);
        sequence += 1;
        let start = 20 + (n.saturating_sub(20) * 20 / 525) * 525 / 20;
        if n >= 20 && n * 20 + 20 <= start * 20 + 500 && n < 125 {
            let duration = ((n - start + 1) * 160) as u16;
            let [high, low] = duration.to_be_bytes();
            let packet = rtp(
                101,
                false,
                sequence,
                start as u32 * 160,
                PEER_SSRC,
                &[4, 10, high, low],
            );
            sequence += 1;
            session.handle_rtp(t, peer(), &packet);
        }
    }
    assert_eq!(digits(&mut session), 4);
}

#[test]
fn events_from_anyone_else_open_nothing() {
    let honest = |session: &mut Session, n: u64| {
        let audio = rtp(8, false, n as u16, n as u32 * 160, PEER_SSRC, &[0xd5; 160]);
        session.handle_rtp(ms(n * 20), peer(), &audio);
    };
    type Attack = fn() -> (std::net::SocketAddr, u32, u8);
    let attacks: [(&str, Attack); 5] = [
        ("another address", || (address(66, 5000), PEER_SSRC, 101)),
        ("another port", || (address(9, 5002), PEER_SSRC, 101)),
        ("the RTCP port", || (address(9, 5001), PEER_SSRC, 101)),
        ("another SSRC", || (peer(), 666, 101)),
        ("a payload type not agreed", || (peer(), PEER_SSRC, 96)),
    ];
    for (name, attack) in attacks {
        let (source, ssrc, pt) = attack();
        let mut session = in_call();
        // The race: the attacker is first, except where only the honest stream tells them apart.
        if ssrc == PEER_SSRC {
            for packet in press(9, 9, ssrc, pt) {
                session.handle_rtp(ms(0), source, &packet);
            }
        }
        for n in 0..100 {
            honest(&mut session, n);
            for packet in press(n as u16 + 1, 0, ssrc, pt) {
                session.handle_rtp(ms(n * 20 + 3), source, &packet);
            }
        }
        assert_eq!(digits(&mut session), 0, "{name}");
        let dropped = session.stats().dropped;
        assert!(dropped.total() >= 1100, "{name}: {dropped:?}");
        assert_eq!(session.stats().packets_received, 100, "{name}");
        // Under the flood the honest key still opens.
        for packet in press(100, 16_000, PEER_SSRC, 101) {
            session.handle_rtp(ms(2000), peer(), &packet);
        }
        assert_eq!(digits(&mut session), 1, "{name}: the honest key");
    }
}

#[test]
fn keys_before_the_answer_and_after_the_end_open_nothing() {
    let mut early = Session::new(SessionConfig::new(address(1, 4000)), [1; 32]);
    for packet in press(0, 0, PEER_SSRC, 101) {
        early.handle_rtp(ms(0), peer(), &packet);
    }
    assert_eq!(
        early
            .info_digit(ms(0), "application/dtmf", b"9")
            .unwrap_err()
            .kind,
        MediaErrorKind::NotStarted
    );
    assert_eq!(
        early.send_digit(ms(0), '9', 100).unwrap_err().kind,
        MediaErrorKind::NotStarted
    );
    assert_eq!(digits(&mut early), 0);
    assert_eq!(early.stats().dropped.before_start, 12);

    let mut late = in_call();
    late.close(ms(100));
    for packet in press(0, 0, PEER_SSRC, 101) {
        late.handle_rtp(ms(110), peer(), &packet);
    }
    assert!(late.info_digit(ms(110), "application/dtmf", b"9").is_err());
    late.start(ms(120));
    late.handle_rtp(ms(130), peer(), &press(0, 0, PEER_SSRC, 101)[0]);
    assert_eq!(digits(&mut late), 0);
    assert_eq!(late.stats().dropped.after_close, 13);
}

#[test]
fn a_key_pressed_before_the_answer_does_not_open_after_it() {
    let mut session = Session::new(SessionConfig::new(address(1, 4000)), [1; 32]);
    let offer = "v=0\r\nc=IN IP4 127.77.0.9\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    session.answer_offer(ms(0), offer.as_bytes()).unwrap();
    for packet in press(0, 0, PEER_SSRC, 101) {
        session.handle_rtp(ms(0), peer(), &packet);
    }
    session.start(ms(1000));
    assert_eq!(digits(&mut session), 0);
    for packet in press(20, 9000, PEER_SSRC, 101) {
        session.handle_rtp(ms(1100), peer(), &packet);
    }
    assert_eq!(digits(&mut session), 1);
}

/// What is no event to the peer is none here: its sound must never look like a key.
#[test]
fn sound_on_the_number_of_events_is_no_key() {
    for offer in [
        "m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 G726-32/8000\r\n",
        "m=audio 5000 RTP/AVP 101 8\r\na=rtpmap:101 PCMU/8000\r\n",
    ] {
        let mut config = SessionConfig::new(address(1, 4000));
        config.accept_unnegotiated_events = true;
        let mut session = Session::new(config, [1; 32]);
        session.create_offer();
        let answer = format!("v=0\r\nc=IN IP4 127.77.0.9\r\n{offer}");
        session.accept_answer(ms(0), answer.as_bytes()).unwrap();
        session.start(ms(0));
        for packet in press(0, 0, PEER_SSRC, 101) {
            session.handle_rtp(ms(0), peer(), &packet);
        }
        assert_eq!(digits(&mut session), 0, "{offer}");
    }
}

#[test]
fn events_the_peer_did_not_agree_to_are_ignored_unless_allowed() {
    for allowed in [false, true] {
        let mut config = SessionConfig::new(address(1, 4000));
        config.accept_unnegotiated_events = allowed;
        let mut session = Session::new(config, [1; 32]);
        let offer = "v=0\r\nc=IN IP4 127.77.0.9\r\nm=audio 5000 RTP/AVP 8\r\n";
        session.answer_offer(ms(0), offer.as_bytes()).unwrap();
        session.start(ms(0));
        for packet in press(0, 0, PEER_SSRC, 101) {
            session.handle_rtp(ms(0), peer(), &packet);
        }
        assert_eq!(digits(&mut session), usize::from(allowed));
        assert_eq!(
            session.stats().dropped.unnegotiated_event,
            if allowed { 0 } else { 11 }
        );
        assert_eq!(
            session.send_digit(ms(0), '1', 100).unwrap_err().kind,
            MediaErrorKind::EventsNotNegotiated
        );
    }
}

#[test]
fn rtp_and_info_of_one_press_are_one_digit_in_either_order() {
    for info_at in [0_u64, 1, 5, 11] {
        let mut session = in_call();
        let info = |session: &mut Session, t: u64| {
            session
                .info_digit(
                    ms(t),
                    "application/dtmf-relay",
                    b"Signal=9\r\nDuration=160\r\n",
                )
                .unwrap();
        };
        for repeat in 0..3_u64 {
            for (i, packet) in (0..).zip(press(
                repeat as u16 * 11,
                repeat as u32 * 4000,
                PEER_SSRC,
                101,
            )) {
                if i == info_at {
                    info(&mut session, repeat * 500 + i * 20);
                }
                session.handle_rtp(ms(repeat * 500 + i * 20), peer(), &packet);
            }
            if info_at == 11 {
                info(&mut session, repeat * 500 + 400);
            }
        }
        assert_eq!(digits(&mut session), 3, "INFO at packet {info_at}");
        assert_eq!(session.stats().digits_merged, 3);
    }
}

#[test]
fn two_quick_presses_by_info_alone_are_two() {
    let mut session = in_call();
    session
        .info_digit(
            ms(0),
            "application/dtmf-relay",
            b"Signal=9\r\nDuration=80\r\n",
        )
        .unwrap();
    session
        .info_digit(
            ms(60),
            "application/dtmf-relay",
            b"Signal=9\r\nDuration=80\r\n",
        )
        .unwrap();
    assert_eq!(
        session.poll_event(),
        Some(MediaEvent::Digit {
            digit: '9',
            via: DigitSource::InfoRelay,
            duration_ms: 80
        })
    );
    assert_eq!(digits(&mut session), 1);
    assert_eq!(
        session
            .info_digit(ms(70), "text/plain", b"9")
            .unwrap_err()
            .kind,
        MediaErrorKind::UnsupportedContent
    );
}

#[test]
fn flash_and_other_events_are_no_keys() {
    let mut session = in_call();
    for code in 16..=255_u8 {
        let packet = rtp(
            101,
            true,
            u16::from(code),
            u32::from(code) * 800,
            PEER_SSRC,
            &[code, 10, 0, 160],
        );
        session.handle_rtp(ms(u64::from(code)), peer(), &packet);
    }
    for short in [&[][..], &[9], &[9, 10, 0]] {
        session.handle_rtp(ms(300), peer(), &rtp(101, true, 999, 0, PEER_SSRC, short));
    }
    assert_eq!(digits(&mut session), 0);
    assert_eq!(session.stats().dropped.not_a_key, 240);
    assert_eq!(session.stats().dropped.bad_packet, 3);
}

#[test]
fn keys_queued_on_hold_do_not_come_out_later() {
    let mut call = Call::new(Conditions::default(), 1);
    call.run_until(ms(200));
    // Two digits are queued when the hold comes; neither may come out after it.
    call.a.session.send_digit(call.now, '9', 100).unwrap();
    call.a.session.send_digit(call.now, '7', 100).unwrap();
    let held = "v=0\r\nc=IN IP4 127.77.0.2\r\na=inactive\r\nm=audio 6000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    call.a
        .session
        .answer_offer(call.now, held.as_bytes())
        .unwrap();
    let on_hold = call.a.session.send_digit(call.now, '8', 100).unwrap_err();
    assert_eq!(on_hold.kind, MediaErrorKind::OnHold);
    call.run_until(ms(1000));
    call.a
        .session
        .answer_offer(call.now, held.replace("inactive", "sendrecv").as_bytes())
        .unwrap();
    call.run_until(ms(2000));
    assert_eq!(
        call.b.digits(),
        "9",
        "its first packet was on its way before the hold"
    );
}

#[test]
fn a_dual_stack_socket_sees_the_same_peer() {
    let mut session = in_call();
    let mapped = "[::ffff:127.77.0.9]:5000".parse().unwrap();
    session.handle_rtp(ms(0), mapped, &press(0, 0, PEER_SSRC, 101)[0]);
    let stranger = "[::ffff:127.77.0.8]:5000".parse().unwrap();
    session.handle_rtp(ms(500), stranger, &press(50, 9000, PEER_SSRC, 101)[0]);
    assert_eq!(digits(&mut session), 1);
}
