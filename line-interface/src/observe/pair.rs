//! A pair, listened to through the very line state machine of the gateway.

use std::collections::VecDeque;
use std::time::Duration;

use super::levels::LevelBook;
use super::{Observation, Seen};
use crate::bands::Band;
use crate::card::{BLOCK_MS, SenseBlock};
use crate::line::{FaultKind, HandsetFitting, Line, LineEvent, LineState, Reading};
use crate::profile::Profile;
use crate::reading::BlockReading;
use crate::ring::RingDetector;

/// Blocks without a tone that a burst bridges, as the ring detector does.
const BRIDGED_BLOCKS: u64 = 1;
/// A line this long without activity begins anew.
const QUIET_MS: u64 = 50;
/// A band that is left for no longer was not left.
const FLICKER_MS: u64 = 30;
/// Weakest and shortest tone on a talking line.
const TONE_VOLTS: f32 = 0.3;
const TONE_MS: u64 = 150;
/// Frequencies of one tone differ by less than this part.
const SAME_TONE: f32 = 0.06;
/// Noise breaks a tone up; half of its blocks must hold it all the same.
const TONE_BRIDGED_BLOCKS: u64 = 4;
/// Without a current reading: the least level by which a fed short shows, and its largest change.
const SHORT_VOLTS: f32 = 0.05;
const SHORT_STEADY_VOLTS: f32 = 0.03;

/// A run of blocks that hold the same tone.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    start_ms: u64,
    end_ms: u64,
    hz: f32,
    blocks: f32,
    gap: u64,
    /// The line's feed itself is switched, as by a ring.
    chopped: bool,
}

impl Run {
    fn begin(start_ms: u64, hz: f32, chopped: bool) -> Self {
        Self {
            chopped,
            start_ms,
            end_ms: start_ms + BLOCK_MS,
            hz,
            blocks: 1.0,
            gap: 0,
        }
    }

    fn mean_hz(&self) -> f32 {
        self.hz / self.blocks.max(1.0)
    }

    fn add(&mut self, end_ms: u64, hz: f32) {
        self.end_ms = end_ms;
        self.hz += hz;
        self.blocks += 1.0;
        self.gap = 0;
    }

    const fn length_ms(&self) -> u64 {
        self.end_ms - self.start_ms
    }
}

/// Listens to one pair.
#[derive(Debug)]
pub struct PairObserver {
    line: Line,
    /// Readings hold the current too, so a short shows by itself.
    has_current: bool,
    now_ms: u64,
    /// When the line became active, and when it was last.
    active_since: Option<u64>,
    active_until: u64,
    /// When each band was last entered, after the order of [`Band`].
    entered: [u64; 5],
    /// When the line was last seen in each band.
    left: [u64; 5],
    band: Band,
    burst: Option<Run>,
    last_burst_end: Option<u64>,
    ringing: bool,
    /// Bursts seen before the ring rule was met.
    early: Vec<Run>,
    tone: Option<Run>,
    /// The level before a small step, and the step: since when, and how high.
    rest_volts: Option<f32>,
    squashed: Option<(u64, f32)>,
    /// When the line came to rest while the lock-out still ran.
    rested_at: Option<u64>,
    /// The lock-out ran out on a line that was active all along.
    goes_on: bool,
    /// The lifted handset is the fault that was told, and no news.
    stuck: bool,
    book: LevelBook,
    seen: VecDeque<Seen>,
}

const fn slot(band: Band) -> usize {
    match band {
        Band::Idle => 0,
        Band::Short => 1,
        Band::OnHook => 2,
        Band::OffHook => 3,
        Band::Open => 4,
    }
}

impl PairObserver {
    /// At rest. `has_current` tells whether the readings hold the line current.
    #[must_use]
    pub fn new(profile: Profile, has_current: bool) -> Self {
        Self {
            line: Line::new(profile, HandsetFitting::Relayed).bridging_unfed_pauses(),
            has_current,
            now_ms: 0,
            active_since: None,
            active_until: 0,
            entered: [0; 5],
            left: [0; 5],
            band: Band::Idle,
            burst: None,
            last_burst_end: None,
            ringing: false,
            early: Vec::new(),
            tone: None,
            rest_volts: None,
            squashed: None,
            rested_at: None,
            goes_on: false,
            stuck: false,
            book: LevelBook::default(),
            seen: VecDeque::new(),
        }
    }

    /// Of a pulse line: its resets end a call, so a dead pair is no pause.
    #[must_use]
    pub(super) fn of_pulses(profile: Profile) -> Self {
        Self {
            line: Line::new(profile.clone(), HandsetFitting::Relayed),
            ..Self::new(profile, false)
        }
    }

    /// A ring, or what came of it, is under way.
    pub(super) fn in_call(&self) -> bool {
        matches!(
            self.line.status().state,
            LineState::Ringing | LineState::HandsetHasCall
        )
    }

    /// Takes the next 10 ms.
    pub fn handle_block(&mut self, sense: &SenseBlock) {
        let start = self.now_ms;
        self.now_ms += BLOCK_MS;
        self.line
            .handle_block(Duration::from_millis(self.now_ms), sense);
        let reading = *self.line.reading();
        self.follow(start, &reading);
        self.follow_burst(start, &reading);
        while let Some(event) = self.line.poll_event() {
            self.translate(event);
        }
        self.follow_tone(start, &reading);
        self.note_levels(&reading);
        if !self.has_current {
            self.follow_short(start, &reading);
        }
    }

    /// The recording ends. What the detectors still wait for is settled by a resting line, if the
    /// line rests.
    pub fn finish(&mut self) {
        let resting = self.now_ms.saturating_sub(self.active_until) >= QUIET_MS;
        let t = &self.line.profile().timing;
        let wait = self.line.profile().ring.hold_off_ms.value + t.lockout_ms.value + 1000;
        if resting {
            let end = self.now_ms;
            for _ in 0..wait.min(60_000) / BLOCK_MS {
                if self.line.status().state == LineState::Idle {
                    break;
                }
                self.handle_block(&SenseBlock::default());
            }
            self.now_ms = end;
        }
        self.end_burst();
        self.end_tone();
        if self.ringing {
            self.ringing = false;
            let t_ms = self.last_burst_end.unwrap_or(self.now_ms);
            self.push(t_ms, Observation::RingStopped);
        }
    }

    /// The next observation. Their times are not in order: an event is known after it began.
    pub fn poll(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// Levels so far.
    #[must_use]
    pub const fn levels(&self) -> &LevelBook {
        &self.book
    }

    /// The profile in use.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        self.line.profile()
    }

    fn push(&mut self, t_ms: u64, what: Observation) {
        self.seen.push_back(Seen { t_ms, what });
    }

    fn follow(&mut self, start: u64, reading: &BlockReading) {
        let bands = &self.line.profile().bands;
        let active = reading.level_volts.abs() > bands.idle_max_volts.value
            || RingDetector::sounds(&self.line.profile().ring, reading);
        if active {
            let anew = start.saturating_sub(self.active_until) >= QUIET_MS;
            let state = self.line.status().state;
            if anew && state == LineState::LockOut && self.active_since.is_some() {
                self.rested_at.get_or_insert(self.active_until);
            }
            if self.active_since.is_none()
                || anew && matches!(state, LineState::Idle | LineState::LockOut)
            {
                self.active_since = Some(start);
            }
            self.active_until = self.now_ms;
        }
        let band = self.line.status().band;
        if let Some(at) = self.left.get_mut(slot(band)) {
            // The edge of a burst shows another band for a block: that is no new beginning.
            if band != self.band
                && start.saturating_sub(*at) > FLICKER_MS
                && let Some(entered) = self.entered.get_mut(slot(band))
            {
                *entered = start;
            }
            *at = self.now_ms;
        }
        self.band = band;
    }

    fn at(&self, band: Band) -> u64 {
        self.entered.get(slot(band)).copied().unwrap_or(0)
    }

    fn follow_burst(&mut self, start: u64, reading: &BlockReading) {
        let sounds = RingDetector::sounds(&self.line.profile().ring, reading);
        let talking = matches!(
            self.line.status().state,
            LineState::HandsetHasCall | LineState::LockOut
        );
        match (&mut self.burst, sounds && !talking) {
            (Some(run), true) => run.add(self.now_ms, reading.tone_hz.unwrap_or(0.0)),
            (None, true) => {
                self.burst = Some(Run::begin(start, reading.tone_hz.unwrap_or(0.0), true))
            }
            (Some(run), false) => {
                run.gap += 1;
                if run.gap > BRIDGED_BLOCKS {
                    self.end_burst();
                }
            }
            (None, false) => {}
        }
        if sounds && !talking {
            let (swing, fill) = self.book.weakest_ring.unwrap_or((f32::MAX, f32::MAX));
            let inner = self.burst.is_some_and(|b| b.blocks > 1.0);
            if inner {
                self.book.weakest_ring =
                    Some((swing.min(reading.swing_volts), fill.min(reading.fill)));
            }
            self.book.ring.add(reading.level_volts);
        }
    }

    fn end_burst(&mut self) {
        let Some(run) = self.burst.take() else { return };
        if run.length_ms() < self.line.profile().ring.minimum_ms.value {
            return;
        }
        if self.ringing {
            self.tell_burst(run);
        } else if self.early.len() < 8 {
            self.early.push(run);
        }
    }

    fn tell_burst(&mut self, run: Run) {
        let pause = self
            .last_burst_end
            .map(|end| run.start_ms.saturating_sub(end));
        self.book.burst(run.mean_hz(), run.length_ms(), pause);
        self.last_burst_end = Some(run.end_ms);
        let (frequency_hz, duration_ms) = (run.mean_hz(), run.length_ms());
        self.push(
            run.start_ms,
            Observation::RingBurst {
                frequency_hz,
                duration_ms,
            },
        );
    }

    fn stop_ring(&mut self, at: u64) {
        self.end_burst();
        if std::mem::take(&mut self.ringing) {
            let t_ms = self.last_burst_end.unwrap_or(at);
            self.push(t_ms, Observation::RingStopped);
        }
        self.last_burst_end = None;
    }

    fn translate(&mut self, event: LineEvent) {
        match event {
            LineEvent::CallDetected if std::mem::take(&mut self.goes_on) => self.squashed = None,
            LineEvent::CallDetected => {
                let t_ms = self.active_since.unwrap_or(self.now_ms - BLOCK_MS);
                self.squashed = None;
                self.push(t_ms, Observation::LineActive);
            }
            LineEvent::RingConfirmed => {
                self.ringing = true;
                self.last_burst_end = None;
                let early = std::mem::take(&mut self.early);
                let first = early
                    .first()
                    .or(self.burst.as_ref())
                    .map(|run| run.start_ms);
                let t_ms = first.unwrap_or(self.now_ms - BLOCK_MS);
                self.push(t_ms, Observation::RingStarted);
                for run in early {
                    self.tell_burst(run);
                }
            }
            LineEvent::PanelGaveUp => self.stop_ring(self.active_until),
            LineEvent::HandsetLifted => {
                let at = self.at(Band::OffHook);
                self.stop_ring(at);
                if !std::mem::take(&mut self.stuck) {
                    self.push(at, Observation::HandsetLifted);
                }
            }
            LineEvent::HandsetReplaced => {
                self.end_tone();
                self.push(self.at(Band::OnHook), Observation::HandsetReplaced);
            }
            LineEvent::DoorButton => self.push(self.at(Band::Open), Observation::DoorButton),
            LineEvent::Idle => {
                self.early.clear();
                self.end_tone();
                let active = self.active_until == self.now_ms;
                if let Some(t_ms) = self.rested_at.take() {
                    self.push(t_ms, Observation::LineIdle);
                    if !active {
                        // It rested, came back, and rests again, all under the lock-out.
                        if let Some(since) = self.active_since.take() {
                            self.push(since, Observation::LineActive);
                            self.push(self.active_until, Observation::LineIdle);
                        }
                    }
                } else if active && self.active_since.is_some() {
                    self.goes_on = true;
                } else if self.active_since.take().is_some() {
                    self.push(self.active_until, Observation::LineIdle);
                }
            }
            LineEvent::Fault { kind, reading } => self.fault(kind, reading),
            // The listener never acts, so the rest cannot happen or says nothing new.
            _ => {}
        }
    }

    fn fault(&mut self, kind: FaultKind, reading: Reading) {
        let rule = &self.line.profile().fault;
        let (name, t_ms) = match kind {
            FaultKind::OpenPair => ("open", self.at(Band::Open)),
            FaultKind::Short => ("short", self.at(Band::Short)),
            FaultKind::StuckOffHook => {
                self.stuck = self.ringing;
                ("stuck_off_hook", self.at(Band::OffHook))
            }
            FaultKind::ReversedPolarity => ("reversed", self.active_since.unwrap_or(self.now_ms)),
            FaultKind::Leakage => ("leakage", self.now_ms.saturating_sub(rule.leakage_ms.value)),
            FaultKind::ForeignVoltage => (
                "foreign_voltage",
                self.active_since.unwrap_or(
                    self.now_ms
                        .saturating_sub(self.line.profile().timing.fault_ms.value),
                ),
            ),
            FaultKind::HandsetMissing
            | FaultKind::HandsetShort
            | FaultKind::Ambiguous
            | FaultKind::BusShort
            | FaultKind::BadAddress => return,
        };
        let hint = kind.hint();
        self.push(
            t_ms,
            Observation::Fault {
                kind: name,
                reading,
                hint,
            },
        );
    }

    fn follow_tone(&mut self, start: u64, reading: &BlockReading) {
        // After a call the ring may remain for a while, which the lock-out rides over.
        let talking = matches!(
            self.line.status().state,
            LineState::HandsetHasCall | LineState::LockOut
        );
        let hz = reading
            .tone_hz
            .filter(|_| talking && reading.swing_volts >= TONE_VOLTS);
        match (&mut self.tone, hz) {
            (Some(run), Some(hz)) if (hz / run.mean_hz() - 1.0).abs() < SAME_TONE => {
                run.add(self.now_ms, hz);
            }
            (Some(run), None) if run.gap < TONE_BRIDGED_BLOCKS => run.gap += 1,
            (_, hz) => {
                self.end_tone();
                self.tone = hz.map(|hz| Run::begin(start, hz, reading.chopped));
            }
        }
    }

    fn end_tone(&mut self) {
        if let Some(run) = self.tone.take()
            && run.length_ms() >= TONE_MS
            && run.blocks * 2.0 * BLOCK_MS as f32 >= run.length_ms() as f32
        {
            let what = Observation::Tone {
                kind: if run.chopped { "residual" } else { "steady" },
                frequency_hz: run.mean_hz(),
                duration_ms: run.length_ms(),
            };
            self.push(run.start_ms, what);
        }
    }

    fn note_levels(&mut self, reading: &BlockReading) {
        let status = self.line.status();
        let steady = reading.tone_hz.is_none();
        let volts = reading.level_volts;
        // The block in which a level changes belongs to neither state.
        if self.entered.contains(&(self.now_ms - BLOCK_MS)) {
            return;
        }
        let book = &mut self.book;
        match (status.state, status.band) {
            (LineState::Idle, Band::Idle) => {
                book.idle.add(volts);
                book.noise(reading.low_volts, reading.high_volts);
            }
            (LineState::Selected | LineState::Ringing, Band::OnHook) if steady => {
                book.on_hook.add(volts);
                book.noise(reading.low_volts, reading.high_volts);
            }
            (LineState::HandsetHasCall, Band::OffHook) => book.off_hook.add(volts),
            (LineState::HandsetHasCall, Band::Open) => book.button.add(volts),
            (LineState::HandsetHasCall, Band::OnHook) if steady => book.on_hook.add(volts),
            (LineState::Fault, Band::Open) => book.open.add(volts),
            _ => {}
        }
    }

    /// A fed pair that is shorted shows a small steady step where a call should be. A recorder's own
    /// offset is no step.
    fn follow_short(&mut self, start: u64, reading: &BlockReading) {
        let profile = self.line.profile();
        let level = reading.level_volts;
        let idle = self.line.status().state == LineState::Idle;
        let quiet = idle && level.abs() <= profile.bands.idle_max_volts.value;
        let before = self.rest_volts.unwrap_or(level);
        match self.squashed {
            _ if !quiet => {
                // A call begins: what was small before it was no short.
                self.squashed = None;
                self.rest_volts = None;
            }
            None if level - before >= SHORT_VOLTS => self.squashed = Some((start, level)),
            None => self.rest_volts = Some(level),
            Some((_, first)) if (level - first).abs() <= SHORT_STEADY_VOLTS + first.abs() / 4.0 => {
            }
            Some((since, volts)) => {
                self.squashed = None;
                let length = start.saturating_sub(since);
                let over = (level - before).abs() < SHORT_VOLTS;
                if over
                    && length >= profile.timing.fault_ms.value
                    && length < profile.fault.leakage_ms.value
                {
                    let reading = Reading {
                        volts,
                        ..Reading::default()
                    };
                    let what = Observation::Fault {
                        kind: "short",
                        reading,
                        hint: FaultKind::Short.hint(),
                    };
                    self.push(since, Observation::LineActive);
                    self.push(since, what);
                    self.push(start, Observation::LineIdle);
                } else if !over {
                    self.squashed = Some((start, level));
                }
            }
        }
    }
}
