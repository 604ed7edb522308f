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

/// Sums that grow beside each other: a single one would wait for each of its additions.
const LANES: usize = 8;

/// Sum of samples.
pub fn sum(samples: &[f32]) -> f32 {
    lanes(samples, |sample| sample)
}

/// Sum of the squares of samples; 1.0 is the energy of a sample at full scale.
pub fn energy(samples: &[f32]) -> f32 {
    lanes(samples, |sample| sample * sample)
}

fn lanes(samples: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (whole, rest) = samples.as_chunks::<LANES>();
    for chunk in whole {
        for (sum, sample) in sums.iter_mut().zip(chunk) {
            *sum += of(*sample);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|sample| of(*sample)).sum::<f32>()
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
    fn sums_take_every_sample() {
        for length in 0..40_u8 {
            let samples: Vec<f32> = (1..=length).map(f32::from).collect();
            let n = f32::from(length);
            assert_eq!(sum(&samples), n * (n + 1.0) / 2.0);
            assert_eq!(energy(&samples), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
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
}
