//! Least-squares fit of a few sinusoids and a constant to a stretch of samples.

/// Most sinusoids in one fit.
pub(super) const MAX_TONES: usize = 4;
/// A limit below this one says that the samples are clipped at it; who leaves no samples out gives a higher one.
pub(super) const CLIPPED: f32 = 4.0;
const MAX_UNKNOWNS: usize = 2 * MAX_TONES + 1;

/// What a fit found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fit {
    /// Peak amplitude of each sinusoid.
    pub(super) peak: [f64; MAX_TONES],
    /// Phase of each at the first sample, radians.
    pub(super) phase: [f64; MAX_TONES],
    /// What the sinusoids and the constant leave unexplained, as a share of the energy about the mean.
    pub(super) residual: f64,
    /// The constant.
    pub(super) constant: f64,
}

impl Fit {
    /// Whether the samples that the fit left out are as it says: by how much, as a share of the energy of the others, the
    /// sinusoids stay below `limit` where the samples reach it. They were cut off there, so what was meant lies beyond.
    pub(super) fn short_of(&self, samples: &[f32], tones: &[f64], limit: f32) -> f64 {
        let mut turning: [((f64, f64), (f64, f64)); MAX_TONES] = std::array::from_fn(|i| {
            let step = tones.get(i).copied().unwrap_or(0.0);
            let (peak, phase) = (self.peak[i], self.phase[i]);
            (
                (peak * phase.cos(), peak * phase.sin()),
                (step.cos(), step.sin()),
            )
        });
        let (mut short, mut energy) = (0.0, 0.0);
        for sample in samples {
            let mut model = self.constant;
            for ((c, s), (dc, ds)) in &mut turning {
                model += *c;
                (*c, *s) = (*c * *dc - *s * *ds, *c * *ds + *s * *dc);
            }
            if sample.is_finite() && sample.abs() >= limit {
                let missing = f64::from(limit) - model * f64::from(sample.signum());
                short += missing.max(0.0).powi(2);
            } else if sample.is_finite() {
                energy += f64::from(*sample).powi(2);
            }
        }
        short / f64::max(energy, 1e-9)
    }
}

/// Fits sinusoids of these angular frequencies (radians per sample). Samples at or beyond `limit` in magnitude are left out:
/// they are clipped and say only that they are large.
pub(super) fn fit(samples: &[f32], tones: &[f64], limit: f32) -> Option<Fit> {
    let tones = tones.get(..tones.len().min(MAX_TONES))?;
    let unknowns = 2 * tones.len() + 1;
    let mut matrix = [[0.0_f64; MAX_UNKNOWNS + 1]; MAX_UNKNOWNS];
    let mut basis = [0.0_f64; MAX_UNKNOWNS];
    let mut rotation = [(1.0_f64, 0.0_f64); MAX_TONES];
    let step: [(f64, f64); MAX_TONES] = std::array::from_fn(|i| {
        let w = tones.get(i).copied().unwrap_or(0.0);
        (w.cos(), w.sin())
    });
    let (mut count, mut sum, mut energy) = (0.0, 0.0, 0.0);
    basis[unknowns - 1] = 1.0;
    for sample in samples {
        for (i, (c, s)) in rotation.iter_mut().take(tones.len()).enumerate() {
            basis[2 * i] = *c;
            basis[2 * i + 1] = *s;
            let (dc, ds) = step[i];
            (*c, *s) = (*c * dc - *s * ds, *c * ds + *s * dc);
        }
        if sample.abs() >= limit {
            continue;
        }
        let x = f64::from(*sample);
        count += 1.0;
        sum += x;
        energy += x * x;
        for row in 0..unknowns {
            for column in row..unknowns {
                matrix[row][column] += basis[row] * basis[column];
            }
            matrix[row][MAX_UNKNOWNS] += basis[row] * x;
        }
    }
    let upper = matrix;
    for (row, values) in matrix.iter_mut().enumerate().take(unknowns) {
        for (column, value) in values.iter_mut().enumerate().take(row) {
            *value = upper[column][row];
        }
    }
    let right: [f64; MAX_UNKNOWNS] = std::array::from_fn(|row| matrix[row][MAX_UNKNOWNS]);
    let solution = solve(&mut matrix, unknowns)?;
    // |x - model|^2 = |x|^2 - solution . right for a least-squares solution.
    let explained: f64 = solution
        .iter()
        .zip(&right)
        .take(unknowns)
        .map(|(a, b)| a * b)
        .sum();
    let about_mean = energy - sum * sum / f64::max(count, 1.0);
    if about_mean <= 1e-9 {
        return None;
    }
    let mut out = Fit {
        residual: (energy - explained).max(0.0) / about_mean,
        constant: solution[unknowns - 1],
        ..Fit::default()
    };
    for i in 0..tones.len() {
        let (c, s) = (solution[2 * i], solution[2 * i + 1]);
        out.peak[i] = c.hypot(s);
        out.phase[i] = (-s).atan2(c);
    }
    Some(out)
}

/// Gauss elimination with pivoting; `None` when the system is singular.
fn solve(
    matrix: &mut [[f64; MAX_UNKNOWNS + 1]; MAX_UNKNOWNS],
    unknowns: usize,
) -> Option<[f64; MAX_UNKNOWNS]> {
    for pivot in 0..unknowns {
        let best = (pivot..unknowns)
            .max_by(|a, b| matrix[*a][pivot].abs().total_cmp(&matrix[*b][pivot].abs()))?;
        matrix.swap(pivot, best);
        let head = matrix[pivot];
        if head[pivot].abs() < 1e-9 {
            return None;
        }
        for row in matrix.iter_mut().take(unknowns).skip(pivot + 1) {
            let factor = row[pivot] / head[pivot];
            for (slot, above) in row.iter_mut().zip(&head).skip(pivot) {
                *slot -= factor * above;
            }
        }
    }
    let mut solution = [0.0; MAX_UNKNOWNS];
    for row in (0..unknowns).rev() {
        let known: f64 = (row + 1..unknowns)
            .map(|c| matrix[row][c] * solution[c])
            .sum();
        solution[row] = (matrix[row][MAX_UNKNOWNS] - known) / matrix[row][row];
    }
    Some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tones_and_an_offset_are_found_exactly() {
        let (w1, w2) = (0.55, 1.05);
        let samples: Vec<f32> = (0..272)
            .map(|n| {
                let n = f64::from(n);
                (0.3 * (w1 * n + 0.5).cos() + 0.1 * (w2 * n - 1.0).cos() + 0.05) as f32
            })
            .collect();
        let found = fit(&samples, &[w1, w2], 2.0).unwrap();
        assert!((found.peak[0] - 0.3).abs() < 1e-5 && (found.peak[1] - 0.1).abs() < 1e-5);
        assert!((found.phase[0] - 0.5).abs() < 1e-4 && (found.phase[1] + 1.0).abs() < 1e-4);
        assert!(found.residual < 1e-6);
    }

    #[test]
    fn what_clipping_cut_off_lies_beyond_the_limit() {
        let tones = [0.55, 1.05];
        let whole = |n: u16| {
            let n = f64::from(n);
            0.3 * (tones[0] * n).cos() + 0.2 * (tones[1] * n).cos()
        };
        let clipped: Vec<f32> = (0..272)
            .map(|n| whole(n).clamp(-0.25, 0.25) as f32)
            .collect();
        let found = fit(&clipped, &tones, 0.24).unwrap();
        assert!(found.short_of(&clipped, &tones, 0.24) < 1e-6);
        // The same with something else that is cut off where the tones are low.
        let other: Vec<f32> = (0..272)
            .zip(&clipped)
            .map(|(n, x)| if n % 24 < 2 { 0.25 } else { *x })
            .collect();
        let found = fit(&other, &tones, 0.24).unwrap();
        let short = found.short_of(&other, &tones, 0.24);
        assert!(found.residual < 1e-6 && short > 0.01, "{short}");
    }

    #[test]
    fn silence_and_nonsense_give_nothing() {
        assert!(fit(&[0.0; 272], &[0.5, 1.0], 2.0).is_none());
        assert!(fit(&[0.1; 272], &[0.5, 0.5], 2.0).is_none());
        assert!(fit(&[], &[0.5], 2.0).is_none());
    }
}
