//! Panels, switch and taps advanced 10 ms at a time.

use std::collections::VecDeque;
use std::time::Duration;

use line_interface::matrix::{Bus, SCAN_SAMPLES, TapBlock, TapLayout};
use line_interface::switch::{Addressing, Cell};
use line_interface::{
    AddressSense, BLOCK_MS, BLOCK_SAMPLES, Drive, DriveBlock, DriveSide, HandsetRelay, Load,
    SAMPLE_RATE_HZ, SenseBlock,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::buses::{BusParts, Buses, Fitted};
use super::fault::BusFault;
use crate::acoustics::{Acoustics, SINK_AMPS};
use crate::circuit::{OFF_HOOK_OHMS, modulation};
use crate::handset::OldHandset;
use crate::model::LineModel;
use crate::network::Part;
use crate::panel::{Oscillator, Panel, PanelEvent, PanelSpec, PanelState, Rotor, Stamped};
use crate::script::{Runner, Script};
use crate::setup::{Fault, SetupError};

mod model;

/// Everything that stays fixed.
#[derive(Debug, Clone)]
pub struct MatrixSetup {
    /// The panel; every panel of the entrance is of this kind.
    pub panel: PanelSpec,
    /// Number of panels, 1 or more.
    pub panels: usize,
    /// Switch and numbers.
    pub addressing: Addressing,
    /// Which bus is fed.
    pub side: DriveSide,
    /// Parts of the buses.
    pub parts: BusParts,
    /// Crossings without a handset.
    pub missing: Vec<Cell>,
    /// Noise of every tap, root mean square.
    pub noise_rms_volts: f32,
    /// Peak of the hum between the switch's ground and ours; all taps see it.
    pub hum_volts: f32,
    /// Frequency of the hum.
    pub hum_hz: f32,
    /// Seed of the noise.
    pub seed: [u8; 32],
}

impl MatrixSetup {
    /// A brand's panel at a switch, every handset present, no noise.
    ///
    /// # Errors
    /// [`SetupError::UnknownBrand`].
    pub fn new(brand: &str, addressing: Addressing) -> Result<Self, SetupError> {
        Ok(Self {
            panel: PanelSpec::builtin(brand)
                .ok_or_else(|| SetupError::UnknownBrand(brand.to_owned()))?,
            panels: 1,
            addressing,
            side: DriveSide::Tens,
            parts: BusParts::default(),
            missing: Vec::new(),
            noise_rms_volts: 0.0,
            hum_volts: 0.0,
            hum_hz: 50.0,
            seed: [0; 32],
        })
    }
}

#[derive(Debug)]
struct Entrance {
    panel: Panel,
    ring: Oscillator,
    acoustics: Acoustics,
    cell: Option<Cell>,
    level: f64,
    samples: f64,
}

/// The bias of an isolated handset (as on the pair card): 5 V behind 4.7 kOhm.
const BIAS_VOLTS: f32 = 5.0;
const BIAS_OHMS: f32 = 4700.0;

/// The knee of our off-hook load and of a lifted handset.
const KNEE_VOLTS: f32 = 0.65;
/// Buses whose panels feed nothing have come to rest after this long: many time constants of taps.
const RESTS_AFTER_BLOCKS: u32 = 40;
/// A relay nearby: its kick on all taps.
const CLICK_VOLTS: f32 = 8.0;

/// Panels, buses and taps.
#[derive(Debug)]
pub struct MatrixSimulation {
    setup: MatrixSetup,
    layout: TapLayout,
    modules: Vec<Buses>,
    panels: Vec<Entrance>,
    faults: Vec<(u8, BusFault)>,
    lifted: Vec<(Cell, bool)>,
    powered: bool,
    dirty: bool,
    now: Duration,
    rng: ChaCha12Rng,
    hum: Rotor,
    old: OldHandset,
    applied: (Option<Cell>, Drive),
    recorded: Vec<Vec<f32>>,
    runner: Runner,
    events: VecDeque<(usize, Stamped)>,
    /// Blocks since anything moved on the buses.
    resting: u32,
    /// Lines that the switch has fed or sunk.
    keys: bool,
    wrong_pair: bool,
    click: bool,
    button_until: Option<Duration>,
}

impl MatrixSimulation {
    /// At rest.
    ///
    /// # Errors
    /// [`SetupError`] for a panel that makes no sense.
    pub fn new(setup: MatrixSetup) -> Result<Self, SetupError> {
        setup.panel.check().map_err(SetupError::Panel)?;
        if setup.panels == 0 || setup.panels > 8 {
            return Err(SetupError::OutOfRange("panels"));
        }
        let layout = TapLayout::new(setup.addressing.switch());
        let modules = layout
            .modules()
            .iter()
            .map(|taps| Buses::new(*taps, setup.side, setup.parts))
            .collect();
        let panels = (0..setup.panels)
            .map(|_| Entrance {
                panel: Panel::new(setup.panel.clone()),
                ring: Oscillator::default(),
                acoustics: Acoustics::new(&setup.panel, setup.panel.source.ohms.value, 0.0),
                cell: None,
                level: 0.0,
                samples: 0.0,
            })
            .collect();
        Ok(Self {
            layout,
            modules,
            panels,
            faults: Vec::new(),
            lifted: Vec::new(),
            powered: true,
            dirty: true,
            now: Duration::ZERO,
            rng: ChaCha12Rng::from_seed(setup.seed),
            hum: Rotor::new(setup.hum_hz),
            old: OldHandset::default(),
            applied: (None, Drive::SAFE),
            recorded: Vec::new(),
            runner: Runner::new(Script::default()),
            events: VecDeque::new(),
            resting: 0,
            keys: false,
            wrong_pair: false,
            click: false,
            button_until: None,
            setup,
        })
    }

    /// The same with a script for the first panel and the called apartments.
    #[must_use]
    pub fn with_script(mut self, script: Script) -> Self {
        self.runner = Runner::new(script);
        self
    }

    /// The visitor at a panel dials an apartment. Ignored when the entrance has no such apartment.
    pub fn dial(&mut self, panel: usize, apartment: u16) {
        let cell = self.setup.addressing.cell(apartment);
        if cell.is_none() {
            let event = PanelEvent::DialIgnored { apartment };
            self.tell(panel, event);
        }
        if let (Some(entrance), Some(cell)) = (self.panels.get_mut(panel), cell) {
            if entrance.panel.state() == PanelState::Idle {
                entrance.cell = Some(cell);
            }
            entrance.panel.dial(apartment);
        }
    }

    /// The visitor presses the reset key.
    pub fn leave(&mut self, panel: usize) {
        if let Some(entrance) = self.panels.get_mut(panel) {
            entrance.panel.visitor_leaves();
        }
    }

    /// A resident lifts the old handset of a pair.
    pub fn lift(&mut self, cell: Cell) {
        self.replace(cell);
        self.lifted.push((cell, false));
    }

    /// A resident presses or releases the button of a lifted handset.
    pub fn press(&mut self, cell: Cell, pressed: bool) {
        for entry in self.lifted.iter_mut().filter(|(c, _)| *c == cell) {
            entry.1 = pressed;
        }
        self.dirty = true;
    }

    /// A resident puts the handset back.
    pub fn replace(&mut self, cell: Cell) {
        self.lifted.retain(|(c, _)| *c != cell);
        self.dirty = true;
    }

    /// Puts a fault into a module.
    pub fn inject(&mut self, module: u8, fault: BusFault) {
        self.faults.push((module, fault));
        self.dirty = true;
    }

    /// Takes all faults away.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
        self.dirty = true;
    }

    /// The gateway's supply: without it its drive has no effect.
    pub const fn power(&mut self, on: bool) {
        self.powered = on;
    }

    /// Begins to keep every sample of every tap of the last block, for recordings.
    pub fn record(&mut self) {
        self.recorded = vec![vec![0.0; BLOCK_SAMPLES]; self.layout.taps()];
    }

    /// All taps of the last block at 8 kHz, in the order of the layout; empty unless recording.
    #[must_use]
    pub fn recorded(&self) -> &[Vec<f32>] {
        &self.recorded
    }

    /// Our load is on, and on another pair than one that a panel calls.
    fn watch_pairs(&mut self) {
        let (connect, drive) = self.applied;
        let called = |cell: Cell| {
            self.panels
                .iter()
                .any(|e| e.cell == Some(cell) && e.panel.state() != PanelState::Idle)
        };
        // A switch may rest for a moment before our watch has seen the end of a call.
        let wrong = drive.load != Load::Off
            && connect.is_some_and(|cell| {
                !called(cell)
                    && self
                        .panels
                        .iter()
                        .any(|e| e.panel.state() != PanelState::Idle)
            });
        if wrong && !std::mem::replace(&mut self.wrong_pair, wrong) {
            self.tell(0, PanelEvent::WrongPairLoaded);
        }
        self.wrong_pair = wrong;
    }

    fn tell(&mut self, panel: usize, event: PanelEvent) {
        let t = self.now;
        self.events.push_back((panel, Stamped { t, event }));
    }

    /// The pair that the first panel calls or called last.
    fn called(&self) -> Cell {
        let first = self.setup.addressing.switch().cell(1);
        let cell = self.panels.first().and_then(|e| e.cell).or(first);
        cell.unwrap_or(Cell {
            module: 0,
            tens: 0,
            units: 0,
        })
    }

    fn break_something(&mut self, fault: Fault) {
        let cell = self.called();
        let (tens, units) = position(&self.layout, cell);
        let fitted = |what| BusFault::Fitted { tens, units, what };
        let fed = match self.setup.side {
            DriveSide::Tens => (Bus::Tens, tens),
            DriveSide::Units => (Bus::Units, units),
        };
        let fault = match fault {
            Fault::Short => fitted(Fitted::Shorted),
            Fault::Open => fitted(Fitted::Missing),
            Fault::Stuck => fitted(Fitted::OffHook),
            Fault::Reversed => fitted(Fitted::Reversed),
            Fault::RiserShort => BusFault::Short {
                a: (Bus::Tens, tens),
                b: (Bus::Units, units),
            },
            Fault::RiserOpen => BusFault::KeyDead { line: fed },
            Fault::BusShort => BusFault::Short {
                a: (Bus::Tens, tens),
                b: (Bus::Tens, usize::from(tens == 0)),
            },
            Fault::TapOff => BusFault::TapOff {
                line: (Bus::Tens, tens),
            },
            Fault::CardPowerOff => return self.power(false),
        };
        if !self.faults.contains(&(cell.module, fault)) {
            self.inject(cell.module, fault);
        }
    }

    fn run_script(&mut self) {
        if self.button_until.is_some_and(|until| self.now >= until) {
            self.button_until = None;
            self.press(self.called(), false);
        }
        let state = |sim: &Self| sim.panel_state(0).unwrap_or(PanelState::Idle);
        while let Some(action) = self.runner.due(self.now, state(self)) {
            LineModel::act(self, &action);
        }
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// The next verdict of any panel.
    pub fn poll_event(&mut self) -> Option<(usize, Stamped)> {
        self.events.pop_front()
    }

    /// Where a panel stands.
    #[must_use]
    pub fn panel_state(&self, panel: usize) -> Option<PanelState> {
        self.panels.get(panel).map(|e| e.panel.state())
    }

    /// Advances by 10 ms.
    pub fn step(&mut self, drive: &DriveBlock, sense: &mut SenseBlock) {
        self.run_script();
        let applied = if self.powered {
            (drive.connect, drive.drive)
        } else {
            (None, Drive::SAFE)
        };
        if applied != self.applied {
            self.applied = applied;
            self.dirty = true;
        }
        self.watch_pairs();
        let moved = std::mem::take(&mut self.dirty);
        if moved {
            self.rebuild();
        }
        let fed = self.panels.iter().any(|e| e.panel.audio().fed);
        self.resting = if moved || fed {
            0
        } else {
            self.resting.saturating_add(1)
        };
        let still = self.resting > RESTS_AFTER_BLOCKS && self.faults.is_empty();
        let mut taps = TapBlock::new(self.layout.taps());
        self.hum.renew();
        let seconds = 1.0 / f64::from(SAMPLE_RATE_HZ);
        let click = std::mem::take(&mut self.click);
        let ours = applied.1.load == Load::OffHook && applied.0.is_some();
        for i in 0..BLOCK_SAMPLES {
            let out = drive.audio.get(i).copied().unwrap_or(0);
            let out = if ours { f32::from(out) / 32768.0 } else { 0.0 };
            if !still {
                self.speak(out);
                self.feed();
                for module in &mut self.modules {
                    module.network().step(seconds);
                }
            }
            self.measure();
            self.read_pair(i, out, sense);
            let mut hum = self.hum.next() * self.setup.hum_volts;
            if click && i < 16 {
                hum += CLICK_VOLTS * (self.rng.next_u32() as f32 / u32::MAX as f32 * 2.0 - 1.0);
            }
            if !self.recorded.is_empty() {
                let mut scanned = vec![0.0; self.recorded.len()];
                self.scan(hum, &mut scanned);
                for (to, v) in self.recorded.iter_mut().zip(scanned) {
                    if let Some(slot) = to.get_mut(i) {
                        *slot = v;
                    }
                }
            }
            if let Some(scan) = SCAN_SAMPLES.iter().position(|at| *at == i) {
                self.scan(hum, taps.scan_mut(scan));
            }
        }
        sense.address = AddressSense::Taps(taps);
        sense.applied = Some(applied.1);
        for (panel, entrance) in self.panels.iter_mut().enumerate() {
            let level = if entrance.samples > 0.0 {
                entrance.level / entrance.samples
            } else {
                0.0
            };
            entrance.panel.block_done(level as f32);
            entrance.level = 0.0;
            entrance.samples = 0.0;
            if entrance.panel.state() == PanelState::Residual {
                entrance.acoustics.visitor.clear();
            }
            while let Some(event) = entrance.panel.poll_event() {
                if panel == 0 {
                    self.runner.note(&event);
                }
                self.events.push_back((panel, event));
            }
        }
        self.now += Duration::from_millis(BLOCK_MS);
    }

    /// What we and the resident at the called handset say in this sample.
    fn speak(&mut self, out: f32) {
        let called = self.called();
        let lifted = self
            .lifted
            .iter()
            .any(|(cell, pressed)| *cell == called && !pressed);
        let resident = match self.panels.first_mut() {
            Some(entrance) if lifted => entrance.acoustics.resident_amps(),
            _ => 0.0,
        };
        for (number, module) in (0_u8..).zip(&mut self.modules) {
            let amps = |cell: Cell, amps: f32| {
                let (t, u) = position(&self.layout, cell);
                let volts = module.pair(t, u) as f32;
                modulation(volts, amps, OFF_HOOK_OHMS, KNEE_VOLTS)
            };
            let ours = match self.applied.0 {
                Some(cell) if cell.module == number => amps(cell, out * SINK_AMPS),
                _ => 0.0,
            };
            let theirs = if called.module == number {
                amps(called, resident)
            } else {
                0.0
            };
            module.speak(ours.into(), theirs.into());
        }
    }

    /// Lets every panel drive its pair for one sample.
    fn feed(&mut self) {
        let spec = &self.setup.panel;
        let (volts, ohms) = (
            f64::from(spec.source.volts.value),
            f64::from(spec.source.ohms.value),
        );
        // Keys that were closed in the last sample open, unless they close again below.
        if std::mem::take(&mut self.keys) {
            for module in &mut self.modules {
                module.release();
            }
        }
        for entrance in &mut self.panels {
            let audio = entrance.panel.audio();
            let own = entrance.acoustics.speak(&audio);
            let Some(cell) = entrance.cell.filter(|_| audio.fed) else {
                continue;
            };
            let mut emf = volts;
            if audio.residual > 0.0 {
                let high = entrance.ring.square(spec.ring.frequency_hz.value);
                let part = f64::from(audio.residual) * if high { 1.0 } else { 0.1 };
                emf = f64::from(spec.end.residual_volts.value) * part;
            } else if audio.ring && !entrance.ring.square(spec.ring.frequency_hz.value) {
                emf = 0.0;
            }
            emf += f64::from(own);
            self.keys = true;
            let (t, u) = position(&self.layout, cell);
            let (fed, sunk) = match self.setup.side {
                DriveSide::Tens => (t, u),
                DriveSide::Units => (u, t),
            };
            let dead = |bus: Bus, line: usize| {
                self.faults
                    .contains(&(cell.module, BusFault::KeyDead { line: (bus, line) }))
            };
            let (fed_bus, sunk_bus) = match self.setup.side {
                DriveSide::Tens => (Bus::Tens, Bus::Units),
                DriveSide::Units => (Bus::Units, Bus::Tens),
            };
            if let Some(module) = self.modules.get_mut(usize::from(cell.module)) {
                if !dead(fed_bus, fed) {
                    module.feed(fed, Some((emf, ohms)));
                }
                if !dead(sunk_bus, sunk) {
                    module.sink(sunk, true);
                }
            }
        }
        for (number, fault) in &self.faults {
            if let (BusFault::KeyStuck { line }, Some(module)) =
                (fault, self.modules.get_mut(usize::from(*number)))
            {
                module.sink(*line, true);
                self.keys = true;
            }
        }
    }

    /// What each panel sees at its own terminals, in the fed half of a burst.
    fn measure(&mut self) {
        for entrance in &mut self.panels {
            let audio = entrance.panel.audio();
            let Some(cell) = entrance.cell else {
                entrance.acoustics.listen(&audio, 0.0);
                continue;
            };
            let (t, u) = position(&self.layout, cell);
            let Some(module) = self.modules.get(usize::from(cell.module)) else {
                continue;
            };
            let v = module.pair(t, u);
            if !audio.ring || v > 0.5 {
                entrance.level += v;
                entrance.samples += 1.0;
            }
            entrance.acoustics.listen(&audio, v as f32);
        }
    }

    fn read_pair(&mut self, i: usize, out: f32, pair: &mut SenseBlock) {
        let (mut volts, mut milliamps, mut handset) = (0.0, 0.0, 0.0);
        if let (Some(cell), drive) = self.applied {
            let (t, u) = position(&self.layout, cell);
            if let Some(module) = self.modules.get(usize::from(cell.module)) {
                volts = module.pair(t, u) as f32;
                milliamps = (module.load_amps() * 1000.0) as f32;
                handset = match drive.relay {
                    HandsetRelay::Through => volts,
                    HandsetRelay::Isolated => self.bias(cell, module.fitted(t, u)),
                };
            }
        }
        let heard = self
            .panels
            .first_mut()
            .map_or(0, |e| e.acoustics.codec(volts, out));
        if let Some(slot) = pair.audio.get_mut(i) {
            *slot = heard;
        }
        for (to, v) in [
            (&mut pair.line_volts, volts),
            (&mut pair.line_milliamps, milliamps),
            (&mut pair.handset_volts, handset),
        ] {
            if let Some(slot) = to.get_mut(i) {
                *slot = v;
            }
        }
    }

    /// What the bias sees of the isolated handset of a pair.
    fn bias(&self, _cell: Cell, fitted: Option<Fitted>) -> f32 {
        let ohms = match fitted {
            Some(Fitted::OnHook) => self.old.on_hook_ohms,
            Some(Fitted::OffHook) => self.old.unbiased_ohms,
            Some(Fitted::Button) => self.old.button_ohms,
            Some(Fitted::Shorted) => return 0.0,
            _ => return BIAS_VOLTS,
        };
        let diode = self.old.diode_volts;
        diode + (BIAS_VOLTS - diode) * ohms / (ohms + BIAS_OHMS)
    }

    fn scan(&mut self, hum: f32, to: &mut [f32]) {
        let mut at = 0;
        for (number, module) in (0_u8..).zip(&self.modules) {
            let Some(taps) = self.layout.modules().get(usize::from(number)) else {
                continue;
            };
            for i in 0..taps.tens + taps.units {
                let line = if i < taps.tens {
                    (Bus::Tens, i)
                } else {
                    (Bus::Units, i - taps.tens)
                };
                let off = self.faults.contains(&(number, BusFault::TapOff { line }));
                let sunk = (line.0 == Bus::Units) == (self.setup.side == DriveSide::Tens);
                let volts = match (off, sunk) {
                    (true, true) => self.setup.parts.bias_volts,
                    (true, false) => 0.0,
                    (false, _) => module.tap(i),
                };
                let noise = self.setup.noise_rms_volts * gauss(&mut self.rng);
                if let Some(slot) = to.get_mut(at) {
                    *slot = volts as f32 + hum + noise;
                }
                at += 1;
            }
        }
    }

    /// Applies handsets, faults and our circuit anew.
    fn rebuild(&mut self) {
        let (connect, drive) = self.applied;
        for (number, taps) in (0_u8..).zip(self.layout.modules()) {
            let Some(old) = self.modules.get(usize::from(number)) else {
                continue;
            };
            // A fresh network that goes on from the old voltages: no jump where nothing changed.
            let mut buses = Buses::new(*taps, self.setup.side, self.setup.parts);
            for i in 0..taps.tens + taps.units {
                let node = if i < taps.tens {
                    buses.tens(i)
                } else {
                    buses.units(i - taps.tens)
                };
                let volts = old.tap(i);
                buses.network().preset(node, volts);
            }
            let here = |cell: &&Cell| cell.module == number;
            for cell in self.setup.missing.iter().filter(here) {
                let (t, u) = position(&self.layout, *cell);
                buses.hang(t, u, Fitted::Missing);
            }
            for (cell, pressed) in self.lifted.iter().filter(|(c, _)| c.module == number) {
                let (t, u) = position(&self.layout, *cell);
                if buses.fitted(t, u) == Some(Fitted::OnHook) {
                    buses.hang(
                        t,
                        u,
                        if *pressed {
                            Fitted::Button
                        } else {
                            Fitted::OffHook
                        },
                    );
                }
            }
            for (_, fault) in self.faults.iter().filter(|(m, _)| *m == number) {
                apply(&mut buses, fault);
            }
            buses.isolate(drive.relay == HandsetRelay::Isolated);
            let called = self.called();
            let speaks = self.lifted.iter().any(|(c, _)| *c == called);
            if speaks && called.module == number && drive.relay == HandsetRelay::Through {
                let (t, u) = position(&self.layout, called);
                buses.listen_to(t, u);
            }
            if let Some(cell) = connect.as_ref().filter(here) {
                buses.connect(Some(position(&self.layout, *cell)), drive.load);
            } else {
                buses.connect(None, Load::Off);
            }
            if let Some(slot) = self.modules.get_mut(usize::from(number)) {
                *slot = buses;
            }
        }
    }
}

fn apply(buses: &mut Buses, fault: &BusFault) {
    let node = |buses: &Buses, (bus, line): (Bus, usize)| match bus {
        Bus::Tens => buses.tens(line),
        Bus::Units => buses.units(line),
    };
    let ground = crate::network::Node::GROUND;
    match *fault {
        BusFault::Short { a, b } => {
            let (a, b) = (node(buses, a), node(buses, b));
            buses.network().place(a, b, Part::Resistor(1.0));
        }
        BusFault::Leak { line, ohms } => {
            let a = node(buses, line);
            buses.network().place(a, ground, Part::Resistor(ohms));
        }
        BusFault::Foreign { line, volts } => {
            let a = node(buses, line);
            let part = Part::Source {
                volts,
                ohms: 1000.0,
            };
            buses.network().place(a, ground, part);
        }
        BusFault::Fitted { tens, units, what } => buses.hang(tens, units, what),
        BusFault::TapOff { .. } | BusFault::KeyDead { .. } | BusFault::KeyStuck { .. } => {}
    }
}

/// Tens and units line of a pair, counted from 0.
fn position(layout: &TapLayout, cell: Cell) -> (usize, usize) {
    layout
        .modules()
        .get(usize::from(cell.module))
        .map_or((0, 0), |m| {
            (
                usize::from(cell.tens.saturating_sub(m.first_tens)),
                usize::from(cell.units.saturating_sub(m.first_units)),
            )
        })
}

/// A number of normal distribution: the sum of twelve even ones.
fn gauss(rng: &mut ChaCha12Rng) -> f32 {
    let mut sum = -6.0;
    for _ in 0..6 {
        let bits = rng.next_u32();
        sum += (bits & 0xffff) as f32 / 65536.0 + (bits >> 16) as f32 / 65536.0;
    }
    sum
}
