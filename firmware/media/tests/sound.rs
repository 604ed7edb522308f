//! Sound through two sessions and a network: delay, concealment, adaptation.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use trubka_media::SessionConfig;

/// A new level every 10 ms, each one of the 128 positive values that A-law carries unchanged.
fn ramp(n: u64) -> i16 {
    audio_codec_algorithms::decode_alaw(0x80 | ((n / 80) % 128) as u8)
}

/// Delays in ms between the arrival of each packet and the moment its first sample is played.
fn arrival_to_line(phase_us: u64, jitter_ms: f64, seed: u8) -> (Vec<f64>, Call) {
    let mut a = Side::new(SessionConfig::new(address(1, 4000)), seed);
    let mut b = Side::new(SessionConfig::new(address(2, 6000)), seed + 1);
    a.voice = ramp;
    b.phase = std::time::Duration::from_micros(phase_us);
    let conditions = Conditions {
        delay_ms: 1.0,
        jitter_ms,
        ..Default::default()
    };
    let mut call = Call::between(a, b, conditions, seed);
    call.run_until(ms(5000));
    // The first new level of each packet: levels 0, 2, 4... start packets of 20 ms.
    let mut delays = Vec::new();
    let levels: Vec<i16> = call.b.heard.chunks(80).map(|block| block[40]).collect();
    let sent: Vec<_> = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.payload.len() == 172)
        .collect();
    for (index, (at, _)) in sent.iter().enumerate().skip(5).take(40) {
        let wanted = ramp(index as u64 * 160);
        let arrival = *at + ms(1);
        let played = levels
            .iter()
            .zip(&call.b.pulls)
            .find(|(level, pull)| **level == wanted && **pull + ms(1) >= arrival);
        delays.push((played.unwrap().1.as_secs_f64() - arrival.as_secs_f64()) * 1000.0);
    }
    (delays, call)
}

#[test]
fn a_clean_stream_is_held_under_25_ms_played_within_30_and_never_concealed() {
    let mut all = Vec::new();
    for phase_us in (0..10_000).step_by(500) {
        let (delays, call) = arrival_to_line(phase_us, 0.0, 3);
        all.extend(delays);
        let stats = call.b.session.stats();
        assert_eq!(stats.concealed_ms, 0, "phase {phase_us}");
        assert_eq!(stats.late, 0);
        assert_eq!(stats.lost, 0);
        assert!(stats.held_ms <= 25, "{} ms held", stats.held_ms);
    }
    all.sort_by(f64::total_cmp);
    let p99 = all[all.len() * 99 / 100];
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    eprintln!(
        "arrival to line: mean {mean:.1} ms, p99 {p99:.1} ms of {}",
        all.len()
    );
    assert!(
        p99 <= 20.0,
        "{p99} ms until the first sample, 10 ms more until the last"
    );
}

#[test]
fn two_ms_of_jitter_stay_unheard() {
    for phase_us in (0..10_000).step_by(1000) {
        let (_, call) = arrival_to_line(phase_us, 2.0, 9);
        let stats = call.b.session.stats();
        assert_eq!(stats.concealed_ms, 0, "phase {phase_us}");
        assert!((0.1..2.0).contains(&stats.jitter_ms), "{}", stats.jitter_ms);
    }
}

/// Runs a voice for `seconds` and gives what b counted.
fn listen(conditions: Conditions, seconds: u64, seed: u8) -> Call {
    let mut a = Side::new(SessionConfig::new(address(1, 4000)), seed);
    a.voice = voice;
    let mut b = Side::new(SessionConfig::new(address(2, 6000)), seed + 1);
    b.phase = std::time::Duration::from_micros(3700);
    let mut call = Call::between(a, b, conditions, seed);
    call.run_until(ms(seconds * 1000));
    call
}

#[test]
fn jitter_is_learned_within_seconds() {
    let conditions = Conditions {
        delay_ms: 20.0,
        jitter_ms: 40.0,
        ..Default::default()
    };
    let mut call = listen(conditions, 10, 5);
    let before = call.b.session.stats();
    call.run_until(ms(30_000));
    let after = call.b.session.stats();
    let share = (after.concealed_ms - before.concealed_ms) as f64 / 20_000.0;
    eprintln!(
        "40 ms of jitter: {} ms concealed in 10 s, then {share:.4}",
        before.concealed_ms
    );
    assert!(share < 0.005, "{share}");
    assert!(after.held_ms <= 90, "{}", after.held_ms);
}

#[test]
fn losses_are_concealed_one_for_one_and_the_delay_stays() {
    let conditions = Conditions {
        delay_ms: 20.0,
        loss: 0.05,
        ..Default::default()
    };
    let call = listen(conditions, 30, 6);
    let stats = call.b.session.stats();
    assert!(stats.lost > 30, "{}", stats.lost);
    let lost_ms = stats.lost as u64 * 20;
    assert!(
        stats.concealed_ms <= lost_ms + 20,
        "{} for {lost_ms}",
        stats.concealed_ms
    );
    assert!(stats.concealed_ms + 60 >= lost_ms);
    assert!(stats.held_ms <= 25, "{}", stats.held_ms);
}

#[test]
fn reordering_and_copies_are_absorbed() {
    let conditions = Conditions {
        delay_ms: 20.0,
        reorder: 0.05,
        copies: 0.1,
        ..Default::default()
    };
    let mut call = listen(conditions, 5, 7);
    let before = call.b.session.stats();
    call.run_until(ms(25_000));
    let after = call.b.session.stats();
    assert!(after.duplicates > 50 && after.reordered > 20, "{after:?}");
    assert!(after.lost <= 1, "{}", after.lost);
    let share = (after.concealed_ms - before.concealed_ms) as f64 / 20_000.0;
    eprintln!("5 % reordered by 25 ms: concealed share {share:.4}");
    assert!(share < 0.005, "{share}");
}

#[test]
fn a_delay_spike_is_played_out_and_the_delay_comes_back() {
    let conditions = Conditions {
        delay_ms: 10.0,
        spike: Some((3000, 3150)),
        ..Default::default()
    };
    let mut call = listen(conditions, 4, 8);
    let during = call.b.session.stats();
    assert!(during.concealed_ms <= 160, "{}", during.concealed_ms);
    assert_eq!(during.late, 0);
    assert!(
        during.held_ms >= 100,
        "the late packets are played: {} ms",
        during.held_ms
    );
    call.run_until(ms(12_000));
    let after = call.b.session.stats();
    assert!(after.held_ms <= 40, "{} ms", after.held_ms);
    assert_eq!(after.concealed_ms, during.concealed_ms);
    assert!(after.shortened_ms >= 100);
}

#[test]
fn an_outage_of_a_second_costs_no_lasting_delay() {
    let conditions = Conditions {
        delay_ms: 10.0,
        spike: Some((3000, 4000)),
        ..Default::default()
    };
    let call = listen(conditions, 6, 8);
    assert!(
        call.b.session.stats().held_ms <= 80,
        "{}",
        call.b.session.stats().held_ms
    );
}

#[test]
fn clock_drift_either_way_is_followed() {
    for (numerator, name) in [(9_995_u64, "fast"), (10_005, "slow")] {
        let mut a = Side::new(SessionConfig::new(address(1, 4000)), 1);
        a.voice = voice;
        a.block = std::time::Duration::from_micros(numerator);
        let b = Side::new(SessionConfig::new(address(2, 6000)), 2);
        let mut call = Call::between(
            a,
            b,
            Conditions {
                delay_ms: 5.0,
                ..Default::default()
            },
            1,
        );
        call.run_until(ms(120_000));
        let stats = call.b.session.stats();
        // 500 ppm over two minutes are 60 ms.
        assert!(stats.held_ms <= 40, "{name}: {} ms held", stats.held_ms);
        assert!(
            stats.concealed_ms <= 80,
            "{name}: {} ms concealed",
            stats.concealed_ms
        );
        assert_eq!(stats.late, 0, "{name}");
    }
}

#[test]
fn every_packet_time_works_both_ways() {
    for ptime_ms in [10, 20, 30, 40, 50, 60] {
        let mut config = SessionConfig::new(address(1, 4000));
        config.ptime_ms = ptime_ms;
        let mut a = Side::new(config, 1);
        a.voice = voice;
        let b = Side::new(SessionConfig::new(address(2, 6000)), 2);
        let mut call = Call::between(
            a,
            b,
            Conditions {
                delay_ms: 5.0,
                ..Default::default()
            },
            1,
        );
        call.run_until(ms(3000));
        let octets = 12 + ptime_ms as usize * 8;
        // The answerer follows the offer's packet time.
        for side in [&call.a, &call.b] {
            let audio = side.sent.iter().filter(|(_, t)| t.payload[1] & 0x7f == 8);
            assert!(audio.clone().count() > 40);
            assert!(
                audio.clone().all(|(_, t)| t.payload.len() == octets),
                "{ptime_ms}"
            );
        }
        assert_eq!(call.b.session.stats().concealed_ms, 0, "{ptime_ms}");
        assert_eq!(call.b.session.stats().lost, 0);
    }
}

#[test]
fn what_is_played_is_what_was_said() {
    let call = listen(
        Conditions {
            delay_ms: 10.0,
            ..Default::default()
        },
        3,
        4,
    );
    let heard = &call.b.heard;
    let start = heard.iter().position(|s| s.unsigned_abs() > 300).unwrap();
    let said: Vec<i16> = (0..24_000).map(voice).collect();
    let offset = (0..2000_usize)
        .min_by_key(|offset| {
            (8000..8400)
                .map(|n| (i64::from(heard[n + offset]) - i64::from(said[n])).pow(2))
                .sum::<i64>()
        })
        .unwrap();
    let (mut noise, mut signal) = (0.0, 0.0);
    for n in start + 800..20_000 {
        noise += (f64::from(heard[n + offset]) - f64::from(said[n])).powi(2);
        signal += f64::from(said[n]).powi(2);
    }
    let snr = 10.0 * (signal / noise).log10();
    assert!(snr > 35.0, "G.711 alone gives about 38 dB: {snr}");
}

#[test]
fn silence_suppression_keeps_its_place() {
    // A phone with silence suppression: 0.5 s of talk, 0.5 s of nothing, with the marker and the timestamp moved on.
    let mut call = Call::new(Conditions::default(), 3);
    let source = address(1, 4000);
    let mut sequence = 0_u16;
    for n in 0..300_u64 {
        let t = ms(n * 20);
        call.b.session.handle_rtp(t, source, &[]);
        if (n / 25) % 2 == 0 {
            let marker = n % 25 == 0;
            let packet = rtp(8, marker, sequence, n as u32 * 160, 7, &[0x55; 160]);
            sequence += 1;
            call.b.session.handle_rtp(t, source, &packet);
        }
        for half in 0..2 {
            let mut out = [0; 80];
            call.b.session.pull_audio(t + ms(6 + half * 10), &mut out);
        }
    }
    let stats = call.b.session.stats();
    assert_eq!(stats.lost, 0);
    assert_eq!(stats.late, 0);
    // The fade-out of 150 ms at the end of each of the six stretches, no more.
    assert!(stats.concealed_ms <= 6 * 150, "{}", stats.concealed_ms);
}

#[test]
fn a_new_ssrc_is_followed_after_a_pause() {
    let mut call = Call::new(Conditions::default(), 3);
    let source = address(1, 4000);
    for n in 0..100_u64 {
        // The second half comes from another machine behind the PBX: other SSRC, numbers and timestamps.
        let (ssrc, base) = if n < 50 {
            (1, 0)
        } else {
            (2, 3_000_000_000_u32)
        };
        let t = ms(n * 20 + if n < 50 { 0 } else { 100 });
        let packet = rtp(
            8,
            false,
            (base >> 16) as u16 + n as u16,
            base + n as u32 * 160,
            ssrc,
            &[0x55; 160],
        );
        call.b.session.handle_rtp(t, source, &packet);
        for half in 0..2 {
            call.b
                .session
                .pull_audio(t + ms(6 + half * 10), &mut [0; 80]);
        }
    }
    let stats = call.b.session.stats();
    assert_eq!(stats.ssrc_changes, 1);
    assert_eq!(stats.packets_received, 100);
    assert_eq!((stats.lost, stats.late), (0, 0));
}

#[test]
fn a_clock_set_back_without_a_new_ssrc_is_followed() {
    let mut call = Call::new(Conditions::default(), 3);
    let source = address(1, 4000);
    let mut energy = 0_u64;
    for n in 0..150_u64 {
        let timestamp = if n < 50 {
            800_000 + n as u32 * 160
        } else {
            799_000 + n as u32
        };
        let timestamp = if n < 50 {
            timestamp
        } else {
            700_000 + n as u32 * 160
        };
        let packet = rtp(8, false, n as u16, timestamp, 1, &[0x35; 160]);
        call.b.session.handle_rtp(ms(n * 20), source, &packet);
        for half in 0..2 {
            let mut out = [0; 80];
            call.b
                .session
                .pull_audio(ms(n * 20 + 6 + half * 10), &mut out);
            if n > 100 {
                energy += u64::from(out[0].unsigned_abs());
            }
        }
    }
    assert!(energy > 0, "sound is back");
}

#[test]
fn a_peer_that_moves_is_heard_from_its_first_packet_and_its_old_place_no_more() {
    let mut call = Call::new(Conditions::default(), 3);
    let packet = |n: u16, ssrc| rtp(8, false, n, u32::from(n) * 160, ssrc, &[0x35; 160]);
    for n in 0..10 {
        call.b
            .session
            .handle_rtp(ms(u64::from(n) * 20), address(1, 4000), &packet(n, 1));
    }
    let moved = "v=0\r\nc=IN IP4 127.77.0.3\r\nm=audio 4400 RTP/AVP 8\r\n";
    call.b
        .session
        .answer_offer(ms(200), moved.as_bytes())
        .unwrap();
    for n in 0..10 {
        let at = ms(201 + u64::from(n) * 20);
        call.b
            .session
            .handle_rtp(at, address(1, 4000), &packet(n + 10, 1));
        call.b
            .session
            .handle_rtp(at, address(3, 4400), &packet(n, 2));
    }
    let stats = call.b.session.stats();
    assert_eq!(
        (stats.packets_received, stats.dropped.wrong_source),
        (20, 10)
    );
    assert_eq!((stats.lost, stats.dropped.wrong_ssrc), (0, 0));
}

/// Speech over G.722, with packets that are lost and that overtake each other, is as good as over G.711.
#[test]
fn g722_carries_speech() {
    let correlation = |codec, conditions| {
        let with = |host| SessionConfig {
            codecs: vec![codec],
            ..SessionConfig::new(address(host, 4000))
        };
        let mut a = Side::new(with(1), 1);
        a.voice = voice;
        let mut call = Call::between(a, Side::new(with(2), 2), conditions, 3);
        call.run_until(ms(6000));
        let stats = call.b.session.stats();
        assert_eq!(stats.codec, Some(codec));
        // What was said against what was heard, at the delay at which they fit best.
        let heard = &call.b.heard[16_000..40_000];
        (0..2400_u64)
            .map(|delay| {
                let (mut product, mut said2, mut heard2) = (0.0, 0.0, 0.0);
                for (n, sample) in heard.iter().enumerate() {
                    let said = f64::from(voice(16_000 + n as u64 - delay));
                    let sample = f64::from(*sample);
                    product += said * sample;
                    said2 += said * said;
                    heard2 += sample * sample;
                }
                product / f64::sqrt(said2 * heard2)
            })
            .fold(0.0, f64::max)
    };
    use trubka_media::Codec::{G722, Pcma};
    assert!(correlation(G722, Conditions::default()) > 0.999);
    let rough = Conditions {
        loss: 0.02,
        reorder: 0.03,
        delay_ms: 10.0,
        ..Conditions::default()
    };
    let (g722, pcma) = (correlation(G722, rough), correlation(Pcma, rough));
    assert!(g722 > pcma - 0.02, "{g722} against {pcma}");
}
