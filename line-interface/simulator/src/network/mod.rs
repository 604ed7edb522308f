//! Nodal analysis: any network of resistors, sources, capacitors and diodes, solved by Newton steps.
//!
//! Every element has two ends and a current that never falls when its voltage rises, so the
//! Jacobian is symmetric and positive definite: Cholesky without pivoting solves each step, and the
//! damped iteration cannot run away. Capacitors are backward-Euler companions.

mod diode;
mod spice;

pub use diode::Diode;

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
/// A node that nothing else holds leaks this to ground, so the Jacobian stays definite.
const LEAK_SIEMENS: f64 = 1e-12;
/// Newton ends when the largest step is below this.
const DONE_VOLTS: f64 = 1e-7;
/// Or when no node has more current left than this.
const DONE_AMPS: f64 = 1e-9;
/// Width of the knee of [`Part::Knee`].
const KNEE_VOLTS: f64 = 0.05;
const MAX_ITERATIONS: usize = 60;

/// A network and its state.
#[derive(Debug, Clone, Default)]
pub struct Network {
    volts: Vec<f64>,
    parts: Vec<Placed>,
    jacobian: Vec<f64>,
    residual: Vec<f64>,
}

impl Network {
    /// Adds a node at 0 V.
    pub fn node(&mut self) -> Node {
        self.volts.push(0.0);
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
        Element(self.parts.len() - 1)
    }

    /// Puts another part where one was.
    pub fn set(&mut self, element: Element, part: Part) {
        if let Some(placed) = self.parts.get_mut(element.0) {
            placed.part = part;
        }
    }

    /// Moves both ends of a part.
    pub fn turn(&mut self, element: Element, (a, b): (Node, Node)) {
        if let Some(placed) = self.parts.get_mut(element.0) {
            (placed.a, placed.b) = (a.0, b.0);
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
        let settled = self.newton(0.0);
        self.charge();
        settled
    }

    /// One step of `seconds`. Returns whether Newton settled.
    pub fn step(&mut self, seconds: f64) -> bool {
        let settled = self.newton(1.0 / seconds);
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
        for _ in 0..MAX_ITERATIONS {
            if self.stamp(per_second) < DONE_AMPS {
                return true;
            }
            solve(&mut self.jacobian, &mut self.residual);
            let largest = self.residual.iter().fold(0.0_f64, |m, s| m.max(s.abs()));
            let damp = (MAX_STEP_VOLTS / largest.max(1e-30)).min(1.0);
            for (v, s) in self.volts.iter_mut().zip(&self.residual) {
                *v -= damp * s;
            }
            if largest < DONE_VOLTS {
                return true;
            }
        }
        false
    }

    /// Fills Jacobian (lower triangle) and residual; returns the largest residual current.
    fn stamp(&mut self, per_second: f64) -> f64 {
        let n = self.volts.len();
        self.jacobian.clear();
        self.jacobian.resize(n * n, 0.0);
        self.residual.clear();
        self.residual
            .extend(self.volts.iter().map(|v| v * LEAK_SIEMENS));
        for i in 0..n {
            add(&mut self.jacobian, i * n + i, LEAK_SIEMENS);
        }
        for p in &self.parts {
            let (current, slope) = law(p, at(&self.volts, p.a) - at(&self.volts, p.b), per_second);
            if slope == 0.0 && current == 0.0 {
                continue;
            }
            add(&mut self.residual, p.a, current);
            add(&mut self.residual, p.b, -current);
            if p.a < n {
                add(&mut self.jacobian, p.a * n + p.a, slope);
            }
            if p.b < n {
                add(&mut self.jacobian, p.b * n + p.b, slope);
            }
            if p.a < n && p.b < n {
                add(&mut self.jacobian, p.a.max(p.b) * n + p.a.min(p.b), -slope);
            }
        }
        self.residual.iter().fold(0.0_f64, |m, r| m.max(r.abs()))
    }
}

/// Ground, being no index of the vector, reads 0.
fn at(values: &[f64], i: usize) -> f64 {
    values.get(i).copied().unwrap_or(0.0)
}

fn add(values: &mut [f64], i: usize, amount: f64) {
    if let Some(v) = values.get_mut(i) {
        *v += amount;
    }
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

/// Cholesky in place on the lower triangle, then both substitutions into `b`.
fn solve(a: &mut [f64], b: &mut [f64]) {
    let n = b.len();
    for j in 0..n {
        let (done, rest) = a.split_at_mut(j * n);
        let Some(row) = rest.get_mut(..n) else { return };
        // Row by row: the rows above are finished factors.
        for i in 0..j {
            let Some(above) = done.get(i * n..i * n + n) else {
                return;
            };
            let sum: f64 = dot(row, above, i);
            if let (Some(slot), Some(pivot)) = (row.get_mut(i), above.get(i)) {
                *slot = (*slot - sum) * pivot;
            }
        }
        let sum: f64 = row.iter().take(j).map(|v| v * v).sum();
        if let Some(slot) = row.get_mut(j) {
            // The inverse of the pivot is kept: substitutions then need no division.
            *slot = 1.0 / (*slot - sum).max(1e-18).sqrt();
        }
    }
    for i in 0..n {
        let Some(row) = a.get(i * n..i * n + n) else {
            return;
        };
        let sum = dot(row, b, i);
        if let (Some(slot), Some(pivot)) = (b.get_mut(i), row.get(i)) {
            *slot = (*slot - sum) * pivot;
        }
    }
    for i in (0..n).rev() {
        let (head, tail) = b.split_at_mut(i);
        let Some((slot, _)) = tail.split_first_mut() else {
            return;
        };
        let Some(row) = a.get(i * n..i * n + n) else {
            return;
        };
        *slot *= row.get(i).copied().unwrap_or(0.0);
        for (v, l) in head.iter_mut().zip(row) {
            *v -= l * *slot;
        }
    }
}

fn dot(a: &[f64], b: &[f64], n: usize) -> f64 {
    a.iter().zip(b).take(n).map(|(x, y)| x * y).sum()
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
