//! Reports, their timing, timeouts, and the end of a session.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use rtcp_types::{Compound, Packet};
use trubka_media::{MediaEvent, SessionConfig, TransmitKind};

#[test]
fn reports_tell_loss_jitter_and_round_trip() {
    let conditions = Conditions {
        delay_ms: 30.0,
        jitter_ms: 10.0,
        loss: 0.1,
        ..Default::default()
    };
    let mut call = Call::new(conditions, 11);
    call.a.voice = voice;
    call.b.voice = voice;
    call.run_until(ms(60_000));
    for side in [&call.a, &call.b] {
        let stats = side.session.stats();
        let rtt = stats.rtt_ms.unwrap();
        assert!((60.0..82.0).contains(&rtt), "{rtt}");
        let loss = stats.remote_loss.unwrap();
        assert!((0.02..0.2).contains(&loss), "{loss}");
        assert!((1.0..8.0).contains(&stats.jitter_ms), "{}", stats.jitter_ms);
        assert!((1.0..8.0).contains(&stats.remote_jitter_ms.unwrap()));
        let share = stats.lost as f64 / 3000.0;
        assert!((0.07..0.13).contains(&share), "{share}");
    }
}

#[test]
fn the_score_follows_loss_and_delay() {
    let score = |delay_ms: f64, loss: f64| {
        let conditions = Conditions {
            delay_ms,
            loss,
            ..Default::default()
        };
        let mut call = Call::new(conditions, 14);
        call.a.voice = voice;
        call.b.voice = voice;
        assert_eq!(call.a.session.stats().mos, None);
        call.run_until(ms(60_000));
        call.a.session.stats().mos.unwrap()
    };
    let (clean, lossy, far) = (score(10.0, 0.0), score(10.0, 0.05), score(400.0, 0.0));
    assert!((4.38..4.42).contains(&clean), "{clean}");
    // Five in a hundred by chance: R = 93.2 - 475 / 30.1 = 77.4, MOS 3.93.
    assert!((3.75..4.1).contains(&lossy), "{lossy}");
    // 430 ms from mouth to ear: Idd is 27, MOS 3.4.
    assert!((3.2..3.6).contains(&far), "{far}");
}

#[test]
fn the_interval_is_random_around_five_seconds() {
    let mut call = Call::new(Conditions::default(), 12);
    call.run_until(ms(600_000));
    let times: Vec<f64> = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.kind == TransmitKind::Rtcp)
        .map(|(at, _)| at.as_secs_f64())
        .collect();
    // RFC 3550, 6.3.1: 0.5..1.5 of the interval over e - 3/2; the first after half of it.
    let compensation = std::f64::consts::E - 1.5;
    assert!(
        (1.25 / compensation..3.76 / compensation).contains(&times[0]),
        "{}",
        times[0]
    );
    let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(
        gaps.iter()
            .all(|gap| (2.5 / compensation..7.51 / compensation).contains(gap))
    );
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    assert!((3.6..4.6).contains(&mean), "{mean}");
    assert!(gaps.iter().any(|gap| *gap < 3.0) && gaps.iter().any(|gap| *gap > 5.0));
}

#[test]
fn what_we_write_is_what_the_standard_asks_for() {
    let mut call = Call::new(Conditions::default(), 13);
    call.run_until(ms(10_000));
    let close_at = call.now;
    call.a.session.close(close_at);
    let bye = call.a.session.poll_transmit().unwrap();
    assert_eq!(bye.destination, address(2, 6001));
    let kinds: Vec<&str> = Compound::parse(&bye.payload)
        .unwrap()
        .map(|packet| match packet.unwrap() {
            Packet::Sr(report) => {
                assert_eq!(report.n_reports(), 1);
                assert!(report.packet_count() >= 498);
                assert_eq!(report.octet_count(), report.packet_count() * 160);
                "SR"
            }
            Packet::Sdes(names) => {
                let chunk = names.chunks().next().unwrap();
                assert_eq!(chunk.items().next().unwrap().value(), b"trubka");
                "SDES"
            }
            Packet::Bye(_) => "BYE",
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, ["SR", "SDES", "BYE"]);
    assert!(call.a.session.poll_transmit().is_none());
    assert!(call.a.session.next_deadline().is_none());
}

#[test]
fn one_who_only_listens_sends_receiver_reports() {
    let mut call = Call::new(Conditions::default(), 14);
    let held = "v=0\r\nc=IN IP4 127.77.0.1\r\na=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n";
    call.b
        .session
        .answer_offer(call.now, held.as_bytes())
        .unwrap();
    call.run_until(ms(20_000));
    let report = call
        .b
        .sent
        .iter()
        .find(|(_, t)| t.kind == TransmitKind::Rtcp)
        .unwrap();
    let first = Compound::parse(&report.1.payload)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    assert!(matches!(first, Packet::Rr(_)), "{first:?}");
}

#[test]
fn a_goodbye_or_report_from_a_stranger_changes_nothing() {
    let mut call = Call::new(Conditions::default(), 15);
    call.a.voice = voice;
    call.run_until(ms(6_000));
    let ssrc: [u8; 4] = call.a.sent[0].1.payload[8..12].try_into().unwrap();
    let mut bye = vec![0x80, 201, 0, 1];
    bye.extend(ssrc);
    bye.extend([0x81, 203, 0, 1]);
    bye.extend(ssrc);
    let before = call.b.session.stats();
    for source in [address(66, 4001), address(1, 4000), address(1, 4003)] {
        call.b.session.handle_rtcp(call.now, source, &bye);
    }
    let after = call.b.session.stats();
    assert_eq!(after.dropped.wrong_source, before.dropped.wrong_source + 3);
    assert_eq!(after.rtcp_received, before.rtcp_received);
    call.run_until(ms(7_000));
    assert_eq!(call.b.session.stats().concealed_ms, 0);
    // From the peer itself it lets the next stream in at once, and ends no call.
    call.b.session.handle_rtcp(call.now, address(1, 4001), &bye);
    call.run_until(ms(8_000));
    assert!(call.b.session.stats().packets_received >= 395);
}

#[test]
fn silence_is_reported_once_and_its_end_once() {
    let mut config = SessionConfig::new(address(2, 6000));
    config.rtp_timeout_ms = Some(3000);
    let a = Side::new(SessionConfig::new(address(1, 4000)), 1);
    let b = Side::new(config, 2);
    let mut call = Call::between(
        a,
        b,
        Conditions {
            delay_ms: 5.0,
            ..Default::default()
        },
        1,
    );
    call.run_until(ms(2000));
    call.to_b.conditions.loss = 1.0;
    call.run_until(ms(12_000));
    call.to_b.conditions.loss = 0.0;
    call.run_until(ms(13_000));
    let events: Vec<_> = call.b.events.iter().map(|(_, event)| *event).collect();
    assert_eq!(events, [MediaEvent::Timeout, MediaEvent::Resumed]);
    let at = call.b.events[0].0.as_millis();
    assert!((4980..5020).contains(&at), "{at}");
}

#[test]
fn no_timeout_while_the_peer_owes_no_sound() {
    let mut config = SessionConfig::new(address(2, 6000));
    config.rtp_timeout_ms = Some(1000);
    let a = Side::new(SessionConfig::new(address(1, 4000)), 1);
    let b = Side::new(config, 2);
    let mut call = Call::between(a, b, Conditions::default(), 1);
    call.to_b.conditions.loss = 1.0;
    let held = "v=0\r\nc=IN IP4 127.77.0.1\r\na=inactive\r\nm=audio 4000 RTP/AVP 8\r\n";
    call.b
        .session
        .answer_offer(call.now, held.as_bytes())
        .unwrap();
    call.run_until(ms(10_000));
    assert_eq!(call.b.events, [(TICK, MediaEvent::Hold { on: true })]);
    // Taken back, the clock starts anew.
    let back = held.replace("inactive", "sendrecv");
    call.b
        .session
        .answer_offer(call.now, back.as_bytes())
        .unwrap();
    call.run_until(ms(10_900));
    assert_eq!(call.b.events.len(), 2);
    call.run_until(ms(11_100));
    assert_eq!(
        call.b.events.last().map(|(_, event)| *event),
        Some(MediaEvent::Timeout)
    );
}

#[test]
fn a_peer_that_never_answers_gets_one_packet_a_second() {
    let mut call = Call::new(Conditions::default(), 1);
    call.to_a.conditions.loss = 1.0;
    call.run_until(ms(30_000));
    let before = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.kind == TransmitKind::Rtp)
        .count();
    call.run_until(ms(60_000));
    let after = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.kind == TransmitKind::Rtp)
        .count();
    assert!(before > 1490);
    assert!((25..=35).contains(&(after - before)), "{}", after - before);
    call.to_a.conditions.loss = 0.0;
    call.run_until(ms(62_000));
    let last = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.kind == TransmitKind::Rtp)
        .count();
    assert!(last - after > 90, "{}", last - after);
}

#[test]
fn a_peer_with_our_ssrc_makes_us_draw_another() {
    let mut call = Call::new(Conditions::default(), 1);
    call.run_until(ms(100));
    let own: [u8; 4] = call.a.sent[0].1.payload[8..12].try_into().unwrap();
    let mut session = call.a.session;
    session.handle_rtcp(call.now, address(2, 6001), &{
        // The stream so far says goodbye, then one with our number begins.
        let theirs = &call.b.sent[0].1.payload[8..12];
        [&[0x80, 201, 0, 1][..], theirs, &[0x81, 203, 0, 1], theirs].concat()
    });
    let packet = rtp(8, true, 1, 1, u32::from_be_bytes(own), &[0xd5; 160]);
    session.handle_rtp(call.now, address(2, 6000), &packet);
    let bye = session.poll_transmit().unwrap();
    assert_eq!(bye.kind, TransmitKind::Rtcp);
    assert_eq!(bye.payload[4..8], own);
    for _ in 0..2 {
        session.push_audio(call.now, &[0; 80]);
    }
    assert_ne!(session.poll_transmit().unwrap().payload[8..12], own);
}
