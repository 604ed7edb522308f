//! Whether a recording holds a certain speech.

/// Half a second of the speech is looked for.
const WINDOW: usize = 4000;

/// Greatest normalised cross-correlation between the most energetic half second of `speech` and
/// any place of `recording`, 0..1, and the place in samples. A linear path with some noise gives
/// more than 0.7, the other speaker less than 0.4.
pub fn likeness(speech: &[i16], recording: &[i16]) -> (f32, usize) {
    if speech.len() < WINDOW || recording.len() < WINDOW {
        return (0.0, 0);
    }
    let energy = |samples: &[i16]| {
        samples
            .iter()
            .map(|sample| f64::from(*sample).powi(2))
            .sum::<f64>()
    };
    let loudest = (0..=speech.len() - WINDOW)
        .step_by(400)
        .max_by(|a, b| energy(&speech[*a..a + WINDOW]).total_cmp(&energy(&speech[*b..b + WINDOW])));
    let start = loudest.unwrap_or(0);
    let wanted: Vec<f32> = speech[start..start + WINDOW]
        .iter()
        .map(|sample| f32::from(*sample))
        .collect();
    let wanted_energy = energy(&speech[start..start + WINDOW]);
    let recorded: Vec<f32> = recording.iter().map(|sample| f32::from(*sample)).collect();
    let mut running = energy(&recording[..WINDOW]);
    let mut best = (0.0_f32, 0);
    for at in 0..=recording.len() - WINDOW {
        if at > 0 {
            running += f64::from(recording[at + WINDOW - 1]).powi(2)
                - f64::from(recording[at - 1]).powi(2);
        }
        // Near silence correlates with anything.
        if running < wanted_energy * 1e-5 {
            continue;
        }
        let product: f32 = wanted
            .iter()
            .zip(&recorded[at..at + WINDOW])
            .map(|(a, b)| a * b)
            .sum();
        let value = (f64::from(product) / (wanted_energy * running).sqrt()) as f32;
        if value > best.0 {
            best = (value, at);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice::{Speaker, speak};

    #[test]
    fn finds_a_voice_in_noise_and_not_another_one() {
        let visitor = speak(Speaker::Visitor, 3000);
        let resident = speak(Speaker::Resident, 3000);
        let mut recording = vec![0; 1234];
        recording.extend(
            visitor
                .iter()
                .enumerate()
                .map(|(n, sample)| sample / 4 + (n * 7919 % 200) as i16),
        );
        let (same, at) = likeness(&visitor, &recording);
        assert!(same > 0.9, "{same}");
        assert!(at >= 1234);
        let (other, place) = likeness(&resident, &recording);
        assert!(other < 0.4, "{other} at {place}");
    }
}
