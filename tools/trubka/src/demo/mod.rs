//! `trubka demo`: the whole path on one machine. The line is a simulator of its own process, the
//! gateway is the real daemon, the PBX is built in or a real Asterisk; the verdicts are those of
//! the simulated panel and of the recordings.

mod asterisk;
mod children;
mod pbx;
mod picture;
mod stage;
mod story;
mod verdict;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use clap::ArgMatches;
use serde_json::Value;

use crate::arguments::Globals;
use crate::exit::{FAILURE, Failed, USAGE};
use crate::remote::print;
use pbx::Pbx;
use stage::{Stage, Topology};
use story::{Source, Story, Told};

/// The panels that the simulator plays.
pub(crate) const BRANDS: [&str; 4] = ["vizit", "cyfral", "eltis", "metakom"];

/// The whole play, with a margin; it takes about 30 s.
const LIMIT: Duration = Duration::from_secs(90);
/// A disk that takes longer to give the journal back has failed.
const SLOW_DISK: Duration = Duration::from_secs(60);

pub(crate) fn run(globals: &Globals, matches: &ArgMatches) -> Result<(), Failed> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let out = matches
        .get_one::<std::path::PathBuf>("out")
        .cloned()
        .unwrap_or_default();
    let brand = text("brand");
    if !BRANDS.contains(&brand.as_str()) {
        let message = format!(
            "there is no panel \"{brand}\"\n    hint: {}",
            BRANDS.join(", ")
        );
        return Err(Failed::new(USAGE, message));
    }
    let pbx = text("pbx");
    let prepared = pbx::prepare(&pbx)?;
    let topology = Topology::read(&text("topology"));
    let stage = Stage::build(&out, &brand, topology, prepared.address())?;
    if !globals.json {
        let scene = format!(
            "A {brand} panel {}, the gateway, and {}. Everything stays on 127.x.",
            stage.wires(),
            pbx::describe(&pbx)
        );
        print(&format!("{}\n", control::render::wrapped(&scene, 0)))?;
    }
    let (tell, told) = mpsc::channel();
    let mut story = Story::new(!globals.json);
    let played = play(&stage, prepared, &tell, &told, &mut story);
    // What was written is worth looking at, most of all when something went wrong.
    std::fs::write(stage.path("story.txt"), story.text())?;
    let phone = played?;
    let verdict = verdict::judge(&stage, &story, &phone)?;
    picture::draw(&stage, &story)?;
    std::fs::write(stage.path("result.json"), format!("{:#}\n", verdict.json()))?;
    print(&if globals.json {
        format!("{:#}\n", verdict.json())
    } else {
        verdict.text(&stage)
    })?;
    if verdict.good() {
        Ok(())
    } else {
        Err(Failed::new(FAILURE, "the demo did not go as it should"))
    }
}

/// Plays to the end and returns what the phone heard.
fn play(
    stage: &Stage,
    pbx: Box<dyn Pbx>,
    tell: &mpsc::Sender<Told>,
    told: &mpsc::Receiver<Told>,
    story: &mut Story,
) -> Result<Vec<i16>, Failed> {
    let mut pbx = pbx;
    pbx.start(stage, tell.clone())?;
    let mut daemon = children::daemon(stage)?;
    children::follow_events(stage, &mut daemon, tell.clone())?;
    let registered = wait(told, story, Duration::from_secs(15), |told| {
        told.is(Source::Gateway, "registration") && told.field("state") == "registered"
    });
    if !registered {
        return Err(Failed::new(
            FAILURE,
            format!("the gateway did not register\n{}", daemon.log_tail()),
        ));
    }
    let mut simulator = children::simulator(stage, tell.clone())?;
    // Over when the panel has called, the lock has done its work and everything is at rest again.
    let mut dropped = false;
    let ended = wait(told, story, LIMIT, |told| {
        dropped |= told.is(Source::Panel, "call_dropped") || told.is(Source::Panel, "line_error");
        dropped && told.is(Source::Gateway, "line_idle")
    });
    // The journal is read while the daemon lives, by the command a technician would use.
    let mut client = control::Client::connect(&stage.path("control.sock"))?;
    // The daemon gives a slow disk 5 s, and says so then; a demo is in no hurry.
    client.set_timeout(Some(Duration::from_secs(20)))?;
    let asked = Instant::now();
    let journal = loop {
        match client.call("journal", &["1000".into()]) {
            Err(error) if asked.elapsed() < SLOW_DISK && error.to_string().contains("disk") => {
                std::thread::sleep(Duration::from_millis(500));
            }
            answered => break answered?,
        }
    };
    std::fs::write(stage.path("journal.json"), format!("{journal:#}\n"))?;
    simulator.stop();
    daemon.stop();
    let heard = pbx.stop(stage)?;
    while let Ok(told) = told.try_recv() {
        story.add(told);
    }
    if ended {
        Ok(heard)
    } else {
        Err(Failed::new(
            FAILURE,
            format!(
                "the call did not come to its end within {} s\n{}",
                LIMIT.as_secs(),
                daemon.log_tail()
            ),
        ))
    }
}

/// Takes what is told until `done`; `false` when it does not come within `limit`.
fn wait(
    told: &mpsc::Receiver<Told>,
    story: &mut Story,
    limit: Duration,
    mut done: impl FnMut(&Told) -> bool,
) -> bool {
    let end = Instant::now() + limit;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let Ok(next) = told.recv_timeout(left) else {
            return false;
        };
        let is_done = done(&next);
        story.add(next);
        if is_done {
            return true;
        }
    }
}

/// A text field of a JSON object.
fn text_field(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}
