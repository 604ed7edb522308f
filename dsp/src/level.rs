//! Levels: measuring, setting and limiting.

use crate::sample::{dbm0_of_mean_square, finite};

/// Measures level and peak of a stream with an exponential window.
#[derive(Debug, Clone)]
pub struct LevelMeter {
    mean_square: f32,
    weight: f32,
    peak: f32,
    clipped: u64,
}

impl LevelMeter {
    /// A meter with this time constant, ms (125 is the "fast" of sound level meters).
    pub fn new(time_constant_ms: f32) -> LevelMeter {
        let samples = time_constant_ms.max(0.125) * 8.0;
        LevelMeter {
            mean_square: 0.0,
            weight: 1.0 - (-1.0 / samples).exp(),
            peak: 0.0,
            clipped: 0,
        }
    }

    /// Takes samples.
    pub fn process(&mut self, samples: &[f32]) {
        for sample in samples {
            let x = finite(*sample).clamp(-8.0, 8.0);
            self.mean_square += self.weight * (x * x - self.mean_square);
            self.peak = self.peak.max(x.abs());
            self.clipped += u64::from(x.abs() >= 0.999);
        }
        if self.mean_square < 1e-15 {
            self.mean_square = 0.0;
        }
    }

    /// Level, dBm0; -120 for silence.
    pub fn dbm0(&self) -> f32 {
        dbm0_of_mean_square(self.mean_square)
    }

    /// Largest magnitude since the last call, full scale 1.0.
    pub fn take_peak(&mut self) -> f32 {
        std::mem::take(&mut self.peak)
    }

    /// Samples at full scale so far.
    pub fn clipped(&self) -> u64 {
        self.clipped
    }
}

/// A gain that moves to a new value without clicks.
#[derive(Debug, Clone)]
pub struct Gain {
    now: f32,
    target: f32,
}

impl Gain {
    /// A gain of this many dB.
    pub fn new(db: f32) -> Gain {
        let factor = factor_of(db);
        Gain {
            now: factor,
            target: factor,
        }
    }

    /// Moves to this many dB within about 20 ms.
    pub fn set_db(&mut self, db: f32) {
        self.target = factor_of(db);
    }

    /// Applies the gain.
    pub fn process(&mut self, samples: &mut [f32]) {
        for sample in samples {
            self.now += (self.target - self.now) * (1.0 / 40.0);
            // At 60 dB the largest float would overflow.
            *sample = finite(*sample).clamp(-1e6, 1e6) * self.now;
        }
    }
}

/// Opens and closes a direction within 10 ms, without a click: half a cosine.
#[derive(Debug, Clone)]
pub struct Ramp {
    /// 0 closed, 1 open.
    place: f32,
    open: bool,
}

impl Ramp {
    /// Open.
    pub fn new() -> Ramp {
        Ramp {
            place: 1.0,
            open: true,
        }
    }

    /// Opens or closes from the next sample on.
    pub fn set_open(&mut self, open: bool) {
        self.open = open;
    }

    /// Whether it is open or opening.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Applies it.
    pub fn process(&mut self, samples: &mut [f32]) {
        let step = if self.open { 1.0 / 80.0 } else { -1.0 / 80.0 };
        for sample in samples {
            self.place = (self.place + step).clamp(0.0, 1.0);
            if self.place < 1.0 {
                let factor = 0.5 - 0.5 * (std::f32::consts::PI * self.place).cos();
                *sample = finite(*sample) * factor;
            }
        }
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Ramp::new()
    }
}

/// Keeps peaks below a limit: down at once, back up slowly.
#[derive(Debug, Clone)]
pub struct Limiter {
    limit: f32,
    gain: f32,
    release: f32,
}

impl Limiter {
    /// Limits magnitudes to `limit` (full scale 1.0); the gain comes back within about `release_ms`.
    pub fn new(limit: f32, release_ms: f32) -> Limiter {
        let limit = if limit.is_finite() {
            limit.clamp(0.001, 1.0)
        } else {
            1.0
        };
        let samples = release_ms.max(1.0) * 8.0;
        Limiter {
            limit,
            gain: 1.0,
            release: 1.0 - (-1.0 / samples).exp(),
        }
    }

    /// Limits a block. The gain for the block's largest peak is reached along a ramp that ends at the peak, so that what goes
    /// before it is turned down without a click; blocks of 5 to 20 ms sound best.
    pub fn process(&mut self, samples: &mut [f32]) {
        let mut start = 0;
        while let Some(block) = samples.get_mut(start..) {
            if block.is_empty() {
                return;
            }
            block
                .iter_mut()
                .for_each(|s| *s = finite(*s).clamp(-1e6, 1e6));
            let first_over = block.iter().position(|s| s.abs() * self.gain > self.limit);
            let Some(over) = first_over else {
                for sample in block {
                    *sample *= self.gain;
                    self.recover();
                    *sample = sample.clamp(-self.limit, self.limit);
                }
                return;
            };
            let (to_peak, _) = block.split_at_mut(over + 1);
            let needed = self.limit / to_peak[over].abs();
            let step = (needed - self.gain) / (over + 1) as f32;
            for sample in to_peak {
                self.gain += step;
                *sample = (*sample * self.gain).clamp(-self.limit, self.limit);
            }
            self.gain = needed;
            start += over + 1;
        }
    }

    /// How far the gain is down, dB.
    pub fn reduction_db(&self) -> f32 {
        -20.0 * self.gain.log10()
    }

    fn recover(&mut self) {
        self.gain += (1.0 - self.gain) * self.release;
    }
}

fn factor_of(db: f32) -> f32 {
    if db.is_finite() {
        10.0_f32.powf(db.clamp(-120.0, 60.0) / 20.0)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::ToneGenerator;

    #[test]
    fn the_meter_reads_what_the_generator_sends() {
        for dbm0 in [-40.0, -10.0, 0.0] {
            let mut block = [0.0; 8000];
            ToneGenerator::sine(1000.0, dbm0).fill(&mut block);
            let mut meter = LevelMeter::new(125.0);
            meter.process(&block);
            assert!(
                (meter.dbm0() - dbm0).abs() < 0.1,
                "{} for {dbm0}",
                meter.dbm0()
            );
        }
        let mut silent = LevelMeter::new(125.0);
        silent.process(&[f32::NAN; 100]);
        assert_eq!(silent.dbm0(), -120.0);
    }

    #[test]
    fn gain_arrives_without_a_step() {
        let mut gain = Gain::new(0.0);
        gain.set_db(-20.0);
        let mut block = [1.0; 800];
        gain.process(&mut block);
        assert!((block[799] - 0.1).abs() < 0.001);
        assert!(block.windows(2).all(|w| (w[1] - w[0]).abs() < 0.03));
    }

    #[test]
    fn a_ramp_closes_fully_and_without_a_step() {
        let mut ramp = Ramp::new();
        let mut block = [1.0; 200];
        ramp.process(&mut block);
        assert_eq!(block, [1.0; 200]);
        ramp.set_open(false);
        ramp.process(&mut block);
        assert!(block.windows(2).all(|w| (w[1] - w[0]).abs() < 0.025));
        assert_eq!(block[81..], [0.0; 119]);
        let mut again = [1.0; 200];
        ramp.set_open(true);
        ramp.process(&mut again);
        assert!(again.windows(2).all(|w| (w[1] - w[0]).abs() < 0.025));
        assert_eq!(again[81..], [1.0; 119]);
    }

    #[test]
    fn the_limiter_holds_its_limit_and_leaves_quiet_sound_alone() {
        for size in [1, 13, 80] {
            let mut limiter = Limiter::new(0.5, 50.0);
            let mut tone = vec![0.0; 8000];
            ToneGenerator::sine(440.0, -12.0).fill(&mut tone);
            let quiet = tone.clone();
            tone.chunks_mut(size).for_each(|c| limiter.process(c));
            assert_eq!(tone, quiet);
            let mut loud = vec![0.0; 8000];
            ToneGenerator::sine(440.0, 3.0).fill(&mut loud);
            loud.chunks_mut(size).for_each(|c| limiter.process(c));
            assert!(loud.iter().all(|s| s.abs() <= 0.5));
            // Turned down more than clipped: clipping alone would leave two thirds of the samples flat.
            let flat = loud[4000..].iter().filter(|s| s.abs() > 0.4999).count();
            assert!(flat < 4000 / 6, "{flat} flat samples");
        }
        let mut limiter = Limiter::new(0.5, 50.0);
        let mut bad = [f32::NAN, f32::INFINITY, 3e38, 1.0];
        limiter.process(&mut bad);
        assert!(bad.iter().all(|s| s.abs() <= 0.5));
    }
}
