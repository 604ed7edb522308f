//! Seeded mutation of everything that comes from the network: nothing panics, memory stays bounded, nothing opens a door.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use trubka_media::{MediaEvent, Session, SessionConfig};

const ROUNDS: usize = 40_000;

fn mutate(random: &mut ChaCha12Rng, original: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = original.to_vec();
    for _ in 0..=random.next_u32() % 4 {
        let at = random.next_u32() as usize % (out.len() + 1);
        match random.next_u32() % 7 {
            0 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << (random.next_u32() % 8);
                }
            }
            1 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = [0, 0xff, 0x80, 0x7f, b'\r', b'\n', b'=', b' ']
                        [random.next_u32() as usize % 8];
                }
            }
            2 => out.truncate(at),
            3 => out.insert(at, random.next_u32() as u8),
            4 => {
                let end = (at + random.next_u32() as usize % 40).min(out.len());
                out.drain(at..end);
            }
            5 => {
                let end = (at + random.next_u32() as usize % 60).min(out.len());
                let piece = out[at..end].to_vec();
                out.splice(at..at, piece);
            }
            _ => {
                let from = random.next_u32() as usize % (other.len() + 1);
                out.truncate(at);
                out.extend_from_slice(&other[from..]);
            }
        }
    }
    out
}

fn in_call() -> Session {
    let mut session = Session::new(SessionConfig::new(address(1, 4000)), [1; 32]);
    let offer = "v=0\r\nc=IN IP4 127.77.0.9\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";
    session.answer_offer(ms(0), offer.as_bytes()).unwrap();
    session.start(ms(0));
    session
}

#[test]
fn descriptions() {
    let mut random = ChaCha12Rng::from_seed([1; 32]);
    let seeds: Vec<Vec<u8>> = vec![
        in_call().create_offer(),
        b"v=0\r\no=door 3345 1024 IN IP4 127.77.0.9\r\ns=Talk\r\nc=IN IP4 127.77.0.9/127/3\r\nb=AS:380\r\nt=0 0\r\na=sendonly\r\nm=video 0 RTP/AVP 96\r\nm=audio 7078/2 RTP/AVPF 96 97 8 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:101 0-16\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=maxptime:60\r\na=rtcp:7079 IN IP6 ::1\r\n".to_vec(),
        b"v=0\no=- 1 1 IN IP6 ::1\ns=-\nc=IN IP6 fe80::1\nt=0 0\nm=audio 1 RTP/AVP 0 8 9 18 13 255 -1 x\na=inactive\n".to_vec(),
    ];
    let mut session = in_call();
    let mut fine = 0;
    for round in 0..ROUNDS {
        let body = mutate(&mut random, &seeds[round % 3], &seeds[(round + 1) % 3]);
        if round % 3 == 0 {
            session.create_offer();
            fine += usize::from(session.accept_answer(ms(0), &body).is_ok());
        } else if let Ok(answer) = session.answer_offer(ms(0), &body) {
            fine += 1;
            let text = String::from_utf8(answer).unwrap();
            assert!(text.starts_with("v=0\r\n") && text.len() < 20_000);
        }
        while session.poll_event().is_some() {}
    }
    assert!(fine > ROUNDS / 20, "{fine} mutants were still usable");
}

#[test]
fn packets() {
    let mut random = ChaCha12Rng::from_seed([2; 32]);
    let seeds = [
        rtp(8, false, 1, 160, 7, &[0xd5; 160]),
        rtp(101, true, 2, 320, 7, &[9, 10, 0, 160]),
        rtp(13, false, 3, 480, 7, &[60]),
        {
            let mut packet = rtp(8, false, 4, 640, 7, &[0x55; 80]);
            packet[0] = 0xb2;
            packet
        },
    ];
    let mut session = in_call();
    let mut out = [0; 80];
    for round in 0..ROUNDS {
        let mut packet = mutate(&mut random, &seeds[round % 4], &seeds[(round + 1) % 4]);
        if round % 2 == 0 && packet.len() >= 12 {
            // Half of them stay in the stream, so that the deeper parts are reached.
            packet[0] &= 0x3f;
            packet[0] |= 0x80;
            packet[8..12].copy_from_slice(&7_u32.to_be_bytes());
        }
        let now = ms(round as u64 * 3);
        session.handle_rtp(now, address(9, 5000), &packet);
        if round % 4 == 0 {
            session.push_audio(now, &[0; 80]);
            session.pull_audio(now, &mut out);
        }
        assert!(session.stats().held_ms <= 200);
        if round % 1000 == 0 {
            while session.poll_transmit().is_some() {}
        }
    }
    let stats = session.stats();
    assert!(
        stats.packets_received > 5000 && stats.dropped.bad_packet > 1000,
        "{stats:?}"
    );
    assert!(stats.concealed_ms > 0);
    // The queue of events is bounded although nobody drained it.
    let left = std::iter::from_fn(|| session.poll_event()).count();
    assert!(left <= 256, "{left}");
}

#[test]
fn reports() {
    let mut random = ChaCha12Rng::from_seed([3; 32]);
    let mut call = Call::new(Conditions::default(), 4);
    call.run_until(ms(20_000));
    let seeds: Vec<Vec<u8>> = call
        .a
        .sent
        .iter()
        .filter(|(_, t)| t.kind == trubka_media::TransmitKind::Rtcp)
        .map(|(_, t)| t.payload.clone())
        .collect();
    let mut session = call.b.session;
    for round in 0..ROUNDS {
        let seed = &seeds[round % seeds.len()];
        let packet = mutate(&mut random, seed, &seeds[(round + 1) % seeds.len()]);
        let now = ms(20_000 + round as u64);
        session.handle_rtcp(now, address(1, 4001), &packet);
        session.handle_timeout(now);
        while session.poll_transmit().is_some() {}
    }
    let stats = session.stats();
    assert!(
        stats.rtcp_received > 1000 && stats.dropped.bad_packet > 1000,
        "{stats:?}"
    );
    assert!(
        stats
            .rtt_ms
            .is_none_or(|rtt| (0.0..=60_000.0).contains(&rtt))
    );
}

#[test]
fn info_bodies() {
    let mut random = ChaCha12Rng::from_seed([4; 32]);
    let seeds: [&[u8]; 3] = [
        b"Signal=9\r\nDuration=160\r\n",
        b"signal : *\nDURATION = 99999999999999",
        b"11",
    ];
    let types = [
        "application/dtmf-relay",
        "application/dtmf",
        "Application/DTMF-Relay;x=y",
        "text/\u{130}",
    ];
    let mut session = in_call();
    let (mut fine, mut bad) = (0, 0);
    for round in 0..ROUNDS {
        let body = mutate(&mut random, seeds[round % 3], seeds[(round + 1) % 3]);
        match session.info_digit(ms(round as u64), types[round % 4], &body) {
            Ok(()) => fine += 1,
            Err(error) => {
                assert!(!error.hint.is_empty() && error.cause.len() < 400);
                bad += 1;
            }
        }
        while let Some(event) = session.poll_event() {
            let MediaEvent::Digit {
                digit, duration_ms, ..
            } = event
            else {
                panic!("{event:?}")
            };
            assert!("0123456789*#ABCD".contains(digit) && duration_ms <= 60_000);
        }
    }
    assert!(fine > 1000 && bad > 1000, "{fine} {bad}");
}
