//! A network's parts, sorted by how they are computed, and the sums of those that are linear.

use super::diode::Ready;
use super::{Part, Placed, law};

/// A node that nothing else holds leaks this to ground, so the Jacobian stays definite.
const LEAK_SIEMENS: f64 = 1e-12;
/// A diode that couples less than this is left out of the Jacobian, not out of the currents: the
/// least that holds a node is a tap of 1 uS.
const COUPLING_SIEMENS: f64 = 1e-9;

/// So many diodes may be asked in vain before all are looked at again.
const DROWSY: usize = 8;

/// Two nodes and what couples them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Coupling {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) siemens: f64,
}

/// A diode in its place.
#[derive(Debug, Clone, Copy)]
struct Knot {
    a: usize,
    b: usize,
    diode: Ready,
    /// Where the last answer of the diode lay.
    near: f64,
}

/// The diodes that matter, found by a sweep over all, and for how long the sweep holds.
#[derive(Debug, Clone, Default)]
struct Sweep {
    /// Those above their floor.
    awake: Vec<usize>,
    /// How many of them have gone below it since.
    drowsy: usize,
    /// Saturation currents of the others, from each node.
    asleep: Vec<f64>,
    /// Voltages at the sweep.
    volts: Vec<f64>,
    /// How far the nearest of the others was below its floor.
    room_volts: f64,
}

/// A part whose current without voltage may change at every step.
#[derive(Debug, Clone, Copy)]
struct Drive {
    a: usize,
    b: usize,
    part: usize,
    siemens: f64,
}

/// Everything about a network that stays the same while no part is exchanged. Ground is the node
/// behind the last one and reads 0 V.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    per_second: f64,
    nodes: usize,
    /// Conductance of the linear parts at each node.
    linear: Vec<f64>,
    /// Linear parts between two nodes.
    links: Vec<Coupling>,
    sources: Vec<Drive>,
    capacitors: Vec<Drive>,
    diodes: Vec<Knot>,
    /// Other parts that are not linear.
    knees: Vec<usize>,
    /// Those that are.
    straight: Vec<usize>,
    /// Current of the sources into each node.
    driven: Vec<f64>,
    sweep: Sweep,
    volts: Vec<f64>,
    diagonal: Vec<f64>,
    couplings: Vec<Coupling>,
    residual: Vec<f64>,
}

/// Whether a part's place in the plan depends on its kind only.
pub(super) const fn is_linear(part: Part) -> bool {
    !matches!(part, Part::Diode(_) | Part::Knee { .. })
}

impl Plan {
    /// Sorts all parts.
    pub(super) fn sort(&mut self, nodes: usize, parts: &[Placed]) {
        self.nodes = nodes;
        self.straight.clear();
        self.diodes.clear();
        self.knees.clear();
        self.sweep = Sweep::default();
        for (index, placed) in parts.iter().enumerate() {
            match placed.part {
                Part::Diode(diode) => self.diodes.push(Knot {
                    a: placed.a.min(nodes),
                    b: placed.b.min(nodes),
                    diode: diode.ready(),
                    near: 0.0,
                }),
                Part::Knee { .. } => self.knees.push(index),
                _ => self.straight.push(index),
            }
        }
    }

    /// Sums up the linear parts.
    pub(super) fn sum_linear(&mut self, parts: &[Placed], per_second: f64) {
        let nodes = self.nodes;
        self.per_second = per_second;
        self.linear.clear();
        self.linear.resize(nodes + 1, LEAK_SIEMENS);
        self.driven.resize(nodes + 1, 0.0);
        self.links.clear();
        self.sources.clear();
        self.capacitors.clear();
        for index in &self.straight {
            let placed = &parts[*index];
            let (a, b) = (placed.a.min(nodes), placed.b.min(nodes));
            let mut drive = Drive {
                a,
                b,
                part: *index,
                siemens: 0.0,
            };
            match placed.part {
                Part::Resistor(ohms) => drive.siemens = 1.0 / ohms,
                Part::Source { ohms, .. } => {
                    drive.siemens = 1.0 / ohms;
                    self.sources.push(drive);
                }
                Part::Current(_) => self.sources.push(drive),
                Part::Capacitor(farads) => {
                    drive.siemens = farads * per_second;
                    if drive.siemens > 0.0 {
                        self.capacitors.push(drive);
                    }
                }
                Part::Open | Part::Diode(_) | Part::Knee { .. } => {}
            }
            let siemens = drive.siemens;
            self.linear[a] += siemens;
            self.linear[b] += siemens;
            if siemens > 0.0 && a < nodes && b < nodes && a != b {
                self.links.push(Coupling { a, b, siemens });
            }
        }
    }

    pub(super) const fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Takes the present values of sources and capacitors.
    pub(super) fn sum_sources(&mut self, parts: &[Placed]) {
        self.driven.fill(0.0);
        for s in &self.sources {
            let amps = match parts[s.part].part {
                Part::Source { volts, .. } => volts * s.siemens,
                Part::Current(amps) => -amps,
                _ => 0.0,
            };
            self.driven[s.a] += amps;
            self.driven[s.b] -= amps;
        }
        for c in &self.capacitors {
            let amps = parts[c.part].before * c.siemens;
            self.driven[c.a] += amps;
            self.driven[c.b] -= amps;
        }
    }

    /// Fills Jacobian and residual at these voltages; returns the largest residual current.
    pub(super) fn stamp(&mut self, volts: &[f64], parts: &[Placed]) -> f64 {
        let n = self.nodes;
        self.volts.clear();
        self.volts.extend_from_slice(volts);
        self.volts.push(0.0);
        self.sweep_diodes();
        self.diagonal.clear();
        self.diagonal.extend_from_slice(&self.linear);
        self.couplings.clear();
        self.couplings.extend_from_slice(&self.links);
        self.residual.clear();
        let held = self.volts.iter().zip(&self.linear).zip(&self.driven);
        self.residual.extend(held.map(|((v, g), s)| v * g - s));
        let (v, r) = (&self.volts, &mut self.residual);
        for link in &self.links {
            r[link.a] -= link.siemens * v[link.b];
            r[link.b] -= link.siemens * v[link.a];
        }
        let mut couple = |a: usize, b: usize, siemens: f64| {
            if siemens > COUPLING_SIEMENS {
                self.diagonal[a] += siemens;
                self.diagonal[b] += siemens;
                if a < n && b < n {
                    self.couplings.push(Coupling { a, b, siemens });
                }
            }
        };
        for (r, asleep) in r.iter_mut().zip(&self.sweep.asleep) {
            *r += asleep;
        }
        let mut drowsy = 0;
        for index in &self.sweep.awake {
            let knot = &mut self.diodes[*index];
            let across = v[knot.a] - v[knot.b];
            drowsy += usize::from(across < knot.diode.floor_volts);
            let (amps, siemens) = knot.diode.current(across, &mut knot.near);
            r[knot.a] += amps;
            r[knot.b] -= amps;
            couple(knot.a, knot.b, siemens);
        }
        self.sweep.drowsy = drowsy;
        for index in &self.knees {
            let placed = &parts[*index];
            let (a, b) = (placed.a.min(n), placed.b.min(n));
            let (amps, siemens) = law(placed, v[a] - v[b], self.per_second);
            r[a] += amps;
            r[b] -= amps;
            couple(a, b, siemens);
        }
        r.truncate(n);
        r.iter().fold(0.0_f64, |m, r| m.max(r.abs()))
    }

    /// A diode wakes when its nodes have moved further than the room it had, and not before.
    fn sweep_diodes(&mut self) {
        let sweep = &mut self.sweep;
        if sweep.volts.len() == self.volts.len() && sweep.drowsy <= DROWSY {
            let pairs = self.volts.iter().zip(&sweep.volts);
            let (up, down) = pairs.fold((0.0_f64, 0.0_f64), |(up, down), (v, at)| {
                (up.max(v - at), down.max(at - v))
            });
            if up + down < sweep.room_volts {
                return;
            }
        }
        sweep.drowsy = 0;
        sweep.awake.clear();
        sweep.asleep.clear();
        sweep.asleep.resize(self.nodes + 1, 0.0);
        sweep.room_volts = f64::INFINITY;
        for (index, knot) in self.diodes.iter().enumerate() {
            let room = knot.diode.floor_volts - (self.volts[knot.a] - self.volts[knot.b]);
            if room > 0.0 {
                sweep.room_volts = sweep.room_volts.min(room);
                sweep.asleep[knot.a] -= knot.diode.saturation_amps;
                sweep.asleep[knot.b] += knot.diode.saturation_amps;
            } else {
                sweep.awake.push(index);
            }
        }
        sweep.volts.clone_from(&self.volts);
    }

    /// The system that the last stamp made: diagonal, couplings, and the residual, in whose place
    /// the solution goes.
    pub(super) fn system(&mut self) -> (&[f64], &[Coupling], &mut [f64]) {
        (
            &self.diagonal[..self.nodes],
            &self.couplings,
            &mut self.residual,
        )
    }
}
