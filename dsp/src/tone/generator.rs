//! Tones of one or two frequencies, with a cadence.

use crate::SAMPLE_RATE_HZ;
use crate::sample::sine_peak_of_dbm0;

/// Ramp at each edge of a tone, samples (2 ms): no click, and short enough for every detector.
const RAMP: u32 = 16;

/// Longest on or off time, ms.
const LONGEST_MS: u32 = 86_400_000;

/// On and off times of a tone, ms. An `off` of 0 means a continuous tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// Time the tone sounds.
    pub on_ms: u32,
    /// Time it does not.
    pub off_ms: u32,
}

impl Cadence {
    /// A tone without pauses.
    pub const CONTINUOUS: Cadence = Cadence {
        on_ms: 1000,
        off_ms: 0,
    };
}

/// Sounds up to two sines at once. The phase runs on through pauses and blocks of any size.
#[derive(Debug, Clone)]
pub struct ToneGenerator {
    oscillators: [Oscillator; 2],
    on: u32,
    off: u32,
    position: u32,
}

/// A rotating unit vector: one complex multiplication per sample, put back to length one now and then.
#[derive(Debug, Clone, Copy)]
struct Oscillator {
    step: (f64, f64),
    state: (f64, f64),
    peak: f32,
}

impl Oscillator {
    fn new(hz: f32, peak: f32) -> Oscillator {
        let angle = std::f64::consts::TAU * f64::from(hz) / f64::from(SAMPLE_RATE_HZ);
        Oscillator {
            step: (angle.cos(), angle.sin()),
            state: (1.0, 0.0),
            peak,
        }
    }

    fn next(&mut self) -> f32 {
        let (c, s) = self.state;
        let (dc, ds) = self.step;
        let next = (c * dc - s * ds, c * ds + s * dc);
        // First-order correction of the length; the error per sample is of the order of 1e-16.
        let gain = 1.5 - 0.5 * (next.0 * next.0 + next.1 * next.1);
        self.state = (next.0 * gain, next.1 * gain);
        s as f32 * self.peak
    }
}

impl ToneGenerator {
    /// A tone of one or two frequencies in Hz with the level of each in dBm0. A frequency of 0, or one that 8 kHz cannot
    /// carry, is silence; levels count as -120 to 20, times as at most a day.
    pub fn new(tones: [(f32, f32); 2], cadence: Cadence) -> ToneGenerator {
        let oscillators = tones.map(|(hz, dbm0)| {
            if hz > 0.0 && hz < SAMPLE_RATE_HZ / 2.0 && !dbm0.is_nan() {
                Oscillator::new(hz, sine_peak_of_dbm0(dbm0.clamp(-120.0, 20.0)))
            } else {
                Oscillator::new(0.0, 0.0)
            }
        });
        ToneGenerator {
            oscillators,
            on: cadence.on_ms.min(LONGEST_MS) * 8,
            off: cadence.off_ms.min(LONGEST_MS) * 8,
            position: 0,
        }
    }

    /// A single continuous tone.
    pub fn sine(hz: f32, dbm0: f32) -> ToneGenerator {
        ToneGenerator::new([(hz, dbm0), (0.0, 0.0)], Cadence::CONTINUOUS)
    }

    /// Writes the next samples.
    pub fn fill(&mut self, out: &mut [f32]) {
        for slot in out {
            let tone: f32 = self.oscillators.iter_mut().map(Oscillator::next).sum();
            *slot = tone * self.envelope();
        }
    }

    fn envelope(&mut self) -> f32 {
        if self.off == 0 {
            return 1.0;
        }
        let position = self.position;
        self.position = (position + 1) % (self.on + self.off);
        if position >= self.on {
            return 0.0;
        }
        let edge = position.min(self.on - 1 - position);
        if edge >= RAMP {
            1.0
        } else {
            (edge + 1) as f32 / (RAMP + 1) as f32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::dbm0_of_mean_square;

    #[test]
    fn level_and_frequency_are_exact_after_an_hour() {
        let mut generator = ToneGenerator::sine(425.0, -10.0);
        let mut block = [0.0; 8000];
        for _ in 0..3600 {
            generator.fill(&mut block);
        }
        let mean_square = block.iter().map(|s| s * s).sum::<f32>() / 8000.0;
        assert!((dbm0_of_mean_square(mean_square) + 10.0).abs() < 0.01);
        // 425 Hz has a whole number of periods in a second: the hour ends in the phase it began with.
        assert!(block[0].abs() < 1e-3, "{}", block[0]);
    }

    #[test]
    fn a_cadence_sounds_and_pauses() {
        let cadence = Cadence {
            on_ms: 100,
            off_ms: 200,
        };
        let mut generator = ToneGenerator::new([(440.0, 0.0), (350.0, 0.0)], cadence);
        let mut out = vec![0.0; 4800];
        for chunk in out.chunks_mut(77) {
            generator.fill(chunk);
        }
        let energy = |from: usize, to: usize| out[from..to].iter().map(|s| s * s).sum::<f32>();
        assert!(energy(0, 800) > 100.0 && energy(2400, 3200) > 100.0);
        assert_eq!(energy(800, 2400), 0.0);
    }
}
