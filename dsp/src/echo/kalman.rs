//! The filter that is heard: a Kalman filter in each bin (Enzner and Vary 2006, partitioned by Kuech et al. 2014).
//!
//! Beside each weight stands how much doubt there is about it. A step is as large as the doubt is against everything else in
//! the microphone, so a filter that has learned for some seconds hardly moves when the near end talks. The path is taken to
//! stand still ([`KEEP`] is nearly 1); when it does not, the scout says so and the doubt is raised. It is raised too where the error
//! is in step with the echo (`suspicion`).

use super::far::FarEnd;
use super::filter::Filter;
use super::spectra::View;
use super::suspicion::Suspicion;
use super::{LEAST, Shape};

/// How much of a weight's square is still believed in a block later: the path drifts by -50 dB in a block.
const KEEP: f32 = 0.999_99;
/// Doubt about a weight of which nothing is known.
const UNKNOWN: f32 = 0.3;
/// Weight of the past in the power of what is not echo.
const NEAR_MEMORY: f32 = 0.9;
/// Weight of a block in what is told about the doubt, 100 ms.
const TOLD: f32 = 0.1;

/// Doubt about every weight, and the powers it is weighed against.
#[derive(Debug, Clone)]
pub(super) struct Kalman {
    shape: Shape,
    doubt: Vec<f32>,
    /// Power of what is not echo.
    near: Vec<f32>,
    /// Power of the echo that the doubt leaves in this block.
    left: Vec<f32>,
    scale: Vec<f32>,
    doubtful_echo: Vec<f32>,
    echo: Vec<f32>,
    suspicion: Option<Suspicion>,
    /// Share of each weight's square that is doubted at least.
    least: Vec<f32>,
}

impl Kalman {
    pub(super) fn new(shape: Shape) -> Kalman {
        let bins = vec![0.0; shape.stride];
        Kalman {
            shape,
            doubt: vec![UNKNOWN; shape.partitions * shape.stride],
            near: bins.clone(),
            left: bins.clone(),
            scale: bins.clone(),
            doubtful_echo: bins.clone(),
            echo: bins,
            suspicion: None,
            least: vec![0.0; shape.stride],
        }
    }

    /// One that also suspects what is in step with its error.
    pub(super) fn suspicious(shape: Shape) -> Kalman {
        Kalman {
            suspicion: Some(Suspicion::new(shape)),
            ..Kalman::new(shape)
        }
    }

    pub(super) fn reset(&mut self) {
        self.reset_to(UNKNOWN);
    }

    /// Forgets what was known of the filter, and doubts each weight that much.
    pub(super) fn reset_to(&mut self, doubt: f32) {
        self.doubt.fill(doubt);
    }

    /// The filter was replaced by one of which this share of the echo's power may be wrong.
    pub(super) fn doubt_at_least(&mut self, filter: &Filter, share: f32) {
        for (partition, doubt) in self.doubt.chunks_exact_mut(self.shape.stride).enumerate() {
            let weights = filter.partition(partition);
            let mean = weights.power() / self.shape.bins as f32;
            for ((doubt, re), im) in doubt.iter_mut().zip(weights.re).zip(weights.im) {
                *doubt = doubt.max(0.5 * share * (mean + (re * re + im * im)) + 1e-6);
            }
        }
    }

    /// Forgets what was known of the filter, which was replaced by one of which this share may be wrong.
    pub(super) fn restart(&mut self, filter: &Filter, share: f32) {
        self.doubt.fill(0.0);
        self.doubt_at_least(filter, share);
    }

    /// Works out how much of the echo the doubt leaves in this block, for [`Kalman::left`] and [`Kalman::learn`].
    pub(super) fn weigh(&mut self, far: &FarEnd) {
        self.left.fill(0.0);
        for (partition, doubt) in self.doubt.chunks_exact(self.shape.stride).enumerate() {
            add(&mut self.left, doubt, far.spectrum(partition));
        }
    }

    /// Energy of the echo that the doubt left in the last block.
    pub(super) fn left_energy(&self) -> f32 {
        self.left.iter().sum::<f32>() / self.shape.bins as f32
    }

    /// Power of the echo that the doubt leaves in this block, bin by bin.
    pub(super) fn left(&self) -> &[f32] {
        &self.left
    }

    /// One step of the filter, behind [`Kalman::weigh`]. `other` is what the doubt about another filter leaves in the same error.
    pub(super) fn learn(
        &mut self,
        filter: &mut Filter,
        far: &FarEnd,
        error: View<'_>,
        other: &[f32],
    ) {
        self.follow(filter.echo_spectrum(), error, other);
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.follow(filter.echo_spectrum(), error, &mut self.least);
        }
        for (partition, doubt) in self.doubt.chunks_exact_mut(self.shape.stride).enumerate() {
            let (re, im) = filter.partition_mut(partition);
            let scales = (&self.scale[..], &self.least[..]);
            step(doubt, re, im, far.spectrum(partition), error, scales);
        }
    }

    /// Brings the powers up to date, and the scale of the steps that follows from them.
    fn follow(&mut self, echo: View<'_>, error: View<'_>, other: &[f32]) {
        for (((((((((slot, left), near), doubtful), mean), e_re), e_im), y_re), y_im), other) in
            self.scale
                .iter_mut()
                .zip(&self.left)
                .zip(&mut self.near)
                .zip(&mut self.doubtful_echo)
                .zip(&mut self.echo)
                .zip(error.re)
                .zip(error.im)
                .zip(echo.re)
                .zip(echo.im)
                .zip(other)
        {
            let now = e_re * e_re + e_im * e_im;
            let echo = y_re * y_re + y_im * y_im;
            *near = NEAR_MEMORY * *near + (1.0 - NEAR_MEMORY) * now + LEAST;
            *doubtful += TOLD * (left - *doubtful) + LEAST;
            *mean += TOLD * (echo - *mean) + LEAST;
            let largest = if *near > now { *near } else { now };
            *slot = 1.0 / (left + other + 2.0 * largest + 1e-7);
        }
    }

    /// Share of the echo's power that the doubt leaves, bin by bin.
    pub(super) fn tell(&self, out: &mut [f32]) {
        for ((slot, doubtful), echo) in out.iter_mut().zip(&self.doubtful_echo).zip(&self.echo) {
            *slot = (doubtful / (echo + 1e-9)).min(1.0);
        }
    }
}

// The loops below stand alone so that the compiler knows that what is written is not what is read.

#[inline(never)]
fn add(left: &mut [f32], doubt: &[f32], x: View<'_>) {
    for (((slot, doubt), re), im) in left.iter_mut().zip(doubt).zip(x.re).zip(x.im) {
        *slot += doubt * (re * re + im * im);
    }
}

/// One step of a partition: its weights, and the doubt about them. `scales` are those of the steps, and of the least doubt.
#[inline(never)]
fn step(
    doubt: &mut [f32],
    w_re: &mut [f32],
    w_im: &mut [f32],
    far: View<'_>,
    error: View<'_>,
    scales: (&[f32], &[f32]),
) {
    let (keep, forget) = (KEEP * KEEP, 1.0 - KEEP * KEEP);
    for ((((((((doubt, w_re), w_im), x_re), x_im), e_re), e_im), scale), wrong) in doubt
        .iter_mut()
        .zip(w_re)
        .zip(w_im)
        .zip(far.re)
        .zip(far.im)
        .zip(error.re)
        .zip(error.im)
        .zip(scales.0)
        .zip(scales.1)
    {
        let step = *doubt * scale;
        let re = *w_re + step * (x_re * e_re + x_im * e_im);
        let im = *w_im + step * (x_re * e_im - x_im * e_re);
        *w_re = re;
        *w_im = im;
        let power = x_re * x_re + x_im * x_im;
        let left = *doubt * (1.0 - 0.5 * step * power);
        let square = re * re + im * im;
        let after = keep * left + forget * square;
        let least = wrong * square + 1e-12;
        *doubt = if after > least { after } else { least };
    }
}
