//! Sample formats and levels.

use dasp_sample::Sample;

/// Root mean square of 0 dBm0 with full scale at 1.0: a full-scale sine is +3.14 dBm0 (ITU-T G.711, A-law).
pub const RMS_0_DBM0: f32 = 0.492_6;

/// A 16-bit sample as a float, full scale at 1.0.
pub fn to_f32(sample: i16) -> f32 {
    sample.to_sample::<f32>()
}

/// A float as a 16-bit sample; beyond full scale it is clipped, NaN is silence.
pub fn to_i16(sample: f32) -> i16 {
    // The largest value that still converts to i16::MAX. By way of 32 bits, which the processor has for several samples at once.
    (sample.clamp(-1.0, 1.0 - f32::EPSILON) * 32_768.0) as i32 as i16
}

/// Converts a block; the shorter of the two lengths is converted.
pub fn block_to_f32(from: &[i16], to: &mut [f32]) {
    for (slot, sample) in to.iter_mut().zip(from) {
        *slot = to_f32(*sample);
    }
}

/// Converts a block; the shorter of the two lengths is converted.
pub fn block_to_i16(from: &[f32], to: &mut [i16]) {
    for (slot, sample) in to.iter_mut().zip(from) {
        *slot = to_i16(*sample);
    }
}

/// Root mean square of a tone or block at this level.
pub fn rms_of_dbm0(dbm0: f32) -> f32 {
    RMS_0_DBM0 * 10.0_f32.powf(dbm0 / 20.0)
}

/// Peak of a sine at this level.
pub fn sine_peak_of_dbm0(dbm0: f32) -> f32 {
    rms_of_dbm0(dbm0) * std::f32::consts::SQRT_2
}

/// Level of a mean square, dBm0; -120 for silence.
pub fn dbm0_of_mean_square(mean_square: f32) -> f32 {
    let ratio = mean_square / (RMS_0_DBM0 * RMS_0_DBM0);
    10.0 * ratio.max(1e-12).log10()
}

/// `sample`, or 0 for NaN and infinities: the guard at every entrance of recursive processing.
pub(crate) fn finite(sample: f32) -> f32 {
    if sample.is_finite() { sample } else { 0.0 }
}

/// Nothing beyond 18 dB over full scale, and 0 for what is no number.
pub(crate) fn bounded(sample: f32) -> f32 {
    finite(sample).clamp(-8.0, 8.0)
}

/// Values that are kept beside each other, so that several samples are reckoned at once.
const LANES: usize = 8;

/// Sum of values.
pub fn sum(values: &[f32]) -> f32 {
    let (groups, last) = values.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for group in groups {
        lanes.iter_mut().zip(group).for_each(|(sum, x)| *sum += x);
    }
    lanes.iter().chain(last).sum()
}

/// Sum of the squares of a block, nothing beyond 18 dB over full scale.
pub fn square_sum(samples: &[f32]) -> f32 {
    let mut energy = Energy::default();
    energy.add(samples);
    energy.take()
}

/// Mean square of a block, nothing beyond 18 dB over full scale.
pub fn mean_square(block: &[f32]) -> f32 {
    square_sum(block) / block.len().max(1) as f32
}

/// Largest magnitude of a block; what is no number counts as 0.
pub(crate) fn largest(samples: &[f32]) -> f32 {
    let (groups, last) = samples.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    let larger = |largest: &mut f32, x: f32| {
        let x = finite(x).abs();
        *largest = if x > *largest { x } else { *largest };
    };
    for group in groups {
        for (lane, x) in lanes.iter_mut().zip(group) {
            larger(lane, *x);
        }
    }
    let mut most = 0.0;
    lanes.iter().chain(last).for_each(|x| larger(&mut most, *x));
    most
}

/// A sum of squares that is the same bit for bit however the samples are cut. Nothing counts beyond 18 dB over full scale.
#[derive(Debug, Clone, Default)]
pub(crate) struct Energy {
    lanes: [f32; LANES],
    /// Samples so far.
    count: usize,
}

impl Energy {
    /// Takes samples.
    pub(crate) fn add(&mut self, samples: &[f32]) {
        let ahead = (LANES - self.count % LANES) % LANES;
        let (first, rest) = samples.split_at(ahead.min(samples.len()));
        self.add_singly(first);
        let (groups, last) = rest.as_chunks::<LANES>();
        let mut lanes = self.lanes;
        for group in groups {
            for (sum, x) in lanes.iter_mut().zip(group) {
                let x = bounded(*x);
                *sum += x * x;
            }
        }
        self.lanes = lanes;
        self.count += LANES * groups.len();
        self.add_singly(last);
    }

    fn add_singly(&mut self, samples: &[f32]) {
        for x in samples {
            let x = bounded(*x);
            self.lanes[self.count % LANES] += x * x;
            self.count += 1;
        }
    }

    /// Samples since it was taken.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The sum; the next one begins.
    pub(crate) fn take(&mut self) -> f32 {
        let [a, b, c, d, e, f, g, h] = self.lanes;
        *self = Energy::default();
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_the_way_through_float() {
        assert!((i16::MIN..=i16::MAX).all(|sample| to_i16(to_f32(sample)) == sample));
    }

    #[test]
    fn between_two_samples_the_one_nearer_to_zero_is_taken() {
        for sample in i16::MIN..i16::MAX {
            let whole = f32::from(sample);
            let expected = if sample < 0 { sample + 1 } else { sample };
            assert_eq!(to_i16((whole + 0.75) / 32_768.0), expected);
        }
    }

    #[test]
    fn beyond_full_scale_is_clipped_and_nan_is_silence() {
        assert_eq!(to_i16(1.5), i16::MAX);
        assert_eq!(to_i16(f32::INFINITY), i16::MAX);
        assert_eq!(to_i16(-7.0), i16::MIN);
        assert_eq!(to_i16(f32::NAN), 0);
    }

    #[test]
    fn a_full_scale_sine_is_3_14_dbm0() {
        let overload_dbm0 = 314.0 / 100.0;
        assert!((dbm0_of_mean_square(0.5) - overload_dbm0).abs() < 0.01);
        assert!((sine_peak_of_dbm0(overload_dbm0) - 1.0).abs() < 0.001);
        assert_eq!(dbm0_of_mean_square(0.0), -120.0);
    }

    #[test]
    fn energy_is_the_same_however_it_is_cut() {
        let samples: Vec<f32> = (0..80).map(|n| (n as f32 * 0.37).sin()).collect();
        let whole = square_sum(&samples);
        let plain: f32 = samples.iter().map(|x| x * x).sum();
        assert!((whole - plain).abs() < 1e-4, "{whole} for {plain}");
        for size in [1, 3, 7, 8, 9, 79] {
            let mut energy = Energy::default();
            samples.chunks(size).for_each(|piece| energy.add(piece));
            assert_eq!(energy.count(), 80);
            assert_eq!(energy.take().to_bits(), whole.to_bits(), "by {size}");
            assert_eq!((energy.count(), energy.take()), (0, 0.0));
        }
    }

    #[test]
    fn the_largest_magnitude_is_found_anywhere() {
        for at in [0, 7, 8, 78] {
            let mut samples = [0.1; 79];
            samples[at] = -3.0;
            assert_eq!(largest(&samples), 3.0);
        }
        assert_eq!(largest(&[f32::NAN, f32::INFINITY, -0.5]), 0.5);
        assert_eq!(largest(&[]), 0.0);
    }
}
