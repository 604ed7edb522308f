//! An account whose registrar no probe watches, and beside which another one stands by.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;
use common::*;
use std::net::SocketAddr;
use std::time::Duration;
use trubka_sip::message::Method;
use trubka_sip::*;

const UA: &str = "127.0.0.2:5060";
const ONE: &str = "127.0.0.1:5060";

/// An account that may be stood in for, and whose registrar answers OPTIONS alone when it lives.
fn watched(keepalive_s: u32, keepalive: Keepalive, watch_calls: bool) -> (Network, UserAgent) {
    let mut config = config_of(UA, ONE);
    config.accounts[0].keepalive_s = keepalive_s;
    let mut ua = UserAgent::new(config, seed(7));
    let options = AccountOptions {
        keepalive,
        watch_calls,
        ..Default::default()
    };
    ua.set_options(0, options);
    ua.start(ms(0));
    (Network::new(7), ua)
}

#[test]
fn without_probes_an_unanswered_call_tells_that_the_registrar_is_away() {
    for (keepalive_s, keepalive) in [(0, Keepalive::Options), (20, Keepalive::Crlf)] {
        let (mut net, mut ua) = watched(keepalive_s, keepalive, true);
        let mut pbx = Registrar::new();
        pbx.down = true;
        let run = |net: &mut Network, ua: &mut UserAgent, pbx: &mut Registrar, until: Duration| {
            let nodes: &mut [(SocketAddr, &mut dyn Node)] = &mut [(addr(UA), ua), (addr(ONE), pbx)];
            net.run(until, nodes);
        };
        run(&mut net, &mut ua, &mut pbx, secs(100));
        assert_eq!(events(&mut ua), [], "nothing shows it");
        ua.invite(net.now, 0, call_to("400")).unwrap();
        run(&mut net, &mut ua, &mut pbx, secs(133));
        let told = events(&mut ua);
        assert_eq!(told[0], UaEvent::PeerUnreachable { account: 0 }, "{told:?}");
        assert_eq!(told.len(), 2);
        // It is asked every 10 s, whatever its own period is.
        run(&mut net, &mut ua, &mut pbx, secs(180));
        let asked = net.sent(addr(UA), "OPTIONS");
        let first: Vec<u64> = asked
            .iter()
            .filter(|(_, m)| m.cseq().unwrap().0 == 1)
            .map(|(at, _)| at.as_secs())
            .collect();
        assert_eq!((first[0], first.contains(&144)), (134, true), "{first:?}");
        assert_eq!(events(&mut ua), []);
        pbx.down = false;
        run(&mut net, &mut ua, &mut pbx, secs(195));
        assert_eq!(events(&mut ua), [UaEvent::PeerReachable { account: 0 }]);
        // And then left alone again.
        let asked = net.sent(addr(UA), "OPTIONS").len();
        run(&mut net, &mut ua, &mut pbx, secs(600));
        assert_eq!(net.sent(addr(UA), "OPTIONS").len(), asked);
        assert_eq!(events(&mut ua), []);
    }
}

#[test]
fn an_answered_call_brings_an_account_back_and_watching_has_to_be_wanted() {
    let (mut net, mut ua) = watched(0, Keepalive::Options, true);
    let mut pbx = Script::default();
    let mut run = |ua: &mut UserAgent, pbx: &mut Script, until: Duration| {
        let nodes: &mut [(SocketAddr, &mut dyn Node)] = &mut [(addr(UA), ua), (addr(ONE), pbx)];
        net.run(until, nodes);
    };
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    run(&mut ua, &mut pbx, secs(33));
    assert_eq!(events(&mut ua).len(), 2);
    pbx.inbox.clear();
    ua.invite(secs(33), 0, call_to("400")).unwrap();
    run(&mut ua, &mut pbx, ms(33_100));
    let (_, invite) = pbx.take(&Method::INVITE).unwrap();
    pbx.reply(&invite, addr(UA), 486, &[]);
    run(&mut ua, &mut pbx, secs(34));
    let told = events(&mut ua);
    assert_eq!(told[0], UaEvent::PeerReachable { account: 0 }, "{told:?}");
    // Alone, an account is what it is set to.
    let (mut net, mut ua) = watched(0, Keepalive::Options, false);
    ua.invite(ms(0), 0, call_to("400")).unwrap();
    net.run(secs(40), &mut [(addr(UA), &mut ua)]);
    assert!(matches!(&events(&mut ua)[..], [UaEvent::Ended { .. }]));
}
