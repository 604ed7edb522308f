//! The panel: a state machine that sees its own wires and nothing else.

mod audio;
mod spec;

use std::collections::VecDeque;
use std::time::Duration;

use line_interface::BLOCK_MS;

pub(crate) use audio::{Oscillator, PanelAudio, Rotor};
pub use spec::{PanelError, PanelSpec};

/// Where the panel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PanelState {
    /// At rest.
    Idle,
    /// The visitor presses keys.
    Dialling,
    /// The pair is fed and its handset is judged.
    Checking,
    /// Ringing.
    Ringing,
    /// Talking.
    Talking,
    /// End tone.
    Ending,
    /// A remaining signal dies away on the line.
    Residual,
}

impl PanelState {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Dialling => "dialling",
            Self::Checking => "checking",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Ending => "ending",
            Self::Residual => "residual",
        }
    }
}

/// Why a call or an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DropCause {
    /// Nobody answered in time.
    NoAnswer,
    /// The handset side went on-hook.
    OnHook,
    /// The visitor pressed the reset key.
    VisitorLeft,
    /// The line stayed without load for too long.
    LineBroken,
    /// The line is shorted.
    Short,
    /// No handset on the pair.
    Open,
    /// The handset is lifted already.
    OffHook,
}

impl DropCause {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAnswer => "no_answer",
            Self::OnHook => "on_hook",
            Self::VisitorLeft => "visitor_left",
            Self::LineBroken => "line_broken",
            Self::Short => "short",
            Self::Open => "open",
            Self::OffHook => "off_hook",
        }
    }
}

/// A verdict of the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PanelEvent {
    /// The last key was pressed.
    Dialled {
        /// Apartment.
        apartment: u16,
    },
    /// The panel was busy and ignored the keys.
    DialIgnored {
        /// Apartment.
        apartment: u16,
    },
    /// The pair is fed.
    Selected,
    /// The handset was found; ringing begins.
    Ringing,
    /// A burst begins.
    RingBurst,
    /// Off-hook was seen.
    Answered,
    /// The talk lasted too long.
    TalkLimit,
    /// The door button was seen.
    DoorButtonSeen,
    /// The lock opened.
    LockOpened,
    /// The lock closed.
    LockClosed,
    /// The call ended.
    CallDropped {
        /// Why.
        why: DropCause,
    },
    /// The panel shows Err.
    LineError {
        /// Why.
        why: DropCause,
    },
    /// End tone.
    EndTone,
    /// At rest, the line is quiet.
    Idle,
    /// The simulator's own verdict: the gateway loads a pair that is not the called one.
    WrongPairLoaded,
}

impl PanelEvent {
    /// Stable lower-case name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Dialled { .. } => "dialled",
            Self::DialIgnored { .. } => "dial_ignored",
            Self::Selected => "selected",
            Self::Ringing => "ringing",
            Self::RingBurst => "ring_burst",
            Self::Answered => "answered",
            Self::TalkLimit => "talk_limit",
            Self::DoorButtonSeen => "door_button_seen",
            Self::LockOpened => "lock_opened",
            Self::LockClosed => "lock_closed",
            Self::CallDropped { .. } => "call_dropped",
            Self::LineError { .. } => "line_error",
            Self::EndTone => "end_tone",
            Self::Idle => "idle",
            Self::WrongPairLoaded => "wrong_pair_loaded",
        }
    }
}

/// An event and when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// Time since the simulation began.
    pub t: Duration,
    /// What happened.
    pub event: PanelEvent,
}

/// A line without load for this long while ringing is no handset any more.
const RING_OPEN_MS: u64 = 1000;
/// A short for this long ends anything.
const SHORT_MS: u64 = 200;
/// The button must be released for this long before it counts again.
const BUTTON_REST_MS: u64 = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    #[default]
    Short,
    OnHook,
    OffHook,
    Open,
}

/// The panel of one pair.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) spec: PanelSpec,
    state: PanelState,
    since_ms: u64,
    now_ms: u64,
    apartment: u16,
    level: Level,
    level_ms: u64,
    burst: bool,
    rang: bool,
    button_ms: u64,
    button_spent: bool,
    lock_until_ms: Option<u64>,
    tone_until_ms: u64,
    poll_until_ms: u64,
    events: VecDeque<Stamped>,
}

impl Panel {
    pub(crate) fn new(spec: PanelSpec) -> Self {
        Self {
            spec,
            state: PanelState::Idle,
            since_ms: 0,
            now_ms: 0,
            apartment: 0,
            level: Level::Short,
            level_ms: 0,
            burst: false,
            rang: false,
            button_ms: 0,
            button_spent: false,
            lock_until_ms: None,
            tone_until_ms: 0,
            poll_until_ms: 0,
            events: VecDeque::new(),
        }
    }

    pub(crate) const fn state(&self) -> PanelState {
        self.state
    }

    /// The apartment that was dialled last.
    pub(crate) const fn apartment(&self) -> u16 {
        self.apartment
    }

    pub(crate) const fn lock_open(&self) -> bool {
        self.lock_until_ms.is_some()
    }

    pub(crate) fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front()
    }

    /// The visitor presses the keys of an apartment.
    pub(crate) fn dial(&mut self, apartment: u16) {
        if self.state == PanelState::Idle {
            self.apartment = apartment;
            self.rang = false;
            self.enter(PanelState::Dialling);
        } else {
            self.emit(PanelEvent::DialIgnored { apartment });
        }
    }

    /// The visitor presses the reset key.
    pub(crate) fn visitor_leaves(&mut self) {
        match self.state {
            PanelState::Dialling => {
                self.emit(PanelEvent::CallDropped {
                    why: DropCause::VisitorLeft,
                });
                self.enter(PanelState::Idle);
                self.emit(PanelEvent::Idle);
            }
            PanelState::Checking | PanelState::Ringing | PanelState::Talking => {
                self.drop_call(DropCause::VisitorLeft, false);
            }
            PanelState::Idle | PanelState::Ending | PanelState::Residual => {}
        }
    }

    /// A concierge console feeds the pair for a moment to find a lifted handset.
    pub(crate) fn poll_pulse(&mut self, ms: u64) {
        if self.state == PanelState::Idle {
            self.poll_until_ms = self.now_ms + ms;
        }
    }

    /// What the panel does to its wires during the coming block.
    pub(crate) fn audio(&self) -> PanelAudio {
        let mut audio = PanelAudio {
            fed: true,
            ..PanelAudio::default()
        };
        let tone = self.now_ms < self.tone_until_ms;
        match self.state {
            PanelState::Idle | PanelState::Dialling => audio.fed = self.now_ms < self.poll_until_ms,
            PanelState::Checking => {}
            PanelState::Ringing => {
                audio.ring = self.burst;
                audio.ring_back = self.burst;
            }
            PanelState::Talking => {
                audio.talk = true;
                audio.tone_hz = tone.then_some(self.spec.door.tone_hz.value);
            }
            PanelState::Ending => audio.tone_hz = Some(self.spec.end.tone_hz.value),
            PanelState::Residual => {
                // It stays for a while and then dies away; a pair that never rang has none.
                let whole = self.spec.end.residual_ms.value.max(1) as f32;
                let left = 1.0 - self.age() as f32 / whole;
                audio.fed = self.rang;
                audio.residual = if self.rang {
                    (left * 2.5).clamp(0.0, 1.0)
                } else {
                    0.0
                };
            }
        }
        audio
    }

    /// The block is over; `volts` is the mean fed level at the panel's terminals.
    pub(crate) fn block_done(&mut self, volts: f32) {
        self.now_ms += BLOCK_MS;
        self.measure(volts);
        if self.lock_until_ms.is_some_and(|until| self.now_ms >= until) {
            self.lock_until_ms = None;
            self.emit(PanelEvent::LockClosed);
        }
        match self.state {
            PanelState::Idle => {}
            PanelState::Dialling => {
                let digits = u64::from(self.apartment.checked_ilog10().unwrap_or(0)) + 1;
                if self.age() >= digits * self.spec.dial.digit_ms.value {
                    self.emit(PanelEvent::Dialled {
                        apartment: self.apartment,
                    });
                    self.emit(PanelEvent::Selected);
                    self.enter(PanelState::Checking);
                }
            }
            PanelState::Checking => self.check(),
            PanelState::Ringing => self.ring(),
            PanelState::Talking => self.talk(),
            PanelState::Ending => {
                if self.age() >= self.spec.end.tone_ms.value {
                    self.enter(PanelState::Residual);
                }
            }
            PanelState::Residual => {
                if self.age() >= self.spec.end.residual_ms.value {
                    self.enter(PanelState::Idle);
                    self.emit(PanelEvent::Idle);
                }
            }
        }
    }

    const fn age(&self) -> u64 {
        self.now_ms - self.since_ms
    }

    fn enter(&mut self, state: PanelState) {
        self.state = state;
        self.since_ms = self.now_ms;
        self.level_ms = 0;
        self.burst = false;
    }

    fn emit(&mut self, event: PanelEvent) {
        self.events.push_back(Stamped {
            t: Duration::from_millis(self.now_ms),
            event,
        });
    }

    fn measure(&mut self, volts: f32) {
        let b = &self.spec.bands;
        let level = if volts <= b.short_max_volts.value {
            Level::Short
        } else if volts <= b.on_hook_max_volts.value {
            Level::OnHook
        } else if volts <= b.off_hook_max_volts.value {
            Level::OffHook
        } else {
            Level::Open
        };
        if level == self.level {
            self.level_ms += BLOCK_MS;
        } else {
            self.level = level;
            self.level_ms = BLOCK_MS;
        }
    }

    fn seen(&self, level: Level, ms: u64) -> bool {
        self.level == level && self.level_ms >= ms
    }

    fn check(&mut self) {
        if self.age() < self.spec.dial.check_ms.value {
            return;
        }
        let why = match self.level {
            Level::OnHook => {
                self.enter(PanelState::Ringing);
                self.emit(PanelEvent::Ringing);
                self.start_burst();
                return;
            }
            Level::Short => DropCause::Short,
            Level::OffHook => DropCause::OffHook,
            Level::Open => DropCause::Open,
        };
        self.fail(why);
    }

    fn fail(&mut self, why: DropCause) {
        self.emit(PanelEvent::LineError { why });
        self.enter(PanelState::Residual);
    }

    fn start_burst(&mut self) {
        self.burst = true;
        self.rang = true;
        self.emit(PanelEvent::RingBurst);
    }

    fn ring(&mut self) {
        let ring = &self.spec.ring;
        let period = (ring.burst_ms.value + ring.pause_ms.value).max(1);
        let burst = self.age() % period < ring.burst_ms.value;
        let looks = !self.burst || ring.hook_seen_in_bursts.value;
        if !looks {
            // A blind panel forgets what it had begun to see.
            self.level_ms = 0;
        }
        if self.seen(Level::OffHook, self.spec.hook.off_ms.value) {
            self.emit(PanelEvent::Answered);
            self.enter(PanelState::Talking);
            self.button_ms = 0;
            self.button_spent = false;
        } else if self.seen(Level::Short, SHORT_MS) {
            self.fail(DropCause::Short);
        } else if self.seen(Level::Open, RING_OPEN_MS) {
            self.fail(DropCause::Open);
        } else if self.age() >= self.spec.ring.limit_ms.value {
            self.drop_call(DropCause::NoAnswer, true);
        } else if burst && !self.burst {
            self.start_burst();
        } else {
            self.burst = burst;
        }
    }

    fn talk(&mut self) {
        if self.seen(Level::OnHook, self.spec.hook.on_ms.value) {
            self.drop_call(DropCause::OnHook, false);
            return;
        }
        if self.seen(Level::Short, SHORT_MS) {
            self.drop_call(DropCause::Short, false);
            return;
        }
        if self.seen(Level::Open, self.spec.door.max_ms.value) {
            self.drop_call(DropCause::LineBroken, true);
            return;
        }
        if self.age() >= self.spec.talk.limit_ms.value {
            self.emit(PanelEvent::TalkLimit);
            self.emit(PanelEvent::EndTone);
            self.enter(PanelState::Ending);
            return;
        }
        self.watch_button();
    }

    fn watch_button(&mut self) {
        let door = &self.spec.door;
        let sounding = self.now_ms < self.tone_until_ms;
        let blind = self.age() < door.arm_ms.value || (door.blind_while_sounding.value && sounding);
        if self.level != Level::Open {
            self.button_ms = 0;
            if self.level_ms >= BUTTON_REST_MS {
                self.button_spent = false;
            }
            return;
        }
        if blind || self.button_spent {
            return;
        }
        self.button_ms += BLOCK_MS;
        if self.button_ms >= door.min_ms.value {
            self.button_spent = true;
            let (lock_ms, tone_ms) = (door.lock_ms.value, door.tone_ms.value);
            self.emit(PanelEvent::DoorButtonSeen);
            if self.lock_until_ms.is_none() {
                self.emit(PanelEvent::LockOpened);
            }
            self.lock_until_ms = Some(self.now_ms + lock_ms);
            self.tone_until_ms = self.now_ms + tone_ms;
        }
    }

    fn drop_call(&mut self, why: DropCause, tone: bool) {
        self.emit(PanelEvent::CallDropped { why });
        if tone {
            self.emit(PanelEvent::EndTone);
            self.enter(PanelState::Ending);
        } else {
            self.enter(PanelState::Residual);
        }
    }
}
