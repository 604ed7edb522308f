//! `cargo bench -p trubka-gateway`: what a call costs and how long its steps take, in the virtual
//! building of the tests. Delays are virtual time; only the first two lines are wall time.
#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

#[allow(dead_code, unused_imports, clippy::expect_used, clippy::panic)]
#[path = "../tests/virtual_time/world/mod.rs"]
mod world;

use std::time::{Duration, Instant};

use audio_codec_algorithms::decode_alaw;
use line_interface::Load;
use line_simulation::PanelEvent;
use phone::{KeyBy, Speaker, speak};
use world::{BLOCK, Disk, Options, World, answers, ms, presses, seconds};

const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];
/// A sample this loud is the click and not the noise of the line.
const CLICK: i16 = 2000;

/// Delays in milliseconds of virtual time.
#[derive(Default)]
struct Delays(Vec<f64>);

impl Delays {
    fn add(&mut self, delay: Duration) {
        self.0.push(delay.as_secs_f64() * 1e3);
    }

    fn print(mut self, what: &str, goal: &str) {
        self.0.sort_by(f64::total_cmp);
        let at = |part: f64| self.0[((self.0.len() - 1) as f64 * part) as usize];
        println!(
            "{what:<52} p50 {:>6.2}  p99 {:>6.2}  max {:>6.2} ms  ({} times)  goal p99 {goal}",
            at(0.5),
            at(0.99),
            at(1.0),
            self.0.len()
        );
    }
}

fn main() {
    whole_call();
    ring_to_invite();
    key_to_load("key packet -> load removed, the disk takes no time", ms(0));
    key_to_load("key packet -> load removed, the disk takes 5 ms", ms(5));
    line_to_network();
    network_to_line();
}

/// A visit with a conversation of 60 s, both speaking.
fn whole_call() {
    let mut best = [Duration::MAX; 3];
    for _ in 0..5 {
        let mut phone = answers(ms(300));
        phone.says = speak(Speaker::Resident, 60_000);
        phone.hang_up_after = Some(seconds(60));
        let mut world = World::ready(Options {
            panel_talk: Some(seconds(100)),
            ..Options::with(phone)
        });
        world.checking = false;
        world.panel.visitor_say(&speak(Speaker::Visitor, 60_000));
        let before = world.spent;
        let begun = Instant::now();
        world.dial();
        world.run_until("the end of the call", seconds(100), |world| {
            world.happened("line_idle") > 0
        });
        let whole = begun.elapsed();
        let [line, phone] = [0, 1].map(|who| world.spent[who] - before[who]);
        let gateway = whole.saturating_sub(line + phone);
        if gateway < best[0] {
            best = [gateway, line, phone];
        }
    }
    let [gateway, line, phone] = best.map(|time| time.as_secs_f64() * 1e3);
    println!(
        "{:<52} {gateway:>6.1} ms of wall time  goal 100",
        "whole 60 s call, gateway and virtual network"
    );
    println!(
        "{:<52} {line:>6.1} ms line and panel, {phone:.1} ms phone and PBX",
        "  beside it, the simulators"
    );
}

/// From the end of the shortest ring that the profile asks for.
fn ring_to_invite() {
    let mut delays = Delays::default();
    for seed in 0..100 {
        for brand in BRANDS {
            let mut world = World::ready(Options {
                brand,
                seed,
                spread: 0.07,
                ..Options::with(answers(ms(300)))
            });
            world.run_for(Duration::from_micros(170 * seed));
            world.dial();
            world.wait_panel(PanelEvent::RingBurst);
            let rule = line_interface::Profile::builtin(brand)
                .unwrap()
                .ring
                .minimum_ms
                .value;
            // The verdict comes with the end of the block before the burst.
            let met = world.now + ms(rule);
            world.wait("call_placed", 1);
            let invite = world
                .network
                .sip
                .iter()
                .find(|(_, ours, bytes)| *ours && bytes.starts_with(b"INVITE"));
            delays.add(invite.unwrap().0.saturating_sub(met));
        }
    }
    delays.print("ring rule met -> INVITE out", "20 ms");
}

fn key_to_load(what: &str, disk: Duration) {
    let mut delays = Delays::default();
    for phase in 0..200 {
        let by = if phase % 2 == 0 {
            KeyBy::Rfc4733
        } else {
            KeyBy::InfoRelay
        };
        let mut world = World::ready(Options {
            disk: Disk::TakesIn(disk),
            seed: phase,
            brand: BRANDS[phase as usize % 4],
            ..Options::with(presses(
                ms(300 + phase % 23),
                &[(3000 + phase % 17, '9', by)],
            ))
        });
        world.weather.delay = Duration::from_micros(1000 + 137 * phase);
        world.visit_until("digit");
        let packet = world.now;
        world.run_until("load removed", seconds(3), |world| {
            world.driven().load != Load::OffHook
        });
        delays.add(world.now - packet);
    }
    delays.print(what, "20 ms");
}

/// Loudest parts of a stream: the samples where a click begins.
fn clicks(samples: impl Iterator<Item = (Duration, i16)>) -> Vec<Duration> {
    let mut found: Vec<Duration> = Vec::new();
    for (at, sample) in samples {
        let fresh = found.last().is_none_or(|last| at > *last + ms(150));
        if sample.unsigned_abs() >= CLICK.unsigned_abs() && fresh {
            found.push(at);
        }
    }
    found
}

/// A short burst every 300 ms.
fn click_track(seconds: usize) -> Vec<i16> {
    let tone = |n: usize| (((n % 2400) as f32 * 0.785).sin() * 14_000.0) as i16;
    (0..8000 * seconds)
        .map(|n| {
            if n >= 2400 && n % 2400 < 80 {
                tone(n)
            } else {
                0
            }
        })
        .collect()
}

fn sample_time(n: usize) -> Duration {
    Duration::from_micros(125 * n as u64)
}

/// The samples of a packet, timed from `at`.
fn decoded(at: Duration, packet: &[u8]) -> impl Iterator<Item = (Duration, i16)> + '_ {
    let audio = packet.get(1).is_some_and(|pt| pt & 0x7f == 8);
    let body = packet.get(12..).unwrap_or(&[]);
    body.iter()
        .enumerate()
        .filter(move |_| audio)
        .map(move |(n, octet)| (at + sample_time(n), decode_alaw(*octet)))
}

/// From the sample on the line to the packet that carries it, less the packet's and the block's
/// own length.
fn line_to_network() {
    let mut delays = Delays::default();
    for seed in 0..10 {
        let mut world = World::ready(Options {
            seed,
            ..Options::with(answers(ms(300 + seed)))
        });
        world.visit_until("call_answered");
        world.run_for(seconds(2));
        world.network.tap = Some(Vec::new());
        world.panel.visitor_say(&click_track(10));
        let mut on_line = Vec::new();
        for _ in 0..1000 {
            let block = world.now;
            world.run_until("the next block", seconds(1), |world| {
                world.now >= block + BLOCK
            });
            let from = world.now - BLOCK;
            on_line.extend(
                world
                    .sensed()
                    .iter()
                    .enumerate()
                    .map(|(n, sample)| (from + sample_time(n), *sample)),
            );
        }
        let line = clicks(on_line.into_iter());
        let tap = world.network.tap.take().unwrap();
        let sent = tap.iter().filter(|(_, ours, _)| *ours);
        // Where the packet's click begins, and when the packet was sent.
        let packets: Vec<(Duration, Duration)> = sent
            .flat_map(|(at, _, packet)| decoded(*at, packet).map(move |(_, sample)| (*at, sample)))
            .fold(Vec::new(), |mut found, (at, sample)| {
                let fresh = found.last().is_none_or(|(last, _)| at > *last + ms(150));
                if sample.unsigned_abs() >= CLICK.unsigned_abs() && fresh {
                    found.push((at, at));
                }
                found
            });
        for (heard, (sent, _)) in line.iter().zip(&packets) {
            delays.add(sent.saturating_sub(*heard).saturating_sub(ms(20) + BLOCK));
        }
    }
    delays.print("line sample -> RTP out, beyond ptime and block", "5 ms");
}

/// From the arrival of a packet to its first sample on the line.
fn network_to_line() {
    let mut delays = Delays::default();
    for seed in 0..20 {
        let mut phone = answers(ms(300 + seed));
        phone.says = [vec![0; 16_000], click_track(20)].concat();
        let mut world = World::ready(Options {
            seed,
            ..Options::with(phone)
        });
        world.weather.delay = Duration::from_micros(700 + 450 * seed);
        let delay = world.weather.delay;
        world.network.tap = Some(Vec::new());
        world.visit_until("call_answered");
        let mut played = Vec::new();
        for _ in 0..2300 {
            let block = world.now;
            world.run_until("the next block", seconds(1), |world| {
                world.now >= block + BLOCK
            });
            let from = world.now;
            played.extend(
                world
                    .drive
                    .audio
                    .iter()
                    .enumerate()
                    .map(|(n, sample)| (from + sample_time(n), *sample)),
            );
        }
        let tap = world.network.tap.take().unwrap();
        let arrived = tap.iter().filter(|(_, ours, _)| !*ours);
        let arrived = clicks(arrived.flat_map(|(at, _, packet)| decoded(*at + delay, packet)));
        for (packet, line) in arrived.iter().zip(clicks(played.into_iter())) {
            delays.add(line.saturating_sub(*packet));
        }
    }
    delays.print("RTP in -> line sample out, clean network", "30 ms");
}
