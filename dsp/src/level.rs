//! Levels: measuring, setting and limiting.

use crate::Rate;
use crate::sample::{Energy, dbm0_of_mean_square, finite, largest};

/// Magnitude from which a sample counts as clipped.
const CLIPPED: f32 = 0.999;

/// Measures level and peak of a stream with an exponential window.
#[derive(Debug, Clone)]
pub struct LevelMeter {
    mean_square: f32,
    /// The level moves whenever so many samples are together, by this share: at most every 10 ms, and often within the window.
    group: usize,
    weight: f32,
    energy: Energy,
    peak: f32,
    clipped: u64,
}

impl LevelMeter {
    /// A meter at 8 kHz with this time constant, ms (125 is the "fast" of sound level meters).
    pub fn new(time_constant_ms: f32) -> LevelMeter {
        LevelMeter::at(Rate::Hz8000, time_constant_ms)
    }

    /// A meter with this time constant, ms.
    pub fn at(rate: Rate, time_constant_ms: f32) -> LevelMeter {
        let samples = time_constant_ms.max(0.125) * rate.per_ms();
        let group = ((samples / 12.0) as usize).clamp(1, rate.block());
        LevelMeter {
            mean_square: 0.0,
            group,
            weight: 1.0 - (-(group as f32) / samples).exp(),
            energy: Energy::default(),
            peak: 0.0,
            clipped: 0,
        }
    }

    /// Takes samples.
    pub fn process(&mut self, samples: &[f32]) {
        let peak = largest(samples).min(8.0);
        self.peak = self.peak.max(peak);
        if peak >= CLIPPED {
            let clips = |x: &&f32| finite(**x).abs() >= CLIPPED;
            self.clipped += samples.iter().filter(clips).count() as u64;
        }
        let mut rest = samples;
        while !rest.is_empty() {
            let room = self.group - self.energy.count();
            let (now, later) = rest.split_at(rest.len().min(room));
            self.energy.add(now);
            if self.energy.count() == self.group {
                let newest = self.energy.take() / self.group as f32;
                self.mean_square += self.weight * (newest - self.mean_square);
                if self.mean_square < 1e-15 {
                    self.mean_square = 0.0;
                }
            }
            rest = later;
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
    /// Share of the way to the target in a sample.
    weight: f32,
}

impl Gain {
    /// A gain of this many dB at 8 kHz.
    pub fn new(db: f32) -> Gain {
        Gain::at(Rate::Hz8000, db)
    }

    /// A gain of this many dB.
    pub fn at(rate: Rate, db: f32) -> Gain {
        let factor = factor_of(db);
        Gain {
            now: factor,
            target: factor,
            weight: 1.0 / (5.0 * rate.per_ms()),
        }
    }

    /// Moves to this many dB within about 20 ms.
    pub fn set_db(&mut self, db: f32) {
        self.target = factor_of(db);
    }

    /// Applies the gain.
    pub fn process(&mut self, samples: &mut [f32]) {
        // At 60 dB the largest float would overflow.
        let bound = |sample: f32| finite(sample).clamp(-1e6, 1e6);
        let mut rest = samples;
        while self.now != self.target {
            let Some((sample, later)) = rest.split_first_mut() else {
                return;
            };
            let way = self.target - self.now;
            self.now += way * self.weight;
            // The end of the way, which the sums alone never reach.
            if way.abs() <= 1e-5 * self.target {
                self.now = self.target;
            }
            *sample = bound(*sample) * self.now;
            rest = later;
        }
        let gain = self.target;
        rest.iter_mut().for_each(|s| *s = bound(*s) * gain);
    }
}

/// Opens and closes a direction within 10 ms, without a click: half a cosine.
#[derive(Debug, Clone)]
pub struct Ramp {
    /// 0 closed, 1 open.
    place: f32,
    open: bool,
    /// What a sample moves it.
    step: f32,
}

impl Ramp {
    /// Open, at 8 kHz.
    pub fn new() -> Ramp {
        Ramp::at(Rate::Hz8000)
    }

    /// Open.
    pub fn at(rate: Rate) -> Ramp {
        Ramp {
            place: 1.0,
            open: true,
            step: 1.0 / rate.block() as f32,
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
        if self.open && self.place >= 1.0 {
            samples.iter_mut().for_each(|s| *s = finite(*s));
            return;
        }
        let step = if self.open { self.step } else { -self.step };
        for sample in samples {
            self.place = (self.place + step).clamp(0.0, 1.0);
            *sample = finite(*sample);
            if self.place < 1.0 {
                *sample *= 0.5 - 0.5 * (std::f32::consts::PI * self.place).cos();
            }
        }
    }
}

impl Default for Ramp {
    fn default() -> Self {
        Ramp::new()
    }
}

/// Most samples that a limiter looks ahead: 0.75 ms at 16 kHz.
const MOST_AHEAD: usize = 12;
/// How long the gain stays down before it comes back, ms: about two periods of a voice, which a gain that moves between its peaks
/// would distort.
const HOLD_MS: f32 = 20.0;

/// Keeps peaks below a limit: down within the 0.75 ms that it looks ahead, back up slowly.
///
/// The gain that every sample needs is held down over the samples before it and then averaged over as many, so it falls in a
/// straight line that ends at the peak: nothing is clipped, nothing clicks, and the size of the blocks changes nothing.
#[derive(Debug, Clone)]
pub struct Limiter {
    limit: f32,
    release: f32,
    hold: u32,
    /// Samples looked ahead.
    ahead: usize,
    gain: f32,
    held: u32,
    /// Rings of the last samples, of the gains that they need and of the gains that were held; `next` is the oldest of each.
    late: [f32; MOST_AHEAD + 1],
    needed: [f32; MOST_AHEAD + 1],
    gains: [f32; MOST_AHEAD + 1],
    next: usize,
    /// Samples since any of the gains was below 1.
    open_for: usize,
}

impl Limiter {
    /// How much later the output comes, ms.
    pub const DELAY_MS: f32 = 0.75;

    /// Limits magnitudes to `limit` (full scale 1.0) at 8 kHz; the gain comes back within about `release_ms`.
    pub fn new(limit: f32, release_ms: f32) -> Limiter {
        Limiter::at(Rate::Hz8000, limit, release_ms)
    }

    /// The same at any rate.
    pub fn at(rate: Rate, limit: f32, release_ms: f32) -> Limiter {
        let limit = if limit.is_finite() {
            limit.clamp(0.001, 1.0)
        } else {
            1.0
        };
        let samples = release_ms.max(1.0) * rate.per_ms();
        Limiter {
            limit,
            release: 1.0 - (-1.0 / samples).exp(),
            hold: (HOLD_MS * rate.per_ms()) as u32,
            ahead: (Limiter::DELAY_MS * rate.per_ms()) as usize,
            gain: 1.0,
            held: 0,
            late: [0.0; MOST_AHEAD + 1],
            needed: [1.0; MOST_AHEAD + 1],
            gains: [1.0; MOST_AHEAD + 1],
            next: 0,
            open_for: MOST_AHEAD + 1,
        }
    }

    /// Replaces samples by the limited ones of 0.75 ms before.
    pub fn process(&mut self, samples: &mut [f32]) {
        let ring = self.ahead + 1;
        if samples.len() >= ring && self.open_for > ring && largest(samples) <= self.limit {
            self.delay(samples);
            return;
        }
        for sample in samples {
            let x = finite(*sample).clamp(-1e6, 1e6);
            let newest = self.next;
            self.next = (newest + 1) % ring;
            self.late[newest] = x;
            let magnitude = x.abs();
            if magnitude <= self.limit && self.open_for > ring {
                // Nothing to do for any sample in the rings, which hold ones.
                *sample = self.late[self.next];
                continue;
            }
            self.needed[newest] = if magnitude > self.limit {
                self.limit / magnitude
            } else {
                1.0
            };
            self.gains[newest] = self.held_gain(ring);
            let mean = self.gains[..ring].iter().sum::<f32>() / ring as f32;
            let out = self.late[self.next];
            *sample = if mean >= 1.0 {
                out
            } else {
                (out * mean).clamp(-self.limit, self.limit)
            };
        }
    }

    /// Sound that needs no gain, behind sound that needs none: the rings hold ones.
    fn delay(&mut self, samples: &mut [f32]) {
        let ahead = self.ahead;
        let ring = ahead + 1;
        let mut before = [0.0; MOST_AHEAD];
        for (n, slot) in before[..ahead].iter_mut().enumerate() {
            *slot = self.late[(self.next + 1 + n) % ring];
        }
        // The rings turn as if every sample had gone through them: so the sums behind it round alike.
        self.next = (self.next + samples.len()) % ring;
        let kept = samples.len() - ahead;
        for (n, sample) in samples[kept..].iter().enumerate() {
            self.late[(self.next + 1 + n) % ring] = finite(*sample);
        }
        samples.copy_within(..kept, ahead);
        samples[..ahead].copy_from_slice(&before[..ahead]);
        samples.iter_mut().for_each(|s| *s = finite(*s));
    }

    /// How far the gain is down, dB.
    pub fn reduction_db(&self) -> f32 {
        -20.0 * self.gain.log10()
    }

    /// The gain that none of the samples in the ring exceeds: down at once, held, up slowly.
    fn held_gain(&mut self, ring: usize) -> f32 {
        let least = self.needed[..ring].iter().copied().fold(1.0, f32::min);
        if least <= self.gain {
            self.gain = least;
            self.held = self.hold;
        } else if self.held > 0 {
            self.held -= 1;
        } else {
            self.gain += (least - self.gain) * self.release;
        }
        if least >= 1.0 && self.gain > 0.9999 {
            self.gain = 1.0;
            self.open_for = self.open_for.saturating_add(1);
        } else {
            self.open_for = 0;
        }
        self.gain
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
        for (rate, late) in [(Rate::Hz8000, 6), (Rate::Hz16000, 12)] {
            for size in [1, 13, 80] {
                let mut limiter = Limiter::at(rate, 0.5, 50.0);
                let mut tone = vec![0.0; 8000];
                ToneGenerator::sine(440.0, -12.0).fill(&mut tone);
                let quiet = tone.clone();
                tone.chunks_mut(size).for_each(|c| limiter.process(c));
                assert_eq!(tone[late..], quiet[..8000 - late]);
                let mut loud = vec![0.0; 8000];
                ToneGenerator::sine(440.0, 3.0).fill(&mut loud);
                loud.chunks_mut(size).for_each(|c| limiter.process(c));
                assert!(loud.iter().all(|s| s.abs() <= 0.5));
                // Turned down, not clipped: clipping alone would leave two thirds of the samples flat, and so does no peak.
                let flat = loud.iter().filter(|s| s.abs() > 0.4999).count();
                assert!(flat < 8000 / 20, "{flat} flat samples");
                assert!(loud[4000..].iter().any(|s| s.abs() > 0.49));
                // Back to nothing done, bit for bit.
                let mut silent = vec![0.0; 8000];
                limiter.process(&mut silent);
                assert_eq!(limiter.reduction_db(), 0.0);
                let mut again = quiet.clone();
                again.chunks_mut(size).for_each(|c| limiter.process(c));
                assert_eq!(again[late..], quiet[..8000 - late]);
            }
        }
        let mut limiter = Limiter::new(0.5, 50.0);
        let mut bad = [
            f32::NAN,
            f32::INFINITY,
            3e38,
            1.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
        ];
        limiter.process(&mut bad);
        assert!(bad.iter().all(|s| s.abs() <= 0.5));
    }
}
