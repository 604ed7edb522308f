//! The Fourier transform of the block processors, without allocation after set-up.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Gives every transform of a length the same tables: those of hundreds of calls would drive each other out of the cache.
static PLANNER: LazyLock<Mutex<RealFftPlanner<f32>>> =
    LazyLock::new(|| Mutex::new(RealFftPlanner::new()));

/// A real transform of one length, both ways.
#[derive(Clone)]
pub(crate) struct Fft {
    length: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    scratch: Vec<Complex32>,
    real: Vec<f32>,
    complex: Vec<Complex32>,
}

impl fmt::Debug for Fft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fft")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Fft {
    pub(crate) fn new(length: usize) -> Fft {
        let mut planner = PLANNER.lock().unwrap_or_else(PoisonError::into_inner);
        let forward = planner.plan_fft_forward(length);
        let inverse = planner.plan_fft_inverse(length);
        drop(planner);
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        Fft {
            length,
            forward,
            inverse,
            scratch: vec![Complex32::default(); scratch],
            real: vec![0.0; length],
            complex: vec![Complex32::default(); length / 2 + 1],
        }
    }

    /// The spectrum of `input`, `length / 2 + 1` values.
    pub(crate) fn forward(&mut self, input: &[f32], output: &mut [Complex32]) {
        self.real.copy_from_slice(input);
        // The lengths are those of the plan; there is no other error.
        let _ = self
            .forward
            .process_with_scratch(&mut self.real, output, &mut self.scratch);
    }

    /// The signal of a spectrum, scaled so that it undoes [`Fft::forward`].
    pub(crate) fn inverse(&mut self, input: &[Complex32], output: &mut [f32]) {
        self.complex.copy_from_slice(input);
        if let Some(first) = self.complex.first_mut() {
            first.im = 0.0;
        }
        if let Some(last) = self.complex.last_mut() {
            last.im = 0.0;
        }
        let _ = self
            .inverse
            .process_with_scratch(&mut self.complex, output, &mut self.scratch);
        let scale = 1.0 / self.length as f32;
        output.iter_mut().for_each(|x| *x *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inverse_undoes_forward() {
        let mut fft = Fft::new(160);
        let input: Vec<f32> = (0..160).map(|n| ((n * n) as f32 * 0.37).sin()).collect();
        let mut spectrum = vec![Complex32::default(); 81];
        let mut back = vec![0.0; 160];
        fft.forward(&input, &mut spectrum);
        fft.inverse(&spectrum, &mut back);
        assert!(input.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
