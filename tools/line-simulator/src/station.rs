//! The clock: steps every line, answers the gateway, and guards the loads when it falls silent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use line_interface::virtual_card::Frame;
use line_interface::{BLOCK_MS, Drive, DriveBlock, LineKind, SenseBlock};
use line_simulation::{LineModel, Script};
use serde_json::json;

use crate::commands::Command;
use crate::gateway::{Link, Message};
use crate::output::Outputs;
use crate::{Args, Failure, Speed};

/// Without a drive frame for this long the card lets go of everything: the shortest time of the real board's watchdog.
const WATCHDOG_MS: u64 = 390;
/// Drives that may wait: a gateway that stalled must not leave its delay behind in the audio.
const QUEUED_DRIVES: usize = 2;
/// How long lockstep waits before it looks for signals.
const LOCKSTEP_WAIT: Duration = Duration::from_millis(50);
/// Blocks between two updates of the files.
const FLUSH_BLOCKS: u64 = 100;
/// A clock this late (a suspended machine) starts anew instead of catching up.
const MAX_LATE: Duration = Duration::from_secs(2);
/// A block that comes later than this is caught up with: several run at once, and no gateway can answer each.
const CAUGHT_UP: Duration = Duration::from_millis(2 * BLOCK_MS);

/// All lines and what is connected to them.
pub(crate) struct Station {
    lines: Vec<Box<dyn LineModel>>,
    sense: Vec<SenseBlock>,
    drives: VecDeque<Vec<DriveBlock>>,
    current: Vec<DriveBlock>,
    silent_ms: u64,
    /// The watchdog holds what is driven. Once it has let go, only a drive with everything off makes
    /// it hold again: a drive that comes late is of the time before.
    holds: bool,
    link: Option<Link>,
    /// Connections that were told as lost already and whose end has not been noticed yet.
    told_lost: Vec<u64>,
    waiting: bool,
    /// This block makes up for time in which this program itself stood still.
    late: bool,
    blocks: u64,
    scripted: bool,
    /// The script that waits for the word to begin.
    held: Option<Script>,
    repeat: bool,
    speed: Speed,
    outputs: Outputs,
    quit: bool,
}

impl Station {
    pub(crate) fn new(
        args: &Args,
        script: Option<Script>,
        mut outputs: Outputs,
    ) -> Result<Self, Failure> {
        let count = usize::from(args.lines);
        let scripted = script.is_some();
        let mut script = script.unwrap_or_default();
        if let Some(step) = script.steps.iter().find(|s| s.line >= count) {
            return Err(Failure::new(
                format!("the script uses line {}, there are {count}", step.line),
                "lines count from 0; raise --lines",
            ));
        }
        let held = args.wait_for_begin.then(|| std::mem::take(&mut script));
        let mut lines = Vec::with_capacity(count);
        for line in 0..count {
            lines.push(crate::lines::build(args, line, script.for_line(line))?);
        }
        if let Some(path) = &args.record {
            outputs.record_lines(path, &lines)?;
        }
        Ok(Self {
            lines,
            sense: vec![SenseBlock::default(); count],
            drives: VecDeque::new(),
            current: vec![DriveBlock::default(); count],
            silent_ms: WATCHDOG_MS,
            holds: false,
            link: None,
            told_lost: Vec::new(),
            waiting: args.wait_for_gateway,
            late: false,
            blocks: 0,
            scripted,
            held,
            repeat: args.repeat,
            speed: args.speed,
            outputs,
            quit: false,
        })
    }

    /// What each line is wired to.
    pub(crate) fn kinds(&self) -> Vec<LineKind> {
        self.lines.iter().map(|line| line.kind()).collect()
    }

    /// Runs until the script has ended, `quit`, or a signal.
    pub(crate) fn run(
        mut self,
        inbox: &Receiver<Message>,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        self.outputs
            .event(0, None, "listening", json!({ "lines": self.lines.len() }));
        match self.speed {
            Speed::Realtime => self.run_realtime(inbox, stop),
            Speed::Lockstep => self.run_lockstep(inbox, stop),
        }
        let t_ms = self.t_ms();
        if let Some(link) = self.link.take() {
            link.send(&Frame::Bye {
                reason: "the simulation ended".to_owned(),
            });
            drop(link);
            // The writer thread has the goodbye; give it a moment before the process ends.
            std::thread::sleep(Duration::from_millis(20));
        }
        self.outputs.event(t_ms, None, "finished", json!({}));
        self.outputs.finish()
    }

    fn run_realtime(&mut self, inbox: &Receiver<Message>, stop: &AtomicBool) {
        let block = Duration::from_millis(BLOCK_MS);
        // Ticks are counted from one start, so rounding and late wake-ups never add up.
        let mut tick = Instant::now() + block;
        while !self.done(stop) {
            let now = Instant::now();
            if let Some(wait) = tick.checked_duration_since(now).filter(|w| !w.is_zero()) {
                match inbox.recv_timeout(wait) {
                    Ok(message) => {
                        self.handle(message);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => std::thread::sleep(wait),
                }
            } else if now.saturating_duration_since(tick) > MAX_LATE {
                tick = now;
            }
            self.late = now.saturating_duration_since(tick) > CAUGHT_UP;
            tick += block;
            while let Ok(message) = inbox.try_recv() {
                self.handle(message);
            }
            if !self.waiting {
                self.take_drive();
                self.step();
            }
        }
    }

    fn run_lockstep(&mut self, inbox: &Receiver<Message>, stop: &AtomicBool) {
        while !self.done(stop) {
            match inbox.recv_timeout(LOCKSTEP_WAIT) {
                Ok(message) => self.handle(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.drives.is_empty() {
                self.take_drive();
                self.step();
            }
        }
    }

    fn done(&mut self, stop: &AtomicBool) -> bool {
        if stop.load(Ordering::Relaxed) || self.quit {
            return true;
        }
        if !self.scripted || self.held.is_some() || !self.lines.iter().all(|line| line.finished()) {
            return false;
        }
        if self.repeat {
            for line in &mut self.lines {
                line.restart_script();
            }
        }
        !self.repeat
    }

    fn t_ms(&self) -> u64 {
        self.blocks * BLOCK_MS
    }

    fn handle(&mut self, message: Message) {
        let t_ms = self.t_ms();
        match message {
            Message::Connected(link) => {
                self.outputs.event(
                    t_ms,
                    None,
                    "gateway_connected",
                    json!({ "name": link.name }),
                );
                self.drives.clear();
                self.current.fill(DriveBlock::default());
                self.holds = false;
                if let Some(old) = self.link.replace(link) {
                    // Its end is still to be noticed, and is no refusal then.
                    self.told_lost.push(old.id);
                    self.outputs.event(
                        t_ms,
                        None,
                        "gateway_lost",
                        json!({ "why": "another gateway connected" }),
                    );
                }
                self.waiting = false;
            }
            Message::Drive { link, lines } => {
                if self.link.as_ref().is_some_and(|l| l.id == link) {
                    if self.speed == Speed::Realtime && self.drives.len() >= QUEUED_DRIVES {
                        self.drives.pop_front();
                    }
                    self.drives.push_back(lines);
                }
            }
            Message::Gone { link, why } => {
                if self.link.as_ref().is_some_and(|l| l.id == link) {
                    self.link = None;
                    self.drives.clear();
                    self.let_go("gateway_lost", &why);
                } else if let Some(at) = self.told_lost.iter().position(|id| *id == link) {
                    self.told_lost.swap_remove(at);
                } else {
                    self.outputs
                        .event(t_ms, None, "connection_refused", json!({ "why": why }));
                }
            }
            Message::Command { text, command } => self.command(&text, command),
        }
    }

    fn command(&mut self, text: &str, command: Result<Command, line_simulation::ScriptError>) {
        let t_ms = self.t_ms();
        match command {
            Ok(Command::Quit) => self.quit = true,
            Ok(Command::Begin) => match self.held.take() {
                Some(script) => {
                    for (line, simulation) in self.lines.iter_mut().enumerate() {
                        simulation.begin_script(script.for_line(line));
                    }
                    self.outputs
                        .event(t_ms, None, "command", json!({ "command": text }));
                }
                None => self.refuse(
                    text,
                    "no script waits for it",
                    "start the program with --script and --wait-for-begin",
                ),
            },
            Ok(Command::Act { line, action }) => {
                let count = self.lines.len();
                if let Some(simulation) = self.lines.get_mut(line) {
                    simulation.act(&action);
                    self.outputs
                        .event(t_ms, Some(line), "command", json!({ "command": text }));
                } else {
                    let cause = format!("no line {line}, there are {count}");
                    let hint = "lines count from 0; raise --lines";
                    self.refuse(text, &cause, hint);
                }
            }
            Err(e) => self.refuse(text, &e.cause, e.hint),
        }
    }

    fn refuse(&mut self, text: &str, cause: &str, hint: &str) {
        let more = json!({ "command": text, "cause": cause, "hint": hint });
        self.outputs
            .event(self.t_ms(), None, "command_refused", more);
    }

    /// All loads off, all relays through: what the board does without its processor.
    fn let_go(&mut self, name: &str, why: &str) {
        self.current.fill(DriveBlock::default());
        self.silent_ms = WATCHDOG_MS;
        self.holds = false;
        self.outputs
            .event(self.t_ms(), None, name, json!({ "why": why }));
    }

    fn take_drive(&mut self) {
        if let Some(drives) = self.drives.pop_front() {
            self.silent_ms = 0;
            self.holds |= drives.iter().all(|d| d.drive == Drive::SAFE);
            if self.holds {
                self.current = drives;
            }
            return;
        }
        // A late gateway keeps its load for a moment, and its audio falls silent at once.
        for drive in &mut self.current {
            drive.audio.fill(0);
        }
        // The gateway is silent only while it was asked: what this program slept through is not its fault.
        if self.silent_ms < WATCHDOG_MS && !self.late {
            self.silent_ms += BLOCK_MS;
            if self.silent_ms >= WATCHDOG_MS && self.holds {
                let why = format!("no drive for {WATCHDOG_MS} ms");
                self.let_go("watchdog", &why);
            }
        }
    }

    fn step(&mut self) {
        let t_ms = self.t_ms();
        for (line, simulation) in self.lines.iter_mut().enumerate() {
            let (Some(drive), Some(sense)) = (self.current.get(line), self.sense.get_mut(line))
            else {
                continue;
            };
            simulation.step(drive, sense);
            if !self.holds {
                sense.applied = None;
            }
            while let Some(verdict) = simulation.poll_event() {
                self.outputs.verdict(line, &verdict, simulation.dialled());
            }
            self.outputs.heard(line, &simulation.heard_by_visitor());
            self.outputs.record(line, simulation.recorded());
            self.outputs
                .trace(t_ms, line, sense, drive, simulation.panel_state().name());
        }
        let frame = Frame::Block {
            sequence: self.blocks,
            lines: self.sense.clone(),
        };
        self.blocks += 1;
        if self.blocks.is_multiple_of(FLUSH_BLOCKS) {
            self.outputs.flush();
        }
        let deaf = self.link.take_if(|link| !link.send(&frame));
        if let Some(link) = deaf {
            self.told_lost.push(link.id);
            self.drives.clear();
            self.let_go("gateway_lost", "it does not read its blocks");
        }
    }
}
