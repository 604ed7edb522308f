//! Elimination of a symmetric positive definite system with few couplings.
//!
//! Which entries fill, and in which order nodes are best eliminated (those with the fewest
//! neighbours first), depends on the couplings alone. It is found once for a pattern and kept: a
//! line that rings goes to and fro between a handful of them.

use super::plan::Coupling;

/// Patterns that are remembered.
const PATTERNS: usize = 8;
/// Least pivot; a node that nothing holds would have none.
const LEAST_PIVOT: f64 = 1e-18;

/// Elimination of one node.
#[derive(Debug, Clone, Copy)]
struct Step {
    node: usize,
    /// Its entries, and the updates that they cause.
    from: usize,
    to: usize,
    updates: usize,
}

/// The order of elimination for one pattern of couplings.
#[derive(Debug, Clone, Default)]
struct Pattern {
    /// Ends of the couplings that it is for.
    key: Vec<(usize, usize)>,
    nodes: usize,
    /// Entry of each coupling.
    slots: Vec<usize>,
    steps: Vec<Step>,
    /// The other node of each entry.
    rows: Vec<usize>,
    /// Entries that a step's pairs of entries update, in order.
    targets: Vec<usize>,
}

impl Pattern {
    fn new(nodes: usize, couplings: &[Coupling]) -> Self {
        let mut joined = vec![false; nodes * nodes];
        for c in couplings {
            joined[c.a * nodes + c.b] = true;
            joined[c.b * nodes + c.a] = true;
        }
        let mut left = vec![true; nodes];
        let mut pattern = Self {
            key: couplings.iter().map(|c| (c.a, c.b)).collect(),
            nodes,
            ..Self::default()
        };
        let mut slot_of = vec![usize::MAX; nodes * nodes];
        for _ in 0..nodes {
            let neighbours = |node: &usize| {
                let row = &joined[node * nodes..(node + 1) * nodes];
                row.iter().zip(&left).filter(|(j, l)| **j && **l).count()
            };
            let Some(node) = (0..nodes).filter(|node| left[*node]).min_by_key(neighbours) else {
                break;
            };
            left[node] = false;
            let from = pattern.rows.len();
            for other in (0..nodes).filter(|o| left[*o] && joined[node * nodes + *o]) {
                slot_of[node * nodes + other] = pattern.rows.len();
                slot_of[other * nodes + node] = pattern.rows.len();
                pattern.rows.push(other);
            }
            let to = pattern.rows.len();
            for (i, a) in pattern.rows[from..to].iter().enumerate() {
                for b in &pattern.rows[from + i + 1..to] {
                    joined[a * nodes + b] = true;
                    joined[b * nodes + a] = true;
                }
            }
            pattern.steps.push(Step {
                node,
                from,
                to,
                updates: 0,
            });
        }
        // Entries are numbered now, so those that fill are known.
        for step in &mut pattern.steps {
            step.updates = pattern.targets.len();
            let rows = &pattern.rows[step.from..step.to];
            for (i, a) in rows.iter().enumerate() {
                let others = rows.iter().skip(i + 1);
                pattern
                    .targets
                    .extend(others.map(|b| slot_of[a * nodes + b]));
            }
        }
        pattern.slots = couplings
            .iter()
            .map(|c| slot_of[c.a * nodes + c.b])
            .collect();
        pattern
    }

    fn fits(&self, nodes: usize, couplings: &[Coupling]) -> bool {
        self.nodes == nodes
            && self.key.len() == couplings.len()
            && self
                .key
                .iter()
                .zip(couplings)
                .all(|(key, c)| *key == (c.a, c.b))
    }
}

/// A solver that remembers patterns.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    /// The one used last is the first.
    patterns: Vec<Pattern>,
    entries: Vec<f64>,
    factors: Vec<f64>,
    pivots: Vec<f64>,
}

impl Sparse {
    /// Solves for `b` in its place. `diagonal` holds the sums of the couplings of each node.
    pub(super) fn solve(&mut self, diagonal: &[f64], couplings: &[Coupling], b: &mut [f64]) {
        let nodes = diagonal.len();
        let known = self.patterns.iter().position(|p| p.fits(nodes, couplings));
        match known {
            Some(0) => {}
            Some(at) => self.patterns.swap(0, at),
            None => {
                self.patterns.truncate(PATTERNS - 1);
                self.patterns.insert(0, Pattern::new(nodes, couplings));
            }
        }
        let Some(pattern) = self.patterns.first() else {
            return;
        };
        self.entries.clear();
        self.entries.resize(pattern.rows.len(), 0.0);
        for (slot, c) in pattern.slots.iter().zip(couplings) {
            self.entries[*slot] -= c.siemens;
        }
        self.factors.clear();
        self.factors.resize(pattern.rows.len(), 0.0);
        self.pivots.clear();
        self.pivots.extend_from_slice(diagonal);
        // Factors, and the forward substitution by the way.
        for step in &pattern.steps {
            let inverse = 1.0 / self.pivots[step.node].max(LEAST_PIVOT);
            self.pivots[step.node] = inverse;
            let known = b[step.node];
            let mut update = step.updates;
            for p in step.from..step.to {
                let entry = self.entries[p];
                let factor = entry * inverse;
                self.factors[p] = factor;
                self.pivots[pattern.rows[p]] -= factor * entry;
                b[pattern.rows[p]] -= factor * known;
                for q in p + 1..step.to {
                    let change = factor * self.entries[q];
                    self.entries[pattern.targets[update]] -= change;
                    update += 1;
                }
            }
        }
        for step in pattern.steps.iter().rev() {
            let mut value = b[step.node] * self.pivots[step.node];
            for p in step.from..step.to {
                value -= self.factors[p] * b[pattern.rows[p]];
            }
            b[step.node] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn any_pattern_is_solved_and_remembered_ones_again() {
        let mut rng = ChaCha12Rng::from_seed([3; 32]);
        let mut solver = Sparse::default();
        let mut seen: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
        for round in 0..600 {
            let mut below = |n: usize| rng.next_u32() as usize % n;
            // Every third time a pattern that was there before, with other values.
            let (nodes, ends) = if round % 3 == 2 {
                seen[below(seen.len())].clone()
            } else {
                let nodes = 1 + below(24);
                let count = below(nodes * 4);
                let pair = |below: &mut dyn FnMut(usize) -> usize| (below(nodes), below(nodes));
                let ends: Vec<_> = (0..count)
                    .map(|_| pair(&mut below))
                    .filter(|(a, b)| a != b)
                    .collect();
                (nodes, ends)
            };
            seen.push((nodes, ends.clone()));
            let mut part = || f64::from(below(1000) as u32 + 1) / 1000.0;
            let couplings: Vec<Coupling> = ends
                .into_iter()
                .map(|(a, b)| Coupling {
                    a,
                    b,
                    siemens: part(),
                })
                .collect();
            let mut diagonal: Vec<f64> = (0..nodes).map(|_| part() * 0.01).collect();
            for c in &couplings {
                diagonal[c.a] += c.siemens;
                diagonal[c.b] += c.siemens;
            }
            let wanted: Vec<f64> = (0..nodes).map(|_| part()).collect();
            let mut b: Vec<f64> = wanted.iter().zip(&diagonal).map(|(w, d)| w * d).collect();
            for c in &couplings {
                b[c.a] -= c.siemens * wanted[c.b];
                b[c.b] -= c.siemens * wanted[c.a];
            }
            solver.solve(&diagonal, &couplings, &mut b);
            for (got, wanted) in b.iter().zip(&wanted) {
                assert!((got - wanted).abs() < 1e-9, "{got} {wanted}");
            }
        }
        assert!(solver.patterns.len() <= PATTERNS);
    }
}
