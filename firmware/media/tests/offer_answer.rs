//! Offers and answers: payload types, hold, refused streams, and what other makers send.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::*;
use trubka_media::{Codec, MediaEvent, SdpErrorKind, Session, SessionConfig, TransmitKind};

fn session() -> Session {
    Session::new(SessionConfig::new(address(1, 4000)), [1; 32])
}

fn answer(session: &mut Session, offer: &str) -> Result<String, SdpErrorKind> {
    session
        .answer_offer(ms(0), offer.as_bytes())
        .map(|body| String::from_utf8(body).unwrap())
        .map_err(|error| {
            assert!(!error.cause.is_empty() && !error.hint.is_empty());
            error.kind
        })
}

fn lines(sdp: &str, prefix: &str) -> Vec<String> {
    sdp.split("\r\n")
        .filter(|line| line.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// A minimal offer with `media` after the session part.
fn offer(media: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\n{media}")
}

#[test]
fn our_offer_says_what_we_do() {
    let sdp = String::from_utf8(session().create_offer()).unwrap();
    assert_eq!(lines(&sdp, "m="), ["m=audio 4000 RTP/AVP 8 0 101"]);
    for line in [
        "v=0",
        "s=-",
        "c=IN IP4 127.77.0.1",
        "t=0 0",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ] {
        assert!(sdp.split("\r\n").any(|l| l == line), "{line} in {sdp}");
    }
    assert!(
        lines(&sdp, "o=")[0].ends_with(" 1 IN IP4 127.77.0.1"),
        "{sdp}"
    );
}

#[test]
fn an_advertised_address_replaces_the_bound_one() {
    let mut config = SessionConfig::new(address(1, 4000));
    config.advertised_address = Some([203, 0, 113, 5].into());
    let sdp = String::from_utf8(Session::new(config, [1; 32]).create_offer()).unwrap();
    assert_eq!(lines(&sdp, "c="), ["c=IN IP4 203.0.113.5"]);
}

#[test]
fn the_version_grows_only_with_a_change() {
    let version = |body: &str| -> u64 {
        lines(body, "o=")[0]
            .split(' ')
            .nth(2)
            .unwrap()
            .parse()
            .unwrap()
    };
    let mut ours = session();
    let same = offer("m=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    let first = answer(&mut ours, &same).unwrap();
    let again = answer(&mut ours, &same).unwrap();
    assert_eq!(first, again);
    let held = answer(&mut ours, &format!("{same}a=sendonly\r\n")).unwrap();
    assert_eq!(version(&held), version(&first) + 1);
    let back = answer(&mut ours, &same).unwrap();
    assert_eq!(version(&back), version(&first) + 2);
    let session_id = |body: &str| lines(body, "o=")[0].split(' ').nth(1).map(str::to_owned);
    assert_eq!(session_id(&back), session_id(&first));
}

#[test]
fn hold_in_every_direction() {
    for (theirs, ours, held) in [
        ("a=sendrecv\r\n", "a=sendrecv", false),
        ("a=sendonly\r\n", "a=recvonly", true),
        ("a=recvonly\r\n", "a=sendonly", false),
        ("a=inactive\r\n", "a=inactive", true),
        ("c=IN IP4 0.0.0.0\r\n", "a=recvonly", true),
        ("c=IN IP4 0.0.0.0\r\na=inactive\r\n", "a=inactive", true),
        ("c=IN IP6 ::\r\na=sendonly\r\n", "a=recvonly", true),
    ] {
        let mut session = session();
        let plain = offer("m=audio 5000 RTP/AVP 8\r\n");
        answer(&mut session, &plain).unwrap();
        session.start(ms(0));
        let said = answer(
            &mut session,
            &offer(&format!("m=audio 5000 RTP/AVP 8\r\n{theirs}")),
        )
        .unwrap();
        assert!(said.contains(&format!("{ours}\r\n")), "{theirs}: {said}");
        let events: Vec<_> = std::iter::from_fn(|| session.poll_event()).collect();
        let expected = if held {
            vec![MediaEvent::Hold { on: true }]
        } else {
            vec![]
        };
        assert_eq!(events, expected, "{theirs}");
        // Nothing is sent while held; afterwards it is.
        for n in 0..4 {
            session.push_audio(ms(n * 10), &[0; 80]);
        }
        assert_eq!(session.poll_transmit().is_none(), held, "{theirs}");
        answer(&mut session, &plain).unwrap();
        let resumed = std::iter::from_fn(|| session.poll_event()).collect::<Vec<_>>();
        assert_eq!(
            resumed,
            if held {
                vec![MediaEvent::Hold { on: false }]
            } else {
                vec![]
            }
        );
        for n in 4..8 {
            session.push_audio(ms(n * 10), &[0; 80]);
        }
        assert!(session.poll_transmit().is_some(), "{theirs}: after resume");
    }
}

#[test]
fn music_on_hold_is_played_and_hold_at_session_level_counts() {
    let mut session = session();
    let body = "v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\na=sendonly\r\nm=audio 5000 RTP/AVP 8\r\n";
    assert!(answer(&mut session, body).unwrap().contains("a=recvonly"));
    session.start(ms(0));
    session.handle_rtp(
        ms(1),
        address(9, 5000),
        &rtp(8, true, 1, 0, 1, &[0x35; 160]),
    );
    assert_eq!(session.stats().packets_received, 1);
}

#[test]
fn refused_streams_keep_their_place() {
    let mut session = session();
    let body = offer(
        "m=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
         m=audio 0 RTP/AVP 8\r\n\
         m=audio 5002 RTP/SAVP 8\r\n\
         m=audio 5004 RTP/AVP 18 9\r\n\
         m=audio 5006 RTP/AVP 0 8\r\n\
         m=image 5008 udptl t38\r\n\
         m=application 5010 UDP/BFCP *\r\n",
    );
    let said = answer(&mut session, &body).unwrap();
    let media = lines(&said, "m=");
    assert_eq!(
        media,
        [
            "m=video 0 RTP/AVP 96",
            "m=audio 0 RTP/AVP 8",
            "m=audio 0 RTP/SAVP 8",
            "m=audio 0 RTP/AVP 18 9",
            "m=audio 4000 RTP/AVP 8",
            "m=image 0 udptl t38",
            "m=application 0 UDP/BFCP *",
        ]
    );
    // A later offer of ours keeps all seven lines.
    let ours = String::from_utf8(session.create_offer()).unwrap();
    assert_eq!(lines(&ours, "m=").len(), 7);
    assert_eq!(lines(&ours, "m=")[4], "m=audio 4000 RTP/AVP 8 0 101");
}

#[test]
fn what_cannot_be_used_is_refused_with_its_kind() {
    use SdpErrorKind::{
        Malformed, NoAudio, NoCommonCodec, TooBig, UnsupportedTransport, UnusableAddress,
    };
    let no_address = "v=0\r\ns=-\r\nm=audio 5000 RTP/AVP 8\r\n".to_owned();
    let many = offer(&"m=audio 5000 RTP/AVP 8\r\n".repeat(17));
    let name = offer("m=audio 5000 RTP/AVP 8\r\nc=IN IP4 pbx.example.com\r\n");
    for (body, kind, status) in [
        (String::new(), Malformed, 400),
        ("hello".to_owned(), Malformed, 400),
        ("v=1\r\n".to_owned(), Malformed, 400),
        (offer("m=audio\r\n"), Malformed, 400),
        (offer("m=audio 99999 RTP/AVP 8\r\n"), Malformed, 400),
        (offer(""), NoAudio, 488),
        (offer("m=video 5000 RTP/AVP 96\r\n"), NoAudio, 488),
        (offer("m=audio 0 RTP/AVP 8\r\n"), NoAudio, 488),
        (offer("m=audio 5000 RTP/AVP 9 18\r\n"), NoCommonCodec, 488),
        (
            offer("m=audio 5000 RTP/AVP 8\r\na=rtpmap:8 PCMA/16000\r\n"),
            NoCommonCodec,
            488,
        ),
        (
            offer("m=audio 5000 RTP/SAVP 8\r\n"),
            UnsupportedTransport,
            488,
        ),
        (
            offer("m=audio 5000 UDP/TLS/RTP/SAVPF 8\r\n"),
            UnsupportedTransport,
            488,
        ),
        (no_address, UnusableAddress, 488),
        (name, UnusableAddress, 488),
        (
            offer("m=audio 5000 RTP/AVP 8\r\nc=IN IP4 224.2.1.1/127\r\n"),
            UnusableAddress,
            488,
        ),
        (
            offer("m=audio 5000 RTP/AVP 8\r\nc=IN IP4 255.255.255.255\r\n"),
            UnusableAddress,
            488,
        ),
        (many, TooBig, 488),
        (offer(&"a=x\r\n".repeat(5000)), TooBig, 488),
    ] {
        let got = answer(&mut session(), &body).unwrap_err();
        assert_eq!(got, kind, "{body:.80}");
        assert_eq!(got.sip_status(), status);
    }
}

#[test]
fn a_refused_offer_leaves_the_call_as_it_was() {
    let mut call = Call::new(Conditions::default(), 1);
    call.a.voice = voice;
    call.run_until(ms(500));
    assert!(call.b.session.answer_offer(call.now, b"nonsense").is_err());
    let bad = offer("m=audio 5000 RTP/AVP 18\r\n");
    assert!(
        call.b
            .session
            .answer_offer(call.now, bad.as_bytes())
            .is_err()
    );
    let before = call.b.session.stats().packets_received;
    call.run_until(ms(1500));
    assert!(call.b.session.stats().packets_received >= before + 49);
}

#[test]
fn payload_types_may_differ_by_direction() {
    let mut ours = session();
    ours.create_offer();
    let said = offer(
        "m=audio 5000 RTP/AVP 112 97\r\na=rtpmap:112 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n",
    );
    ours.accept_answer(ms(0), said.as_bytes()).unwrap();
    ours.start(ms(0));
    assert_eq!(ours.stats().codec, Some(Codec::Pcmu));
    ours.push_audio(ms(10), &[0; 80]);
    ours.push_audio(ms(20), &[0; 80]);
    // We send on the numbers of their description...
    assert_eq!(ours.poll_transmit().unwrap().payload[1] & 0x7f, 112);
    ours.send_digit(ms(20), '5', 100).unwrap();
    let sent = ours.poll_transmit().unwrap();
    assert_eq!((sent.kind, sent.payload[1] & 0x7f), (TransmitKind::Rtp, 97));
    // ...and receive on the numbers of ours.
    let peer = address(9, 5000);
    ours.handle_rtp(ms(30), peer, &rtp(0, false, 1, 0, 1, &[0xff; 160]));
    ours.handle_rtp(ms(40), peer, &rtp(101, true, 2, 800, 1, &[7, 10, 0, 160]));
    assert_eq!(ours.stats().packets_received, 2);
    assert!(matches!(
        ours.poll_event(),
        Some(MediaEvent::Digit { digit: '7', .. })
    ));
    // Many send on the numbers of their own instead; 112 can mean nothing else.
    ours.handle_rtp(ms(50), peer, &rtp(112, false, 3, 960, 1, &[0xff; 160]));
    assert_eq!(ours.stats().packets_received, 3);
    // What neither description names stays out.
    ours.handle_rtp(ms(60), peer, &rtp(113, false, 4, 1120, 1, &[0xff; 160]));
    assert_eq!(ours.stats().dropped.wrong_pt, 1);
}

#[test]
fn a_number_that_means_something_here_is_not_taken_for_the_peers() {
    let mut ours = session();
    ours.create_offer();
    // 101 is PCMU at the peer and a key here; 8 is PCMA everywhere.
    let said =
        offer("m=audio 5000 RTP/AVP 101 8\r\na=rtpmap:101 PCMU/8000\r\na=rtpmap:8 PCMU/8000\r\n");
    ours.accept_answer(ms(0), said.as_bytes()).unwrap();
    ours.start(ms(0));
    let peer = address(9, 5000);
    ours.handle_rtp(ms(10), peer, &rtp(101, false, 1, 0, 1, &[0xff; 160]));
    assert_eq!(ours.stats().packets_received, 0);
    ours.handle_rtp(ms(20), peer, &rtp(8, false, 2, 160, 1, &[0xd5; 160]));
    assert_eq!(ours.stats().packets_received, 1);
}

#[test]
fn an_answer_uses_the_offers_numbers_and_our_preference() {
    let said = answer(
        &mut session(),
        &offer(
            "m=audio 5000 RTP/AVP 0 18 8 96 13\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000/1\r\n\
             a=rtpmap:96 TELEPHONE-EVENT/8000\r\na=fmtp:96 0-16\r\na=ptime:30\r\na=maxptime:150\r\n",
        ),
    )
    .unwrap();
    assert_eq!(lines(&said, "m="), ["m=audio 4000 RTP/AVP 8 96"]);
    assert!(said.contains("a=ptime:30\r\n"), "{said}");
}

#[test]
fn packet_time_follows_the_peer_inside_10_to_60_ms() {
    for (asked, got) in [
        ("", 20),
        ("a=ptime:10\r\n", 10),
        ("a=ptime:25\r\n", 20),
        ("a=ptime:30.0\r\n", 30),
        ("a=ptime:60\r\n", 60),
        ("a=ptime:200\r\n", 60),
        ("a=ptime:5\r\n", 10),
        ("a=ptime:0\r\n", 20),
        ("a=ptime:abc\r\n", 20),
        ("a=maxptime:10\r\n", 10),
        ("a=ptime:40\r\na=maxptime:20\r\n", 20),
    ] {
        let mut session = session();
        answer(
            &mut session,
            &offer(&format!("m=audio 5000 RTP/AVP 8\r\n{asked}")),
        )
        .unwrap();
        assert_eq!(session.stats().ptime_ms, got, "{asked}");
    }
}

#[test]
fn rtcp_goes_where_the_peer_says() {
    for (said, port) in [
        ("", 5001),
        ("a=rtcp:5555\r\n", 5555),
        ("a=rtcp:5556 IN IP4 127.77.0.9\r\n", 5556),
    ] {
        let mut session = session();
        answer(
            &mut session,
            &offer(&format!("m=audio 5000 RTP/AVP 8\r\n{said}")),
        )
        .unwrap();
        session.start(ms(0));
        session.close(ms(10));
        let bye = session.poll_transmit().unwrap();
        assert_eq!(
            (bye.kind, bye.destination),
            (TransmitKind::Rtcp, address(9, port))
        );
    }
}

#[test]
fn an_answer_out_of_turn_or_refusing_us_is_an_error() {
    let plain = offer("m=audio 5000 RTP/AVP 8\r\n");
    let mut ours = session();
    assert_eq!(
        ours.accept_answer(ms(0), plain.as_bytes())
            .unwrap_err()
            .kind,
        SdpErrorKind::WrongState
    );
    ours.create_offer();
    let refused = offer("m=audio 0 RTP/AVP 8\r\n");
    let kind = |ours: &mut Session, body: &str| {
        ours.accept_answer(ms(0), body.as_bytes()).unwrap_err().kind
    };
    assert_eq!(kind(&mut ours, &refused), SdpErrorKind::Refused);
    assert_eq!(kind(&mut ours, &offer("")), SdpErrorKind::NoAudio);
    // Another branch of a forked call answers the same offer.
    ours.accept_answer(ms(0), plain.as_bytes()).unwrap();
    ours.accept_answer(ms(0), plain.replace("5000", "5500").as_bytes())
        .unwrap();
    // Glare: an offer while ours is out.
    ours.create_offer();
    let crossed = ours.answer_offer(ms(0), plain.as_bytes()).unwrap_err();
    assert_eq!(
        (crossed.kind, crossed.kind.sip_status()),
        (SdpErrorKind::WrongState, 491)
    );
    // The peer refuses ours: the old agreement stands, and its next offer is answered.
    ours.withdraw_offer();
    ours.start(ms(0));
    ours.handle_rtp(
        ms(1),
        address(9, 5500),
        &rtp(8, true, 1, 0, 1, &[0x35; 160]),
    );
    assert_eq!(ours.stats().packets_received, 1);
    ours.answer_offer(ms(0), plain.as_bytes()).unwrap();
    assert_eq!(kind(&mut ours, &plain), SdpErrorKind::WrongState);
}

/// Session descriptions as they come from the field, each in the style of its maker, with the codec and event payload type to
/// be agreed.
const FIELD: &[(&str, &[u8], Codec, Option<u8>)] = &[
    (
        "Asterisk",
        b"v=0\r\no=- 1478654722 1478654722 IN IP4 127.77.0.9\r\ns=Asterisk\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 11702 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:140\r\na=sendrecv\r\n",
        Codec::Pcma,
        Some(101),
    ),
    (
        "Asterisk, dtmf_mode=info",
        b"v=0\r\no=- 1 3 IN IP4 127.77.0.9\r\ns=Asterisk\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 11702 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=maxptime:140\r\na=sendrecv\r\n",
        Codec::Pcmu,
        None,
    ),
    (
        "baresip",
        b"v=0\r\no=- 2826172873 1104393 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\na=tool:baresip 1.0.0\r\nm=audio 25454 RTP/AVP 96 8 0 101\r\nb=AS:125\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;sprop-stereo=1\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:25455\r\na=sendrecv\r\na=label:1\r\na=rtcp-rsize\r\na=ssrc:4136327423 cname:sip:bare@127.77.0.9\r\na=ptime:20\r\n",
        Codec::Pcma,
        Some(101),
    ),
    (
        "Linphone",
        b"v=0\r\no=door 3345 1024 IN IP4 127.77.0.9\r\ns=Talk\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\na=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics\r\na=record:off\r\nm=audio 7078 RTP/AVPF 96 97 98 0 8 101 99 100\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:97 speex/16000\r\na=fmtp:97 vbr=on\r\na=rtpmap:98 speex/8000\r\na=fmtp:98 vbr=on\r\na=rtpmap:101 telephone-event/48000\r\na=rtpmap:99 telephone-event/16000\r\na=rtpmap:100 telephone-event/8000\r\na=rtcp-fb:* trr-int 5000\r\na=rtcp-fb:* ccm tmmbr\r\n",
        Codec::Pcma,
        Some(100),
    ),
    (
        "no rtpmap at all, LF only, no s= or t=",
        b"v=0\no=root 1 1 IN IP4 127.77.0.9\nc=IN IP4 127.77.0.9\nm=audio 5000 RTP/AVP 0\n",
        Codec::Pcmu,
        None,
    ),
    (
        "Latin-1 in the session name, spaces in the o= user, trailing NUL",
        b"v=0\r\no=T\xfcr Station 1 1 IN IP4 127.77.0.9\r\ns=T\xfcr\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n\0",
        Codec::Pcma,
        Some(101),
    ),
    (
        "two c= lines, double spaces, an empty line, unknown lines",
        b"v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns= \r\nc=IN IP4 127.77.0.9\r\nc=IN IP4 127.77.0.8\r\nt=0 0\r\nq=what\r\n\r\nm=audio  5000  RTP/AVP  8  101 \r\na=rtpmap:101  telephone-event/8000 \r\na=\r\nz=bad\r\nk=clear:x\r\n",
        Codec::Pcma,
        Some(101),
    ),
    (
        "a byte order mark, lower-case transport",
        b"\xef\xbb\xbfv=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 rtp/avp 8\r\n",
        Codec::Pcma,
        None,
    ),
    (
        "optional encryption: plain RTP with a key beside it",
        b"v=0\r\no=- 1 1 IN IP4 127.77.0.9\r\ns=-\r\nc=IN IP4 127.77.0.9\r\nt=0 0\r\nm=audio 5000 RTP/AVP 8\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:32\r\n",
        Codec::Pcma,
        None,
    ),
];

#[test]
fn descriptions_of_the_field_are_understood() {
    for (name, body, codec, events) in FIELD {
        let mut ours = session();
        let said = ours
            .answer_offer(ms(0), body)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let said = String::from_utf8(said).unwrap();
        assert_eq!(ours.stats().codec, Some(*codec), "{name}");
        let number = codec.static_payload_type().unwrap();
        let formats = match events {
            Some(pt) => format!("{number} {pt}"),
            None => number.to_string(),
        };
        assert!(
            lines(&said, "m=")[0].ends_with(&format!(" {formats}")),
            "{name}: {said}"
        );
        ours.start(ms(0));
        let digit = ours.send_digit(ms(0), '1', 100);
        assert_eq!(digit.is_ok(), events.is_some(), "{name}");
        // Our own parser takes what we write.
        let mut other = Session::new(SessionConfig::new(address(2, 6000)), [2; 32]);
        other.create_offer();
        if !said.contains("AVPF") {
            other.accept_answer(ms(0), said.as_bytes()).unwrap();
        }
    }
}
