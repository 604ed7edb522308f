//! Descriptions, packets, keys and tones.

use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade};
use media::{
    Codec, CryptoSuite, Encryption, InbandKeys, MediaEvent, Session, SessionConfig, StunClient,
    StunOutcome,
};
use std::net::SocketAddr;
use std::time::Duration;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn peer() -> SocketAddr {
    ([127, 77, 0, 9], 5000).into()
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn session(change: impl FnOnce(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig::new(([127, 77, 0, 1], 4000).into());
    change(&mut config);
    Session::new(config, [7; 32])
}

fn in_call() -> Session {
    let mut session = session(|_| ());
    session
        .answer_offer(ms(0), OFFER.as_bytes())
        .expect("a plain offer");
    session.start(ms(0));
    session
}

/// Only what a phone has on its keypad comes out, and no more of it than `limit`.
fn drain(session: &mut Session, limit: usize) -> usize {
    let mut digits = 0;
    let mut events = 0;
    while let Some(event) = session.poll_event() {
        events += 1;
        if let MediaEvent::Digit { digit, .. } = event {
            assert!("0123456789*#ABCD".contains(digit), "{digit}");
            digits += 1;
        }
    }
    assert!(
        events <= 256 && digits <= limit,
        "{digits} digits, {events} events"
    );
    while session.poll_transmit().is_some() {}
    digits
}

/// An offer, then the same as an answer, with and without keys.
pub(crate) fn sdp(data: &[u8]) {
    for encryption in [Encryption::Off, Encryption::Optional, Encryption::Required] {
        let mut callee = session(|config| config.encryption = encryption);
        if let Ok(answer) = callee.answer_offer(ms(0), data) {
            let text = String::from_utf8(answer.clone()).expect("our SDP is text");
            assert!(text.starts_with("v=0\r\n") && text.len() < 20_000);
            assert!(
                encryption != Encryption::Required || text.contains("a=crypto:"),
                "an answer in the clear where keys are required: {text}"
            );
            callee.start(ms(0));
            callee.handle_rtp(ms(1), peer(), &[0x80; 172]);
        }
        let mut caller = session(|config| config.encryption = encryption);
        let _ = caller.create_offer();
        let _ = caller.accept_answer(ms(0), data);
        // Whatever came, an ordinary description works afterwards.
        let later = callee.answer_offer(ms(2), OFFER.as_bytes());
        assert_eq!(later.is_ok(), encryption != Encryption::Required);
    }
}

/// The packets of an input: two bytes of length, then the packet.
fn packets(mut data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let [high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low]) & 0x7ff).min(rest.len());
        let (packet, rest) = rest.split_at(length);
        found.push(packet);
        data = rest;
    }
    found
}

/// A stream of packets from the peer, played out.
pub(crate) fn rtp(data: &[u8]) {
    let mut session = in_call();
    let mut out = [0; 80];
    let packets = packets(data);
    for (index, packet) in packets.iter().enumerate() {
        let now = ms(index as u64 * 7);
        session.handle_rtp(now, peer(), packet);
        session.push_audio(now, &[100; 80]);
        session.pull_audio(now, &mut out);
        assert!(session.stats().held_ms <= 500);
    }
    drain(&mut session, packets.len());
    // A stranger's packets never count.
    let mut stranger = in_call();
    for (index, packet) in packets.iter().enumerate() {
        let source = ([127, 77, 0, 66], 5000).into();
        stranger.handle_rtp(ms(index as u64 * 7), source, packet);
    }
    assert_eq!(drain(&mut stranger, 0), 0);
}

/// Opus in every length and order: a byte that chooses what the peer asks of our own Opus, then for each packet how many were lost
/// before it, whether it comes late or jumps in time, how much is played afterwards, its length, and its payload. Builds without Opus
/// run the same with G.711.
pub(crate) fn opus(data: &[u8]) {
    const WISHES: [&str; 4] = [
        "useinbandfec=1",
        "useinbandfec=1;usedtx=1;maxaveragebitrate=6000",
        "cbr=1;maxaveragebitrate=510000",
        "stereo=1;maxplaybackrate=48000;usedtx=1",
    ];
    let Some((wish, mut data)) = data.split_first() else {
        return;
    };
    let built = Codec::Opus.is_built();
    let codec = if built { "111" } else { "8" };
    let wish = WISHES[usize::from(*wish) % WISHES.len()];
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP {codec}\r\n\
         a=rtpmap:111 opus/48000/2\r\na=fmtp:111 {wish}\r\n"
    );
    let mut session = session(|config| config.codecs = vec![Codec::Opus, Codec::Pcma]);
    let answer = session.answer_offer(ms(0), offer.as_bytes());
    answer.expect("a plain offer");
    session.start(ms(0));
    let (mut now, mut sequence, mut time, mut count) = (0_u64, 100_u16, 5_000_u32, 0_u64);
    let mut out = [0; 80];
    while let [control, high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low]) & 0x7ff).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        data = rest;
        sequence = sequence.wrapping_add(1 + u16::from(control & 3));
        time = time.wrapping_add(960 * (1 + u32::from(control & 3)));
        let (mut number, mut stamp) = (sequence, time);
        if control & 4 != 0 {
            let back = u16::from(*high >> 3);
            (number, stamp) = (
                number.wrapping_sub(back),
                stamp.wrapping_sub(u32::from(back) * 960),
            );
        }
        if control & 8 != 0 {
            time = time.wrapping_add(u32::from(*low) * 120);
            stamp = time;
        }
        let mut packet = vec![0x80, if built { 111 } else { 8 }];
        packet.extend(number.to_be_bytes());
        packet.extend(stamp.to_be_bytes());
        packet.extend(7_u32.to_be_bytes());
        packet.extend(payload);
        session.handle_rtp(ms(now), peer(), &packet);
        count += 1;
        for _ in 0..=control >> 5 {
            let loud = payload.first().map_or(0, |byte| i16::from(*byte) * 128);
            let said = std::array::from_fn(|at| if at % 20 < 10 { loud } else { -loud });
            session.push_audio(ms(now), &said);
            session.pull_audio(ms(now), &mut out);
            now += 10;
            let stats = session.stats();
            assert!(stats.held_ms <= 500, "{} ms are held", stats.held_ms);
        }
        while let Some(sent) = session.poll_transmit() {
            // Our packets have to fit wherever G.711 does; a report has its own size.
            assert!(sent.payload.len() <= 12 + 480, "{}", sent.payload.len());
        }
    }
    let stats = session.stats();
    assert!(stats.packets_received <= count && stats.concealed_ms <= stats.played_ms);
    assert!(stats.mos.is_none_or(|mos| (1.0..=4.5).contains(&mos)));
    drain(&mut session, 0);
}

/// Packets into an encrypted call by somebody without its keys: none is taken.
pub(crate) fn srtp(data: &[u8]) {
    for suite in CryptoSuite::ALL {
        let mut session = session(|config| {
            config.encryption = Encryption::Required;
            config.crypto_suites = vec![suite];
        });
        let mut other = Session::new(
            SessionConfig {
                encryption: Encryption::Required,
                crypto_suites: vec![suite],
                ..SessionConfig::new(peer())
            },
            [9; 32],
        );
        let offer = other.create_offer();
        session.answer_offer(ms(0), &offer).expect("our own offer");
        session.start(ms(0));
        for (index, packet) in packets(data).iter().enumerate() {
            let now = ms(index as u64 * 7);
            session.handle_rtp(now, peer(), packet);
            let rtcp = ([127, 77, 0, 9], 5001).into();
            session.handle_rtcp(now, rtcp, packet);
        }
        let stats = session.stats();
        assert_eq!((stats.packets_received, stats.digits), (0, 0), "{suite:?}");
        drain(&mut session, 0);
    }
}

/// Reports from the peer.
pub(crate) fn rtcp(data: &[u8]) {
    let mut session = in_call();
    for (index, packet) in packets(data).iter().enumerate() {
        let now = ms(index as u64 * 900);
        session.handle_rtcp(now, ([127, 77, 0, 9], 5001).into(), packet);
        session.handle_timeout(now);
        session.push_audio(now, &[0; 80]);
        let rtt = session.stats().rtt_ms;
        assert!(rtt.is_none_or(|rtt| (0.0..=60_000.0).contains(&rtt)));
    }
    drain(&mut session, 0);
}

/// What comes back to a question to a STUN server; the first twelve bytes are the number that was asked with.
pub(crate) fn stun(data: &[u8]) {
    let server = ([127, 77, 0, 9], 3478).into();
    let stranger = ([127, 77, 0, 66], 3478).into();
    let (number, answers) = data.split_at(data.len().min(12));
    let mut transaction = [0; 12];
    for (to, from) in transaction.iter_mut().zip(number) {
        *to = *from;
    }
    let mut client = StunClient::new(ms(0), server, transaction);
    for packet in packets(answers) {
        assert!(
            !client.handle(server, packet),
            "an answer before the question"
        );
    }
    let request = client.poll_transmit(ms(0)).expect("a question");
    assert_eq!(request.get(8..), Some(&transaction[..]));
    for packet in packets(answers) {
        assert!(!client.handle(stranger, packet), "a stranger's answer");
        client.handle(server, packet);
    }
    if let Some(StunOutcome::Mapped(address)) = client.outcome() {
        assert!(address.port() != 0 && !address.ip().is_unspecified());
    }
    // However it ends, it ends.
    for _ in 0..10 {
        let Some(due) = client.next_deadline() else {
            return;
        };
        client.poll_transmit(due);
    }
    panic!("a question without end");
}

/// Key events and INFO bodies in any order: five bytes each. A press is one key at one timestamp, or a marker
/// that starts over, or one INFO; there are never more keys than that while presses are remembered.
pub(crate) fn keys(data: &[u8]) {
    let mut session = in_call();
    let (mut stamps, mut others, mut now) = (std::collections::BTreeSet::new(), 0, 0_u64);
    for (index, order) in data.chunks_exact(5).enumerate() {
        let [kind, a, b, c, d] = order else { continue };
        now += u64::from(*d);
        if kind & 0x80 == 0 {
            let stamp = u32::from(*a) * 160;
            let sequence = u16::from_be_bytes([*kind & 0x3f, *b]);
            let mut packet = vec![0x80, 101 | (kind & 0x40) << 1];
            packet.extend(sequence.to_be_bytes());
            packet.extend(stamp.to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend([c & 0x1f, (c & 0x80) | 10, 0, *b]);
            stamps.insert((stamp, c & 0x1f));
            others += usize::from(kind & 0x40 != 0);
            session.handle_rtp(ms(now), peer(), &packet);
        } else {
            others += 1;
            let kinds = ["application/dtmf-relay", "application/dtmf", "text/plain"];
            let kind = kinds.get(usize::from(*a) % 3).copied().unwrap_or("");
            let body = [b"Signal=".as_slice(), &[*b, *c], b"\r\nDuration=160"].concat();
            let _ = session.info_digit(ms(now), kind, &body);
        }
        if index % 8 == 0 {
            session.pull_audio(ms(now), &mut [0; 80]);
        }
        if index % 64 == 63 {
            drain(&mut session, 256);
        }
    }
    let digits = session.stats().digits;
    // Eight presses are remembered, for 20 s.
    assert!(now > 20_000 || stamps.len() > 8 || digits <= (stamps.len() + others) as u64);
}

/// Sound, with tones as keys switched on and off: off, sound is never a key.
pub(crate) fn tones(data: &[u8]) {
    let samples: Vec<i16> = data
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let mut detector = DtmfDetector::new(DtmfGrade::Door);
    for block in samples.chunks(80) {
        let block: Vec<f32> = block.iter().map(|s| f32::from(*s) / 32_768.0).collect();
        detector.process(&block, data.len().is_multiple_of(3));
        while let Some(event) = detector.poll() {
            if let DtmfEvent::Pressed { digit, .. } = event {
                assert!("0123456789*#ABCD".contains(digit));
            }
        }
    }
    for inband in [InbandKeys::Off, InbandKeys::Always] {
        let mut session = session(|config| config.inband_keys = inband);
        session
            .answer_offer(ms(0), OFFER.as_bytes())
            .expect("a plain offer");
        session.start(ms(0));
        let mut out = [0; 80];
        for (index, payload) in data.chunks(160).enumerate() {
            let mut packet = vec![0x80, 8];
            packet.extend((index as u16).to_be_bytes());
            packet.extend((index as u32 * 160).to_be_bytes());
            packet.extend(7_u32.to_be_bytes());
            packet.extend(payload);
            let now = index as u64 * 20;
            session.handle_rtp(ms(now), peer(), &packet);
            for half in [0, 10] {
                session.pull_audio(ms(now + half), &mut out);
            }
        }
        let limit = if inband == InbandKeys::Off { 0 } else { 256 };
        drain(&mut session, limit);
    }
}
