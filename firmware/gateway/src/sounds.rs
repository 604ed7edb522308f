//! Sounds that the box itself makes: tones and recordings.

use std::sync::Arc;

use line_interface::BLOCK_SAMPLES;

/// Samples a second.
const RATE_HZ: u32 = 8_000;
/// Amplitude of our tones, about -13 dBm0.
const AMPLITUDE: f32 = 5_200.0;
/// Longest sound: 20 s.
pub(crate) const MOST_SAMPLES: usize = 20 * RATE_HZ as usize;

/// Plays a sound once.
#[derive(Debug)]
pub(crate) struct Player {
    samples: Arc<[i16]>,
    at: usize,
}

impl Player {
    pub(crate) fn new(samples: Arc<[i16]>) -> Player {
        Player { samples, at: 0 }
    }

    /// The next block; silence behind the end.
    pub(crate) fn fill(&mut self, block: &mut [i16; BLOCK_SAMPLES]) {
        let rest = self.samples.get(self.at..).unwrap_or_default();
        let count = rest.len().min(block.len());
        block[..count].copy_from_slice(&rest[..count]);
        block[count..].fill(0);
        self.at += count;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.samples.len()
    }
}

/// A row of tones: hertz (0 is a pause) and milliseconds.
pub(crate) fn tones(row: &[(f32, u32)]) -> Vec<i16> {
    let mut samples = Vec::new();
    for (hertz, ms) in row {
        let count = RATE_HZ / 1_000 * ms;
        let step = std::f32::consts::TAU * hertz / RATE_HZ as f32;
        samples.extend((0..count).map(|n| {
            // 5 ms at either end without a click.
            let edge = n.min(count - n) as f32 / (RATE_HZ / 200) as f32;
            ((n as f32 * step).sin() * AMPLITUDE * edge.min(1.0)) as i16
        }));
    }
    samples
}

/// Nobody answers: the congestion tone of ITU-T E.180 supplement 2 in most of Europe, for 3 s.
pub(crate) fn failure() -> Vec<i16> {
    tones(&[(425.0, 250), (0.0, 250)].repeat(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_player_gives_all_of_a_sound_once_and_then_silence() {
        let samples: Vec<i16> = (1..=200).collect();
        let mut player = Player::new(samples.clone().into());
        let mut heard = Vec::new();
        for _ in 0..4 {
            let mut block = [7; BLOCK_SAMPLES];
            player.fill(&mut block);
            heard.extend(block);
        }
        assert!(player.is_over());
        assert_eq!(heard[..200], samples[..]);
        assert!(heard[200..].iter().all(|sample| *sample == 0));
    }

    #[test]
    fn the_failure_tone_lasts_three_seconds_and_is_half_pauses() {
        let tone = failure();
        assert_eq!(tone.len(), 3 * RATE_HZ as usize);
        let silent = tone.iter().filter(|sample| **sample == 0).count();
        assert!((11_500..12_600).contains(&silent), "{silent}");
        assert!(tone.iter().all(|sample| sample.unsigned_abs() <= 5_200));
    }
}
