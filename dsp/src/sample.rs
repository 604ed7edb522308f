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
    if sample.is_nan() {
        return 0;
    }
    // The largest value that still converts to i16::MAX.
    sample.clamp(-1.0, 1.0 - f32::EPSILON).to_sample::<i16>()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_the_way_through_float() {
        assert!((i16::MIN..=i16::MAX).all(|sample| to_i16(to_f32(sample)) == sample));
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
