//! What one block of line voltage shows: its level, and whether it is a steady tone.

use std::sync::LazyLock;

use crate::card::{BLOCK_SAMPLES, SAMPLE_RATE_HZ, SenseBlock};

/// Figures of one 10 ms block.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BlockReading {
    /// Mean line voltage.
    pub mean_volts: f32,
    /// Mean current into our terminals.
    pub milliamps: f32,
    /// Mean voltage on the handset side of the relay.
    pub handset_volts: f32,
    /// Distance between the mean of the upper half and the mean of the lower half of the signal.
    pub swing_volts: f32,
    /// The part of the peak-to-peak range that the swing fills, 0 to 1.
    pub fill: f32,
    /// Lowest sample.
    pub low_volts: f32,
    /// Highest sample.
    pub high_volts: f32,
    /// Frequency of a steady signal, or `None` when the block holds no steady tone.
    pub tone_hz: Option<f32>,
    /// The line is being switched between fed and (nearly) not fed, as by a ring burst.
    pub chopped: bool,
    /// The voltage to compare with the bands: the fed level of a chopped line, else the mean.
    pub level_volts: f32,
}

impl BlockReading {
    /// Reads one block. Values that are not numbers count as zero.
    #[must_use]
    pub fn of(sense: &SenseBlock) -> Self {
        let volts = finite(&sense.line_volts);
        let mean_volts = mean(&volts);
        let raw = Shape::of(&volts);
        // Hum bends a ring out of its shape: look again without it, and keep what is the clearer.
        let shape = if raw.tone_hz.is_some() && raw.fill > CLEAR_FILL {
            raw
        } else {
            let clean = Shape::of(&without_hum(&volts));
            if clean.tone_hz.is_some() && clean.fill > raw.fill {
                clean
            } else {
                raw
            }
        };
        let (upper, lower) = (shape.upper, shape.lower);
        let chopped = shape.tone_hz.is_some() && upper > 0.0 && lower < upper / 2.0;
        Self {
            mean_volts,
            milliamps: mean(&finite(&sense.line_milliamps)),
            handset_volts: mean(&finite(&sense.handset_volts)),
            swing_volts: shape.swing,
            fill: shape.fill,
            low_volts: raw.low,
            high_volts: raw.high,
            tone_hz: shape.tone_hz,
            chopped,
            level_volts: if chopped { upper } else { mean_volts },
        }
    }
}

/// A signal that fills this much of its range is clear as it is.
const CLEAR_FILL: f32 = 0.8;
/// What is left of a hum after it was taken out is no tone.
const LEAST_TONE_VOLTS: f32 = 0.05;

/// Upper and lower half of a signal.
#[derive(Clone, Copy)]
struct Shape {
    low: f32,
    high: f32,
    upper: f32,
    lower: f32,
    swing: f32,
    fill: f32,
    tone_hz: Option<f32>,
}

impl Shape {
    fn of(volts: &[f32; BLOCK_SAMPLES]) -> Self {
        let low = fold(volts, f32::INFINITY, |low, v| if v < low { v } else { low });
        let high = fold(
            volts,
            f32::NEG_INFINITY,
            |high, v| if v > high { v } else { high },
        );
        let low = low.into_iter().fold(f32::INFINITY, f32::min);
        let high = high.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let middle = (low + high) / 2.0;
        let above = |sum: f32, v: f32| sum + if v > middle { v - middle } else { 0.0 };
        let below = |sum: f32, v: f32| sum + if v > middle { 0.0 } else { v - middle };
        let number = |count: f32, v: f32| count + if v > middle { 1.0 } else { 0.0 };
        let [above, below] = [
            total(fold(volts, 0.0, above)),
            total(fold(volts, 0.0, below)),
        ];
        let uppers = total(fold(volts, 0.0, number));
        let lowers = BLOCK_SAMPLES as f32 - uppers;
        let upper = middle + above / uppers.max(1.0);
        let lower = middle + below / lowers.max(1.0);
        let swing = if uppers > 0.0 { upper - lower } else { 0.0 };
        let full = high - low;
        let fill = if full > 0.0 { swing / full } else { 0.0 };
        // A square wave fills its swing, a sine two thirds of it; speech and clicks much less.
        let tone_hz = if fill > 0.55 && full >= LEAST_TONE_VOLTS {
            steady(volts, middle, full)
        } else {
            None
        };
        Self {
            low,
            high,
            upper,
            lower,
            swing,
            fill,
            tone_hz,
        }
    }
}

/// Samples that are looked at beside each other.
const LANES: usize = 8;
const _: () = assert!(BLOCK_SAMPLES.is_multiple_of(LANES));

/// What comes of taking the samples one after the other, in [`LANES`] beside each other: this runs for each block of each line.
fn fold(values: &[f32; BLOCK_SAMPLES], start: f32, step: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    let mut lanes = [start; LANES];
    for chunk in values.as_chunks::<LANES>().0 {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, *v);
        }
    }
    lanes
}

fn total(lanes: [f32; LANES]) -> f32 {
    lanes.iter().sum()
}

/// The mains and its double over one block, made orthogonal to each other and to a constant.
static HUM: LazyLock<[[f32; BLOCK_SAMPLES]; 4]> = LazyLock::new(|| {
    let constant = [(1.0 / BLOCK_SAMPLES as f32).sqrt(); BLOCK_SAMPLES];
    let mut known = vec![constant];
    let mut out = [[0.0; BLOCK_SAMPLES]; 4];
    for (wave, (hz, phase)) in
        out.iter_mut()
            .zip([(50.0, 0.0), (50.0, 0.25), (100.0, 0.0), (100.0, 0.25)])
    {
        for (i, v) in wave.iter_mut().enumerate() {
            let turns = hz * i as f32 / SAMPLE_RATE_HZ as f32 + phase;
            *v = (std::f32::consts::TAU * turns).sin();
        }
        for base in &known {
            take_out(wave, base);
        }
        let length = wave.iter().map(|v| v * v).sum::<f32>().sqrt();
        wave.iter_mut().for_each(|v| *v /= length);
        known.push(*wave);
    }
    out
});

/// Takes the part of `base`, which has length 1, out of a signal.
fn take_out(signal: &mut [f32; BLOCK_SAMPLES], base: &[f32; BLOCK_SAMPLES]) {
    let mut parts = [0.0; LANES];
    let (signals, bases) = (signal.as_chunks::<LANES>().0, base.as_chunks::<LANES>().0);
    for (s, b) in signals.iter().zip(bases) {
        for (part, (s, b)) in parts.iter_mut().zip(s.iter().zip(b)) {
            *part += s * b;
        }
    }
    let part = total(parts);
    for (s, b) in signal.iter_mut().zip(base) {
        *s -= part * b;
    }
}

fn without_hum(volts: &[f32; BLOCK_SAMPLES]) -> [f32; BLOCK_SAMPLES] {
    let mut clean = *volts;
    for wave in HUM.iter() {
        take_out(&mut clean, wave);
    }
    clean
}

/// A broken converter must not poison sums: not-a-number is zero, huge values are clamped.
fn finite(values: &[f32; BLOCK_SAMPLES]) -> [f32; BLOCK_SAMPLES] {
    let mut out = [0.0; BLOCK_SAMPLES];
    for (to, v) in out.iter_mut().zip(values) {
        *to = if v.is_finite() {
            v.clamp(-1000.0, 1000.0)
        } else {
            0.0
        };
    }
    out
}

fn mean(values: &[f32; BLOCK_SAMPLES]) -> f32 {
    total(fold(values, 0.0, |sum, v| sum + v)) / BLOCK_SAMPLES as f32
}

/// Frequency of a signal whose half periods are even; at least two whole half periods must fit.
fn steady(volts: &[f32; BLOCK_SAMPLES], middle: f32, full: f32) -> Option<f32> {
    let margin = full * 0.15;
    let mut above: Option<bool> = None;
    let mut last: Option<usize> = None;
    let (mut first, mut crossings) = (0_usize, 0_usize);
    let (mut shortest, mut longest) = (usize::MAX, 0_usize);
    for (i, v) in volts.iter().enumerate() {
        let now = if *v > middle + margin {
            true
        } else if *v < middle - margin {
            false
        } else {
            continue;
        };
        if above.is_some_and(|before| before != now) {
            if let Some(at) = last {
                shortest = shortest.min(i - at);
                longest = longest.max(i - at);
            } else {
                first = i;
            }
            last = Some(i);
            crossings += 1;
        }
        above = Some(now);
    }
    let last = last?;
    // One sample of jitter on either side is the sampling's, not the signal's.
    if crossings < 3 || longest > shortest * 2 + 1 || last <= first {
        return None;
    }
    let halves = (crossings - 1) as f32;
    Some(halves * SAMPLE_RATE_HZ as f32 / (2.0 * (last - first) as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(f: impl Fn(f32) -> f32) -> BlockReading {
        let mut sense = SenseBlock::default();
        for (i, v) in sense.line_volts.iter_mut().enumerate() {
            *v = f(i as f32 / SAMPLE_RATE_HZ as f32);
        }
        BlockReading::of(&sense)
    }

    fn sine(hz: f32, t: f32) -> f32 {
        (2.0 * std::f32::consts::PI * hz * t).sin()
    }

    #[test]
    fn a_ring_burst_reads_as_its_frequency_and_its_fed_level() {
        for hz in [300.0, 600.0, 1000.0, 2500.0] {
            let r = block(|t| if sine(hz, t + 1e-5) > 0.0 { 2.5 } else { 0.05 });
            let read = r.tone_hz.unwrap();
            assert!((read / hz - 1.0).abs() < 0.15, "{hz} read as {read}");
            assert!(r.chopped && (r.level_volts - 2.5).abs() < 0.05);
        }
    }

    #[test]
    fn hum_steps_and_nonsense_are_no_tone() {
        assert_eq!(block(|t| 2.5 + 2.0 * sine(50.0, t)).tone_hz, None);
        assert_eq!(block(|t| 2.5 + 2.0 * sine(100.0, t)).tone_hz, None);
        assert_eq!(block(|t| if t > 0.004 { 2.5 } else { 0.0 }).tone_hz, None);
        assert_eq!(block(|_| f32::NAN).tone_hz, None);
        assert_eq!(block(|_| 3.0).swing_volts, 0.0);
        assert!(block(|_| f32::INFINITY).level_volts.is_finite());
    }

    #[test]
    fn speech_on_a_talking_line_keeps_the_mean_as_its_level() {
        let r = block(|t| 6.4 + 1.5 * sine(440.0, t));
        assert!(!r.chopped && (r.level_volts - 6.4).abs() < 0.3);
    }
}
