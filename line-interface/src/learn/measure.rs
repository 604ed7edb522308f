//! Measuring a line without knowing its bands.
//!
//! A profile's bands are what is to be found, so nothing here may rely on them. What is known is
//! the order of things (line-facts 1.2): a line at rest, then the ring tone, a steady level of the
//! handset on its hook, a higher one of the lifted handset, a still higher one of its button, and
//! all the way back. Each level is a plateau; a new one begins where the line stays away from the
//! last one by more than the noise.

use std::collections::VecDeque;

use super::propose::Refusal;
use crate::card::BLOCK_MS;
use crate::observe::LevelBook;
use crate::reading::BlockReading;

/// Levels closer than this are one level (line-facts 1.2: 20 counts).
const APART_VOLTS: f32 = 0.3;
/// Weakest ring that is looked for, and its frequencies: everything a converter of 8 kHz can tell.
const RING_SWING_VOLTS: f32 = 0.3;
const RING_FILL: f32 = 0.7;
const RING_HZ: std::ops::RangeInclusive<f32> = 200.0..=3800.0;
/// A tone of this length is a burst; shorter ones are clicks and polling.
const BURST_BLOCKS: u64 = 4;
/// Blocks without the tone that a burst bridges.
const BRIDGED_BLOCKS: u64 = 1;
/// A level that stands this long is a new plateau.
const PLATEAU_BLOCKS: u64 = 6;
/// Blocks at either end of a plateau that belong to its edges.
const EDGE_BLOCKS: usize = 2;
/// A line at rest after a call shows what is left of it (line-facts 1.6: dead time 2 to 3 s).
const DEAD_BLOCKS: u64 = 300;
/// An unfed line this long ends a call; longer than any pause of a ring (line-facts 1.6).
const RING_END_BLOCKS: u64 = 800;
const CALL_END_BLOCKS: u64 = 30;
/// A pair fed this long without a ring is no call.
const VAIN_BLOCKS: u64 = 2000;
/// A line that reads more than this from the beginning is not at rest.
const REST_MAX_VOLTS: f32 = 1.0;
/// Mains of this peak is a fault of its own (as `fault.foreign_hum_volts` of the profiles).
const MAINS_VOLTS: f32 = 3.0;
/// A pair at rest from here on leaks (as `fault.leakage_min_volts` of the profiles).
const LEAK_VOLTS: f32 = 0.25;
/// What was heard and not asked for; older things are dropped.
const MAX_HEARD: usize = 256;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Nobody calls.
    Rest,
    /// The panel feeds the pair and has not rung yet.
    Fed,
    /// It rings, or pauses between two bursts.
    Ringing,
    /// The handset is lifted.
    Lifted,
    /// Its button is pressed.
    Button,
    /// The handset is back on its hook and the panel has not ended the call.
    Replaced,
    /// This call says nothing about the handset: a phone answered it.
    Spoiled,
}

/// What happened on the line.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A pulse panel counted out an address.
    Address {
        /// Its pulses.
        pulses: u16,
    },
    /// The panel feeds the pair.
    Active,
    /// A ring burst.
    Burst {
        /// Mean frequency.
        frequency_hz: f32,
        /// Length.
        duration_ms: u64,
        /// Silence since the last burst of this call.
        pause_ms: Option<u64>,
    },
    /// The handset was lifted.
    Lifted {
        /// Its level so far.
        volts: f32,
    },
    /// The button was pressed and let go.
    Button {
        /// Its mean level.
        volts: f32,
        /// How long.
        duration_ms: u64,
    },
    /// The handset is back.
    Replaced,
    /// A phone answered through the box: this call is not measured.
    PhoneAnswered,
    /// The call is over.
    Over {
        /// It had a ring, a lifted handset and a pressed button.
        complete: bool,
    },
    /// Something that keeps the line from being learned.
    Trouble(Refusal),
}

/// A level that stands.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    sum: f32,
    blocks: u64,
}

impl Level {
    fn add(&mut self, volts: f32) {
        // Old readings fade, so that a level may drift without leaving itself.
        if self.blocks >= 100 {
            self.sum -= self.volts();
            self.blocks -= 1;
        }
        self.sum += volts;
        self.blocks += 1;
    }

    fn volts(&self) -> f32 {
        self.sum / self.blocks.max(1) as f32
    }

    const fn known(&self) -> bool {
        self.blocks > 0
    }
}

/// Which range of the book a plateau fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    OnHook,
    OffHook,
    Button,
}

/// A burst under way.
#[derive(Debug, Clone, Copy, Default)]
struct Burst {
    start: u64,
    end: u64,
    hz: f32,
    blocks: u64,
}

/// Measures a line over as many calls as it hears.
#[derive(Debug)]
pub struct Measurer {
    /// Everything of complete and incomplete calls so far.
    book: LevelBook,
    /// The running call's own, kept apart until it has rung.
    call: LevelBook,
    complete: u32,
    phase: Phase,
    now: u64,
    last: Option<BlockReading>,
    idle: Level,
    on_hook: Level,
    off_hook: Level,
    /// Fed level inside bursts, when the panel feeds nothing between them.
    fed: Level,
    /// A level that may become the next plateau, and for how long.
    candidate: Level,
    /// Readings of the present plateau that may still turn out to be its edge.
    held: VecDeque<f32>,
    settled: usize,
    burst: Option<Burst>,
    last_burst_end: Option<u64>,
    /// Blocks in the phase, of rest in it, of the dead time after a call.
    in_phase: u64,
    unfed: u64,
    dead: u64,
    reversed: u64,
    mains: u64,
    button_level: Level,
    troubles: Vec<&'static str>,
    heard: VecDeque<Heard>,
}

impl Default for Measurer {
    fn default() -> Self {
        Self {
            book: LevelBook::default(),
            call: LevelBook::default(),
            complete: 0,
            phase: Phase::Rest,
            now: 0,
            last: None,
            idle: Level::default(),
            on_hook: Level::default(),
            off_hook: Level::default(),
            fed: Level::default(),
            candidate: Level::default(),
            held: VecDeque::new(),
            settled: 0,
            burst: None,
            last_burst_end: None,
            in_phase: 0,
            unfed: 0,
            dead: 0,
            reversed: 0,
            mains: 0,
            button_level: Level::default(),
            troubles: Vec::new(),
            heard: VecDeque::new(),
        }
    }
}

impl Measurer {
    /// Takes the next 10 ms.
    pub fn handle_reading(&mut self, reading: &BlockReading) {
        self.now += 1;
        self.in_phase += 1;
        let before = self.last.replace(*reading);
        // Two blocks are one period of 50 Hz, so hum does not move a level.
        let level = match before {
            Some(b) if b.chopped == reading.chopped => (b.level_volts + reading.level_volts) / 2.0,
            _ => reading.level_volts,
        };
        self.watch_faults(reading, before.as_ref());
        let sounds = RING_HZ.contains(&reading.tone_hz.unwrap_or(0.0))
            && reading.swing_volts >= RING_SWING_VOLTS
            && reading.fill >= RING_FILL;
        match self.phase {
            Phase::Rest => self.rest(reading, level, sounds),
            Phase::Fed | Phase::Ringing => self.ring(reading, level, sounds),
            Phase::Lifted => self.lifted(reading, level),
            Phase::Button => self.button(reading, level),
            Phase::Replaced => self.replaced(reading, level),
            Phase::Spoiled => self.spoiled(level, sounds),
        }
    }

    /// Our own load is on the line in this block: the call under way shows us, not the handset.
    pub fn handle_own_load(&mut self) {
        self.now += 1;
        self.last = None;
        if !matches!(self.phase, Phase::Spoiled) {
            self.call = LevelBook::default();
            self.enter(Phase::Spoiled);
            self.tell(Heard::PhoneAnswered);
        }
        self.unfed = 0;
    }

    /// The call is over for certain, as a reset of a pulse line ends one. Gives the frequency of what a
    /// call that nobody answered sounded with: it may be no ring, so nothing of that call is kept.
    pub(super) fn handle_end(&mut self) -> Option<f32> {
        let unanswered = matches!(self.phase, Phase::Fed | Phase::Ringing);
        match self.phase {
            Phase::Rest => return None,
            Phase::Fed | Phase::Ringing => self.end_burst(),
            _ => self.over(),
        }
        self.dead = 0;
        if !unanswered {
            return None;
        }
        let call = std::mem::take(&mut self.call);
        self.enter(Phase::Rest);
        let count = call.bursts.len();
        if count > 0 {
            self.tell(Heard::Over { complete: false });
        }
        let sum: f32 = call.bursts.iter().map(|burst| burst.0).sum();
        (count > 0).then(|| sum / count as f32)
    }

    /// Readings were lost: a call under way is measured no further.
    pub fn handle_gap(&mut self) {
        self.last = None;
        if self.phase != Phase::Rest {
            self.call = LevelBook::default();
            self.enter(Phase::Spoiled);
        }
    }

    /// What happened since the last question, oldest first.
    pub fn poll(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// Where the call under way stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Calls that showed a ring, a lifted handset and its button.
    #[must_use]
    pub const fn complete_calls(&self) -> u32 {
        self.complete
    }

    /// Levels so far, those of the call under way included.
    #[must_use]
    pub fn levels(&self) -> LevelBook {
        let mut book = self.book.clone();
        if !matches!(self.phase, Phase::Rest | Phase::Fed | Phase::Spoiled) {
            book.merge(&self.call);
        }
        book
    }

    fn watch_faults(&mut self, reading: &BlockReading, before: Option<&BlockReading>) {
        let count = |n: u64, hit: bool| if hit { n + 1 } else { 0 };
        self.reversed = count(self.reversed, reading.mean_volts < -2.0 * APART_VOLTS);
        let low = before.map_or(0.0, |b| b.low_volts.min(reading.low_volts));
        let high = before.map_or(0.0, |b| b.high_volts.max(reading.high_volts));
        let mains = low <= -MAINS_VOLTS && high >= MAINS_VOLTS && reading.tone_hz.is_none();
        self.mains = count(self.mains, mains);
        if self.mains == 0 && self.reversed == 3 * PLATEAU_BLOCKS {
            let cause = format!(
                "the line reads {:.1} V: its wires are swapped",
                reading.mean_volts
            );
            self.trouble(cause, crate::FaultKind::ReversedPolarity.hint());
        } else if self.mains == 3 * PLATEAU_BLOCKS {
            let cause = format!("mains of {:.1} V peak is on the pair", high.max(-low));
            self.trouble(cause, crate::FaultKind::ForeignVoltage.hint());
        }
    }

    fn rest(&mut self, reading: &BlockReading, level: f32, sounds: bool) {
        if self.dead > 0 {
            self.dead -= 1;
            return;
        }
        let quiet = !sounds && reading.tone_hz.is_none();
        let base = if self.idle.known() {
            self.idle.volts()
        } else {
            0.0
        };
        let away = (level - base).abs() >= APART_VOLTS + self.book.noise_volts() / 2.0;
        if !self.idle.known() && level.abs() > REST_MAX_VOLTS {
            if self.in_phase == 10 * PLATEAU_BLOCKS {
                let cause = format!("the line reads {level:.2} V and nobody has dialled");
                self.trouble(
                    cause,
                    "wait until the call on it is over and begin again; a voltage that stays is foreign or leaks in",
                );
            }
            return;
        }
        self.candidate = if sounds || self.idle.known() && away {
            let mut candidate = self.candidate;
            candidate.add(level);
            candidate
        } else {
            Level::default()
        };
        if self.candidate.blocks >= 3 {
            self.held.clear();
            self.call = LevelBook::default();
            (self.on_hook, self.off_hook) = (Level::default(), Level::default());
            self.fed = Level::default();
            self.last_burst_end = None;
            self.enter(Phase::Fed);
            self.tell(Heard::Active);
            if sounds {
                self.follow_burst(reading, true);
            }
        } else if self.candidate.blocks == 0 && quiet {
            self.hold(reading.level_volts, None);
            self.idle.add(level);
            self.book.noise(reading.low_volts, reading.high_volts);
            if self.idle.volts() >= LEAK_VOLTS && self.book.idle.blocks == 100 {
                let cause = format!("the pair at rest reads {:.2} V", self.idle.volts());
                self.trouble(cause, crate::FaultKind::Leakage.hint());
            }
        }
    }

    fn ring(&mut self, reading: &BlockReading, level: f32, sounds: bool) {
        self.follow_burst(reading, sounds);
        let fed = level - self.idle.volts() >= APART_VOLTS;
        self.unfed = if fed || sounds { 0 } else { self.unfed + 1 };
        let limit = if self.phase == Phase::Fed {
            CALL_END_BLOCKS
        } else {
            RING_END_BLOCKS
        };
        if self.unfed >= limit {
            self.end_burst();
            self.over();
            return;
        }
        if self.phase == Phase::Fed && self.in_phase == VAIN_BLOCKS {
            let cause = format!("the pair is fed with {level:.2} V for 20 s and nothing rings");
            self.trouble(
                cause,
                "is the handset on its hook? look at trubka doctor: an open pair, a short or a lifted handset keeps the panel from ringing",
            );
        }
        if sounds {
            if self.burst.is_some_and(|b| b.blocks > 1) {
                self.call.ring.add(reading.level_volts);
                if reading.chopped {
                    self.fed.add(reading.level_volts);
                }
                let (swing, fill) = self.call.weakest_ring.unwrap_or((f32::MAX, f32::MAX));
                self.call.weakest_ring =
                    Some((swing.min(reading.swing_volts), fill.min(reading.fill)));
            }
            self.watch_lift(reading, level);
            return;
        }
        if !fed || reading.tone_hz.is_some() {
            self.candidate = Level::default();
            self.held.clear();
            self.settled = 0;
            return;
        }
        self.watch_lift(reading, level);
    }

    /// On-hook and lifted levels while the panel rings: the first plateau is the handset on its
    /// hook, a higher one the lifted handset.
    fn watch_lift(&mut self, reading: &BlockReading, level: f32) {
        if self.fed.blocks >= 2 * PLATEAU_BLOCKS
            && self.on_hook.volts() - self.fed.volts() >= APART_VOLTS
        {
            // The wire was high before the panel found the handset: that was no level of it.
            self.on_hook = Level::default();
            self.call.on_hook = crate::observe::LevelRange::default();
        }
        let base = if self.on_hook.known() {
            Some(self.on_hook.volts())
        } else if self.fed.blocks >= 2 * PLATEAU_BLOCKS {
            Some(self.fed.volts())
        } else {
            None
        };
        let higher = base.is_some_and(|b| level - b >= APART_VOLTS);
        // A pair just selected may rise before its handset is found: only a ringing one is lifted.
        if higher && self.phase == Phase::Ringing {
            self.step_towards(level);
            if self.candidate.blocks >= PLATEAU_BLOCKS {
                self.end_burst();
                self.off_hook = self.candidate;
                let volts = self.off_hook.volts();
                self.enter(Phase::Lifted);
                self.tell(Heard::Lifted { volts });
            }
            return;
        }
        self.candidate = Level::default();
        if reading.chopped || reading.tone_hz.is_some() || self.burst.is_some() {
            return;
        }
        let near = base.is_none_or(|b| (level - b).abs() < APART_VOLTS);
        if near || self.phase == Phase::Fed {
            if !near {
                // Still before the ring: the newer plateau is the one the panel rings on.
                self.on_hook = Level::default();
                self.call.on_hook = crate::observe::LevelRange::default();
                self.held.clear();
                self.settled = 0;
            }
            self.on_hook.add(level);
            self.hold(reading.level_volts, Some(Slot::OnHook));
            self.call.noise(reading.low_volts, reading.high_volts);
        }
    }

    fn lifted(&mut self, reading: &BlockReading, level: f32) {
        let (off, on) = (self.off_hook.volts(), self.rung_level());
        if self.ended(level) {
            return;
        }
        if level - off >= APART_VOLTS {
            self.step_towards(level);
            if self.candidate.blocks >= PLATEAU_BLOCKS {
                self.button_level = self.candidate;
                self.enter(Phase::Button);
            }
        } else if level < (off + on) / 2.0 && level > (self.idle.volts() + on) / 2.0 {
            self.step_towards(level);
            if self.candidate.blocks >= PLATEAU_BLOCKS {
                self.enter(Phase::Replaced);
                self.tell(Heard::Replaced);
            }
        } else {
            self.candidate = Level::default();
            if (level - off).abs() < APART_VOLTS {
                self.off_hook.add(level);
            }
            self.hold(reading.level_volts, Some(Slot::OffHook));
        }
    }

    fn button(&mut self, reading: &BlockReading, level: f32) {
        let (off, high) = (self.off_hook.volts(), self.button_level.volts());
        if level < (off + high) / 2.0 {
            self.candidate.add(level);
            if self.candidate.blocks >= 3 {
                let duration_ms = (self.in_phase + PLATEAU_BLOCKS).saturating_sub(3) * BLOCK_MS;
                self.tell(Heard::Button {
                    volts: high,
                    duration_ms,
                });
                self.enter(Phase::Lifted);
            }
        } else {
            self.candidate = Level::default();
            self.button_level.add(level);
            self.hold(reading.level_volts, Some(Slot::Button));
        }
    }

    fn replaced(&mut self, reading: &BlockReading, level: f32) {
        if self.ended(level) {
            return;
        }
        let (off, on) = (self.off_hook.volts(), self.rung_level());
        if level >= (off + on) / 2.0 && !reading.chopped {
            self.candidate.add(level);
            if self.candidate.blocks >= PLATEAU_BLOCKS {
                self.enter(Phase::Lifted);
                self.tell(Heard::Lifted { volts: off });
            }
        } else {
            self.candidate = Level::default();
            if reading.tone_hz.is_none() {
                self.hold(reading.level_volts, Some(Slot::OnHook));
            }
        }
    }

    fn spoiled(&mut self, level: f32, sounds: bool) {
        let fed = sounds || level - self.idle.volts() >= APART_VOLTS;
        self.unfed = if fed { 0 } else { self.unfed + 1 };
        if self.unfed >= DEAD_BLOCKS {
            self.over();
        }
    }

    /// The level on which the panel rang.
    fn rung_level(&self) -> f32 {
        if self.on_hook.known() {
            self.on_hook.volts()
        } else {
            self.fed.volts()
        }
    }

    fn ended(&mut self, level: f32) -> bool {
        let half = (self.idle.volts() + self.rung_level()) / 2.0;
        self.unfed = if level < half { self.unfed + 1 } else { 0 };
        if self.unfed > 0 {
            self.held.clear();
        }
        if self.unfed >= CALL_END_BLOCKS {
            self.over();
        }
        self.unfed > 0
    }

    fn over(&mut self) {
        let call = std::mem::take(&mut self.call);
        let rang = !call.bursts.is_empty() && self.phase != Phase::Spoiled;
        let enough = |range: &crate::observe::LevelRange| range.blocks >= 10;
        let complete = rang && enough(&call.off_hook) && enough(&call.button);
        self.complete += u32::from(complete);
        let was_call = rang || self.phase == Phase::Spoiled;
        if rang {
            self.book.merge(&call);
        }
        self.enter(Phase::Rest);
        self.dead = DEAD_BLOCKS;
        // A polling pulse or a call to nobody is nothing to speak of.
        if was_call {
            self.tell(Heard::Over { complete });
        }
    }

    fn follow_burst(&mut self, reading: &BlockReading, sounds: bool) {
        let hz = reading.tone_hz.unwrap_or(0.0);
        match (&mut self.burst, sounds) {
            (Some(burst), true) => {
                burst.end = self.now;
                burst.hz += hz;
                burst.blocks += 1;
                if burst.blocks >= BURST_BLOCKS && self.phase == Phase::Fed {
                    self.phase = Phase::Ringing;
                }
            }
            (None, true) => {
                self.burst = Some(Burst {
                    start: self.now - 1,
                    end: self.now,
                    hz,
                    blocks: 1,
                });
            }
            (Some(burst), false) if self.now - burst.end > BRIDGED_BLOCKS => self.end_burst(),
            _ => {}
        }
    }

    fn end_burst(&mut self) {
        let Some(burst) = self.burst.take() else {
            return;
        };
        self.held.clear();
        self.settled = 0;
        if burst.blocks < BURST_BLOCKS {
            return;
        }
        let frequency_hz = burst.hz / burst.blocks as f32;
        let duration_ms = (burst.end - burst.start) * BLOCK_MS;
        let pause_ms = self
            .last_burst_end
            .map(|end| burst.start.saturating_sub(end) * BLOCK_MS);
        self.last_burst_end = Some(burst.end);
        self.call.burst(frequency_hz, duration_ms, pause_ms);
        self.tell(Heard::Burst {
            frequency_hz,
            duration_ms,
            pause_ms,
        });
    }

    /// A level may become the next plateau if it stands still.
    fn step_towards(&mut self, level: f32) {
        let moved = (level - self.candidate.volts()).abs() >= APART_VOLTS;
        if self.candidate.known() && moved {
            self.candidate = Level::default();
        }
        self.candidate.add(level);
    }

    /// Takes a reading of the present plateau, less its first and last blocks.
    fn hold(&mut self, volts: f32, slot: Option<Slot>) {
        if self.settled < EDGE_BLOCKS {
            self.settled += 1;
            return;
        }
        self.held.push_back(volts);
        if self.held.len() <= EDGE_BLOCKS {
            return;
        }
        let Some(volts) = self.held.pop_front() else {
            return;
        };
        match slot {
            None => self.book.idle.add(volts),
            Some(Slot::OnHook) => self.call.on_hook.add(volts),
            Some(Slot::OffHook) => self.call.off_hook.add(volts),
            Some(Slot::Button) => self.call.button.add(volts),
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.in_phase = 0;
        self.unfed = 0;
        self.candidate = Level::default();
        self.held.clear();
        self.settled = 0;
        if !matches!(phase, Phase::Fed | Phase::Ringing) {
            self.burst = None;
        }
    }

    fn trouble(&mut self, cause: String, hint: &'static str) {
        if !self.troubles.contains(&hint) {
            self.troubles.push(hint);
            self.tell(Heard::Trouble(Refusal { cause, hint }));
        }
    }

    fn tell(&mut self, heard: Heard) {
        if self.heard.len() >= MAX_HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(heard);
    }
}
