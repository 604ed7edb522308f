//! Whether two tones are two harmonics of one voice.
//!
//! A voice can hold two harmonics of its pitch on the frequencies of a digit, purely enough for the fit: 16 dB over the rest
//! are reached when the pitch is high and the formants are narrow. What a digit may have beside it as well is noise, which
//! lies everywhere. What the voice has beside it lies on the other harmonics of the same pitch.

use std::f64::consts::TAU;

use super::fit::{CLIPPED, Fit};
use super::history::HISTORY;

/// Lowest pitch that is looked for, radians per sample (95 Hz): the neighbours of two harmonics of a lower one lie within the
/// formants, and the fit refuses them.
const LOWEST_PITCH: f64 = TAU * 95.0 / 8000.0;
/// The low tone is at most this harmonic: of 95 Hz, the ninth is 855 Hz.
const HIGHEST_NUMBER: u32 = 9;
/// The pitch from one tone and that from the other differ by at most this share.
const IN_TUNE: f64 = 0.004;
/// Share of the whole energy that may lie on other harmonics when the low tone is this harmonic. At their nominal frequencies no
/// two digit tones are in tune with a low tone up to the sixth harmonic (the nearest, A, is 0.4 % off), but those of 4, 8, *
/// and # are with the seventh of 110 to 134 Hz, and a sender's distortion lies on other harmonics as well. So does what is left
/// of clipping, and then there is no telling.
fn allowed(number: u32, clipped: bool) -> f64 {
    match (number <= 6, clipped) {
        (true, false) => 0.002,
        (false, false) => 0.006,
        (true, true) => 0.008,
        (false, true) => 1.0,
    }
}
/// What noise puts on the harmonics has this many standard deviations to spare.
const DEVIATIONS: f64 = 3.0;
/// Harmonics above the high tone that are looked at. A clipped digit has its own products further up.
const ABOVE: f64 = 4.0;
/// Where a telephone line ends, radians per sample (3.4 kHz).
const BAND_END: f64 = TAU * 3400.0 / 8000.0;

/// Whether the digit tones (the first two of `tones`) are harmonics of one pitch and other harmonics of it sound as well.
/// `found` is the fit of `tones`; samples at or beyond `limit` are left out, as there.
pub(super) fn is_voice(samples: &[f32], tones: &[f64], found: &Fit, limit: f32) -> bool {
    let &[low, high, ..] = tones else {
        return false;
    };
    let mut rest = None;
    for number in 1..=HIGHEST_NUMBER {
        let low_number = f64::from(number);
        if low / low_number < LOWEST_PITCH {
            break;
        }
        let high_number = (high * low_number / low).round();
        if (high * low_number / (low * high_number) - 1.0).abs() > IN_TUNE {
            continue;
        }
        let pitch = (low + high) / (low_number + high_number);
        let rest = rest.get_or_insert_with(|| Rest::of(samples, tones, found, limit));
        let (share, noise) = rest.on_harmonics(pitch, [low_number, high_number]);
        if share > allowed(number, limit < CLIPPED) + DEVIATIONS * noise {
            return true;
        }
    }
    false
}

/// What a fit leaves of the samples.
struct Rest {
    left: [f64; HISTORY],
    length: usize,
    /// Samples that count, their energy about their mean, and the energy of what is left.
    count: f64,
    energy: f64,
    left_energy: f64,
}

impl Rest {
    fn of(samples: &[f32], tones: &[f64], found: &Fit, limit: f32) -> Rest {
        let mut rest = Rest {
            left: [0.0; HISTORY],
            length: samples.len().min(HISTORY),
            count: 0.0,
            energy: 0.0,
            left_energy: 0.0,
        };
        let mut turning: [Turn; 4] = std::array::from_fn(|i| match tones.get(i) {
            Some(tone) => Turn::new(*tone, found.phase[i], found.peak[i]),
            None => Turn::new(0.0, 0.0, 0.0),
        });
        let (mut sum, mut squares) = (0.0, 0.0);
        for (slot, sample) in rest.left.iter_mut().zip(samples) {
            let model: f64 = turning.iter_mut().map(|turn| turn.next().0).sum();
            if sample.abs() >= limit {
                continue;
            }
            let x = f64::from(*sample);
            *slot = x - model - found.constant;
            rest.count += 1.0;
            rest.left_energy += *slot * *slot;
            sum += x;
            squares += x * x;
        }
        rest.energy = squares - sum * sum / f64::max(rest.count, 1.0);
        rest
    }

    /// Share of the whole energy that lies on harmonics of `pitch` other than the two given, less what noise of the energy that is
    /// left would put there; and the standard deviation of the latter.
    fn on_harmonics(&self, pitch: f64, tones: [f64; 2]) -> (f64, f64) {
        let (mut on, mut lines) = (0.0, 0.0);
        let mut number = 1.0;
        while number <= tones[1] + ABOVE && number * pitch < BAND_END {
            if !tones.contains(&number) {
                let mut turn = Turn::new(number * pitch, 0.0, 1.0);
                let (mut re, mut im) = (0.0, 0.0);
                for left in self.left.iter().take(self.length) {
                    let (c, s) = turn.next();
                    re += left * c;
                    im += left * s;
                }
                on += 2.0 * (re * re + im * im) / self.count;
                lines += 1.0;
            }
            number += 1.0;
        }
        if self.energy <= 0.0 || self.count <= 2.0 * lines {
            return (0.0, 0.0);
        }
        // Of noise each line takes two of as many dimensions as there are samples.
        let line = 2.0 / self.count;
        let beyond = (on - self.left_energy * line * lines) / (1.0 - line * lines);
        let deviation = self.left_energy * line * f64::sqrt(lines);
        (beyond / self.energy, deviation / self.energy)
    }
}

/// A turning pointer: cosine and sine of an angle that grows by a step.
struct Turn {
    at: (f64, f64),
    step: (f64, f64),
}

impl Turn {
    fn new(step: f64, phase: f64, peak: f64) -> Turn {
        Turn {
            at: (peak * phase.cos(), peak * phase.sin()),
            step: (step.cos(), step.sin()),
        }
    }

    fn next(&mut self) -> (f64, f64) {
        let (c, s) = self.at;
        let (dc, ds) = self.step;
        self.at = (c * dc - s * ds, c * ds + s * dc);
        (c, s)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fit::fit;
    use super::*;

    const LENGTH: usize = 272;

    fn voice(low_hz: f64, high_hz: f64, beside: impl Fn(usize) -> f64) -> bool {
        let tones = [low_hz, high_hz].map(|hz| TAU * hz / 8000.0);
        let samples: Vec<f32> = (0..LENGTH)
            .map(|n| {
                let t = n as f64;
                (0.1 * (tones[0] * t + 1.0).cos() + 0.1 * (tones[1] * t).cos() + beside(n)) as f32
            })
            .collect();
        let found = fit(&samples, &tones, 8.0).unwrap();
        is_voice(&samples, &tones, &found, 8.0)
    }

    #[test]
    fn the_second_harmonic_beside_the_third_and_seventh_is_a_voice() {
        // 20 dB under either tone: half a percent of the energy.
        let second = |n: usize| 0.01 * (TAU * 467.0 / 8000.0 * n as f64).cos();
        assert!(voice(700.5, 1634.5, second));
        // The nominal tones of the same key have no pitch in common.
        assert!(!voice(697.0, 1633.0, second));
        assert!(!voice(700.5, 1634.5, |_| 0.0));
    }

    #[test]
    fn noise_beside_the_tones_is_no_voice() {
        for seed in 0..200_u64 {
            let noise: Vec<f64> = (0..LENGTH as u64)
                .map(|n| {
                    let mut x = (seed * 1000 + n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                    ((x >> 40) as f64 / (1_u64 << 24) as f64 - 0.5) * 0.062
                })
                .collect();
            // 15 dB under the pair.
            assert!(!voice(700.5, 1634.5, |n| noise[n]));
        }
    }

    #[test]
    fn nothing_and_nonsense_are_no_voice() {
        let found = Fit::default();
        assert!(!is_voice(&[], &[0.5, 1.0], &found, 8.0));
        assert!(!is_voice(&[0.0; 64], &[0.5, 1.0], &found, 8.0));
        assert!(!is_voice(&[0.1; 64], &[0.5], &found, 8.0));
    }
}
