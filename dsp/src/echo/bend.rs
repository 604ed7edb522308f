//! What a loudspeaker bends: the echo of a signal that is clipped softly.
//!
//! A small loudspeaker near its limit, or an amplifier near its supply, adds harmonics that no linear filter makes. They rise where
//! the far end is loud, so a second, shorter filter learns the way of what soft clipping takes off the far end (a Hammerstein
//! model with one branch besides the linear one; Stenger and Kellermann 2000). Where nothing is clipped it stays near zero.

use super::control::Astray;
use super::far::FarEnd;
use super::filter::Filter;
use super::kalman::Kalman;
use super::spectra::View;
use super::{Shape, differ};
use crate::lanes::energy;

/// Steepness of the soft clipping: a sample of 1 / `STEEP` (-9.5 dBFS) loses 3 dB.
const STEEP: f32 = 3.0;
/// Gain of what is taken off, so that its power is about that of the far end at a usual level.
const GAIN: f32 = 4.0;
/// Doubt about a weight of which nothing is known: less than about the linear ones, which must learn first.
const UNKNOWN: f32 = 0.001;

/// Squared harm over its variance from which it is given up: more than for the linear filter, since it takes longer to learn and
/// does less harm.
const HARM: f32 = 2.0;

/// The second filter.
#[derive(Debug, Clone)]
pub(super) struct Bend {
    far: FarEnd,
    filter: Filter,
    kalman: Kalman,
    astray: Astray,
    echo: Vec<f32>,
    turn: usize,
}

impl Bend {
    /// `longest` is the longest bulk delay, samples. The filter has half the length of the linear one.
    pub(super) fn new(shape: Shape, longest: usize) -> Bend {
        let short = Shape {
            partitions: shape.partitions.div_ceil(2),
            ..shape
        };
        let mut bend = Bend {
            far: FarEnd::new(short, longest),
            filter: Filter::new(short),
            kalman: Kalman::new(short),
            astray: Astray::default(),
            echo: vec![0.0; shape.block],
            turn: 0,
        };
        bend.forget();
        bend
    }

    /// Starts over.
    pub(super) fn forget(&mut self) {
        self.filter.clear();
        self.kalman.reset_to(UNKNOWN);
    }

    /// Holds the far end back by this many samples; what was learned at another delay is forgotten.
    pub(super) fn set_delay(&mut self, delay: usize) {
        self.far.set_delay(delay);
        self.forget();
    }

    /// Takes the next block of the far end, which is whole and clean, and writes `heard` without its bent echo to `near`. Gives the
    /// energy of what is left. `window` is room for two blocks, here and below.
    pub(super) fn cancel(
        &mut self,
        far: &[f32],
        heard: &[f32],
        near: &mut [f32],
        window: &mut [f32],
    ) -> f32 {
        // Until the rest is there it holds what is bent.
        let bent = near;
        for (slot, x) in bent.iter_mut().zip(far) {
            let x = x.clamp(-1.0, 1.0);
            *slot = GAIN * (x - x / (1.0 + STEEP * STEEP * x * x).sqrt());
        }
        self.far.push(bent, window);
        self.filter.echo(&self.far, window, &mut self.echo);
        differ(bent, heard, &self.echo)
    }

    /// Gives up what was learned when it does more harm than good to `error`, what both filters leave, and takes its part back out
    /// of it. A talker who is far louder than any echo could have taught it nonsense. `with` is the energy of `error`; gives that of
    /// what is left.
    pub(super) fn judge(&mut self, error: &mut [f32], with: f32, window: &mut [f32]) -> f32 {
        let whole = &mut window[..error.len()];
        for ((slot, error), echo) in whole.iter_mut().zip(&*error).zip(&self.echo) {
            *slot = error + echo;
        }
        let without = energy(whole);
        let bent = energy(&self.echo);
        if self.astray.judge_by(with, without, bent, HARM, HARM) {
            error.copy_from_slice(whole);
            self.forget();
            return without;
        }
        with
    }

    /// To be called before [`Bend::learn`].
    pub(super) fn weigh(&mut self) {
        self.kalman.weigh(&self.far);
    }

    /// Power of the bent echo that the doubt leaves in this block, bin by bin.
    pub(super) fn left(&self) -> &[f32] {
        self.kalman.left()
    }

    /// One step, behind [`Bend::weigh`]; `linear` is what the doubt about the linear filter leaves.
    pub(super) fn learn(&mut self, error: View<'_>, linear: &[f32], window: &mut [f32]) {
        self.kalman
            .learn(&mut self.filter, &self.far, error, linear);
        // It moves slowly.
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(2) {
            self.filter.constrain_in_turn(self.turn / 2, window);
        }
    }
}
