//! Two clocks that call themselves 8 kHz: a sound card's and ours. A [`Bridge`] stands between them,
//! takes samples in the time of the one and gives them in the time of the other, resampled so finely
//! that neither runs away from the other and no sample is dropped or doubled.
//!
//! Each side's clock is followed by a delay-locked loop over the moments of its calls (F. Adriaensen,
//! "Using a DLL to filter time", 2005), so that a call that comes late does not shake the pitch. The
//! interpolation is a windowed sinc, flat to 3.4 kHz, images below -60 dB.

use std::time::Duration;

use crate::resample::bessel;

/// Sample rate of both sides, Hz.
const RATE_HZ: f64 = 8000.0;
/// Taps of the interpolation; half of them is its delay.
const TAPS: usize = 32;
/// Steps between two samples for which the filter is tabled; between them it is interpolated.
const PHASES: usize = 256;
/// Samples that are kept, a second: a power of two.
const RING: usize = 8192;
/// Clocks that differ by more than this are no clocks.
const MOST_DRIFT: f64 = 0.003;
/// What is wrong about the delay is made good in so many seconds.
const CORRECTION_S: f64 = 10.0;
/// A delay that is this far off is made good at once, samples.
const JUMP: f64 = 640.0;
/// A side that calls so much too late or too early begins anew, seconds.
const STALL_S: f64 = 0.15;
/// By this much the delay grows after it was too short, samples.
const GROWTH: f64 = 40.0;
/// Longest delay to which it grows, samples.
const MOST_DELAY: f64 = 2400.0;

/// What a bridge has gone through.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BridgeReport {
    /// Times the reader found too little.
    pub underruns: u32,
    /// Times the writer brought too much, or a side stood still and came back.
    pub jumps: u32,
    /// How much faster the writer's clock is than the reader's, parts per million.
    pub drift_ppm: f32,
    /// From writing to reading, milliseconds.
    pub delay_ms: f32,
}

/// Samples from one clock to another, both about 8 kHz.
#[derive(Debug, Clone)]
pub struct Bridge {
    ring: Vec<f32>,
    filter: Vec<f32>,
    /// Samples written since the start.
    written: u64,
    /// Position of the next output among them.
    read: f64,
    running: bool,
    /// From the last written sample to the reader, samples: as it was wanted, and as it is.
    wanted: f64,
    delay: f64,
    writer: Loop,
    reader: Loop,
    report: BridgeReport,
}

impl Bridge {
    /// A bridge that holds `delay_ms` of sound, 5 to 300. It should be more than one call of the
    /// writer and one of the reader bring together, plus 2 ms; where it is too short it grows.
    #[must_use]
    pub fn new(delay_ms: u32) -> Bridge {
        Bridge {
            ring: vec![0.0; RING],
            filter: table(),
            written: 0,
            read: 0.0,
            running: false,
            wanted: f64::from(delay_ms.clamp(5, 300)) * RATE_HZ / 1000.0,
            delay: f64::from(delay_ms.clamp(5, 300)) * RATE_HZ / 1000.0,
            writer: Loop::default(),
            reader: Loop::default(),
            report: BridgeReport::default(),
        }
    }

    /// Takes samples of the writer; `now` in the time that both sides share.
    pub fn push(&mut self, now: Duration, samples: &[f32]) {
        for sample in samples {
            let at = self.written as usize % RING;
            self.ring[at] = crate::sample::finite(*sample);
            self.written += 1;
        }
        if self.writer.called(now, samples.len(), self.written as f64) {
            // The writer stood still; what it brings now is not what the reader waits for.
            self.running = false;
        }
        if self.running && self.written as f64 - self.read > (RING - TAPS) as f64 {
            self.jump(now);
        }
    }

    /// Fills `out` for the reader, with silence where nothing has come.
    pub fn pull(&mut self, now: Duration, out: &mut [f32]) {
        out.fill(0.0);
        let stalled = self.reader.called(now, out.len(), 0.0);
        if !self.running || stalled {
            let Some(read) = self.begin(now, out.len()) else {
                return;
            };
            self.read = read;
            self.running = true;
        }
        let at = self.reader.time();
        let off = self.writer.position(at) - self.read - self.delay;
        if off.abs() > JUMP {
            self.jump(at);
        }
        let drift = self.reader.period / self.writer.period - 1.0;
        let step = 1.0 + drift + (off.clamp(-JUMP, JUMP) / (CORRECTION_S * RATE_HZ));
        self.report.drift_ppm = (drift * 1e6) as f32;
        self.report.delay_ms = ((self.writer.position(at) - self.read) / RATE_HZ * 1000.0) as f32;
        for slot in out {
            if self.read + (TAPS / 2) as f64 >= self.written as f64 {
                self.report.underruns += 1;
                self.running = false;
                self.delay = (self.delay + GROWTH).min(MOST_DELAY);
                return;
            }
            *slot = self.interpolated();
            self.read += step;
        }
    }

    /// The writer's device has lost sound: its next call says nothing about its clock's speed.
    pub fn writer_slipped(&mut self) {
        self.writer.last = None;
    }

    /// The reader's device has played silence of its own: as [`Bridge::writer_slipped`].
    pub fn reader_slipped(&mut self) {
        self.reader.last = None;
    }

    /// What has happened so far.
    #[must_use]
    pub fn report(&self) -> BridgeReport {
        self.report
    }

    /// Forgets all sound and both clocks; for a device that went away.
    pub fn reset(&mut self) {
        self.running = false;
        self.delay = self.wanted;
        self.written = 0;
        self.read = 0.0;
        self.writer = Loop::default();
        self.reader = Loop::default();
        self.ring.fill(0.0);
    }

    /// Where to begin, once enough has come for it and the writer is not silent.
    fn begin(&mut self, now: Duration, wanted: usize) -> Option<f64> {
        let least = self.writer.samples + wanted + TAPS / 2;
        self.delay = self.delay.max(least as f64);
        let read = self.writer.position(now) - self.delay;
        let end = read + (wanted + TAPS / 2) as f64;
        (read >= 0.0 && end <= self.written as f64).then_some(read)
    }

    fn jump(&mut self, now: Duration) {
        self.report.jumps += 1;
        self.read = (self.writer.position(now) - self.delay).max(0.0);
    }

    fn interpolated(&self) -> f32 {
        let whole = self.read.floor();
        let place = (self.read - whole) * PHASES as f64;
        let (phase, between) = (place as usize, place.fract() as f32);
        // `filter` holds one phase more than there are, the first moved by a sample.
        let near = &self.filter[phase * TAPS..(phase + 1) * TAPS];
        let far = &self.filter[(phase + 1) * TAPS..(phase + 2) * TAPS];
        let first = (whole as u64).wrapping_sub((TAPS / 2 - 1) as u64);
        let mut sum = 0.0;
        for (i, (a, b)) in near.iter().zip(far).enumerate() {
            let sample = self.ring[(first.wrapping_add(i as u64)) as usize % RING];
            sum += sample * (a + (b - a) * between);
        }
        sum
    }
}

/// Follows the moments at which one side calls.
#[derive(Debug, Clone)]
struct Loop {
    /// Seconds of the last call as they should have been; `None` before the first.
    last: Option<f64>,
    first: Option<f64>,
    /// Seconds of one sample.
    period: f64,
    /// Samples of this side at the last call.
    position: f64,
    /// Samples that the last call brought.
    samples: usize,
}

impl Default for Loop {
    fn default() -> Self {
        Loop {
            last: None,
            first: None,
            period: 1.0 / RATE_HZ,
            position: 0.0,
            samples: 0,
        }
    }
}

impl Loop {
    /// The side calls with `samples`; afterwards it stands at `position`. `true` when it had stood
    /// still.
    fn called(&mut self, now: Duration, samples: usize, position: f64) -> bool {
        let now = now.as_secs_f64();
        self.position = position;
        self.samples = samples;
        let Some(last) = self.last else {
            self.last = Some(now);
            self.first.get_or_insert(now);
            return false;
        };
        let length = samples as f64 * self.period;
        let off = now - last - length;
        if off.abs() > STALL_S {
            // The clock keeps its speed; only its place is new.
            self.last = Some(now);
            return true;
        }
        // Quick at first, then ever slower, so that what is learnt is not shaken off again.
        let age = (now - self.first.unwrap_or(now)).max(0.5);
        let bandwidth_hz = (0.5 / age).clamp(0.01, 0.5);
        let omega = (std::f64::consts::TAU * bandwidth_hz * length).min(0.5);
        self.last = Some(last + length + std::f64::consts::SQRT_2 * omega * off);
        if samples > 0 {
            let period = self.period + omega * omega * off / samples as f64;
            let (least, most) = (1.0 - MOST_DRIFT, 1.0 + MOST_DRIFT);
            self.period = period.clamp(least / RATE_HZ, most / RATE_HZ);
        }
        false
    }

    /// The last call's moment as it should have been.
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.last.unwrap_or(0.0).max(0.0))
    }

    /// Where this side stands at a moment, between calls too.
    fn position(&self, now: Duration) -> f64 {
        let since = now.as_secs_f64() - self.last.unwrap_or(0.0);
        self.position + since / self.period
    }
}

/// A windowed sinc at half the sample rate for each phase, and the first one again a sample on.
fn table() -> Vec<f32> {
    use std::f64::consts::PI;
    let half = TAPS as f64 / 2.0;
    let mut taps = Vec::with_capacity((PHASES + 1) * TAPS);
    for phase in 0..=PHASES {
        let fraction = phase as f64 / PHASES as f64;
        let row = taps.len();
        for tap in 0..TAPS {
            let t = tap as f64 - (half - 1.0) - fraction;
            let sinc = if t.abs() < 1e-12 {
                1.0
            } else {
                (PI * t).sin() / (PI * t)
            };
            let window = (1.0 - (t / half).powi(2)).max(0.0).sqrt();
            taps.push((sinc * bessel(BETA * window) / bessel(BETA)) as f32);
        }
        let sum: f32 = taps[row..].iter().sum();
        taps[row..].iter_mut().for_each(|tap| *tap /= sum);
    }
    taps
}

/// Kaiser window of 72 dB.
const BETA: f64 = 0.1102 * (72.0 - 8.7);
