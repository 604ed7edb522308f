//! `cargo bench -p trubka-tests --bench calls`: what a call costs the whole daemon, sockets, lines, journal and all, and what it
//! costs baresip, in one run: processor time by the kernel's count, packets late or lost by the phones' count. Of how late the blocks of
//! the line cards were handed over a line tells: a packet cannot leave before its block is there.
//!
//! Daemon and peer each run on one processor core of their own, the phones and the line cards on the other. The daemon's lines
//! are virtual cards that return a quarter of what they play; baresip's microphone and loudspeaker are its `aubridge`, so that its echo is whole.
//! `TRUBKA_SECONDS` sets the length of each measurement (10), `TRUBKA_SHARE` how many percent of the calls are made (100);
//! `TRUBKA_ONLY` takes one measurement alone, `off` or `full`: the daemon with that `echo_control`, for a look with `perf`.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::indexing_slicing, reason = "a bench may end loudly")]

mod cards;
mod crowd;

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cards::{Cards, LINES};
use crowd::{Crowd, Heard};
use trubka_tests::address::{Address, Ports};
use trubka_tests::failure::ensure;
use trubka_tests::folder::Folder;
use trubka_tests::gateway::program;
use trubka_tests::process::{self, Process};
use trubka_tests::process_cost::{cpu_ms, resident_kib};
use trubka_tests::wait::{self, seconds};
use trubka_tests::{Failure, Outcome};

/// Calls of baresip that are measured: each has threads of its own.
const PEER_CALLS: usize = 100;
/// Before it is measured, everything settles: jitter buffers, and the cancellers find their echo.
const SETTLE: Duration = Duration::from_secs(6);

struct Figure {
    /// Processor seconds for a second of a call.
    cost: f64,
}

fn main() -> Outcome {
    let number = |name: &str| std::env::var(name).ok()?.parse::<f64>().ok();
    let length = seconds(number("TRUBKA_SECONDS").unwrap_or(10.0));
    let share = number("TRUBKA_SHARE").unwrap_or(100.0) / 100.0;
    let part = |calls: usize| ((calls as f64 * share) as usize).max(1);
    // The phones' threads are those of this process.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores > 1 {
        let us = std::process::id().to_string();
        process::run(Command::new("taskset").args(["-a", "-p", "-c", "1", &us]))?;
    }
    println!(
        "processor time for a call, G.711, packets of 20 ms; {cores} cores, the measured program on one"
    );
    match std::env::var("TRUBKA_ONLY").as_deref() {
        Ok("off") => return daemons("off", 2, part(200), length).map(drop),
        Ok("full") => return daemons("full", 1, part(200), length).map(drop),
        Ok(other) => {
            return Err(Failure::new(format!(
                "TRUBKA_ONLY={other}: off and full are known"
            )));
        }
        Err(_) => {}
    }
    let plain = daemons("off", 2, part(200), length)?;
    let whole = daemons("full", 1, part(200), length)?;
    let peer_plain = baresip(false, part(PEER_CALLS), length)?;
    let peer_whole = baresip(true, part(PEER_CALLS), length)?;
    println!(
        "\n{:<34}{:>14}{:>14}{:>8}{:>8}",
        "calls that one core could carry", "trubkad", "baresip", "ratio", "goal"
    );
    for (name, ours, theirs, goal) in [
        ("no echo canceller", &plain, &peer_plain, ">= 400"),
        ("whole chain, 64 ms", &whole, &peer_whole, ">= 200"),
    ] {
        let ratio = theirs.cost / ours.cost;
        println!(
            "{name:<34}{:>14.0}{:>14.0}{ratio:>8.2}{goal:>8}",
            1.0 / ours.cost,
            1.0 / theirs.cost
        );
    }
    println!("goal of the ratio with the whole chain: 2");
    Ok(())
}

/// On the first core alone.
fn alone(program: &Command) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "0"])
        .arg(program.get_program())
        .args(program.get_args());
    command
}

fn measure(
    name: &str,
    calls: usize,
    ids: &[u32],
    crowd: &mut Crowd,
    length: Duration,
) -> Result<Figure, Failure> {
    crowd.talk(SETTLE);
    let used = || {
        ids.iter()
            .map(|id| cpu_ms(*id))
            .sum::<Result<u64, Failure>>()
    };
    let before = used()?;
    let heard = crowd.talk(length);
    let used_ms = used()?.saturating_sub(before);
    let resident: Result<Vec<u32>, Failure> = ids.iter().map(|id| resident_kib(*id)).collect();
    let cost = used_ms as f64 / 1000.0 / length.as_secs_f64() / calls as f64;
    tell(name, calls, cost, &heard, resident?.iter().sum());
    let expected = calls as f64 * length.as_secs_f64() * 50.0;
    ensure(heard.came as f64 > expected * 0.9, || {
        format!(
            "{name}: {} packets came of {expected}: not {calls} calls",
            heard.came
        )
    })?;
    Ok(Figure { cost })
}

fn tell(name: &str, calls: usize, cost: f64, heard: &Heard, resident_kib: u32) {
    let late = |part: f64| {
        let index = heard.late_ms.len().saturating_sub(1) as f64 * part;
        heard
            .late_ms
            .get(index as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    println!(
        "{name:<34} {calls} calls: {:.1} us per 10 ms, core {:.0} % busy; {} packets to it, {} from it, {} lost; \
         later than the earliest of their stream p50 {:.1} p99 {:.1} p99.9 {:.1} ms; {:.0} MiB",
        cost * 1e4,
        cost * calls as f64 * 100.0,
        heard.sent,
        heard.came,
        heard.lost,
        late(0.5),
        late(0.99),
        late(0.999),
        f64::from(resident_kib) / 1024.0,
    );
}

/// A running daemon with its cards.
struct Daemon {
    trubkad: Process,
    // Dropped after the process would be an error to them, so they are taken away first.
    cards: Option<Cards>,
    _folder: Folder,
    _ip: Address,
}

impl Daemon {
    fn start(echo: &str, calls: usize, phones: Ipv4Addr) -> Result<Self, Failure> {
        let folder = Folder::new("calls")?;
        let ours = Address::take()?;
        let (text, sockets) = configuration(echo, calls, &folder, ours.ip(), phones);
        folder.write("trubka.toml", &text)?;
        let cards = Cards::start(&sockets)?;
        let mut plain = program("trubkad")?;
        plain.arg("--config").arg(folder.join("trubka.toml"));
        let trubkad = Process::start("trubkad", &mut alone(&plain), folder.path())?;
        Ok(Self {
            trubkad,
            cards: Some(cards),
            _folder: folder,
            _ip: ours,
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.cards = None;
        self.trubkad.kill();
    }
}

/// A box with so many lines and routes, and the sockets of its cards with the lines of each.
fn configuration(
    echo: &str,
    calls: usize,
    folder: &Folder,
    ours: Ipv4Addr,
    phones: Ipv4Addr,
) -> (String, Vec<(PathBuf, usize)>) {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut sockets = Vec::new();
    let mut text = format!(
        "[sip]\nlisten = \"{ours}:5060\"\ndirect_calls = true\n[media]\nrtp_port_first = 20000\nrtp_port_last = {}\n\
         echo_control = \"{echo}\"\necho_paths_file = \"{}\"\n[journal]\npath = \"{}\"\n[control]\nsocket = \"{}\"\n\
         [[account]]\nname = \"pbx\"\nextension = \"100\"\ndomain = \"{phones}\"\npassword = \"none\"\n",
        20000 + 2 * calls - 1,
        path("echo-paths"),
        path("journal"),
        path("control.sock"),
    );
    for call in 0..calls {
        let (card, channel, apartment) = (call / LINES, call % LINES, call + 1);
        if channel == 0 {
            let socket = folder.join(&format!("card{card}"));
            let _ = writeln!(
                text,
                "[[card]]\nname = \"c{card}\"\nkind = \"virtual\"\nsocket = \"{}\"",
                socket.display()
            );
            sockets.push((socket, LINES.min(calls - call)));
        }
        let _ = writeln!(
            text,
            "[[line]]\nname = \"l{call}\"\nprofile = \"vizit\"\ncard = \"c{card}\"\nchannel = {channel}\napartment = {apartment}\n\
             [[route]]\napartment = {apartment}\ntargets = [\"sip:{apartment}@{phones}\"]"
        );
    }
    (text, sockets)
}

/// So many calls of daemons that share the core: one opens 256 pairs of ports at the most.
fn daemons(echo: &str, boxes: usize, calls: usize, length: Duration) -> Result<Figure, Failure> {
    let phones = Address::take()?;
    let mut crowd = Crowd::new(phones.ip(), 5060)?;
    let mut all = Vec::new();
    for _ in 0..boxes {
        all.push(Daemon::start(echo, calls, phones.ip())?);
    }
    crowd.answer(boxes * calls, seconds(30.0))?;
    let ids: Vec<u32> = all.iter().map(|daemon| daemon.trubkad.id()).collect();
    let name = format!("trubkad x {boxes}, echo_control {echo}");
    let cards = || all.iter().filter_map(|daemon| daemon.cards.as_ref());
    cards().for_each(|cards| drop(cards.late()));
    let figure = measure(&name, boxes * calls, &ids, &mut crowd, length)?;
    let mut late: Vec<Duration> = cards().flat_map(Cards::late).collect();
    late.sort();
    let at = |part: f64| {
        let index = late.len().saturating_sub(1) as f64 * part;
        late.get(index as usize)
            .map_or(f64::NAN, |late| late.as_secs_f64() * 1e3)
    };
    println!(
        "{:<34} the cards gave their blocks late by p50 {:.1} p99 {:.1} p99.9 {:.1} ms",
        "",
        at(0.5),
        at(0.99),
        at(0.999)
    );
    for daemon in &mut all {
        daemon.trubkad.keep_quiet();
    }
    Ok(figure)
}

fn baresip(filter: bool, calls: usize, length: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("peer")?;
    let ports = Ports::take()?;
    let port = ports.first();
    let modules = folder.join("modules");
    std::fs::create_dir(&modules)?;
    for name in ["g711.so", "aubridge.so", "account.so", "menu.so"] {
        std::os::unix::fs::symlink(
            Path::new("/usr/lib/baresip/modules").join(name),
            modules.join(name),
        )?;
    }
    let mut more = "";
    if filter {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/calls/baresip_aec.c");
        process::run(
            Command::new("gcc")
                .args(["-shared", "-fPIC", "-O2", "-o"])
                .arg(modules.join("speexdsp.so"))
                .arg(source)
                .arg("-lspeexdsp"),
        )
        .map_err(|why| Failure::new(format!("{why}: this bench needs gcc and libspeexdsp-dev")))?;
        more = "module speexdsp.so\n";
    }
    folder.write(
        "config",
        &format!(
            "sip_listen 127.0.0.1:{port}\nnet_interface 127.0.0.1\nrtp_ports 21000-{}\ncall_local_timeout 120\ncall_max_calls 500\n\
             audio_source aubridge,a\naudio_player aubridge,a\naudio_alert aubridge,bell\nausrc_srate 8000\nauplay_srate 8000\n\
             ausrc_channels 1\nauplay_channels 1\naudio_buffer 20-160\nrtcp_mux no\nmodule_path {}\nmodule g711.so\n\
             module aubridge.so\n{more}module_app account.so\nmodule_app menu.so\n",
            21000 + 4 * calls,
            modules.display()
        ),
    )?;
    let accounts: String = (0..calls)
        .map(|call| {
            format!("<sip:c{call}@127.0.0.1:{port}>;regint=0;answermode=auto;audio_source=aubridge,b{call};audio_player=aubridge,b{call}\n")
        })
        .collect();
    folder.write("accounts", &accounts)?;
    folder.write("contacts", "")?;
    let mut plain = Command::new("baresip");
    plain.arg("-f").arg(folder.path());
    let mut peer = Process::start("baresip", &mut alone(&plain), folder.path())?;
    wait::until_true("baresip", seconds(20.0), || {
        peer.must_live()?;
        Ok(peer.output().contains("baresip is ready"))
    })?;
    let mut crowd = Crowd::new(Ipv4Addr::LOCALHOST, port + 6)?;
    crowd.call(([127, 0, 0, 1], port).into(), calls, seconds(60.0))?;
    let name = if filter {
        "baresip, SpeexDSP's canceller"
    } else {
        "baresip"
    };
    let figure = measure(name, calls, &[peer.id()], &mut crowd, length);
    if figure.is_ok() {
        peer.keep_quiet();
    }
    figure
}
