//! How much of the echo goes while nobody talks at the line: under a talker the difference says nothing about the canceller.

/// Blocks of 10 ms with an echo that are looked at as one.
const WINDOW: u32 = 20;
/// Mean square of the echo that was taken out from which a block counts, about -69 dBFS.
const AUDIBLE: f32 = 1.25e-7;
/// Share of a new window in the mean, which lasts for about a second.
const NEWEST: f32 = 0.33;

/// Measures echo return loss enhancement. Blocks of 10 ms.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AloneMeter {
    /// Energy of the microphone and of what is left, and blocks, of the window that is being collected.
    window: (f32, f32, u32),
    /// Somebody talked at the line in it.
    spoiled: bool,
    /// The window before: it counts when this one is clean, too, for a talker is noticed a little late.
    waiting: Option<(f32, f32)>,
    mean: Option<(f32, f32)>,
}

impl AloneMeter {
    /// Mean squares of a block: of the microphone, of what the canceller left and of the echo it took out; and whether somebody talks
    /// at the line.
    pub(super) fn take(&mut self, mic: f32, left: f32, echo: f32, near: bool) {
        self.spoiled |= near;
        if echo <= AUDIBLE {
            return;
        }
        let (mics, lefts, blocks) = self.window;
        self.window = (mics + mic, lefts + left, blocks + 1);
        if blocks + 1 < WINDOW {
            return;
        }
        let fresh = (!self.spoiled).then_some((mics + mic, lefts + left));
        if let (Some(waited), Some(_)) = (self.waiting, fresh) {
            let mean = self.mean.unwrap_or(waited);
            self.mean = Some((
                mean.0 + NEWEST * (waited.0 - mean.0),
                mean.1 + NEWEST * (waited.1 - mean.1),
            ));
        }
        self.waiting = fresh;
        self.window = (0.0, 0.0, 0);
        self.spoiled = false;
    }

    /// dB; 0 until it is known.
    pub(super) fn erle_db(&self) -> f32 {
        self.mean.map_or(0.0, |(mic, left)| {
            10.0 * ((mic + 1e-12) / (left + 1e-12)).log10()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talker_at_the_line_changes_nothing() {
        let mut meter = AloneMeter::default();
        assert!(meter.erle_db().abs() < f32::EPSILON);
        for _ in 0..200 {
            meter.take(1e-3, 1e-5, 1e-3, false);
        }
        assert!((meter.erle_db() - 20.0).abs() < 0.1, "{}", meter.erle_db());
        for n in 0..1000 {
            // Syllables, each noticed a block late.
            let (talks, noticed) = (n % 40 < 15, (1..15).contains(&(n % 40)));
            let near = if talks { 1e-2 } else { 0.0 };
            meter.take(1e-3 + near, 1e-5 + near, 1e-3, noticed);
        }
        assert!((meter.erle_db() - 20.0).abs() < 0.1, "{}", meter.erle_db());
    }

    #[test]
    fn another_path_is_told_within_two_seconds() {
        let mut meter = AloneMeter::default();
        (0..200).for_each(|_| meter.take(1e-3, 1e-5, 1e-3, false));
        (0..200).for_each(|_| meter.take(1e-3, 1e-4, 1e-3, false));
        assert!((meter.erle_db() - 10.0).abs() < 1.0, "{}", meter.erle_db());
        // Without an echo nothing is said.
        (0..200).for_each(|_| meter.take(1e-3, 1e-3, 0.0, false));
        assert!((meter.erle_db() - 10.0).abs() < 1.0);
    }
}
