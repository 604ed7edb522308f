//! A panel that counts out addresses on two wires (line-facts 3), and the capture of its pulses.

use std::collections::VecDeque;
use std::time::Duration;

use line_interface::pulse::{CAPTURE_BYTES, CAPTURE_HZ};
use line_interface::{BLOCK_MS, BLOCK_SAMPLES, Drive, Load, SAMPLE_RATE_HZ, SenseBlock};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::circuit::diode_branch;
use crate::panel::{DropCause, Oscillator, PanelEvent, Stamped};

/// The line while it is fed (BOR, LUC), behind the resistance of the source model.
const FED_VOLTS: f32 = 10.8;
const SOURCE_OHMS: f32 = 250.0;
const LOW_VOLTS: f32 = 0.2;
/// At rest (LUC, BOR).
const REST_VOLTS: f32 = 6.4;
const RESET_MS: u64 = 200;
/// From the rise after the reset to the ring (DAW, BOR).
const RING_AFTER_MS: u64 = 60;
const BURST_MS: u64 = 900;
const PAUSE_MS: u64 = 2000;
const RING_LIMIT_MS: u64 = 30_000;
const TALK_LIMIT_MS: u64 = 40_000;
/// Off-hook below this (Rubetek), on-hook below that.
const OFF_HOOK_VOLTS: f32 = 6.6;
const ON_HOOK_VOLTS: f32 = 4.0;
/// The door: this long without load.
const DOOR_MS: u64 = 250;
const HOOK_MS: u64 = 100;
const LOCK_MS: u64 = 5000;
const TONE_MS: u64 = 400;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Rest,
    Reset,
    Address,
    Ringing,
    WrongCode,
    Talking,
    /// The second low that ends a selection.
    Ending,
}

/// Panel, wires and our load.
pub struct PulseSimulation {
    /// Addresses at which somebody answers; others get the wrong-code tone.
    known: Vec<u16>,
    state: State,
    since_ms: u64,
    now_ms: u64,
    address: u16,
    level_ms: (u64, u64, u64),
    tone_until_ms: u64,
    lock_until_ms: Option<u64>,
    button_spent: bool,
    rng: ChaCha12Rng,
    wave: Oscillator,
    pulses: Option<Vec<u8>>,
    events: VecDeque<Stamped>,
}

impl PulseSimulation {
    /// At rest. `known` are the addresses that exist on this line.
    #[must_use]
    pub fn new(known: Vec<u16>, seed: [u8; 32]) -> Self {
        Self {
            known,
            state: State::Rest,
            since_ms: 0,
            now_ms: 0,
            address: 0,
            level_ms: (0, 0, 0),
            tone_until_ms: 0,
            lock_until_ms: None,
            button_spent: false,
            rng: ChaCha12Rng::from_seed(seed),
            wave: Oscillator::default(),
            pulses: None,
            events: VecDeque::new(),
        }
    }

    /// The visitor dials; ignored unless the panel rests.
    pub fn dial(&mut self, address: u16) {
        if self.state == State::Rest {
            self.address = address;
            self.emit(PanelEvent::Dialled { apartment: address });
            self.enter(State::Reset);
        }
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms)
    }

    /// The panel's next verdict.
    pub fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front()
    }

    /// What the capture clocked in over reset and address, once it is complete: bits of 1 us, of
    /// which the first is 50 ms before the end of the reset.
    pub fn take_capture(&mut self) -> Option<Vec<u8>> {
        self.pulses.take()
    }

    /// Milliseconds of the reset that the capture holds.
    #[must_use]
    pub const fn captured_reset_ms() -> u64 {
        50
    }

    /// Advances by 10 ms with our drive.
    pub fn step(&mut self, drive: Drive, sense: &mut SenseBlock) {
        let (mut level, mut count) = (0.0, 0.0_f32);
        for i in 0..BLOCK_SAMPLES {
            let emf = self.emf();
            let volts = loaded(emf, drive.load);
            if emf > 5.0 {
                level += volts;
                count += 1.0;
            }
            if let Some(slot) = sense.line_volts.get_mut(i) {
                *slot = volts;
            }
            if let Some(slot) = sense.line_milliamps.get_mut(i) {
                *slot = (emf - volts) / SOURCE_OHMS * 1000.0;
            }
        }
        sense.handset_volts = sense.line_volts;
        self.now_ms += BLOCK_MS;
        self.decide(if count > 0.0 { level / count } else { 0.0 });
    }

    fn emf(&mut self) -> f32 {
        let age = self.now_ms - self.since_ms;
        let square = |wave: &mut Oscillator, hz| {
            if wave.square(hz) {
                FED_VOLTS
            } else {
                LOW_VOLTS
            }
        };
        match self.state {
            State::Rest => REST_VOLTS,
            State::Reset | State::Ending => LOW_VOLTS,
            // The pulses are too short for 8 kHz: only the capture shows them.
            State::Address => FED_VOLTS,
            State::Ringing if age % (BURST_MS + PAUSE_MS) < BURST_MS => {
                square(&mut self.wave, 1000.0)
            }
            State::WrongCode => square(&mut self.wave, 1890.0),
            State::Talking if self.now_ms < self.tone_until_ms => square(&mut self.wave, 2360.0),
            State::Ringing | State::Talking => FED_VOLTS,
        }
    }

    fn decide(&mut self, level: f32) {
        let age = self.now_ms - self.since_ms;
        let sounding = self.now_ms < self.tone_until_ms;
        let held = |ms: u64, hit: bool| if hit { ms + BLOCK_MS } else { 0 };
        let (on, off, open) = self.level_ms;
        self.level_ms = (
            held(on, level > 0.0 && level < ON_HOOK_VOLTS),
            held(off, (ON_HOOK_VOLTS..OFF_HOOK_VOLTS).contains(&level)),
            held(open, level >= OFF_HOOK_VOLTS && !sounding),
        );
        let (on, off, open) = self.level_ms;
        if self.lock_until_ms.is_some_and(|until| self.now_ms >= until) {
            self.lock_until_ms = None;
            self.emit(PanelEvent::LockClosed);
        }
        match self.state {
            State::Rest => {}
            State::Reset if age >= RESET_MS => {
                self.pulses = Some(self.count_out());
                self.emit(PanelEvent::Selected);
                self.enter(State::Address);
            }
            State::Address if age >= RING_AFTER_MS => {
                if self.known.contains(&self.address) {
                    self.enter(State::Ringing);
                    self.emit(PanelEvent::Ringing);
                } else {
                    self.enter(State::WrongCode);
                }
            }
            State::WrongCode if age >= 800 => self.enter(State::Ending),
            State::Ringing if off >= HOOK_MS => {
                self.emit(PanelEvent::Answered);
                self.enter(State::Talking);
            }
            State::Ringing if age >= RING_LIMIT_MS => self.drop_call(DropCause::NoAnswer),
            State::Talking if on >= HOOK_MS => self.drop_call(DropCause::OnHook),
            State::Talking if age >= TALK_LIMIT_MS => {
                self.emit(PanelEvent::TalkLimit);
                self.enter(State::Ending);
            }
            State::Talking if open >= DOOR_MS && !self.button_spent => {
                self.button_spent = true;
                self.emit(PanelEvent::DoorButtonSeen);
                self.emit(PanelEvent::LockOpened);
                self.lock_until_ms = Some(self.now_ms + LOCK_MS);
                self.tone_until_ms = self.now_ms + TONE_MS;
            }
            State::Talking if off > 0 => self.button_spent = false,
            State::Ending if age >= RESET_MS => {
                self.enter(State::Rest);
                self.emit(PanelEvent::Idle);
            }
            _ => {}
        }
    }

    fn drop_call(&mut self, why: DropCause) {
        self.emit(PanelEvent::CallDropped { why });
        self.enter(State::Ending);
    }

    /// Bits of the wire with the spread that captures show: pulses of 20 to 24 us every 88 to
    /// 111 us, and glitches of up to 2 us.
    fn count_out(&mut self) -> Vec<u8> {
        let mut edges = vec![Self::captured_reset_ms() * 1000];
        let mut at = edges.first().copied().unwrap_or(0) + self.between(2100, 2300);
        for _ in 0..self.address {
            if self.between(0, 5) == 0 {
                let glitch = at - self.between(20, 40);
                edges.extend([glitch, glitch + self.between(1, 2)]);
            }
            let low = self.between(20, 24);
            edges.extend([at, at + low]);
            at += self.between(88, 111);
        }
        let mut bytes = vec![0_u8; CAPTURE_BYTES];
        let mut edges = edges.into_iter().peekable();
        let mut high = false;
        for (bit, t) in (0_u64..CAPTURE_BYTES as u64 * 8).enumerate() {
            while edges.next_if(|edge| *edge <= t).is_some() {
                high = !high;
            }
            if high && let Some(byte) = bytes.get_mut(bit / 8) {
                *byte |= 0x80 >> (bit % 8);
            }
        }
        debug_assert_eq!(CAPTURE_HZ, 1_000_000);
        bytes
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + u64::from(self.rng.next_u32()) % (high - low + 1)
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since_ms = self.now_ms;
        self.level_ms = (0, 0, 0);
        self.button_spent = false;
    }

    fn emit(&mut self, event: PanelEvent) {
        self.events.push_back(Stamped {
            t: self.now(),
            event,
        });
    }
}

/// The wire under our load: one node, Newton as in the pair's circuit.
fn loaded(emf: f32, load: Load) -> f32 {
    let ohms = match load {
        Load::Off => return emf,
        Load::OnHook => 50.0,
        Load::OffHook => 300.0,
        Load::Residue => 1e4,
    };
    let mut v = emf.min(6.0);
    for _ in 0..20 {
        let (i, slope) = diode_branch(v, ohms, 0.65);
        let step = ((v - emf) / SOURCE_OHMS + i) / (1.0 / SOURCE_OHMS + slope);
        v -= step;
        if step.abs() < 1e-4 {
            break;
        }
    }
    v
}

const _: () = assert!(SAMPLE_RATE_HZ == 8000);
