//! Shortening speech by one pitch period, to bring a jitter buffer's delay down unheard.

/// Shortest cut, samples.
pub const MIN_CUT: usize = 20;
/// Longest cut, samples.
pub const MAX_CUT: usize = 120;
/// Mean square below which any cut is unheard, about -50 dBm0.
const SILENCE: f32 = 60.0 * 60.0;

/// Fills `out` from `input` so that it begins like `input` and ends like `input` further on; returns how many samples
/// further, the cut. The caller goes on reading at `out.len() + cut`.
///
/// `None` when `input` is shorter than `out.len() + MIN_CUT`, or when it is voiced so irregularly that no cut would go
/// unheard. `longest` limits the cut.
pub fn shorten(input: &[i16], out: &mut [i16], longest: usize) -> Option<usize> {
    let length = out.len();
    let longest = longest.min(MAX_CUT).min(input.len().checked_sub(length)?);
    if longest < MIN_CUT || length == 0 {
        return None;
    }
    let head = input.get(..length)?;
    let head_energy: f32 = head.iter().map(|s| f32::from(*s) * f32::from(*s)).sum();
    let mut best = (0, 0.0_f32);
    if head_energy < SILENCE * length as f32 {
        best = (longest, 1.0);
    } else {
        for cut in MIN_CUT..=longest {
            let tail = input.get(cut..cut + length)?;
            let mut cross = 0.0;
            let mut energy = 1.0;
            for (a, b) in head.iter().zip(tail) {
                cross += f32::from(*a) * f32::from(*b);
                energy += f32::from(*b) * f32::from(*b);
            }
            let score = cross / (energy * head_energy).sqrt();
            if score > best.1 {
                best = (cut, score);
            }
        }
    }
    let (cut, score) = best;
    if score < 0.5 {
        return None;
    }
    let tail = input.get(cut..cut + length)?;
    for (i, ((slot, a), b)) in out.iter_mut().zip(head).zip(tail).enumerate() {
        let weight = (i + 1) as f32 / length as f32;
        let blended = f32::from(*a) * (1.0 - weight) + f32::from(*b) * weight;
        *slot = blended.round() as i16;
    }
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, amplitude: f32, length: usize) -> Vec<i16> {
        (0..length)
            .map(|n| (amplitude * (std::f32::consts::TAU * hz * n as f32 / 8000.0).sin()) as i16)
            .collect()
    }

    #[test]
    fn a_cut_of_whole_periods_leaves_a_tone_whole() {
        let input = tone(200.0, 8000.0, 240);
        let mut out = [0; 80];
        let cut = shorten(&input, &mut out, MAX_CUT).unwrap();
        assert_eq!(cut % 40, 0, "200 Hz has a period of 40 samples");
        for (a, b) in out.iter().zip(&input) {
            assert!((i32::from(*a) - i32::from(*b)).abs() <= 2);
        }
        assert!((i32::from(out[79]) - i32::from(input[79 + cut])).abs() <= 2);
    }

    #[test]
    fn silence_is_cut_as_far_as_allowed() {
        assert_eq!(shorten(&[3; 240], &mut [0; 80], 100), Some(100));
    }

    #[test]
    fn too_little_input_or_room_is_left_alone() {
        assert_eq!(shorten(&[0; 90], &mut [0; 80], 120), None);
        assert_eq!(shorten(&[0; 240], &mut [0; 80], 10), None);
        assert_eq!(shorten(&[0; 40], &mut [0; 80], 120), None);
    }

    #[test]
    fn noise_is_not_cut_where_it_would_be_heard() {
        let mut state = 1_u32;
        let noise: Vec<i16> = (0..240)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 / 4
            })
            .collect();
        assert_eq!(shorten(&noise, &mut [0; 80], MAX_CUT), None);
    }
}
