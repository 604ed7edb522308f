//! What every 34 samples go through: offset and mains hum are taken out, and the eight tones of the digits measured.
//!
//! The samples of such a hop are folded about its middle into sums and differences of two that lie alike far from it. The sums
//! have all the cosines in them and the differences all the sines, so half the products do, and no sum waits for another as in a
//! recursive filter: three times the speed of three notches before eight Goertzel resonators.

use std::f64::consts::TAU;

use super::{HIGH_HZ, LOW_HZ};

/// Samples in a hop.
pub(super) const HOP: usize = 34;
const HALF: usize = HOP / 2;
/// Offset, mains hum and its harmonics, Hz.
const HUM_HZ: [f64; 4] = [0.0, 50.0, 100.0, 150.0];
/// Share of what is left of hum in one sample that is learned from it. The notches are 3 Hz wide by it and learn in 0.1 s; wider ones
/// disturb what a clipped digit has between 60 and 85 Hz. Narrow also because what speech has below 250 Hz is what tells it
/// from a digit: a high-pass here would raise false digits several times (signal-processing facts 1.3).
const LEARN: f32 = 0.0024;
/// Amplitudes of hum below this one are nothing: they would decay until they are subnormal and slow.
const NOTHING: f32 = 1e-15;

/// Fourier coefficients at the eight frequencies: the low group, then the high group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bins {
    pub(super) re: [f32; 8],
    pub(super) im: [f32; 8],
}

impl Bins {
    /// `self + turn * later`, bin by bin.
    pub(super) fn and(&self, turn: &Bins, later: &Bins) -> Bins {
        let mut out = *self;
        for i in 0..8 {
            out.re[i] += turn.re[i] * later.re[i] - turn.im[i] * later.im[i];
            out.im[i] += turn.re[i] * later.im[i] + turn.im[i] * later.re[i];
        }
        out
    }

    /// One of them.
    pub(super) fn at(&self, bin: usize) -> (f32, f32) {
        (self.re[bin], self.im[bin])
    }
}

/// What a hop holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hop {
    /// `sum x[n] e^(-j w (n - middle))`.
    pub(super) bins: Bins,
    /// Sum of the samples, and of their squares.
    pub(super) sum: f32,
    pub(super) squares: f32,
}

/// Cosines and sines of eight tones and four kinds of hum, this far from the middle of a hop.
#[derive(Debug, Clone, Copy)]
struct Row {
    cosine: [f32; 12],
    sine: [f32; 12],
}

/// See the top of the file.
#[derive(Debug, Clone)]
pub(super) struct Front {
    /// For each of the pairs of samples, the outermost first.
    rows: Box<[Row; HALF]>,
    /// Hum alone, the other way round.
    hum_cosine: Box<[[f32; HALF]; 4]>,
    hum_sine: Box<[[f32; HALF]; 4]>,
    /// What the phase of hum gains in a hop.
    hum_turn: [(f32, f32); 4],
    /// Amplitude of the hum that is expected in the next hop, phase at its middle.
    hum: [(f32, f32); 4],
    /// What the last hop and the one before still had of it, turned on to the middle of the next.
    left: [[(f32, f32); 4]; 2],
}

impl Front {
    pub(super) fn new() -> Front {
        let step = |lane: usize| match lane {
            0..4 => TAU * f64::from(LOW_HZ[lane]) / 8000.0,
            4..8 => TAU * f64::from(HIGH_HZ[lane - 4]) / 8000.0,
            _ => TAU * HUM_HZ[(lane - 8) % 4] / 8000.0,
        };
        let angle = |pair: usize, lane: usize| step(lane) * ((HOP - 1) as f64 / 2.0 - pair as f64);
        let row = |pair| Row {
            cosine: std::array::from_fn(|lane| angle(pair, lane).cos() as f32),
            sine: std::array::from_fn(|lane| angle(pair, lane).sin() as f32),
        };
        let hum = |of: fn(f64) -> f64| {
            Box::new(std::array::from_fn(|k| {
                std::array::from_fn(|pair| of(angle(pair, 8 + k)) as f32)
            }))
        };
        Front {
            hum_cosine: hum(f64::cos),
            hum_sine: hum(f64::sin),
            hum_turn: std::array::from_fn(|k| {
                let angle = step(8 + k) * HOP as f64;
                (angle.cos() as f32, angle.sin() as f32)
            }),
            rows: Box::new(std::array::from_fn(row)),
            hum: [(0.0, 0.0); 4],
            left: [[(0.0, 0.0); 4]; 2],
        }
    }

    /// What the phase of each tone loses in a hop.
    pub(super) fn turns() -> Bins {
        let angle = |bin: usize| {
            let hz = if bin < 4 {
                LOW_HZ[bin]
            } else {
                HIGH_HZ[bin - 4]
            };
            -TAU * f64::from(hz) / 8000.0 * HOP as f64
        };
        Bins {
            re: std::array::from_fn(|bin| angle(bin).cos() as f32),
            im: std::array::from_fn(|bin| angle(bin).sin() as f32),
        }
    }

    /// Takes the hum out of `part` and measures what is left.
    pub(super) fn take(&mut self, part: &mut [f32; HOP]) -> Hop {
        let (mut even, mut odd) = ([0.0; HALF], [0.0; HALF]);
        for k in 0..4 {
            let (re, im) = self.hum[k];
            for m in 0..HALF {
                even[m] += re * self.hum_cosine[k][m];
                odd[m] += im * self.hum_sine[k][m];
            }
        }
        let (mut sums, mut differences) = ([0.0; HALF], [0.0; HALF]);
        for m in 0..HALF {
            let first = part[m] - (even[m] + odd[m]);
            let last = part[HOP - 1 - m] - (even[m] - odd[m]);
            part[m] = first;
            part[HOP - 1 - m] = last;
            sums[m] = first + last;
            differences[m] = first - last;
        }
        let (mut re, mut im) = ([0.0; 12], [0.0; 12]);
        for ((row, sum), difference) in self.rows.iter().zip(sums).zip(differences) {
            for lane in 0..12 {
                re[lane] += sum * row.cosine[lane];
                im[lane] += difference * row.sine[lane];
            }
        }
        self.learn([8, 9, 10, 11].map(|lane| (re[lane], im[lane])));
        Hop {
            bins: Bins {
                re: std::array::from_fn(|lane| re[lane]),
                im: std::array::from_fn(|lane| im[lane]),
            },
            sum: sums.iter().sum(),
            squares: energy(&sums, &differences),
        }
    }

    /// The hum of the next hop, from what the last three still had, the middle one counting twice. From one alone, what lies a whole
    /// number of hops a second away (235 Hz) would pass for hum, as do the products of a digit that is clipped.
    fn learn(&mut self, now: [(f32, f32); 4]) {
        for (k, now) in now.into_iter().enumerate() {
            let turn = self.hum_turn[k];
            let [last, before] = [self.left[0][k], self.left[1][k]];
            // An offset has twice the product with itself that a wave has.
            let share = LEARN / if k == 0 { 8.0 } else { 4.0 };
            let re = self.hum[k].0 + share * (now.0 + 2.0 * last.0 + before.0);
            let im = self.hum[k].1 + share * (now.1 + 2.0 * last.1 + before.1);
            self.hum[k] = times((re, im), turn);
            self.left[0][k] = times(now, turn);
            self.left[1][k] = times(last, turn);
        }
        let nothing = |(re, im): &(f32, f32)| re.abs() < NOTHING && im.abs() < NOTHING;
        if self.hum.iter().all(nothing) {
            self.hum = [(0.0, 0.0); 4];
        }
    }
}

/// Product of two complex numbers.
pub(super) fn times(a: (f32, f32), b: (f32, f32)) -> (f32, f32) {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// Sum of the squares of the samples, in a few lanes so that no addition waits for the one before.
fn energy(sums: &[f32; HALF], differences: &[f32; HALF]) -> f32 {
    let mut lanes = [0.0; 4];
    let squares = |m: usize| sums[m] * sums[m] + differences[m] * differences[m];
    for four in 0..HALF / 4 {
        for (lane, slot) in lanes.iter_mut().enumerate() {
            *slot += squares(4 * four + lane);
        }
    }
    // (a + b)^2 + (a - b)^2 is twice a^2 + b^2.
    (lanes.iter().sum::<f32>() + squares(HALF - 1)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(hz: f64, peak: f64, from: usize) -> [f32; HOP] {
        std::array::from_fn(|n| (peak * (TAU * hz * (from + n) as f64 / 8000.0 + 0.4).cos()) as f32)
    }

    #[test]
    fn the_bins_equal_the_definition() {
        let mut samples = wave(781.0, 0.3, 0);
        let hop = Front::new().take(&mut samples);
        for bin in 0..8 {
            let hz = if bin < 4 {
                LOW_HZ[bin]
            } else {
                HIGH_HZ[bin - 4]
            };
            let (mut re, mut im) = (0.0, 0.0);
            for (n, sample) in samples.iter().enumerate() {
                let angle = TAU * f64::from(hz) / 8000.0 * (n as f64 - 16.5);
                re += f64::from(*sample) * angle.cos();
                im -= f64::from(*sample) * angle.sin();
            }
            let found = hop.bins.at(bin);
            assert!((f64::from(found.0) - re).abs() < 1e-4, "{bin}");
            assert!((f64::from(found.1) - im).abs() < 1e-4, "{bin}");
        }
        let squares: f32 = samples.iter().map(|x| x * x).sum();
        assert!((hop.squares - squares).abs() < 1e-4);
        assert!((hop.sum - samples.iter().sum::<f32>()).abs() < 1e-4);
    }

    #[test]
    fn offset_and_hum_vanish_and_speech_stays() {
        for (hz, most_db, least_db) in [
            (0.0, -40.0, -999.0),
            (50.0, -40.0, -999.0),
            (100.0, -40.0, -999.0),
            (150.0, -40.0, -999.0),
            (200.0, 0.6, -0.6),
            // Between two notches what is learned comes a little late.
            (120.0, 1.0, -1.0),
            (697.0, 0.2, -0.2),
        ] {
            let mut front = Front::new();
            let (mut before, mut after) = (0.0, 0.0);
            for hop in 0..400 {
                let mut samples = wave(hz, 0.2, hop * HOP);
                let came: f32 = samples.iter().map(|x| x * x).sum();
                let left = front.take(&mut samples).squares;
                if hop >= 200 {
                    before += came;
                    after += left;
                }
            }
            let db = 10.0 * (after.max(1e-9) / before).log10();
            assert!(db <= most_db && db >= least_db, "{hz} Hz: {db} dB");
        }
    }

    #[test]
    fn silence_ends_in_silence() {
        let mut front = Front::new();
        front.take(&mut wave(50.0, 0.2, 0));
        for _ in 0..2000 {
            front.take(&mut [0.0; HOP]);
        }
        assert_eq!(front.hum, [(0.0, 0.0); 4]);
    }
}
