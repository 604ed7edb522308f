//! Keys as tones in the sound: only where the settings ask for it, and never our own sound come back.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::VecDeque;

use common::*;
use trubka_media::{DigitMode, InbandKeys, MediaEvent, Session, SessionConfig, TransmitKind};

const LOW: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

fn dtmf(key: char, n: u64, amplitude: f64) -> i16 {
    let at = "123A456B789C*0#D".find(key).unwrap();
    let t = n as f64 / 8000.0 * std::f64::consts::TAU;
    let wave = (t * LOW[at / 4]).sin() + (t * HIGH[at % 4]).sin();
    (wave * amplitude) as i16
}

/// Key 9 for 120 ms every half a second, the first after half a second.
fn nines(n: u64) -> i16 {
    let in_period = n % 4000;
    if n >= 4000 && in_period < 960 {
        dtmf('9', n, 5000.0)
    } else {
        0
    }
}

fn config(host: u8, inband_keys: InbandKeys) -> SessionConfig {
    SessionConfig {
        inband_keys,
        ..SessionConfig::new(address(host, 4000))
    }
}

/// The phone plays tones; `agree` says whether it also has RFC 4733.
fn heard(inband_keys: InbandKeys, agree: bool, conditions: Conditions) -> (String, DigitMode) {
    let us = Side::new(config(1, inband_keys), 1);
    let mut phone = Side::new(config(2, InbandKeys::Off), 2);
    phone.voice = nines;
    let mut call = Call::between(us, phone, conditions, 3);
    if !agree {
        let offer = call.a.session.create_offer();
        let answer = call.b.session.answer_offer(call.now, &offer).unwrap();
        let answer: String = String::from_utf8(answer)
            .unwrap()
            .lines()
            .filter(|line| !line.contains("telephone-event") && !line.starts_with("a=fmtp:101"))
            .map(|line| format!("{}\r\n", line.replace(" 101", "")))
            .collect();
        call.a
            .session
            .accept_answer(call.now, answer.as_bytes())
            .unwrap();
    }
    call.run_until(ms(5400));
    (call.a.digits(), call.a.session.stats().digit_mode)
}

/// The detector hears 8 kHz whatever the codec: both laws of G.711 and the lower band of G.722, with a twentieth of the packets lost.
#[test]
fn tones_are_keys_behind_every_codec_of_a_pbx() {
    use trubka_media::Codec::{G722, Pcma, Pcmu};
    for codec in [Pcma, Pcmu, G722] {
        for loss in [0.0, 0.05] {
            let with = |host, inband_keys| SessionConfig {
                codecs: vec![codec],
                ..config(host, inband_keys)
            };
            let mut phone = Side::new(with(2, InbandKeys::Off), 2);
            phone.voice = nines;
            let us = Side::new(with(1, InbandKeys::Always), 1);
            let conditions = Conditions {
                loss,
                ..Conditions::default()
            };
            let mut call = Call::between(us, phone, conditions, 3);
            call.run_until(ms(5400));
            assert_eq!(call.a.session.stats().codec, Some(codec));
            let found = call.a.digits();
            // Two losses in one press may take it, never double it.
            let least = if loss > 0.0 { 8 } else { 10 };
            assert!((least..=10).contains(&found.len()), "{codec:?}: {found}");
        }
    }
}

#[test]
fn tones_are_keys_only_where_wanted() {
    let fine = Conditions::default();
    assert_eq!(
        heard(InbandKeys::Off, true, fine),
        (String::new(), DigitMode::Rfc4733)
    );
    assert_eq!(
        heard(InbandKeys::Off, false, fine),
        (String::new(), DigitMode::Info)
    );
    assert_eq!(
        heard(InbandKeys::WithoutEvents, true, fine),
        (String::new(), DigitMode::Rfc4733)
    );
    assert_eq!(
        heard(InbandKeys::WithoutEvents, false, fine),
        ("9".repeat(10), DigitMode::Inband)
    );
    assert_eq!(
        heard(InbandKeys::Always, true, fine),
        ("9".repeat(10), DigitMode::Rfc4733)
    );
}

#[test]
fn loss_never_makes_two_keys_of_one() {
    for loss in [0.02, 0.05, 0.1] {
        let conditions = Conditions {
            loss,
            delay_ms: 20.0,
            jitter_ms: 8.0,
            ..Conditions::default()
        };
        let (digits, _) = heard(InbandKeys::Always, true, conditions);
        assert!((7..=10).contains(&digits.len()), "{loss}: {digits}");
    }
}

#[test]
fn a_press_that_comes_as_tone_and_event_is_one() {
    let us = Side::new(config(1, InbandKeys::Always), 1);
    let mut phone = Side::new(config(2, InbandKeys::Off), 2);
    phone.voice = nines;
    let mut call = Call::between(us, phone, Conditions::default(), 3);
    for round in 1..=5 {
        // The phone sends its event when the tone is over, as some gateways do.
        call.run_until(ms(round * 500 + 150));
        call.b.session.send_digit(call.now, '9', 80).unwrap();
    }
    call.run_until(ms(2900));
    assert_eq!(call.a.digits(), "99999");
}

/// What the street says comes back from the phone after `delay_ms`, `gain_db` louder, while the resident's side says `phone`.
fn street_with_echo(
    street: impl Fn(u64) -> i16,
    phone: impl Fn(u64) -> i16,
    gain_db: f64,
    delay_ms: usize,
) -> (String, u64) {
    let mut us = Session::new(config(1, InbandKeys::Always), [1; 32]);
    let mut them = Session::new(config(2, InbandKeys::Off), [2; 32]);
    let answer = them.answer_offer(ms(0), &us.create_offer()).unwrap();
    us.accept_answer(ms(0), &answer).unwrap();
    us.start(ms(0));
    them.start(ms(0));
    let gain = 10_f64.powf(gain_db / 20.0);
    let mut line: VecDeque<i16> = vec![0; delay_ms * 8].into();
    let mut digits = String::new();
    for block in 0..800_u64 {
        let now = ms(block * 10);
        let said = std::array::from_fn(|i| street(block * 80 + i as u64));
        us.push_audio(now, &said);
        let mut heard = [0; 80];
        them.pull_audio(now, &mut heard);
        line.extend(heard);
        let back = std::array::from_fn(|i| {
            let echo = f64::from(line.pop_front().unwrap()) * gain;
            (echo + f64::from(phone(block * 80 + i as u64))).clamp(-32767.0, 32767.0) as i16
        });
        them.push_audio(now, &back);
        us.pull_audio(now, &mut heard);
        for (from, to) in [(1, 2), (2, 1)] {
            let (sender, receiver) = if from == 1 {
                (&mut us, &mut them)
            } else {
                (&mut them, &mut us)
            };
            while let Some(sent) = sender.poll_transmit() {
                if sent.kind == TransmitKind::Rtp {
                    assert_eq!(sent.destination, address(to, 4000));
                    receiver.handle_rtp(now, address(from, 4000), &sent.payload);
                }
            }
        }
        while let Some(event) = us.poll_event() {
            if let MediaEvent::Digit { digit, .. } = event {
                digits.push(digit);
            }
        }
    }
    (digits, us.stats().inband_echoes)
}

#[test]
fn the_streets_own_tones_never_come_back_as_keys() {
    for gain_db in [-30.0, -20.0, -10.0, 0.0, 6.0, 10.0] {
        for delay_ms in [10, 60, 400, 1500, 2500] {
            // Every key, at all levels down to where the detector no longer hears it.
            let street = |n: u64| {
                let key = "0123456789*#ABCD"
                    .chars()
                    .nth((n / 4000 % 16) as usize)
                    .unwrap();
                let amplitude = 10_000.0 / 4_f64.powf((n / 4000 % 5) as f64);
                if n % 4000 < 1600 {
                    dtmf(key, n, amplitude)
                } else {
                    0
                }
            };
            let (digits, _) = street_with_echo(street, |_| 0, gain_db, delay_ms);
            assert_eq!(digits, "", "{gain_db} dB after {delay_ms} ms");
        }
    }
}

#[test]
fn a_key_is_found_although_the_street_talks_and_is_echoed() {
    let (digits, _) = street_with_echo(voice, nines, -30.0, 60);
    assert!(digits.len() >= 13, "{digits}");
    // While the street plays the very key itself, nobody can tell who pressed it.
    let (digits, echoes) = street_with_echo(nines, nines, -20.0, 60);
    assert_eq!(digits, "");
    assert!(echoes > 5);
}
