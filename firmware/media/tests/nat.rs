//! A NAT between two sessions that changes addresses and ports: with what a STUN server tells, each hears the other, although the far
//! side sends only where the description says and takes only what comes from there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::net::SocketAddr;

use common::{address, ms, voice};
use trubka_media::{PortMap, Session, SessionConfig, TransmitKind};

/// Inside and outside of one mapping.
const INSIDE: [(u16, u16); 2] = [(4000, 41_000), (4001, 52_222)];

fn outside(port: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 7], port))
}

/// What the server answers to a request from the inside port `from`.
fn told(request: &[u8], from: u16) -> Vec<u8> {
    let (_, port) = INSIDE.iter().find(|(inside, _)| *inside == from).unwrap();
    let mut answer = vec![1, 1, 0, 12];
    answer.extend(&request[4..20]);
    answer.extend([0, 1, 0, 8, 0, 1]);
    answer.extend(port.to_be_bytes());
    answer.extend([203, 0, 113, 7]);
    answer
}

fn mapped(port: u16) -> SocketAddr {
    let server = address(9, 3478);
    let mut map = PortMap::new(server, [port as u8; 32]);
    let request = map.poll_transmit(ms(0)).unwrap();
    assert!(map.handle(ms(1), server, &told(&request, port)));
    map.mapped(ms(1)).unwrap()
}

#[test]
fn both_hear_each_other_through_a_nat_that_changes_ports() {
    let mut inner = Session::new(
        SessionConfig {
            advertised_rtp: Some(mapped(4000)),
            advertised_rtcp: Some(mapped(4001)),
            ..SessionConfig::new(address(1, 4000))
        },
        [1; 32],
    );
    let mut outer = Session::new(SessionConfig::new(address(2, 6000)), [2; 32]);
    let offer = inner.create_offer();
    let said = String::from_utf8(offer.clone()).unwrap();
    for line in [
        "c=IN IP4 203.0.113.7\r\n",
        "m=audio 41000 RTP/AVP",
        "a=rtcp:52222 IN IP4 203.0.113.7\r\n",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let answer = outer.answer_offer(ms(0), &offer).unwrap();
    inner.accept_answer(ms(0), &answer).unwrap();
    inner.start(ms(0));
    outer.start(ms(0));
    let mut heard = [[0; 80]; 2];
    let mut loudest = [0; 2];
    for n in 0..800_u64 {
        let now = ms(n * 10);
        let block = std::array::from_fn(|i| voice(n * 80 + i as u64));
        for side in [&mut inner, &mut outer] {
            side.push_audio(now, &block);
            side.handle_timeout(now);
        }
        while let Some(sent) = inner.poll_transmit() {
            let index = usize::from(sent.kind == TransmitKind::Rtcp);
            let source = outside(INSIDE[index].1);
            match sent.kind {
                TransmitKind::Rtp => outer.handle_rtp(now, source, &sent.payload),
                TransmitKind::Rtcp => outer.handle_rtcp(now, source, &sent.payload),
            }
        }
        while let Some(sent) = outer.poll_transmit() {
            // The NAT knows two places and lets nothing else in.
            let port = sent.destination.port();
            assert_eq!(sent.destination, outside(port));
            let known = INSIDE.iter().find(|(_, outside)| *outside == port);
            let (inside, _) = known.expect("a packet that the NAT drops");
            let source = address(2, if *inside == 4000 { 6000 } else { 6001 });
            match inside {
                4000 => inner.handle_rtp(now, source, &sent.payload),
                _ => inner.handle_rtcp(now, source, &sent.payload),
            }
        }
        inner.pull_audio(now, &mut heard[0]);
        outer.pull_audio(now, &mut heard[1]);
        for (loudest, heard) in loudest.iter_mut().zip(&heard) {
            *loudest = heard.iter().copied().max().unwrap().max(*loudest);
        }
    }
    assert!(loudest.iter().all(|peak| *peak > 4000), "{loudest:?}");
    for side in [&inner, &outer] {
        let stats = side.stats();
        assert_eq!(stats.dropped.total(), 0, "{stats:?}");
        assert!(stats.rtcp_received >= 1, "{stats:?}");
    }
}

#[test]
fn a_nat_that_keeps_ports_needs_no_further_line() {
    let config = SessionConfig {
        advertised_rtp: Some(outside(4000)),
        advertised_rtcp: Some(outside(4001)),
        ..SessionConfig::new(address(1, 4000))
    };
    let said = String::from_utf8(Session::new(config, [1; 32]).create_offer()).unwrap();
    assert!(
        said.contains("m=audio 4000 ") && !said.contains("a=rtcp"),
        "{said}"
    );
}
