//! `cargo bench -p trubka-gateway --bench concurrent`: how many calls one core carries, how punctual their packets are, and
//! what a call and an idle account take of the memory.
//!
//! A call here is what runs for it every 10 ms: the media session, the sound processing, and in the second part the sockets.
//! Cost is the best of many rounds, so that other load on the machine does not count; punctuality is real time on the loopback
//! interface and wants a quiet machine.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dsp::chain::{Chain, ChainConfig, EchoMode};
use dsp::sample;
use media::{Codec, Encryption, Session, SessionConfig, TransmitKind};

const BLOCK: Duration = Duration::from_millis(10);
/// Groups of calls, each with a phase of its own: line cards do not tick together.
const GROUPS: usize = 10;

/// What a call is made of.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    codec: Codec,
    encryption: Encryption,
    /// `None` carries the samples as they are.
    echo: Option<EchoMode>,
    /// Calls that one core must carry; 0 for a figure without a goal.
    goal: usize,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "G.711, no echo control",
        codec: Codec::Pcma,
        encryption: Encryption::Off,
        echo: None,
        goal: 400,
    },
    Kind {
        name: "G.711 and SRTP, no echo control",
        codec: Codec::Pcma,
        encryption: Encryption::Required,
        echo: None,
        goal: 0,
    },
    Kind {
        name: "G.722, no echo control",
        codec: Codec::G722,
        encryption: Encryption::Off,
        echo: None,
        goal: 0,
    },
    Kind {
        name: "G.711, echo cancelled",
        codec: Codec::Pcma,
        encryption: Encryption::Off,
        echo: Some(EchoMode::Linear),
        goal: 0,
    },
    Kind {
        name: "G.711, whole chain",
        codec: Codec::Pcma,
        encryption: Encryption::Off,
        echo: Some(EchoMode::Full),
        goal: 200,
    },
];

/// Sockets of the phones. One alone holds a hundred packets until it is looked at, and loses the rest.
const PHONE_SOCKETS: usize = 32;
/// The phones send and look at their sockets so often in the 20 ms of a packet.
const PHONE_STEPS: u32 = 20;

/// Speech-like sound.
fn voice(n: u64) -> i16 {
    let t = n as f64 / 8000.0;
    let swell = 0.6 + 0.4 * (std::f64::consts::TAU * 3.0 * t).sin();
    let wave: f64 = [(1.0, 1.0), (2.0, 0.6), (3.0, 0.8), (7.0, 0.2)]
        .iter()
        .map(|(harmonic, weight)| weight * (std::f64::consts::TAU * 125.0 * harmonic * t).sin())
        .sum();
    (wave * swell * 4000.0) as i16
}

/// Our side of a call.
struct Call {
    session: Session,
    chain: Option<Chain>,
    /// What the line plays, and gives back a part of.
    playing: [i16; 80],
}

impl Call {
    /// One tick of the line; packets to send are left in the session.
    fn tick(&mut self, now: Duration, line: &[i16; 80]) {
        let mut heard = *line;
        for (heard, playing) in heard.iter_mut().zip(self.playing) {
            *heard = heard.saturating_add(playing / 4);
        }
        if let Some(chain) = &mut self.chain {
            let mut near = heard.map(sample::to_f32);
            chain.hear(&mut near);
            heard = near.map(sample::to_i16);
        }
        self.session.push_audio(now, &heard);
        self.session.pull_audio(now, &mut self.playing);
        if let Some(chain) = &mut self.chain {
            let mut far = self.playing.map(sample::to_f32);
            chain.play(&mut far);
            self.playing = far.map(sample::to_i16);
        }
        if self.session.next_deadline().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now);
        }
    }
}

fn config(kind: Kind, local: SocketAddr) -> SessionConfig {
    SessionConfig {
        codecs: vec![kind.codec],
        encryption: kind.encryption,
        // Each side is fed from a list here and hears nothing of the other's reports.
        silent_peer_limit_ms: None,
        ..SessionConfig::new(local)
    }
}

fn call(kind: Kind, local: SocketAddr, peer: SocketAddr, seed: u64) -> (Call, Session) {
    let mut seeds = [7; 32];
    seeds[..8].copy_from_slice(&seed.to_le_bytes());
    let mut ours = Session::new(config(kind, local), seeds);
    seeds[8] = 1;
    let mut theirs = Session::new(config(kind, peer), seeds);
    let answer = theirs
        .answer_offer(Duration::ZERO, &ours.create_offer())
        .unwrap();
    ours.accept_answer(Duration::ZERO, &answer).unwrap();
    ours.start(Duration::ZERO);
    theirs.start(Duration::ZERO);
    let chain = kind.echo.map(|echo| {
        Chain::new(ChainConfig {
            echo,
            ..ChainConfig::default()
        })
    });
    let call = Call {
        session: ours,
        chain,
        playing: [0; 80],
    };
    (call, theirs)
}

/// A second of the peer's packets.
fn packets(session: &mut Session, from: Duration) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for block in 0..100_u32 {
        let start = from.as_millis() as u64 * 8 + u64::from(block) * 80;
        let sound = std::array::from_fn(|i| voice(start + i as u64));
        session.push_audio(from + BLOCK * block, &sound);
        while let Some(sent) = session.poll_transmit() {
            if sent.kind == TransmitKind::Rtp {
                packets.push(sent.payload);
            }
        }
    }
    packets
}

/// Microseconds that 10 ms of a call cost, everything but the sockets.
fn cost(kind: Kind) -> f64 {
    let (local, peer) = (([127, 0, 0, 1], 4000).into(), ([127, 0, 0, 2], 4000).into());
    let (mut call, mut theirs) = call(kind, local, peer, 1);
    let mut best = f64::MAX;
    let seconds = 40;
    for second in 0..seconds {
        let from = Duration::from_secs(second);
        let packets = packets(&mut theirs, from);
        // The visitor speaks in every other second.
        let blocks: Vec<[i16; 80]> = (0..100_u64)
            .map(|block| {
                std::array::from_fn(|i| {
                    let n = (second * 100 + block) * 80 + i as u64;
                    if second % 2 == 0 { voice(n * 3) } else { 0 }
                })
            })
            .collect();
        let began = Instant::now();
        for (block, line) in (0_u32..).zip(&blocks) {
            let now = from + BLOCK * block;
            if block % 2 == 0
                && let Some(packet) = packets.get(block as usize / 2)
            {
                call.session.handle_rtp(now, peer, packet);
            }
            call.tick(now, line);
            while call.session.poll_transmit().is_some() {}
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / 100.0);
    }
    let stats = call.session.stats();
    assert!(
        stats.packets_received > 1900 && stats.lost == 0,
        "{stats:?}"
    );
    best
}

/// Resident memory of this process, KiB.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Packets that the kernel dropped at these sockets because nobody read them in time (the last column of /proc/net/udp).
fn dropped_at(ports: &[u16]) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (_, port) = fields.nth(1)?.split_once(':')?;
            let port = u16::from_str_radix(port, 16).ok()?;
            let dropped = fields.next_back()?.parse::<u64>().ok()?;
            ports.contains(&port).then_some(dropped)
        })
        .sum()
}

/// Real time on the loopback interface: `count` calls for `length`, each with a socket; a second thread plays the phones.
fn punctuality(kind: Kind, count: usize, length: Duration) {
    let phones: Vec<UdpSocket> = (0..PHONE_SOCKETS)
        .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    let phone_ports: Vec<u16> = phones.iter().map(port).collect();
    let before = resident_kib();
    let mut calls = Vec::new();
    let mut schedule = Vec::new();
    for index in 0..count {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let local = socket.local_addr().unwrap();
        let peer = phones[index % PHONE_SOCKETS].local_addr().unwrap();
        let (call, theirs) = call(kind, local, peer, index as u64);
        schedule.push((local, theirs));
        calls.push((socket, call));
    }
    // The phones' packets are made beforehand: their cost is not ours.
    let seconds = length.as_secs() + 1;
    let schedule: Vec<(SocketAddr, Vec<Vec<u8>>)> = schedule
        .into_iter()
        .map(|(local, mut theirs)| {
            let made = (0..seconds).flat_map(|at| packets(&mut theirs, Duration::from_secs(at)));
            (local, made.collect())
        })
        .collect();
    let line: Vec<[i16; 80]> = (0..100_u64)
        .map(|block| std::array::from_fn(|i| voice((block * 80 + i as u64) * 3)))
        .collect();
    let done = Arc::new(AtomicBool::new(false));
    let began = Instant::now() + Duration::from_millis(50);
    let phones = {
        let done = done.clone();
        std::thread::spawn(move || {
            for phone in &phones {
                phone.set_nonblocking(true).unwrap();
            }
            let mut buffer = [0; 2048];
            let mut heard = 0_u64;
            for step in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let due = began + Duration::from_millis(20) / PHONE_STEPS * step;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let round = (step / PHONE_STEPS) as usize;
                let first = (step % PHONE_STEPS) as usize;
                let calls = schedule.iter().enumerate().skip(first);
                for (call, (local, packets)) in calls.step_by(PHONE_STEPS as usize) {
                    if let Some(packet) = packets.get(round) {
                        let _ = phones[call % PHONE_SOCKETS].send_to(packet, local);
                    }
                }
                for phone in &phones {
                    while phone.recv_from(&mut buffer).is_ok() {
                        heard += 1;
                    }
                }
            }
            // Their sockets stay open until the kernel's count of drops has been read.
            (heard, phones)
        })
    };
    let mut lateness_ms = Vec::new();
    let mut busy = Duration::ZERO;
    let mut buffer = [0; 2048];
    let step = BLOCK / GROUPS as u32;
    let steps = (length.as_secs_f64() / step.as_secs_f64()) as u32;
    for at in 0..steps {
        let due = began + step * at;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let group = at as usize % GROUPS;
        let woken = Instant::now();
        let now = step * at;
        for (socket, call) in calls.iter_mut().skip(group).step_by(GROUPS) {
            while let Ok((length, source)) = socket.recv_from(&mut buffer) {
                call.session.handle_rtp(now, source, &buffer[..length]);
            }
            call.tick(now, &line[at as usize / GROUPS % 100]);
            while let Some(sent) = call.session.poll_transmit() {
                if sent.kind == TransmitKind::Rtp {
                    let _ = socket.send_to(&sent.payload, sent.destination);
                    lateness_ms.push(due.elapsed().as_secs_f64() * 1e3);
                }
            }
        }
        busy += woken.elapsed();
    }
    done.store(true, Ordering::Relaxed);
    let (heard, phones) = phones.join().unwrap();
    let own_ports: Vec<u16> = calls.iter().map(|(socket, _)| port(socket)).collect();
    let (at_phones, at_ours) = (dropped_at(&phone_ports), dropped_at(&own_ports));
    drop(phones);
    let memory = (resident_kib() - before) / count as f64;
    let concealed: u64 = calls
        .iter()
        .map(|(_, call)| call.session.stats().concealed_ms)
        .sum();
    lateness_ms.sort_by(f64::total_cmp);
    let at = |part: f64| lateness_ms[((lateness_ms.len() - 1) as f64 * part) as usize];
    let late = lateness_ms.iter().filter(|late| **late > 5.0).count();
    println!(
        "{:<34} {count} calls for {} s: {} packets sent ({heard} arrived, {at_phones} dropped at the phones' sockets and {at_ours} at ours), p50 {:.2} p99.9 {:.2} max {:.2} ms after their time, \
         {late} later than 5 ms, {concealed} ms made up, core {:.0} % busy, {memory:.0} KiB a call with its phone  goal p99.9 <= 5 ms",
        kind.name,
        length.as_secs(),
        lateness_ms.len(),
        at(0.5),
        at(0.999),
        at(1.0),
        100.0 * busy.as_secs_f64() / length.as_secs_f64(),
    );
}

fn memory_of_calls(kind: Kind) {
    let (local, peer) = (([127, 0, 0, 1], 4000).into(), ([127, 0, 0, 2], 4000).into());
    let count = 200;
    let before = resident_kib();
    let mut calls = Vec::new();
    for seed in 0..count {
        let (mut call, mut theirs) = call(kind, local, peer, seed);
        // Whatever grows in use has grown.
        for (block, packet) in (0_u32..).zip(packets(&mut theirs, Duration::ZERO)) {
            let now = Duration::from_millis(20) * block;
            call.session.handle_rtp(now, peer, &packet);
            call.tick(now, &[100; 80]);
            call.tick(now + BLOCK, &[100; 80]);
        }
        while call.session.poll_transmit().is_some() {}
        calls.push(call);
    }
    let each = (resident_kib() - before) / count as f64;
    println!(
        "memory of a call, {:<32} {each:>6.0} KiB  goal <= 256",
        kind.name
    );
    drop(calls);
}

fn memory_of_accounts() {
    let count = 1000;
    let registrar: SocketAddr = ([127, 0, 0, 3], 5060).into();
    let before = resident_kib();
    let accounts = (0..count)
        .map(|index| sip::Account {
            registrar: Some(registrar),
            ..sip::Account::new(format!("{index}"), registrar.to_string(), "secret")
        })
        .collect();
    let mut agent = sip::UserAgent::new(
        sip::UaConfig {
            local: ([127, 0, 0, 1], 5060).into(),
            advertised: None,
            user_agent: "Trubka".into(),
            accounts,
            allowed_sources: sip::SourcePolicy::AccountsOnly,
        },
        [3; 32],
    );
    agent.start(Duration::ZERO);
    while agent.poll_transmit().is_some() {}
    let each = (resident_kib() - before) / f64::from(count);
    println!("memory of an account                              {each:>6.1} KiB  goal <= 32");
}

fn main() {
    memory_of_accounts();
    for kind in [KINDS[0], KINDS[1], KINDS[4]] {
        memory_of_calls(kind);
    }
    for kind in KINDS {
        let cost = cost(kind);
        let goal = match kind.goal {
            0 => String::new(),
            goal => format!("  goal >= {goal}"),
        };
        println!(
            "{:<34} {cost:>6.2} us per 10 ms: {:>5.0} calls on a core{goal}",
            kind.name,
            10_000.0 / cost
        );
    }
    let length = Duration::from_secs(5);
    for kind in KINDS.into_iter().filter(|kind| kind.goal > 0) {
        punctuality(kind, kind.goal, length);
    }
}
