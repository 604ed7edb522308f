//! A panel that counts out addresses on two wires (line-facts 3), the handset that knows its own
//! address, and the capture of the pulses.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use line_interface::pulse::{CAPTURE_BYTES, CAPTURE_HZ};
use line_interface::{
    AddressSense, BLOCK_MS, BLOCK_SAMPLES, Drive, DriveBlock, LineKind, Load, PulseBurst,
    SAMPLE_RATE_HZ, SenseBlock,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::acoustics::{Acoustics, SINK_AMPS};
use crate::circuit::{Circuit, Feed, Wiring};
use crate::handset::{HandsetLoad, OldHandset};
use crate::model::LineModel;
use crate::panel::{DropCause, Oscillator, PanelAudio, PanelEvent, PanelSpec, PanelState, Stamped};
use crate::script::{Action, Runner, Script};
use crate::setup::{Fault, SetupError};

/// The line while it is fed (BOR, LUC), behind the resistance of the source model.
const FED_VOLTS: f32 = 10.8;
const SOURCE_OHMS: f32 = 250.0;
const LOW_VOLTS: f32 = 0.2;
/// At rest (LUC, BOR).
const REST_VOLTS: f32 = 6.4;
const RESET_MS: u64 = 200;
/// The capture is armed so long before the end of the reset.
const ARMED_MS: u64 = 50;
/// The whole transfer.
const TRANSFER_MS: u64 = CAPTURE_BYTES as u64 * 8 / (CAPTURE_HZ as u64 / 1000);
/// From the rise after the reset to the ring (DAW, BOR).
const RING_AFTER_MS: u64 = 60;
const BURST_MS: u64 = 900;
const PAUSE_MS: u64 = 2000;
/// The panel gives up after this, unless the set-up says otherwise.
const RING_LIMIT_MS: u64 = 30_000;
/// Off-hook below this (Rubetek), on-hook below that.
const OFF_HOOK_VOLTS: f32 = 6.6;
const ON_HOOK_VOLTS: f32 = 4.0;
/// The door: this long without load.
const DOOR_MS: u64 = 250;
const HOOK_MS: u64 = 100;
const TONE_MS: u64 = 400;
const RING_HZ: f32 = 1000.0;
const WRONG_CODE_HZ: f32 = 1890.0;
const OPENED_HZ: f32 = 2360.0;

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

/// How a pulse panel signals. The default is what captures show (line-facts 3).
#[derive(Debug, Clone, PartialEq)]
pub struct PulseSignals {
    /// The line while it is fed, behind 250 Ohm.
    pub fed_volts: f32,
    /// A low.
    pub low_volts: f32,
    /// At rest.
    pub rest_volts: f32,
    /// A reset, in whole blocks of 10 ms, above 50.
    pub reset_ms: u64,
    /// From the reset to the first pulse.
    pub first_us: (u64, u64),
    /// Width of a pulse.
    pub pulse_us: (u64, u64),
    /// From the begin of a pulse to that of the next.
    pub every_us: (u64, u64),
    /// Width of the glitches before some pulses.
    pub glitch_us: (u64, u64),
    /// Ring.
    pub ring_hz: f32,
    /// Played when the door opens.
    pub opened_hz: f32,
}

impl Default for PulseSignals {
    fn default() -> Self {
        Self {
            fed_volts: FED_VOLTS,
            low_volts: LOW_VOLTS,
            rest_volts: REST_VOLTS,
            reset_ms: RESET_MS,
            first_us: (2100, 2300),
            pulse_us: (20, 24),
            every_us: (88, 111),
            glitch_us: (1, 2),
            ring_hz: RING_HZ,
            opened_hz: OPENED_HZ,
        }
    }
}

/// Everything that stays fixed.
#[derive(Debug, Clone)]
pub struct PulseSetup {
    /// Signals of the panel.
    pub signals: PulseSignals,
    /// Sound, talk limit and lock of the panel.
    pub panel: PanelSpec,
    /// Addresses at which somebody answers; others get the wrong-code tone.
    pub known: Vec<u16>,
    /// Addresses of the handset behind the gateway's relay; empty where there is none.
    pub handset_at: Vec<u16>,
    /// That handset. Uncalled it does not load the wire; called it is like one of a pair.
    pub handset: OldHandset,
    /// The panel gives up ringing after this, milliseconds.
    pub ring_limit_ms: u64,
    /// Resistance of the cable.
    pub cable_ohms: f32,
    /// Peak of the noise.
    pub noise_volts: f32,
    /// Seed of pulses and noise.
    pub seed: [u8; 32],
}

impl PulseSetup {
    /// A brand's panel with everybody from 1 to 255 at home and no handset behind our relay.
    ///
    /// # Errors
    /// [`SetupError::UnknownBrand`].
    pub fn brand(name: &str) -> Result<Self, SetupError> {
        Ok(Self {
            signals: PulseSignals::default(),
            panel: PanelSpec::builtin(name)
                .ok_or_else(|| SetupError::UnknownBrand(name.to_owned()))?,
            known: (1..=255).collect(),
            handset_at: Vec::new(),
            handset: OldHandset::default(),
            ring_limit_ms: RING_LIMIT_MS,
            cable_ohms: 10.0,
            noise_volts: 0.01,
            seed: [0; 32],
        })
    }
}

/// Panel, wires, handset and our card.
#[derive(Debug)]
pub struct PulseSimulation {
    setup: PulseSetup,
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
    circuit: Circuit,
    acoustics: Acoustics,
    runner: Runner,
    faults: Vec<Fault>,
    lifted: bool,
    button: bool,
    button_until_ms: Option<u64>,
    click: bool,
    /// Edges of the wire since the reset rose, in microseconds, and when the transfer is done.
    edges: Vec<u64>,
    capture_due_ms: Option<u64>,
    recorded: Vec<Vec<f32>>,
    events: VecDeque<Stamped>,
}

impl PulseSimulation {
    /// At rest.
    ///
    /// # Errors
    /// [`SetupError`] for a panel that makes no sense.
    pub fn new(setup: PulseSetup) -> Result<Self, SetupError> {
        setup.panel.check().map_err(SetupError::Panel)?;
        Ok(Self {
            state: State::Rest,
            since_ms: 0,
            now_ms: 0,
            address: 0,
            level_ms: (0, 0, 0),
            tone_until_ms: 0,
            lock_until_ms: None,
            button_spent: false,
            rng: ChaCha12Rng::from_seed(setup.seed),
            wave: Oscillator::default(),
            circuit: Circuit::default(),
            acoustics: Acoustics::new(&setup.panel, SOURCE_OHMS, setup.cable_ohms),
            runner: Runner::new(Script::default()),
            faults: Vec::new(),
            lifted: false,
            button: false,
            button_until_ms: None,
            click: false,
            edges: Vec::new(),
            capture_due_ms: None,
            recorded: Vec::new(),
            events: VecDeque::new(),
            setup,
        })
    }

    /// The same with a script.
    #[must_use]
    pub fn with_script(mut self, script: Script) -> Self {
        self.runner = Runner::new(script);
        self
    }

    /// The visitor dials; ignored unless the panel rests.
    pub fn dial(&mut self, address: u16) {
        if self.state == State::Rest {
            self.address = address;
            self.emit(PanelEvent::Dialled { apartment: address });
            self.enter(State::Reset);
        } else {
            self.emit(PanelEvent::DialIgnored { apartment: address });
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

    /// Advances by 10 ms with what the card drives.
    pub fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        self.run_script();
        let powered = !self.has(Fault::CardPowerOff);
        let command = if powered { drive.drive } else { Drive::SAFE };
        let wiring = Wiring {
            cable_ohms: self.setup.cable_ohms,
            cable_farads: 10e-9,
            reversed: self.has(Fault::Reversed),
            riser_open: self.has(Fault::RiserOpen),
            riser_short: self.has(Fault::RiserShort),
            handset_short: self.has(Fault::Short),
        };
        let handset = self.handset();
        let audio = self.audio();
        let click = std::mem::take(&mut self.click);
        let (mut level, mut count) = (0.0, 0.0_f32);
        for i in 0..BLOCK_SAMPLES {
            let out = drive.audio.get(i).copied().unwrap_or(0);
            let ours = if command.load == Load::OffHook {
                f32::from(out) / 32768.0
            } else {
                0.0
            };
            let emf = self.emf();
            let fed = emf > 5.0;
            let own = self.acoustics.speak(&audio);
            let resident = self.acoustics.resident_amps();
            let mut noise = self.even() * self.setup.noise_volts;
            if click && i < 16 {
                noise += self.even() * 8.0;
            }
            let feed = Feed {
                volts: emf + own,
                ohms: SOURCE_OHMS,
                noise_volts: noise,
            };
            let sink = ours * SINK_AMPS;
            let s = self
                .circuit
                .solve(&wiring, feed, command, handset, sink, resident);
            if fed {
                level += s.panel_volts;
                count += 1.0;
            }
            self.acoustics.listen(&audio, s.panel_volts);
            let heard = self.acoustics.codec(s.line_volts, ours);
            let put = |to: &mut [f32; BLOCK_SAMPLES], v: f32| {
                if let Some(slot) = to.get_mut(i) {
                    *slot = v;
                }
            };
            put(&mut sense.line_volts, s.line_volts);
            put(&mut sense.line_milliamps, s.milliamps);
            put(&mut sense.handset_volts, s.handset_volts);
            if let Some(slot) = sense.audio.get_mut(i) {
                *slot = heard;
            }
        }
        self.write_record(&sense.line_volts);
        self.now_ms += BLOCK_MS;
        sense.address = AddressSense::None;
        sense.applied = Some(command);
        if self.capture_due_ms.is_some_and(|due| self.now_ms >= due) {
            self.capture_due_ms = None;
            sense.address = AddressSense::Pulses(self.captured());
        }
        self.decide(if count > 0.0 { level / count } else { 0.0 });
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// An even number from -1 to 1.
    fn even(&mut self) -> f32 {
        self.rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0
    }

    /// The handset behind our relay, once its address was counted out.
    fn handset(&self) -> HandsetLoad {
        let called = !matches!(self.state, State::Rest | State::Reset | State::Address)
            && self.setup.handset_at.contains(&self.address);
        if called && !self.has(Fault::Open) {
            let lifted = self.lifted || self.has(Fault::Stuck);
            self.setup.handset.load(lifted, self.button)
        } else {
            HandsetLoad::None
        }
    }

    /// What the panel puts into its loudspeaker and on top of its feed.
    fn audio(&self) -> PanelAudio {
        PanelAudio {
            fed: true,
            talk: self.state == State::Talking && self.now_ms >= self.tone_until_ms,
            ring_back: self.state == State::Ringing && self.bursting(),
            ..PanelAudio::default()
        }
    }

    fn bursting(&self) -> bool {
        (self.now_ms - self.since_ms) % (BURST_MS + PAUSE_MS) < BURST_MS
    }

    fn emf(&mut self) -> f32 {
        let PulseSignals {
            fed_volts,
            low_volts,
            rest_volts,
            ring_hz,
            opened_hz,
            ..
        } = self.setup.signals;
        let mut square = |hz| {
            if self.wave.square(hz) {
                fed_volts
            } else {
                low_volts
            }
        };
        match self.state {
            State::Rest => rest_volts,
            State::Reset | State::Ending => low_volts,
            // The pulses are too short for 8 kHz: only the capture shows them.
            State::Address => fed_volts,
            State::Ringing if (self.now_ms - self.since_ms) % (BURST_MS + PAUSE_MS) < BURST_MS => {
                square(ring_hz)
            }
            State::WrongCode => square(WRONG_CODE_HZ),
            State::Talking if self.now_ms < self.tone_until_ms => square(opened_hz),
            State::Ringing | State::Talking => fed_volts,
        }
    }

    fn decide(&mut self, level: f32) {
        let age = self.now_ms - self.since_ms;
        let sounding = self.now_ms < self.tone_until_ms;
        let held = |ms: u64, hit: bool| if hit { ms + BLOCK_MS } else { 0 };
        // A panel knows its own feed.
        let level = level * FED_VOLTS / self.setup.signals.fed_volts;
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
            State::Reset if age >= self.setup.signals.reset_ms => {
                self.edges = self.count_out(self.address);
                self.capture_due_ms = Some(self.now_ms + TRANSFER_MS - ARMED_MS);
                self.emit(PanelEvent::Selected);
                self.enter(State::Address);
            }
            State::Address if age >= RING_AFTER_MS => {
                if self.setup.known.contains(&self.address) {
                    self.enter(State::Ringing);
                    self.emit(PanelEvent::Ringing);
                    self.emit(PanelEvent::RingBurst);
                } else {
                    self.enter(State::WrongCode);
                }
            }
            State::WrongCode if age >= 800 => self.enter(State::Ending),
            State::Ringing if off >= HOOK_MS => {
                self.emit(PanelEvent::Answered);
                self.enter(State::Talking);
            }
            State::Ringing if age >= self.setup.ring_limit_ms => {
                self.drop_call(DropCause::NoAnswer);
            }
            State::Ringing if age.is_multiple_of(BURST_MS + PAUSE_MS) => {
                self.emit(PanelEvent::RingBurst)
            }
            State::Talking if on >= HOOK_MS => self.drop_call(DropCause::OnHook),
            State::Talking if age >= self.setup.panel.talk.limit_ms.value => {
                self.emit(PanelEvent::TalkLimit);
                self.enter(State::Ending);
            }
            State::Talking if open >= DOOR_MS && !self.button_spent => {
                self.button_spent = true;
                self.emit(PanelEvent::DoorButtonSeen);
                if self.lock_until_ms.is_none() {
                    self.emit(PanelEvent::LockOpened);
                }
                self.lock_until_ms = Some(self.now_ms + self.setup.panel.door.lock_ms.value);
                self.tone_until_ms = self.now_ms + TONE_MS;
            }
            State::Talking if off > 0 => self.button_spent = false,
            State::Ending if age >= self.setup.signals.reset_ms => {
                // The capture sees this reset too; no pulse follows it.
                self.edges = self.count_out(0);
                self.capture_due_ms = Some(self.now_ms + TRANSFER_MS - ARMED_MS);
                self.enter(State::Rest);
                self.emit(PanelEvent::Idle);
            }
            _ => {}
        }
    }

    fn drop_call(&mut self, why: DropCause) {
        self.acoustics.visitor.clear();
        self.emit(PanelEvent::CallDropped { why });
        self.enter(State::Ending);
    }

    /// Edges of the wire after the reset, in microseconds since it rose, with the spread that
    /// captures show: pulses of 20 to 24 us every 88 to 111 us, and glitches of up to 2 us.
    fn count_out(&mut self, address: u16) -> Vec<u64> {
        let mut edges = vec![0];
        let PulseSignals {
            first_us,
            pulse_us,
            every_us,
            glitch_us,
            ring_hz,
            ..
        } = self.setup.signals;
        let mut at = self.between(first_us.0, first_us.1);
        for _ in 0..address {
            if self.between(0, 5) == 0 {
                let glitch = at - self.between(20, 40);
                edges.extend([glitch, glitch + self.between(glitch_us.0, glitch_us.1)]);
            }
            let low = self.between(pulse_us.0, pulse_us.1);
            edges.extend([at, at + low]);
            at += self.between(every_us.0, every_us.1);
        }
        if address > 0 && self.setup.known.contains(&address) {
            // The ring begins within the transfer.
            let half = 500_000 / ring_hz as u64;
            edges.extend((1..).map(|n| RING_AFTER_MS * 1000 + n * half).take(200));
        }
        edges
    }

    /// What the SPI controller has clocked in.
    fn captured(&self) -> PulseBurst {
        let mut bits = vec![0_u8; CAPTURE_BYTES];
        let mut edges = self.edges.iter().peekable();
        let mut high = false;
        for (i, byte) in bits.iter_mut().enumerate() {
            for bit in 0..8 {
                let at = i as u64 * 8 + bit;
                while edges
                    .next_if(|edge| **edge + ARMED_MS * 1000 <= at)
                    .is_some()
                {
                    high = !high;
                }
                if high {
                    *byte |= 0x80 >> bit;
                }
            }
        }
        PulseBurst {
            low_us: ((self.setup.signals.reset_ms - ARMED_MS) * 1000) as u32,
            bits,
        }
    }

    /// The recorder runs at [`CAPTURE_HZ`] / 5, so that it shows the pulses too.
    fn write_record(&mut self, volts: &[f32; BLOCK_SAMPLES]) {
        let rise_ms = self.since_ms;
        let counting = self.state == State::Address;
        let low_volts = self.setup.signals.low_volts;
        let Some(record) = self.recorded.first_mut() else {
            return;
        };
        let each = (RECORDED_HZ / SAMPLE_RATE_HZ) as usize;
        for (i, slot) in record.iter_mut().enumerate() {
            let at_us =
                (self.now_ms - rise_ms) * 1000 + i as u64 * 1_000_000 / u64::from(RECORDED_HZ);
            let passed = self.edges.partition_point(|edge| *edge <= at_us);
            let low = counting && passed % 2 == 0;
            *slot = if low {
                low_volts
            } else {
                volts.get(i / each).copied().unwrap_or(0.0)
            };
        }
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
        let stamped = Stamped {
            t: self.now(),
            event,
        };
        self.runner.note(&stamped);
        self.events.push_back(stamped);
    }

    fn run_script(&mut self) {
        if self
            .button_until_ms
            .is_some_and(|until| self.now_ms >= until)
        {
            self.button = false;
            self.button_until_ms = None;
        }
        while let Some(action) = self.runner.due(self.now(), self.panel_state()) {
            self.act(&action);
        }
    }
}

/// Rate of the recorder: five microseconds, a quarter of a pulse.
const RECORDED_HZ: u32 = 200_000;

impl LineModel for PulseSimulation {
    fn kind(&self) -> LineKind {
        LineKind::Pulse
    }
    fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        Self::step(self, drive, sense);
    }
    fn now(&self) -> Duration {
        Self::now(self)
    }
    fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front()
    }
    fn heard_by_visitor(&mut self) -> Vec<i16> {
        self.acoustics.heard()
    }
    fn finished(&self) -> bool {
        self.runner.finished() && self.state == State::Rest && self.lock_until_ms.is_none()
    }
    fn panel_state(&self) -> PanelState {
        match self.state {
            State::Rest => PanelState::Idle,
            State::Reset => PanelState::Dialling,
            State::Address => PanelState::Checking,
            State::Ringing => PanelState::Ringing,
            State::Talking => PanelState::Talking,
            State::WrongCode | State::Ending => PanelState::Ending,
        }
    }
    fn dialled(&self) -> u16 {
        self.address
    }
    fn lock_open(&self) -> bool {
        self.lock_until_ms.is_some()
    }
    fn restart_script(&mut self) {
        self.runner.restart(Self::now(self));
    }
    fn begin_script(&mut self, script: Script) {
        self.runner.begin(script, Self::now(self));
    }
    fn act(&mut self, action: &Action) {
        match action {
            Action::Dial(address) => self.dial(*address),
            Action::Say(samples) => self.acoustics.visitor.say(Arc::clone(samples)),
            Action::ResidentSay(samples) => self.acoustics.resident.say(Arc::clone(samples)),
            Action::Leave => match self.state {
                State::Ringing | State::Talking => self.drop_call(DropCause::VisitorLeft),
                State::WrongCode => self.enter(State::Ending),
                State::Rest | State::Reset | State::Address | State::Ending => {}
            },
            Action::Lift => self.lifted = true,
            Action::Replace => {
                self.lifted = false;
                self.acoustics.resident.clear();
            }
            Action::Press(duration) => {
                self.button = true;
                self.button_until_ms = Some(self.now_ms + duration.as_millis() as u64);
            }
            Action::Fault(fault) => {
                if !self.has(*fault) {
                    self.faults.push(*fault);
                }
            }
            Action::Clear => self.faults.clear(),
            Action::Click => self.click = true,
            // A console polls coordinate lines only.
            Action::Poll(_) => {}
        }
    }
    fn press_handset_button(&mut self, pressed: bool) {
        self.button = pressed;
        self.button_until_ms = None;
    }
    fn record(&mut self) {
        self.recorded = vec![vec![
            0.0;
            BLOCK_SAMPLES * (RECORDED_HZ / SAMPLE_RATE_HZ) as usize
        ]];
    }
    fn recorded(&self) -> &[Vec<f32>] {
        &self.recorded
    }
    fn recorded_channels(&self) -> Vec<String> {
        vec!["line".to_owned()]
    }
    fn recorded_hz(&self) -> u32 {
        RECORDED_HZ
    }
}

const _: () = assert!(SAMPLE_RATE_HZ == 8000);
