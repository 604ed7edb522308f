//! A stranger sends INVITEs as fast as the goal says, a thousand a second, while a visitor is served: he
//! gets no answer, the door opens, and the daemon does not grow.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use trubka_tests::asterisk::Asterisk;
use trubka_tests::failure::ensure;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

const PER_SECOND: u32 = 1_000;

fn flood_s() -> u32 {
    match std::env::var_os("TRUBKA_LONG") {
        Some(_) => 60,
        None => 6,
    }
}

fn resident_kib(gateway: &Gateway) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.daemon_id()))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.ok_or_else(|| Failure::new("no VmRSS of the daemon"))
}

/// Sends for the set time; gives how many went out and how many answers came.
fn flood(target: Ipv4Addr) -> Result<(u32, u32), Failure> {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 200, 13, 66), 0))?;
    socket.set_nonblocking(true)?;
    let own = socket.local_addr()?;
    let (begun, mut sent, mut answers) = (Instant::now(), 0, 0);
    while sent < PER_SECOND * flood_s() {
        let due = (begun.elapsed().as_secs_f64() * f64::from(PER_SECOND)) as u32;
        let due = due.min(PER_SECOND * flood_s());
        while sent < due {
            let invite = format!(
                "INVITE sip:100@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{sent}\r\n\
                 Max-Forwards: 70\r\nFrom: \"sipvicious\" <sip:100@1.1.1.1>;tag={sent}\r\n\
                 To: <sip:100@{target}>\r\nCall-ID: {sent}@flood\r\nCSeq: 1 INVITE\r\n\
                 Contact: <sip:100@{own}>\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"
            );
            socket.send_to(invite.as_bytes(), (target, 5060))?;
            sent += 1;
        }
        while socket.recv(&mut [0; 2000]).is_ok() {
            answers += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok((sent, answers))
}

#[test]
fn flood_of_strangers() -> Outcome {
    let pbx = Asterisk::start()?;
    let mut gateway = Gateway::start(&Settings::new("400", Visit::usual(4.0, 120.0)), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let before = resident_kib(&gateway)?;
    let (sent, answers) = flood(gateway.ip())?;
    ensure(answers == 0, || format!("{answers} answers to a stranger"))?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    let grown = resident_kib(&gateway)?.saturating_sub(before);
    println!("{sent} INVITEs, {grown} KiB more");
    ensure(grown < 6144, || format!("{grown} KiB more after the flood"))?;
    gateway.wait_idle(seconds(20.0))?;
    wait::until_true("idle PBX", seconds(5.0), || Ok(pbx.channels()? == 0))?;
    gateway.must_have_opened(1)?;
    gateway.must_be_clean_for_the_panel()
}
