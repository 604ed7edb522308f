//! A recording of the taps of a switch.

use std::path::Path;

use clap::ArgMatches;
use line_interface::learn::guess_brand;
use line_interface::observe::{LevelBook, MatrixObserver, Observation, Seen};
use line_interface::switch::{Addressing, Switch};
use line_interface::{BLOCK_SAMPLES, DriveSide, Mark, Profile};

use super::super::recording::Recording;
use super::super::{channels, failed, profile};
use super::{More, Result3, all};
use crate::exit::{Failed, USAGE};

/// A floating line of the sunk bus that was not recorded reads its bias.
const UNRECORDED_VOLTS: f32 = 5.0;

pub(super) fn matrix(
    matches: &ArgMatches,
    recording: Recording,
    names: Option<&str>,
    chosen: &str,
) -> Result3 {
    let mut profile = profile(chosen)?;
    match matches.get_one::<String>("sourced").map(String::as_str) {
        Some("tens") => profile.matrix.sourced.value = DriveSide::Tens,
        Some("units") => profile.matrix.sourced.value = DriveSide::Units,
        _ => {}
    }
    let switch = match matches.get_one::<String>("switch") {
        Some(name) => named_switch(name)?,
        None => common_switch(names)?,
    };
    let layout = line_interface::matrix::TapLayout::new(&switch);
    let taps = match names {
        Some(names) => channels::indexes(&channels::taps(names, &switch)?, &layout)?,
        None => (0..layout.taps().min(recording.channels())).collect(),
    };
    if taps.len() != recording.channels() {
        return Err(failed(
            USAGE,
            format!(
                "{} taps are named, the recording has {} channels",
                taps.len(),
                recording.channels()
            ),
            "--channels names every channel in order, such as D0,..,D9,E0,..,E9; a recording of fewer taps names only those",
        ));
    }
    let first = matches
        .get_one::<u16>("first-apartment")
        .copied()
        .unwrap_or(1);
    let addressing = Addressing::new(switch.clone(), first, matches.get_flag("absolute"))
        .map_err(|e| failed(USAGE, &e, e.hint))?;
    let mut more = More {
        addressing: Some(addressing),
        used: profile.name.clone(),
        switch: Some(switch.name.clone()),
        ..More::default()
    };
    if taps.len() < layout.taps() {
        more.notes.push(format!(
            "{} of the {} taps of {} were recorded; the others are taken to be at rest",
            taps.len(),
            layout.taps(),
            switch.name
        ));
    }
    // Which bus a switch feeds is unknown for every brand: unless told, or measured, both are tried
    // at once, and of two alike the profile's is taken.
    let guessed = profile.matrix.sourced.mark == Mark::Unknown;
    let told = matches.get_one::<String>("sourced").is_some() || !guessed;
    let mine = profile.matrix.sourced.value;
    let other = match mine {
        DriveSide::Tens => DriveSide::Units,
        DriveSide::Units => DriveSide::Tens,
    };
    let sides = if told { vec![mine] } else { vec![other, mine] };
    let mut listeners: Vec<Listener> = sides
        .into_iter()
        .map(|side| Listener::new(&profile, &switch, side))
        .collect();
    more.read = recording.run(
        |_, _| {},
        |block| {
            for listener in &mut listeners {
                listener.handle_block(&taps, block);
            }
        },
    )?;
    let best = listeners
        .into_iter()
        .map(Listener::finish)
        .max_by_key(|(_, seen, _)| score(seen));
    let Some((side, seen, levels)) = best else {
        return Ok((Vec::new(), LevelBook::default(), more));
    };
    let name = match side {
        DriveSide::Tens => "tens",
        DriveSide::Units => "units",
    };
    more.notes.push(if side == mine || chosen == "auto" {
        format!("the switch feeds the {name} lines")
    } else {
        format!(
            "the switch feeds the {name} lines, which {} only guesses otherwise: set matrix.sourced in its profile",
            more.used
        )
    });
    more.guess = guess_brand(&levels);
    Ok((seen, levels, more))
}

/// Addresses speak for a drive side, doubts against it. Of two alike the last one tried wins.
fn score(seen: &[Seen]) -> i64 {
    seen.iter()
        .map(|s| match s.what {
            Observation::Cell { .. } => 10,
            Observation::Fault { .. } => -10,
            Observation::RingBurst { .. } => 1,
            _ => 0,
        })
        .sum()
}

/// A matrix listener for one drive side, with readings for taps that were not recorded.
struct Listener {
    side: DriveSide,
    observer: MatrixObserver,
    lines: Vec<[f32; BLOCK_SAMPLES]>,
}

impl Listener {
    fn new(profile: &Profile, switch: &Switch, side: DriveSide) -> Self {
        let mut profile = profile.clone();
        profile.matrix.sourced.value = side;
        let observer = MatrixObserver::new(profile, switch);
        let layout = observer.layout();
        let sunk = |i: usize| {
            layout.modules().iter().any(|m| match side {
                DriveSide::Tens => (m.units_at..m.units_at + m.units).contains(&i),
                DriveSide::Units => (m.tens_at..m.tens_at + m.tens).contains(&i),
            })
        };
        let rest = |i| if sunk(i) { UNRECORDED_VOLTS } else { 0.0 };
        let lines = (0..layout.taps())
            .map(|i| [rest(i); BLOCK_SAMPLES])
            .collect();
        Self {
            side,
            observer,
            lines,
        }
    }

    fn handle_block(&mut self, taps: &[usize], block: &[[f32; BLOCK_SAMPLES]]) {
        for (tap, volts) in taps.iter().zip(block) {
            if let Some(line) = self.lines.get_mut(*tap) {
                *line = *volts;
            }
        }
        self.observer.handle_block(&self.lines);
    }

    fn finish(mut self) -> (DriveSide, Vec<Seen>, LevelBook) {
        self.observer.finish();
        let seen = all(|| self.observer.poll());
        (self.side, seen, self.observer.levels().clone())
    }
}

fn named_switch(name: &str) -> Result<Switch, Failed> {
    if let Some(switch) = Switch::builtin(name) {
        return Ok(switch);
    }
    let known: Vec<&str> = Switch::builtin_names().collect();
    let text = std::fs::read_to_string(Path::new(name)).map_err(|e| {
        failed(
            USAGE,
            format!("no switch {name:?}: {e}"),
            format!("a switch file, or one of {}", known.join(", ")),
        )
    })?;
    Switch::from_toml(&text).map_err(|e| failed(crate::exit::CONFIG, &e, e.hint))
}

/// Ten by ten; a channel called E10 tells the numbering.
fn common_switch(names: Option<&str>) -> Result<Switch, Failed> {
    let one_based = names.is_some_and(|n| n.to_uppercase().contains("E10"));
    let name = if one_based { "com-100u" } else { "custom" };
    let mut switch = named_switch(name)?;
    switch.module_tens.value.truncate(1);
    Ok(switch)
}
