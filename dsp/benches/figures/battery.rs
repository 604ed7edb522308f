//! The DTMF battery: bursts after ITU-T Q.24 and the conditions of signal-processing facts 1.2, each A-law coded, with random
//! phase and block alignment. Shared by the bench, which prints the table, and the tests, which hold the marks.

use audio_codec_algorithms::{decode_alaw, encode_alaw};
use dsp::dtmf::{DtmfDetector, DtmfEvent, DtmfGrade, HIGH_HZ, LOW_HZ, row_and_column};
use dsp::sample::{rms_of_dbm0, sine_peak_of_dbm0, to_f32, to_i16};

/// A small reproducible generator of noise.
#[derive(Clone)]
pub struct Noise(pub u64);

impl Noise {
    /// 0..1.
    pub fn unit(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Normal distribution, variance 1.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

/// One burst and what surrounds it.
#[derive(Clone, Copy)]
pub struct Burst {
    pub digit: char,
    pub ms: f32,
    pub low_dbm0: f32,
    pub high_dbm0: f32,
    /// Relative error of the two frequencies.
    pub low_error: f32,
    pub high_error: f32,
}

impl Burst {
    pub fn new(digit: char, ms: f32, dbm0: f32) -> Burst {
        Burst {
            digit,
            ms,
            low_dbm0: dbm0,
            high_dbm0: dbm0,
            low_error: 0.0,
            high_error: 0.0,
        }
    }

    /// Adds the burst to `out` from sample `at` on.
    pub fn add(&self, out: &mut [f32], at: usize, noise: &mut Noise) {
        let (row, column) = row_and_column(self.digit).unwrap();
        let parts = [
            (LOW_HZ[row] * (1.0 + self.low_error), self.low_dbm0),
            (HIGH_HZ[column] * (1.0 + self.high_error), self.high_dbm0),
        ];
        let length = (self.ms * 8.0).round() as usize;
        for (hz, dbm0) in parts {
            let phase = f64::from(noise.unit()) * std::f64::consts::TAU;
            let step = std::f64::consts::TAU * f64::from(hz) / 8000.0;
            let peak = sine_peak_of_dbm0(dbm0);
            for (n, slot) in out.iter_mut().skip(at).take(length).enumerate() {
                *slot += peak * (phase + step * n as f64).sin() as f32;
            }
        }
    }
}

/// A-law and back.
pub fn code(samples: &mut [f32]) {
    for sample in samples {
        *sample = to_f32(decode_alaw(encode_alaw(to_i16(*sample))));
    }
}

/// What else is on the line.
#[derive(Clone, Copy, PartialEq)]
pub enum Condition {
    Clean,
    /// White noise this far below the tone pair, dB.
    Noise(f32),
    Hum(f32),
    Offset,
    Tones(f32, f32, f32),
    /// Tone pair driven this far into clipping, dB.
    Clipped(f32),
    /// Made-up samples from..to of the burst, ms; the flag says whether the detector is told.
    Dropout(f32, f32, bool),
}

/// Presses found in one trial with the burst in the middle of a second.
pub fn presses(grade: DtmfGrade, burst: Burst, condition: Condition, seed: u64) -> Vec<char> {
    let mut noise = Noise(seed.wrapping_mul(0x9e37_79b9).wrapping_add(12345));
    for _ in 0..4 {
        noise.unit();
    }
    let mut line = vec![0.0_f32; 5600];
    let at = 2000 + (noise.unit() * 200.0) as usize;
    burst.add(&mut line, at, &mut noise);
    let phase = noise.unit() * std::f32::consts::TAU;
    let mut erased = 0..0;
    match condition {
        Condition::Clean => {}
        Condition::Noise(db) => {
            let pair = rms_of_dbm0(burst.low_dbm0).hypot(rms_of_dbm0(burst.high_dbm0));
            let rms = pair / 10.0_f32.powf(db / 20.0);
            line.iter_mut()
                .for_each(|slot| *slot += rms * noise.normal());
        }
        Condition::Hum(dbm0) => add_tone(&mut line, 50.0, dbm0, phase),
        Condition::Offset => line.iter_mut().for_each(|slot| *slot += 0.1),
        Condition::Tones(a, b, dbm0) => {
            add_tone(&mut line, a, dbm0, phase);
            if b > 0.0 {
                add_tone(&mut line, b, dbm0, 2.0 * phase);
            }
        }
        Condition::Clipped(db) => {
            let peak = sine_peak_of_dbm0(burst.low_dbm0) + sine_peak_of_dbm0(burst.high_dbm0);
            let limit = peak / 10.0_f32.powf(db / 20.0);
            line.iter_mut()
                .for_each(|slot| *slot = slot.clamp(-limit, limit));
        }
        Condition::Dropout(from, to, told) => {
            let range = at + (from * 8.0) as usize..at + (to * 8.0) as usize;
            line[range.clone()].fill(0.0);
            if told {
                erased = range;
            }
        }
    }
    code(&mut line);
    let mut detector = DtmfDetector::new(grade);
    let offset = (noise.unit() * 34.0) as usize;
    let mut found = Vec::new();
    for (n, sample) in line.iter().enumerate().skip(offset) {
        detector.process(std::slice::from_ref(sample), erased.contains(&n));
    }
    while let Some(event) = detector.poll() {
        if let DtmfEvent::Pressed { digit, .. } = event {
            found.push(digit);
        }
    }
    found
}

fn add_tone(line: &mut [f32], hz: f32, dbm0: f32, phase: f32) {
    let peak = sine_peak_of_dbm0(dbm0);
    for (n, slot) in line.iter_mut().enumerate() {
        *slot += peak * (phase + std::f32::consts::TAU * hz * n as f32 / 8000.0).sin();
    }
}

/// Share of trials, in %, in which the digit was found exactly once and nothing else; and in which it was found twice.
pub fn score(grade: DtmfGrade, burst: Burst, condition: Condition, trials: u64) -> (f64, f64) {
    let digits: Vec<char> = "159D#04A8*27B3C6".chars().collect();
    let (mut once, mut more) = (0, 0);
    for trial in 0..trials {
        let digit = digits[trial as usize % 16];
        let found = presses(grade, Burst { digit, ..burst }, condition, trial * 7919 + 1);
        once += u64::from(found == [digit]);
        more += u64::from(found.len() > 1);
    }
    (
        100.0 * once as f64 / trials as f64,
        100.0 * more as f64 / trials as f64,
    )
}

/// Share of pauses of `gap_ms` between two equal digits that are seen, %.
pub fn splits(grade: DtmfGrade, gap_ms: f32, trials: u64) -> f64 {
    let mut two = 0;
    for trial in 0..trials {
        let mut noise = Noise(trial * 31 + 5);
        let mut line = vec![0.0_f32; 6400];
        let burst = Burst::new(['1', '5', '9', 'D'][trial as usize % 4], 80.0, -10.0);
        let at = 1000 + (noise.unit() * 200.0) as usize;
        burst.add(&mut line, at, &mut noise);
        burst.add(&mut line, at + 640 + (gap_ms * 8.0) as usize, &mut noise);
        code(&mut line);
        let mut detector = DtmfDetector::new(grade);
        detector.process(&line, false);
        let count = std::iter::from_fn(|| detector.poll())
            .filter(|event| matches!(event, DtmfEvent::Pressed { .. }))
            .count();
        two += u64::from(count == 2);
    }
    100.0 * two as f64 / trials as f64
}

/// False digits per hour in `samples`.
pub fn hits(grade: DtmfGrade, samples: &[f32]) -> usize {
    let mut detector = DtmfDetector::new(grade);
    let mut count = 0;
    for chunk in samples.chunks(80) {
        detector.process(chunk, false);
        while let Some(event) = detector.poll() {
            count += usize::from(matches!(event, DtmfEvent::Pressed { .. }));
        }
    }
    count
}

/// A voice that imitates DTMF: a pulse train of gliding pitch through two narrow formants that sit on the pair of a digit.
pub fn imitating_voice(seconds: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise(seed);
    let mut out = Vec::with_capacity(seconds * 8000);
    let mut phase = 0.0_f32;
    while out.len() < seconds * 8000 {
        let length = 1200 + (noise.unit() * 4000.0) as usize;
        let row = (noise.unit() * 4.0) as usize % 4;
        let column = (noise.unit() * 4.0) as usize % 4;
        let from = 70.0 * 6.0_f32.powf(noise.unit());
        let to = from * (0.8 + 0.4 * noise.unit());
        let vibrato = 0.03 * noise.unit();
        let mut formants = [
            Formant::new(
                LOW_HZ[row] * (0.98 + 0.04 * noise.unit()),
                30.0 + 60.0 * noise.unit(),
            ),
            Formant::new(
                HIGH_HZ[column] * (0.98 + 0.04 * noise.unit()),
                30.0 + 60.0 * noise.unit(),
            ),
        ];
        let balance = 0.4 + 0.8 * noise.unit();
        let start = out.len();
        for n in 0..length {
            let t = n as f32 / length as f32;
            let wobble = 1.0 + vibrato * (n as f32 * 5.5 * std::f32::consts::TAU / 8000.0).sin();
            phase += (from + (to - from) * t) * wobble / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let envelope = (std::f32::consts::PI * t).sin().sqrt();
            let voiced = formants[0].next(pulse) + balance * formants[1].next(pulse);
            out.push(envelope * (voiced + 0.002 * noise.normal()));
        }
        let rms = (out[start..].iter().map(|s| s * s).sum::<f32>() / length as f32).sqrt();
        let gain = rms_of_dbm0(-16.0) / rms.max(1e-6);
        out[start..].iter_mut().for_each(|s| *s *= gain);
        out.extend(std::iter::repeat_n(0.0, (noise.unit() * 800.0) as usize));
    }
    code(&mut out);
    out
}

/// The worst voice there is: it holds its pitch within half a percent, and two narrow formants lie on two of its harmonics, which lie on
/// a digit. Two seconds for each of eight pitches, A-law coded.
pub fn held_voice(seed: u64) -> Vec<f32> {
    // Pitch in Hz and the numbers of the two harmonics.
    let sung = [
        (340.5, 2.0, 4.0),
        (307.7, 3.0, 4.0),
        (289.5, 3.0, 5.0),
        (233.6, 3.0, 7.0),
        (235.0, 4.0, 7.0),
        (189.0, 5.0, 7.0),
        (186.2, 5.0, 8.0),
        (133.4, 7.0, 11.0),
    ];
    let mut noise = Noise(seed);
    let mut out = Vec::new();
    for (pitch, low, high) in sung {
        let mut formants =
            [low, high].map(|number: f32| Formant::new(number * pitch, 15.0 + 15.0 * noise.unit()));
        let start = out.len();
        let mut phase = noise.unit();
        for n in 0..16_000 {
            let glide = 1.0 + 0.005 * (n as f32 * 1.3 * std::f32::consts::TAU / 8000.0).sin();
            phase += pitch * glide / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let voiced = formants.each_mut().map(|formant| formant.next(pulse));
            out.push(voiced[0] + voiced[1] + 0.002 * noise.normal());
        }
        let rms = (out[start..].iter().map(|s| s * s).sum::<f32>() / 16_000.0).sqrt();
        let gain = rms_of_dbm0(-16.0) / rms;
        out[start..].iter_mut().for_each(|s| *s *= gain);
        out.extend([0.0; 800]);
    }
    code(&mut out);
    out
}

struct Formant {
    a1: f32,
    a2: f32,
    y: [f32; 2],
}

impl Formant {
    fn new(hz: f32, bandwidth: f32) -> Formant {
        let r = (-std::f32::consts::PI * bandwidth / 8000.0).exp();
        let w = std::f32::consts::TAU * hz / 8000.0;
        Formant {
            a1: 2.0 * r * w.cos(),
            a2: -r * r,
            y: [0.0; 2],
        }
    }

    fn next(&mut self, x: f32) -> f32 {
        let y = x + self.a1 * self.y[0] + self.a2 * self.y[1];
        self.y = [y, self.y[0]];
        y
    }
}
