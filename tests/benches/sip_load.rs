//! What SIP costs the real daemon: OPTIONS answered for a second of processor, with Kamailio beside it, memory of
//! accounts and of a call, and a minute of a stranger's INVITEs. `tests/bench` runs it.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use trubka_tests::address::Address;
use trubka_tests::asterisk::Asterisk;
use trubka_tests::flood::Flood;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::process::Process;
use trubka_tests::process_cost::{cpu_ms, resident_kib};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

const LOAD: Duration = Duration::from_secs(5);
/// Requests on their way at one time: enough to keep the other side busy, too few to be dropped.
const WINDOW: usize = 64;
const ACCOUNTS: usize = 1000;

fn row(name: &str, value: &str, goal: &str) {
    println!("{name:<62} {value:>16} {goal:>12}");
}

fn main() -> Outcome {
    println!(
        "\n{:<62} {:>16} {:>12}",
        "SIP of the daemon, real time", "measured", "goal"
    );
    options()?;
    memory_of_accounts()?;
    flood_and_call()
}

/// OPTIONS from a trusted address, as fast as they are answered.
fn options() -> Outcome {
    let mut pbx = Asterisk::start()?;
    // The most that is taken from one address; with 50 a second there would be nothing to measure.
    let settings = Settings {
        more: "[access]\nrequests_per_second = 1000\n".into(),
        ..Settings::new("406", Visit::default())
    };
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    let id = gateway.daemon_id();
    let before = cpu_ms(id)?;
    let answered = ask(pbx.ip(), gateway.ip())?;
    let spent = cpu_ms(id)? - before;
    row(
        "OPTIONS answered for a second of processor, trubkad with sockets",
        &per_s(answered, spent),
        "-",
    );
    pbx.keep_quiet();
    gateway.keep_quiet();

    let address = Address::take()?;
    let folder = Folder::new("kamailio")?;
    let file = folder.write(
        "kamailio.cfg",
        &format!(
            "debug=0\nlog_stderror=yes\nchildren=1\nauto_aliases=no\ndisable_tcp=yes\nlisten=udp:{address}:5060\n\
             loadmodule \"sl.so\"\nrequest_route {{\n  if (method==\"OPTIONS\") {{ sl_send_reply(\"200\", \"OK\"); }}\n  exit;\n}}\n"
        ),
    )?;
    let mut command = Command::new("/usr/sbin/kamailio");
    command
        .args(["-DD", "-E", "-m", "64", "-M", "8", "-f"])
        .arg(file)
        .arg("-Y")
        .arg(folder.path());
    let mut kamailio = Process::start("kamailio", &mut command, folder.path())?;
    kamailio.keep_quiet();
    let asker = Address::take()?;
    wait::until_true("Kamailio", seconds(10.0), || {
        kamailio.must_live()?;
        let socket = UdpSocket::bind((asker.ip(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        socket.connect((address.ip(), 5060))?;
        let _ = socket.send(request(asker.ip(), address.ip(), 0).as_bytes());
        Ok(socket.recv(&mut [0; 2048]).is_ok())
    })?;
    let ids = family(kamailio.id())?;
    let total = || -> Result<u64, Failure> { ids.iter().map(|id| cpu_ms(*id)).sum() };
    let before = total()?;
    let answered = ask(asker.ip(), address.ip())?;
    row(
        "  Kamailio beside it, one worker, stateless",
        &per_s(answered, total()? - before),
        "-",
    );
    kamailio.stop(Duration::from_secs(3));
    Ok(())
}

fn per_s(count: u64, cpu_ms: u64) -> String {
    format!("{:.0}", count as f64 * 1000.0 / cpu_ms.max(1) as f64)
}

/// A process and its children.
fn family(id: u32) -> Result<Vec<u32>, Failure> {
    let mut ids = vec![id];
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(other) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let status = std::fs::read_to_string(format!("/proc/{other}/status")).unwrap_or_default();
        if status.lines().any(|line| line == format!("PPid:\t{id}")) {
            ids.push(other);
        }
    }
    Ok(ids)
}

fn request(own: Ipv4Addr, target: Ipv4Addr, number: u64) -> String {
    format!(
        "OPTIONS sip:100@{target}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKo{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"PBX\" <sip:pbx@{own}>;tag={number}\r\nTo: <sip:100@{target}>\r\n\
         Call-ID: {number}@{own}\r\nCSeq: 1 OPTIONS\r\nContact: <sip:pbx@{own}:5060>\r\nUser-Agent: bench\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// Asks for the time of [`LOAD`]; how many answers came.
fn ask(own: Ipv4Addr, target: Ipv4Addr) -> Result<u64, Failure> {
    let socket = UdpSocket::bind((own, 0))?;
    socket.connect((target, 5060))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    let (began, mut number, mut answered, mut on_the_way) = (Instant::now(), 1, 0, 0);
    while began.elapsed() < LOAD {
        while on_the_way < WINDOW {
            socket.send(request(own, target, number).as_bytes())?;
            number += 1;
            on_the_way += 1;
        }
        let mut answer = [0; 2048];
        match socket.recv(&mut answer) {
            Ok(_) if answer.starts_with(b"SIP/2.0 200") => {
                answered += 1;
                on_the_way -= 1;
            }
            Ok(_) => on_the_way -= 1,
            // What was lost is asked anew.
            Err(_) => on_the_way = 0,
        }
    }
    Ok(answered)
}

/// A thousand registered accounts against one.
fn memory_of_accounts() -> Outcome {
    let one = with_accounts(0)?;
    let many = with_accounts(ACCOUNTS)?;
    let each = f64::from(many.saturating_sub(one)) / ACCOUNTS as f64;
    row(
        &format!("resident memory per registered account, of {ACCOUNTS}"),
        &format!("{each:.1} KiB"),
        "32 KiB",
    );
    Ok(())
}

/// Resident memory of a daemon with one account at a real PBX and so many at a plain registrar.
fn with_accounts(count: usize) -> Result<u32, Failure> {
    let mut pbx = Asterisk::start()?;
    let address = Address::take()?;
    let stop = Arc::new(AtomicBool::new(false));
    let registrar = registrar(address.ip(), stop.clone())?;
    let mut settings = Settings::new("406", Visit::default());
    settings.more = (0..count)
        .map(|n| format!("\n[[account]]\nname = \"a{n}\"\nextension = \"{n}\"\ndomain = \"{address}\"\npassword = \"p\"\nkeepalive_s = 0\n"))
        .collect();
    let mut gateway = Gateway::start(&settings, pbx.ip())?;
    wait::until_true("every registration", seconds(60.0), || {
        let status = gateway.control(&["status"])?;
        let accounts = status["accounts"].as_array().cloned().unwrap_or_default();
        Ok(accounts.len() == count + 1
            && accounts
                .iter()
                .all(|account| account["state"] == words::REGISTERED))
    })?;
    // The registrations' transactions are over after 32 s (timer K is 5 s for requests).
    std::thread::sleep(seconds(6.0));
    let memory = resident_kib(gateway.daemon_id())?;
    stop.store(true, Ordering::Relaxed);
    // It panics never.
    let _ = registrar.join();
    pbx.keep_quiet();
    gateway.keep_quiet();
    Ok(memory)
}

/// Answers every REGISTER with 200.
fn registrar(ip: Ipv4Addr, stop: Arc<AtomicBool>) -> Result<std::thread::JoinHandle<()>, Failure> {
    let socket = UdpSocket::bind((ip, 5060))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    Ok(std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
            let kept = ["Via:", "From:", "Call-ID:", "CSeq:", "Contact:"];
            let mut answer =
                String::from("SIP/2.0 200 OK\r\nExpires: 600\r\nContent-Length: 0\r\n");
            for line in text.lines() {
                if kept.iter().any(|name| line.starts_with(name)) {
                    answer += &format!("{line}\r\n");
                } else if line.starts_with("To:") {
                    answer += &format!("{line};tag=r\r\n");
                }
            }
            let _ = socket.send_to(format!("{answer}\r\n").as_bytes(), from);
        }
    }))
}

/// A minute of a thousand INVITEs a second, and a call in its last seconds.
fn flood_and_call() -> Outcome {
    let mut pbx = Asterisk::start()?;
    let visit = Visit::usual(70.0, 110.0);
    let mut gateway = Gateway::start(&Settings::new("400", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let id = gateway.daemon_id();
    let idle = resident_kib(id)?;
    let flood = Flood::start(gateway.ip(), 1000)?;
    let before = cpu_ms(id)?;
    let began = Instant::now();
    std::thread::sleep(seconds(60.0));
    let share = (cpu_ms(id)? - before) as f64 / began.elapsed().as_millis() as f64 * 100.0;
    let flooded = resident_kib(id)?;
    gateway.wait_panel(words::ANSWERED, seconds(30.0))?;
    std::thread::sleep(seconds(3.0));
    let calling = resident_kib(id)?;
    let status = gateway.control(&["status"])?;
    gateway.wait_panel(words::LOCK_OPENED, seconds(25.0))?;
    let (sent, answered) = flood.stop();
    row(
        "a stranger's INVITEs, sent / answered",
        &format!("{sent} / {answered}"),
        "- / 0",
    );
    row(
        "  processor of the daemon meanwhile, 60 s",
        &format!("{share:.1} %"),
        "-",
    );
    row(
        "  resident memory before / after 60 s",
        &format!("{idle} / {flooded} KiB"),
        "flat",
    );
    row(
        "  packets lost of the call under the flood",
        &status["calls"][0]["lost"].to_string(),
        "0",
    );
    row(
        "resident memory of the daemon's first call",
        &format!("{} KiB", calling.saturating_sub(flooded)),
        "256 KiB",
    );
    pbx.keep_quiet();
    gateway.keep_quiet();
    gateway.must_have_opened(1)
}
