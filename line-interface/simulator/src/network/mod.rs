//! Nodal analysis: any network of resistors, sources, capacitors and diodes, solved by Newton steps.
//!
//! Every element has two ends and a current that never falls when its voltage rises, so the
//! Jacobian is symmetric and positive definite: elimination without pivoting solves each step, and
//! the damped iteration cannot run away. Capacitors are backward-Euler companions.
//!
//! What makes it quick: the linear parts are summed up once and again only when one of them
//! changes; of the diodes only those that conduct couple nodes, and the order of elimination for
//! such a pattern is found once; and where a source jumps between two levels, as a ring does, the
//! search begins from what the network was the last time.

mod diode;
mod plan;
mod sparse;
mod spice;

pub use diode::Diode;
use plan::Plan;
use sparse::Sparse;

/// A node of a [`Network`]; [`Node::GROUND`] is the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node(usize);

impl Node {
    /// The reference, 0 V.
    pub const GROUND: Self = Self(usize::MAX);
}

/// A handle to change an element later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Element(usize);

/// What lies between two nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Part {
    /// Nothing.
    Open,
    /// A resistor, ohms.
    Resistor(f64),
    /// A source of volts behind ohms; its plus side is the first node.
    Source {
        /// Electromotive force.
        volts: f64,
        /// Resistance in series.
        ohms: f64,
    },
    /// A current that is given, amps, from the first node to the second.
    Current(f64),
    /// A capacitor, farads.
    Capacitor(f64),
    /// A diode with a resistor in series; it conducts from the first node to the second.
    Diode(Diode),
    /// A resistor behind an ideal knee: the law of the fast pair solver.
    Knee {
        /// Resistance in series.
        ohms: f64,
        /// Voltage of the knee.
        volts: f64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    a: usize,
    b: usize,
    part: Part,
    /// Voltage of a capacitor after the last step.
    before: f64,
}

/// Largest change of a node in one Newton step; a diode's exponential needs no more.
const MAX_STEP_VOLTS: f64 = 3.0;
/// Newton ends when the largest step is below this: the error then is its square over the 40 mV of
/// a diode, some nanovolts.
const DONE_VOLTS: f64 = 1e-5;
/// Or when no node has more current left than this.
const DONE_AMPS: f64 = 1e-9;
/// A source that moves by more than this may have been there before.
const JUMP_VOLTS: f64 = 0.5;
/// Width of the knee of [`Part::Knee`].
const KNEE_VOLTS: f64 = 0.05;
/// A network that nothing moved for so many steps stands still until something is changed.
const CALM_STEPS: u32 = 2;
const MAX_ITERATIONS: usize = 60;

/// A network and its state.
#[derive(Debug, Clone, Default)]
pub struct Network {
    volts: Vec<f64>,
    parts: Vec<Placed>,
    plan: Plan,
    sparse: Sparse,
    /// A part or its place is another one than the plan was made for.
    stale: bool,
    /// The same, of linear parts only.
    stale_linear: bool,
    /// Steps in which nothing moved, since anything was changed.
    calm: u32,
    /// A source has jumped since the last solution.
    jumped: bool,
    /// Where the network was before the last jump.
    before_jump: Vec<f64>,
}

impl Network {
    /// Adds a node at 0 V.
    pub fn node(&mut self) -> Node {
        self.volts.push(0.0);
        self.stale = true;
        self.calm = 0;
        Node(self.volts.len() - 1)
    }

    /// Places a part between two nodes.
    pub fn place(&mut self, a: Node, b: Node, part: Part) -> Element {
        self.parts.push(Placed {
            a: a.0,
            b: b.0,
            part,
            before: 0.0,
        });
        self.stale = true;
        self.calm = 0;
        Element(self.parts.len() - 1)
    }

    /// Puts another part where one was.
    pub fn set(&mut self, element: Element, part: Part) {
        let Some(placed) = self.parts.get_mut(element.0) else {
            return;
        };
        if placed.part == part {
            return;
        }
        self.calm = 0;
        // Another voltage or current in the same place leaves the sums as they are.
        let (same, moved) = match (placed.part, part) {
            (
                Part::Source { volts, ohms },
                Part::Source {
                    volts: to,
                    ohms: also,
                },
            ) if ohms == also => (true, (to - volts).abs()),
            (Part::Current(_), Part::Current(_)) => (true, 0.0),
            _ => (false, f64::INFINITY),
        };
        let straight = plan::is_linear(placed.part) && plan::is_linear(part);
        placed.part = part;
        self.stale_linear |= !same;
        self.stale |= !same && !straight;
        self.jumped |= moved > JUMP_VOLTS;
    }

    /// Moves both ends of a part.
    pub fn turn(&mut self, element: Element, (a, b): (Node, Node)) {
        if let Some(placed) = self.parts.get_mut(element.0)
            && (placed.a, placed.b) != (a.0, b.0)
        {
            (placed.a, placed.b) = (a.0, b.0);
            self.stale = true;
            self.calm = 0;
        }
    }

    /// Voltage of a node after the last solution.
    #[must_use]
    pub fn volts(&self, node: Node) -> f64 {
        at(&self.volts, node.0)
    }

    /// Starts a node from a voltage; capacitors at it hold the same.
    pub fn preset(&mut self, node: Node, volts: f64) {
        if let Some(v) = self.volts.get_mut(node.0) {
            *v = volts;
        }
        self.calm = 0;
        self.charge();
    }

    /// Current through a part, from its first node to its second, after the last solution. A
    /// capacitor counts as none.
    #[must_use]
    pub fn amps(&self, element: Element) -> f64 {
        self.parts.get(element.0).map_or(0.0, |p| match p.part {
            Part::Capacitor(_) => 0.0,
            _ => law(p, at(&self.volts, p.a) - at(&self.volts, p.b), 0.0).0,
        })
    }

    /// Number of nodes apart from ground.
    #[must_use]
    pub fn size(&self) -> usize {
        self.volts.len()
    }

    /// The operating point: capacitors carry no current. Returns whether Newton settled.
    pub fn settle(&mut self) -> bool {
        self.calm = 0;
        let settled = self.newton(0.0);
        self.calm = 0;
        self.charge();
        settled
    }

    /// One step of `seconds`. Returns whether Newton settled.
    pub fn step(&mut self, seconds: f64) -> bool {
        let per_second = 1.0 / seconds;
        // Twice the same from the same: the third time is the same too.
        if self.calm >= CALM_STEPS && self.plan.per_second() == per_second {
            return true;
        }
        let settled = self.newton(per_second);
        self.charge();
        settled
    }

    fn charge(&mut self) {
        for p in &mut self.parts {
            if matches!(p.part, Part::Capacitor(_)) {
                p.before = at(&self.volts, p.a) - at(&self.volts, p.b);
            }
        }
    }

    fn newton(&mut self, per_second: f64) -> bool {
        let stale = std::mem::take(&mut self.stale);
        if stale {
            self.plan.sort(self.volts.len(), &self.parts);
        }
        if stale | std::mem::take(&mut self.stale_linear) || self.plan.per_second() != per_second {
            self.plan.sum_linear(&self.parts, per_second);
        }
        self.plan.sum_sources(&self.parts);
        if std::mem::take(&mut self.jumped) {
            self.begin_from_before();
        }
        for iteration in 0..MAX_ITERATIONS {
            if self.plan.stamp(&self.volts, &self.parts) < DONE_AMPS {
                self.calm = if iteration == 0 { self.calm + 1 } else { 0 };
                return true;
            }
            let (diagonal, couplings, residual) = self.plan.system();
            self.sparse.solve(diagonal, couplings, residual);
            let largest = residual.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
            let damp = (MAX_STEP_VOLTS / largest.max(1e-30)).min(1.0);
            for (v, s) in self.volts.iter_mut().zip(residual.iter()) {
                *v -= damp * s;
            }
            if largest < DONE_VOLTS {
                self.calm = 0;
                return true;
            }
        }
        self.calm = 0;
        false
    }

    /// A source that jumps to and fro finds the network near where it was the last time.
    fn begin_from_before(&mut self) {
        if self.before_jump.len() == self.volts.len() {
            let here = self.plan.stamp(&self.volts, &self.parts);
            let there = self.plan.stamp(&self.before_jump, &self.parts);
            if there < here {
                self.calm = 0;
                std::mem::swap(&mut self.volts, &mut self.before_jump);
                return;
            }
        }
        self.before_jump.clone_from(&self.volts);
    }
}

/// Ground, being no index of the vector, reads 0.
fn at(values: &[f64], i: usize) -> f64 {
    values.get(i).copied().unwrap_or(0.0)
}

/// Current and slope of a part at `v`.
fn law(p: &Placed, v: f64, per_second: f64) -> (f64, f64) {
    match p.part {
        Part::Open => (0.0, 0.0),
        Part::Current(amps) => (amps, 0.0),
        Part::Resistor(ohms) => (v / ohms, 1.0 / ohms),
        Part::Source { volts, ohms } => ((v - volts) / ohms, 1.0 / ohms),
        Part::Capacitor(farads) => {
            let g = farads * per_second;
            ((v - p.before) * g, g)
        }
        Part::Diode(diode) => diode.current(v),
        Part::Knee { ohms, volts } => {
            // As `circuit::diode_branch`, in double precision: Newton ends at nanoamperes here.
            let x = (v - volts) / KNEE_VOLTS;
            let soft = x.max(0.0) + (-x.abs()).exp().ln_1p();
            (KNEE_VOLTS * soft / ohms, 1.0 / (1.0 + (-x).exp()) / ohms)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ladder_of_resistors_divides_as_ohm_says() {
        let mut net = Network::default();
        let (a, b, c) = (net.node(), net.node(), net.node());
        net.place(
            a,
            Node::GROUND,
            Part::Source {
                volts: 12.0,
                ohms: 100.0,
            },
        );
        net.place(a, b, Part::Resistor(200.0));
        net.place(b, c, Part::Resistor(300.0));
        let last = net.place(c, Node::GROUND, Part::Resistor(600.0));
        assert!(net.settle());
        for (node, volts) in [(a, 11.0), (b, 9.0), (c, 6.0)] {
            assert!((net.volts(node) - volts).abs() < 1e-6);
        }
        assert!((net.amps(last) - 0.01).abs() < 1e-9);
    }

    #[test]
    fn a_capacitor_charges_in_its_time_constant() {
        let mut net = Network::default();
        let a = net.node();
        net.place(
            a,
            Node::GROUND,
            Part::Source {
                volts: 1.0,
                ohms: 1e4,
            },
        );
        net.place(a, Node::GROUND, Part::Capacitor(1e-6));
        for _ in 0..1000 {
            assert!(net.step(1e-5));
        }
        assert!((net.volts(a) - 0.632).abs() < 0.003, "{}", net.volts(a));
    }

    #[test]
    fn diodes_conduct_one_way_and_the_current_balances_everywhere() {
        for volts in [-12.0, -1.0, 0.3, 1.0, 12.0] {
            let mut net = Network::default();
            let (a, b) = (net.node(), net.node());
            let source = net.place(a, Node::GROUND, Part::Source { volts, ohms: 250.0 });
            let diode = net.place(a, b, Part::Diode(Diode::handset(45.0)));
            let back = net.place(b, a, Part::Diode(Diode::handset(45.0)));
            let load = net.place(b, Node::GROUND, Part::Resistor(100.0));
            assert!(net.settle(), "{volts}");
            assert!((net.amps(source) + net.amps(load)).abs() < 1e-8);
            assert!((net.amps(diode) - net.amps(back) - net.amps(load)).abs() < 1e-8);
            assert!(net.amps(if volts > 0.0 { back } else { diode }).abs() < 1e-8);
        }
    }
}
