//! Panel, cable, handset and card put together, advanced 10 ms at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use line_interface::{
    AddressSense, BLOCK_MS, BLOCK_SAMPLES, Drive, DriveBlock, LineKind, Load, SAMPLE_RATE_HZ,
    SenseBlock,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::acoustics::{Acoustics, SINK_AMPS};
use crate::circuit::{Circuit, Feed, Wiring};
use crate::handset::HandsetLoad;
use crate::model::LineModel;
use crate::panel::{Oscillator, Panel, PanelAudio, PanelState, Rotor, Stamped};
use crate::script::{Action, Runner, Script};
use crate::setup::{Fault, Setup, SetupError};

/// Source resistance of a pair that is not selected: leakage only.
const UNFED_OHMS: f32 = 100_000.0;
/// Samples of noise, used from a random place in every block.
const NOISE_SAMPLES: usize = 8192;
/// Verdicts kept until they are drained.
const MAX_EVENTS: usize = 4096;
/// One pair with everything on it.
#[derive(Debug)]
pub struct Simulation {
    setup: Setup,
    panel: Panel,
    circuit: Circuit,
    runner: Runner,
    faults: Vec<Fault>,
    lifted: bool,
    button: bool,
    button_until: Option<Duration>,
    now: Duration,
    rng: ChaCha12Rng,
    noise: Box<[f32]>,
    click_blocks: u32,
    hum: Rotor,
    ring: Oscillator,
    acoustics: Acoustics,
    /// Volts and milliamps of the last block, while recording.
    recorded: Vec<Vec<f32>>,
    events: VecDeque<Stamped>,
}

impl Simulation {
    /// A line at rest.
    ///
    /// # Errors
    /// [`SetupError`] when a part is out of range.
    pub fn new(setup: Setup, script: Script) -> Result<Self, SetupError> {
        setup.check()?;
        let mut rng = ChaCha12Rng::from_seed(setup.seed);
        let noise = (0..NOISE_SAMPLES)
            .map(|_| (rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * setup.noise_volts)
            .collect();
        Ok(Self {
            panel: Panel::new(setup.panel.clone()),
            circuit: Circuit::default(),
            runner: Runner::new(script),
            faults: Vec::new(),
            lifted: false,
            button: false,
            button_until: None,
            now: Duration::ZERO,
            rng,
            noise,
            click_blocks: 0,
            hum: Rotor::new(setup.hum_hz),
            ring: Oscillator::default(),
            acoustics: Acoustics::new(
                &setup.panel,
                setup.panel.source.ohms.value,
                setup.cable_ohms,
            ),
            recorded: Vec::new(),
            events: VecDeque::new(),
            setup,
        })
    }

    /// Advances by 10 ms with what the card drives, and returns what the card reads.
    pub fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        self.run_script();
        let powered = !self.faults.contains(&Fault::CardPowerOff);
        let command = if powered { drive.drive } else { Drive::SAFE };
        let wiring = self.wiring();
        let handset = self.handset_load();
        let audio = self.panel.audio();
        let spec = self.setup.panel.figures();
        let source_ohms = if audio.fed { spec.ohms } else { UNFED_OHMS };
        self.hum.renew();
        let offset = self.rng.next_u32() as usize % (NOISE_SAMPLES - BLOCK_SAMPLES);
        let click = self.take_click();
        let (mut level, mut level_samples) = (0.0, 0.0_f32);
        for i in 0..BLOCK_SAMPLES {
            let out = drive.audio.get(i).copied().unwrap_or(0);
            let ours = if powered && command.load == Load::OffHook {
                f32::from(out) / 32768.0
            } else {
                0.0
            };
            let (dc, high) = self.direct(&audio, &spec);
            let own = self.acoustics.speak(&audio);
            let mut noise = self.noise.get(offset + i).copied().unwrap_or(0.0)
                + self.hum.next() * self.setup.hum_volts;
            if i < 16 {
                noise += click;
            }
            let voice = self.acoustics.resident_amps();
            let feed = Feed {
                volts: dc + own,
                ohms: source_ohms,
                noise_volts: noise,
            };
            let s = self
                .circuit
                .solve(&wiring, feed, command, handset, ours * SINK_AMPS, voice);
            if high {
                level += s.panel_volts;
                level_samples += 1.0;
            }
            self.acoustics.listen(&audio, s.panel_volts);
            let heard = self.acoustics.codec(s.line_volts, ours);
            put(&mut sense.line_volts, i, s.line_volts);
            put(&mut sense.line_milliamps, i, s.milliamps);
            put(&mut sense.handset_volts, i, s.handset_volts);
            put(&mut sense.audio, i, heard);
        }
        sense.address = AddressSense::None;
        sense.applied = Some(command);
        if let [volts, milliamps] = self.recorded.as_mut_slice() {
            volts.copy_from_slice(&sense.line_volts);
            milliamps.copy_from_slice(&sense.line_milliamps);
        }
        self.panel.block_done(if level_samples > 0.0 {
            level / level_samples
        } else {
            0.0
        });
        while let Some(event) = self.panel.poll_event() {
            self.runner.note(&event);
            if self.events.len() >= MAX_EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
        if self.panel.state() == PanelState::Residual {
            self.acoustics.visitor.clear();
        }
        self.now += Duration::from_millis(BLOCK_MS);
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// The panel's next verdict, oldest first.
    pub fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front()
    }

    /// What the panel's loudspeaker played since the last call, 8 kHz.
    pub fn heard_by_visitor(&mut self) -> impl Iterator<Item = i16> {
        self.acoustics.heard().into_iter()
    }

    /// The script has nothing left to do and the panel is at rest with its lock closed.
    #[must_use]
    pub fn finished(&self) -> bool {
        self.runner.finished() && self.panel.state() == PanelState::Idle && !self.panel.lock_open()
    }

    /// Where the panel stands.
    #[must_use]
    pub const fn panel_state(&self) -> PanelState {
        self.panel.state()
    }

    /// The lock is open.
    #[must_use]
    pub const fn lock_open(&self) -> bool {
        self.panel.lock_open()
    }

    /// Runs the script once more from its beginning.
    pub fn restart_script(&mut self) {
        self.runner.restart(self.now);
    }

    /// Does one action now.
    pub fn act(&mut self, action: &Action) {
        match action {
            Action::Dial(apartment) => self.panel.dial(*apartment),
            Action::Say(samples) => self.acoustics.visitor.say(Arc::clone(samples)),
            Action::ResidentSay(samples) => self.acoustics.resident.say(Arc::clone(samples)),
            Action::Leave => {
                self.acoustics.visitor.clear();
                self.panel.visitor_leaves();
            }
            Action::Lift => self.lifted = true,
            Action::Replace => {
                self.lifted = false;
                self.acoustics.resident.clear();
            }
            Action::Press(duration) => {
                self.button = true;
                self.button_until = Some(self.now + *duration);
            }
            Action::Fault(fault) => {
                if !self.faults.contains(fault) {
                    self.faults.push(*fault);
                }
            }
            Action::Clear => self.faults.clear(),
            Action::Poll(duration) => self.panel.poll_pulse(duration.as_millis() as u64),
            Action::Click => self.click_blocks = 1,
        }
    }

    /// The resident lifts the old handset.
    pub fn lift_handset(&mut self) {
        self.act(&Action::Lift);
    }

    /// The resident puts it back.
    pub fn replace_handset(&mut self) {
        self.act(&Action::Replace);
    }

    /// The resident presses or releases the handset's door button.
    pub fn press_handset_button(&mut self, pressed: bool) {
        self.button = pressed;
        self.button_until = None;
    }

    /// The visitor dials.
    pub fn visitor_dial(&mut self, apartment: u16) {
        self.act(&Action::Dial(apartment));
    }

    /// The visitor presses the reset key.
    pub fn visitor_leave(&mut self) {
        self.act(&Action::Leave);
    }

    /// The visitor speaks; heard on the line while the panel talks.
    pub fn visitor_say(&mut self, samples: &[i16]) {
        self.act(&Action::Say(samples.into()));
    }

    /// The resident speaks into the old handset.
    pub fn resident_say(&mut self, samples: &[i16]) {
        self.act(&Action::ResidentSay(samples.into()));
    }

    /// Puts a fault into the line.
    pub fn inject(&mut self, fault: Fault) {
        self.act(&Action::Fault(fault));
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.act(&Action::Clear);
    }

    fn run_script(&mut self) {
        if self.button_until.is_some_and(|until| self.now >= until) {
            self.button = false;
            self.button_until = None;
        }
        while let Some(action) = self.runner.due(self.now, self.panel.state()) {
            self.act(&action);
        }
    }

    fn wiring(&self) -> Wiring {
        let has = |fault| self.faults.contains(&fault);
        Wiring {
            cable_ohms: self.setup.cable_ohms,
            cable_farads: self.setup.cable_nanofarads * 1e-9,
            reversed: has(Fault::Reversed),
            riser_open: has(Fault::RiserOpen),
            riser_short: has(Fault::RiserShort),
            handset_short: has(Fault::Short),
        }
    }

    fn handset_load(&self) -> HandsetLoad {
        match &self.setup.handset {
            Some(handset) if !self.faults.contains(&Fault::Open) => handset.load(
                self.lifted || self.faults.contains(&Fault::Stuck),
                self.button,
            ),
            _ => HandsetLoad::None,
        }
    }

    /// Volts of the panel's feed, and whether this sample shows its fed level.
    fn direct(&mut self, audio: &PanelAudio, spec: &Figures) -> (f32, bool) {
        if audio.residual > 0.0 {
            // What is left is a weakening ring signal.
            let high = self.ring.square(spec.ring_hz);
            (
                spec.residual_volts * audio.residual * if high { 1.0 } else { 0.1 },
                true,
            )
        } else if !audio.fed {
            (0.0, true)
        } else if audio.ring {
            let high = self.ring.square(spec.ring_hz);
            (if high { spec.volts } else { 0.0 }, high)
        } else {
            (spec.volts, true)
        }
    }

    fn take_click(&mut self) -> f32 {
        if self.click_blocks == 0 {
            return 0.0;
        }
        self.click_blocks -= 1;
        (self.rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0) * 8.0
    }
}

/// The panel's figures that every sample needs.
#[derive(Debug, Clone, Copy)]
struct Figures {
    volts: f32,
    ohms: f32,
    ring_hz: f32,
    residual_volts: f32,
}

impl crate::panel::PanelSpec {
    fn figures(&self) -> Figures {
        Figures {
            volts: self.source.volts.value,
            ohms: self.source.ohms.value,
            ring_hz: self.ring.frequency_hz.value,
            residual_volts: self.end.residual_volts.value,
        }
    }
}

fn put<T>(to: &mut [T; BLOCK_SAMPLES], i: usize, v: T) {
    if let Some(slot) = to.get_mut(i) {
        *slot = v;
    }
}

impl LineModel for Simulation {
    fn kind(&self) -> LineKind {
        LineKind::Pair
    }
    fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        Self::step(self, drive, sense);
    }
    fn now(&self) -> Duration {
        self.now
    }
    fn poll_event(&mut self) -> Option<Stamped> {
        self.events.pop_front()
    }
    fn heard_by_visitor(&mut self) -> Vec<i16> {
        self.acoustics.heard()
    }
    fn finished(&self) -> bool {
        Self::finished(self)
    }
    fn panel_state(&self) -> PanelState {
        self.panel.state()
    }
    fn dialled(&self) -> u16 {
        self.panel.apartment()
    }
    fn lock_open(&self) -> bool {
        self.panel.lock_open()
    }
    fn restart_script(&mut self) {
        Self::restart_script(self);
    }
    fn begin_script(&mut self, script: Script) {
        self.runner.begin(script, self.now);
    }
    fn act(&mut self, action: &Action) {
        Self::act(self, action);
    }
    fn press_handset_button(&mut self, pressed: bool) {
        Self::press_handset_button(self, pressed);
    }
    fn record(&mut self) {
        self.recorded = vec![vec![0.0; BLOCK_SAMPLES]; 2];
    }
    fn recorded(&self) -> &[Vec<f32>] {
        &self.recorded
    }
    fn recorded_channels(&self) -> Vec<String> {
        vec!["line".to_owned(), "current".to_owned()]
    }
    fn recorded_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }
}
