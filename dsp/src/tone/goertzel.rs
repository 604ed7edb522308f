//! The Goertzel algorithm on eight frequencies at once.

use crate::SAMPLE_RATE_HZ;

/// Measures the Fourier coefficient of a block at eight exact frequencies (no rounding to bins). The eight run side by side
/// in one array, which the compiler turns into vector instructions.
#[derive(Debug, Clone)]
pub struct GoertzelBank {
    coefficient: [f32; 8],
    cosine: [f32; 8],
    sine: [f32; 8],
    previous: [f32; 8],
    before: [f32; 8],
    count: u32,
    /// `e^(j w (n - 1))` for the block length in use, so that the phase refers to the block's first sample.
    turn_length: u32,
    turn: [(f32, f32); 8],
}

impl GoertzelBank {
    /// A bank for these frequencies in Hz, below 4000.
    pub fn new(hz: [f32; 8]) -> GoertzelBank {
        let angle = hz.map(angle_of);
        GoertzelBank {
            coefficient: angle.map(|w| (2.0 * w.cos()) as f32),
            cosine: angle.map(|w| w.cos() as f32),
            sine: angle.map(|w| w.sin() as f32),
            previous: [0.0; 8],
            before: [0.0; 8],
            count: 0,
            turn_length: 0,
            turn: [(1.0, 0.0); 8],
        }
    }

    /// Takes samples of the current block.
    pub fn push(&mut self, samples: &[f32]) {
        let (mut previous, mut before) = (self.previous, self.before);
        for sample in samples {
            self.step(*sample, &mut previous, &mut before);
        }
        self.previous = previous;
        self.before = before;
        self.count += samples.len() as u32;
    }

    #[inline(always)]
    fn step(&self, sample: f32, previous: &mut [f32; 8], before: &mut [f32; 8]) {
        for lane in 0..8 {
            // In this order only the product waits for the sample before.
            let now = self.coefficient[lane] * previous[lane] + (sample - before[lane]);
            before[lane] = previous[lane];
            previous[lane] = now;
        }
    }

    /// Ends the block: the coefficients `sum x[n] e^(-j w n)` with `n` counted from its first sample, as (real, imaginary).
    pub fn finish(&mut self) -> [(f32, f32); 8] {
        if self.count != self.turn_length {
            self.turn_length = self.count;
            for lane in 0..8 {
                let w = f64::from(self.sine[lane]).atan2(f64::from(self.cosine[lane]));
                let angle = -w * (f64::from(self.count) - 1.0);
                self.turn[lane] = (angle.cos() as f32, angle.sin() as f32);
            }
        }
        let mut out = [(0.0, 0.0); 8];
        for (lane, slot) in out.iter_mut().enumerate() {
            // sum x[n] e^(j w (N-1-n)) = s1 - s2 e^(-j w)
            let re = self.previous[lane] - self.before[lane] * self.cosine[lane];
            let im = self.before[lane] * self.sine[lane];
            let (c, s) = self.turn[lane];
            *slot = (re * c - im * s, re * s + im * c);
        }
        self.previous = [0.0; 8];
        self.before = [0.0; 8];
        self.count = 0;
        out
    }
}

fn angle_of(hz: f32) -> f64 {
    std::f64::consts::TAU * f64::from(hz) / f64::from(SAMPLE_RATE_HZ)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    const HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

    #[test]
    fn the_bank_equals_the_definition() {
        let mut samples = [0.0; 102];
        ToneGenerator::sine(781.0, -7.0).fill(&mut samples);
        let mut bank = GoertzelBank::new(HZ);
        for chunk in samples.chunks(13) {
            bank.push(chunk);
        }
        for (lane, (re, im)) in bank.finish().into_iter().enumerate() {
            let (mut exact_re, mut exact_im) = (0.0, 0.0);
            for (n, sample) in samples.iter().enumerate() {
                let angle = angle_of(HZ[lane]) * n as f64;
                exact_re += f64::from(*sample) * angle.cos();
                exact_im -= f64::from(*sample) * angle.sin();
            }
            assert!((f64::from(re) - exact_re).abs() < 1e-3, "lane {lane}");
            assert!((f64::from(im) - exact_im).abs() < 1e-3, "lane {lane}");
        }
    }

    #[test]
    fn a_block_leaves_nothing_to_the_next() {
        let mut bank = GoertzelBank::new(HZ);
        bank.push(&[1.0; 50]);
        bank.finish();
        bank.push(&[0.0; 50]);
        assert!(
            bank.finish()
                .iter()
                .all(|(re, im)| *re == 0.0 && *im == 0.0)
        );
    }
}
