//! Where a filter is wrong without knowing it.
//!
//! Strong bins spill into their neighbours, so a Kalman filter believes that it has learned bins in which hardly anything was ever
//! played. What is left of the echo then is in step with the echo estimate for many blocks, as no near end is: so the error is
//! correlated with the estimate in each bin, and what cannot be chance says how much of the estimate is wrong.

use super::spectra::View;
use super::{LEAST, Shape, settle};

/// Weight of the past in the correlation, 100 ms.
const MEMORY: f32 = 0.9;
/// Squared correlation over its variance from which it is no chance. Of one loud block it is 1, of many alike ones 19.
const CHANCE: f32 = 10.0;
/// Share from which it is rather a near end that is louder than the echo and for a moment alike.
const STRANGE: f32 = 0.3;
/// Largest share that is believed...
const MOST: f32 = 0.05;
/// ...and how much more is doubted, since partitions may err against each other.
const BEYOND: f32 = 30.0;

/// The correlation of error and echo estimate, bin by bin.
#[derive(Debug, Clone)]
pub(super) struct Suspicion {
    re: Vec<f32>,
    im: Vec<f32>,
    variance: Vec<f32>,
    echo: Vec<f32>,
}

impl Suspicion {
    pub(super) fn new(shape: Shape) -> Suspicion {
        let bins = vec![0.0; shape.stride];
        Suspicion {
            re: bins.clone(),
            im: bins.clone(),
            variance: bins.clone(),
            echo: bins,
        }
    }

    /// Takes the spectra of a block and writes what share of each weight's square is to be doubted at least, bin by bin. `error`
    /// covers the second half of the window only, as the filter's steps need it.
    pub(super) fn follow(&mut self, estimate: View<'_>, error: View<'_>, least: &mut [f32]) {
        const FRESH: f32 = 1.0 - MEMORY;
        let spectra = (estimate.re.iter().zip(estimate.im)).zip(error.re.iter().zip(error.im));
        for ((((((y_re, y_im), (e_re, e_im)), re), im), (variance, echo)), least) in spectra
            .zip(&mut self.re)
            .zip(&mut self.im)
            .zip(self.variance.iter_mut().zip(&mut self.echo))
            .zip(least)
        {
            let power = y_re * y_re + y_im * y_im;
            let left = e_re * e_re + e_im * e_im;
            *re = settle(MEMORY * *re + FRESH * (e_re * y_re + e_im * y_im));
            *im = settle(MEMORY * *im + FRESH * (e_im * y_re - e_re * y_im));
            *variance = MEMORY * MEMORY * *variance + FRESH * FRESH * power * left + LEAST;
            *echo = MEMORY * *echo + FRESH * power + LEAST;
            let excess = *re * *re + *im * *im - CHANCE * *variance;
            // Half of the estimate's window is all that the error can be in step with.
            let wrong = 4.0 * excess / (*echo * *echo + 1e-12);
            let believed = if wrong < MOST { wrong } else { MOST };
            let possible = (wrong > 0.0) & (wrong < STRANGE);
            *least = if possible { BEYOND * believed } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::spectra::Spectra;
    use super::*;
    use crate::Rate;

    fn noise(state: &mut u32) -> f32 {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 8) as f32 / 8_388_608.0 - 1.0
    }

    /// Mean share doubted over ten seconds of a tone between two bins, of which the error holds `wrong`, a quarter of a turn away,
    /// beside noise of this amplitude.
    fn doubted(wrong: f32, near: f32) -> f32 {
        let shape = Shape::new(Rate::Hz8000, 64);
        let (mut suspicion, mut state) = (Suspicion::new(shape), 7);
        let (mut estimate, mut error) = (Spectra::new(shape, 1), Spectra::new(shape, 1));
        let (mut least, mut sum) = (vec![0.0; shape.stride], 0.0);
        for block in 0..1000 {
            let phase = |n: usize| 0.13 * (block * shape.block + n) as f32;
            let played: Vec<f32> = (0..shape.window).map(|n| 0.1 * phase(n).sin()).collect();
            let left: Vec<f32> = (0..shape.window)
                .map(|n| {
                    if n < shape.block {
                        0.0
                    } else {
                        wrong * 0.1 * phase(n).cos() + near * noise(&mut state)
                    }
                })
                .collect();
            estimate.transform(0, &played);
            error.transform(0, &left);
            suspicion.follow(estimate.view(0), error.view(0), &mut least);
            sum += least[3];
        }
        sum / 1000.0
    }

    #[test]
    fn what_is_in_step_with_the_echo_is_doubted_and_a_near_end_is_not() {
        for (wrong, near) in [(0.1, 0.0), (0.1, 0.01), (0.3, 0.02)] {
            let share = doubted(wrong, near);
            assert!(share > wrong * wrong, "{wrong} beside {near}: {share}");
        }
        for near in [0.001, 0.01, 0.1, 1.0] {
            let share = doubted(0.0, near);
            assert!(share < 0.02, "nothing beside {near}: {share}");
        }
    }

    #[test]
    fn a_single_loud_block_proves_nothing() {
        let shape = Shape::new(Rate::Hz8000, 64);
        let (mut suspicion, mut least) = (Suspicion::new(shape), vec![1.0; shape.stride]);
        let mut loud = Spectra::new(shape, 1);
        let mut state = 3;
        let signal: Vec<f32> = (0..shape.window).map(|_| noise(&mut state)).collect();
        loud.transform(0, &signal);
        suspicion.follow(loud.view(0), loud.view(0), &mut least);
        assert!(least.iter().all(|share| *share == 0.0));
    }
}
