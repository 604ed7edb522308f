//! Panel, cable, handset and card put together, advanced 10 ms at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use line_interface::{
    BLOCK_MS, BLOCK_SAMPLES, Drive, DriveBlock, Load, SAMPLE_RATE_HZ, SenseBlock,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::circuit::{Circuit, Feed, OFF_HOOK_OHMS, Wiring};
use crate::handset::HandsetLoad;
use crate::panel::{Oscillator, Panel, PanelAudio, PanelState, Stamped};
use crate::script::{Action, Runner, Script};
use crate::setup::{Fault, Setup, SetupError};

/// Source resistance of a pair that is not selected: leakage only.
const UNFED_OHMS: f32 = 100_000.0;
/// Current of our off-hook load at full scale of the audio.
const SINK_AMPS: f32 = 0.015;
/// Codec input at full scale.
const CODEC_VOLTS: f32 = 2.5;
/// The part of our own signal that our hybrid takes out of the codec input: 20 dB.
const CARD_BALANCE: f32 = 0.9;
/// Corner of the couplings: about 40 Hz.
const COUPLING: f32 = 0.031;
/// Samples of noise, used from a random place in every block.
const NOISE_SAMPLES: usize = 8192;
/// What the visitor heard is kept for this long until it is drained.
const MAX_HEARD: usize = 30 * 60 * SAMPLE_RATE_HZ as usize;
/// Verdicts kept until they are drained.
const MAX_EVENTS: usize = 4096;
/// Level of the panel's own tones in its loudspeaker.
const TONE_LEVEL: f32 = 0.2;
const RING_BACK_HZ: f32 = 425.0;

/// A capacitor in the audio path: takes the DC away.
#[derive(Debug, Clone, Copy, Default)]
struct Coupling(f32);

impl Coupling {
    fn pass(&mut self, v: f32) -> f32 {
        let out = v - self.0;
        self.0 += COUPLING * out;
        out
    }
}

/// Somebody's words, queued.
#[derive(Debug, Default)]
struct Voice {
    queue: VecDeque<Arc<[i16]>>,
    at: usize,
}

/// Recordings that may wait.
const MAX_QUEUE: usize = 64;

impl Voice {
    fn say(&mut self, samples: Arc<[i16]>) {
        if self.queue.len() < MAX_QUEUE && !samples.is_empty() {
            self.queue.push_back(samples);
        }
    }

    fn next(&mut self) -> f32 {
        let Some(front) = self.queue.front() else {
            return 0.0;
        };
        let v = front.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        if self.at >= front.len() {
            self.queue.pop_front();
            self.at = 0;
        }
        f32::from(v) / 32768.0
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.at = 0;
    }
}

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
    hum: Oscillator,
    ring: Oscillator,
    tone: Oscillator,
    visitor: Voice,
    resident: Voice,
    codec_coupling: Coupling,
    panel_coupling: Coupling,
    /// The way from loudspeaker to microphone through the air.
    air: VecDeque<f32>,
    heard: VecDeque<i16>,
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
        let delay =
            setup.panel.audio.acoustic_delay_ms.value as usize * SAMPLE_RATE_HZ as usize / 1000;
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
            hum: Oscillator::default(),
            ring: Oscillator::default(),
            tone: Oscillator::default(),
            visitor: Voice::default(),
            resident: Voice::default(),
            codec_coupling: Coupling::default(),
            panel_coupling: Coupling::default(),
            air: vec![0.0; delay.max(1)].into(),
            heard: VecDeque::new(),
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
        let spec = self.setup.panel.clone_figures();
        let source_ohms = if audio.fed { spec.ohms } else { UNFED_OHMS };
        let hum_step = self.setup.hum_hz;
        let offset = self.rng.next_u32() as usize % (NOISE_SAMPLES - BLOCK_SAMPLES);
        let click = self.take_click();
        let seen_ohms = spec.ohms + self.setup.cable_ohms;
        // Our hybrid balances against the nominal line, so real parts spoil it a little.
        let card_own = CARD_BALANCE * SINK_AMPS * parallel(spec.ohms + 15.0, OFF_HOOK_OHMS);
        let panel_keep = (self.setup.cable_ohms + OFF_HOOK_OHMS) / (seen_ohms + OFF_HOOK_OHMS);
        let (mut level, mut level_samples) = (0.0, 0.0_f32);
        for i in 0..BLOCK_SAMPLES {
            let out = drive.audio.get(i).copied().unwrap_or(0);
            let ours = if powered && command.load == Load::OffHook {
                f32::from(out) / 32768.0
            } else {
                0.0
            };
            let (dc, high) = self.direct(&audio, &spec);
            let tone = audio.tone_hz.map_or(0.0, |hz| self.tone.sine(hz));
            let microphone = if audio.talk {
                self.visitor.next() + self.air.front().copied().unwrap_or(0.0) * spec.acoustic
            } else {
                0.0
            };
            let own = microphone * spec.microphone_volts + tone * spec.tone_volts;
            let mut noise = self.noise.get(offset + i).copied().unwrap_or(0.0)
                + self.hum.sine(hum_step) * self.setup.hum_volts;
            if i < 16 {
                noise += click;
            }
            let voice = self.resident.next() * SINK_AMPS;
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
            let ac = self.panel_coupling.pass(s.panel_volts);
            let line_part = (ac - own * panel_keep * (1.0 - spec.hybrid)) / spec.loudspeaker_volts;
            let speaker = if audio.talk {
                line_part + tone * TONE_LEVEL
            } else if audio.ring_back {
                self.tone.sine(RING_BACK_HZ) * TONE_LEVEL
            } else {
                tone * TONE_LEVEL
            };
            let speaker = speaker.clamp(-1.0, 1.0);
            self.air.pop_front();
            self.air.push_back(speaker);
            if self.heard.len() >= MAX_HEARD {
                self.heard.pop_front();
            }
            self.heard.push_back((speaker * 32767.0) as i16);
            let input = self.codec_coupling.pass(s.line_volts) + ours * card_own;
            put(&mut sense.line_volts, i, s.line_volts);
            put(&mut sense.line_milliamps, i, s.milliamps);
            put(&mut sense.handset_volts, i, s.handset_volts);
            put(
                &mut sense.audio,
                i,
                ((input / CODEC_VOLTS).clamp(-1.0, 1.0) * 32767.0) as i16,
            );
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
            self.visitor.clear();
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
        self.heard.drain(..)
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
            Action::Say(samples) => self.visitor.say(Arc::clone(samples)),
            Action::ResidentSay(samples) => self.resident.say(Arc::clone(samples)),
            Action::Leave => {
                self.visitor.clear();
                self.panel.visitor_leaves();
            }
            Action::Lift => self.lifted = true,
            Action::Replace => {
                self.lifted = false;
                self.resident.clear();
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
            // What is left is a decaying level with a decaying ring signal on it.
            let high = self.ring.square(spec.ring_hz);
            (
                spec.residual_volts * audio.residual * if high { 1.0 } else { 0.4 },
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
    microphone_volts: f32,
    tone_volts: f32,
    loudspeaker_volts: f32,
    /// The part of its own microphone that the panel's hybrid lets through.
    hybrid: f32,
    acoustic: f32,
}

impl crate::panel::PanelSpec {
    fn clone_figures(&self) -> Figures {
        Figures {
            volts: self.source.volts.value,
            ohms: self.source.ohms.value,
            ring_hz: self.ring.frequency_hz.value,
            residual_volts: self.end.residual_volts.value,
            microphone_volts: self.audio.microphone_volts.value,
            tone_volts: self.audio.tone_volts.value,
            loudspeaker_volts: self.audio.loudspeaker_volts.value,
            hybrid: 10_f32.powf(-self.audio.hybrid_loss_db.value / 20.0),
            acoustic: 10_f32.powf(-self.audio.acoustic_loss_db.value / 20.0),
        }
    }
}

fn parallel(a: f32, b: f32) -> f32 {
    a * b / (a + b)
}

fn put<T>(to: &mut [T; BLOCK_SAMPLES], i: usize, v: T) {
    if let Some(slot) = to.get_mut(i) {
        *slot = v;
    }
}
