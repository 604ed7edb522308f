//! A pulse line, listened to: edges at the recording's own rate, tones at 8 kHz.

use std::collections::VecDeque;

use super::levels::LevelBook;
use super::pair::PairObserver;
use super::{Observation, Seen};
use crate::card::{BLOCK_MS, SenseBlock};
use crate::learn::{PulseBook, WireRuns};
use crate::pulse::{PanelTone, PulseDoubt, PulseEvent, PulseProfile, PulseReader, ToneReader};
use crate::reading::BlockReading;

/// A resting wire moves less than this within a block, hum included.
const STEADY_VOLTS: f32 = 3.0;

/// A run of blocks that hold one of the panel's tones.
#[derive(Debug, Clone, Copy)]
struct Run {
    tone: PanelTone,
    start_ms: u64,
    end_ms: u64,
    hz: f32,
    blocks: f32,
}

/// Listens to one pulse line.
#[derive(Debug)]
pub struct PulseObserver {
    profile: PulseProfile,
    reader: PulseReader,
    high: bool,
    now_ms: u64,
    run: Option<Run>,
    active: bool,
    ringing: bool,
    last_ring_ms: u64,
    last_active_ms: u64,
    book: LevelBook,
    /// How the panel counts, for the guess of the profile.
    wire: WireRuns,
    pulses: PulseBook,
    /// From its address to the next reset the wire is the called handset's, and a pair.
    pair: PairObserver,
    called: bool,
    /// Its handset is off its hook: a talk needs no tone to go on.
    lifted: bool,
    seen: VecDeque<Seen>,
}

impl PulseObserver {
    /// At rest.
    #[must_use]
    pub fn new(profile: PulseProfile) -> Self {
        Self {
            reader: PulseReader::new(profile.address.clone()),
            pair: PairObserver::of_pulses(profile.line()),
            called: false,
            lifted: false,
            profile,
            high: true,
            now_ms: 0,
            run: None,
            active: false,
            ringing: false,
            last_ring_ms: 0,
            last_active_ms: 0,
            book: LevelBook::default(),
            wire: WireRuns::default(),
            pulses: PulseBook::default(),
            seen: VecDeque::new(),
        }
    }

    /// One sample of the wire at the recording's own rate.
    pub fn sample(&mut self, at_us: u64, volts: f32) {
        if let Some(runs) = self.wire.sample(at_us, volts) {
            self.pulses.count(&runs);
        }
        let high = if self.high {
            volts > self.profile.level.low_max_volts.value
        } else {
            volts >= self.profile.level.high_min_volts.value
        };
        let event = if high == self.high {
            self.reader.advance(at_us)
        } else {
            self.high = high;
            self.reader.edge(at_us, high)
        };
        match event {
            Some(PulseEvent::Address { address, at_us }) => {
                self.end_call(at_us / 1000);
                self.begin(at_us / 1000);
                self.called = true;
                self.push(at_us / 1000, Observation::Address { address });
            }
            // A reset without an address is how a selection ends.
            Some(PulseEvent::Rejected {
                why: PulseDoubt::NoPulse,
                ..
            }) => {}
            Some(PulseEvent::Rejected { why, at_us }) => {
                self.end_call(at_us / 1000);
                self.begin(at_us / 1000);
                self.push(at_us / 1000, Observation::BadAddress { why });
            }
            Some(PulseEvent::Reset) => {
                self.called = false;
                self.lifted = false;
            }
            None => {}
        }
    }

    /// The same wire as 10 ms at 8 kHz, after its samples.
    pub fn handle_block(&mut self, sense: &SenseBlock) {
        let start = self.now_ms;
        self.now_ms += BLOCK_MS;
        let reading = BlockReading::of(sense);
        if self.called {
            self.pair.handle_block(sense);
        } else {
            self.pair.handle_block(&SenseBlock::default());
        }
        self.hear_handset();
        if self.lifted {
            self.last_active_ms = self.now_ms;
        }
        let tone = ToneReader::classify(&self.profile.tone, &reading);
        let hz = reading.tone_hz.unwrap_or(0.0);
        match (&mut self.run, tone) {
            (Some(run), Some(tone)) if run.tone == tone => {
                run.end_ms = self.now_ms;
                run.hz += hz;
                run.blocks += 1.0;
            }
            (Some(run), None) if start.saturating_sub(run.end_ms) < BLOCK_MS => {}
            (_, tone) => {
                self.end_run();
                self.run = tone.map(|tone| Run {
                    tone,
                    start_ms: start,
                    end_ms: self.now_ms,
                    hz,
                    blocks: 1.0,
                });
            }
        }
        if let Some(run) = self.run {
            self.last_active_ms = self.now_ms;
            // The block in which a burst begins or ends is only partly its own.
            if run.tone == PanelTone::Ring && run.end_ms == self.now_ms && run.blocks > 1.0 {
                self.book.ring.add(reading.high_volts);
            }
        } else if !self.active && self.high && reading.high_volts - reading.low_volts < STEADY_VOLTS
        {
            self.book.idle.add(reading.mean_volts);
            self.pulses.rest.add(reading.mean_volts);
            self.book.noise(reading.low_volts, reading.high_volts);
        }
        if reading.high_volts < self.profile.level.low_max_volts.value {
            self.pulses.low.add(reading.mean_volts);
        }
        let now = self.now_ms;
        let quiet = |since: u64| now.saturating_sub(since);
        let hold = self.profile.timing.hold_off_ms.value;
        if self.ringing && self.run.is_none() && quiet(self.last_ring_ms) >= hold {
            self.stop_ring();
        }
        if self.active && !self.ringing && quiet(self.last_active_ms) >= hold {
            self.rest();
        }
    }

    /// The recording ends.
    pub fn finish(&mut self) {
        self.end_run();
        self.stop_ring();
        self.rest();
        self.pair.finish();
        self.hear_handset();
        let levels = self.pair.levels();
        self.book.on_hook = levels.on_hook;
        self.book.off_hook = levels.off_hook;
        self.book.button = levels.button;
    }

    /// Hook and button of the called handset. All else that a pair tells, this observer tells by
    /// address and tones.
    fn hear_handset(&mut self) {
        while let Some(seen) = self.pair.poll() {
            let of_handset = matches!(
                seen.what,
                Observation::HandsetLifted | Observation::HandsetReplaced | Observation::DoorButton
            );
            if of_handset {
                match seen.what {
                    Observation::HandsetLifted => self.lifted = self.called,
                    Observation::HandsetReplaced => self.lifted = false,
                    _ => {}
                }
                self.last_active_ms = self.last_active_ms.max(seen.t_ms);
                self.seen.push_back(seen);
            }
        }
    }

    /// The next observation, not in order of time.
    pub fn poll(&mut self) -> Option<Seen> {
        self.seen.pop_front()
    }

    /// Levels so far.
    #[must_use]
    pub const fn levels(&self) -> &LevelBook {
        &self.book
    }

    /// How the panel counted.
    #[must_use]
    pub const fn pulses(&self) -> &PulseBook {
        &self.pulses
    }

    fn push(&mut self, t_ms: u64, what: Observation) {
        self.seen.push_back(Seen { t_ms, what });
    }

    /// The panel calls anew: what was before is over. A capture may come late, so the ring of the
    /// new call can be under way.
    fn end_call(&mut self, at_ms: u64) {
        if self.run.is_some_and(|run| run.start_ms < at_ms) {
            self.end_run();
        }
        self.stop_ring();
        self.last_active_ms = self.last_active_ms.min(at_ms);
        self.rest();
    }

    fn begin(&mut self, t_ms: u64) {
        if !std::mem::replace(&mut self.active, true) {
            self.push(t_ms, Observation::LineActive);
        }
        self.last_active_ms = t_ms;
    }

    fn rest(&mut self) {
        if std::mem::take(&mut self.active) {
            self.push(self.last_active_ms, Observation::LineIdle);
        }
    }

    fn stop_ring(&mut self) {
        if std::mem::take(&mut self.ringing) {
            self.push(self.last_ring_ms, Observation::RingStopped);
        }
    }

    fn end_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        let duration_ms = run.end_ms - run.start_ms;
        if duration_ms < self.profile.tone.minimum_ms.value {
            return;
        }
        self.begin(run.start_ms);
        self.last_active_ms = run.end_ms;
        let frequency_hz = run.hz / run.blocks;
        if run.tone == PanelTone::Ring {
            let pause = self
                .ringing
                .then(|| run.start_ms.saturating_sub(self.last_ring_ms));
            if !std::mem::replace(&mut self.ringing, true) {
                self.push(run.start_ms, Observation::RingStarted);
            }
            self.last_ring_ms = run.end_ms;
            self.book.burst(frequency_hz, duration_ms, pause);
            self.push(
                run.start_ms,
                Observation::RingBurst {
                    frequency_hz,
                    duration_ms,
                },
            );
        } else {
            self.push(
                run.start_ms,
                Observation::Tone {
                    kind: run.tone.name(),
                    frequency_hz,
                    duration_ms,
                },
            );
        }
    }
}
