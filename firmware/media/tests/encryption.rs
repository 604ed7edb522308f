//! SRTP with keys in the description: what is agreed, what is refused, and that nothing leaks.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use trubka_media::{
    CryptoSuite, Encryption, MediaEvent, SdpErrorKind, Session, SessionConfig, TransmitKind,
};

fn config(host: u8, encryption: Encryption) -> SessionConfig {
    SessionConfig {
        encryption,
        ..SessionConfig::new(address(host, 4000))
    }
}

fn session(host: u8, encryption: Encryption) -> Session {
    Session::new(config(host, encryption), [host; 32])
}

fn text(sdp: Vec<u8>) -> String {
    String::from_utf8(sdp).unwrap()
}

fn audio_line(sdp: &str) -> &str {
    sdp.lines()
        .find(|line| line.starts_with("m=audio"))
        .unwrap()
}

fn keys(sdp: &str) -> Vec<&str> {
    sdp.lines()
        .filter(|line| line.starts_with("a=crypto:"))
        .collect()
}

/// An answered call between two sides, with speech both ways.
fn call(a: SessionConfig, b: SessionConfig) -> Call {
    let mut a = Side::new(a, 11);
    let mut b = Side::new(b, 12);
    a.voice = voice;
    b.voice = voice;
    Call::between(a, b, Conditions::default(), 5)
}

fn loudness(heard: &[i16]) -> f64 {
    let sum: f64 = heard.iter().map(|s| f64::from(*s).powi(2)).sum();
    (sum / heard.len().max(1) as f64).sqrt()
}

#[test]
fn offers_say_what_is_wanted() {
    let plain = text(session(1, Encryption::Off).create_offer());
    assert!(audio_line(&plain).contains("RTP/AVP ") && keys(&plain).is_empty());
    let optional = text(session(1, Encryption::Optional).create_offer());
    assert!(audio_line(&optional).contains("RTP/AVP "), "{optional}");
    assert_eq!(keys(&optional).len(), 4);
    let required = text(session(1, Encryption::Required).create_offer());
    assert!(audio_line(&required).contains("RTP/SAVP "), "{required}");
    assert_eq!(keys(&required).len(), 4);
    // Four keys, all different, and others in another session.
    let other = text(session(2, Encryption::Required).create_offer());
    let mut all: Vec<&str> = keys(&required);
    all.extend(keys(&other));
    let mut material: Vec<&str> = all
        .iter()
        .map(|line| line.split("inline:").nth(1).unwrap())
        .collect();
    material.sort_unstable();
    material.dedup();
    assert_eq!(material.len(), 8);
}

#[test]
fn the_order_of_the_suites_is_the_configured_one() {
    let wanted = [
        CryptoSuite::AesCm256HmacSha1_80,
        CryptoSuite::AesCm128HmacSha1_32,
        CryptoSuite::AesCm256HmacSha1_80,
    ];
    let mut caller = Session::new(
        SessionConfig {
            crypto_suites: wanted.to_vec(),
            ..config(1, Encryption::Required)
        },
        [1; 32],
    );
    let offer = text(caller.create_offer());
    let lines = keys(&offer);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:"));
    assert!(lines[1].starts_with("a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:"));
    // The other side prefers the short tag, and says so with the number of the offer.
    let mut callee = Session::new(
        SessionConfig {
            crypto_suites: vec![CryptoSuite::AesCm128HmacSha1_32],
            ..config(2, Encryption::Optional)
        },
        [2; 32],
    );
    let answer = text(callee.answer_offer(ms(0), offer.as_bytes()).unwrap());
    assert!(audio_line(&answer).contains("RTP/SAVP "));
    assert!(keys(&answer)[0].starts_with("a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:"));
    caller.accept_answer(ms(0), answer.as_bytes()).unwrap();
    for side in [&caller, &callee] {
        assert_eq!(
            side.stats().encryption,
            Some(CryptoSuite::AesCm128HmacSha1_32)
        );
    }
}

#[test]
fn every_pair_of_wishes_has_its_outcome() {
    use Encryption::{Off, Optional, Required};
    let mut table = Vec::new();
    for offerer in [Off, Optional, Required] {
        for answerer in [Off, Optional, Required] {
            let (mut a, mut b) = (session(1, offerer), session(2, answerer));
            let outcome = match b.answer_offer(ms(0), &a.create_offer()) {
                Ok(answer) => {
                    a.accept_answer(ms(0), &answer).unwrap();
                    assert_eq!(a.stats().encryption, b.stats().encryption);
                    Ok(a.stats().encryption.is_some())
                }
                Err(error) => {
                    assert_eq!(error.kind.sip_status(), 488);
                    assert!(error.hint.contains("media"), "{}", error.hint);
                    Err(error.kind)
                }
            };
            table.push((offerer, answerer, outcome));
        }
    }
    let missing = Err(SdpErrorKind::EncryptionMissing);
    let transport = Err(SdpErrorKind::UnsupportedTransport);
    assert_eq!(
        table,
        [
            (Off, Off, Ok(false)),
            (Off, Optional, Ok(false)),
            (Off, Required, missing),
            (Optional, Off, Ok(false)),
            (Optional, Optional, Ok(true)),
            (Optional, Required, Ok(true)),
            (Required, Off, transport),
            (Required, Optional, Ok(true)),
            (Required, Required, Ok(true)),
        ]
    );
}

#[test]
fn an_answer_that_takes_the_keys_away_is_no_answer() {
    for encryption in [Encryption::Optional, Encryption::Required] {
        let mut caller = session(1, encryption);
        let mut callee = session(2, Encryption::Required);
        let offer = caller.create_offer();
        let answer = text(callee.answer_offer(ms(0), &offer).unwrap());
        let without: String = answer
            .lines()
            .filter(|line| !line.starts_with("a=crypto"))
            .map(|line| format!("{line}\r\n"))
            .collect();
        let clear = without.replace("RTP/SAVP", "RTP/AVP");
        // Somebody on the way cut the keys out: with required encryption that ends the call.
        let taken = caller.accept_answer(ms(0), clear.as_bytes());
        match encryption {
            Encryption::Required => {
                assert_eq!(taken.unwrap_err().kind, SdpErrorKind::EncryptionMissing);
                assert_eq!(caller.codec(), None);
            }
            _ => assert_eq!(taken, Ok(())),
        }
        // A key under a number or a suite that was not offered, or our own key sent back.
        let own = text(offer.clone());
        let own = keys(&own)[0];
        let theirs = keys(&answer)[0];
        for foul in [
            theirs.replace("crypto:1", "crypto:9"),
            theirs.replace("SHA1_80", "SHA1_32"),
            own.to_owned(),
        ] {
            let mut caller = session(1, encryption);
            caller.create_offer();
            let error = caller
                .accept_answer(ms(0), answer.replace(theirs, &foul).as_bytes())
                .unwrap_err();
            assert_eq!(error.kind, SdpErrorKind::NoCommonCrypto, "{foul}");
            assert!(!format!("{error:?}").contains("inline"));
        }
    }
}

#[test]
fn of_two_streams_the_one_that_can_be_used_is_taken() {
    let offer = "v=0\r\nc=IN IP4 127.77.0.9\r\n\
        m=audio 5000 RTP/SAVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4\r\n\
        m=audio 5002 RTP/AVP 8\r\n";
    for (encryption, ports) in [
        (Encryption::Off, ["0 RTP/SAVP", "4000 RTP/AVP"]),
        (Encryption::Required, ["4000 RTP/SAVP", "0 RTP/AVP"]),
    ] {
        let answer = session(1, encryption).answer_offer(ms(0), offer.as_bytes());
        let answer = text(answer.unwrap());
        for port in ports {
            assert!(answer.contains(&format!("m=audio {port}")), "{answer}");
        }
    }
    // DTLS is not ours.
    let dtls = offer
        .replace("RTP/SAVP", "UDP/TLS/RTP/SAVPF")
        .replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
    let error = session(1, Encryption::Required).answer_offer(ms(0), dtls.as_bytes());
    assert_eq!(error.unwrap_err().kind, SdpErrorKind::UnsupportedTransport);
}

#[test]
fn sound_keys_and_reports_go_through_and_nothing_of_them_is_readable() {
    for suite in CryptoSuite::ALL {
        let with = |host| SessionConfig {
            crypto_suites: vec![suite],
            ..config(host, Encryption::Required)
        };
        let mut call = call(with(1), with(2));
        call.run_until(ms(2000));
        call.a.session.send_digit(call.now, '9', 100).unwrap();
        call.run_until(ms(9000));
        assert_eq!(call.b.digits(), "9");
        for side in [&call.a, &call.b] {
            let stats = side.session.stats();
            assert_eq!(stats.dropped.total(), 0, "{stats:?}");
            assert_eq!(stats.concealed_ms, 0);
            assert!(
                stats.packets_received > 400 && stats.rtcp_received > 0,
                "{stats:?}"
            );
            assert!(stats.rtt_ms.is_some());
            assert!(loudness(&side.heard[8000..]) > 2000.0);
        }
        for (_, transmit) in call
            .a
            .sent
            .iter()
            .filter(|(_, t)| t.kind == TransmitKind::Rtcp)
        {
            let has = |name: &[u8]| transmit.payload.windows(name.len()).any(|at| at == name);
            assert!(!has(b"trubka"), "the canonical name is in the clear");
        }
        let tag = if suite.name().ends_with("80") { 10 } else { 4 };
        assert!(
            call.a
                .sent
                .iter()
                .any(|(_, t)| t.payload.len() == 12 + 160 + tag)
        );
    }
}

#[test]
fn what_is_in_the_clear_or_forged_or_copied_does_not_count() {
    let mut call = call(
        config(1, Encryption::Required),
        config(2, Encryption::Required),
    );
    call.run_until(ms(1000));
    let before = call.b.session.stats();
    // A key press in the clear, from the right address: the door stays shut.
    for sequence in 0..20 {
        let press = rtp(
            101,
            sequence == 0,
            20_000 + sequence,
            1,
            7,
            &[9, 0x0a, 0, 160],
        );
        call.b
            .session
            .handle_rtp(call.now, address(1, 4000), &press);
    }
    let goodbye = [0x81, 203, 0, 1, 0, 0, 0, 7];
    call.b
        .session
        .handle_rtcp(call.now, address(1, 4001), &goodbye);
    // Every packet so far once more.
    let copies: Vec<_> = call.a.sent.clone();
    for (_, transmit) in &copies {
        match transmit.kind {
            TransmitKind::Rtp => {
                call.b
                    .session
                    .handle_rtp(call.now, address(1, 4000), &transmit.payload);
            }
            TransmitKind::Rtcp => {
                call.b
                    .session
                    .handle_rtcp(call.now, address(1, 4001), &transmit.payload);
            }
        }
    }
    let after = call.b.session.stats();
    assert_eq!(after.packets_received, before.packets_received);
    assert_eq!(after.dropped.forged + after.dropped.bad_packet, 21);
    assert_eq!(after.dropped.replayed as usize, copies.len());
    assert_eq!(call.b.digits(), "");
}

#[test]
fn holding_keeps_the_keys_and_their_counters() {
    let mut call = call(
        config(1, Encryption::Required),
        config(2, Encryption::Required),
    );
    call.run_until(ms(1000));
    for round in 0..4 {
        let hold = round % 2 == 0;
        let mut offer = text(call.a.session.create_offer());
        assert!(audio_line(&offer).contains("RTP/SAVP"));
        if hold {
            offer = offer.replace("a=sendrecv", "a=sendonly");
        }
        let answer = call
            .b
            .session
            .answer_offer(call.now, offer.as_bytes())
            .unwrap();
        call.a.session.accept_answer(call.now, &answer).unwrap();
        call.run_until(ms(2000 + round * 1000));
    }
    for side in [&call.a, &call.b] {
        let stats = side.session.stats();
        assert_eq!(stats.dropped.total(), 0, "{stats:?}");
    }
    assert!(
        call.a
            .events
            .iter()
            .all(|(_, event)| !matches!(event, MediaEvent::Timeout))
    );
    assert!(loudness(&call.b.heard[call.b.heard.len() - 4000..]) > 2000.0);
}

/// The peer comes back with another key, as a transfer at the PBX does; packets under the old one are still on their way.
#[test]
fn a_new_key_of_the_peer_is_followed_and_the_old_one_dies() {
    let mut us = session(1, Encryption::Required);
    let mut first = session(2, Encryption::Required);
    let answer = us.answer_offer(ms(0), &first.create_offer()).unwrap();
    first.accept_answer(ms(0), &answer).unwrap();
    let mut second = Session::new(config(2, Encryption::Required), [77; 32]);
    us.start(ms(0));
    first.start(ms(0));
    second.start(ms(0));
    let sound = |session: &mut Session, at: u64| {
        session.push_audio(ms(at), &[1000; 80]);
        session.push_audio(ms(at + 10), &[1000; 80]);
        let sent = session.poll_transmit().unwrap();
        assert_eq!(sent.kind, TransmitKind::Rtp);
        sent.payload
    };
    let peer = address(2, 4000);
    us.handle_rtp(ms(20), peer, &sound(&mut first, 0));
    let (late, later) = (sound(&mut first, 20), sound(&mut first, 40));
    let own_key = |answer: &[u8]| keys(&text(answer.to_vec()))[0].to_owned();
    let second_answer = us.answer_offer(ms(60), &second.create_offer()).unwrap();
    // Ours stays: it was not given to anybody new.
    assert_eq!(own_key(&answer), own_key(&second_answer));
    second.accept_answer(ms(60), &second_answer).unwrap();
    us.handle_rtp(ms(70), peer, &late);
    assert_eq!(us.stats().packets_received, 2);
    // The new stream has another source; the old one must fall silent first.
    us.handle_rtp(ms(200), peer, &sound(&mut second, 200));
    assert_eq!(us.stats().packets_received, 3);
    us.handle_rtp(ms(2100), peer, &later);
    let stats = us.stats();
    assert_eq!((stats.packets_received, stats.dropped.forged), (3, 1));
}

/// A key that comes back, after another one or after a stretch in the clear, remembers which packets were taken: somebody who
/// recorded a key press cannot have it pressed again.
#[test]
fn a_key_that_comes_back_lets_no_recording_in() {
    for clear_between in [false, true] {
        let mut us = session(1, Encryption::Optional);
        let mut first = session(2, Encryption::Optional);
        let offer = first.create_offer();
        let answer = us.answer_offer(ms(0), &offer).unwrap();
        first.accept_answer(ms(0), &answer).unwrap();
        us.start(ms(0));
        first.start(ms(0));
        let peer = address(2, 4000);
        first.send_digit(ms(0), '9', 60).unwrap();
        let mut recorded = Vec::new();
        for at in (0..300).step_by(10) {
            first.handle_timeout(ms(at));
            while let Some(sent) = first.poll_transmit() {
                if sent.kind == TransmitKind::Rtp {
                    us.handle_rtp(ms(at), peer, &sent.payload);
                    recorded.push(sent.payload);
                }
            }
        }
        let digits = |us: &Session| us.stats().digits;
        assert_eq!(digits(&us), 1);
        let between = match clear_between {
            true => session(2, Encryption::Off).create_offer(),
            false => Session::new(config(2, Encryption::Optional), [77; 32]).create_offer(),
        };
        us.answer_offer(ms(1000), &between).unwrap();
        us.answer_offer(ms(4000), &offer).unwrap();
        // Long after the press is forgotten.
        for packet in &recorded {
            us.handle_rtp(ms(40_000), peer, packet);
        }
        assert_eq!(digits(&us), 1, "clear between: {clear_between}");
        assert_eq!(us.stats().dropped.replayed, recorded.len() as u64);
    }
}

#[test]
fn a_call_that_must_be_encrypted_cannot_be_taken_into_the_clear() {
    let mut us = session(1, Encryption::Required);
    let mut peer = session(2, Encryption::Required);
    us.answer_offer(ms(0), &peer.create_offer()).unwrap();
    let clear = session(2, Encryption::Off).create_offer();
    let error = us.answer_offer(ms(0), &clear).unwrap_err();
    assert_eq!(error.kind, SdpErrorKind::EncryptionMissing);
    assert!(us.stats().encryption.is_some());
    // With optional encryption the peer may.
    let mut us = session(1, Encryption::Optional);
    let mut peer = session(2, Encryption::Optional);
    us.answer_offer(ms(0), &peer.create_offer()).unwrap();
    assert!(us.stats().encryption.is_some());
    us.answer_offer(ms(0), &clear).unwrap();
    assert_eq!(us.stats().encryption, None);
}

#[test]
fn keys_are_never_shown() {
    let mut us = session(1, Encryption::Required);
    let mut peer = session(2, Encryption::Required);
    let offer = peer.create_offer();
    let answer = us.answer_offer(ms(0), &offer).unwrap();
    peer.accept_answer(ms(0), &answer).unwrap();
    let shown = format!("{us:?} {peer:?} {:#?}", us);
    for sdp in [text(offer), text(answer)] {
        for line in keys(&sdp) {
            let key = line.split("inline:").nth(1).unwrap();
            assert!(!shown.contains(&key[..8]), "{key}");
        }
    }
    assert!(shown.contains("AES_CM_128_HMAC_SHA1_80"));
}
