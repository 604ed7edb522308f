//! The network of one switch module: buses, every handset, taps, panels, our circuit.

use line_interface::matrix::ModuleTaps;
use line_interface::{DriveSide, Load};

use crate::network::{Diode, Element, Network, Node, Part};

/// What hangs between a tens and a units line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fitted {
    /// A handset on its hook.
    OnHook,
    /// Lifted.
    OffHook,
    /// Lifted with its button pressed.
    Button,
    /// None.
    Missing,
    /// Wired backwards.
    Reversed,
    /// Its wires touch, no diode left.
    Shorted,
    /// An emulator whose transistor's body diode conducts backwards (line-facts 2.3).
    BodyDiode,
}

/// Resistances of the parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusParts {
    /// A handset on its hook.
    pub on_hook_ohms: f64,
    /// Lifted.
    pub off_hook_ohms: f64,
    /// Button.
    pub button_ohms: f64,
    /// The switch's key to the sunk line.
    pub sink_ohms: f64,
    /// A tap with its bias.
    pub tap_ohms: f64,
    /// Bias of the taps of the sunk bus; 0 for plain taps.
    pub bias_volts: f64,
    /// Capacity of a bus line.
    pub bus_farads: f64,
}

impl Default for BusParts {
    fn default() -> Self {
        Self {
            on_hook_ohms: 45.0,
            off_hook_ohms: 300.0,
            button_ohms: 9400.0,
            sink_ohms: 5.0,
            tap_ohms: 1e6,
            bias_volts: 5.0,
            bus_farads: 20e-9,
        }
    }
}

/// One module.
#[derive(Debug, Clone)]
pub struct Buses {
    net: Network,
    parts: BusParts,
    side: DriveSide,
    taps: ModuleTaps,
    tens: Vec<Node>,
    units: Vec<Node>,
    sources: Vec<Element>,
    sinks: Vec<Element>,
    /// What the switch wants of its keys; told to the network when it is asked for next, so that a
    /// key let go of and taken again meanwhile was never away.
    fed: Vec<Option<(f64, f64)>>,
    sunk: Vec<bool>,
    told: (Vec<Option<(f64, f64)>>, Vec<bool>),
    handsets: Vec<Element>,
    fitted: Vec<Fitted>,
    isolated: bool,
    load: Option<Element>,
    /// What our circuit, and the resident at a handset, say: currents across their pairs.
    speech: Option<Element>,
    voice: Option<Element>,
}

const BODY_OHMS: f64 = 1.0;

impl Buses {
    /// A module with a handset at every crossing.
    #[must_use]
    pub fn new(taps: ModuleTaps, side: DriveSide, parts: BusParts) -> Self {
        let mut net = Network::default();
        let tens: Vec<Node> = (0..taps.tens).map(|_| net.node()).collect();
        let units: Vec<Node> = (0..taps.units).map(|_| net.node()).collect();
        let (fed, sunk) = match side {
            DriveSide::Tens => (&tens, &units),
            DriveSide::Units => (&units, &tens),
        };
        let mut sources = Vec::new();
        let mut sinks = Vec::new();
        for (bus, bias, keys) in [
            (fed, 0.0, &mut sources),
            (sunk, parts.bias_volts, &mut sinks),
        ] {
            for node in bus {
                keys.push(net.place(*node, Node::GROUND, Part::Open));
                net.place(
                    *node,
                    Node::GROUND,
                    Part::Source {
                        volts: bias,
                        ohms: parts.tap_ohms,
                    },
                );
                net.place(*node, Node::GROUND, Part::Capacitor(parts.bus_farads));
            }
        }
        let mut handsets = Vec::new();
        for t in &tens {
            for u in &units {
                let (a, b) = match side {
                    DriveSide::Tens => (*t, *u),
                    DriveSide::Units => (*u, *t),
                };
                handsets.push(net.place(a, b, Part::Open));
            }
        }
        let mut buses = Self {
            fitted: vec![Fitted::OnHook; handsets.len()],
            fed: vec![None; sources.len()],
            sunk: vec![false; sinks.len()],
            told: (vec![None; sources.len()], vec![false; sinks.len()]),
            net,
            parts,
            side,
            taps,
            tens,
            units,
            sources,
            sinks,
            handsets,
            isolated: false,
            load: None,
            speech: None,
            voice: None,
        };
        buses.hang_all();
        buses
    }

    /// Which bus is fed.
    #[must_use]
    pub const fn side(&self) -> DriveSide {
        self.side
    }

    /// Hangs something else between a tens and a units line, both counted from 0.
    pub fn hang(&mut self, tens: usize, units: usize, what: Fitted) {
        if let Some(slot) = self.fitted.get_mut(tens * self.taps.units + units) {
            *slot = what;
        }
        self.hang_all();
    }

    /// What hangs there.
    #[must_use]
    pub fn fitted(&self, tens: usize, units: usize) -> Option<Fitted> {
        self.fitted.get(tens * self.taps.units + units).copied()
    }

    /// The bypass relays: isolated, no old handset is on the buses.
    pub fn isolate(&mut self, isolated: bool) {
        if isolated != self.isolated {
            self.isolated = isolated;
            self.hang_all();
        }
    }

    fn hang_all(&mut self) {
        for i in 0..self.handsets.len() {
            let (t, u) = (i / self.taps.units, i % self.taps.units);
            let (Some(what), Some(element)) = (self.fitted.get(i), self.handsets.get(i)) else {
                continue;
            };
            let what = if self.isolated {
                Fitted::Missing
            } else {
                *what
            };
            let (Some(tens), Some(units)) = (self.tens.get(t), self.units.get(u)) else {
                continue;
            };
            let (a, b) = match self.side {
                DriveSide::Tens => (*tens, *units),
                DriveSide::Units => (*units, *tens),
            };
            let backwards = matches!(what, Fitted::Reversed | Fitted::BodyDiode);
            let part = match what {
                Fitted::OnHook | Fitted::Reversed => {
                    Part::Diode(Diode::handset(self.parts.on_hook_ohms))
                }
                Fitted::OffHook => Part::Diode(Diode::handset(self.parts.off_hook_ohms)),
                Fitted::Button => Part::Diode(Diode::handset(self.parts.button_ohms)),
                Fitted::BodyDiode => Part::Diode(Diode::handset(BODY_OHMS)),
                Fitted::Missing => Part::Open,
                Fitted::Shorted => Part::Resistor(2.0),
            };
            self.net
                .turn(*element, if backwards { (b, a) } else { (a, b) });
            self.net.set(*element, part);
        }
    }

    /// The switch lets go of every line.
    pub fn release(&mut self) {
        self.fed.fill(None);
        self.sunk.fill(false);
    }

    /// The switch feeds a line of the fed bus with volts behind ohms, or lets go of it.
    pub fn feed(&mut self, line: usize, source: Option<(f64, f64)>) {
        if let Some(slot) = self.fed.get_mut(line) {
            *slot = source;
        }
    }

    /// The switch sinks a line of the other bus, or lets go of it.
    pub fn sink(&mut self, line: usize, on: bool) {
        if let Some(slot) = self.sunk.get_mut(line) {
            *slot = on;
        }
    }

    /// Turns the keys of the switch that have changed.
    fn turn_keys(&mut self) {
        let sources = self.sources.iter().zip(&self.fed).zip(&mut self.told.0);
        for ((element, wanted), told) in sources {
            if wanted != told {
                *told = *wanted;
                let part = wanted.map_or(Part::Open, |(volts, ohms)| Part::Source { volts, ohms });
                self.net.set(*element, part);
            }
        }
        let sinks = self.sinks.iter().zip(&self.sunk).zip(&mut self.told.1);
        for ((element, wanted), told) in sinks {
            if wanted != told {
                *told = *wanted;
                let part = if *wanted {
                    Part::Resistor(self.parts.sink_ohms)
                } else {
                    Part::Open
                };
                self.net.set(*element, part);
            }
        }
    }

    /// Node of a tens line, counted from 0.
    #[must_use]
    pub fn tens(&self, line: usize) -> Node {
        self.tens.get(line).copied().unwrap_or(Node::GROUND)
    }

    /// Node of a units line, counted from 0.
    #[must_use]
    pub fn units(&self, line: usize) -> Node {
        self.units.get(line).copied().unwrap_or(Node::GROUND)
    }

    /// The network with the keys as they are, for steps, faults and readings.
    pub fn network(&mut self) -> &mut Network {
        self.turn_keys();
        &mut self.net
    }

    /// Volts of a tap: tens lines first, then units lines.
    #[must_use]
    pub fn tap(&self, i: usize) -> f64 {
        let node = if i < self.tens.len() {
            self.tens(i)
        } else {
            self.units(i - self.tens.len())
        };
        self.net.volts(node)
    }

    /// Puts our circuit on a pair; `None` opens the crosspoint.
    pub fn connect(&mut self, pair: Option<(usize, usize)>, load: Load) {
        if let Some(old) = self.load {
            self.net.set(old, Part::Open);
        }
        let Some((t, u)) = pair else { return };
        let ends = match self.side {
            DriveSide::Tens => (self.tens(t), self.units(u)),
            DriveSide::Units => (self.units(u), self.tens(t)),
        };
        let element = match self.load {
            Some(element) => element,
            None => self.net.place(ends.0, ends.1, Part::Open),
        };
        self.load = Some(element);
        self.net.turn(element, ends);
        let part = match load {
            Load::Off => Part::Resistor(1e6),
            Load::OnHook => Part::Diode(Diode::handset(50.0)),
            Load::OffHook => Part::Diode(Diode::handset(300.0)),
            Load::Residue => Part::Diode(Diode::handset(1e4)),
        };
        self.net.set(element, part);
        self.speech =
            (load == Load::OffHook).then(|| self.net.place(ends.0, ends.1, Part::Current(0.0)));
    }

    /// The resident at the handset of a pair may speak.
    pub(super) fn listen_to(&mut self, t: usize, u: usize) {
        let (fed, sunk) = match self.side {
            DriveSide::Tens => (self.tens(t), self.units(u)),
            DriveSide::Units => (self.units(u), self.tens(t)),
        };
        self.voice = Some(self.net.place(fed, sunk, Part::Current(0.0)));
    }

    /// Currents of the present sample: what we say, and what the resident says.
    pub(super) fn speak(&mut self, ours: f64, resident: f64) {
        for (element, amps) in [(self.speech, ours), (self.voice, resident)] {
            if let Some(element) = element {
                self.net.set(element, Part::Current(amps));
            }
        }
    }

    /// Volts from the fed to the sunk line of a pair.
    #[must_use]
    pub fn pair(&self, t: usize, u: usize) -> f64 {
        let v = self.net.volts(self.tens(t)) - self.net.volts(self.units(u));
        match self.side {
            DriveSide::Tens => v,
            DriveSide::Units => -v,
        }
    }

    /// Current through our circuit.
    #[must_use]
    pub fn load_amps(&self) -> f64 {
        self.load.map_or(0.0, |e| self.net.amps(e))
    }
}
