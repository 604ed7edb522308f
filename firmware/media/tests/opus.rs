//! Opus: what is offered and answered, how it sounds beside G.722, with losses, pauses and nonsense.
#![cfg(feature = "opus")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Call, Conditions, Side, address, ms, rtp, voice};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use trubka_media::{Codec, DigitMode, InbandKeys, Session, SessionConfig};

fn with(host: u8, codecs: &[Codec]) -> SessionConfig {
    SessionConfig {
        codecs: codecs.to_vec(),
        ..SessionConfig::new(address(host, 4000))
    }
}

fn text(sdp: Vec<u8>) -> String {
    String::from_utf8(sdp).unwrap()
}

const OURS: &str = "maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0;sprop-stereo=0;useinbandfec=1;usedtx=0";

#[test]
fn it_is_offered_where_it_is_named_with_events_by_both_clocks() {
    let offer = text(Session::new(with(1, &[Codec::Opus, Codec::Pcma]), [1; 32]).create_offer());
    assert!(
        offer.contains("m=audio 4000 RTP/AVP 111 8 101 110\r\n"),
        "{offer}"
    );
    for line in [
        "a=rtpmap:111 opus/48000/2",
        &format!("a=fmtp:111 {OURS}"),
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:110 telephone-event/48000",
    ] {
        assert!(
            offer.lines().any(|found| found == line),
            "{line} in {offer}"
        );
    }
    let offer = text(Session::new(with(1, &[Codec::Pcma]), [1; 32]).create_offer());
    assert!(!offer.contains("48000"), "{offer}");
    // Two numbers are never one.
    for taken in [110, 111, 112] {
        let config = SessionConfig {
            telephone_event_pt: taken,
            ..with(1, &[Codec::Opus])
        };
        let offer = text(Session::new(config, [1; 32]).create_offer());
        let line = offer.lines().find(|line| line.starts_with("m=")).unwrap();
        let mut numbers: Vec<&str> = line.split(' ').skip(3).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 3, "{line}");
    }
}

/// The score of a perfect call, by the sound that is heard and not by the one that is sent.
#[test]
fn the_score_is_that_of_the_codec_that_is_heard() {
    for (codec, perfect) in [
        (Codec::Pcma, 4.409),
        (Codec::G722, 4.367),
        (Codec::Opus, 4.292),
    ] {
        let (mut a, mut b) = (
            Side::new(with(1, &[codec]), 3),
            Side::new(with(2, &[codec]), 4),
        );
        (a.voice, b.voice) = (voice, voice);
        let mut call = Call::between(a, b, Conditions::default(), 5);
        call.run_until(ms(10_000));
        let mos = call.a.session.stats().mos.unwrap();
        assert!((mos - perfect).abs() < 0.01, "{codec:?}: {mos}");
    }
}

/// What others offer, and what we answer.
#[test]
fn offers_of_others_are_answered_by_our_order() {
    let offer = |media: &str| {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\n{media}"
        )
    };
    let both = offer(
        "m=audio 5000 RTP/AVP 0 96 101 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:97 telephone-event/48000\r\na=ptime:30\r\n",
    );
    let answer = |codecs: &[Codec], offer: &str| {
        let mut session = Session::new(with(1, codecs), [1; 32]);
        let said = session.answer_offer(ms(0), offer.as_bytes());
        said.map(|said| (text(said), session.stats()))
    };
    let (said, stats) = answer(&[Codec::Opus, Codec::Pcmu], &both).unwrap();
    assert!(said.contains("m=audio 4000 RTP/AVP 96 97\r\n"), "{said}");
    // Opus has no frames of 30 ms.
    assert!(said.contains("a=ptime:20\r\n"), "{said}");
    assert_eq!((stats.codec, stats.ptime_ms), (Some(Codec::Opus), 20));
    assert_eq!(stats.digit_mode, DigitMode::Rfc4733);
    let (said, stats) = answer(&[Codec::Pcmu, Codec::Opus], &both).unwrap();
    assert!(said.contains("m=audio 4000 RTP/AVP 0 101\r\n"), "{said}");
    assert_eq!(stats.ptime_ms, 30);
    // Events of the other clock only, as some phones have them.
    let slow = offer(
        "m=audio 5000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n",
    );
    let (said, _) = answer(&[Codec::Opus], &slow).unwrap();
    assert!(said.contains("m=audio 4000 RTP/AVP 96 101\r\n"), "{said}");
    // One that is not named, one of another clock or of six channels is none of ours.
    for (codecs, rtpmap) in [
        (&[Codec::Pcma][..], "opus/48000/2"),
        (&[Codec::Opus][..], "opus/8000"),
        (&[Codec::Opus][..], "opus/48000/6"),
    ] {
        let odd = offer(&format!(
            "m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 {rtpmap}\r\n"
        ));
        assert!(answer(codecs, &odd).is_err(), "{rtpmap}");
    }
}

/// A visitor's words with pauses between them.
fn words(n: u64) -> i16 {
    if (n / 8000).is_multiple_of(2) {
        voice(n)
    } else {
        0
    }
}

fn call(codec: Codec, said: fn(u64) -> i16, conditions: Conditions, ms_long: u64) -> Call {
    let mut a = Side::new(with(1, &[codec]), 1);
    a.voice = said;
    let mut call = Call::between(a, Side::new(with(2, &[codec]), 2), conditions, 3);
    call.run_until(ms(ms_long));
    call
}

/// Something like speech: pitch, formant and loudness never stand still, so that no gap can be filled by repetition.
fn speech(n: u64) -> i16 {
    let t = n as f64 / 8000.0;
    let turn = std::f64::consts::TAU;
    let pitch = 140.0 * t + 35.0 / (turn * 0.7) * (turn * 0.7 * t).sin();
    let formant = 900.0 + 600.0 * (turn * 1.9 * t).sin();
    let syllables = 0.55 + 0.45 * (turn * 4.3 * t).sin();
    let wave: f64 = (1..=18)
        .map(|harmonic| {
            let hz = f64::from(harmonic) * 140.0;
            let weight = 1.0 / (1.0 + ((hz - formant) / 350.0).powi(2)) + 0.08;
            weight * (turn * f64::from(harmonic) * pitch).sin()
        })
        .sum();
    (wave * syllables * 4000.0) as i16
}

/// Bands of 200 Hz from 300 Hz to 3.3 kHz.
const BANDS: usize = 15;

/// Power in the bands, decibels above a floor that nobody hears, for each 20 ms.
fn spectrum(sound: &[i16]) -> Vec<[f64; BANDS]> {
    let turn = std::f64::consts::TAU;
    let table: Vec<(f64, f64)> = (0..160)
        .map(|n| (turn * f64::from(n) / 160.0).sin_cos())
        .collect();
    let bin = |frame: &[i16], bin: usize| {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for (n, sample) in frame.iter().enumerate() {
            let window = 0.5 - 0.5 * table[n].1;
            let (sine, cosine) = table[n * bin % 160];
            real += f64::from(*sample) * window * cosine;
            imaginary += f64::from(*sample) * window * sine;
        }
        real * real + imaginary * imaginary
    };
    sound
        .chunks_exact(160)
        .map(|frame| {
            std::array::from_fn(|band| {
                // Bins are 50 Hz apart.
                let power: f64 = (0..4).map(|step| bin(frame, 6 + band * 4 + step)).sum();
                10.0 * (power + 1e8).log10()
            })
        })
        .collect()
}

/// Distance of the spectra of what was said and what was heard, dB, at the delay at which they are nearest.
fn distance(call: &Call, said: fn(u64) -> i16) -> f64 {
    let (from, to) = (16_000, 40_000);
    let heard = spectrum(&call.b.heard[from..to]);
    let away = |delay: usize| {
        let said: Vec<i16> = (from - delay..to - delay).map(|n| said(n as u64)).collect();
        let said = spectrum(&said);
        let both = said.iter().flatten().zip(heard.iter().flatten());
        let sum: f64 = both.map(|(a, b)| (a - b).powi(2)).sum();
        (sum / (said.len() * BANDS) as f64).sqrt()
    };
    let coarse = (0..1600).step_by(80);
    let near = coarse.min_by(|a, b| away(*a).total_cmp(&away(*b))).unwrap();
    let fine = (near.saturating_sub(80)..near + 80).step_by(10);
    fine.map(away).fold(f64::INFINITY, f64::min)
}

#[test]
fn speech_sounds_as_over_g722_at_a_third_of_its_rate() {
    let opus = call(Codec::Opus, speech, Conditions::default(), 6000);
    let g722 = call(Codec::G722, speech, Conditions::default(), 6000);
    let (near, reference) = (distance(&opus, speech), distance(&g722, speech));
    let octets = |call: &Call| call.a.session.stats().octets_sent;
    let rate = octets(&opus) as f64 / octets(&g722) as f64;
    println!("spectral distance {near:.2} dB, G.722 {reference:.2} dB; {rate:.2} of its rate");
    assert_eq!(opus.b.session.stats().codec, Some(Codec::Opus));
    assert!(near < 3.0, "{near} dB against {reference} dB");
    assert!(rate < 0.42, "{rate} of the octets of G.722");
    let stats = opus.b.session.stats();
    assert_eq!((stats.lost, stats.late, stats.dropped.total()), (0, 0, 0));
    // The clock of 48 kHz does not show in what is measured.
    assert!(
        stats.jitter_ms < 1.0 && stats.concealed_ms <= 40,
        "{stats:?}"
    );
}

#[test]
fn lost_packets_come_back_out_of_those_behind_them() {
    let lossy = Conditions {
        loss: 0.08,
        delay_ms: 20.0,
        jitter_ms: 8.0,
        ..Conditions::default()
    };
    let with_copies = |useinbandfec: u8| {
        let mut a = Side::new(with(1, &[Codec::Opus]), 1);
        a.voice = speech;
        let b = Side::new(with(2, &[Codec::Opus]), 2);
        let mut call = Call::between(a, b, lossy, 3);
        asks(
            &mut call,
            "useinbandfec=1",
            &format!("useinbandfec={useinbandfec}"),
        );
        call.run_until(ms(6000));
        let stats = call.b.session.stats();
        assert!(stats.lost > 10, "{stats:?}");
        (distance(&call, speech), stats.concealed_ms)
    };
    let (mended, without) = (with_copies(1), with_copies(0));
    println!("8 % lost: {mended:?} dB and ms made up with copies, {without:?} without");
    assert!(mended.1 * 2 < without.1, "{mended:?} against {without:?}");
    assert!(mended.0 + 0.1 < without.0, "{mended:?} against {without:?}");
}

/// The called side asks for something else than it would by itself.
fn asks(call: &mut Call, usual: &str, instead: &str) {
    let offer = call.a.session.create_offer();
    let mut peer = Session::new(with(2, &[Codec::Opus]), [9; 32]);
    let answer = text(peer.answer_offer(ms(0), &offer).unwrap());
    assert!(answer.contains(usual), "{answer}");
    let answer = answer.replace(usual, instead);
    call.a
        .session
        .accept_answer(ms(0), answer.as_bytes())
        .unwrap();
}

#[test]
fn overtaken_packets_and_copies_do_no_harm() {
    let rough = Conditions {
        reorder: 0.05,
        copies: 0.05,
        jitter_ms: 30.0,
        delay_ms: 10.0,
        ..Conditions::default()
    };
    let (opus, pcma) = (
        call(Codec::Opus, speech, rough, 6000),
        call(Codec::Pcma, speech, rough, 6000),
    );
    let (near, plain) = (distance(&opus, speech), distance(&pcma, speech));
    println!("5 % overtaken: {near:.2} dB away, G.711 {plain:.2} dB");
    assert!(near < plain + 2.5, "{near} dB against {plain} dB");
}

#[test]
fn pauses_are_sent_when_the_peer_asks_and_are_no_loss() {
    let pausing = |usedtx: u8| {
        let mut a = Side::new(with(1, &[Codec::Opus]), 1);
        a.voice = words;
        let mut call = Call::between(
            a,
            Side::new(with(2, &[Codec::Opus]), 2),
            Conditions::default(),
            3,
        );
        asks(&mut call, "usedtx=0", &format!("usedtx={usedtx}"));
        call.run_until(ms(8000));
        (call.a.session.stats().packets_sent, call.b.session.stats())
    };
    let (all, _) = pausing(0);
    let (some, heard) = pausing(1);
    println!(
        "{some} packets with pauses, {all} without; {} ms made up",
        heard.concealed_ms
    );
    assert!(all >= 395 && some < all * 4 / 5, "{some} of {all}");
    assert_eq!(heard.lost, 0);
    assert!(heard.concealed_ms < 400, "{heard:?}");
}

#[test]
fn keys_go_both_ways_by_the_clock_of_the_sound() {
    let codecs = [Codec::Opus, Codec::Pcma];
    let (a, b) = (
        Side::new(with(1, &codecs), 1),
        Side::new(with(2, &codecs), 2),
    );
    let mut call = Call::between(a, b, Conditions::default(), 3);
    call.run_until(ms(300));
    for digit in "12#9".chars() {
        call.a.session.send_digit(call.now, digit, 120).unwrap();
    }
    call.b.session.send_digit(call.now, '7', 5000).unwrap();
    call.run_until(ms(3000));
    assert_eq!(call.b.digits(), "12#9");
    assert_eq!(call.a.digits(), "7");
    let event = call
        .a
        .sent
        .iter()
        .find(|(_, sent)| sent.payload[1] & 0x7f == 110);
    assert!(event.is_some(), "events are not those of 48 kHz");
    // A press keeps the clock of the sound: what follows it is in its place.
    assert_eq!(call.b.session.stats().late, 0);
}

/// Whatever stands in a packet of the right source, the session lives on and plays what comes behind it.
#[test]
fn nonsense_in_packets_does_no_harm() {
    let mut random = ChaCha12Rng::from_seed([5; 32]);
    let config = SessionConfig {
        inband_keys: InbandKeys::Always,
        ..with(2, &[Codec::Opus])
    };
    let mut call = Call::between(
        Side::new(with(1, &[Codec::Opus]), 1),
        Side::new(config, 2),
        Conditions::default(),
        3,
    );
    call.run_until(ms(500));
    let real: Vec<Vec<u8>> = call
        .a
        .sent
        .iter()
        .map(|(_, sent)| sent.payload[12..].to_vec())
        .collect();
    let mut peer = Session::new(with(2, &[Codec::Opus]), [7; 32]);
    let answer = peer
        .answer_offer(ms(0), &call.a.session.create_offer())
        .unwrap();
    call.a.session.accept_answer(ms(500), &answer).unwrap();
    let mut out = [0; 80];
    let mut stamp = 0_u32;
    for n in 0..60_000_u32 {
        let now = ms(600 + u64::from(n) * 10);
        let mut payload = real[random.next_u32() as usize % real.len()].clone();
        for _ in 0..random.next_u32() % 4 {
            let at = random.next_u32() as usize % (payload.len() + 1);
            match random.next_u32() % 3 {
                0 => payload.truncate(at),
                1 => payload.insert(at, random.next_u32() as u8),
                _ => {
                    if let Some(octet) = payload.get_mut(at) {
                        *octet = random.next_u32() as u8;
                    }
                }
            }
        }
        if random.next_u32().is_multiple_of(50) {
            payload = (0..random.next_u32() % 2000)
                .map(|_| random.next_u32() as u8)
                .collect();
        }
        stamp = stamp.wrapping_add(match random.next_u32() % 20 {
            0 => random.next_u32(),
            1 => 960 * 4,
            _ => 960,
        });
        let packet = rtp(111, false, n as u16, stamp, 77, &payload);
        call.b.session.handle_rtp(now, address(1, 4000), &packet);
        call.b.session.pull_audio(now, &mut out);
    }
    let stats = call.b.session.stats();
    assert!(stats.packets_received > 40_000, "{stats:?}");
    assert!(stats.dropped.bad_packet > 500, "{stats:?}");
}
