//! Changing between 8, 16 and 48 kHz, and the rates of recordings, with a polyphase filter.
//!
//! One linear-phase low-pass, a Kaiser window of 72 dB, flat up to 85 % of the lower Nyquist frequency (3.4 kHz for 8 kHz)
//! and down by more than 60 dB from 115 % (4.6 kHz) on, so that nothing folds into the speech band. Its delay is
//! [`Resampler::delay_ms`].

use crate::sample::finite;

/// Samples in the window's main part are multiplied this many at a time.
const LANES: usize = 8;
/// Stop-band attenuation of the design, dB.
const ATTENUATION_DB: f64 = 72.0;

/// The usual rates of recordings, Hz.
pub const RECORDING_RATES_HZ: [u32; 13] = [
    8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400,
    192_000,
];
/// Lowest and highest rate that [`Resampler::for_recording`] takes, Hz.
const RECORDING_HZ: std::ops::RangeInclusive<u32> = 1000..=384_000;
/// Neither number of the ratio of two rates, in lowest terms, may be larger: the filter has 30 times as many samples.
const LARGEST_RATIO: u32 = 50_000;

/// Converts a stream from one rate to another, in blocks of any size.
#[derive(Debug, Clone)]
pub struct Resampler {
    /// Outputs per `down` inputs.
    up: usize,
    down: usize,
    /// One filter per output phase, newest input first, each `taps` long.
    phases: Vec<f32>,
    taps: usize,
    /// The last inputs twice over, so that the newest `taps` always lie side by side.
    history: Vec<f32>,
    newest: usize,
    phase: usize,
    delay_ms: f32,
}

impl Resampler {
    /// A converter between two of 8000, 16000 and 48000 Hz; `None` for other rates.
    pub fn new(from_hz: u32, to_hz: u32) -> Option<Resampler> {
        let known = |hz: u32| [8000, 16_000, 48_000].contains(&hz);
        (known(from_hz) && known(to_hz)).then(|| Resampler::rational(from_hz, to_hz))
    }

    /// A converter between any two rates of 1 to 384 kHz; `None` for others, and for two of more than 50 kHz with next to no
    /// common divisor. The filter takes 0.1 MB between 11.025 and 48 kHz and up to 6 MB for the oddest of rates.
    pub fn for_recording(from_hz: u32, to_hz: u32) -> Option<Resampler> {
        if !RECORDING_HZ.contains(&from_hz) || !RECORDING_HZ.contains(&to_hz) {
            return None;
        }
        let common = common_divisor(from_hz, to_hz);
        (from_hz.max(to_hz) / common <= LARGEST_RATIO).then(|| Resampler::rational(from_hz, to_hz))
    }

    /// Both rates above zero, their ratio in lowest terms small.
    fn rational(from_hz: u32, to_hz: u32) -> Resampler {
        let common = common_divisor(from_hz, to_hz);
        let (up, down) = ((to_hz / common) as usize, (from_hz / common) as usize);
        let prototype = if up == down {
            vec![1.0]
        } else {
            low_pass(up.max(down))
        };
        let taps = prototype.len().div_ceil(up).next_multiple_of(LANES);
        let mut phases = vec![0.0; taps * up];
        for (n, value) in prototype.iter().enumerate() {
            phases[(n % up) * taps + n / up] = (value * up as f64) as f32;
        }
        // The filter runs at `up` times the rate of the input.
        let filter_hz = up as f32 * from_hz as f32;
        Resampler {
            up,
            down,
            phases,
            taps,
            history: vec![0.0; 2 * taps],
            newest: 0,
            phase: 0,
            delay_ms: (prototype.len() - 1) as f32 / 2.0 / filter_hz * 1000.0,
        }
    }

    /// Delay of the filter, ms.
    pub fn delay_ms(&self) -> f32 {
        self.delay_ms
    }

    /// Most samples that `inputs` samples can give.
    pub fn most_outputs(&self, inputs: usize) -> usize {
        inputs.saturating_mul(self.up).div_ceil(self.down)
    }

    /// Takes `input` and writes what it gives into `out`, which must hold [`Resampler::most_outputs`]; returns how many. What
    /// does not fit is lost.
    pub fn process(&mut self, input: &[f32], out: &mut [f32]) -> usize {
        let mut written = 0;
        for sample in input {
            self.newest = if self.newest == 0 {
                self.taps - 1
            } else {
                self.newest - 1
            };
            // Beyond 120 dB over full scale the sums could overflow.
            let value = finite(*sample).clamp(-1e6, 1e6);
            // A tail too faint for a 16-bit sample must not become a subnormal in the products.
            let value = if value.abs() < 1e-12 { 0.0 } else { value };
            self.history[self.newest] = value;
            self.history[self.newest + self.taps] = value;
            while self.phase < self.up {
                if let Some(slot) = out.get_mut(written) {
                    *slot = self.output(self.phase);
                    written += 1;
                }
                self.phase += self.down;
            }
            self.phase -= self.up;
        }
        written
    }

    fn output(&self, phase: usize) -> f32 {
        let filter = &self.phases[phase * self.taps..(phase + 1) * self.taps];
        let inputs = &self.history[self.newest..self.newest + self.taps];
        let mut sums = [0.0; LANES];
        for (a, b) in filter.chunks_exact(LANES).zip(inputs.chunks_exact(LANES)) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        sums.iter().sum()
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// A low-pass at the Nyquist frequency of the lower rate, at `ratio` times that rate; gain 1.
fn low_pass(ratio: usize) -> Vec<f64> {
    use std::f64::consts::PI;
    let beta = 0.1102 * (ATTENUATION_DB - 8.7);
    // From 0.85 to 1.15 of the lower Nyquist frequency.
    let transition = 0.3 * PI / ratio as f64;
    let order = ((ATTENUATION_DB - 7.95) / (2.285 * transition)).ceil() as usize;
    // Between multiples the delay is then a whole number of samples at both rates.
    let order = order.next_multiple_of(2 * ratio);
    let middle = order as f64 / 2.0;
    let cutoff = 1.0 / ratio as f64;
    let highest = bessel(beta);
    let mut taps: Vec<f64> = (0..=order)
        .map(|n| {
            let t = n as f64 - middle;
            let sinc = if t == 0.0 {
                cutoff
            } else {
                (PI * cutoff * t).sin() / (PI * t)
            };
            let window = (1.0 - (t / middle).powi(2)).max(0.0).sqrt();
            sinc * bessel(beta * window) / highest
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// The modified Bessel function of the first kind, order 0.
pub(crate) fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..40 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}
