//! Sound for the echo and noise figures: a speech-like signal made here, and echo paths made here.

use crate::battery::Noise;

/// Speech of `seconds`: from the folder in `DSP_SPEECH` when there is one, made here otherwise; active level -20 dBFS.
pub fn talker(seconds: f32, seed: u64, pitch_hz: f32) -> Vec<f32> {
    let files = recordings();
    let Some(file) = files.get((seed / 10 + seed / 1000) as usize % files.len().max(1)) else {
        return speech_like(seconds, seed, pitch_hz);
    };
    let wanted = (seconds * 8000.0) as usize;
    let skip = (seed as usize * 7919) % 16_000;
    let mut out: Vec<f32> = file
        .iter()
        .cycle()
        .skip(skip)
        .take(wanted)
        .copied()
        .collect();
    let active: Vec<f32> = out.iter().copied().filter(|s| s.abs() > 0.01).collect();
    let rms = (active.iter().map(|s| s * s).sum::<f32>() / active.len().max(1) as f32).sqrt();
    out.iter_mut().for_each(|s| *s *= 0.1 / rms.max(1e-6));
    out
}

/// The 8 kHz mono WAV files of the folder in `DSP_SPEECH`, in the order of their names.
pub fn recordings() -> Vec<Vec<f32>> {
    let Some(folder) = std::env::var_os("DSP_SPEECH") else {
        return Vec::new();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| hound::WavReader::open(path).ok())
        .filter(|reader| {
            let spec = reader.spec();
            spec.sample_rate == 8000 && spec.channels == 1 && spec.bits_per_sample == 16
        })
        .map(|mut reader| {
            reader
                .samples::<i16>()
                .map(|s| dsp::sample::to_f32(s.unwrap()))
                .collect()
        })
        .collect()
}

/// Syllables of vowels with gliding pitch and three formants, hissing consonants and pauses; active level -20 dBFS.
pub fn speech_like(seconds: f32, seed: u64, pitch_hz: f32) -> Vec<f32> {
    const VOWELS: [[f32; 3]; 6] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [570.0, 840.0, 2410.0],
        [440.0, 1020.0, 2240.0],
    ];
    let mut noise = Noise(seed);
    let total = (seconds * 8000.0) as usize;
    let mut out = Vec::with_capacity(total + 8000);
    let mut phase = 0.0;
    while out.len() < total {
        if noise.unit() < 0.4 {
            let length = 400 + (noise.unit() * 500.0) as usize;
            let mut last = 0.0;
            for n in 0..length {
                let x = noise.normal();
                let envelope = (std::f32::consts::PI * n as f32 / length as f32).sin();
                out.push(0.03 * envelope * (x - 0.9 * last));
                last = x;
            }
        }
        let vowel = VOWELS[(noise.unit() * 6.0) as usize % 6];
        let mut formants = [
            Resonator::new(vowel[0], 80.0),
            Resonator::new(vowel[1], 100.0),
            Resonator::new(vowel[2], 140.0),
        ];
        let length = 900 + (noise.unit() * 1500.0) as usize;
        let from = pitch_hz * (0.85 + 0.3 * noise.unit());
        let glide = 0.8 + 0.4 * noise.unit();
        let start = out.len();
        let mut tilt = 0.0;
        for n in 0..length {
            let t = n as f32 / length as f32;
            phase += from * (1.0 + (glide - 1.0) * t) / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 } + 0.01 * noise.normal();
            phase = phase.fract();
            tilt = 0.6 * tilt + pulse;
            let voiced = formants[0].next(tilt)
                + 0.7 * formants[1].next(tilt)
                + 0.4 * formants[2].next(tilt);
            out.push((std::f32::consts::PI * t).sin().sqrt() * voiced);
        }
        let level = 0.6 + 0.8 * noise.unit();
        let rms = (out[start..].iter().map(|s| s * s).sum::<f32>() / length as f32).sqrt();
        out[start..]
            .iter_mut()
            .for_each(|s| *s *= level * 0.1 / rms.max(1e-6));
        if noise.unit() < 0.25 {
            out.extend(std::iter::repeat_n(
                0.0,
                800 + (noise.unit() * 3000.0) as usize,
            ));
        }
    }
    out.truncate(total);
    out
}

struct Resonator {
    gain: f32,
    a1: f32,
    a2: f32,
    y: [f32; 2],
}

impl Resonator {
    fn new(hz: f32, bandwidth: f32) -> Resonator {
        let r = (-std::f32::consts::PI * bandwidth / 8000.0).exp();
        let w = std::f32::consts::TAU * hz / 8000.0;
        Resonator {
            gain: 1.0 - r,
            a1: 2.0 * r * w.cos(),
            a2: -r * r,
            y: [0.0; 2],
        }
    }

    fn next(&mut self, x: f32) -> f32 {
        let y = self.gain * x + self.a1 * self.y[0] + self.a2 * self.y[1];
        self.y = [y, self.y[0]];
        y
    }
}

/// The echo path of a 2-to-4-wire hybrid: a few ms, band-limited, with this echo return loss in dB.
pub fn hybrid(delay: usize, erl_db: f32, seed: u64) -> Vec<f32> {
    let mut noise = Noise(seed);
    let mut taps = vec![0.0; delay + 64];
    for (n, tap) in taps.iter_mut().skip(delay).enumerate() {
        let t = n as f32;
        *tap = (-t / 9.0).exp() * ((0.9 * t).cos() + 0.3 * noise.normal());
    }
    scaled(taps, erl_db)
}

/// The echo path of a panel's loudspeaker and microphone: a direct sound and a decaying room.
pub fn acoustic(delay: usize, decay_ms: f32, length: usize, erl_db: f32, seed: u64) -> Vec<f32> {
    let mut noise = Noise(seed);
    let mut taps = vec![0.0; length];
    for (n, tap) in taps.iter_mut().enumerate().skip(delay) {
        *tap = noise.normal() * (-((n - delay) as f32) / (decay_ms * 8.0)).exp();
    }
    taps[delay] += 3.0;
    scaled(taps, erl_db)
}

/// Both at once.
pub fn both(a: &[f32], b: &[f32]) -> Vec<f32> {
    (0..a.len().max(b.len()))
        .map(|n| a.get(n).unwrap_or(&0.0) + b.get(n).unwrap_or(&0.0))
        .collect()
}

fn scaled(mut taps: Vec<f32>, erl_db: f32) -> Vec<f32> {
    let gain = taps.iter().map(|t| t * t).sum::<f32>().sqrt();
    let wanted = 10.0_f32.powf(-erl_db / 20.0);
    taps.iter_mut().for_each(|t| *t *= wanted / gain);
    taps
}

/// `signal` through `path`.
pub fn through(path: &[f32], signal: &[f32]) -> Vec<f32> {
    (0..signal.len())
        .map(|n| {
            path.iter()
                .take(n + 1)
                .enumerate()
                .map(|(k, tap)| tap * signal[n - k])
                .sum()
        })
        .collect()
}
