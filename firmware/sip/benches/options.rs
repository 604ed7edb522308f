//! `cargo bench -p trubka-sip`: how fast requests are read and answered, with plain timing.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};
use trubka_sip::message::read;
use trubka_sip::{Account, SourcePolicy, UaConfig, UserAgent};

const ROUNDS: u32 = 200_000;

fn request(n: u32) -> Vec<u8> {
    format!(
        "OPTIONS sip:42@127.0.0.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;\
         branch=z9hG4bK{n};rport\r\nMax-Forwards: 70\r\nFrom: \"PBX\" <sip:pbx@127.0.0.1>;tag={n}\r\n\
         To: <sip:42@127.0.0.2>\r\nCall-ID: {n}@127.0.0.1\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:pbx@127.0.0.1:5060>\r\nUser-Agent: bench\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn report(name: &str, count: u32, elapsed: Duration) {
    println!(
        "{name}: {:.0} per second",
        f64::from(count) / elapsed.as_secs_f64()
    );
}

fn main() {
    let requests: Vec<Vec<u8>> = (0..ROUNDS).map(request).collect();
    let start = Instant::now();
    let good = requests.iter().filter(|r| read(r).is_ok()).count();
    assert_eq!(good, requests.len());
    report("read OPTIONS", ROUNDS, start.elapsed());

    let Ok(local) = "127.0.0.2:5060".parse() else {
        return;
    };
    let Ok(pbx) = "127.0.0.1:5060".parse() else {
        return;
    };
    let Ok(stranger) = "127.0.0.66:5060".parse() else {
        return;
    };
    let config = UaConfig {
        local,
        advertised: None,
        user_agent: "bench".into(),
        accounts: vec![Account::new("42", "127.0.0.1", "secret")],
        allowed_sources: SourcePolicy::AccountsOnly,
    };
    let mut ua = UserAgent::new(config, [1; 32]);
    // The limit of requests is not what is measured.
    ua.set_request_limit(u32::MAX);
    let start = Instant::now();
    let mut answers = 0;
    for (n, request) in requests.iter().enumerate() {
        ua.handle_datagram(Duration::from_micros(n as u64), pbx, request);
        while ua.poll_transmit().is_some() {
            answers += 1;
        }
    }
    assert_eq!(answers, ROUNDS);
    report("read and answer OPTIONS", ROUNDS, start.elapsed());

    let start = Instant::now();
    for (n, request) in requests.iter().enumerate() {
        ua.handle_datagram(Duration::from_micros(n as u64), stranger, request);
        while ua.poll_event().is_some() {}
    }
    report("drop datagrams of strangers", ROUNDS, start.elapsed());
}
