//! Where exactly a digit that has been found begins and ends.

use std::f32::consts::TAU;
use std::ops::Range;

use super::{HIGH_HZ, LOW_HZ, row_and_column};
use crate::SAMPLE_RATE_HZ;
use crate::sample::finite;

/// Samples of the sliding window, 14 ms: the pass band of a Hann window of this length keeps the two groups apart.
const WINDOW: usize = 112;
/// Samples between two looks.
const STEP: usize = 4;
/// Samples without the digit that do not end it, 20 ms (the detector bridges 15 and splits at 25).
const BRIDGED: usize = 160;

/// Beginning and end, in samples, of the digit that sounds at sample `inside` of an 8 kHz recording.
///
/// The edge is where both tones pass half their amplitude in a symmetric window: within 2 ms for a clean burst. For
/// recordings only; a live detector knows the beginning when it is sure of the digit. `None` when `digit` is none of the
/// sixteen or does not sound there.
pub fn extent(samples: &[f32], digit: char, inside: usize) -> Option<Range<usize>> {
    let (row, column) = row_and_column(digit)?;
    let pair = [LOW_HZ[row], HIGH_HZ[column]];
    if inside >= samples.len() {
        return None;
    }
    let reference = pair.map(|hz| amplitude(samples, hz, inside));
    if reference.iter().any(|level| *level < 1e-5) {
        return None;
    }
    let sounds = |at: usize| {
        pair.iter()
            .zip(reference)
            .all(|(hz, level)| amplitude(samples, *hz, at) >= 0.5 * level)
    };
    let mut start = inside;
    let mut at = inside;
    while at >= STEP && start - at < BRIDGED {
        at -= STEP;
        if sounds(at) {
            start = at;
        }
    }
    let mut end = inside;
    let mut at = inside;
    while at + STEP < samples.len() && at - end < BRIDGED {
        at += STEP;
        if sounds(at) {
            end = at;
        }
    }
    Some(start..end + 1)
}

/// Amplitude of a tone in the window around `at`; what lies outside the recording is silence.
fn amplitude(samples: &[f32], hz: f32, at: usize) -> f32 {
    let (mut re, mut im) = (0.0, 0.0);
    for n in 0..WINDOW {
        let Some(sample) = (at + n)
            .checked_sub(WINDOW / 2)
            .and_then(|index| samples.get(index))
        else {
            continue;
        };
        let weight = 1.0 - (TAU * (n as f32 + 0.5) / WINDOW as f32).cos();
        let angle = TAU * hz * n as f32 / SAMPLE_RATE_HZ;
        re += finite(*sample) * weight * angle.cos();
        im += finite(*sample) * weight * angle.sin();
    }
    2.0 * re.hypot(im) / WINDOW as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::DtmfGenerator;

    fn keys(on_ms: u32, off_ms: u32, digits: &str) -> Vec<f32> {
        let mut generator = DtmfGenerator::new(on_ms, off_ms, -12.0, -6.0);
        digits.chars().for_each(|digit| {
            generator.push(digit);
        });
        let mut out = vec![0.0; 800 + digits.len() * (on_ms + off_ms) as usize * 8];
        generator.fill(&mut out[800..]);
        out
    }

    #[test]
    fn both_edges_are_found_within_2_ms() {
        for on_ms in [40, 50, 100, 400] {
            for digit in "0123456789*#ABCD".chars() {
                let samples = keys(on_ms, 40, &digit.to_string());
                let on = on_ms as usize * 8;
                let found = extent(&samples, digit, 800 + on / 2).unwrap();
                assert!(found.start.abs_diff(800) <= 16, "{digit}: {found:?}");
                assert!(found.end.abs_diff(800 + on) <= 16, "{digit}: {found:?}");
            }
        }
    }

    #[test]
    fn equal_digits_25_ms_apart_stay_two() {
        let samples = keys(60, 25, "55");
        let first = extent(&samples, '5', 800 + 240).unwrap();
        assert!(first.end.abs_diff(800 + 480) <= 16, "{first:?}");
    }

    #[test]
    fn what_does_not_sound_there_has_no_extent() {
        let samples = keys(60, 40, "5");
        assert!(extent(&samples, '5', 100).is_none());
        assert!(extent(&samples, 'x', 1000).is_none());
        assert!(extent(&samples, '5', usize::MAX).is_none());
        assert!(extent(&[f32::NAN; 500], '5', 100).is_none());
        assert!(extent(&[], '5', 0).is_none());
    }
}
