//! What the real daemon costs and how quick it is, beside a real Asterisk: `tests/bench` runs it.
//!
//! The times are those of the daemon's own log, which stamps microseconds: from the ring rule to the INVITE
//! handed to the kernel, and from a key's packet to the load being gone (the record on the disk lies between).

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};
use trubka_tests::Outcome;
use trubka_tests::asterisk::{Asterisk, Settings as PbxSettings};
use trubka_tests::gateway::{Gateway, Settings, Visit, words};
use trubka_tests::process_cost::{cpu_ms, resident_kib};
use trubka_tests::wait::seconds;

const IDLE: Duration = Duration::from_secs(20);

fn main() -> Outcome {
    // Each visit takes 24 s.
    let visits: u32 = std::env::var("TRUBKA_VISITS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12);
    let mut pbx = Asterisk::start_with(PbxSettings {
        listen_s: 1,
        ..PbxSettings::default()
    })?;
    let mut visit = Visit::default();
    for number in 0..visits {
        visit = visit.dials(25.0 + 24.0 * f64::from(number));
    }
    let started = Instant::now();
    let mut gateway = Gateway::start(&Settings::new("400", visit), pbx.ip())?;
    gateway.wait_account(words::REGISTERED, seconds(10.0))?;
    gateway.visitor_comes()?;
    let registered = started.elapsed();

    let before = cpu_ms(gateway.daemon_id())?;
    std::thread::sleep(IDLE);
    let busy = cpu_ms(gateway.daemon_id())?.saturating_sub(before);
    let idle_kib = resident_kib(gateway.daemon_id())?;
    let limit = seconds(30.0 * f64::from(visits));
    trubka_tests::wait::until_true("the last visitor", limit, || {
        Ok(gateway.panel_count(words::LOCK_OPENED)? >= visits as usize)
    })?;
    gateway.wait_idle(seconds(30.0))?;

    let log = gateway.log();
    println!(
        "\n{:<58} {:>12} {:>10}",
        "the daemon, real time, real Asterisk", "measured", "goal"
    );
    let row = |name: &str, value: String, goal: &str| println!("{name:<58} {value:>12} {goal:>10}");
    row(
        "start of both programs -> registered",
        format!("{} ms", registered.as_millis()),
        "-",
    );
    row(
        "resident memory, idle and registered",
        format!("{:.1} MiB", f64::from(idle_kib) / 1024.0),
        "15 MiB",
    );
    row(
        "processor, idle and registered",
        format!("{:.2} %", busy as f64 / IDLE.as_millis() as f64 * 100.0),
        "~0 %",
    );
    let steps = [
        ("ring rule met -> INVITE, worst", "ring", "call_placed"),
        (
            "key's packet -> load removed, worst",
            "digit",
            "door_release_started",
        ),
    ];
    for (name, from, to) in steps {
        let times = between(&log, from, to);
        let worst = times.iter().max().copied().unwrap_or_default();
        row(
            &format!("{name} of {}", times.len()),
            format!("{:.2} ms", worst as f64 / 1000.0),
            "20 ms",
        );
    }
    row(
        "resident memory after the calls",
        format!(
            "{:.1} MiB",
            f64::from(resident_kib(gateway.daemon_id())?) / 1024.0
        ),
        "15 MiB",
    );
    pbx.keep_quiet();
    gateway.keep_quiet();
    gateway.must_have_opened(visits as usize)
}

/// Microseconds from each event to the next one of the other kind.
fn between(log: &str, from: &str, to: &str) -> Vec<u64> {
    let mut times = Vec::new();
    let mut start = None;
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (Some(stamp), Some(_level), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Some(at) = micros_of_day(stamp) else {
            continue;
        };
        if name == from {
            start = Some(at);
        } else if name == to
            && let Some(start) = start.take()
        {
            times.push(at.saturating_sub(start));
        }
    }
    times
}

fn micros_of_day(stamp: &str) -> Option<u64> {
    let time = stamp.split_once('T')?.1.strip_suffix('Z')?;
    let mut parts = time.splitn(3, ':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    Some((hours * 3600 + minutes * 60) * 1_000_000 + (seconds * 1e6) as u64)
}
